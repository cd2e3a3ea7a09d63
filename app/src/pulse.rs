//! This node's clock beside the store's time, and beside itself.
//!
//! Owns: that what is over by the store's time stays over, that a node whose clock
//! is behind it issues nothing, and that a step of the clock is noticed.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use authority::{AnchorIndex, Clock, SKEW};
use tokio::time::Instant;

use crate::app::App;
use crate::commit::index_raise;
use crate::fault::Fault;

/// How far clocks may differ, seconds (anchors: how doors know).
const TOLERANCE: i64 = 60;
/// A change of the clock by more is a step, seconds.
const STEP: i64 = 5;

/// The cause of a refusal to issue.
pub(crate) const CLOCK_BEHIND: &str = "clock_behind_the_store";

/// A clock that never says less than the store's time, whatever this machine's
/// clock is set to: no token gets a longer life by it.
pub(crate) struct Steady {
    machine: Arc<dyn Clock>,
    /// The greatest time of the store this node has heard of, seconds.
    store: AtomicI64,
}

impl Steady {
    pub(crate) fn new(machine: Arc<dyn Clock>) -> Self {
        Self { machine, store: AtomicI64::new(0) }
    }

    /// Hears of the store's time, which never goes back.
    pub(crate) fn learn(&self, store_time: i64) {
        self.store.fetch_max(store_time, Ordering::AcqRel);
    }

    pub(crate) fn now(&self) -> i64 {
        Clock::now(self)
    }

    /// By how many seconds this clock is ahead of the store's time as it is known.
    fn ahead(&self) -> i64 {
        self.now() - self.store.load(Ordering::Acquire)
    }

    /// What the machine's clock says, where it was not moved on purpose, seconds.
    pub(crate) fn unmoved(&self) -> i64 {
        self.machine.now() - self.machine.moved_by()
    }

    /// By how many seconds it was moved on purpose.
    pub(crate) fn moved_by(&self) -> i64 {
        self.machine.moved_by()
    }

    /// By how many seconds the machine's clock is behind the store's time.
    fn behind(&self) -> i64 {
        self.store.load(Ordering::Acquire) - self.machine.now()
    }
}

impl Clock for Steady {
    fn now_ms(&self) -> u64 {
        let store = u64::try_from(self.store.load(Ordering::Acquire)).unwrap_or(0);
        self.machine.now_ms().max(store.saturating_mul(1000))
    }

    fn uptime_ms(&self) -> u64 {
        self.machine.uptime_ms()
    }
}

/// Where the clock stood at the last beat.
#[derive(Debug, Default)]
pub(crate) struct Pulse(Mutex<Option<(i64, Instant)>>);

impl Pulse {
    /// By how many seconds the clock moved otherwise than time passed since the
    /// last beat.
    fn step(&self, now: i64, at: Instant) -> i64 {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = last.replace((now, at));
        before.map_or(0, |(then, began)| {
            let passed = at.checked_duration_since(began).unwrap_or(Duration::ZERO);
            (now - then) - i64::try_from(passed.as_secs()).unwrap_or(i64::MAX)
        })
    }
}

impl App {
    /// Refuses to issue where this node's clock is behind the store's time: other
    /// doors would go by another time than it does.
    ///
    /// # Errors
    /// [`Fault::Busy`]
    pub(crate) fn in_time(&self) -> Result<(), Fault> {
        if self.clock.behind() > TOLERANCE { Err(Fault::Busy(CLOCK_BEHIND)) } else { Ok(()) }
    }

    /// Before anything is issued by a clock that has leapt ahead, the store hears
    /// of it: a raise that comes later must not be the older, or forgetting it would
    /// bring back what was made before it (anchors: the horizon). Otherwise the beat
    /// of every minute keeps the two together.
    ///
    /// # Errors
    /// [`Fault::Store`]
    pub(crate) async fn tell_time(&self) -> Result<(), Fault> {
        if self.clock.ahead() > SKEW && !self.store.is_shared() {
            let head = self.store.prune(self.clock.now()).await?;
            self.clock.learn(head.time);
        }
        Ok(())
    }

    /// What a beat sees of the clock: says when it is behind, and after a step reads
    /// all raises anew.
    ///
    /// # Errors
    /// [`Fault`]
    pub(crate) async fn watch_clock(&self) -> Result<(), Fault> {
        let behind = self.clock.behind();
        if behind > TOLERANCE {
            tracing::error!(
                behind,
                "this node's clock is behind the store's time by so many seconds: it issues nothing until it is right"
            );
        }
        let step = self.pulse.step(self.clock.machine.now(), Instant::now());
        if step.abs() > STEP {
            tracing::warn!(seconds = step, "this node's clock was set otherwise; all raises are read anew");
            let (head, raises) = self.store.load_raises().await?;
            let index = AnchorIndex::new(head.generation, head.horizon, raises.into_iter().map(index_raise));
            self.authority.rebuild(index);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_passes_is_no_step_and_a_clock_that_is_set_is_one_both_ways() {
        let (pulse, began) = (Pulse::default(), Instant::now());
        let at = |seconds| began + Duration::from_secs(seconds);
        assert_eq!(pulse.step(1_000, at(0)), 0);
        assert_eq!(pulse.step(1_060, at(60)), 0);
        assert_eq!(pulse.step(4_720, at(120)), 3_600);
        assert_eq!(pulse.step(1_180, at(180)), -3_600);
    }
}
