//! The port through which something is signed: a key in memory, in a secure
//! element or in a KMS. Owns: the trait. Does not own: any key.

use alloc::vec::Vec;

use crate::{Alg, Jwk};

/// Signs with one asymmetric key. A symmetric key has no public half to tell,
/// so it is no `Signer` and can never stand in a proof or a key set.
pub trait Signer: Send + Sync {
    /// The algorithm every signature of this signer has.
    fn alg(&self) -> Alg;

    /// The public key that verifies.
    fn jwk(&self) -> &Jwk;

    /// Signs the bytes and returns the signature in JOSE form: for ECDSA r and
    /// s at full length, never DER (RFC 7518 §3.4).
    ///
    /// # Errors
    /// [`SignError::Failed`] when the key cannot be used.
    fn sign(&self, input: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// Why nothing was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The key or the device that holds it refused.
    #[error("the signing key could not be used")]
    Failed,
    /// An extra header member that the signer itself owns (`typ`, `alg`,
    /// `kid`) or that would need an extension (`crit`, `b64`).
    #[error("an extra header member is reserved")]
    ReservedHeader,
    /// The result would be longer than a reader accepts (8 KiB).
    #[error("the token would be too long")]
    TooLong,
    /// The signer's algorithm does not fit the key it shows.
    #[error("the algorithm does not fit the key")]
    AlgMismatch,
}
