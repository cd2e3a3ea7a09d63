//! Reading an answer of the authorization server or the device API: success,
//! refusal, or neither.

use alloc::string::String;

use jose::json;
use serde_json::{Map, Value};

use crate::address::Address;
use crate::machine::Given;
use crate::refusal::{AnswerError, ErrorCode, Refused};
use crate::wire::{MAX_ANSWER, Response};

/// What an answer says.
pub(crate) enum Verdict {
    Accepted(Map<String, Value>),
    Refused {
        refused: Refused,
        /// The same request with what this answer taught would be another one.
        repeat: Option<Repeat>,
    },
    /// A fault in between, worth another try.
    Unwell {
        retry_after: Option<u32>,
    },
    Broken(AnswerError),
}

/// What an answer taught.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// The nonce to use (RFC 9449 §8).
    Nonce,
    /// That our clock was wrong.
    Time,
}

/// Reads an answer, and takes from it the server's nonce and time.
pub(crate) fn read(answer: &Response, from: &Address, given: &mut Given<'_>) -> Verdict {
    let has_nonce = given.memory.learn_nonce(from, answer);
    let moved = given.memory.learn_date(answer, given.now);
    if answer.body.len() > MAX_ANSWER {
        return Verdict::Broken(AnswerError::TooLong);
    }
    let body = json::parse_object(&answer.body).ok();
    match (answer.status, body) {
        (200..=299, Some(body)) => Verdict::Accepted(body),
        (200..=299, None) => Verdict::Broken(AnswerError::Json),
        (status, body) => match Refused::read(answer, body.as_ref(), given.server_now()) {
            Some(refused) if status >= 400 => {
                let repeat = match refused.code {
                    ErrorCode::UseDpopNonce if has_nonce => Some(Repeat::Nonce),
                    _ if moved && may_be_about_time(&refused.code) => Some(Repeat::Time),
                    _ => None,
                };
                Verdict::Refused { refused, repeat }
            }
            None if status >= 500 || status == 429 => {
                Verdict::Unwell { retry_after: crate::refusal::retry_after(answer, given.server_now()) }
            }
            _ => Verdict::Broken(AnswerError::Status(status)),
        },
    }
}

/// Refusals that a wrong time in something we signed can cause.
fn may_be_about_time(code: &ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::InvalidDpopProof
            | ErrorCode::InvalidClient
            | ErrorCode::InvalidCredential
            | ErrorCode::InvalidChallenge
            | ErrorCode::InvalidRequest
            | ErrorCode::InvalidToken
    )
}
