//! Call home: the device's first authenticated contact, by the certificate of
//! its TLS connection or by a signed challenge where TLS ends elsewhere.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value, json};

use crate::address::Address;
use crate::call::{Call, Progress};
use crate::client_auth::{kid, sign};
use crate::machine::{Given, Input, Machine, Output};
use crate::memory;
use crate::refusal::{AnswerError, ErrorCode, Failure};
use crate::secret::Secret;
use crate::token::{TokenType, Tokens};
use crate::wire::{Method, Request};

/// What a device says of itself; a claim the server compares with what it
/// knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    /// The serial number.
    pub serial_number: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// The version of the firmware that runs.
    pub firmware: Option<String>,
    /// The scopes wanted, space-separated.
    pub scope: Option<String>,
}

/// How the device proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// By the client certificate of the connection. The token is bound to that
    /// certificate (RFC 8705 §3), or with `bound_to_key` to the signer's key,
    /// which must be the same one.
    Certificate {
        /// Sends a DPoP proof along.
        bound_to_key: bool,
    },
    /// By a challenge signed with a key the registry knows.
    Key {
        /// The device's did.
        did: String,
        /// The server's issuer URL.
        issuer: String,
    },
    /// By a challenge signed with the key of a certificate.
    Chain {
        /// The chain as base64 of DER, leaf first (RFC 7515 §4.1.6).
        x5c: Vec<String>,
        /// The server's issuer URL.
        issuer: String,
    },
}

/// What the server answers a device it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// The session's id.
    pub session: String,
    /// The session's life in seconds.
    pub session_expires_in: u32,
    /// The did the server knows the device by.
    pub did: String,
    /// The device's state: `registered`, `enrolled` or `active`.
    pub state: String,
    /// `initial` or `operational`.
    pub credential_kind: String,
    /// The token of this session.
    pub tokens: Tokens,
    /// What to do next: `enrol`, `renew`, `rotate`, `pair`, `update`, or words
    /// of later versions.
    pub next: Vec<String>,
    /// The asset of the live bond, when the device has an owner.
    pub asset_id: Option<String>,
    /// Where to enrol. This and the next one are `None` when they point to
    /// another origin than the one called: the token is not carried there.
    pub est: Option<Address>,
    /// Where the firmware is.
    pub firmware_uri: Option<Address>,
}

/// One call home.
pub struct CallHome {
    session_url: Address,
    challenge_url: Address,
    hello: Hello,
    way: Way,
    phase: Phase,
    asked_again: bool,
}

enum Phase {
    Challenge(Call),
    Session(Call, Option<Secret>),
    Over,
}

impl CallHome {
    /// `server` is any address of the device host; the paths are known.
    pub fn new(server: &Address, way: Way, hello: Hello) -> CallHome {
        let at = |path| server.at(path).expect("a constant path on a sound origin");
        let phase = match way {
            Way::Certificate { .. } => Phase::Session(Call::new(), None),
            Way::Key { .. } | Way::Chain { .. } => Phase::Challenge(Call::new()),
        };
        CallHome {
            session_url: at("/device/session"),
            challenge_url: at("/device/challenge"),
            hello,
            way,
            phase,
            asked_again: false,
        }
    }

    fn challenge(&mut self, mut call: Call, input: Input, given: &mut Given<'_>) -> Output<Called> {
        match call.advance(input, &self.challenge_url, given) {
            Progress::Send => {
                self.phase = Phase::Challenge(call);
                Output::Send(Request::new(Method::Post, self.challenge_url.clone()))
            }
            Progress::Wait(seconds) => {
                self.phase = Phase::Challenge(call);
                Output::Wait(seconds)
            }
            Progress::Accepted(members) => match members.get("challenge").and_then(Value::as_str) {
                Some(challenge) if (16..=256).contains(&challenge.len()) => {
                    self.session(Call::new(), Some(Secret::new(challenge)), Input::Go, given)
                }
                _ => Output::Failed(AnswerError::Member("challenge").into()),
            },
            Progress::Failed(failure) => Output::Failed(failure),
        }
    }

    fn session(
        &mut self,
        mut call: Call,
        challenge: Option<Secret>,
        input: Input,
        given: &mut Given<'_>,
    ) -> Output<Called> {
        match call.advance(input, &self.session_url, given) {
            Progress::Send => match self.request(challenge.as_ref(), given) {
                Ok(request) => {
                    self.phase = Phase::Session(call, challenge);
                    Output::Send(request)
                }
                Err(failure) => Output::Failed(failure),
            },
            Progress::Wait(seconds) => {
                self.phase = Phase::Session(call, challenge);
                Output::Wait(seconds)
            }
            Progress::Accepted(members) => match self.read(&members, given) {
                Ok(called) => Output::Done(called),
                Err(error) => Output::Failed(error.into()),
            },
            // A challenge is tried once: after a repeat it may be used up.
            Progress::Failed(Failure::Refused(refused))
                if refused.code == ErrorCode::InvalidChallenge && challenge.is_some() && !self.asked_again =>
            {
                self.asked_again = true;
                self.challenge(Call::new(), Input::Go, given)
            }
            Progress::Failed(failure) => Output::Failed(failure),
        }
    }

    fn request(&self, challenge: Option<&Secret>, given: &Given<'_>) -> Result<Request, Failure> {
        let Hello { serial_number, model, firmware, scope } = &self.hello;
        let mut body = Map::new();
        let said = [("serial_number", serial_number), ("model", model), ("firmware", firmware), ("scope", scope)];
        for (name, value) in said {
            if let Some(value) = value {
                body.insert(name.into(), value.as_str().into());
            }
        }
        if let Some(challenge) = challenge {
            body.insert("proof".into(), self.proof(challenge, given)?.into());
        }
        let mut request = Request::json(self.session_url.clone(), &Value::Object(body));
        if let Way::Certificate { bound_to_key: true } = self.way {
            request.headers.push(("dpop", memory::proof(Method::Post, &self.session_url, None, given)?));
        }
        Ok(request)
    }

    /// The `callhome+jwt` over a challenge.
    fn proof(&self, challenge: &Secret, given: &Given<'_>) -> Result<String, Failure> {
        let mut claims = Map::new();
        claims.insert("nonce".into(), challenge.expose().into());
        claims.insert("iat".into(), given.server_now().into());
        if let Some(serial) = &self.hello.serial_number {
            claims.insert("serial_number".into(), serial.as_str().into());
        }
        let mut extra = Map::new();
        let mut named = None;
        match &self.way {
            Way::Certificate { .. } => {}
            Way::Key { did, issuer } => {
                claims.insert("iss".into(), did.as_str().into());
                claims.insert("aud".into(), issuer.as_str().into());
                named = Some(kid(given));
            }
            Way::Chain { x5c, issuer } => {
                claims.insert("aud".into(), issuer.as_str().into());
                extra.insert("x5c".into(), json!(x5c));
            }
        }
        sign("callhome+jwt", named.as_deref(), &extra, &Value::Object(claims), given)
    }

    fn read(&self, members: &Map<String, Value>, given: &mut Given<'_>) -> Result<Called, AnswerError> {
        let session = members.get("session").and_then(Value::as_object).ok_or(AnswerError::Member("session"))?;
        let credential = members.get("credential").and_then(Value::as_object);
        let text = |from: Option<&Map<String, Value>>, name: &'static str| {
            let text = from.and_then(|from| from.get(name)).and_then(Value::as_str);
            text.map(String::from).ok_or(AnswerError::Member(name))
        };
        let life = session.get("expires_in").and_then(Value::as_u64).and_then(|life| u32::try_from(life).ok());
        let next = members.get("next").and_then(Value::as_array).ok_or(AnswerError::Member("next"))?;
        let here = |name| {
            let address = members.get(name).and_then(Value::as_str).and_then(|text| Address::parse(text).ok());
            address.filter(|address| address.origin() == self.session_url.origin())
        };
        let tokens = Tokens::read(members)?;
        // A token that came without a certificate is good for nobody as plain
        // bearer, and must not be taken for one.
        let bound = !matches!(self.way, Way::Certificate { bound_to_key: false });
        if bound && tokens.token_type != TokenType::Dpop {
            return Err(AnswerError::NotBound);
        }
        if let Some(now) = members.get("now").and_then(Value::as_i64) {
            given.memory.learn_time(now, given.now);
        }
        Ok(Called {
            session: text(Some(session), "id")?,
            session_expires_in: life.ok_or(AnswerError::Member("session"))?,
            did: text(Some(members), "did")?,
            state: text(Some(members), "state")?,
            credential_kind: text(credential, "kind")?,
            tokens,
            next: next.iter().filter_map(Value::as_str).map(String::from).collect(),
            asset_id: text(Some(members), "asset_id").ok(),
            est: here("est"),
            firmware_uri: here("firmware_uri"),
        })
    }
}

impl Machine for CallHome {
    type Done = Called;

    fn next(&mut self, input: Input, given: &mut Given<'_>) -> Output<Called> {
        match core::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Challenge(call) => self.challenge(call, input, given),
            Phase::Session(call, challenge) => self.session(call, challenge, input, given),
            Phase::Over => Output::Failed(Failure::Finished),
        }
    }
}
