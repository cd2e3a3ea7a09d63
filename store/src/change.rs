//! The sum of all changes: what the rule crates ask for, and what only the
//! keeping itself needs.

/// One write.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A write of the registry.
    Identity(identity::Change),
    /// A write of the authorization server.
    OAuth(oauth::Change),
    /// The reply to a request with an `Idempotency-Key`.
    Idempotent {
        /// Digest over caller, route and key.
        key: String,
        /// What to answer when it comes again.
        reply: IdempotentReply,
    },
}

/// A reply kept for repetition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotentReply {
    /// Digest of the request's body: another body under the same key is refused.
    pub request: String,
    /// Status.
    pub status: u16,
    /// Body, JSON.
    pub body: String,
    /// Headers worth repeating, `ETag` and `Location`.
    pub headers: Vec<(String, String)>,
    /// Forgotten after, seconds.
    pub until: i64,
}

impl From<identity::Change> for Change {
    fn from(change: identity::Change) -> Self {
        Self::Identity(change)
    }
}

impl From<oauth::Change> for Change {
    fn from(change: oauth::Change) -> Self {
        match change {
            oauth::Change::Identity(change) => Self::Identity(change),
            other => Self::OAuth(other),
        }
    }
}

macro_rules! from_write {
    ($($kind:ident: $($record:ty),*;)*) => {
        $($(impl From<identity::Write<$record>> for Change {
            fn from(write: identity::Write<$record>) -> Self {
                Self::$kind(write.into())
            }
        })*)*
    };
}

from_write! {
    Identity: identity::Product, identity::TrustAnchor, identity::Device, identity::Credential, identity::Account,
        identity::User, identity::Passkey, identity::Asset, identity::Bond, identity::BrowserSession,
        identity::DeviceSession, identity::MailToken, identity::Import;
    OAuth: oauth::Client, oauth::Consent, oauth::AuthorizationCode, oauth::TokenFamily, oauth::Pairing,
        oauth::SigningKey, oauth::TenantSecret;
}

impl From<identity::Raise> for Change {
    fn from(raise: identity::Raise) -> Self {
        Self::Identity(raise.into())
    }
}
