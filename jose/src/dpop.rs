//! DPoP proofs (RFC 9449 §4). Owns: reading, verifying and building a proof.
//!
//! Does not own: issuing nonces, single use of (`jkt`, `jti`, `htu`), and
//! whether the proved key is the one a token is bound to; those need memory.

#[cfg(feature = "crypto")]
mod proof;
#[cfg(test)]
#[cfg(feature = "crypto")]
mod tests;
mod uri;

use alloc::string::{String, ToString};

use serde_json::{Map, Value};

#[cfg(feature = "crypto")]
pub use proof::{DpopError, Expected, Freshness, Proof, VerifiedProof};
pub use uri::{HttpUri, UriError};

use crate::{SignError, Signer, jws};

/// The `typ` of a proof, compared exactly (RFC 9449 §4.2).
pub const TYP: &str = "dpop+jwt";

/// The age in seconds, past or future, that a proof's `iat` may have.
pub const WINDOW: i64 = 60;

/// The `ath` of an access token (RFC 9449 §4.2): base64url of SHA-256.
#[cfg(feature = "crypto")]
pub fn ath(access_token: &str) -> String {
    crate::base64url::encode(crate::digest::sha256(access_token.as_bytes()))
}

/// The claims of a proof to be built.
#[derive(Clone, Copy)]
pub struct Claims<'a> {
    /// The method, as it will be sent.
    pub method: &'a str,
    /// The target; query and fragment do not belong to it.
    pub uri: &'a HttpUri,
    /// Unix time in seconds.
    pub iat: i64,
    /// A fresh random value of at least 96 bits, as text.
    pub jti: &'a str,
    /// [`ath`] of the token sent along, if one is.
    pub ath: Option<&'a str>,
    /// The latest nonce of this server, if it gave one.
    pub nonce: Option<&'a str>,
}

/// Builds the value of the `DPoP` field.
///
/// # Errors
/// [`SignError`].
pub fn build(signer: &dyn Signer, claims: &Claims<'_>) -> Result<String, SignError> {
    let mut payload = Map::new();
    payload.insert("jti".into(), claims.jti.into());
    payload.insert("htm".into(), claims.method.into());
    payload.insert("htu".into(), claims.uri.as_str().into());
    payload.insert("iat".into(), claims.iat.into());
    for (name, value) in [("ath", claims.ath), ("nonce", claims.nonce)] {
        if let Some(value) = value {
            payload.insert(name.into(), value.into());
        }
    }
    let header = Map::from_iter([("jwk".to_string(), signer.jwk().to_bare_json())]);
    let payload = Value::Object(payload).to_string();
    jws::sign_compact(Some(TYP), None, &header, payload.as_bytes(), signer)
}
