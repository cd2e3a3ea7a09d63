//! `POST /revoke` (RFC 7009 §2.1).

use axum::extract::{Request, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::state::State;
use crate::token::{failed, no_store, read, refuse};

/// Ends a token; 200 also for one nobody knows.
pub(crate) async fn answer(Extract(state): Extract<State>, request: Request) -> Response {
    let request = match read(&state, request).await {
        Ok(request) => request,
        Err(refusal) => return refuse(&refusal),
    };
    match state.app.revoke(request).await {
        Ok(Ok(())) => (StatusCode::OK, no_store()).into_response(),
        Ok(Err(refusal)) => refuse(&refusal),
        Err(fault) => failed(&fault),
    }
}
