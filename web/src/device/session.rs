//! `POST /device/challenge`, `POST` and `DELETE /device/session`: call home.

use app::call_home::{CallHomeReply, CallHomeRequest};
use authority::Peer;
use axum::extract::State as Extract;
use axum::extract::rejection::JsonRejection;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use identity::DeviceErrorCode as Code;
use identity::rule::call_home::Claimed;
use oauth::Scope;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::DeviceRefusal;
use crate::door::{authenticate, dpop_fields};
use crate::state::State;

/// What a device says when it calls home; a claim to compare, nothing more.
#[derive(Deserialize)]
pub(super) struct Body {
    serial_number: Option<String>,
    model: Option<String>,
    firmware: Option<String>,
    scope: Option<Scope>,
    proof: Option<String>,
}

/// A challenge, also for unknown devices.
pub(super) async fn challenge(
    Extract(state): Extract<State>,
    Extension(peer): Extension<Peer>,
) -> Result<Response, Response> {
    let challenge = state.app.challenge(&peer).map_err(|refusal| DeviceRefusal(refusal).into_response())?;
    let body = json!({
        "challenge": challenge,
        "expires_in": authority::CHALLENGE_LIFE,
        "alg": ["ES256", "ES384", "EdDSA", "Ed25519", "PS256", "RS256"],
    });
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

/// Lets a device in.
pub(super) async fn open(
    Extract(state): Extract<State>,
    Extension(peer): Extension<Peer>,
    parts: Parts,
    body: Result<Json<Body>, JsonRejection>,
) -> Result<Response, Response> {
    let Json(body) = body.map_err(|rejection| DeviceRefusal::malformed(&rejection).into_response())?;
    let fields = dpop_fields(&parts.headers);
    let uri = format!("{}{}", state.origin, parts.uri.path());
    let dpop = state.app.device_proof(&fields, parts.method.as_str(), &uri).await;
    let dpop = dpop.map_err(|refusal| no_proof(&state, refusal))?;
    let claimed = Claimed { did: None, serial: body.serial_number, model: body.model, firmware: body.firmware };
    let request = CallHomeRequest { peer, proof: body.proof, dpop, claimed, scope: body.scope };
    match state.app.call_home(request).await {
        Ok(Ok(reply)) => Ok(([(header::CACHE_CONTROL, "no-store")], Json(render(&state, reply))).into_response()),
        Ok(Err(refusal)) => Err(DeviceRefusal(refusal).into_response()),
        Err(fault) => Err(DeviceRefusal::fault(&fault).into_response()),
    }
}

/// A device leaves: its session and token end.
pub(super) async fn close(Extract(state): Extract<State>, parts: Parts) -> Result<StatusCode, Response> {
    let peer = authenticate(&state, &parts).await.map_err(IntoResponse::into_response)?;
    match state.app.leave(&peer).await {
        Ok(Ok(())) => Ok(StatusCode::NO_CONTENT),
        Ok(Err(refusal)) => Err(DeviceRefusal(refusal).into_response()),
        Err(fault) => Err(DeviceRefusal::fault(&fault).into_response()),
    }
}

fn no_proof(state: &State, refusal: identity::Refusal<Code>) -> Response {
    let mut response = DeviceRefusal(refusal).into_response();
    if let Ok(nonce) = state.app.resource_nonce().parse() {
        response.headers_mut().insert("dpop-nonce", nonce);
    }
    response
}

fn render(state: &State, reply: CallHomeReply) -> Value {
    let called = reply.called;
    let mut credential = json!({ "id": called.credential.id, "kind": called.credential.kind });
    if let (Some(thumbprint), Some(members)) = (&called.certificate_thumbprint, credential.as_object_mut()) {
        members.insert("x5t#S256".into(), thumbprint.clone().into());
    }
    json!({
        "session": { "id": called.session, "expires_in": called.session_expires_at - reply.now },
        "did": called.did,
        "state": called.state,
        "credential": credential,
        "old_valid_until": called.old_valid_until,
        "access_token": reply.access_token,
        "token_type": reply.token_type,
        "expires_in": reply.expires_in,
        "scope": reply.scope,
        "next": called.next.iter().map(|next| next.as_str()).collect::<Vec<_>>(),
        "asset_id": called.title.as_ref().map(|title| title.asset.as_str()),
        "firmware_uri": format!("{}/device/firmware", state.origin),
        "now": reply.now,
    })
}
