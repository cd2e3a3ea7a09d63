//! JOSE for Keyfob: public keys, signed tokens, encrypted messages,
//! thumbprints, DPoP proofs and sealing, over parsed keys.
//!
//! Owns: strict decoding, header rules, which algorithm fits which key.
//! Does not own: clocks, randomness, HTTP, which issuer is trusted, nonces and
//! single use. Without the feature `crypto` it is `no_std` + alloc.

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod alg;
pub mod base64url;
pub mod digest;
pub mod dpop;
pub mod json;
pub mod jwe;
mod jwk;
pub mod jws;
mod signer;
mod thumbprint;

#[cfg(feature = "crypto")]
mod cnf;
#[cfg(feature = "crypto")]
mod key;
#[cfg(feature = "crypto")]
pub mod seal;

pub use alg::Alg;
pub use jwk::{Curve, Jwk, JwkError, JwkSet};
pub use signer::{SignError, Signer};
pub use thumbprint::{Thumbprint, ThumbprintError};

#[cfg(feature = "crypto")]
pub use cnf::{Confirmation, ConfirmationError};
#[cfg(feature = "crypto")]
pub use key::{HmacKey, KeyError, SigningKey, VerifyError, VerifyingKey};
