//! An HTTPS client that trusts the demo's own authority alone, keeps cookies,
//! follows no redirect and judges no status.

use std::sync::Arc;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use serde_json::Value;
use ureq::Agent;
use ureq::http::{HeaderMap, Request, Response};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use url::form_urlencoded;

use super::trouble::{Lived, Present, Trouble};

/// The longest wait for an answer; hashing a password in a debug build takes its time.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Most bytes of an answer.
const MAX_ANSWER: u64 = 8 * 1024 * 1024;

/// One client, with its cookies.
#[derive(Debug, Clone)]
pub(super) struct Http {
    agent: Agent,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    body: Vec<u8>,
}

impl Http {
    /// A client that trusts the roots of a PEM text.
    pub(super) fn trusting(roots: &[u8]) -> Lived<Self> {
        let mut found: Vec<Certificate<'static>> = Vec::new();
        for item in parse_pem(roots) {
            if let PemItem::Certificate(certificate) = item? {
                found.push(certificate);
            }
        }
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .root_certs(RootCerts::new_with_certs(&found))
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .https_only(true)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            // Each request may come to another node.
            .max_idle_connections(0)
            .build()
            .new_agent();
        Ok(Self { agent })
    }

    pub(super) fn get(&self, url: &str, headers: &[(&str, &str)]) -> Lived<Answer> {
        read(self.agent.run(request("GET", url, headers).body(())?)?)
    }

    pub(super) fn send(&self, method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Lived<Answer> {
        read(self.agent.run(request(method, url, headers).body(body)?)?)
    }

    /// Posts a form, as browsers and OAuth clients do.
    pub(super) fn post_form(&self, url: &str, headers: &[(&str, &str)], pairs: &[(&str, &str)]) -> Lived<Answer> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        self.send("POST", url, &[&kind, headers].concat(), body.as_bytes())
    }
}

fn request(method: &str, url: &str, headers: &[(&str, &str)]) -> ureq::http::request::Builder {
    let builder = Request::builder().method(method).uri(url);
    headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value))
}

fn read(answer: Response<ureq::Body>) -> Lived<Answer> {
    let (parts, body) = answer.into_parts();
    let body = body.into_with_config().limit(MAX_ANSWER).read_to_vec()?;
    Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
}

impl Answer {
    /// Insists on a status.
    pub(super) fn being(self, status: u16, what: &str) -> Lived<Self> {
        if self.status == status { Ok(self) } else { Err(Trouble::answered(what, &self)) }
    }

    pub(super) fn json(&self) -> Lived<Value> {
        serde_json::from_slice(&self.body).map_err(|_| Trouble::answered("no JSON", self))
    }

    pub(super) fn text(&self) -> Lived<&str> {
        std::str::from_utf8(&self.body).map_err(|_| Trouble::answered("no text", self))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Where a redirect leads.
    pub(super) fn location(&self) -> Lived<&str> {
        self.header("location").present("the address of a redirect")
    }

    /// The server's own word for a refusal: `error`, or the tail of a problem's `type`.
    pub(super) fn word(&self) -> Option<String> {
        let body = self.json().ok()?;
        let word = body.get("error").or(body.get("type"))?.as_str()?;
        let tail = word.rsplit('/').next()?.to_owned();
        let detail = body.get("detail").and_then(Value::as_str);
        Some(detail.map_or(tail.clone(), |detail| format!("{tail} ({detail})")))
    }
}

/// `Authorization: Basic` of a client (RFC 6749 §2.3.1: both parts are form-encoded first).
pub(super) fn basic(id: &str, secret: &str) -> String {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", Base64::encode_string(format!("{}:{}", encoded(id), encoded(secret)).as_bytes()))
}
