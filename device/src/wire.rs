//! Requests and answers as plain data, for any HTTP stack to carry.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::address::Address;

/// Seconds after which an answer counts as lost, unless a request says otherwise.
const PATIENCE: u32 = 15;

/// The largest answer of a protocol request, in bytes.
pub(crate) const MAX_ANSWER: usize = 64 * 1024;

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `POST`
    Post,
    /// `DELETE`
    Delete,
}

impl Method {
    /// The method as it is sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Delete => "DELETE",
        }
    }
}

/// A request to send. No redirect may be followed with it: header and body
/// hold secrets meant for this origin alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The target.
    pub url: Address,
    /// Header fields, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// Seconds to wait for the whole answer; afterwards it is
    /// [`Input::Lost`](crate::Input::Lost).
    pub patience: u32,
    /// The largest body to read, in bytes; a longer answer counts as lost.
    pub max_answer: usize,
}

impl Request {
    /// A request without header fields and body, at most 64 KiB of answer.
    pub fn new(method: Method, url: Address) -> Request {
        Request { method, url, headers: Vec::new(), body: Vec::new(), patience: PATIENCE, max_answer: MAX_ANSWER }
    }

    pub(crate) fn form(url: Address, form: Form) -> Request {
        let mut request = Request::new(Method::Post, url);
        request.headers.push(("content-type", String::from("application/x-www-form-urlencoded")));
        request.headers.push(("accept", String::from("application/json")));
        request.body = form.0.into_bytes();
        request
    }

    pub(crate) fn json(url: Address, body: &serde_json::Value) -> Request {
        let mut request = Request::new(Method::Post, url);
        request.headers.push(("content-type", String::from("application/json")));
        request.headers.push(("accept", String::from("application/json")));
        request.body = alloc::format!("{body}").into_bytes();
        request
    }

    /// The value of a header field by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither query, field values nor body: they may carry tokens.
        write!(f, "Request({} {}, {} bytes)", self.method.as_str(), self.url.uri(), self.body.len())
    }
}

/// An answer as it came.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header fields; the case of names is ignored.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a field that stands exactly once; names without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(value.trim()),
            _ => None,
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({}, {} bytes)", self.status, self.body.len())
    }
}

/// An `application/x-www-form-urlencoded` body in the making (RFC 6749
/// appendix B).
#[derive(Default)]
pub(crate) struct Form(String);

impl Form {
    pub(crate) fn add(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.encode(name);
        self.0.push('=');
        self.encode(value);
    }

    pub(crate) fn add_if(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }

    fn encode(&mut self, text: &str) {
        const HEX: &[u8; 16] = b"0123456789ABCDEF";
        let hex = |four: u8| HEX.get(usize::from(four)).copied().map_or('0', char::from);
        for byte in text.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => self.0.push(char::from(byte)),
                b' ' => self.0.push('+'),
                _ => self.0.extend(['%', hex(byte >> 4), hex(byte & 0x0f)]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{format, vec};

    #[test]
    fn a_form_escapes_everything_that_could_end_a_value() {
        let mut form = Form::default();
        form.add("scope", "a b");
        form.add("x", "1&y=2+%\u{e9}~");
        assert_eq!(form.0, "scope=a+b&x=1%26y%3D2%2B%25%C3%A9%7E");
    }

    #[test]
    fn debug_output_shows_no_token() {
        let mut request = Request::new(Method::Get, Address::parse("https://a.example/x").unwrap());
        request.headers.push(("authorization", "DPoP at_secret".into()));
        request.body = b"refresh_token=rt_secret".to_vec();
        let response = Response { status: 200, headers: vec![("x".into(), "secret".into())], body: b"secret".to_vec() };
        assert!(!format!("{request:?} {response:?} {:?}", crate::Secret::new("secret")).contains("secret"));
    }

    #[test]
    fn a_field_given_twice_is_no_field() {
        let twice = Response {
            status: 400,
            headers: vec![("DPoP-Nonce".into(), "a".into()), ("dpop-nonce".into(), "b".into())],
            body: vec![],
        };
        assert_eq!(twice.header("dpop-nonce"), None);
    }
}
