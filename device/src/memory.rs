//! What a device remembers between requests: the latest nonce of each origin
//! (RFC 9449 §8, §9) and how far the server's clock is from its own.
//!
//! Does not own: tokens. Nothing here is secret or needs to be stored.

use alloc::string::String;
use alloc::vec::Vec;

use jose::{SignError, dpop};

use crate::address::Address;
use crate::clock;
use crate::machine::{Given, Part};
use crate::secret::Secret;
use crate::wire::{Method, Response};

/// Origins whose nonce is remembered; the oldest is forgotten first.
const MAX_ORIGINS: usize = 8;

/// The longest nonce accepted, in bytes.
const MAX_NONCE: usize = 256;

/// Seconds by which two clocks may differ before the server's counts. Half of
/// what a server allows a proof (60 s).
const TOLERANCE: i64 = 30;

/// Nonces and the server's time.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    ahead: i64,
    heard: bool,
    nonces: Vec<(String, String)>,
}

impl Memory {
    /// Nothing is known yet.
    pub fn new() -> Memory {
        Memory::default()
    }

    /// The server's time when the device's own clock shows `own`, Unix seconds.
    pub fn server_time(&self, own: i64) -> i64 {
        own.saturating_add(self.ahead)
    }

    /// True once a server told the time: until then [`Memory::server_time`] is
    /// the device's own clock, which may never have been set.
    pub fn knows_time(&self) -> bool {
        self.heard
    }

    /// Takes the server's time. True when it moved by more than 30 s, so that
    /// what was signed before carried a wrong time.
    pub(crate) fn learn_time(&mut self, server: i64, own: i64) -> bool {
        self.heard = true;
        let moved = server.saturating_sub(self.server_time(own)).saturating_abs() > TOLERANCE;
        if moved {
            self.ahead = server.saturating_sub(own);
        }
        moved
    }

    /// Takes the time of an answer's `Date`, if it has one.
    pub(crate) fn learn_date(&mut self, answer: &Response, own: i64) -> bool {
        answer.header("date").and_then(clock::parse_date).is_some_and(|server| self.learn_time(server, own))
    }

    /// Takes the nonce of an answer, for its origin alone. True when there was
    /// one.
    pub(crate) fn learn_nonce(&mut self, from: &Address, answer: &Response) -> bool {
        let Some(nonce) = answer.header("dpop-nonce").filter(|nonce| is_nonce(nonce)) else {
            return false;
        };
        self.nonces.retain(|(origin, _)| origin != from.origin());
        if self.nonces.len() >= MAX_ORIGINS {
            self.nonces.remove(0);
        }
        self.nonces.push((from.origin().into(), nonce.into()));
        true
    }

    /// The latest nonce of this address's origin.
    pub(crate) fn nonce(&self, to: &Address) -> Option<&str> {
        self.nonces.iter().find(|(origin, _)| origin == to.origin()).map(|(_, nonce)| nonce.as_str())
    }
}

/// The value of a `DPoP` field for this request (RFC 9449 §4.2).
pub(crate) fn proof(
    method: Method,
    url: &Address,
    token: Option<&Secret>,
    given: &Given<'_>,
) -> Result<String, SignError> {
    let ath = token.map(|token| jose::base64url::encode((given.sha256)(token.expose().as_bytes())));
    let claims = dpop::Claims {
        method: method.as_str(),
        uri: url.uri(),
        iat: given.server_now(),
        jti: &given.id(Part::Proof),
        ath: ath.as_deref(),
        nonce: given.memory.nonce(url),
    };
    dpop::build(given.signer, &claims)
}

/// The characters of a nonce (RFC 9449 §8.1, `NQCHAR` of RFC 6749 appendix A).
fn is_nonce(text: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    (1..=MAX_NONCE).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{format, vec};

    fn with_nonce(nonce: &str) -> Response {
        Response { status: 200, headers: vec![("DPoP-Nonce".into(), nonce.into())], body: vec![] }
    }

    #[test]
    fn a_nonce_belongs_to_the_origin_that_gave_it() {
        let mut memory = Memory::new();
        let (id, api) = ("https://id.example.com/token", "https://api.example.com/v1");
        let (id, api) = (Address::parse(id).unwrap(), Address::parse(api).unwrap());
        memory.learn_nonce(&id, &with_nonce("n-id"));
        assert_eq!(memory.nonce(&api), None);
        memory.learn_nonce(&api, &with_nonce("n-api"));
        memory.learn_nonce(&id, &with_nonce("n-id-2"));
        assert_eq!(memory.nonce(&id.at("/device_authorization").unwrap()), Some("n-id-2"));
        assert_eq!(memory.nonce(&api), Some("n-api"));
    }

    #[test]
    fn the_memory_of_origins_is_bounded() {
        let mut memory = Memory::new();
        for at in 0..100 {
            let address = Address::parse(&format!("https://h{at}.example/")).unwrap();
            memory.learn_nonce(&address, &with_nonce("n"));
        }
        assert_eq!(memory.nonces.len(), MAX_ORIGINS);
    }

    #[test]
    fn what_is_no_nonce_is_not_sent_back() {
        let address = Address::parse("https://id.example.com/").unwrap();
        let long = "n".repeat(MAX_NONCE + 1);
        for nonce in ["", "a b", "a\"b", "a\\b", "\u{e9}", long.as_str()] {
            let mut memory = Memory::new();
            assert!(!memory.learn_nonce(&address, &with_nonce(nonce)));
            assert_eq!(memory.nonce(&address), None, "{nonce}");
        }
    }
}
