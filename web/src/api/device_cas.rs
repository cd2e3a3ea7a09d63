//! `/device-cas`: certificate authorities whose devices are admitted.

use app::registry::{Caller, Listing, TrustAnchorDraft, TrustAnchorEdit, Versioned};
use axum::extract::{Extension, Path, State as Extract};
use axum::http::HeaderMap;
use axum::response::Response;
use identity::TrustAnchor;
use serde_json::{Value, json};

use super::extract::{IfMatch, Patch, Post};
use super::openapi::{a_version, an_id, optional};
use super::render::{self, Shown};
use crate::problem::Problem;
use crate::state::State;

impl Shown for TrustAnchor {
    const PATH: &'static str = "/device-cas";
    const MEMBERS: &'static [&'static str] = &["id", "product", "name", "certificate", "thumbprint", "state"];
    const PATCHED: &'static [&'static str] = &["name", "state"];
}

pub(super) async fn list(Extract(state): Extract<State>, listing: Listing) -> Result<Response, Problem> {
    render::page(state.app.list::<TrustAnchor>(&listing).await)
}

pub(super) async fn create(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    post: Post<TrustAnchorDraft>,
) -> Result<Response, Problem> {
    let render: &(dyn Fn(&Versioned<TrustAnchor>) -> _ + Sync) = &render::made;
    render::answered(state.app.create_trust_anchor(&caller, &post.body, &post.repeat(render)).await, render)
}

pub(super) async fn read(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Ok(render::one(&state.app.read::<TrustAnchor>(&id).await??, &headers))
}

pub(super) async fn change(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    seen: IfMatch,
    Patch(patch): Patch,
) -> Result<Response, Problem> {
    let (edit, version) = render::patched::<TrustAnchor, TrustAnchorEdit>(&state, &id, seen, patch).await?;
    let changed = state.app.replace_trust_anchor(&caller, &id, version, &edit).await??;
    Ok(render::written(render::done(&changed)))
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let name = json!({"type": "string", "maxLength": 255});
    let state = json!({"enum": ["trusted", "disabled"]});
    vec![
        (
            "DeviceCa",
            json!({
                "type": "object",
                "properties": {
                    "id": an_id(), "version": a_version(), "product": an_id(), "name": name, "state": state,
                    "certificate": {"type": "string", "description": "DER in base64url"},
                    "thumbprint": {"type": "string", "description": "SHA-256 of the DER in base64url"},
                },
                "additionalProperties": false,
                "required": ["id", "version", "product", "name", "certificate", "thumbprint", "state"],
            }),
        ),
        (
            "DeviceCaDraft",
            json!({
                "type": "object",
                "properties": {
                    "certificate": {"type": "string", "description": "PEM, or DER in base64"},
                    "product": {"type": "string", "description": "The model, or the id of the product"},
                    "name": name,
                },
                "additionalProperties": false,
                "required": ["certificate", "product"],
            }),
        ),
        ("DeviceCaPatch", optional(&json!({"name": name, "state": state}))),
    ]
}
