//! Pairing by a short code (RFC 8628): the device shows it, a person enters it
//! elsewhere, the device polls until there is an answer.

use alloc::string::String;

use serde_json::{Map, Value};

use crate::address::Address;
use crate::answer::{self, Verdict};
use crate::call::{Call, Progress};
use crate::client_auth::ClientAuth;
use crate::machine::{Given, Input, Machine, Output};
use crate::memory;
use crate::refusal::{AnswerError, ErrorCode, Failure, Refused};
use crate::secret::Secret;
use crate::token::{TokenType, Tokens};
use crate::wire::{Form, Method, Request, Response};

/// RFC 8628 §3.2: the interval where the server names none.
const DEFAULT_INTERVAL: u32 = 5;

/// RFC 8628 §3.5: what `slow_down` adds.
const SLOW_DOWN: u32 = 5;

/// The longest life of a code and the longest interval believed, in seconds.
const MAX_LIFE: u32 = 24 * 3600;
const MAX_INTERVAL: u32 = 3600;

/// Answers in a row that ask to repeat a poll otherwise (nonce, time).
const MAX_REPEATS: u8 = 3;

/// What the person needs to see (RFC 8628 §3.3).
#[derive(Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The code, to be shown even beside the complete address, so that the
    /// person can compare (RFC 8628 §3.3.1).
    pub user_code: String,
    /// The address to open and type the code into.
    pub verification_uri: String,
    /// The address with the code in it, for a QR code.
    pub verification_uri_complete: Option<String>,
    /// The life of the code in seconds.
    pub expires_in: u32,
}

impl core::fmt::Debug for Prompt {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Whoever reads the code in a log could approve in the owner's place.
        write!(f, "Prompt({}, {} s)", self.verification_uri, self.expires_in)
    }
}

/// One pairing, from the first request to the tokens. They are bound to the
/// signer's key (RFC 9449); an unbound answer is discarded.
///
/// The life of the code is counted in the waits it told, so a device whose
/// clock jumps in between neither ends early nor polls for ever.
pub struct Pairing {
    start_url: Address,
    token_url: Address,
    client: ClientAuth,
    scope: Option<String>,
    details: Option<String>,
    phase: Phase,
}

enum Phase {
    Starting(Call),
    Showing(Code),
    Waiting(Code),
    Polling(Code),
    Over,
}

struct Code {
    device_code: Secret,
    life: u32,
    waited: u32,
    interval: u32,
    /// The next wait; above the interval while the network fails.
    pause: u32,
    repeats: u8,
}

impl Pairing {
    /// `start_url` is the `device_authorization_endpoint`, `token_url` the
    /// `token_endpoint`; `scope` is space-separated.
    pub fn new(start_url: Address, token_url: Address, client: ClientAuth, scope: Option<String>) -> Pairing {
        let phase = Phase::Starting(Call::new());
        Pairing { start_url, token_url, client, scope, details: None, phase }
    }

    /// Asks to pair this device (RFC 9396 type `device_pairing`), so that the
    /// person is shown which one it is.
    #[must_use]
    pub fn of_device(mut self, did: &str) -> Pairing {
        self.details = Some(alloc::format!("{}", serde_json::json!([{ "type": "device_pairing", "did": did }])));
        self
    }

    fn start(&self, given: &Given<'_>) -> Result<Request, Failure> {
        let mut form = Form::default();
        form.add_if("scope", self.scope.as_deref());
        form.add_if("authorization_details", self.details.as_deref());
        self.post(&self.start_url, form, given)
    }

    fn poll(&self, code: &Code, given: &Given<'_>) -> Result<Request, Failure> {
        let mut form = Form::default();
        form.add("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
        form.add("device_code", code.device_code.expose());
        self.post(&self.token_url, form, given)
    }

    fn post(&self, url: &Address, mut form: Form, given: &Given<'_>) -> Result<Request, Failure> {
        self.client.fill(&mut form, given)?;
        let mut request = Request::form(url.clone(), form);
        request.headers.push(("dpop", memory::proof(Method::Post, url, None, given)?));
        Ok(request)
    }

    fn starting(&mut self, mut call: Call, input: Input, given: &mut Given<'_>) -> Output<Tokens> {
        match call.advance(input, &self.start_url, given) {
            Progress::Send => match self.start(given) {
                Ok(request) => {
                    self.phase = Phase::Starting(call);
                    Output::Send(request)
                }
                Err(failure) => Output::Failed(failure),
            },
            Progress::Wait(seconds) => {
                self.phase = Phase::Starting(call);
                Output::Wait(seconds)
            }
            Progress::Accepted(members) => match read_codes(&members) {
                Ok((code, prompt)) => {
                    self.phase = Phase::Showing(code);
                    Output::Show(prompt)
                }
                Err(error) => Output::Failed(error.into()),
            },
            Progress::Failed(failure) => Output::Failed(failure),
        }
    }

    fn wait(&mut self, mut code: Code) -> Output<Tokens> {
        let seconds = code.pause;
        code.waited = code.waited.saturating_add(seconds);
        self.phase = Phase::Waiting(code);
        Output::Wait(seconds)
    }

    fn due(&mut self, code: Code, given: &Given<'_>) -> Output<Tokens> {
        // At the very end one last poll is worth it: a yes may have come.
        if code.waited > code.life {
            return Output::Failed(expired());
        }
        match self.poll(&code, given) {
            Ok(request) => {
                self.phase = Phase::Polling(code);
                Output::Send(request)
            }
            Err(failure) => Output::Failed(failure),
        }
    }

    fn silence(&mut self, mut code: Code) -> Output<Tokens> {
        // RFC 8628 §3.5: at least double the interval after each time-out.
        code.pause = code.pause.saturating_mul(2);
        self.wait(code)
    }

    fn answered(&mut self, mut code: Code, answer: &Response, given: &mut Given<'_>) -> Output<Tokens> {
        let verdict = answer::read(answer, &self.token_url, given);
        if let Verdict::Unwell { retry_after } = verdict {
            code.pause = code.pause.saturating_mul(2).max(retry_after.unwrap_or(0)).min(MAX_INTERVAL);
            return self.wait(code);
        }
        code.pause = code.interval;
        match verdict {
            Verdict::Accepted(members) => match Tokens::read(&members) {
                // RFC 9449 §5: who asked for a bound token discards another.
                Ok(tokens) if tokens.token_type != TokenType::Dpop => Output::Failed(AnswerError::NotBound.into()),
                Ok(tokens) => Output::Done(tokens),
                Err(error) => Output::Failed(error.into()),
            },
            // A proof that was refused counts for the interval, so the repeat
            // waits like any poll.
            Verdict::Refused { repeat: Some(_), .. } if code.repeats < MAX_REPEATS => {
                code.repeats += 1;
                self.wait(code)
            }
            Verdict::Refused { refused, .. } => self.refused(code, refused),
            Verdict::Broken(error) => Output::Failed(error.into()),
            Verdict::Unwell { .. } => self.wait(code),
        }
    }

    fn refused(&mut self, mut code: Code, refused: Refused) -> Output<Tokens> {
        match refused.code {
            ErrorCode::AuthorizationPending => code.repeats = 0,
            ErrorCode::SlowDown => {
                code.interval = code.interval.saturating_add(SLOW_DOWN);
                code.pause = code.interval;
                code.repeats = 0;
            }
            ErrorCode::RateLimited | ErrorCode::TemporarilyUnavailable => {
                let wanted = refused.retry_after.unwrap_or(0).min(MAX_INTERVAL);
                code.pause = code.interval.saturating_mul(2).max(wanted);
            }
            _ => return Output::Failed(Failure::Refused(refused)),
        }
        self.wait(code)
    }
}

impl Machine for Pairing {
    /// The tokens; keep the refresh token where a loss of power cannot take
    /// it.
    type Done = Tokens;

    fn next(&mut self, input: Input, given: &mut Given<'_>) -> Output<Tokens> {
        match (core::mem::replace(&mut self.phase, Phase::Over), input) {
            (Phase::Starting(call), input) => self.starting(call, input, given),
            (Phase::Showing(code), Input::Go) => self.wait(code),
            (Phase::Waiting(code), Input::Go) => self.due(code, given),
            (Phase::Polling(code), Input::Lost) => self.silence(code),
            (Phase::Polling(code), Input::Answer(answer)) => self.answered(code, &answer, given),
            (Phase::Showing(_) | Phase::Waiting(_) | Phase::Polling(_) | Phase::Over, _) => {
                Output::Failed(Failure::Finished)
            }
        }
    }
}

/// The end of the code's life, said in the server's word although it is known
/// here already.
fn expired() -> Failure {
    Failure::Refused(Refused { status: 400, code: ErrorCode::ExpiredToken, description: None, retry_after: None })
}

/// RFC 8628 §3.2. What is shown to a person is bounded and printable.
fn read_codes(members: &Map<String, Value>) -> Result<(Code, Prompt), AnswerError> {
    let text = |name: &'static str, longest: usize| match members.get(name) {
        None => Ok(None),
        Some(Value::String(text))
            if (1..=longest).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) =>
        {
            Ok(Some(text.clone()))
        }
        Some(_) => Err(AnswerError::Member(name)),
    };
    let seconds = |name: &'static str, highest: u32| match members.get(name) {
        None => Ok(None),
        Some(value) => match value.as_u64().and_then(|seconds| u32::try_from(seconds).ok()) {
            Some(seconds) if seconds <= highest => Ok(Some(seconds)),
            _ => Err(AnswerError::Member(name)),
        },
    };
    let required = |name: &'static str| AnswerError::Member(name);
    let web = |uri: &String| uri.starts_with("https://");
    let uri = text("verification_uri", 2048)?.filter(web);
    let complete = text("verification_uri_complete", 2048)?.filter(web);
    let life = seconds("expires_in", MAX_LIFE)?.filter(|life| *life > 0).ok_or(required("expires_in"))?;
    let interval = seconds("interval", MAX_INTERVAL)?.unwrap_or(DEFAULT_INTERVAL).max(1);
    let code = Code {
        device_code: text("device_code", 1024)?.map(Secret::new).ok_or(required("device_code"))?,
        life,
        waited: 0,
        interval,
        pause: interval,
        repeats: 0,
    };
    let prompt = Prompt {
        user_code: text("user_code", 64)?.ok_or(required("user_code"))?,
        verification_uri: uri.ok_or(required("verification_uri"))?,
        verification_uri_complete: complete,
        expires_in: life,
    };
    Ok((code, prompt))
}
