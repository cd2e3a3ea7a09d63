//! Passwords of people: argon2id behind admission control. Nobody waits in a
//! line longer than the operator allows; beyond it people are told to try later.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use identity::Secret;
use identity::user::PasswordHash;
use tokio::sync::Semaphore;

use crate::fault::Fault;

/// The shortest password we take (NIST SP 800-63B §3.1.1), in characters.
pub const SHORTEST: usize = 10;
/// The longest, in octets: enough for any phrase, and a bound for the work.
pub const LONGEST: usize = 256;

/// 19 MiB, two passes, one lane: some 15 ms.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// Hashes and checks passwords, so many at once.
pub(crate) struct Passwords {
    running: Arc<Semaphore>,
    waiting: AtomicUsize,
    queue: usize,
    /// A hash of nothing anybody knows: checked where there is no user, so that
    /// an unknown address takes as long as a wrong password.
    decoy: PasswordHash,
}

impl Passwords {
    pub(crate) fn new(workers: usize, queue: usize, salt: [u8; 16], nobody: [u8; 32]) -> Result<Self, Fault> {
        let decoy = hash(&nobody, &salt)?;
        Ok(Self { running: Arc::new(Semaphore::new(workers.max(1))), waiting: AtomicUsize::new(0), queue, decoy })
    }

    /// Hashes a new password.
    pub(crate) async fn hash(&self, password: Secret<String>, salt: [u8; 16]) -> Result<PasswordHash, Fault> {
        self.admitted(move || hash(password.expose().as_bytes(), &salt)).await?
    }

    /// Whether the password is the one that was hashed. Without a hash it takes
    /// as long and is wrong.
    pub(crate) async fn verify(&self, known: Option<PasswordHash>, password: Secret<String>) -> Result<bool, Fault> {
        let exists = known.is_some();
        let known = known.unwrap_or_else(|| self.decoy.clone());
        let right = self.admitted(move || verify(&known, password.expose().as_bytes())).await?;
        Ok(right && exists)
    }

    async fn admitted<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
        let place = Waiting::take(&self.waiting, self.queue)?;
        let permit = self.running.clone().acquire_owned().await.map_err(|_| Fault::Broken("passwords_closed"))?;
        drop(place);
        let running = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        });
        running.await.map_err(|_| Fault::Broken("password_work"))
    }
}

/// A place in the line, given back when dropped, also when the request is.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn take(line: &'a AtomicUsize, length: usize) -> Result<Self, Fault> {
        if line.fetch_add(1, Ordering::Relaxed) >= length {
            line.fetch_sub(1, Ordering::Relaxed);
            metrics::counter!("keyfob_password_refused_total").increment(1);
            return Err(Fault::Busy("passwords"));
        }
        Ok(Self(line))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn hasher() -> Result<Argon2<'static>, Fault> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|_| Fault::Broken("argon2_parameters"))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &[u8], salt: &[u8]) -> Result<PasswordHash, Fault> {
    let hash: phc::PasswordHash =
        hasher()?.hash_password_with_salt(password, salt).map_err(|_| Fault::Broken("argon2"))?;
    Ok(PasswordHash(hash.to_string()))
}

fn verify(known: &PasswordHash, password: &[u8]) -> bool {
    let Ok(parsed) = phc::PasswordHash::new(&known.0) else { return false };
    hasher().is_ok_and(|hasher| hasher.verify_password(password, &parsed).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn the_right_password_passes_and_another_does_not() {
        let passwords = Passwords::new(1, 8, [1; 16], [2; 32]).unwrap();
        let hash = passwords.hash(secret("correct horse"), [3; 16]).await.unwrap();
        assert!(hash.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.0);
        assert!(passwords.verify(Some(hash.clone()), secret("correct horse")).await.unwrap());
        assert!(!passwords.verify(Some(hash), secret("wrong horse")).await.unwrap());
        assert!(!passwords.verify(None, secret("correct horse")).await.unwrap());
    }

    #[tokio::test]
    async fn beyond_the_line_people_are_told_to_try_later() {
        let passwords = Passwords::new(1, 0, [1; 16], [2; 32]).unwrap();
        assert!(matches!(passwords.hash(secret("correct horse"), [3; 16]).await, Err(Fault::Busy("passwords"))));
    }
}
