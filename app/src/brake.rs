//! Counting tries in bounded memory: a fixed number of slots, so that nobody
//! can push another out by trying many names. Two names in one slot only brake
//! earlier; which share one, the key keeps secret.

use std::sync::{Mutex, PoisonError};

use jose::digest;

/// 16 bytes each: 1 MiB.
const SLOTS: usize = 1 << 16;

/// Counts tries by name within a window that begins with the first.
pub(crate) struct Brake {
    key: [u8; 32],
    window: i64,
    slots: Mutex<Vec<Slot>>,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    since: i64,
    count: u32,
}

impl Brake {
    pub(crate) fn new(key: [u8; 32], window: i64) -> Self {
        Self { key, window, slots: Mutex::new(vec![Slot::default(); SLOTS]) }
    }

    /// Counts a try and says how many were counted before it. Taken before the
    /// work, so that many at once do not all find the brake loose.
    pub(crate) fn take(&self, name: &str, now: i64) -> u32 {
        let window = self.window;
        self.slot(name, |slot| {
            if slot.count == 0 || !(0..window).contains(&now.saturating_sub(slot.since)) {
                *slot = Slot { since: now, count: 0 };
            }
            let before = slot.count;
            slot.count = slot.count.saturating_add(1);
            before
        })
    }

    /// The try was none after all: it was right, or we failed.
    pub(crate) fn give_back(&self, name: &str) {
        self.slot(name, |slot| slot.count = slot.count.saturating_sub(1));
    }

    /// The right one knows: earlier tries are forgotten.
    pub(crate) fn clear(&self, name: &str) {
        self.slot(name, |slot| slot.count = 0);
    }

    fn slot<T: Default>(&self, name: &str, act: impl FnOnce(&mut Slot) -> T) -> T {
        let [first, second, ..] = digest::hmac_sha256(&self.key, name.as_bytes());
        let index = usize::from(u16::from_be_bytes([first, second]));
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.get_mut(index).map(act).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_counted_within_a_window_and_forgotten_after_it() {
        let brake = Brake::new([7; 32], 900);
        assert_eq!((brake.take("adam", 1_000), brake.take("adam", 1_001), brake.take("adam", 1_899)), (0, 1, 2));
        assert_eq!(brake.take("adam", 1_900), 0);
        brake.give_back("adam");
        assert_eq!(brake.take("adam", 1_900), 0);
        brake.clear("adam");
        assert_eq!(brake.take("adam", 1_901), 0);
    }

    #[test]
    fn a_clock_that_steps_back_locks_nobody_out_for_long() {
        let brake = Brake::new([7; 32], 900);
        assert_eq!((brake.take("adam", 10_000), brake.take("adam", 10)), (0, 0));
    }

    #[test]
    fn many_names_push_nobody_out() {
        let brake = Brake::new([7; 32], 900);
        for _ in 0..10 {
            brake.take("adam", 1_000);
        }
        for n in 0..100_000 {
            brake.take(&format!("u{n}"), 1_000);
        }
        assert!(brake.take("adam", 1_000) >= 10);
    }
}
