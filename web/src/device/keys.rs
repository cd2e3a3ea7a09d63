//! `POST /device/keys`: a device hands in its next key.

use axum::Json;
use axum::extract::State as Extract;
use axum::extract::rejection::JsonRejection;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::DeviceRefusal;
use crate::door::authenticate;
use crate::state::State;

/// The new key, and what it signed.
#[derive(Deserialize)]
pub(super) struct Body {
    jwk: Value,
    proof: String,
}

/// Stages it; the same request again is answered alike.
pub(super) async fn stage(
    Extract(state): Extract<State>,
    parts: Parts,
    body: Result<Json<Body>, JsonRejection>,
) -> Result<Response, Response> {
    let peer = authenticate(&state, &parts).await.map_err(IntoResponse::into_response)?;
    let Json(body) = body.map_err(|rejection| DeviceRefusal::malformed(&rejection).into_response())?;
    match state.app.stage_key(&peer, &body.jwk, &body.proof).await {
        Ok(Ok(key)) => {
            let body = json!({ "kid": key.key_thumbprint, "state": key.state, "drop_at": key.until });
            Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
        }
        Ok(Err(refusal)) => Err(DeviceRefusal(refusal).into_response()),
        Err(fault) => Err(DeviceRefusal::fault(&fault).into_response()),
    }
}
