//! A signing key of the tenant: its state follows from two times, so that all
//! nodes agree without a message.

use identity::{AnchorKind, Kind, Record};
use jose::{Alg, Jwk};
use serde::{Deserialize, Serialize};

/// A signing key; the private half is sealed with the master key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SigningKey {
    /// Its `kid`, unique for ever.
    pub kid: String,
    /// What it signs with.
    pub alg: Alg,
    /// The public half.
    pub jwk: Jwk,
    /// PKCS#8, sealed, base64url.
    pub sealed: String,
    /// Published before, signs from then on, seconds.
    pub not_before: i64,
    /// Signs until then; verifies until its last token is dead. Seconds.
    pub retire_at: i64,
}

impl Record for SigningKey {
    const KIND: Kind = Kind("signing_key");
    const ANCHOR: Option<AnchorKind> = None;
    fn id(&self) -> &str {
        &self.kid
    }
}
