//! The error words of the device API, and the one table of their statuses.

use core::fmt;

/// A no of a door that speaks with devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeviceErrorCode {
    /// Malformed.
    InvalidRequest,
    /// The challenge is unknown, used or late.
    InvalidChallenge,
    /// Neither certificate nor proof nor token.
    CredentialRequired,
    /// The token is missing or dead (RFC 6750 §3.1).
    InvalidToken,
    /// RFC 9449 §7.1.
    InvalidDpopProof,
    /// Chain, signature, key, serial number, revoked or unknown: one word for all.
    InvalidCredential,
    /// Waits for staff.
    ApprovalPending,
    /// The operational certificate has expired: renew, nothing else.
    RenewalRequired,
    /// Stopped by staff or an anomaly.
    DeviceSuspended,
    /// Final.
    DeviceRetired,
    /// A credential at an operation not made for it.
    WrongCredential,
    /// Another new key is staged, or an old one still counts.
    RotationInProgress,
    /// The body is over its limit.
    TooLarge,
    /// Not JSON.
    UnsupportedMediaType,
    /// Too often.
    RateLimited,
    /// Not now.
    TemporarilyUnavailable,
}

impl DeviceErrorCode {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidChallenge => "invalid_challenge",
            Self::CredentialRequired => "credential_required",
            Self::InvalidToken => "invalid_token",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::InvalidCredential => "invalid_credential",
            Self::ApprovalPending => "approval_pending",
            Self::RenewalRequired => "renewal_required",
            Self::DeviceSuspended => "device_suspended",
            Self::DeviceRetired => "device_retired",
            Self::WrongCredential => "wrong_credential",
            Self::RotationInProgress => "rotation_in_progress",
            Self::TooLarge => "too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::RateLimited => "rate_limited",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }

    /// What the device's log will show: never whether a device exists.
    pub fn description(self) -> &'static str {
        match self {
            Self::InvalidRequest => "The request is malformed.",
            Self::InvalidChallenge => "Ask for a new challenge.",
            Self::CredentialRequired => "Show a certificate, a proof or a token.",
            Self::InvalidToken => "The token is missing, invalid, expired or revoked.",
            Self::InvalidDpopProof => "The DPoP proof is missing or not valid.",
            Self::InvalidCredential => "The credential is not accepted.",
            Self::ApprovalPending => "The device waits for approval. Try again later.",
            Self::RenewalRequired => "The certificate has expired. Renew it.",
            Self::DeviceSuspended => "The device is suspended.",
            Self::DeviceRetired => "The device is retired.",
            Self::WrongCredential => "This credential is not made for this operation.",
            Self::RotationInProgress => "Another key of the device is being rotated.",
            Self::TooLarge => "The request is too large.",
            Self::UnsupportedMediaType => "Send application/json.",
            Self::RateLimited => "Too many requests. Try again later.",
            Self::TemporarilyUnavailable => "Try again later.",
        }
    }

    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidRequest | Self::InvalidChallenge => 400,
            Self::CredentialRequired | Self::InvalidToken | Self::InvalidDpopProof | Self::InvalidCredential => 401,
            Self::ApprovalPending
            | Self::RenewalRequired
            | Self::DeviceSuspended
            | Self::DeviceRetired
            | Self::WrongCredential => 403,
            Self::RotationInProgress => 409,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::RateLimited => 429,
            Self::TemporarilyUnavailable => 503,
        }
    }

    /// Seconds for `Retry-After`, where the answer carries one.
    pub fn retry_after(self) -> Option<u32> {
        match self {
            Self::ApprovalPending => Some(600),
            Self::RateLimited => Some(30),
            Self::TemporarilyUnavailable => Some(5),
            _ => None,
        }
    }
}

impl fmt::Display for DeviceErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
