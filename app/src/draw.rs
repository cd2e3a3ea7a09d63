//! Time, ids and secrets of one request: drawn once, before anything is loaded,
//! so that a retry decides with the same values.

use std::sync::{Mutex, PoisonError};

use authority::{Clock, Entropy};
use identity::{Digest, Secret};
use jose::{base64url, digest};
use zeroize::Zeroizing;

/// So much is asked of the generator at once: asking costs more than what comes.
const AT_ONCE: usize = 96;

/// What one request draws.
pub struct Draw<'a> {
    now_ms: u64,
    entropy: &'a dyn Entropy,
    pool: Mutex<Pool>,
}

/// Chance of this request alone: each byte is handed out once and wiped.
struct Pool {
    bytes: Zeroizing<[u8; AT_ONCE]>,
    used: usize,
}

impl<'a> Draw<'a> {
    /// Draws the time.
    pub fn new(clock: &dyn Clock, entropy: &'a dyn Entropy) -> Self {
        let pool = Pool { bytes: Zeroizing::new([0; AT_ONCE]), used: AT_ONCE };
        Self { now_ms: clock.now_ms(), entropy, pool: Mutex::new(pool) }
    }

    /// The time of this request, seconds.
    pub fn now(&self) -> i64 {
        i64::try_from(self.now_ms / 1000).unwrap_or(i64::MAX)
    }

    /// An id, by its `mint`: `draw.id(DeviceId::mint)`.
    pub fn id<T>(&self, mint: impl FnOnce(u64, [u8; 8]) -> T) -> T {
        mint(self.now_ms, self.bytes())
    }

    /// So many random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut drawn = [0; N];
        if N > AT_ONCE {
            self.entropy.fill(&mut drawn);
            return drawn;
        }
        // Nothing panics while it is held.
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let Pool { bytes, used } = &mut *pool;
        if AT_ONCE - *used < N {
            self.entropy.fill(bytes.as_mut_slice());
            *used = 0;
        }
        let fresh = bytes.iter_mut().skip(*used);
        drawn.iter_mut().zip(fresh).for_each(|(drawn, fresh)| *drawn = core::mem::take(fresh));
        *used += N;
        drawn
    }

    /// 256 random bits as text, with the digest to keep.
    pub fn secret(&self) -> (Secret<String>, Digest) {
        let text = base64url::encode(self.bytes::<32>());
        let digest = secret_digest(&text);
        (Secret::new(text), digest)
    }

    /// A `jti`: 128 random bits.
    pub fn jti(&self) -> String {
        base64url::encode(self.bytes::<16>())
    }
}

/// The digest under which a presented secret or token is kept.
pub(crate) fn secret_digest(secret: &str) -> Digest {
    Digest::from_base64url(base64url::encode(digest::sha256(secret.as_bytes())))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    struct Still;

    impl Clock for Still {
        fn now_ms(&self) -> u64 {
            1_000
        }
    }

    /// Never gives a byte twice, up to 255 of them.
    struct Counting(AtomicU8);

    impl Entropy for Counting {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.iter_mut().for_each(|byte| *byte = self.0.fetch_add(1, Ordering::Relaxed) + 1);
        }
    }

    #[test]
    fn no_byte_is_handed_out_twice_and_none_is_left_undrawn() {
        let chance = Counting(AtomicU8::new(0));
        let draw = Draw::new(&Still, &chance);
        let drawn = [&draw.bytes::<16>()[..], &draw.bytes::<8>(), &draw.bytes::<64>(), &draw.bytes::<24>()].concat();
        assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), drawn.len());
        assert!(!drawn.contains(&0));
    }
}
