//! `POST /token` (RFC 6749 §3.2) and how every no of the token endpoint and its
//! neighbours looks.

use app::Fault;
use app::token::{TokenAnswer, TokenRefusal, TokenRequest};
use authority::Peer;
use axum::Json;
use axum::extract::{Request, State as Extract};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use oauth::{ErrorCode, OAuthRefusal, Scope};
use serde::Serialize;
use serde_json::{Value, json};

use crate::door::dpop_fields;
use crate::state::State;

/// Every listener says who is connected.
const NO_PEER: OAuthRefusal = OAuthRefusal::new(ErrorCode::ServerError, "no_peer");

/// Room for two tokens of the largest size.
const MAX_BODY: usize = 64 * 1024;

/// Answers a token request.
pub(crate) async fn answer(Extract(state): Extract<State>, request: Request) -> Response {
    let request = match read(&state, request).await {
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
pub(crate) async fn read(state: &State, request: Request) -> Result<TokenRequest, TokenRefusal> {
    let (mut parts, body) = request.into_parts();
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
    let peer = parts.extensions.remove::<Peer>();
    let peer = peer.ok_or(TokenRefusal { refusal: NO_PEER, basic: false, nonce: None })?;
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

/// The answer as JSON (RFC 6749 §5.1, RFC 8693 §2.2.1).
#[derive(Serialize)]
struct Rendered<'a> {
    access_token: &'a str,
    token_type: &'a str,
    expires_in: i64,
    scope: &'a Scope,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_details: Option<&'a Value>,
}

fn render(answer: &TokenAnswer) -> Response {
    let rendered = Rendered {
        access_token: &answer.access_token,
        token_type: answer.token_type,
        expires_in: answer.expires_in,
        scope: &answer.scope,
        refresh_token: answer.refresh_token.as_ref().map(|token| token.expose().as_str()),
        id_token: answer.id_token.as_deref(),
        issued_token_type: answer.issued_token_type.as_deref(),
        authorization_details: answer.authorization_details.as_ref(),
    };
    (no_store(), Json(rendered)).into_response()
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
