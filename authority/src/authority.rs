//! The one place a door asks. Owns the index, the keys and the cache of one
//! tenant; is told of raises and keys by whoever follows the feed.

use std::sync::{Arc, PoisonError, RwLock};

use identity::Tenant;
use jose::digest;

use crate::cache::TokenCache;
use crate::challenge::Challenges;
use crate::dpop::DpopDoor;
use crate::freshness::{Freshness, RoundBegan};
use crate::index::{AnchorIndex, Raised, SKEW};
use crate::nonce::Nonces;
use crate::port::{Clock, SharedOnce};
use crate::token::{KeySet, STALE, SoundToken, TokenRefusal, check_times, read, refused};

/// Rounds of the feed older than this make a node stale; what it knows goes on
/// for so long, milliseconds (anchors: the feed).
const FRESH: u64 = 5_000;
const MAX_STALE: u64 = 60_000;

/// What one of several nodes is given.
#[derive(Clone)]
pub struct Shared {
    /// What they remember together.
    pub once: Arc<dyn SharedOnce>,
    /// By its uptime the age of what is known of the others is told.
    pub clock: Arc<dyn Clock>,
}

/// What a start of this process draws and knows.
#[derive(Clone)]
pub struct Start {
    /// Random bytes that key the nonces of this start, or of all nodes.
    pub secret: [u8; 32],
    /// When it started, seconds; `None` for the very first start of a store, and
    /// for nodes that remember together.
    pub restarted_at: Option<i64>,
    /// How many proofs each door can remember.
    pub proof_room: usize,
    /// How many tokens are kept as seen.
    pub token_room: usize,
    /// Where several nodes commit, what they have in common.
    pub shared: Option<Shared>,
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
    freshness: Freshness,
}

impl Authority {
    /// Ready to answer from one snapshot of the store.
    pub fn new(tenant: Tenant, index: AnchorIndex, keys: KeySet, start: Start) -> Self {
        let (once, clock) = start.shared.map(|shared| (shared.once, shared.clock)).unzip();
        let door = |name| DpopDoor::new(&start.secret, name, start.restarted_at, start.proof_room, once.clone());
        Self {
            tenant,
            index: RwLock::new(index),
            keys: RwLock::new(Arc::new(keys)),
            cache: TokenCache::new(start.token_room),
            token_door: door("authorization server"),
            resource_door: door("resource"),
            challenges: Challenges::new(&start.secret, "call home", start.proof_room, once.clone()),
            markers: Nonces::new(&start.secret, "signing in"),
            freshness: Freshness::new(clock),
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

    /// A round of the feed begins now.
    pub fn begin_round(&self) -> RoundBegan {
        self.freshness.begin()
    }

    /// A round of the feed that began then is whole: all that others committed
    /// before it has entered the index.
    pub fn learn_round(&self, began: RoundBegan, horizon: i64) {
        self.index.write().unwrap_or_else(PoisonError::into_inner).learn_horizon(horizon);
        self.freshness.heard(began);
    }

    /// Whether this node has heard of the others lately enough to say that
    /// something is alive.
    pub fn is_fresh(&self) -> bool {
        self.age_ms() <= FRESH
    }

    /// The age of what it knows of the others, milliseconds: 0 where it is alone,
    /// `u64::MAX` before the first round. No setting of the clock changes it.
    pub fn age_ms(&self) -> u64 {
        self.freshness.age_ms()
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
        let age = self.age_ms();
        let is_known = || self.cache.knows(&digest::sha256(token.as_bytes()));
        if age > MAX_STALE || (age > FRESH && !is_known()) {
            return Err(refused(STALE));
        }
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
