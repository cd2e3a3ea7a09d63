//! The authorization server's routes, at the root paths. Those that clients
//! call stand on both listeners: the device listener is the one that asks for
//! certificates (`mtls_endpoint_aliases`, RFC 8705 §5).

use axum::Router;
use axum::routing::{get, post};

use crate::pages::path;
use crate::state::State;
use crate::{
    authorize, browser, device_authorization, introspection, jwks, metadata, pair, revocation, token, userinfo,
};

/// What clients call, on either listener.
pub(crate) fn client_routes() -> Router<State> {
    Router::new()
        .route("/token", post(token::answer))
        // Clients of the exchange that know another address for it.
        .route("/services/oauth2/token", post(token::answer))
        .route("/device_authorization", post(device_authorization::answer))
        .route("/introspect", post(introspection::answer))
        .route("/revoke", post(revocation::answer))
        .route("/userinfo", get(userinfo::answer).post(userinfo::answer))
}

/// What anybody may read.
pub(crate) fn public_routes(issuer: &str) -> Router<State> {
    Router::new()
        .route("/jwks", get(jwks::answer))
        .route("/id/keys", get(jwks::answer))
        .route(&oauth::metadata::authorization_server_path(issuer), get(metadata::answer))
        .route(&oauth::metadata::openid_path(issuer), get(metadata::answer))
}

/// The pages of the authorization server; a browser's own listener alone.
pub(crate) fn page_routes() -> Router<State> {
    let pages = Router::new()
        .route("/authorize", get(authorize::by_query).post(authorize::by_form))
        .route(path::CONSENT, post(authorize::consent))
        .route(path::PAIR, get(pair::form).post(pair::look))
        .route(path::PAIR_DECISION, post(pair::decide));
    pages.layer(axum::middleware::from_fn(browser::headers))
}
