//! An authorization code: one use, 60 seconds (RFC 6749 §4.1.2).

use identity::{AnchorKind, ClientId, Digest, FamilyId, Kind, Record, SessionId, UserId};
use serde::{Deserialize, Serialize};

use crate::scope::Scope;

/// What a code stands for. The record outlives its use, so that a second use is
/// known and ends what the first one made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationCode {
    /// Digest of the code.
    pub id: Digest,
    /// To whom it was given.
    pub client: ClientId,
    /// Where it was sent; compared with the token request exactly.
    pub redirect_uri: String,
    /// Whether the request named the URI: then the token request must, too.
    pub redirect_uri_named: bool,
    /// S256 challenge (RFC 7636 §4.2).
    pub challenge: Option<String>,
    /// RFC 9449 §10.
    pub dpop_jkt: Option<String>,
    /// Who consented.
    pub user: UserId,
    /// In which login.
    pub session: SessionId,
    /// What was granted.
    pub scope: Scope,
    /// Which resources were granted (RFC 8707).
    pub resources: Vec<String>,
    /// For the ID token.
    pub nonce: Option<String>,
    /// When the person proved who they are, seconds.
    pub auth_time: i64,
    /// How.
    pub methods: Vec<String>,
    /// Not to be used after, seconds.
    pub expires_at: i64,
    /// The family that its use began; a second use ends it.
    pub family: FamilyId,
    /// When it was used, seconds.
    pub used_at: Option<i64>,
}

impl Record for AuthorizationCode {
    const KIND: Kind = Kind("authorization_code");
    const ANCHOR: Option<AnchorKind> = None;
    fn id(&self) -> &str {
        self.id.as_str()
    }
}
