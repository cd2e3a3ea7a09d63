//! A device without a world: time passes when it waits, answers come from a
//! script.

use std::boxed::Box;
use std::string::{String, ToString};
use std::vec::Vec;

use jose::jws::Unverified;
use jose::{Alg, Signer, SigningKey, VerifyingKey};
use serde_json::{Map, Value};

use crate::{Address, ErrorCode, Failure, Given, Input, Machine, Memory, Output, Prompt, Request, Response};

pub(super) const NOW: i64 = 1_750_000_000;
pub(super) const ISSUER: &str = "https://id.example.com";

/// The device's key of the example world; public knowledge.
pub(super) const DEVICE_KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"uRRUKBtvceMuVvyDFf59-nfP3C1SnegNWgSTTjKtuAI","y":"JzSXBo4QmecYtIjYzVDFVMbLhvMJGVR6IWknNcwXSPQ","d":"quZWMU0Hkvedd5DvyM0XNNfPLk80PyLawugr6IlrN7Y"}"#;

pub(super) fn device_key() -> SigningKey {
    SigningKey::from_private_jwk(Alg::ES256, DEVICE_KEY.as_bytes()).unwrap()
}

pub(super) fn at(path: &str) -> Address {
    Address::parse(&(ISSUER.to_string() + path)).unwrap()
}

/// What happened.
#[derive(Debug)]
pub(super) enum Event {
    Sent(Request),
    Waited(u32),
    Shown(Prompt),
}

pub(super) struct World {
    /// The device's own clock.
    pub(super) now: i64,
    pub(super) memory: Memory,
    pub(super) signer: Box<dyn Signer>,
    pub(super) events: Vec<Event>,
    drawn: u32,
    begun: i64,
}

impl World {
    pub(super) fn new() -> World {
        World::at(NOW)
    }

    pub(super) fn at(now: i64) -> World {
        World { now, memory: Memory::new(), signer: Box::new(device_key()), events: Vec::new(), drawn: 0, begun: now }
    }

    pub(super) fn given(&mut self) -> Given<'_> {
        self.drawn += 1;
        let seed = jose::digest::sha256(&self.drawn.to_be_bytes());
        Given {
            now: self.now,
            random: core::array::from_fn(|at| seed[at % 32].wrapping_add(at as u8)),
            signer: &*self.signer,
            sha256: jose::digest::sha256,
            memory: &mut self.memory,
        }
    }

    /// Runs to the end; the script answers each request in turn and may not be
    /// asked for more.
    pub(super) fn run<M: Machine>(&mut self, machine: &mut M, script: Vec<Input>) -> Result<M::Done, Failure> {
        let mut script = script.into_iter();
        let result = self.run_with(machine, |_, _| script.next().expect("one more request than answers"));
        assert!(script.next().is_none(), "fewer requests than answers");
        result
    }

    /// The server is told the device's seconds since the beginning.
    pub(super) fn run_with<M: Machine>(
        &mut self,
        machine: &mut M,
        mut server: impl FnMut(i64, &Request) -> Input,
    ) -> Result<M::Done, Failure> {
        let mut input = Input::Go;
        for _ in 0..10_000 {
            let output = machine.next(input, &mut self.given());
            input = match output {
                Output::Send(request) => {
                    let seconds = self.now - self.begun;
                    let input = server(seconds, &request);
                    self.events.push(Event::Sent(request));
                    input
                }
                Output::Wait(seconds) => {
                    assert!(seconds > 0, "a wait that is none");
                    self.now += i64::from(seconds);
                    self.events.push(Event::Waited(seconds));
                    Input::Go
                }
                Output::Show(prompt) => {
                    self.events.push(Event::Shown(prompt));
                    Input::Go
                }
                Output::Done(done) => return Ok(done),
                Output::Failed(failure) => return Err(failure),
            };
        }
        panic!("the machine does not come to an end");
    }

    pub(super) fn requests(&self) -> Vec<&Request> {
        let sent = self.events.iter().filter_map(|event| match event {
            Event::Sent(request) => Some(request),
            _ => None,
        });
        sent.collect()
    }

    pub(super) fn waits(&self) -> Vec<u32> {
        let waits = self.events.iter().filter_map(|event| match event {
            Event::Waited(seconds) => Some(*seconds),
            _ => None,
        });
        waits.collect()
    }
}

pub(super) fn ok(body: Value) -> Input {
    answer(200, &[], body)
}

pub(super) fn no(error: &str) -> Input {
    answer(400, &[], serde_json::json!({ "error": error }))
}

pub(super) fn answer(status: u16, headers: &[(&str, &str)], body: Value) -> Input {
    let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    Input::Answer(Response { status, headers, body: body.to_string().into_bytes() })
}

pub(super) fn tokens(kind: &str) -> Value {
    serde_json::json!({
        "access_token": "at_1", "token_type": kind, "expires_in": 3600, "refresh_token": "rt_1", "scope": "cloud:stream",
    })
}

/// The parameters of a form, in order.
pub(super) fn form(request: &Request) -> Vec<(String, String)> {
    let body = core::str::from_utf8(&request.body).unwrap();
    body.split('&')
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

pub(super) fn parameter(request: &Request, name: &str) -> Option<String> {
    form(request).into_iter().find(|(found, _)| found == name).map(|(_, value)| value)
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let pair = [rest.next().unwrap(), rest.next().unwrap()];
                bytes.push(u8::from_str_radix(core::str::from_utf8(&pair).unwrap(), 16).unwrap());
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// Header and claims of a token that the device's key signed.
pub(super) fn verified(token: &str) -> (jose::jws::Header, Map<String, Value>) {
    let key = VerifyingKey::from_jwk(device_key().jwk()).unwrap();
    let verified = Unverified::parse(token).unwrap().verify(&key, &[Alg::ES256]).unwrap();
    (verified.header().clone(), verified.claims().unwrap())
}

/// The claims of a request's proof.
pub(super) fn proof(request: &Request) -> Map<String, Value> {
    let (header, claims) = verified(request.header("dpop").unwrap());
    assert_eq!(header.typ(), Some("dpop+jwt"));
    assert_eq!(header.jwk().unwrap(), device_key().jwk());
    assert_eq!(claims["htm"], request.method.as_str());
    assert_eq!(claims["htu"], request.url.as_str());
    claims
}

pub(super) fn refused(result: Result<impl core::fmt::Debug, Failure>) -> ErrorCode {
    match result.expect_err("a refusal") {
        Failure::Refused(refused) => refused.code,
        other => panic!("no refusal: {other}"),
    }
}
