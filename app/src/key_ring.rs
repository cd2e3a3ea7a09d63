//! The key ring: signing keys with rotation and overlap, sealing of private
//! keys, opaque tokens and refresh tokens. Private keys leave it only sealed.
//!
//! The master key opens what is at rest and nothing else; what we seal for
//! others to bring back hangs from the secret of the tenant.

use std::sync::{Arc, PoisonError, RwLock};

use authority::{KeySet, OPAQUE_PREFIX};
use identity::{Digest, FamilyId, Secret};
use jose::seal::SealingKey;
use jose::{Alg, Jwk, SigningKey, VerifyingKey, base64url, digest, jws};
use oauth::token::{TokenKind, Unsigned};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::fault::Fault;

/// Algorithms every tenant signs with.
pub(crate) const ALGORITHMS: [Alg; 3] = [Alg::ES256, Alg::RS256, Alg::EdDSA];

const REFRESH_PREFIX: &str = "kfr_";

/// What stands beside a sealed secret of the tenant.
const SECRET_PLACE: &[u8] = b"tenant secret";

/// The 256-bit key everything of ours at rest is sealed under; a file or
/// environment reference, never in the store.
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// Takes the key.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    fn at_rest(&self) -> Result<SealingKey, Fault> {
        sealing(&self.0, "private keys at rest")
    }

    /// A short public name of this key, the same wherever it is: tells an
    /// operator which key opens what, and nothing about the key.
    ///
    /// # Errors
    /// [`Fault::Broken`] when the cryptography refuses the key.
    pub fn name(&self) -> Result<String, Fault> {
        Ok(self.at_rest()?.kid().to_owned())
    }

    /// Whether this key sealed a secret of a tenant.
    pub fn opens(&self, secret: &oauth::TenantSecret) -> bool {
        TenantKey::open(self, secret).is_ok()
    }
}

/// The secret of a tenant, opened.
pub(crate) struct TenantKey(Zeroizing<[u8; 32]>);

impl TenantKey {
    pub(crate) fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The one of a store that was made before there was such a secret: what
    /// hung from its master key then goes on to hold.
    pub(crate) fn of_old(master: &MasterKey) -> Self {
        Self(master.0.clone())
    }

    pub(crate) fn open(master: &MasterKey, secret: &oauth::TenantSecret) -> Result<Self, Fault> {
        let opened = unseal(&master.at_rest()?, SECRET_PLACE, &secret.sealed)?;
        let bytes = <[u8; 32]>::try_from(opened.as_slice()).map_err(|_| Fault::Broken("sealed_key_malformed"))?;
        Ok(Self::new(bytes))
    }

    pub(crate) fn seal(&self, master: &MasterKey, now: i64, nonce: [u8; 24]) -> Result<oauth::TenantSecret, Fault> {
        let sealed = base64url::encode(master.at_rest()?.seal(nonce, SECRET_PLACE, &*self.0));
        Ok(oauth::TenantSecret { id: oauth::TenantSecret::ID.to_owned(), sealed, created_at: now })
    }
}

/// A key of its own for one purpose.
fn derive(secret: &[u8; 32], purpose: &str) -> [u8; 32] {
    digest::hmac_sha256(secret, purpose.as_bytes())
}

fn sealing(secret: &[u8; 32], purpose: &str) -> Result<SealingKey, Fault> {
    let key = derive(secret, purpose);
    let kid = base64url::encode(digest::sha256(&key).get(..6).unwrap_or_default());
    SealingKey::new(&kid, key).map_err(|_| Fault::Broken("sealing_key"))
}

fn unseal(key: &SealingKey, place: &[u8], sealed: &str) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let sealed = base64url::decode(sealed).map_err(|_| Fault::Broken("sealed_key_malformed"))?;
    key.open(place, &sealed).map_err(|_| Fault::Broken(OTHER_MASTER_KEY))
}

/// The cause of a start with the wrong key.
pub const OTHER_MASTER_KEY: &str = "sealed_key_of_another_master_key";

const NO_KEY: Fault = Fault::Broken("no_signing_key");

/// A key with its times. One that was sealed meanwhile under a master key that
/// this node does not have verifies and does not sign.
struct Held {
    record: oauth::SigningKey,
    key: Option<Arc<SigningKey>>,
    /// Of each kind of token, its header.
    heads: [(&'static str, jws::Head); 3],
}

impl Held {
    fn new(record: oauth::SigningKey, key: Option<Arc<SigningKey>>) -> Self {
        let kinds = [TokenKind::Access, TokenKind::Asset, TokenKind::Id];
        let heads = kinds.map(|kind| (kind.typ(), jws::Head::new(Some(kind.typ()), record.alg, Some(&record.kid))));
        Self { record, key, heads }
    }
}

/// The keys of one tenant.
pub struct KeyRing {
    held: RwLock<Arc<Vec<Held>>>,
    at_rest: RwLock<Arc<SealingKey>>,
    opaque: Arc<SealingKey>,
    refresh: SealingKey,
    reply: SealingKey,
    user_code: Zeroizing<[u8; 32]>,
    nodes: Zeroizing<[u8; 32]>,
}

impl KeyRing {
    /// An empty ring under a master key and the secret of a tenant.
    pub(crate) fn new(master: &MasterKey, secret: &TenantKey) -> Result<Self, Fault> {
        Ok(Self {
            held: RwLock::default(),
            at_rest: RwLock::new(Arc::new(master.at_rest()?)),
            opaque: Arc::new(sealing(&secret.0, "opaque access tokens")?),
            refresh: sealing(&secret.0, "refresh tokens")?,
            reply: sealing(&secret.0, "kept replies")?,
            user_code: Zeroizing::new(derive(&secret.0, "user codes")),
            nodes: Zeroizing::new(derive(&secret.0, "what nodes share")),
        })
    }

    fn at_rest(&self) -> Arc<SealingKey> {
        self.at_rest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The public name of the master key.
    pub(crate) fn master_name(&self) -> String {
        self.at_rest().kid().to_owned()
    }

    /// Whether this node's master key is still the one the store is sealed under.
    pub(crate) fn seals(&self, secret: &oauth::TenantSecret) -> bool {
        unseal(&self.at_rest(), SECRET_PLACE, &secret.sealed).is_ok()
    }

    /// What is at rest from now on is sealed under another master key.
    pub(crate) fn replace_master(&self, master: &MasterKey) -> Result<(), Fault> {
        *self.at_rest.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(master.at_rest()?);
        Ok(())
    }

    /// The secret of the tenant, sealed under another master key.
    pub(crate) fn reseal_secret(
        &self,
        secret: &oauth::TenantSecret,
        to: &MasterKey,
        nonce: [u8; 24],
    ) -> Result<oauth::TenantSecret, Fault> {
        let opened = unseal(&self.at_rest(), SECRET_PLACE, &secret.sealed)?;
        let sealed = base64url::encode(to.at_rest()?.seal(nonce, SECRET_PLACE, &opened));
        Ok(oauth::TenantSecret { sealed, ..secret.clone() })
    }

    /// A signing key, sealed under another master key.
    pub(crate) fn reseal_key(
        &self,
        record: &oauth::SigningKey,
        to: &MasterKey,
        nonce: [u8; 24],
    ) -> Result<oauth::SigningKey, Fault> {
        let private = unseal(&self.at_rest(), record.kid.as_bytes(), &record.sealed)?;
        let sealed = base64url::encode(to.at_rest()?.seal(nonce, record.kid.as_bytes(), &private));
        Ok(oauth::SigningKey { sealed, ..record.clone() })
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
        let sealed = base64url::encode(self.at_rest().seal(nonce, kid.as_bytes(), &private));
        let jwk = jwk.clone().with_kid(kid.clone()).with_use("sig").with_alg(alg);
        let jwk = jwk.map_err(|_| Fault::Broken("signing_key"))?;
        Ok(oauth::SigningKey { kid, alg, jwk, sealed, not_before, retire_at: i64::MAX })
    }

    /// Takes the keys of the store; replaces what was held. Those that are open
    /// stay so. How many did not open under this node's master key comes back.
    ///
    /// # Errors
    /// [`Fault::Broken`] when a key is no key.
    pub(crate) fn load(&self, records: Vec<oauth::SigningKey>) -> Result<usize, Fault> {
        let (known, at_rest) = (self.held(), self.at_rest());
        let open = |record: oauth::SigningKey| {
            let held = known.iter().find(|held| held.record.kid == record.kid && held.record.jwk == record.jwk);
            if let Some(key) = held.and_then(|held| held.key.clone()) {
                return Ok(Held::new(record, Some(key)));
            }
            let private = match unseal(&at_rest, record.kid.as_bytes(), &record.sealed) {
                Ok(private) => private,
                Err(Fault::Broken(OTHER_MASTER_KEY)) => return Ok(Held::new(record, None)),
                Err(fault) => return Err(fault),
            };
            let key =
                SigningKey::from_pkcs8(record.alg, &private).map_err(|_| Fault::Broken("sealed_key_malformed"))?;
            let key = key.with_kid(record.kid.clone());
            Ok(Held::new(record, Some(Arc::new(key))))
        };
        let held = records.into_iter().map(open).collect::<Result<Vec<_>, Fault>>()?;
        let closed = held.iter().filter(|held| held.key.is_none()).count();
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(held);
        Ok(closed)
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

    /// What tokens are verified and opened with. A retired key goes on until the
    /// last token it signed can no longer be renewed; younger ones it has none.
    ///
    /// # Errors
    /// [`Fault::Broken`]
    pub fn verifying(&self) -> Result<KeySet, Fault> {
        let mut set = KeySet::default();
        for held in self.held().iter() {
            let key = VerifyingKey::from_jwk(&held.record.jwk).map_err(|_| Fault::Broken("signing_key"))?;
            set.add_verifying(held.record.kid.clone(), held.record.alg, key, held.record.retire_at);
        }
        set.add_sealing(self.opaque.clone());
        Ok(set)
    }

    /// Signs, or seals where an opaque token is wanted; only then `nonce` is drawn.
    ///
    /// # Errors
    /// [`Fault::Broken`] when there is no key for the algorithm.
    pub fn sign(&self, token: &Unsigned, now: i64, nonce: impl FnOnce() -> [u8; 24]) -> Result<String, Fault> {
        if token.opaque {
            let sealed = self.opaque.seal(nonce(), OPAQUE_PREFIX.as_bytes(), &token.claims);
            return Ok(format!("{OPAQUE_PREFIX}{}", base64url::encode(&sealed)));
        }
        self.sign_claims(token.typ, token.alg, &token.claims, now)
    }

    fn sign_claims(&self, typ: &str, alg: Alg, payload: &[u8], now: i64) -> Result<String, Fault> {
        let held = self.held();
        let signs = |held: &&Held| {
            let in_time = held.record.not_before <= now && now < held.record.retire_at;
            in_time && held.key.is_some() && held.record.alg == alg
        };
        let newest = held
            .iter()
            .filter(signs)
            .max_by(|a, b| (a.record.not_before, &a.record.kid).cmp(&(b.record.not_before, &b.record.kid)));
        let (held, key) = newest.and_then(|held| Some((held, held.key.as_deref()?))).ok_or(NO_KEY)?;
        let head = held.heads.iter().find(|(own, _)| *own == typ).map(|(_, head)| head);
        let signed = match head {
            Some(head) => jws::sign_under(head, payload, key),
            None => jws::sign_compact(Some(typ), Some(&held.record.kid), &Map::new(), payload, key),
        };
        signed.map_err(|_| Fault::Broken("signing"))
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

    /// A secret that all nodes of this tenant know, of its own for each purpose.
    pub(crate) fn shared_secret(&self, purpose: &str) -> [u8; 32] {
        derive(&self.nodes, purpose)
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
    use oauth::signing_key::PUBLISHED_BEFORE;

    use super::*;

    fn ring_of(byte: u8) -> KeyRing {
        KeyRing::new(&MasterKey::new([byte; 32]), &TenantKey::new([byte; 32])).unwrap()
    }

    fn ring() -> KeyRing {
        ring_of(5)
    }

    fn unsigned(alg: Alg, opaque: bool) -> Unsigned {
        let claims = br#"{"iss":"i"}"#.to_vec();
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
            let token = ring.sign(&unsigned(Alg::ES256, false), now, || [3; 24]).unwrap();
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
        let other = ring_of(6);
        assert_eq!(other.load(vec![record]).unwrap(), 1);
        assert!(matches!(
            other.sign(&unsigned(Alg::ES256, false), 0, || [1; 24]),
            Err(Fault::Broken("no_signing_key"))
        ));
        assert_eq!(other.published(0, 86_400).len(), 1, "it verifies all the same");
    }

    #[test]
    fn a_key_that_is_open_stays_open_when_it_is_resealed_elsewhere() {
        let ring = ring();
        let record = ring.generate(Alg::ES256, 0, [1; 24]).unwrap();
        ring.load(vec![record.clone()]).unwrap();
        let resealed = ring.reseal_key(&record, &MasterKey::new([6; 32]), [2; 24]).unwrap();
        assert_eq!(ring.load(vec![resealed.clone()]).unwrap(), 0);
        assert!(ring.sign(&unsigned(Alg::ES256, false), 0, || [3; 24]).is_ok());
        assert!(ring.reseal_key(&resealed, &MasterKey::new([7; 32]), [4; 24]).is_err(), "the old key opens nothing");
        assert_eq!(ring_of(6).load(vec![resealed]).unwrap(), 0);
    }

    #[test]
    fn the_secret_of_a_tenant_opens_under_one_master_key_alone() {
        let (first, second) = (MasterKey::new([5; 32]), MasterKey::new([6; 32]));
        let sealed = TenantKey::new([9; 32]).seal(&first, 0, [1; 24]).unwrap();
        assert!(first.opens(&sealed) && !second.opens(&sealed));
        let ring = KeyRing::new(&first, &TenantKey::new([9; 32])).unwrap();
        let resealed = ring.reseal_secret(&sealed, &second, [2; 24]).unwrap();
        assert!(!first.opens(&resealed) && second.opens(&resealed));
        assert_ne!(first.name().unwrap(), second.name().unwrap());
    }

    #[test]
    fn a_refresh_token_opens_to_its_family_and_turn_and_a_forged_one_to_nothing() {
        let ring = ring();
        let family = FamilyId::mint(1, [1; 8]);
        let (token, _) = ring.mint_refresh(&family, 3, [1; 24]);
        assert_eq!(ring.open_refresh(token.expose()), Some((family, 3)));
        assert_eq!(ring_of(6).open_refresh(token.expose()), None);
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
