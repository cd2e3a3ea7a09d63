//! `GET` and `POST /userinfo` (OIDC Core §5.3).

use axum::Json;
use axum::extract::State as Extract;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use crate::door::{DoorRefusal, authenticate};
use crate::state::State;
use crate::token::{failed, no_store};

/// Tells about the person the token speaks of.
pub(crate) async fn answer(Extract(state): Extract<State>, parts: Parts) -> Response {
    let peer = match authenticate(&state, &parts).await {
        Ok(peer) => peer,
        Err(refusal) => return refusal.into_response(),
    };
    match state.app.userinfo(&peer).await {
        Ok(Ok(claims)) => (no_store(), Json(claims)).into_response(),
        Ok(Err(refusal)) => DoorRefusal::of(refusal).into_response(),
        Err(fault) => failed(&fault),
    }
}
