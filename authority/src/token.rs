//! Reading our own tokens: signed or sealed, whose claims are then believed.

use std::collections::HashMap;
use std::sync::Arc;

use identity::AnchorKind;
use jose::seal::SealingKey;
use jose::{Alg, VerifyingKey, base64url, jws};
use oauth::token::{Claims, TokenKind};

use crate::index::SKEW;

/// Starts every opaque token: our claims sealed.
pub const OPAQUE_PREFIX: &str = "kfo_";

/// Extra seconds for `exp` between machines.
pub const CLOCK_SKEW: i64 = 60;

/// Why a token never seen before is not believed now: this node has not heard
/// of the others for too long.
pub(crate) const STALE: &str = "feed_stale";

/// Why a token does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenRefusal {
    /// The named cause, for log and test.
    pub reason: &'static str,
}

pub(crate) const fn refused(reason: &'static str) -> TokenRefusal {
    TokenRefusal { reason }
}

/// The public half of what tokens are signed and sealed with, parsed once.
#[derive(Default)]
pub struct KeySet {
    verifying: HashMap<String, Verifying>,
    sealing: HashMap<String, Arc<SealingKey>>,
}

struct Verifying {
    alg: Alg,
    key: VerifyingKey,
    signs_until: i64,
}

impl KeySet {
    /// Adds a key that verifies under this `kid` with this algorithm alone what
    /// says that it was made up to `signs_until`, seconds.
    pub fn add_verifying(&mut self, kid: String, alg: Alg, key: VerifyingKey, signs_until: i64) {
        self.verifying.insert(kid, Verifying { alg, key, signs_until });
    }

    /// Adds a key that opens sealed tokens.
    pub fn add_sealing(&mut self, key: Arc<SealingKey>) {
        self.sealing.insert(key.kid().to_owned(), key);
    }
}

impl core::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "KeySet({} verifying, {} sealing)", self.verifying.len(), self.sealing.len())
    }
}

/// A token of ours that is sound in itself: signature, issuer, times. Whether
/// its anchors still stand is asked at each use.
#[derive(Debug, Clone, PartialEq)]
pub struct SoundToken {
    kind: TokenKind,
    claims: Claims,
}

impl SoundToken {
    /// Access or asset token.
    pub fn kind(&self) -> TokenKind {
        self.kind
    }

    /// What it says.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }
}

/// Reads a token and verifies everything but anchors, audience and proof.
///
/// # Errors
/// [`TokenRefusal`]
pub(crate) fn read(token: &str, keys: &KeySet, issuer: &str) -> Result<SoundToken, TokenRefusal> {
    if token.len() > jws::MAX_LEN {
        return Err(refused("token_too_long"));
    }
    let sound = match token.strip_prefix(OPAQUE_PREFIX) {
        Some(sealed) => open(sealed, keys)?,
        None => verify(token, keys)?,
    };
    // One key set is one issuer's, so this catches a tenant whose name changed.
    if sound.claims.iss != issuer {
        return Err(refused("token_of_another_issuer"));
    }
    Ok(sound)
}

/// Whether a sound token is inside its times, and lives no longer than allowed.
///
/// # Errors
/// [`TokenRefusal`]
pub(crate) fn check_times(claims: &Claims, now: i64, max_life: i64) -> Result<(), TokenRefusal> {
    if now > claims.exp + CLOCK_SKEW {
        return Err(refused("token_expired"));
    }
    // As far ahead as an `iat` may be: one node's clock is ahead, another's behind.
    if claims.nbf.is_some_and(|nbf| now < nbf - SKEW) {
        return Err(refused("token_not_yet_valid"));
    }
    if claims.exp <= claims.iat || claims.exp - claims.iat > max_life {
        return Err(refused("token_life_out_of_range"));
    }
    Ok(())
}

fn verify(token: &str, keys: &KeySet) -> Result<SoundToken, TokenRefusal> {
    let unverified = jws::Unverified::parse(token).map_err(|_| refused("token_malformed"))?;
    let header = unverified.header();
    let held = header.kid().and_then(|kid| keys.verifying.get(kid)).ok_or(refused("token_signed_by_unknown_key"))?;
    let typ = header.typ().ok_or(refused("token_without_typ"))?;
    let kind = [TokenKind::Access, TokenKind::Asset].into_iter().find(|kind| jws::same_typ(typ, kind.typ()));
    let verified = unverified.verify(&held.key, &[held.alg]).map_err(|_| refused("token_signature"))?;
    let claims: Claims = serde_json::from_slice(verified.payload()).map_err(|_| refused("token_claims_malformed"))?;
    // A key that leaked after its retirement makes nothing that is young.
    if claims.iat > held.signs_until.saturating_add(CLOCK_SKEW) {
        return Err(refused("token_signed_by_retired_key"));
    }
    let kind = match kind {
        Some(kind) => kind,
        // Some clients want asset tokens with `typ: JWT`. An ID token has no
        // anchors and no `asset_id`, so it cannot pose as one.
        None if jws::same_typ(typ, "JWT") && is_asset(&claims) => TokenKind::Asset,
        None => return Err(refused("token_of_another_typ")),
    };
    Ok(SoundToken { kind, claims })
}

fn is_asset(claims: &Claims) -> bool {
    claims.asset_id.is_some() && claims.anc.id_of(AnchorKind::Asset).is_some()
}

fn open(sealed: &str, keys: &KeySet) -> Result<SoundToken, TokenRefusal> {
    let bytes = base64url::decode(sealed).map_err(|_| refused("token_malformed"))?;
    let kid = jose::seal::peek_kid(&bytes).map_err(|_| refused("token_malformed"))?;
    let key = keys.sealing.get(kid).ok_or(refused("token_sealed_by_unknown_key"))?;
    let opened = key.open(OPAQUE_PREFIX.as_bytes(), &bytes).map_err(|_| refused("token_seal"))?;
    let claims = serde_json::from_slice(&opened).map_err(|_| refused("token_claims_malformed"))?;
    Ok(SoundToken { kind: TokenKind::Access, claims })
}
