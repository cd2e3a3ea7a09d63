//! The error words of pages and REST API (RFC 9457), and the one table of
//! their statuses.

use core::fmt;

/// A no of a door that speaks with people or with the maker's systems.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ProblemCode {
    /// There is no such thing, or it is none of the caller's business.
    NotFound,
    /// The name, serial number, address or key is taken.
    Conflict,
    /// The record has another version than `If-Match` names.
    VersionMismatch,
    /// What was sent breaks a rule; the text says which field and why.
    Invalid(String),
    /// The device's life does not allow this.
    IllegalTransition,
    /// An account always keeps an owner.
    LastOwner,
    /// A person always keeps a way to sign in.
    LastSignIn,
    /// A limit is reached.
    LimitReached,
    /// The caller may not do this.
    Forbidden,
    /// Nobody is signed in, or the session is over.
    SignInRequired,
    /// Signed in, but too long ago for this act.
    FreshSignInRequired,
    /// Address or password is wrong; never which.
    InvalidCredentials,
    /// Told only to who knew the password.
    AddressUnverified,
    /// Told only to who knew the password.
    UserDisabled,
    /// The link is unknown, used or too old.
    LinkDead,
    /// Too many wrong tries.
    RateLimited,
    /// The idempotency key came before with another request.
    KeyReused,
    /// The cursor is of another generation of the store.
    CursorGone,
}

impl ProblemCode {
    /// The word on the wire.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::VersionMismatch => "version_mismatch",
            Self::Invalid(_) => "invalid",
            Self::IllegalTransition => "illegal_transition",
            Self::LastOwner => "last_owner",
            Self::LastSignIn => "last_sign_in",
            Self::LimitReached => "limit_reached",
            Self::Forbidden => "forbidden",
            Self::SignInRequired => "sign_in_required",
            Self::FreshSignInRequired => "fresh_sign_in_required",
            Self::InvalidCredentials => "invalid_credentials",
            Self::AddressUnverified => "address_unverified",
            Self::UserDisabled => "user_disabled",
            Self::LinkDead => "link_dead",
            Self::RateLimited => "rate_limited",
            Self::KeyReused => "idempotency_key_reused",
            Self::CursorGone => "cursor_gone",
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::Invalid(_) => 400,
            Self::SignInRequired | Self::FreshSignInRequired | Self::InvalidCredentials => 401,
            Self::Forbidden | Self::AddressUnverified | Self::UserDisabled => 403,
            Self::NotFound => 404,
            Self::Conflict | Self::IllegalTransition | Self::LastOwner | Self::LastSignIn | Self::LimitReached => 409,
            Self::LinkDead | Self::CursorGone => 410,
            Self::VersionMismatch => 412,
            Self::KeyReused => 422,
            Self::RateLimited => 429,
        }
    }
}

impl fmt::Display for ProblemCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(why) => f.write_str(why),
            other => f.write_str(other.as_str()),
        }
    }
}
