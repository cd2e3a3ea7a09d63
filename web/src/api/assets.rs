//! `/assets`: titles, devices as owned by an account.

use app::registry::{AssetDraft, Listing};
use axum::extract::{Path, State as Extract};
use axum::http::HeaderMap;
use axum::response::Response;
use identity::Asset;
use serde_json::{Value, json};

use super::extract::{IfMatch, Patch};
use super::openapi::{a_time, a_version, also, an_id, optional};
use super::render::{self, Shown};
use crate::problem::Problem;
use crate::state::State;

impl Shown for Asset {
    const PATH: &'static str = "/assets";
    const MEMBERS: &'static [&'static str] = &[
        "id",
        "device",
        "account",
        "name",
        "room",
        "contact_id",
        "registered_by",
        "client",
        "possession",
        "key_thumbprint",
        "attributes",
        "opened_at",
        "closed_at",
    ];
    const PATCHED: &'static [&'static str] = &["name", "room", "contact_id"];
}

pub(super) async fn list(Extract(state): Extract<State>, listing: Listing) -> Result<Response, Problem> {
    render::page(state.app.list::<Asset>(&listing).await)
}

pub(super) async fn read(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Ok(render::one(&state.app.read::<Asset>(&id).await??, &headers))
}

pub(super) async fn change(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    seen: IfMatch,
    Patch(patch): Patch,
) -> Result<Response, Problem> {
    let (draft, version) = render::patched::<Asset, AssetDraft>(&state, &id, seen, patch).await?;
    Ok(render::written(render::done(&state.app.replace_asset(&id, version, &draft).await??)))
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let text = json!({"type": "string", "minLength": 1, "maxLength": 255});
    let members = json!({"name": text, "room": text, "contact_id": text});
    let record = also(
        &members,
        json!({
            "id": an_id(),
            "version": a_version(),
            "device": an_id(),
            "account": an_id(),
            "registered_by": an_id(),
            "client": an_id(),
            "possession": json!({"enum": ["proved", "none"]}),
            "key_thumbprint": json!({"type": "string"}),
            "attributes": json!({"type": "object"}),
            "opened_at": a_time(),
            "closed_at": a_time(),
        }),
    );
    vec![
        (
            "Asset",
            json!({
                "type": "object", "properties": record, "additionalProperties": false,
                "required": ["id", "version", "device", "account", "name", "possession", "opened_at"],
            }),
        ),
        ("AssetPatch", optional(&members)),
    ]
}
