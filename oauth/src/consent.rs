//! A user's remembered yes for a client and a scope (OIDC Core §3.1.2.4).

use identity::{AnchorKind, ClientId, Kind, Record, UserId};
use serde::{Deserialize, Serialize};

use crate::scope::Scope;

/// A remembered yes. Its id is never used twice: giving anew after withdrawing
/// is a new record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// `con_…`.
    pub id: String,
    /// Who said yes.
    pub user: UserId,
    /// To whom.
    pub client: ClientId,
    /// To what.
    pub scope: Scope,
    /// For which resources.
    #[serde(default)]
    pub resources: Vec<String>,
    /// When it was last given, seconds.
    pub given_at: i64,
    /// When it was withdrawn, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn_at: Option<i64>,
}

impl Record for Consent {
    const KIND: Kind = Kind("consent");
    const ANCHOR: Option<AnchorKind> = Some(AnchorKind::Consent);
    fn id(&self) -> &str {
        &self.id
    }
}
