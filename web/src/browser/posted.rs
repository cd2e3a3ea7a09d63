//! A form's post: from a page of ours, with the token of this very browser. A
//! handler that takes one of these cannot forget to check.

use axum::Form;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::origin;
use super::visitor::{SignedIn, Visitor};
use crate::pages::Outcome;
use crate::state::State;

/// More than any form of ours holds.
const FORM: usize = 16 * 1_024;
/// A passkey's answer with its attestation.
const JSON: usize = 64 * 1_024;

/// A form posted by anybody.
pub struct Posted<T> {
    /// The browser.
    pub visitor: Visitor,
    /// What was written.
    pub form: T,
}

/// A form posted by somebody who is signed in.
pub struct PostedBy<T> {
    /// Who.
    pub by: SignedIn,
    /// What was written.
    pub form: T,
}

/// What a script of ours posts, with its token in the field `X-CSRF`.
pub struct PostedJson<T> {
    /// The browser.
    pub visitor: Visitor,
    /// What was sent.
    pub body: T,
}

#[derive(Deserialize)]
struct WithToken<T> {
    #[serde(default)]
    csrf: String,
    #[serde(flatten)]
    fields: T,
}

impl<T: DeserializeOwned> FromRequest<State> for Posted<T> {
    type Rejection = Response;
    async fn from_request(request: Request, state: &State) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let visitor = Visitor::of(state, &parts).await?;
        let form = read(state, &visitor, parts, body).await?;
        Ok(Self { visitor, form })
    }
}

impl<T: DeserializeOwned> FromRequest<State> for PostedBy<T> {
    type Rejection = Response;
    async fn from_request(request: Request, state: &State) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let by = SignedIn::require(state, &parts).await?;
        let form = read(state, &by.visitor, parts, body).await?;
        Ok(Self { by, form })
    }
}

impl<T: DeserializeOwned> FromRequest<State> for PostedJson<T> {
    type Rejection = Response;
    async fn from_request(request: Request, state: &State) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let refused = |reason| {
            tracing::info!(reason, "script_post_refused");
            (StatusCode::FORBIDDEN, axum::Json(serde_json::json!({ "error": "page_too_old" }))).into_response()
        };
        let visitor = Visitor::of(state, &parts).await?;
        origin::check(&parts.headers, &state.origin).map_err(refused)?;
        let token = parts.headers.get("x-csrf").and_then(|token| token.to_str().ok()).unwrap_or_default();
        if !visitor.is_own_form(token) {
            return Err(refused("form_token"));
        }
        let is_json =
            parts.headers.get(header::CONTENT_TYPE).is_some_and(|it| it.as_bytes().starts_with(b"application/json"));
        let bytes = axum::body::to_bytes(body, JSON).await.map_err(|_| refused("body_too_large"))?;
        let body = if is_json { serde_json::from_slice(&bytes).ok() } else { None };
        Ok(Self { visitor, body: body.ok_or_else(|| refused("body_malformed"))? })
    }
}

async fn read<T: DeserializeOwned>(
    state: &State,
    visitor: &Visitor,
    parts: Parts,
    body: axum::body::Body,
) -> Result<T, Response> {
    let refused = |reason| {
        tracing::info!(reason, "form_refused");
        visitor.notice(Outcome::PageTooOld)
    };
    origin::check(&parts.headers, &state.origin).map_err(refused)?;
    let bytes: Bytes = axum::body::to_bytes(body, FORM).await.map_err(|_| refused("body_too_large"))?;
    let request = Request::from_parts(parts, axum::body::Body::from(bytes));
    let Form(posted) =
        Form::<WithToken<T>>::from_request(request, state).await.map_err(|_| refused("form_malformed"))?;
    if !visitor.is_own_form(&posted.csrf) {
        return Err(refused("form_token"));
    }
    Ok(posted.fields)
}
