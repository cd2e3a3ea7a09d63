//! `GET /time`: for devices without a clock; signed where asked for.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::error::DeviceRefusal;
use crate::state::State;

/// The time in seconds; a JWT for `Accept: application/jwt`.
pub(super) async fn read(Extract(state): Extract<State>, headers: HeaderMap) -> Response {
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    let wants_jwt = headers.get(header::ACCEPT).is_some_and(|accept| accept == "application/jwt");
    if !wants_jwt {
        return (no_store, Json(json!({ "now": state.app.now() }))).into_response();
    }
    match state.app.signed_time() {
        Ok(token) => (no_store, [(header::CONTENT_TYPE, "application/jwt")], token).into_response(),
        Err(fault) => DeviceRefusal::fault(&fault).into_response(),
    }
}
