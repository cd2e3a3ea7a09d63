//! The key ring: signing keys with rotation and overlap, sealing of private
//! keys, opaque tokens and refresh tokens. Private keys leave it only sealed.

use std::sync::{Arc, PoisonError, RwLock};

use authority::{KeySet, OPAQUE_PREFIX};
use identity::{Digest, FamilyId, Secret};
use jose::seal::SealingKey;
use jose::{Alg, Jwk, SigningKey, VerifyingKey, base64url, digest, jws};
use oauth::token::Unsigned;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::fault::Fault;

/// How long a new key is published before it signs: longer than receivers cache
/// the key set.
pub(crate) const PUBLISHED_BEFORE: i64 = 3600;

/// Algorithms every tenant signs with.
pub(crate) const ALGORITHMS: [Alg; 3] = [Alg::ES256, Alg::RS256, Alg::EdDSA];

const REFRESH_PREFIX: &str = "kfr_";

/// The 256-bit key everything of ours is sealed under; a file or environment
/// reference, never in the store.
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// Takes the key.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A key of its own for one purpose.
    fn derive(&self, purpose: &str) -> [u8; 32] {
        digest::hmac_sha256(&*self.0, purpose.as_bytes())
    }
}

/// A key that can sign, with its times.
struct Held {
    record: oauth::SigningKey,
    key: SigningKey,
}

/// The keys of one tenant.
pub struct KeyRing {
    held: RwLock<Arc<Vec<Held>>>,
    at_rest: SealingKey,
    opaque: Arc<SealingKey>,
    refresh: SealingKey,
    reply: SealingKey,
    user_code: Zeroizing<[u8; 32]>,
}

impl KeyRing {
    /// An empty ring under a master key.
    ///
    /// # Errors
    /// [`Fault::Broken`] when the cryptography refuses a key.
    pub fn new(master: &MasterKey) -> Result<Self, Fault> {
        let sealing = |purpose: &str| {
            let key = master.derive(purpose);
            let kid = base64url::encode(digest::sha256(&key).get(..6).unwrap_or_default());
            SealingKey::new(&kid, key).map_err(|_| Fault::Broken("sealing_key"))
        };
        Ok(Self {
            held: RwLock::default(),
            at_rest: sealing("private keys at rest")?,
            opaque: Arc::new(sealing("opaque access tokens")?),
            refresh: sealing("refresh tokens")?,
            reply: sealing("kept replies")?,
            user_code: Zeroizing::new(master.derive("user codes")),
        })
    }

    /// Makes a new signing key, sealed for the store. RSA takes up to 0.2 s.
    ///
    /// # Errors
    /// [`Fault::Broken`]
    pub fn generate(&self, alg: Alg, not_before: i64, nonce: [u8; 24]) -> Result<oauth::SigningKey, Fault> {
        let key = SigningKey::generate(alg).map_err(|_| Fault::Broken("signing_key"))?;
        let jwk = jose::Signer::jwk(&key);
        let kid = base64url::encode(jwk.thumbprint().0.get(..12).unwrap_or_default());
        let private = key.to_pkcs8().map_err(|_| Fault::Broken("signing_key"))?;
        let sealed = base64url::encode(self.at_rest.seal(nonce, kid.as_bytes(), &private));
        let jwk = jwk.clone().with_kid(kid.clone()).with_use("sig").with_alg(alg);
        let jwk = jwk.map_err(|_| Fault::Broken("signing_key"))?;
        Ok(oauth::SigningKey { kid, alg, jwk, sealed, not_before, retire_at: i64::MAX })
    }

    /// Takes the keys of the store, opened; replaces what was held.
    ///
    /// # Errors
    /// [`Fault::Broken`] when a key does not open under this master key.
    pub fn load(&self, records: Vec<oauth::SigningKey>) -> Result<(), Fault> {
        let open = |record: oauth::SigningKey| {
            let sealed = base64url::decode(&record.sealed).map_err(|_| Fault::Broken("sealed_key_malformed"))?;
            let private = self.at_rest.open(record.kid.as_bytes(), &sealed);
            let private = private.map_err(|_| Fault::Broken("sealed_key_of_another_master_key"))?;
            let key =
                SigningKey::from_pkcs8(record.alg, &private).map_err(|_| Fault::Broken("sealed_key_malformed"))?;
            Ok(Held { key: key.with_kid(record.kid.clone()), record })
        };
        let held = records.into_iter().map(open).collect::<Result<Vec<_>, Fault>>()?;
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(held);
        Ok(())
    }

    fn held(&self) -> Arc<Vec<Held>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All public keys worth publishing: from their making until their last
    /// token is dead (RFC 7517).
    pub fn published(&self, now: i64, max_token_life: i64) -> Vec<Jwk> {
        let alive = |held: &&Held| held.record.retire_at.saturating_add(max_token_life) >= now;
        self.held().iter().filter(alive).map(|held| held.record.jwk.clone()).collect()
    }

    /// What tokens are verified and opened with.
    ///
    /// # Errors
    /// [`Fault::Broken`]
    pub fn verifying(&self) -> Result<KeySet, Fault> {
        let mut set = KeySet::default();
        for held in self.held().iter() {
            let key = VerifyingKey::from_jwk(&held.record.jwk).map_err(|_| Fault::Broken("signing_key"))?;
            set.add_verifying(held.record.kid.clone(), held.record.alg, key);
        }
        set.add_sealing(self.opaque.clone());
        Ok(set)
    }

    /// Signs, or seals where an opaque token is wanted. `nonce` seals.
    ///
    /// # Errors
    /// [`Fault::Broken`] when there is no key for the algorithm.
    pub fn sign(&self, token: &Unsigned, now: i64, nonce: [u8; 24]) -> Result<String, Fault> {
        let payload = serde_json::to_vec(&token.claims).map_err(|_| Fault::Broken("claims"))?;
        if token.opaque {
            let sealed = self.opaque.seal(nonce, OPAQUE_PREFIX.as_bytes(), &payload);
            return Ok(format!("{OPAQUE_PREFIX}{}", base64url::encode(&sealed)));
        }
        self.sign_claims(token.typ, token.alg, &payload, now)
    }

    fn sign_claims(&self, typ: &str, alg: Alg, payload: &[u8], now: i64) -> Result<String, Fault> {
        let held = self.held();
        let signs =
            |held: &&Held| held.record.alg == alg && held.record.not_before <= now && now < held.record.retire_at;
        let newest = held.iter().filter(signs).max_by_key(|held| held.record.not_before);
        let newest = newest.ok_or(Fault::Broken("no_signing_key"))?;
        jws::sign_compact(Some(typ), Some(&newest.record.kid), &Map::new(), payload, &newest.key)
            .map_err(|_| Fault::Broken("signing"))
    }

    /// Signs claims that are no token of the token endpoint: the time, challenges.
    ///
    /// # Errors
    /// [`Fault::Broken`]
    pub fn sign_statement(&self, typ: &str, claims: &Value, now: i64) -> Result<String, Fault> {
        self.sign_claims(typ, Alg::ES256, claims.to_string().as_bytes(), now)
    }

    /// Verifies something of ours of this `typ`, whatever its times: an
    /// `id_token_hint` is `JWT`, so no access or asset token passes as one.
    pub fn verify_statement(&self, typ: &str, token: &str) -> Option<Map<String, Value>> {
        let unverified = jws::Unverified::parse(token).ok()?;
        if !unverified.header().has_typ(typ) {
            return None;
        }
        let held = self.held();
        let held = held.iter().find(|held| Some(held.record.kid.as_str()) == unverified.header().kid())?;
        let key = VerifyingKey::from_jwk(&held.record.jwk).ok()?;
        unverified.verify(&key, &[held.record.alg]).ok()?.claims().ok()
    }

    /// Mints a refresh token: family and turn, sealed, so that a forged one is
    /// told from a replayed one without keeping those that are spent.
    pub fn mint_refresh(&self, family: &FamilyId, turn: u64, nonce: [u8; 24]) -> (Secret<String>, Digest) {
        let sealed = self.refresh.seal(nonce, REFRESH_PREFIX.as_bytes(), format!("{family} {turn}").as_bytes());
        let token = format!("{REFRESH_PREFIX}{}", base64url::encode(&sealed));
        let digest = crate::draw::secret_digest(&token);
        (Secret::new(token), digest)
    }

    /// Opens a refresh token of ours: its family and its turn.
    pub fn open_refresh(&self, token: &str) -> Option<(FamilyId, u64)> {
        let sealed = base64url::decode(token.strip_prefix(REFRESH_PREFIX)?).ok()?;
        let opened = self.refresh.open(REFRESH_PREFIX.as_bytes(), &sealed).ok()?;
        let (family, turn) = core::str::from_utf8(&opened).ok()?.split_once(' ')?;
        Some((family.parse().ok()?, turn.parse().ok()?))
    }

    /// Seals the successor of a refresh token under a key derived from the old
    /// token itself, so that only its holder can open it.
    ///
    /// # Errors
    /// [`Fault::Broken`]
    pub fn seal_successor(&self, old: &str, successor: &str, nonce: [u8; 24]) -> Result<String, Fault> {
        let sealed = successor_key(old)?.seal(nonce, b"successor", successor.as_bytes());
        Ok(base64url::encode(&sealed))
    }

    /// Opens it again.
    pub fn open_successor(&self, old: &str, sealed: &str) -> Option<Secret<String>> {
        let sealed = base64url::decode(sealed).ok()?;
        let opened = successor_key(old).ok()?.open(b"successor", &sealed).ok()?;
        Some(Secret::new(core::str::from_utf8(&opened).ok()?.to_owned()))
    }

    /// Seals a reply that is kept for a repeated request: it may hold a secret
    /// that is shown once. `place` binds it to its request.
    pub(crate) fn seal_reply(&self, place: &str, reply: &str, nonce: [u8; 24]) -> String {
        base64url::encode(self.reply.seal(nonce, place.as_bytes(), reply.as_bytes()))
    }

    /// Opens it again.
    pub(crate) fn open_reply(&self, place: &str, sealed: &str) -> Option<Secret<String>> {
        let sealed = base64url::decode(sealed).ok()?;
        let opened = self.reply.open(place.as_bytes(), &sealed).ok()?;
        Some(Secret::new(core::str::from_utf8(&opened).ok()?.to_owned()))
    }

    /// The keyed hash under which a user code is kept: its space is small.
    pub fn user_code_digest(&self, normalised: &str) -> Digest {
        Digest::from_base64url(base64url::encode(digest::hmac_sha256(&*self.user_code, normalised.as_bytes())))
    }
}

fn successor_key(old: &str) -> Result<SealingKey, Fault> {
    SealingKey::new("old", digest::hmac_sha256(b"refresh successor", old.as_bytes()))
        .map_err(|_| Fault::Broken("sealing_key"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring() -> KeyRing {
        KeyRing::new(&MasterKey::new([5; 32])).unwrap()
    }

    fn unsigned(alg: Alg, opaque: bool) -> Unsigned {
        let claims = serde_json::json!({ "iss": "i" }).as_object().unwrap().clone();
        Unsigned { kind: oauth::token::TokenKind::Access, typ: "at+jwt", alg, opaque, claims }
    }

    #[test]
    fn a_new_key_is_published_before_it_signs_and_an_old_one_after_it_signed() {
        let ring = ring();
        let mut old = ring.generate(Alg::ES256, 0, [1; 24]).unwrap();
        old.retire_at = 1000 + PUBLISHED_BEFORE;
        let new = ring.generate(Alg::ES256, 1000 + PUBLISHED_BEFORE, [2; 24]).unwrap();
        let (old_kid, new_kid) = (old.kid.clone(), new.kid.clone());
        ring.load(vec![old, new]).unwrap();
        let kid_at = |now| {
            let token = ring.sign(&unsigned(Alg::ES256, false), now, [3; 24]).unwrap();
            jws::Unverified::parse(&token).unwrap().header().kid().unwrap().to_owned()
        };
        assert_eq!(kid_at(1000 + PUBLISHED_BEFORE - 1), old_kid);
        assert_eq!(kid_at(1000 + PUBLISHED_BEFORE), new_kid);
        let published = |now| ring.published(now, 86_400).len();
        assert_eq!(published(1000), 2);
        assert_eq!(published(1000 + PUBLISHED_BEFORE + 86_400), 2, "its last token may still live");
        assert_eq!(published(1000 + PUBLISHED_BEFORE + 86_401), 1);
    }

    #[test]
    fn a_key_of_another_master_key_is_refused() {
        let record = ring().generate(Alg::ES256, 0, [1; 24]).unwrap();
        let other = KeyRing::new(&MasterKey::new([6; 32])).unwrap();
        assert!(matches!(other.load(vec![record]), Err(Fault::Broken("sealed_key_of_another_master_key"))));
    }

    #[test]
    fn a_refresh_token_opens_to_its_family_and_turn_and_a_forged_one_to_nothing() {
        let ring = ring();
        let family = FamilyId::mint(1, [1; 8]);
        let (token, _) = ring.mint_refresh(&family, 3, [1; 24]);
        assert_eq!(ring.open_refresh(token.expose()), Some((family, 3)));
        assert_eq!(KeyRing::new(&MasterKey::new([6; 32])).unwrap().open_refresh(token.expose()), None);
        assert_eq!(ring.open_refresh("kfr_AAAA"), None);
    }

    #[test]
    fn a_successor_opens_only_with_the_old_token() {
        let ring = ring();
        let sealed = ring.seal_successor("old-token", "new-token", [1; 24]).unwrap();
        assert_eq!(ring.open_successor("old-token", &sealed).unwrap().expose(), "new-token");
        assert!(ring.open_successor("other", &sealed).is_none());
    }
}
