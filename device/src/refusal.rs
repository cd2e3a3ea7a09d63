//! A no, and everything else that ends a machine. Owns: the server's words as
//! a type, what each means for the device, and the causes on our own side.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;

use jose::SignError;
use serde_json::{Map, Value};

use crate::clock;
use crate::wire::Response;

/// The longest description kept, in bytes.
const MAX_DESCRIPTION: usize = 256;

macro_rules! error_codes {
    ($($variant:ident $word:literal $meaning:literal)*) => {
        /// The server's `error` (RFC 6749 §5.2, RFC 8628 §3.5, RFC 9449 §5, and
        /// the device API's own).
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum ErrorCode {
            $(#[doc = concat!("`", $word, "`: ", $meaning)] $variant,)*
            /// A word this version does not know, at most 64 bytes.
            Other(String),
        }

        impl ErrorCode {
            /// The word as the server sent it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(ErrorCode::$variant => $word,)*
                    ErrorCode::Other(word) => word,
                }
            }

            /// What it means for the device, in plain words.
            pub fn meaning(&self) -> &'static str {
                match self {
                    $(ErrorCode::$variant => $meaning,)*
                    ErrorCode::Other(_) => "the server refused in a word this version does not know",
                }
            }

            fn parse(word: &str) -> Option<ErrorCode> {
                match word {
                    $($word => Some(ErrorCode::$variant),)*
                    other => (other.len() <= 64 && printable(other)).then(|| ErrorCode::Other(other.to_owned())),
                }
            }
        }
    };
}

error_codes! {
    AccessDenied "access_denied" "the person said no"
    ApprovalPending "approval_pending" "staff must approve this device first; call again later"
    AuthorizationPending "authorization_pending" "nobody has entered the code yet"
    BadCsr "bad_csr" "the certificate request is not acceptable"
    CredentialRequired "credential_required" "the server saw neither certificate nor proof nor token"
    DeviceRetired "device_retired" "this device was taken out of service for good"
    DeviceSuspended "device_suspended" "this device is suspended; staff can resume it"
    ExpiredToken "expired_token" "the code is too old; start again when a person asks for it"
    InsufficientScope "insufficient_scope" "the token does not reach this far"
    InvalidAuthorizationDetails "invalid_authorization_details" "the server does not accept what was asked for"
    InvalidChallenge "invalid_challenge" "the challenge is unknown, used or too old"
    InvalidClient "invalid_client" "the server does not know this client, or its proof is wrong"
    InvalidCredential "invalid_credential" "the server does not accept this certificate or key for this device"
    InvalidDpopProof "invalid_dpop_proof" "the proof of the key is missing or wrong; the clock may be off"
    InvalidGrant "invalid_grant" "the code or token is used up, ended, or bound to another key; pair again"
    InvalidRequest "invalid_request" "the server does not accept this request"
    InvalidScope "invalid_scope" "more was asked for than is allowed"
    InvalidTarget "invalid_target" "a token for this receiver is not allowed"
    InvalidToken "invalid_token" "the token is not valid here any more; get a new one"
    RateLimited "rate_limited" "too many requests; slow down"
    RenewalRequired "renewal_required" "the certificate has expired; renew it first"
    RotationInProgress "rotation_in_progress" "another new key is already waiting"
    ServerError "server_error" "the server has a fault; try later"
    SlowDown "slow_down" "polled too fast"
    TemporarilyUnavailable "temporarily_unavailable" "the server is busy; try later"
    TooLarge "too_large" "the request is too large"
    UnauthorizedClient "unauthorized_client" "this client may not use this grant"
    UnsupportedGrantType "unsupported_grant_type" "the server does not offer this grant"
    UnsupportedMediaType "unsupported_media_type" "the server does not take this form of body"
    UseDpopNonce "use_dpop_nonce" "the server wants its own nonce in the proof"
    WrongCredential "wrong_credential" "this certificate is not made for this operation"
}

/// The server's no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The status of the answer.
    pub status: u16,
    /// The code.
    pub code: ErrorCode,
    /// The server's own words for a developer, printable ASCII, at most 256
    /// bytes.
    pub description: Option<String>,
    /// Seconds after which asking again makes sense (RFC 9110 §10.2.3).
    pub retry_after: Option<u32>,
}

impl Refused {
    /// Reads a refusal out of a body, or out of `WWW-Authenticate` where a
    /// resource has no body (RFC 6750 §3, RFC 9449 §7.1).
    /// `now` is the server's time.
    pub(crate) fn read(answer: &Response, body: Option<&Map<String, Value>>, now: i64) -> Option<Refused> {
        let text = |name| body.and_then(|body| body.get(name)).and_then(Value::as_str);
        let word = text("error").or_else(|| challenge_error(answer.header("www-authenticate")?))?;
        let kept = |text: &str| (text.len() <= MAX_DESCRIPTION && printable(text)).then(|| text.to_owned());
        Some(Refused {
            status: answer.status,
            code: ErrorCode::parse(word)?,
            description: text("error_description").and_then(kept),
            retry_after: retry_after(answer, now),
        })
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.code.meaning())?;
        match &self.description {
            Some(description) => write!(f, " ({description})"),
            None => Ok(()),
        }
    }
}

/// Why a machine ended without its result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The server said no.
    #[error("{0}")]
    Refused(Refused),
    /// No answer after several tries.
    #[error("the server could not be reached")]
    Unreachable,
    /// A fault without a word of the protocol, such as a proxy's 502.
    #[error("the server is not well: status {status}")]
    Busy {
        /// The status of the answer.
        status: u16,
        /// Seconds after which asking again makes sense (RFC 9110 §10.2.3).
        retry_after: Option<u32>,
    },
    /// The answer breaks the protocol.
    #[error("the server's answer cannot be used: {0}")]
    Answer(#[from] AnswerError),
    /// The key could not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The actor token cannot be made.
    #[error(transparent)]
    Actor(#[from] crate::actor::ActorError),
    /// The machine has ended, or was told of an answer nobody asked for.
    #[error("the protocol has already ended")]
    Finished,
}

impl Failure {
    /// The server's code, when it was a refusal.
    pub fn code(&self) -> Option<&ErrorCode> {
        match self {
            Failure::Refused(refused) => Some(&refused.code),
            _ => None,
        }
    }
}

/// How an answer breaks the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// A status that is neither success nor a refusal; redirects are not
    /// followed.
    #[error("unexpected status {0}")]
    Status(u16),
    /// Longer than 64 KiB.
    #[error("too long")]
    TooLong,
    /// The body is no strict JSON object.
    #[error("not a JSON object")]
    Json,
    /// This member is missing or not of its type.
    #[error("`{0}` is missing or malformed")]
    Member(&'static str),
    /// A bound token was asked for and an unbound one came (RFC 9449 §5).
    #[error("the token is not bound to the key")]
    NotBound,
}

/// Seconds of `Retry-After`, in either form (RFC 9110 §10.2.3). A date counts
/// from the answer's own, or from the server's time as far as it is known.
pub(crate) fn retry_after(answer: &Response, now: i64) -> Option<u32> {
    let value = answer.header("retry-after")?;
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(value.parse().unwrap_or(u32::MAX));
    }
    let until = clock::parse_date(value)?;
    let from = answer.header("date").and_then(clock::parse_date).unwrap_or(now);
    Some(u32::try_from(until.saturating_sub(from).max(0)).unwrap_or(u32::MAX))
}

/// The `error` of a `WWW-Authenticate` field.
fn challenge_error(field: &str) -> Option<&str> {
    let (_, rest) = field.split_once("error=\"")?;
    rest.split_once('"').map(|(word, _)| word)
}

/// RFC 6749 §5.2: the characters of `error` and `error_description`.
fn printable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, 0x20 | 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    fn asked(headers: &[(&str, &str)], now: i64) -> Option<u32> {
        let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        retry_after(&Response { status: 503, headers, body: vec![] }, now)
    }

    #[test]
    fn a_wait_is_told_in_seconds_or_by_a_date() {
        let (date, later) = ("Sun, 15 Jun 2025 15:06:40 GMT", "Sun, 15 Jun 2025 15:08:40 GMT");
        assert_eq!(asked(&[("Retry-After", "120")], 0), Some(120));
        assert_eq!(asked(&[("Retry-After", "0")], 0), Some(0));
        assert_eq!(asked(&[("Retry-After", later), ("Date", date)], 0), Some(120));
        assert_eq!(asked(&[("Retry-After", later)], 1_750_000_060), Some(60));
        assert_eq!(asked(&[("Retry-After", date), ("Date", later)], 0), Some(0), "a date gone by");
        assert_eq!(asked(&[("Retry-After", "99999999999999999999")], 0), Some(u32::MAX));
        for nonsense in ["", "-1", "+1", "1.5", "soon", "1 2"] {
            assert_eq!(asked(&[("Retry-After", nonsense)], 0), None, "{nonsense}");
        }
    }
}
