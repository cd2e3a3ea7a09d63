//! `GET /device/credentials`: what a device can prove itself with.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::error::DeviceRefusal;
use crate::door::authenticate;
use crate::state::State;

/// The device's own credentials.
pub(super) async fn list(Extract(state): Extract<State>, parts: Parts) -> Result<Response, Response> {
    let peer = authenticate(&state, &parts).await.map_err(IntoResponse::into_response)?;
    match state.app.own_credentials(&peer).await {
        Ok(Ok(credentials)) => {
            let list: Vec<_> = credentials
                .iter()
                .map(|credential| {
                    json!({
                        "id": credential.id,
                        "kind": credential.kind,
                        "state": credential.state,
                        "key_thumbprint": credential.key_thumbprint,
                        "x5t#S256": credential.certificate.as_ref().map(|facts| &facts.thumbprint),
                        "until": credential.until,
                        "not_after": credential.certificate.as_ref().map(|facts| facts.not_after),
                    })
                })
                .collect();
            Ok(([(header::CACHE_CONTROL, "no-store")], Json(json!({ "credentials": list }))).into_response())
        }
        Ok(Err(refusal)) => Err(DeviceRefusal(refusal).into_response()),
        Err(fault) => Err(DeviceRefusal::fault(&fault).into_response()),
    }
}
