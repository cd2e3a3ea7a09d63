//! `/bonds`: what ties holders to assets and accounts.

use app::registry::{Caller, Listing, Versioned};
use axum::extract::{Extension, Path, State as Extract};
use axum::http::HeaderMap;
use axum::response::Response;
use identity::Bond;
use serde_json::{Value, json};

use super::extract::{Act, IfMatch, wanted};
use super::openapi::{a_time, a_version, an_id};
use super::render::{self, Shown};
use crate::problem::Problem;
use crate::state::State;

impl Shown for Bond {
    const PATH: &'static str = "/bonds";
    const MEMBERS: &'static [&'static str] = &[
        "id",
        "holder",
        "target",
        "role",
        "scopes",
        "not_before",
        "not_after",
        "origin",
        "parent",
        "state",
        "created_at",
        "ended_at",
    ];
    const PATCHED: &'static [&'static str] = &[];
}

pub(super) async fn list(Extract(state): Extract<State>, listing: Listing) -> Result<Response, Problem> {
    render::page(state.app.list::<Bond>(&listing).await)
}

pub(super) async fn read(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Ok(render::one(&state.app.read::<Bond>(&id).await??, &headers))
}

pub(super) async fn end(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    seen: Option<IfMatch>,
    act: Act,
) -> Result<Response, Problem> {
    let render: &(dyn Fn(&Versioned<Bond>) -> _ + Sync) = &render::done;
    render::answered(state.app.end_bond_by_staff(&caller, &id, wanted(seen), &act.repeat(render)).await, render)
}

pub(super) async fn resume(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    seen: Option<IfMatch>,
    act: Act,
) -> Result<Response, Problem> {
    let render: &(dyn Fn(&Versioned<Bond>) -> _ + Sync) = &render::done;
    render::answered(state.app.resume_bond_by_staff(&caller, &id, wanted(seen), &act.repeat(render)).await, render)
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let party = |kinds: Value| {
        json!({
            "type": "object",
            "properties": {"kind": {"enum": kinds}, "id": an_id()},
            "additionalProperties": false,
            "required": ["kind", "id"],
        })
    };
    vec![(
        "Bond",
        json!({
            "type": "object",
            "properties": {
                "id": an_id(), "version": a_version(),
                "holder": party(json!(["user", "device", "service"])),
                "target": party(json!(["asset", "account"])),
                "role": {"enum": ["owner", "co-owner", "member", "child", "guest"]},
                "scopes": {"type": "array", "items": {"type": "string"}},
                "not_before": a_time(), "not_after": a_time(),
                "origin": {"enum": ["exchange", "pairing", "sign-up", "staff"]},
                "parent": an_id(),
                "state": {"enum": ["active", "suspended", "ended"]},
                "created_at": a_time(), "ended_at": a_time(),
            },
            "additionalProperties": false,
            "required": ["id", "version", "holder", "target", "role", "origin", "state", "created_at"],
        }),
    )]
}
