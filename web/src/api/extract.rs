//! What handlers are given: paging, versions, bodies, and keys of requests that
//! may come again.

use app::registry::{Caller, Listing, Repeat, RepeatKey};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use identity::Version;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::guard::Action;
use crate::problem::Problem;
use crate::state::State;

/// The largest JSON body.
const MAX_BODY: usize = 256 * 1024;
/// The most query parameters.
const MAX_PARAMETERS: usize = 16;

/// Query parameters, each at most once.
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the part of a target behind its `?`.
    ///
    /// # Errors
    /// [`Problem`] `invalid` for a name that comes twice, and beyond 16 of them.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let mut known: Vec<(String, String)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            if known.iter().any(|(before, _)| *before == name) || known.len() >= MAX_PARAMETERS {
                return Err(Problem::invalid(shown(&name), "given more than once"));
            }
            known.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(known))
    }

    /// Takes one out.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let place = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(place).1)
    }

    /// Takes a number out.
    ///
    /// # Errors
    /// [`Problem`] `invalid` where it is none.
    pub fn take_number(&mut self, name: &str) -> Result<Option<u32>, Problem> {
        let parse = |text: String| text.parse().map_err(|_| Problem::invalid(name, "a whole number"));
        self.take(name).map(parse).transpose()
    }

    /// Paging and filter.
    ///
    /// # Errors
    /// [`Problem`] `invalid` for a limit that is no number.
    pub fn take_listing(&mut self) -> Result<Listing, Problem> {
        Ok(Listing { limit: self.take_number("limit")?, after: self.take("after"), filter: self.take("filter") })
    }

    /// Nothing may be left: a misspelt filter must not list everything.
    ///
    /// # Errors
    /// [`Problem`] `invalid`, which names one that is left.
    pub fn end(self) -> Result<(), Problem> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => Err(Problem::invalid(shown(&name), "an unknown parameter")),
        }
    }
}

/// A foreign name as it may stand in an answer.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}

impl FromRequestParts<State> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Problem> {
        Self::parse(parts.uri.query().unwrap_or_default())
    }
}

impl FromRequestParts<State> for Listing {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let mut query = Query::from_request_parts(parts, state).await?;
        let listing = query.take_listing()?;
        query.end()?;
        Ok(listing)
    }
}

/// The version the caller saw; `None` for `*`. As `Option` it may be left out.
#[derive(Debug, Clone, Copy)]
pub struct IfMatch(pub(super) Option<Version>);

/// Reads `If-Match` (RFC 9110 §13.1.1), where it came.
///
/// # Errors
/// [`Problem`] `invalid` where it is neither one strong entity tag nor `*`.
pub fn if_match(headers: &HeaderMap) -> Result<Option<IfMatch>, Problem> {
    let mut fields = headers.get_all(header::IF_MATCH).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else {
        return match headers.contains_key(header::IF_MATCH) {
            true => Err(Problem::invalid("If-Match", "one entity tag, or *")),
            false => Ok(None),
        };
    };
    let text = field.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(Some(IfMatch(None)));
    }
    // Weak tags never match here (RFC 9110 §13.1.1).
    let number = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).and_then(|text| text.parse().ok());
    number.map(|version| Some(IfMatch(Some(version)))).ok_or(Problem::invalid("If-Match", "one entity tag, or *"))
}

impl FromRequestParts<State> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Problem> {
        let missing = Problem::new(StatusCode::PRECONDITION_REQUIRED, "precondition_required", "no_if_match");
        if_match(&parts.headers)?.ok_or(missing)
    }
}

impl OptionalFromRequestParts<State> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Option<Self>, Problem> {
        if_match(&parts.headers)
    }
}

/// The version of a precondition that may be missing.
pub(super) fn wanted(precondition: Option<IfMatch>) -> Option<Version> {
    precondition.and_then(|IfMatch(version)| version)
}

/// A `POST` with a JSON body, and its key if it has one.
pub(super) struct Post<T> {
    pub(super) body: T,
    key: Option<RepeatKey>,
}

impl<T> Post<T> {
    /// For the use case: how its answer is rendered, now and when it comes again.
    pub(super) fn repeat<'a, R>(&self, render: &'a (dyn Fn(&R) -> app::registry::KeptReply + Sync)) -> Repeat<'a, R> {
        Repeat { key: self.key.clone(), render }
    }
}

/// A `POST` without a body.
pub(super) type Act = Post<Nothing>;

/// No body, or an empty object.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

impl<T: DeserializeOwned> FromRequest<State> for Post<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &State) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = read_body(body).await?;
        if !bytes.is_empty() {
            check_media_type(&parts.headers, &["application/json"])?;
        }
        let key = repeat_key(&parts, &bytes)?;
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        Ok(Self { body: parse(text)?, key })
    }
}

/// The body of a `PATCH`: a merge patch (RFC 7396).
pub(super) struct Patch(pub(super) Map<String, Value>);

impl FromRequest<State> for Patch {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &State) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        check_media_type(&parts.headers, &["application/json", "application/merge-patch+json"])?;
        Ok(Self(parse(&read_body(body).await?)?))
    }
}

async fn read_body(body: Body) -> Result<Bytes, Problem> {
    to_bytes(body, MAX_BODY)
        .await
        .map_err(|_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "body_too_large_or_cut"))
}

/// The type of the body, parameters aside.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn check_media_type(headers: &HeaderMap, taken: &[&str]) -> Result<(), Problem> {
    if taken.contains(&media_type(headers).as_str()) {
        return Ok(());
    }
    let detail = format!("Send {}.", taken.join(" or "));
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "media_type").with_detail(detail))
}

/// Parses a JSON object, and names the field that does not fit.
///
/// # Errors
/// [`Problem`] `invalid`.
pub fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Problem> {
    // A list would be read as the members in their order.
    if !text.trim_ascii_start().starts_with(b"{") {
        return Err(Problem::invalid("", "the body is no JSON object"));
    }
    if holds_nul(text) {
        return Err(Problem::invalid("", "a text holds the character U+0000"));
    }
    let mut json = serde_json::Deserializer::from_slice(text);
    let parsed = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if !inner.is_data() {
            return Problem::invalid("", "the body is no JSON of the wanted form");
        }
        let words: String = inner.to_string().chars().filter(|c| !c.is_control()).take(200).collect();
        Problem::invalid(if path == "." { String::new() } else { path }, words)
    })?;
    json.end().map_err(|_| Problem::invalid("", "something stands behind the JSON"))?;
    Ok(parsed)
}

/// Whether a text in this JSON holds U+0000, which not every store can keep and no name needs.
/// JSON has but one way to write it; a backslash that is itself escaped begins no escape.
fn holds_nul(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        let escape = rest.get(at..).unwrap_or_default();
        if escape.starts_with(b"\\u0000") {
            return true;
        }
        rest = escape.get(2..).unwrap_or_default();
    }
    false
}

/// Reads `Idempotency-Key`, where it came.
///
/// # Errors
/// [`Problem`] where it came twice, or is not 1 to 128 printable characters.
pub fn repeat_text(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut fields = headers.get_all("idempotency-key").iter();
    let Some(field) = fields.next() else { return Ok(None) };
    let text = field.to_str().unwrap_or_default();
    let sound = (1..=128).contains(&text.len()) && text.bytes().all(|b| (0x20..0x7f).contains(&b));
    if fields.next().is_some() || !sound {
        let word = "idempotency_key_reused";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, word, "idempotency_key_malformed"));
    }
    Ok(Some(text))
}

fn repeat_key(parts: &Parts, body: &[u8]) -> Result<Option<RepeatKey>, Problem> {
    let Some(text) = repeat_text(&parts.headers)? else { return Ok(None) };
    let (Some(caller), Some(action)) = (parts.extensions.get::<Caller>(), parts.extensions.get::<Action>()) else {
        return Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "unguarded_route"));
    };
    let action = format!("{} {}", action.0, parts.uri.path());
    Ok(Some(RepeatKey::new(caller, &action, text, body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_a_nul_is_found_and_one_that_speaks_of_it_is_none() {
        for held in [&b"{\"a\":\"\\u0000\"}"[..], b"{\"a\":\"b\\\\\\u0000\"}", b"{\"\\u0000\":1}"] {
            assert!(holds_nul(held), "{}", String::from_utf8_lossy(held));
        }
        for free in [&b"{\"a\":\"\\\\u0000\"}"[..], b"{\"a\":\"\\u0001\"}", b"{}", b"\\"] {
            assert!(!holds_nul(free), "{}", String::from_utf8_lossy(free));
        }
    }
}
