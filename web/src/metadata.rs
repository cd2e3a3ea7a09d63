//! The documents of RFC 8414 §3 and OpenID Connect Discovery §4.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::state::State;

/// The same document in both places.
pub(crate) async fn answer(Extract(state): Extract<State>) -> Response {
    let document = oauth::metadata::document(state.app.tenant());
    ([(header::CACHE_CONTROL, "public, max-age=300")], Json(document)).into_response()
}
