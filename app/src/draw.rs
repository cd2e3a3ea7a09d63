//! Time, ids and secrets of one request: drawn once, before anything is loaded,
//! so that a retry decides with the same values.

use authority::{Clock, Entropy};
use identity::{Digest, Secret};
use jose::{base64url, digest};

/// What one request draws.
pub struct Draw<'a> {
    now_ms: u64,
    entropy: &'a dyn Entropy,
}

impl<'a> Draw<'a> {
    /// Draws the time.
    pub fn new(clock: &dyn Clock, entropy: &'a dyn Entropy) -> Self {
        Self { now_ms: clock.now_ms(), entropy }
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
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        bytes
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
