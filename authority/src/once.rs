//! Single use in bounded memory: `jti` of DPoP proofs, challenges. Several nodes
//! ask what they remember together as well. Full means refuse, never skip.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::port::SharedOnce;

/// Why a key cannot be used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnceError {
    /// It was used before.
    Used,
    /// There is no room to remember it.
    Full,
    /// What the nodes remember together cannot be asked.
    Unreachable,
}

/// Remembers used keys until they can no longer be shown.
pub struct Once {
    seen: Mutex<Seen>,
    room: usize,
    shared: Option<Arc<dyn SharedOnce>>,
}

impl core::fmt::Debug for Once {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Once").field("room", &self.room).field("shared", &self.shared.is_some()).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Seen {
    until: HashMap<[u8; 32], i64>,
    swept_at: i64,
}

impl Once {
    /// Room for so many keys, with what several nodes remember together.
    pub fn new(room: usize, shared: Option<Arc<dyn SharedOnce>>) -> Self {
        Self { seen: Mutex::default(), room, shared }
    }

    /// Uses a key (a SHA-256) up until a time in seconds, here and at every node.
    ///
    /// # Errors
    /// [`OnceError`]
    pub async fn take(&self, key: [u8; 32], now: i64, until: i64) -> Result<(), OnceError> {
        self.take_here(key, now, until)?;
        match &self.shared {
            Some(shared) => shared.take(key, until).await,
            None => Ok(()),
        }
    }

    fn take_here(&self, key: [u8; 32], now: i64, until: i64) -> Result<(), OnceError> {
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
        let once = Once::new(10, None);
        assert_eq!(once.take_here([1; 32], 100, 160), Ok(()));
        assert_eq!(once.take_here([1; 32], 160, 220), Err(OnceError::Used));
        assert_eq!(once.take_here([2; 32], 160, 220), Ok(()));
        assert_eq!(once.take_here([1; 32], 161, 221), Ok(()));
    }

    #[test]
    fn full_means_refuse() {
        let once = Once::new(2, None);
        assert_eq!(once.take_here([1; 32], 100, 160), Ok(()));
        assert_eq!(once.take_here([2; 32], 100, 160), Ok(()));
        assert_eq!(once.take_here([3; 32], 100, 160), Err(OnceError::Full));
        assert_eq!(once.take_here([3; 32], 161, 220), Ok(()), "dead keys make room");
    }

    #[test]
    fn of_fifty_that_come_at_once_one_wins() {
        let once = Once::new(100, None);
        let won = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..50).map(|_| scope.spawn(|| once.take_here([7; 32], 1, 60).is_ok())).collect();
            tries.into_iter().map(|t| t.join().unwrap()).filter(|won| *won).count()
        });
        assert_eq!(won, 1);
    }

    /// What another node has taken.
    struct Others(Mutex<Vec<[u8; 32]>>);

    impl SharedOnce for Others {
        fn take(
            &self,
            key: [u8; 32],
            _until: i64,
        ) -> core::pin::Pin<Box<dyn Future<Output = Result<(), OnceError>> + Send + '_>> {
            let mut taken = self.0.lock().unwrap();
            let answer = if taken.contains(&key) { Err(OnceError::Used) } else { Ok(()) };
            taken.push(key);
            Box::pin(core::future::ready(answer))
        }
    }

    #[test]
    fn what_one_node_took_another_does_not() {
        use futures_util::FutureExt;
        let others: Arc<dyn SharedOnce> = Arc::new(Others(Mutex::default()));
        let (here, there) = (Once::new(10, Some(Arc::clone(&others))), Once::new(10, Some(others)));
        assert_eq!(here.take([1; 32], 100, 160).now_or_never(), Some(Ok(())));
        assert_eq!(there.take([1; 32], 100, 160).now_or_never(), Some(Err(OnceError::Used)));
        assert_eq!(there.take([2; 32], 100, 160).now_or_never(), Some(Ok(())));
    }
}
