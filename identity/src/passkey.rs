//! A passkey of a user. What is inside is the authenticator library's; we keep it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::anchor::AnchorKind;
use crate::decision::{Kind, Record};
use crate::id::{PasskeyId, UserId};

/// A passkey.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passkey {
    /// Our id.
    pub id: PasskeyId,
    /// Whose it is.
    pub user: UserId,
    /// What they call it.
    pub name: String,
    /// The credential id, base64url; unique.
    pub credential_id: String,
    /// Public key and counters, as the library serialises them.
    pub credential: Value,
    /// When it was added, seconds.
    pub created_at: i64,
    /// When it last signed in, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<i64>,
}

impl Record for Passkey {
    const KIND: Kind = Kind("passkey");
    const ANCHOR: Option<AnchorKind> = None;
    fn id(&self) -> &str {
        self.id.as_str()
    }
}
