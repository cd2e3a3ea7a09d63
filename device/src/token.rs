//! Tokens as a token endpoint gives them (RFC 6749 §5.1), and the one request
//! that all grants but polling share.

use alloc::string::String;

use serde_json::{Map, Value};

use crate::address::Address;
use crate::call::{Call, Progress};
use crate::client_auth::ClientAuth;
use crate::machine::{Given, Input, Output};
use crate::memory;
use crate::refusal::{AnswerError, Failure};
use crate::secret::Secret;
use crate::wire::{Form, Method, Request};

/// How a token is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenType {
    /// With a proof of the key at every request (RFC 9449 §7.1).
    Dpop,
    /// Alone, or bound to the client certificate (RFC 6750, RFC 8705 §3).
    Bearer,
}

impl TokenType {
    /// The scheme in `Authorization`.
    pub const fn scheme(self) -> &'static str {
        match self {
            TokenType::Dpop => "DPoP",
            TokenType::Bearer => "Bearer",
        }
    }

    /// Reads a `token_type`; case does not matter (RFC 6749 §5.1).
    pub fn parse(text: &str) -> Option<TokenType> {
        [TokenType::Dpop, TokenType::Bearer].into_iter().find(|kind| kind.scheme().eq_ignore_ascii_case(text))
    }
}

/// What a token endpoint gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// The access or asset token.
    pub access_token: Secret,
    /// How it is presented.
    pub token_type: TokenType,
    /// Its life in seconds from now, when the server says it.
    pub expires_in: Option<u32>,
    /// For the next access token; it replaces the one used before.
    pub refresh_token: Option<Secret>,
    /// What it reaches, when that is not what was asked for.
    pub scope: Option<String>,
    /// The kind of token an exchange gave (RFC 8693 §2.2.1).
    pub issued_token_type: Option<String>,
}

impl Tokens {
    pub(crate) fn read(members: &Map<String, Value>) -> Result<Tokens, AnswerError> {
        let text = |name: &'static str| match members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(_) => Err(AnswerError::Member(name)),
        };
        let access_token = text("access_token")?.filter(|token| is_token(token));
        let token_type = text("token_type")?.as_deref().and_then(TokenType::parse);
        let expires_in =
            members.get("expires_in").map(|value| value.as_u64().and_then(|life| u32::try_from(life).ok()));
        Ok(Tokens {
            access_token: access_token.map(Secret::new).ok_or(AnswerError::Member("access_token"))?,
            token_type: token_type.ok_or(AnswerError::Member("token_type"))?,
            expires_in: match expires_in {
                Some(None) => return Err(AnswerError::Member("expires_in")),
                Some(life) => life,
                None => None,
            },
            refresh_token: text("refresh_token")?.map(Secret::new),
            scope: text("scope")?,
            issued_token_type: text("issued_token_type")?,
        })
    }

    /// When to ask for the next token: seconds from now, two thirds of the
    /// life and up to a tenth of it earlier, by chance, so that a fleet does
    /// not renew at one instant. `None` when the life is unknown.
    pub fn renew_in(&self, chance: u32) -> Option<u32> {
        let life = u64::from(self.expires_in?);
        let jitter = life / 10 * u64::from(chance) / u64::from(u32::MAX);
        u32::try_from(life * 2 / 3 - jitter).ok()
    }
}

/// What may stand in an `Authorization` field (RFC 9110 §11.2 `token68`).
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'='))
}

/// A request to the token endpoint, whatever its grant.
pub(crate) struct TokenCall {
    pub(crate) url: Address,
    pub(crate) client: ClientAuth,
    /// The request carries a proof of the key.
    pub(crate) proved: bool,
    /// The token is to be bound by DPoP; an unbound one is discarded (RFC 9449
    /// §5).
    pub(crate) bound: bool,
    /// A lost answer may be followed by the same request.
    pub(crate) repeatable: bool,
    pub(crate) patience: Option<u32>,
    pub(crate) call: Call,
}

impl TokenCall {
    pub(crate) fn new(url: Address, client: ClientAuth, bound: bool) -> TokenCall {
        TokenCall { url, client, proved: bound, bound, repeatable: true, patience: None, call: Call::new() }
    }

    pub(crate) fn next(
        &mut self,
        input: Input,
        given: &mut Given<'_>,
        fill: impl FnOnce(&mut Form, &Given<'_>) -> Result<(), Failure>,
    ) -> Output<Tokens> {
        let lost = matches!(input, Input::Lost);
        match self.call.advance(input, &self.url, given) {
            Progress::Wait(_) if lost && !self.repeatable => {
                self.call.end();
                Output::Failed(Failure::Unreachable)
            }
            Progress::Wait(seconds) => Output::Wait(seconds),
            Progress::Failed(failure) => Output::Failed(failure),
            Progress::Accepted(members) => match Tokens::read(&members) {
                Ok(tokens) if self.bound && tokens.token_type != TokenType::Dpop => {
                    Output::Failed(AnswerError::NotBound.into())
                }
                Ok(tokens) => Output::Done(tokens),
                Err(error) => Output::Failed(error.into()),
            },
            Progress::Send => match self.request(given, fill) {
                Ok(request) => Output::Send(request),
                Err(failure) => {
                    self.call.end();
                    Output::Failed(failure)
                }
            },
        }
    }

    fn request(
        &self,
        given: &Given<'_>,
        fill: impl FnOnce(&mut Form, &Given<'_>) -> Result<(), Failure>,
    ) -> Result<Request, Failure> {
        let mut form = Form::default();
        fill(&mut form, given)?;
        self.client.fill(&mut form, given)?;
        let mut request = Request::form(self.url.clone(), form);
        if self.proved {
            request.headers.push(("dpop", memory::proof(Method::Post, &self.url, None, given)?));
        }
        if let Some(patience) = self.patience {
            request.patience = patience;
        }
        Ok(request)
    }
}
