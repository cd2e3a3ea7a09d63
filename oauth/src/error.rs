//! The error words of the token endpoint and its neighbours, and the one table
//! that says with which status they go out.

use core::fmt;

use serde::Serialize;

/// An OAuth error code; the RFC that defines it stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// RFC 6749 §5.2.
    InvalidRequest,
    /// RFC 6749 §5.2; 401.
    InvalidClient,
    /// RFC 6749 §5.2.
    InvalidGrant,
    /// RFC 6749 §5.2.
    UnauthorizedClient,
    /// RFC 6749 §5.2.
    UnsupportedGrantType,
    /// RFC 6749 §5.2.
    InvalidScope,
    /// RFC 8693 §2.2.2, RFC 8707 §2.
    InvalidTarget,
    /// RFC 9449 §5.
    InvalidDpopProof,
    /// RFC 9449 §8.
    UseDpopNonce,
    /// RFC 8628 §3.5.
    AuthorizationPending,
    /// RFC 8628 §3.5.
    SlowDown,
    /// RFC 6749 §4.1.2.1, RFC 8628 §3.5.
    AccessDenied,
    /// RFC 8628 §3.5.
    ExpiredToken,
    /// RFC 9396 §5.
    InvalidAuthorizationDetails,
    /// RFC 7009 §2.2.1.
    UnsupportedTokenType,
    /// RFC 6750 §3.1; 401.
    InvalidToken,
    /// RFC 6750 §3.1; 403.
    InsufficientScope,
    /// RFC 6749 §4.1.2.1.
    UnsupportedResponseType,
    /// OpenID Connect Core §3.1.2.6.
    LoginRequired,
    /// OpenID Connect Core §3.1.2.6.
    ConsentRequired,
    /// OpenID Connect Core §3.1.2.6.
    InteractionRequired,
    /// OpenID Connect Core §3.1.2.6.
    AccountSelectionRequired,
    /// OpenID Connect Core Unmet Authentication Requirements 1.0.
    UnmetAuthenticationRequirements,
    /// OpenID Connect Core §3.1.2.6.
    RequestNotSupported,
    /// OpenID Connect Core §3.1.2.6.
    RequestUriNotSupported,
    /// RFC 6749 §4.1.2.1; 500.
    ServerError,
    /// RFC 6749 §4.1.2.1; 503.
    TemporarilyUnavailable,
}

/// A no of an OAuth rule.
pub type OAuthRefusal = identity::Refusal<ErrorCode>;

impl ErrorCode {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::UseDpopNonce => "use_dpop_nonce",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::AccessDenied => "access_denied",
            Self::ExpiredToken => "expired_token",
            Self::InvalidAuthorizationDetails => "invalid_authorization_details",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::InteractionRequired => "interaction_required",
            Self::AccountSelectionRequired => "account_selection_required",
            Self::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }

    /// What a person reads in `error_description`: never whether a user, a
    /// device or a token exists; characters of RFC 6749 §5.2 only.
    pub fn description(self) -> &'static str {
        match self {
            Self::InvalidRequest => "The request is malformed or one of its tokens is not acceptable.",
            Self::InvalidClient => "Client authentication failed.",
            Self::InvalidGrant => "The grant is invalid, expired, revoked or bound to another client or key.",
            Self::UnauthorizedClient => "This client may not do this.",
            Self::UnsupportedGrantType => "The grant type is not supported.",
            Self::InvalidScope => "The scope is unknown or exceeds what may be granted.",
            Self::InvalidTarget => "The resource or audience is not allowed.",
            Self::InvalidDpopProof => "The DPoP proof is missing or not valid.",
            Self::UseDpopNonce => "Repeat the request with the nonce of the DPoP-Nonce header.",
            Self::AuthorizationPending => "The owner has not decided yet.",
            Self::SlowDown => "Poll more slowly: add five seconds to the interval.",
            Self::AccessDenied => "The request was denied.",
            Self::ExpiredToken => "The device code has expired.",
            Self::InvalidAuthorizationDetails => "The authorization details are not acceptable.",
            Self::UnsupportedTokenType => "This token type cannot be revoked.",
            Self::InvalidToken => "The access token is missing, invalid, expired or revoked.",
            Self::InsufficientScope => "The access token does not carry the scope this needs.",
            Self::UnsupportedResponseType => "Only the response type code is supported.",
            Self::LoginRequired => "The person must sign in.",
            Self::ConsentRequired => "The person must consent.",
            Self::InteractionRequired => "The person must act.",
            Self::AccountSelectionRequired => "The person must choose an account.",
            Self::UnmetAuthenticationRequirements => "The requested authentication was not reached.",
            Self::RequestNotSupported => "Request objects are not supported.",
            Self::RequestUriNotSupported => "Request objects by reference are not supported.",
            Self::ServerError => "Something failed here. Try again.",
            Self::TemporarilyUnavailable => "Try again later.",
        }
    }

    /// The status at the token endpoint and its neighbours (RFC 6749 §5.2).
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidClient | Self::InvalidToken => 401,
            Self::InsufficientScope => 403,
            Self::ServerError => 500,
            Self::TemporarilyUnavailable => 503,
            _ => 400,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
