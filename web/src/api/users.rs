//! `/users`: people, as staff see them. Address and contact number are shown
//! to holders of `users:read` alone.

use app::registry::{Caller, Listing, UserDraft, UserEdit, Versioned};
use axum::extract::{Extension, Path, State as Extract};
use axum::http::HeaderMap;
use axum::response::Response;
use identity::{Role, User};
use serde::Deserialize;
use serde_json::{Value, json};

use super::extract::{Act, IfMatch, Patch, Post, wanted};
use super::openapi::{a_time, a_version, also, an_id, optional};
use super::render::{self, Shown};
use crate::problem::Problem;
use crate::state::State;

impl Shown for User {
    const PATH: &'static str = "/users";
    const MEMBERS: &'static [&'static str] = &[
        "id",
        "email",
        "name",
        "state",
        "account",
        "contact_id",
        "roles",
        "locale",
        "zone",
        "created_at",
        "updated_at",
    ];
    const PATCHED: &'static [&'static str] = &["name", "contact_id", "locale", "zone"];
}

/// All roles of a person.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Roles {
    roles: Vec<Role>,
}

pub(super) async fn list(Extract(state): Extract<State>, listing: Listing) -> Result<Response, Problem> {
    render::page(state.app.list::<User>(&listing).await)
}

pub(super) async fn create(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    post: Post<UserDraft>,
) -> Result<Response, Problem> {
    let render: &(dyn Fn(&Versioned<User>) -> _ + Sync) = &render::made;
    render::answered(state.app.create_user_by_staff(&caller, &post.body, &post.repeat(render)).await, render)
}

pub(super) async fn read(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Ok(render::one(&state.app.read::<User>(&id).await??, &headers))
}

pub(super) async fn change(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    seen: IfMatch,
    Patch(patch): Patch,
) -> Result<Response, Problem> {
    let (edit, version) = render::patched::<User, UserEdit>(&state, &id, seen, patch).await?;
    Ok(render::written(render::done(&state.app.replace_user(&id, version, &edit).await??)))
}

pub(super) async fn put_roles(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    IfMatch(seen): IfMatch,
    post: Post<Roles>,
) -> Result<Response, Problem> {
    let changed = state.app.replace_roles(&caller, &id, seen, &post.body.roles).await??;
    Ok(render::written(render::done(&changed)))
}

pub(super) async fn disable(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    seen: Option<IfMatch>,
    act: Act,
) -> Result<Response, Problem> {
    let render: &(dyn Fn(&Versioned<User>) -> _ + Sync) = &render::done;
    render::answered(state.app.disable_user(&caller, &id, wanted(seen), &act.repeat(render)).await, render)
}

pub(super) async fn enable(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    seen: Option<IfMatch>,
    act: Act,
) -> Result<Response, Problem> {
    let render: &(dyn Fn(&Versioned<User>) -> _ + Sync) = &render::done;
    render::answered(state.app.enable_user(&caller, &id, wanted(seen), &act.repeat(render)).await, render)
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let roles = json!({"type": "array", "items": {"enum": ["operator", "support", "security", "auditor"]}});
    let members = json!({
        "name": {"type": "string", "minLength": 1, "maxLength": 255},
        "contact_id": {"type": "string", "maxLength": 64},
        "locale": {"type": "string", "description": "BCP 47"},
        "zone": {"type": "string", "description": "IANA time zone"},
    });
    let email = json!({"type": "string", "format": "email", "maxLength": 254});
    let draft = also(
        &members,
        json!({
            "email": email.clone(),
            "roles": roles.clone(),
        }),
    );
    let record = also(
        &draft,
        json!({
            "id": an_id(),
            "version": a_version(),
            "account": an_id(),
            "state": json!({"enum": ["unverified", "active", "disabled"]}),
            "created_at": a_time(),
            "updated_at": a_time(),
        }),
    );
    vec![
        (
            "User",
            json!({
                "type": "object", "properties": record, "additionalProperties": false,
                "required": ["id", "version", "email", "name", "state", "account", "created_at", "updated_at"],
            }),
        ),
        (
            "UserDraft",
            json!({
                "type": "object", "properties": draft, "additionalProperties": false, "required": ["email", "name"],
            }),
        ),
        ("UserPatch", optional(&members)),
        (
            "Roles",
            json!({
                "type": "object", "properties": {"roles": roles}, "additionalProperties": false, "required": ["roles"],
            }),
        ),
    ]
}
