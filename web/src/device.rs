//! What a device says about itself: `/device/*` and `/time`, on the listener
//! that requests certificates.

mod credentials;
mod error;
mod firmware;
mod keys;
pub mod range;
mod session;
mod time;

use axum::Router;
use axum::routing::{get, post};

use crate::state::State;

/// The routes of the device listener that are a device's own.
pub fn routes() -> Router<State> {
    Router::new()
        .route("/time", get(time::read))
        .route("/device/challenge", post(session::challenge))
        .route("/device/session", post(session::open).delete(session::close))
        .route("/device/credentials", get(credentials::list))
        .route("/device/keys", post(keys::stage))
        .route("/device/firmware", get(firmware::download))
}
