//! How lately this node has heard of the others, by a clock that nobody sets.
//!
//! Owns the age of what is known. Does not own the rounds that renew it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::port::Clock;

/// The beginning of a round of the feed, by the clock that nobody sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundBegan(u64);

/// Nothing was heard yet.
const NEVER: u64 = u64::MAX;

/// The age of what is known of others; none, where this process alone commits.
pub(crate) struct Freshness(Option<Heard>);

struct Heard {
    clock: Arc<dyn Clock>,
    /// The start of the last whole round, milliseconds of its uptime.
    at: AtomicU64,
}

impl Freshness {
    /// Of one that is alone (`None`), or of one among several with its clock.
    pub(crate) fn new(clock: Option<Arc<dyn Clock>>) -> Self {
        Self(clock.map(|clock| Heard { clock, at: AtomicU64::new(NEVER) }))
    }

    pub(crate) fn begin(&self) -> RoundBegan {
        RoundBegan(self.0.as_ref().map_or(0, |heard| heard.clock.uptime_ms()))
    }

    pub(crate) fn heard(&self, began: RoundBegan) {
        if let Some(heard) = &self.0 {
            heard.at.store(began.0, Ordering::Relaxed);
        }
    }

    /// Milliseconds since the last whole round began: 0 for one that is alone,
    /// `u64::MAX` before the first.
    pub(crate) fn age_ms(&self) -> u64 {
        let Some(heard) = &self.0 else { return 0 };
        match heard.at.load(Ordering::Relaxed) {
            NEVER => NEVER,
            at => heard.clock.uptime_ms().saturating_sub(at),
        }
    }
}

impl core::fmt::Debug for Freshness {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Freshness").field("age_ms", &self.age_ms()).finish()
    }
}
