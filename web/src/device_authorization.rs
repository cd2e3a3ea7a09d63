//! `POST /device_authorization` (RFC 8628 §3.1).

use axum::Json;
use axum::extract::{Request, State as Extract};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::state::State;
use crate::token::{failed, no_store, read, refuse};

/// Begins a pairing.
pub(crate) async fn answer(Extract(state): Extract<State>, request: Request) -> Response {
    let request = match read(&state, request).await {
        Ok(request) => request,
        Err(refusal) => return refuse(&refusal),
    };
    let begun = match state.app.begin_pairing(request).await {
        Ok(Ok(begun)) => begun,
        Ok(Err(refusal)) => return refuse(&refusal),
        Err(fault) => return failed(&fault),
    };
    let page = format!("{}/pair", state.app.tenant().issuer);
    let body = json!({
        "device_code": begun.device_code.expose(),
        "user_code": begun.user_code,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={}", begun.user_code),
        "expires_in": begun.pairing.expires_at - begun.pairing.created_at,
        "interval": begun.pairing.interval,
    });
    (no_store(), Json(body)).into_response()
}
