//! Reading and verifying proofs (RFC 9449 §4.3), the server's half.

use alloc::string::String;
use core::fmt;

use serde_json::{Map, Value};

use super::{HttpUri, TYP, ath};
use crate::digest::constant_time_eq;
use crate::jws::{JwsError, Unverified};
use crate::{Alg, Jwk, Thumbprint, VerifyingKey};

/// The longest `jti`, `nonce` or `htm` read: what a caller keeps is bounded.
const MAX_VALUE: usize = 256;

/// Why a proof does not count. All are `invalid_dpop_proof` to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DpopError {
    /// No `DPoP` field, or several.
    #[error("not exactly one proof")]
    NotOne,
    /// The field is no acceptable signed token.
    #[error("the proof is malformed: {0}")]
    Jws(JwsError),
    /// `typ` is not exactly `dpop+jwt`.
    #[error("the type is not dpop+jwt")]
    Typ,
    /// The algorithm is symmetric.
    #[error("the algorithm is not asymmetric")]
    Alg,
    /// The header has no `jwk`.
    #[error("the proof shows no key")]
    NoKey,
    /// A required claim is missing, or one has the wrong type or length.
    #[error("a claim is missing or malformed")]
    Claim,
    /// `htm` is another method.
    #[error("the proof is for another method")]
    Method,
    /// `htu` is another target.
    #[error("the proof is for another target")]
    Target,
    /// `iat` is too far from now.
    #[error("the proof is too old or from the future")]
    Stale,
    /// The nonce is missing or not the one accepted.
    #[error("the nonce is missing or another")]
    Nonce,
    /// `ath` is missing or belongs to another token.
    #[error("the proof is for another token")]
    AccessToken,
}

impl From<JwsError> for DpopError {
    fn from(error: JwsError) -> Self {
        DpopError::Jws(error)
    }
}

/// What makes a proof recent (RFC 9449 §4.3 check 11).
#[derive(Clone, Copy, Debug)]
pub enum Freshness<'a> {
    /// The proof's own `iat`, at most `window` seconds from `now`.
    Iat {
        /// Unix time in seconds.
        now: i64,
        /// Seconds to either side, ordinarily [`WINDOW`](super::WINDOW).
        window: i64,
    },
    /// The time inside a nonce the caller issued and has found valid; the proof
    /// must hold exactly this one. `iat` is then not looked at, so a device
    /// with a wrong clock is still served.
    Nonce(&'a str),
}

/// What a proof must be for.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// The method of the request, as sent; case matters (RFC 9110 §9.1).
    pub method: &'a str,
    /// The external target of the request.
    pub uri: &'a HttpUri,
    /// The token presented with the proof. `None` at a token endpoint, where
    /// an `ath` is ignored.
    pub access_token: Option<&'a str>,
    /// How the proof shows that it is recent.
    pub freshness: Freshness<'a>,
}

/// A proof that was read but not verified.
pub struct Proof {
    token: Unverified,
    jwk: Jwk,
    jti: String,
    htm: String,
    htu: HttpUri,
    iat: i64,
    ath: Option<String>,
    nonce: Option<String>,
}

impl Proof {
    /// Reads the values of all `DPoP` fields of a request: there must be one
    /// field with one token (RFC 9449 §4.3 checks 1-3, 5-7 by form).
    ///
    /// # Errors
    /// [`DpopError`]; a list joined by commas is no token.
    pub fn parse(header_values: &[&str]) -> Result<Proof, DpopError> {
        let [value] = header_values else {
            return Err(DpopError::NotOne);
        };
        if value.contains(',') {
            return Err(DpopError::NotOne);
        }
        let token = Unverified::parse(value)?;
        let header = token.header();
        if header.typ() != Some(TYP) {
            return Err(DpopError::Typ);
        }
        if header.alg().is_symmetric() {
            return Err(DpopError::Alg);
        }
        let jwk = header.jwk().cloned().ok_or(DpopError::NoKey)?;
        let claims = token.peek_claims()?;
        Ok(Proof {
            jwk,
            jti: required(&claims, "jti")?,
            htm: required(&claims, "htm")?,
            htu: claims
                .get("htu")
                .and_then(Value::as_str)
                .and_then(|htu| HttpUri::parse(htu).ok())
                .ok_or(DpopError::Claim)?,
            iat: claims.get("iat").and_then(numeric_date).ok_or(DpopError::Claim)?,
            ath: optional(&claims, "ath")?,
            nonce: optional(&claims, "nonce")?,
            token,
        })
    }

    /// The nonce the proof holds, unverified: for the caller to judge before it
    /// chooses [`Freshness`], or to answer `use_dpop_nonce`.
    pub fn peek_nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }

    /// Verifies the signature by the key the proof shows, then every claim
    /// (RFC 9449 §4.3). What the caller still owes: its nonce policy, single
    /// use of (`jkt`, `jti`, `htu`) and the comparison with `cnf.jkt`.
    ///
    /// # Errors
    /// [`DpopError`] names the first claim that does not hold.
    pub fn verify(&self, expected: Expected<'_>) -> Result<VerifiedProof, DpopError> {
        self.decide(&expected)?;
        // The cheap comparisons came first; none of them leaks anything, and a
        // flood of proofs for elsewhere costs no elliptic curve.
        let key = VerifyingKey::from_jwk(&self.jwk).map_err(|_| JwsError::Jwk)?;
        self.token.verify(&key, &Alg::ASYMMETRIC)?;
        Ok(VerifiedProof {
            thumbprint: self.jwk.thumbprint(),
            jwk: self.jwk.clone(),
            jti: self.jti.clone(),
            nonce: self.nonce.clone(),
            iat: self.iat,
            htm: self.htm.clone(),
            htu: self.htu.clone(),
        })
    }

    fn decide(&self, expected: &Expected<'_>) -> Result<(), DpopError> {
        if self.htm != expected.method {
            return Err(DpopError::Method);
        }
        if self.htu != *expected.uri {
            return Err(DpopError::Target);
        }
        match expected.freshness {
            Freshness::Iat { now, window } => {
                let age = i128::from(now) - i128::from(self.iat);
                if age.abs() > i128::from(window) {
                    return Err(DpopError::Stale);
                }
            }
            Freshness::Nonce(accepted) => {
                let same = |nonce: &String| constant_time_eq(nonce.as_bytes(), accepted.as_bytes());
                if !self.nonce.as_ref().is_some_and(same) {
                    return Err(DpopError::Nonce);
                }
            }
        }
        if let Some(token) = expected.access_token {
            let wanted = ath(token);
            let same = |ath: &String| constant_time_eq(ath.as_bytes(), wanted.as_bytes());
            if !self.ath.as_ref().is_some_and(same) {
                return Err(DpopError::AccessToken);
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proof({} {})", self.htm, self.htu)
    }
}

/// A proof that holds for this request and key. Only [`Proof::verify`] makes one.
#[derive(Clone, Debug)]
pub struct VerifiedProof {
    thumbprint: Thumbprint,
    jwk: Jwk,
    jti: String,
    nonce: Option<String>,
    iat: i64,
    htm: String,
    htu: HttpUri,
}

impl VerifiedProof {
    /// The proved key's thumbprint, to be compared with `cnf.jkt`.
    pub fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }

    /// The proved key.
    pub fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// The proof's own id, at most 256 bytes; unique per key and target.
    pub fn jti(&self) -> &str {
        &self.jti
    }

    /// The nonce, if the proof holds one.
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }

    /// When the proof says it was made, in Unix seconds.
    pub fn iat(&self) -> i64 {
        self.iat
    }

    /// The method.
    pub fn htm(&self) -> &str {
        &self.htm
    }

    /// The target in normal form.
    pub fn htu(&self) -> &HttpUri {
        &self.htu
    }
}

fn required(claims: &Map<String, Value>, name: &str) -> Result<String, DpopError> {
    optional(claims, name)?.ok_or(DpopError::Claim)
}

fn optional(claims: &Map<String, Value>, name: &str) -> Result<Option<String>, DpopError> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() && text.len() <= MAX_VALUE => Ok(Some(text.clone())),
        Some(_) => Err(DpopError::Claim),
    }
}

/// A NumericDate may have a fraction (RFC 7519 §2); whole seconds count here.
fn numeric_date(value: &Value) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    value.as_i64().or_else(|| {
        let seconds = value.as_f64()?;
        // Within this range the cast is exact in its whole part.
        (-EXACT..=EXACT).contains(&seconds).then_some(seconds as i64)
    })
}
