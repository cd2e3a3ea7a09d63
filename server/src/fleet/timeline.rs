//! Time for many devices: each sleeps as its machine says. In a rehearsal the clock
//! is moved to the next one that is due, and only while nobody is at work, so that
//! what is signed is as fresh as it would be.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use authority::Clock;
use tokio::sync::{Notify, oneshot};

use crate::port::WallClock;

/// Devices due within so many seconds are woken together in a rehearsal.
const TOGETHER: i64 = 10;

/// The clock of all devices, and of the server in a rehearsal.
pub(super) struct Timeline {
    clock: Arc<WallClock>,
    movable: bool,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// How many devices are not asleep.
    awake: usize,
    asleep: BinaryHeap<Reverse<(i64, u64)>>,
    bells: std::collections::HashMap<u64, oneshot::Sender<()>>,
    number: u64,
}

/// A device that is not asleep; its work is over when dropped.
pub(super) struct Awake(Arc<Timeline>);

impl Timeline {
    pub(super) fn new(clock: Arc<WallClock>, movable: bool) -> Arc<Self> {
        Arc::new(Self { clock, movable, state: Mutex::default(), changed: Notify::new() })
    }

    pub(super) fn now(&self) -> i64 {
        self.clock.now()
    }

    /// Begins the work of a device.
    pub(super) fn wake(self: &Arc<Self>) -> Awake {
        self.lock().awake += 1;
        Awake(Arc::clone(self))
    }

    /// Rings the bells, for as long as it is polled.
    pub(super) async fn conduct(&self) {
        loop {
            let Some(wait) = self.ring() else {
                self.changed.notified().await;
                continue;
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    /// Wakes whoever is due; the time until the next one, `None` while nobody sleeps.
    fn ring(&self) -> Option<Duration> {
        let mut state = self.lock();
        loop {
            let Reverse((due, _)) = *state.asleep.peek()?;
            let now = self.clock.now();
            if due > now {
                if !self.movable || state.awake > 0 {
                    return Some(Duration::from_secs(u64::try_from(due - now).unwrap_or(0)));
                }
                self.clock.shift(due + TOGETHER - now);
                continue;
            }
            while let Some(Reverse((due, number))) = state.asleep.peek().copied()
                && due <= now
            {
                state.asleep.pop();
                // Whoever gave up waiting is not awake.
                if state.bells.remove(&number).is_some_and(|bell| bell.send(()).is_ok()) {
                    state.awake += 1;
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Awake {
    /// Sleeps so many seconds of the timeline.
    pub(super) async fn sleep(&self, seconds: u32) {
        if self.lie_down(seconds).await.is_err() {
            self.0.lock().awake += 1;
        }
    }

    fn lie_down(&self, seconds: u32) -> oneshot::Receiver<()> {
        let (bell, ringing) = oneshot::channel();
        let mut state = self.0.lock();
        state.awake = state.awake.saturating_sub(1);
        state.number += 1;
        let number = state.number;
        state.asleep.push(Reverse((self.0.clock.now() + i64::from(seconds), number)));
        state.bells.insert(number, bell);
        drop(state);
        self.0.changed.notify_one();
        ringing
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.awake = state.awake.saturating_sub(1);
        drop(state);
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_day_asleep_passes_at_once_and_in_order() {
        let clock = Arc::new(WallClock::new());
        let timeline = Timeline::new(Arc::clone(&clock), true);
        let begun = timeline.now();
        let order = Arc::new(Mutex::new(Vec::new()));
        let sleeper = |seconds: u32| {
            let (awake, timeline, order) = (timeline.wake(), Arc::clone(&timeline), Arc::clone(&order));
            async move {
                awake.sleep(seconds).await;
                order.lock().unwrap().push((seconds, timeline.now() - begun));
            }
        };
        let all = async { tokio::join!(sleeper(86_400), sleeper(3_600), sleeper(7_200)) };
        tokio::select! {
            _ = all => {}
            () = timeline.conduct() => unreachable!(),
        }
        let order = order.lock().unwrap().clone();
        assert_eq!(order.iter().map(|(seconds, _)| *seconds).collect::<Vec<_>>(), [3_600, 7_200, 86_400]);
        for (seconds, passed) in order {
            assert!((i64::from(seconds)..=i64::from(seconds) + TOGETHER + 1).contains(&passed), "{seconds}: {passed}");
        }
    }

    #[tokio::test]
    async fn the_clock_is_not_moved_while_somebody_is_at_work() {
        let timeline = Timeline::new(Arc::new(WallClock::new()), true);
        let (_at_work, asleep) = (timeline.wake(), timeline.wake());
        let begun = timeline.now();
        tokio::select! {
            () = asleep.sleep(3_600) => panic!("woken"),
            () = timeline.conduct() => unreachable!(),
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
        assert!(timeline.now() - begun <= 1);
    }
}
