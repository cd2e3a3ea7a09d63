//! What stands on which listener.

use axum::Router;

use crate::oauth_routes::{client_routes, page_routes, public_routes};
use crate::state::State;

/// The listener of people and clients: it never asks for a certificate.
pub fn people_router(state: State) -> Router {
    let issuer = state.app.tenant().issuer.clone();
    let pages = crate::portal::routes().merge(page_routes());
    let api = crate::api::routes(&state);
    Router::new().merge(client_routes()).merge(public_routes(&issuer)).merge(pages).merge(api).with_state(state)
}

/// The listener of devices: it requests certificates. What a device says about
/// itself stands here alone; the API stands here too, for services whose token is
/// bound to their certificate (RFC 8705 §3), which they can show nowhere else.
pub fn device_router(state: State) -> Router {
    let issuer = state.app.tenant().issuer.clone();
    let own = crate::device::routes().merge(crate::api::routes(&state));
    Router::new().merge(own).merge(client_routes()).merge(public_routes(&issuer)).with_state(state)
}
