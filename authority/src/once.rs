//! Single use in bounded memory: `jti` of DPoP proofs, challenges. One node;
//! several need a table of the store. Full means refuse, never skip.

use std::collections::HashMap;
use std::sync::Mutex;

/// Why a key cannot be used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnceError {
    /// It was used before.
    Used,
    /// There is no room to remember it.
    Full,
}

/// Remembers used keys until they can no longer be shown.
#[derive(Debug)]
pub struct Once {
    seen: Mutex<Seen>,
    room: usize,
}

#[derive(Debug, Default)]
struct Seen {
    until: HashMap<[u8; 32], i64>,
    swept_at: i64,
}

impl Once {
    /// Room for so many keys.
    pub fn new(room: usize) -> Self {
        Self { seen: Mutex::default(), room }
    }

    /// Uses a key (a SHA-256) up until a time in seconds.
    ///
    /// # Errors
    /// [`OnceError`]
    pub fn take(&self, key: [u8; 32], now: i64, until: i64) -> Result<(), OnceError> {
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if seen.until.len() >= self.room || now - seen.swept_at >= 30 {
            seen.until.retain(|_, until| *until >= now);
            seen.swept_at = now;
        }
        if seen.until.get(&key).is_some_and(|until| *until >= now) {
            return Err(OnceError::Used);
        }
        if seen.until.len() >= self.room {
            return Err(OnceError::Full);
        }
        seen.until.insert(key, until);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_used_once_until_its_time_is_over() {
        let once = Once::new(10);
        assert_eq!(once.take([1; 32], 100, 160), Ok(()));
        assert_eq!(once.take([1; 32], 160, 220), Err(OnceError::Used));
        assert_eq!(once.take([2; 32], 160, 220), Ok(()));
        assert_eq!(once.take([1; 32], 161, 221), Ok(()));
    }

    #[test]
    fn full_means_refuse() {
        let once = Once::new(2);
        assert_eq!(once.take([1; 32], 100, 160), Ok(()));
        assert_eq!(once.take([2; 32], 100, 160), Ok(()));
        assert_eq!(once.take([3; 32], 100, 160), Err(OnceError::Full));
        assert_eq!(once.take([3; 32], 161, 220), Ok(()), "dead keys make room");
    }

    #[test]
    fn of_fifty_that_come_at_once_one_wins() {
        let once = Once::new(100);
        let won = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..50).map(|_| scope.spawn(|| once.take([7; 32], 1, 60).is_ok())).collect();
            tries.into_iter().map(|t| t.join().unwrap()).filter(|won| *won).count()
        });
        assert_eq!(won, 1);
    }
}
