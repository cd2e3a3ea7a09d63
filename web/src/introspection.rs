//! `POST /introspect` (RFC 7662 §2.1).

use axum::Json;
use axum::extract::{Request, State as Extract};
use axum::response::{IntoResponse, Response};

use crate::state::State;
use crate::token::{failed, no_store, read, refuse};

/// Tells what a token is, to those entitled.
pub(crate) async fn answer(Extract(state): Extract<State>, request: Request) -> Response {
    let request = match read(&state, request).await {
        Ok(request) => request,
        Err(refusal) => return refuse(&refusal),
    };
    match state.app.introspect(request).await {
        Ok(Ok(reply)) => (no_store(), Json(reply)).into_response(),
        Ok(Err(refusal)) => refuse(&refusal),
        Err(fault) => failed(&fault),
    }
}
