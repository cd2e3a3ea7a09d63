//! Following the feed of a store that several nodes share: each node runs the
//! rounds, raises its own index by what others committed, and knows how fresh it
//! is and whether its clock can be trusted (anchors: the feed).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use authority::{OnceError, Raised, SharedOnce};
use identity::{AnchorEpoch, Epochs};
use serde_json::Value;
use store::{Store, StoreError, StoredEvent};

use crate::app::App;
use crate::fault::Fault;
use crate::registry::Wakes;

/// A node whose clock is further from the store's issues nothing, seconds.
const CLOCK_TOLERANCE: i64 = 60;

/// What a node knows of its place among others.
#[derive(Debug)]
pub(crate) struct Node {
    /// The number up to which the feed was read.
    followed: AtomicU64,
    /// Whether its clock is too far from the store's.
    is_off: AtomicBool,
    /// No commit of this node claims a later time, seconds.
    latest: AtomicI64,
}

impl Node {
    pub(crate) fn at(number: u64) -> Self {
        Self { followed: AtomicU64::new(number), is_off: AtomicBool::new(false), latest: AtomicI64::new(i64::MAX) }
    }

    /// The time a commit may claim: a clock that runs ahead must not take the
    /// store's time with it.
    pub(crate) fn bounded(&self, now: i64) -> i64 {
        now.min(self.latest.load(Ordering::Relaxed))
    }
}

impl App {
    /// Whether this store is shared, and rounds must be run.
    pub fn is_one_of_several(&self) -> bool {
        self.store.is_shared()
    }

    /// Whether requests should be sent here: rounds are young and the clock is right.
    pub fn is_well(&self) -> bool {
        self.authority.is_fresh() && !self.clock_is_off()
    }

    /// Whether it is too far from the database's, where the store is shared; from
    /// the store's time and from what really passed otherwise.
    fn clock_is_off(&self) -> bool {
        self.node.is_off.load(Ordering::Relaxed) || self.clock.astray().is_some()
    }

    /// Issuing stops while this node's clock is off, or while it may not know
    /// what others ended.
    pub(crate) fn may_issue(&self) -> Result<(), Fault> {
        self.knows_enough()
    }

    /// A node that is stale, or cannot tell because its clock is off, says so
    /// instead of answering from what it knew.
    pub(crate) fn knows_enough(&self) -> Result<(), Fault> {
        if self.clock_is_off() {
            return Err(Fault::Aside("clock_off"));
        }
        if self.authority.is_fresh() { Ok(()) } else { Err(Fault::Aside("feed_stale")) }
    }

    /// Wakes when a round has something to do sooner than by its beat.
    pub fn rounds_due(&self) -> Wakes {
        Wakes::of(self.store.round_due())
    }

    /// One round: numbers for what has none, raises into the index, keys that
    /// were made elsewhere into the ring.
    ///
    /// # Errors
    /// [`Fault`]; the node stays as fresh as its last whole round.
    pub async fn follow(&self) -> Result<(), Fault> {
        let began = self.authority.begin_round();
        let mut round = self.store.round(self.node.followed.load(Ordering::Relaxed)).await?;
        if let Some(clock) = round.clock {
            let moved = self.clock.moved_by();
            let is_off = (self.clock.unmoved() - clock).abs() > CLOCK_TOLERANCE;
            self.node.is_off.store(is_off, Ordering::Relaxed);
            let latest = if is_off { clock + moved } else { i64::MAX };
            self.node.latest.store(latest, Ordering::Relaxed);
        }
        let mut rotated = false;
        loop {
            for event in &round.raises {
                self.authority.raise(raises_of(event)?);
            }
            rotated |= round.rotated;
            if round.next >= round.head.number {
                break;
            }
            round = self.store.round(round.next).await?;
        }
        if rotated {
            self.reload_keys().await?;
        }
        self.node.followed.store(round.next, Ordering::Relaxed);
        self.clock.learn(round.head.time);
        self.authority.learn_round(began, round.head.horizon);
        Ok(())
    }
}

/// What an event tells was raised; an end is told by its epoch as well.
fn raises_of(event: &StoredEvent) -> Result<Vec<Raised>, Fault> {
    let broken = Fault::Broken("event_data");
    let Ok(data) = serde_json::from_str::<Value>(&event.data) else { return Err(broken) };
    let listed = data.get("raised").cloned().unwrap_or_default();
    let Ok(raised) = serde_json::from_value::<Vec<AnchorEpoch>>(listed) else { return Err(broken) };
    let enter = |raised: AnchorEpoch| Raised {
        epochs: Epochs { epoch: raised.epoch, end_epoch: 0 },
        anchor: raised.anchor,
        numbered_at: Some(event.time),
    };
    Ok(raised.into_iter().map(enter).collect())
}

/// Single use among nodes, by the table of the store.
pub(crate) struct OnceInStore(pub(crate) Arc<dyn Store>);

impl SharedOnce for OnceInStore {
    fn take(&self, key: [u8; 32], until: i64) -> Pin<Box<dyn Future<Output = Result<(), OnceError>> + Send + '_>> {
        let key = format!("brief {}", jose::base64url::encode(key));
        Box::pin(async move {
            match self.0.take_once(key, until).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(OnceError::Used),
                Err(StoreError::Unavailable(_)) => Err(OnceError::Unreachable),
                Err(error) => {
                    tracing::error!(cause = %error, "once_not_taken");
                    Err(OnceError::Unreachable)
                }
            }
        })
    }
}
