//! Time and chance for the whole process: the one place that asks the system for either.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use authority::{Clock, Entropy};

/// The system's clock, which may be moved: the demo and the tests live a year in a second.
#[derive(Debug)]
pub struct WallClock {
    ahead_ms: AtomicI64,
    began: Instant,
}

impl Default for WallClock {
    fn default() -> Self {
        Self::new()
    }
}

impl WallClock {
    /// A clock that says what the system says.
    #[expect(clippy::disallowed_methods, reason = "this is the port through which the system's time comes in")]
    pub fn new() -> Self {
        Self { ahead_ms: AtomicI64::new(0), began: Instant::now() }
    }

    /// Moves the clock by so many seconds from where it stands, back if negative.
    pub fn shift(&self, seconds: i64) {
        self.ahead_ms.fetch_add(seconds.saturating_mul(1000), Ordering::Relaxed);
    }
}

impl Clock for WallClock {
    #[expect(clippy::disallowed_methods, reason = "this is the port through which the system's time comes in")]
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        u64::try_from(now.saturating_add(self.ahead_ms.load(Ordering::Relaxed))).unwrap_or(0)
    }

    /// Since this clock was made; a machine that sleeps does not count on.
    fn uptime_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn moved_by(&self) -> i64 {
        self.ahead_ms.load(Ordering::Relaxed) / 1000
    }

    #[cfg(target_os = "linux")]
    fn passed_ms(&self) -> Option<u64> {
        let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let (seconds, nanos) = (u64::try_from(since_boot.tv_sec).ok()?, u64::try_from(since_boot.tv_nsec).ok()?);
        Some(seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000))
    }
}

/// The generator of the cryptographic library, seeded by the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is the port through which chance comes in")]
    fn fill(&self, buffer: &mut [u8]) {
        if aws_lc_rs::rand::fill(buffer).is_err() {
            // A secret that might be guessable is worse than no server.
            std::process::abort();
        }
    }
}

/// So many random bytes.
pub(crate) fn random<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_clock_is_ahead_by_just_that() {
        let (clock, moved) = (WallClock::new(), WallClock::new());
        moved.shift(3600);
        let ahead = moved.now() - clock.now();
        assert!((3599..=3601).contains(&ahead), "{ahead}");
        moved.shift(-7200);
        assert!(moved.now() < clock.now());
        assert!(moved.uptime_ms() < 1_800_000, "no move is time that passed");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_really_passed_does_not_go_along_with_a_clock_that_is_moved() {
        let clock = WallClock::new();
        let before = clock.passed_ms().unwrap();
        clock.shift(-3600);
        let passed = clock.passed_ms().unwrap() - before;
        assert!(passed < 60_000, "{passed}");
    }

    #[test]
    fn two_draws_differ() {
        assert_ne!(random::<32>(&SystemEntropy), random::<32>(&SystemEntropy));
    }
}
