//! Where a server's endpoints are (RFC 8414).

use alloc::format;
use alloc::string::String;

use serde_json::{Map, Value};

use crate::address::{Address, AddressError};
use crate::call::{Call, Progress};
use crate::machine::{Given, Input, Machine, Output};
use crate::refusal::AnswerError;
use crate::wire::{Method, Request};

/// The endpoints a device needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// The issuer, exactly as it was asked for: the audience of what a device
    /// signs.
    pub issuer: String,
    /// The token endpoint.
    pub token: Address,
    /// The device authorization endpoint (RFC 8628 §4).
    pub device_authorization: Option<Address>,
    /// The token endpoint for mutual TLS (RFC 8705 §5); the plain one where
    /// none is named.
    pub mtls_token: Address,
}

/// Asks a server for its endpoints.
pub struct Discovery {
    issuer: String,
    url: Address,
    call: Call,
}

impl Discovery {
    /// The well-known path goes between host and path of the issuer (RFC 8414
    /// §3.1).
    ///
    /// # Errors
    /// [`AddressError`] when the issuer is no address for tokens.
    pub fn new(issuer: &str) -> Result<Discovery, AddressError> {
        let address = Address::parse(issuer)?;
        let path = address.uri().as_str().strip_prefix(address.origin()).unwrap_or_default().trim_end_matches('/');
        let url = address.at(&format!("/.well-known/oauth-authorization-server{path}"))?;
        Ok(Discovery { issuer: issuer.into(), url, call: Call::new() })
    }

    fn read(&self, members: &Map<String, Value>) -> Result<Endpoints, AnswerError> {
        // RFC 8414 §3.3: identical, or the document must not be used.
        if members.get("issuer").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(AnswerError::Member("issuer"));
        }
        let address = |from: &Map<String, Value>, name: &'static str| match from.get(name) {
            None => Ok(None),
            Some(value) => {
                let address = value.as_str().and_then(|text| Address::parse(text).ok());
                address.map(Some).ok_or(AnswerError::Member(name))
            }
        };
        let token = address(members, "token_endpoint")?.ok_or(AnswerError::Member("token_endpoint"))?;
        let aliases = members.get("mtls_endpoint_aliases").and_then(Value::as_object);
        let alias = aliases.map(|aliases| address(aliases, "token_endpoint")).transpose()?.flatten();
        Ok(Endpoints {
            issuer: self.issuer.clone(),
            device_authorization: address(members, "device_authorization_endpoint")?,
            mtls_token: alias.unwrap_or_else(|| token.clone()),
            token,
        })
    }
}

impl Machine for Discovery {
    type Done = Endpoints;

    fn next(&mut self, input: Input, given: &mut Given<'_>) -> Output<Endpoints> {
        match self.call.advance(input, &self.url, given) {
            Progress::Send => {
                let mut request = Request::new(Method::Get, self.url.clone());
                request.headers.push(("accept", "application/json".into()));
                Output::Send(request)
            }
            Progress::Wait(seconds) => Output::Wait(seconds),
            Progress::Accepted(members) => match self.read(&members) {
                Ok(endpoints) => Output::Done(endpoints),
                Err(error) => Output::Failed(error.into()),
            },
            Progress::Failed(failure) => Output::Failed(failure),
        }
    }
}
