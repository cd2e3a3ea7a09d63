//! `POST /token` (RFC 6749 §3.2) and how every no of the token endpoint and its
//! neighbours looks.

use app::Fault;
use app::token::{TokenAnswer, TokenRefusal, TokenRequest};
use authority::Peer;
use axum::Extension;
use axum::Json;
use axum::extract::State as Extract;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use oauth::{ErrorCode, OAuthRefusal};
use serde_json::{Map, Value, json};

use crate::door::dpop_fields;
use crate::state::State;

/// Room for two tokens of the largest size.
const MAX_BODY: usize = 64 * 1024;

/// Answers a token request.
pub(crate) async fn answer(
    Extract(state): Extract<State>,
    Extension(peer): Extension<Peer>,
    parts: Parts,
    body: axum::body::Body,
) -> Response {
    let request = match read(&state, &parts, peer, body).await {
        Ok(request) => request,
        Err(refusal) => return refuse(&refusal),
    };
    match state.app.token(request).await {
        Ok(Ok(answer)) => render(&answer),
        Ok(Err(refusal)) => refuse(&refusal),
        Err(fault) => failed(&fault),
    }
}

/// Reads a form of the token endpoint or a neighbour. Parameters never come in
/// the query (RFC 6749 §3.2), the body is a form and nothing else.
pub(crate) async fn read(
    state: &State,
    parts: &Parts,
    peer: Peer,
    body: axum::body::Body,
) -> Result<TokenRequest, TokenRefusal> {
    let bad = |reason| TokenRefusal {
        refusal: OAuthRefusal::new(ErrorCode::InvalidRequest, reason),
        basic: false,
        nonce: None,
    };
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let essence = kind.split(';').next().unwrap_or("").trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(bad("content_type"));
    }
    let bytes = axum::body::to_bytes(body, MAX_BODY).await.map_err(|_| bad("body_too_large"))?;
    let pairs = bytes.split(|byte| *byte == b'&').flat_map(pair).collect();
    let mut fields = parts.headers.get_all(header::AUTHORIZATION).iter();
    let (authorization, another) = (fields.next(), fields.next());
    if another.is_some() {
        return Err(bad("authorization_repeated"));
    }
    let authorization = authorization.map(|field| field.to_str().unwrap_or("").to_owned());
    let proofs = dpop_fields(&parts.headers).into_iter().map(str::to_owned).collect();
    let uri = format!("{}{}", state.origin, parts.uri.path());
    Ok(TokenRequest { pairs, authorization, proofs, uri, peer })
}

/// One pair of a form. What is written plainly, as tokens are, needs no decoding.
fn pair(text: &[u8]) -> Option<(String, String)> {
    let plain = text.iter().all(|byte| byte.is_ascii() && !matches!(byte, b'%' | b'+'));
    match core::str::from_utf8(text).ok().filter(|_| plain).and_then(|text| text.split_once('=')) {
        Some((name, value)) => Some((name.to_owned(), value.to_owned())),
        None => url::form_urlencoded::parse(text).next().map(|(name, value)| (name.into_owned(), value.into_owned())),
    }
}

fn render(answer: &TokenAnswer) -> Response {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| {
        members.insert(name.to_owned(), value);
    };
    put("access_token", answer.access_token.clone().into());
    put("token_type", answer.token_type.into());
    put("expires_in", answer.expires_in.into());
    put("scope", answer.scope.to_string().into());
    if let Some(token) = &answer.refresh_token {
        put("refresh_token", token.expose().clone().into());
    }
    if let Some(token) = &answer.id_token {
        put("id_token", token.clone().into());
    }
    if let Some(kind) = &answer.issued_token_type {
        put("issued_token_type", kind.clone().into());
    }
    if let Some(details) = &answer.authorization_details {
        put("authorization_details", details.clone());
    }
    (no_store(), Json(Value::Object(members))).into_response()
}

/// RFC 6749 §5.1 wants both.
pub(crate) fn no_store() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    headers
}

/// A no, as RFC 6749 §5.2 says.
pub(crate) fn refuse(refusal: &TokenRefusal) -> Response {
    let OAuthRefusal { code, reason } = refusal.refusal;
    tracing::info!(%code, reason, "token_refused");
    let mut headers = no_store();
    if refusal.basic && code == ErrorCode::InvalidClient {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"keyfob\""));
    }
    if let Some(nonce) = refusal.nonce.as_deref().and_then(|nonce| HeaderValue::from_str(nonce).ok()) {
        headers.insert(HeaderName::from_static("dpop-nonce"), nonce);
    }
    if code == ErrorCode::TemporarilyUnavailable {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = json!({ "error": code.as_str(), "error_description": code.description() });
    (status, headers, Json(body)).into_response()
}

/// A fault of ours.
pub(crate) fn failed(fault: &Fault) -> Response {
    tracing::error!(cause = %fault, "token_endpoint_fault");
    let code = if fault.is_passing() { ErrorCode::TemporarilyUnavailable } else { ErrorCode::ServerError };
    refuse(&TokenRefusal { refusal: OAuthRefusal::new(code, "fault"), basic: false, nonce: None })
}
