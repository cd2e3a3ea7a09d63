//! `POST /introspect` (RFC 7662 §2.1).

use authority::Peer;
use axum::extract::State as Extract;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};

use crate::state::State;
use crate::token::{failed, no_store, read, refuse};

/// Tells what a token is, to those entitled.
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
    match state.app.introspect(request).await {
        Ok(Ok(reply)) => (no_store(), Json(reply)).into_response(),
        Ok(Err(refusal)) => refuse(&refusal),
        Err(fault) => failed(&fault),
    }
}
