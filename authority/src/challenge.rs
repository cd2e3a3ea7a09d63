//! Challenges to be signed: 128 random bits, a single try, 60 seconds.

use jose::digest;

use crate::nonce::Nonces;
use crate::once::{Once, OnceError};

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
    /// No room to remember it: try later.
    Full,
}

impl Challenges {
    /// Keyed by random bytes of this start, with room for so many tries.
    pub fn new(secret: &[u8; 32], name: &str, room: usize) -> Self {
        Self { nonces: Nonces::new(secret, name), once: Once::new(room) }
    }

    /// A challenge for now.
    pub fn give(&self, now: i64, salt: [u8; 16]) -> String {
        self.nonces.give(now, salt)
    }

    /// Takes a challenge: from now on it is used.
    ///
    /// # Errors
    /// [`ChallengeRefusal`]
    pub fn take(&self, challenge: &str, now: i64) -> Result<(), ChallengeRefusal> {
        let at = self.nonces.given_at(challenge, now).ok_or(ChallengeRefusal::Invalid("challenge_unknown"))?;
        if now - at > CHALLENGE_LIFE {
            return Err(ChallengeRefusal::Invalid("challenge_late"));
        }
        let key = digest::sha256(challenge.as_bytes());
        self.once.take(key, now, at + CHALLENGE_LIFE).map_err(|error| match error {
            OnceError::Used => ChallengeRefusal::Invalid("challenge_used"),
            OnceError::Full => ChallengeRefusal::Full,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_tried_once_within_a_minute() {
        let challenges = Challenges::new(&[1; 32], "call home", 10);
        let challenge = challenges.give(100, [1; 16]);
        let late = challenges.give(100, [2; 16]);
        assert_eq!(challenges.take(&challenge, 160), Ok(()));
        assert_eq!(challenges.take(&challenge, 160), Err(ChallengeRefusal::Invalid("challenge_used")));
        assert_eq!(challenges.take(&late, 161), Err(ChallengeRefusal::Invalid("challenge_late")));
        assert_eq!(
            challenges.take("h-4Qm1vJ7cZt0xY2rKp9LsA", 160),
            Err(ChallengeRefusal::Invalid("challenge_unknown"))
        );
    }
}
