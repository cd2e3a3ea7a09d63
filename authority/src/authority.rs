//! The one place a door asks. Owns the index, the keys and the cache of one
//! tenant; is told of raises and keys by whoever follows the feed.

use std::sync::{Arc, PoisonError, RwLock};

use identity::Tenant;
use jose::digest;

use crate::cache::TokenCache;
use crate::challenge::Challenges;
use crate::dpop::DpopDoor;
use crate::index::{AnchorIndex, Raised, SKEW};
use crate::nonce::Nonces;
use crate::token::{KeySet, SoundToken, TokenRefusal, check_times, read, refused};

/// What a start of this process draws and knows.
#[derive(Clone, Copy)]
pub struct Start {
    /// Random bytes that key the nonces of this start.
    pub secret: [u8; 32],
    /// When it started, seconds; `None` for the very first start of a store.
    pub restarted_at: Option<i64>,
    /// How many proofs each door can remember.
    pub proof_room: usize,
    /// How many tokens are kept as seen.
    pub token_room: usize,
}

/// What every door asks.
#[derive(Debug)]
pub struct Authority {
    tenant: Tenant,
    index: RwLock<AnchorIndex>,
    keys: RwLock<Arc<KeySet>>,
    cache: TokenCache,
    token_door: DpopDoor,
    resource_door: DpopDoor,
    challenges: Challenges,
    markers: Nonces,
}

impl Authority {
    /// Ready to answer from one snapshot of the store.
    pub fn new(tenant: Tenant, index: AnchorIndex, keys: KeySet, start: Start) -> Self {
        let door = |name| DpopDoor::new(&start.secret, name, start.restarted_at, start.proof_room);
        Self {
            tenant,
            index: RwLock::new(index),
            keys: RwLock::new(Arc::new(keys)),
            cache: TokenCache::new(start.token_room),
            token_door: door("authorization server"),
            resource_door: door("resource"),
            challenges: Challenges::new(&start.secret, "call home", start.proof_room),
            markers: Nonces::new(&start.secret, "signing in"),
        }
    }

    /// Whose authority it is.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The door of the token endpoint.
    pub fn token_door(&self) -> &DpopDoor {
        &self.token_door
    }

    /// The door of protected resources; its nonces are others.
    pub fn resource_door(&self) -> &DpopDoor {
        &self.resource_door
    }

    /// Challenges for devices whose TLS ends elsewhere.
    pub fn challenges(&self) -> &Challenges {
        &self.challenges
    }

    /// Marks the moment in which a person was sent to sign in.
    pub fn markers(&self) -> &Nonces {
        &self.markers
    }

    /// Enters raises, before anybody is told that they were made.
    pub fn raise(&self, raises: impl IntoIterator<Item = Raised>) {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        raises.into_iter().for_each(|raise| index.raise(raise));
    }

    /// Learns what the head row says, and forgets what is older than the window.
    pub fn learn_head(&self, horizon: i64, store_time: i64) {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        index.learn_horizon(horizon);
        index.prune(store_time, self.tenant.max_token_life + SKEW);
    }

    /// Takes a whole new snapshot in.
    pub fn rebuild(&self, newer: AnchorIndex) {
        self.index.write().unwrap_or_else(PoisonError::into_inner).merge(newer);
    }

    /// Takes a new set of keys.
    pub fn replace_keys(&self, keys: KeySet) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    /// Reads a token of ours and checks that it is sound and alive right now.
    /// Audience and proof are the caller's; [`Authority::authenticate`] does both.
    ///
    /// # Errors
    /// [`TokenRefusal`] with the named cause.
    pub fn verify(&self, token: &str, now: i64) -> Result<Arc<SoundToken>, TokenRefusal> {
        let sound = self.read(token, now)?;
        check_times(sound.claims(), now, self.tenant.max_token_life)?;
        self.check_anchors(&sound, now)?;
        Ok(sound)
    }

    /// Reads a token of ours whatever its times: for renewal and revocation,
    /// which speak of dead tokens too.
    ///
    /// # Errors
    /// [`TokenRefusal`] with the named cause.
    pub fn read(&self, token: &str, now: i64) -> Result<Arc<SoundToken>, TokenRefusal> {
        let digest = digest::sha256(token.as_bytes());
        if let Some(known) = self.cache.find(&digest) {
            return Ok(known);
        }
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner).clone();
        let sound = Arc::new(read(token, &keys, &self.tenant.issuer)?);
        self.cache.remember(digest, sound.clone(), now);
        Ok(sound)
    }

    /// Checks the anchors of something already sound.
    ///
    /// # Errors
    /// [`TokenRefusal`] with the named cause.
    pub fn check_anchors(&self, token: &SoundToken, now: i64) -> Result<(), TokenRefusal> {
        let claims = token.claims();
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.check(&claims.anc, &claims.jti, claims.iat, now).map_err(|dead| refused(dead.reason()))
    }
}
