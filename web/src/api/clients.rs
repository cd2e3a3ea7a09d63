//! `/clients`: software registered to ask for tokens, in the words of
//! RFC 7591 §2. A secret is in the answer that mints it, and nowhere else.

use app::registry::{Caller, KeptReply, Listing, MintedClient, Versioned};
use axum::extract::{Extension, Path, State as Extract};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use identity::Version;
use oauth::Client;
use oauth::registration::Metadata;
use serde_json::{Map, Value, json};

use super::extract::{Act, IfMatch, Patch, Post, parse, wanted};
use super::openapi::{a_time, a_version, also, an_id, optional};
use super::render;
use crate::problem::Problem;
use crate::state::State;

fn show(client: &Versioned<Client>) -> Value {
    let told = serde_json::to_value(Metadata::of(&client.record)).unwrap_or_default();
    let mut shown = told.as_object().cloned().unwrap_or_default();
    shown.retain(|_, value| !value.is_null());
    shown.insert("client_id".into(), json!(client.record.id));
    shown.insert("created_at".into(), json!(client.record.created_at));
    shown.insert("version".into(), json!(client.version));
    Value::Object(shown)
}

fn tag(version: Version) -> (String, String) {
    ("etag".to_owned(), format!("\"{version}\""))
}

/// With the secret where one was minted: kept replies are sealed.
fn minted(minted: &MintedClient) -> KeptReply {
    let mut body = show(&minted.client);
    if let Some(secret) = &minted.secret {
        body = also(&body, json!({ "client_secret": secret.expose() }));
    }
    KeptReply { status: 200, headers: vec![tag(minted.client.version)], body: body.to_string() }
}

fn made(new: &MintedClient) -> KeptReply {
    let mut reply = KeptReply { status: 201, ..minted(new) };
    reply.headers.push(("location".to_owned(), format!("/clients/{}", new.client.record.id)));
    reply
}

pub(super) async fn list(Extract(state): Extract<State>, listing: Listing) -> Result<Response, Problem> {
    let page = state.app.list::<Client>(&listing).await??;
    let items: Vec<Value> = page.items.iter().map(show).collect();
    Ok(render::json_answer(&json!({ "items": items, "next": page.next })))
}

pub(super) async fn create(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    post: Post<Map<String, Value>>,
) -> Result<Response, Problem> {
    let mut members = post.body.clone();
    let id = match members.remove("client_id") {
        None => None,
        Some(Value::String(id)) => Some(id),
        Some(_) => return Err(Problem::invalid("client_id", "a string")),
    };
    let metadata: Metadata = parse(Value::Object(members).to_string().as_bytes())?;
    let render: &(dyn Fn(&MintedClient) -> KeptReply + Sync) = &made;
    let created = state.app.create_client(&caller, id.as_deref(), &metadata, &post.repeat(render)).await;
    render::answered(created, render)
}

pub(super) async fn read(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let client = state.app.read::<Client>(&id).await??;
    let (name, value) = tag(client.version);
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|tags| render::names(tags, &value));
    let status = if known { 304 } else { 200 };
    let body = if known { String::new() } else { show(&client).to_string() };
    Ok(render::written(KeptReply { status, headers: vec![(name, value)], body }))
}

pub(super) async fn change(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    seen: IfMatch,
    Patch(patch): Patch,
) -> Result<Response, Problem> {
    let known = state.app.read::<Client>(&id).await??;
    render::check_seen(seen, known.version)?;
    let mut target = serde_json::to_value(Metadata::of(&known.record)).unwrap_or_default();
    render::merge(&mut target, Value::Object(patch));
    let metadata: Metadata = parse(target.to_string().as_bytes())?;
    Ok(render::written(minted(&state.app.replace_client(&caller, &id, known.version, &metadata).await??)))
}

pub(super) async fn renew_secret(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    seen: Option<IfMatch>,
    act: Act,
) -> Result<Response, Problem> {
    let render: &(dyn Fn(&MintedClient) -> KeptReply + Sync) = &minted;
    let renewed = state.app.renew_client_secret(&caller, &id, wanted(seen), &act.repeat(render)).await;
    render::answered(renewed, render)
}

pub(super) async fn delete(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    IfMatch(seen): IfMatch,
) -> Result<Response, Problem> {
    state.app.delete_client(&caller, &id, seen).await??;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let text = json!({"type": "string"});
    let truth = json!({"type": "boolean"});
    let texts = json!({"type": "array", "items": text});
    let seconds = json!({"type": "integer", "description": "Seconds"});
    let alg = json!({"enum": ["ES256", "EdDSA", "RS256"]});
    let members = json!({
        "client_name": {"type": "string", "minLength": 1, "maxLength": 100},
        "token_endpoint_auth_method": {"enum": [
            "none", "client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth",
            "self_signed_tls_client_auth"
        ]},
        "jwks": {"type": "object"},
        "tls_client_auth_subject_dn": text, "tls_client_auth_san_dns": text, "tls_client_auth_san_uri": text,
        "tls_client_auth_san_ip": text, "tls_client_auth_san_email": text,
        "redirect_uris": texts, "grant_types": texts, "scope": text, "audiences": texts,
        "dpop_bound_access_tokens": truth, "tls_client_certificate_bound_access_tokens": truth,
        "access_token_alg": alg, "id_token_signed_response_alg": alg,
        "opaque_tokens": truth, "asset_typ_jwt": truth,
        "access_token_life": seconds, "asset_token_life": seconds,
        "rights": {"type": "object", "description": "Rights beyond the standard's, each off by default"},
        "disabled": truth,
    });
    let draft = also(&members, json!({"client_id": an_id()}));
    let own = json!({"version": a_version(), "created_at": a_time()});
    let record = also(&draft, own);
    let secret = json!({"client_secret": {"type": "string", "description": "Shown this once"}});
    let required = json!(["client_id", "version", "client_name", "token_endpoint_auth_method", "grant_types", "scope"]);
    vec![
        (
            "Client",
            json!({"type": "object", "properties": record, "additionalProperties": false, "required": required}),
        ),
        (
            "MintedClient",
            json!({
                "type": "object", "properties": also(&record, secret), "additionalProperties": false,
                "required": required,
            }),
        ),
        (
            "ClientDraft",
            json!({
                "type": "object", "properties": draft, "additionalProperties": false, "required": ["client_name"],
            }),
        ),
        ("ClientPatch", optional(&members)),
    ]
}
