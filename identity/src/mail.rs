//! Secrets sent by mail: kept as digests, used once, for one purpose.

use serde::{Deserialize, Serialize};

use crate::anchor::AnchorKind;
use crate::decision::{Kind, Record};
use crate::id::UserId;
use crate::secret::Digest;

/// What the secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailPurpose {
    /// Verifies the address of a new user.
    VerifyAddress,
    /// Lets a user set a new password.
    RecoverPassword,
    /// Lets the first administrator sign up; sent to nobody, shown at first start.
    FirstAdministrator,
}

/// A secret in a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailToken {
    /// Digest of the secret in the link.
    pub id: Digest,
    /// What it is for.
    pub purpose: MailPurpose,
    /// For whom; nobody yet for the first administrator.
    pub user: Option<UserId>,
    /// Until when, seconds.
    pub expires_at: i64,
    /// When it was used, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<i64>,
}

impl Record for MailToken {
    const KIND: Kind = Kind("mail_token");
    const ANCHOR: Option<AnchorKind> = None;
    fn id(&self) -> &str {
        self.id.as_str()
    }
}
