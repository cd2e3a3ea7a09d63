//! `/accounts`: households and organisations.

use app::registry::{AccountDraft, Caller, Listing, Versioned};
use axum::extract::{Extension, Path, State as Extract};
use axum::http::HeaderMap;
use axum::response::Response;
use identity::Account;
use serde_json::{Value, json};

use super::extract::{Act, IfMatch, Patch, Post, wanted};
use super::openapi::{a_time, a_version, also, an_id, optional};
use super::render::{self, Shown};
use crate::problem::Problem;
use crate::state::State;

impl Shown for Account {
    const PATH: &'static str = "/accounts";
    const MEMBERS: &'static [&'static str] = &["id", "kind", "name", "external_id", "closed", "created_at"];
    const PATCHED: &'static [&'static str] = &["kind", "name", "external_id"];
}

pub(super) async fn list(Extract(state): Extract<State>, listing: Listing) -> Result<Response, Problem> {
    render::page(state.app.list::<Account>(&listing).await)
}

pub(super) async fn create(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    post: Post<AccountDraft>,
) -> Result<Response, Problem> {
    let render: &(dyn Fn(&Versioned<Account>) -> _ + Sync) = &render::made;
    render::answered(state.app.create_account(&caller, &post.body, &post.repeat(render)).await, render)
}

pub(super) async fn read(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Ok(render::one(&state.app.read::<Account>(&id).await??, &headers))
}

pub(super) async fn change(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    seen: IfMatch,
    Patch(patch): Patch,
) -> Result<Response, Problem> {
    let (draft, version) = render::patched::<Account, AccountDraft>(&state, &id, seen, patch).await?;
    Ok(render::written(render::done(&state.app.replace_account(&id, version, &draft).await??)))
}

pub(super) async fn close(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    seen: Option<IfMatch>,
    act: Act,
) -> Result<Response, Problem> {
    let render: &(dyn Fn(&Versioned<Account>) -> _ + Sync) = &render::done;
    render::answered(state.app.close_account(&caller, &id, wanted(seen), &act.repeat(render)).await, render)
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let members = json!({
        "kind": {"enum": ["household", "organisation"], "description": "Never changes"},
        "name": {"type": "string", "minLength": 1, "maxLength": 255},
        "external_id": {"type": "string", "maxLength": 128},
    });
    let record = also(
        &members,
        json!({
            "id": an_id(),
            "version": a_version(),
            "closed": json!({"type": "boolean"}),
            "created_at": a_time(),
        }),
    );
    vec![
        (
            "Account",
            json!({
                "type": "object", "properties": record, "additionalProperties": false,
                "required": ["id", "version", "kind", "name", "created_at"],
            }),
        ),
        (
            "AccountDraft",
            json!({
                "type": "object", "properties": members, "additionalProperties": false, "required": ["kind", "name"],
            }),
        ),
        ("AccountPatch", optional(&members)),
    ]
}
