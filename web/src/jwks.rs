//! `GET /jwks` (RFC 7517): the public keys, cached shorter than a new key waits
//! before it signs.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::state::State;

/// The key set.
pub(crate) async fn answer(Extract(state): Extract<State>) -> Response {
    let keys = state.app.published_keys();
    let headers = [(header::CACHE_CONTROL, "public, max-age=300"), (header::CONTENT_TYPE, "application/jwk-set+json")];
    (headers, Json(json!({ "keys": keys }))).into_response()
}
