//! This node's clock beside the store's time, and beside itself.
//!
//! Owns: that what is over by the store's time stays over, that a leap ahead is not
//! believed at once, that a node whose clock is off issues nothing, and that a step
//! of the clock is noticed (ADR 19).

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
/// A leap ahead that has stood for so long is believed, seconds: whoever set the
/// clock wrong has noticed by then, and a machine that was held still goes on.
const BELIEF: i64 = 600;
/// Nothing yet, where a moment is kept in a number.
const NONE: i64 = i64::MIN;

/// The cause of a refusal to issue.
pub(crate) const CLOCK_BEHIND: &str = "clock_behind_the_store";

/// What a clock said while it was believed, and how much time had passed by then:
/// kept over a restart, it tells a clock that was set from a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockMark {
    /// Milliseconds since 1970, of a clock that is not moved on purpose.
    pub clock_ms: i64,
    /// [`Clock::passed_ms`] of the same moment.
    pub passed_ms: i64,
}

/// A clock that never says less than the store's time, whatever this machine's
/// clock is set to: no token gets a longer life by it. Nor does it leap ahead: it
/// goes on by what really passed until the leap has stood for a while.
pub(crate) struct Steady {
    machine: Arc<dyn Clock>,
    /// The greatest time of the store this node has heard of, seconds.
    store: AtomicI64,
    /// What the machine's clock says beyond what passed, milliseconds; [`NONE`]
    /// while it was not believed yet, and where another judges it.
    course: AtomicI64,
    /// What had passed when a leap ahead was first seen, milliseconds, or [`NONE`].
    leapt: AtomicI64,
}

/// How far the machine's clock is from where it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Astray {
    /// Behind the store's time, by so many seconds.
    Behind(i64),
    /// It leapt ahead by so many seconds, and that is not believed yet.
    Ahead(i64),
}

impl Steady {
    pub(crate) fn new(machine: Arc<dyn Clock>) -> Self {
        Self { machine, store: AtomicI64::new(0), course: AtomicI64::new(NONE), leapt: AtomicI64::new(NONE) }
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

    /// Begins to tell leaps from the passing of time: from a mark of this boot of
    /// the machine, otherwise from now.
    pub(crate) fn set_course(&self, mark: Option<ClockMark>) {
        let passed = self.machine.passed_ms().and_then(|passed| i64::try_from(passed).ok());
        // Less has passed than then: the machine was started anew.
        match mark.filter(|mark| passed.is_some_and(|passed| mark.passed_ms <= passed)) {
            Some(mark) => self.course.store(mark.clock_ms - mark.passed_ms, Ordering::Release),
            None => drop(self.keep_course()),
        }
    }

    /// Follows the clock while it may be believed, as it is corrected bit by bit.
    pub(crate) fn keep_course(&self) -> Option<ClockMark> {
        let Reading { clock_ms, passed_ms, .. } = self.read();
        let passed_ms = passed_ms.filter(|_| self.astray().is_none())?;
        let clock_ms = clock_ms - self.machine.moved_by() * 1000;
        self.course.store(clock_ms - passed_ms, Ordering::Release);
        Some(ClockMark { clock_ms, passed_ms })
    }

    /// Whether, and how, the machine's clock cannot be right.
    pub(crate) fn astray(&self) -> Option<Astray> {
        let Reading { clock_ms, believed_ms, .. } = self.read();
        let behind = self.behind();
        if behind > TOLERANCE {
            return Some(Astray::Behind(behind));
        }
        (believed_ms < clock_ms).then(|| Astray::Ahead((clock_ms - believed_ms) / 1000))
    }

    fn read(&self) -> Reading {
        let clock_ms = i64::try_from(self.machine.now_ms()).unwrap_or(i64::MAX);
        let passed_ms = self.machine.passed_ms().and_then(|passed| i64::try_from(passed).ok());
        let all_right = Reading { clock_ms, believed_ms: clock_ms, passed_ms };
        let (Some(passed), course) = (passed_ms, self.course.load(Ordering::Acquire)) else { return all_right };
        if course == NONE {
            return all_right;
        }
        let moved = self.machine.moved_by() * 1000;
        let expected = course.saturating_add(passed).saturating_add(moved);
        if clock_ms.saturating_sub(expected) <= TOLERANCE * 1000 {
            if self.leapt.load(Ordering::Relaxed) != NONE {
                self.leapt.store(NONE, Ordering::Relaxed);
            }
            return all_right;
        }
        let seen = self.leapt.compare_exchange(NONE, passed, Ordering::Relaxed, Ordering::Relaxed);
        let since = seen.unwrap_or_else(|since| since);
        if since != NONE && passed.saturating_sub(since) >= BELIEF * 1000 {
            self.course.store(clock_ms - moved - passed, Ordering::Release);
            self.leapt.store(NONE, Ordering::Relaxed);
            return all_right;
        }
        Reading { clock_ms, believed_ms: expected, passed_ms }
    }
}

/// One look at the machine's clock.
struct Reading {
    clock_ms: i64,
    /// The same, or where it leapt ahead what it said before and what passed since.
    believed_ms: i64,
    passed_ms: Option<i64>,
}

impl Clock for Steady {
    fn now_ms(&self) -> u64 {
        let store = self.store.load(Ordering::Acquire).saturating_mul(1000);
        u64::try_from(self.read().believed_ms.max(store)).unwrap_or(0)
    }

    fn moved_by(&self) -> i64 {
        self.machine.moved_by()
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

    /// The time this node goes by, for whatever else needs one.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as _
    }

    /// What the clock said just now, where it may be believed: for the next start
    /// of this process ([`crate::Settings::clock_mark`]).
    pub fn clock_mark(&self) -> Option<ClockMark> {
        // Where the store is shared, its own clock is the judge of ours.
        if self.store.is_shared() { None } else { self.clock.keep_course() }
    }

    /// Why this node's clock cannot be right, in words for the log.
    pub fn clock_complaint(&self) -> Option<String> {
        match self.clock.astray()? {
            Astray::Behind(by) => Some(format!("it is {by} s behind what the store has seen")),
            Astray::Ahead(by) => Some(format!("it leapt ahead by {by} s")),
        }
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

    /// What a beat sees of the clock: after a step it reads all raises anew.
    ///
    /// # Errors
    /// [`Fault`]
    pub(crate) async fn watch_clock(&self) -> Result<(), Fault> {
        if !self.store.is_shared() {
            self.clock.keep_course();
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

    /// A machine: what its clock says, and what really passed.
    struct Machine {
        clock_ms: AtomicI64,
        passed_ms: AtomicI64,
    }

    const MORNING: i64 = 1_750_000_000;

    impl Machine {
        fn started() -> Arc<Self> {
            Arc::new(Self { clock_ms: AtomicI64::new(MORNING * 1000), passed_ms: AtomicI64::new(5_000) })
        }

        fn pass(&self, seconds: i64) {
            self.clock_ms.fetch_add(seconds * 1000, Ordering::SeqCst);
            self.passed_ms.fetch_add(seconds * 1000, Ordering::SeqCst);
        }

        fn set(&self, by: i64) {
            self.clock_ms.fetch_add(by * 1000, Ordering::SeqCst);
        }
    }

    impl Clock for Machine {
        fn now_ms(&self) -> u64 {
            u64::try_from(self.clock_ms.load(Ordering::SeqCst)).unwrap()
        }

        fn passed_ms(&self) -> Option<u64> {
            u64::try_from(self.passed_ms.load(Ordering::SeqCst)).ok()
        }
    }

    fn steady(machine: &Arc<Machine>, store_time: i64, mark: Option<ClockMark>) -> Steady {
        let steady = Steady::new(Arc::clone(machine) as _);
        steady.learn(store_time);
        steady.set_course(mark);
        steady
    }

    #[test]
    fn a_leap_ahead_is_not_gone_along_with_and_its_taking_back_ends_it() {
        let machine = Machine::started();
        let steady = steady(&machine, MORNING, None);
        machine.pass(100);
        machine.set(86_400);
        assert_eq!((steady.now(), steady.astray()), (MORNING + 100, Some(Astray::Ahead(86_400))));
        machine.pass(BELIEF - 1);
        assert_eq!(steady.now(), MORNING + 100 + BELIEF - 1, "time goes on by what passes");
        assert_eq!(steady.keep_course(), None, "a beat does not take it for true");
        machine.set(-86_400);
        assert_eq!((steady.now(), steady.astray()), (MORNING + 100 + BELIEF - 1, None));
        machine.set(86_400);
        machine.pass(BELIEF - 1);
        assert!(steady.astray().is_some(), "another leap is another");
    }

    #[test]
    fn a_leap_ahead_that_stands_is_believed_in_the_end() {
        let machine = Machine::started();
        let steady = steady(&machine, MORNING, None);
        machine.set(7_200);
        assert!(steady.astray().is_some());
        machine.pass(BELIEF);
        assert_eq!((steady.astray(), steady.now()), (None, MORNING + 7_200 + BELIEF));
        machine.pass(1);
        assert!(steady.astray().is_none() && steady.keep_course().is_some());
    }

    #[test]
    fn a_clock_that_is_corrected_bit_by_bit_is_followed() {
        let machine = Machine::started();
        let steady = steady(&machine, MORNING, None);
        for _ in 0..20 {
            machine.pass(60);
            machine.set(TOLERANCE - 1);
            assert!(steady.keep_course().is_some());
        }
        assert_eq!(steady.now(), MORNING + 20 * (60 + TOLERANCE - 1));
    }

    #[test]
    fn a_clock_behind_the_store_is_off_until_it_is_right_and_being_right_is_no_leap() {
        let machine = Machine::started();
        let steady = steady(&machine, MORNING, None);
        machine.set(-86_400);
        assert_eq!((steady.now(), steady.astray()), (MORNING, Some(Astray::Behind(86_400))));
        machine.pass(120);
        assert_eq!(steady.keep_course(), None);
        machine.set(86_400);
        assert_eq!((steady.now(), steady.astray()), (MORNING + 120, None));
    }

    #[test]
    fn a_machine_that_starts_with_a_clock_long_past_is_believed_once_it_is_set_right() {
        let machine = Machine::started();
        machine.set(-MORNING);
        let steady = steady(&machine, MORNING, None);
        assert!(matches!(steady.astray(), Some(Astray::Behind(_))));
        machine.set(MORNING + 3_600);
        assert_eq!((steady.astray(), steady.now()), (None, MORNING + 3_600));
    }

    #[test]
    fn a_restart_tells_a_clock_that_leapt_from_a_pause_and_a_boot_begins_anew() {
        let machine = Machine::started();
        let mark = steady(&machine, MORNING, None).keep_course();
        machine.pass(7_200);
        assert_eq!(steady(&machine, MORNING, mark).astray(), None, "it was merely down");
        machine.set(7_200);
        let again = steady(&machine, MORNING, mark);
        assert_eq!((again.astray(), again.now()), (Some(Astray::Ahead(7_200)), MORNING + 7_200));
        machine.passed_ms.store(1_000, Ordering::SeqCst);
        let booted = steady(&machine, MORNING, mark);
        assert_eq!((booted.astray(), booted.now()), (None, MORNING + 14_400));
    }

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
