//! Challenges to be signed: 128 random bits, a single try, 60 seconds.

use std::sync::Arc;

use jose::digest;

use crate::nonce::Nonces;
use crate::once::{Once, OnceError};
use crate::port::SharedOnce;

/// How long a challenge is good, seconds.
pub const CHALLENGE_LIFE: i64 = 60;

/// Gives challenges and takes each once, whether or not its answer is right.
#[derive(Debug)]
pub struct Challenges {
    nonces: Nonces,
    once: Once,
}

/// Why a challenge does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChallengeRefusal {
    /// Not ours, too old, or tried before: the named cause.
    Invalid(&'static str),
    /// No room to remember it, or nobody to ask: try later.
    Full,
}

impl Challenges {
    /// Keyed by random bytes of this start, or of all nodes, with room for so
    /// many tries.
    pub fn new(secret: &[u8; 32], name: &str, room: usize, shared: Option<Arc<dyn SharedOnce>>) -> Self {
        Self { nonces: Nonces::new(secret, name), once: Once::new(room, shared) }
    }

    /// A challenge for now.
    pub fn give(&self, now: i64, salt: [u8; 16]) -> String {
        self.nonces.give(now, salt)
    }

    /// Takes a challenge: from now on it is used.
    ///
    /// # Errors
    /// [`ChallengeRefusal`]
    pub async fn take(&self, challenge: &str, now: i64) -> Result<(), ChallengeRefusal> {
        let at = self.nonces.given_at(challenge, now).ok_or(ChallengeRefusal::Invalid("challenge_unknown"))?;
        if now - at > CHALLENGE_LIFE {
            return Err(ChallengeRefusal::Invalid("challenge_late"));
        }
        let key = digest::sha256(challenge.as_bytes());
        self.once.take(key, now, at + CHALLENGE_LIFE).await.map_err(|error| match error {
            OnceError::Used => ChallengeRefusal::Invalid("challenge_used"),
            OnceError::Full | OnceError::Unreachable => ChallengeRefusal::Full,
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_challenge_is_tried_once_within_a_minute() {
        let challenges = Challenges::new(&[1; 32], "call home", 10, None);
        let challenge = challenges.give(100, [1; 16]);
        let late = challenges.give(100, [2; 16]);
        assert_eq!(challenges.take(&challenge, 160).now_or_never().unwrap(), Ok(()));
        assert_eq!(
            challenges.take(&challenge, 160).now_or_never().unwrap(),
            Err(ChallengeRefusal::Invalid("challenge_used"))
        );
        assert_eq!(
            challenges.take(&late, 161).now_or_never().unwrap(),
            Err(ChallengeRefusal::Invalid("challenge_late"))
        );
        assert_eq!(
            challenges.take("h-4Qm1vJ7cZt0xY2rKp9LsA", 160).now_or_never().unwrap(),
            Err(ChallengeRefusal::Invalid("challenge_unknown"))
        );
    }
}
