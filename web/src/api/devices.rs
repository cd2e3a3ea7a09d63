//! `/devices`: what others say about devices. What a device says about itself
//! goes to `/device`.

use app::registry::{Caller, CredentialDraft, DeviceDraft, DeviceKey, Listing, Versioned};
use axum::extract::{Extension, Path, State as Extract};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use identity::{Credential, Device, ProblemCode};
use serde_json::{Value, json};

use super::extract::{Act, IfMatch, Patch, Post, Query, wanted};
use super::openapi::{a_time, a_version, also, an_id, optional};
use super::render::{self, Shown};
use crate::problem::Problem;
use crate::state::State;

impl Shown for Device {
    const PATH: &'static str = "/devices";
    const MEMBERS: &'static [&'static str] = &[
        "id",
        "product",
        "serial",
        "external_id",
        "mac",
        "name",
        "place",
        "attributes",
        "state",
        "resumes_to",
        "pending",
        "created_at",
    ];
    const PATCHED: &'static [&'static str] = &["serial", "external_id", "mac", "name", "place", "attributes"];
}

/// A credential as it is listed; the record itself is of no collection of its own.
const CREDENTIAL: [&str; 7] = ["id", "device", "kind", "state", "key_thumbprint", "jwk", "created_at"];

type Rendered<T> = dyn Fn(&Versioned<T>) -> app::registry::KeptReply + Sync;

pub(super) async fn list(Extract(state): Extract<State>, mut query: Query) -> Result<Response, Problem> {
    let key = look_up(&mut query)?;
    let listing = query.take_listing()?;
    query.end()?;
    let Some(key) = key else { return render::page(state.app.list::<Device>(&listing).await) };
    if listing != Listing::default() {
        return Err(Problem::invalid("filter", "an identifier stands alone"));
    }
    let items = match state.app.find_device(key).await? {
        Ok(device) => vec![render::show(&device)],
        Err(refused) if refused.code == ProblemCode::NotFound => Vec::new(),
        Err(refused) => return Err(refused.into()),
    };
    Ok(render::json_answer(&json!({ "items": items, "next": null })))
}

/// The one identifier that is asked for, if one is.
fn look_up(query: &mut Query) -> Result<Option<DeviceKey>, Problem> {
    let model = query.take("model");
    let mut keys = vec![
        query.take("external_id").map(DeviceKey::ExternalId),
        query.take("mac").map(|mac| DeviceKey::Mac(mac.to_ascii_lowercase())),
        query.take("certificate_thumbprint").map(DeviceKey::CertificateThumbprint),
        query.take("key_thumbprint").map(DeviceKey::KeyThumbprint),
    ];
    let serial = query.take("serial");
    if model.is_some() && serial.is_none() {
        return Err(Problem::invalid("model", "only beside serial; filter by product otherwise"));
    }
    keys.push(serial.map(|serial| DeviceKey::Serial { model, serial }));
    let mut keys = keys.into_iter().flatten();
    match (keys.next(), keys.next()) {
        (key, None) => Ok(key),
        _ => Err(Problem::invalid("serial", "one identifier at a time")),
    }
}

pub(super) async fn create(Extract(state): Extract<State>, post: Post<DeviceDraft>) -> Result<Response, Problem> {
    let render: &Rendered<Device> = &render::made;
    render::answered(state.app.create_device(&post.body, &post.repeat(render)).await, render)
}

pub(super) async fn read(
    Extract(state): Extract<State>,
    Path(did): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Ok(render::one(&state.app.read::<Device>(&did).await??, &headers))
}

pub(super) async fn change(
    Extract(state): Extract<State>,
    Path(did): Path<String>,
    seen: IfMatch,
    Patch(patch): Patch,
) -> Result<Response, Problem> {
    let (draft, version) = render::patched::<Device, DeviceDraft>(&state, &did, seen, patch).await?;
    let changed = state.app.replace_device(&did, version, &draft).await??;
    Ok(render::written(render::done(&changed)))
}

pub(super) async fn suspend(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(did): Path<String>,
    seen: Option<IfMatch>,
    act: Act,
) -> Result<Response, Problem> {
    let render: &Rendered<Device> = &render::done;
    render::answered(state.app.suspend_device(&caller, &did, wanted(seen), &act.repeat(render)).await, render)
}

pub(super) async fn resume(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(did): Path<String>,
    seen: Option<IfMatch>,
    act: Act,
) -> Result<Response, Problem> {
    let render: &Rendered<Device> = &render::done;
    render::answered(state.app.resume_device(&caller, &did, wanted(seen), &act.repeat(render)).await, render)
}

pub(super) async fn approve(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(did): Path<String>,
    seen: Option<IfMatch>,
    act: Act,
) -> Result<Response, Problem> {
    let render: &Rendered<Device> = &render::done;
    render::answered(state.app.approve_device(&caller, &did, wanted(seen), &act.repeat(render)).await, render)
}

pub(super) async fn retire(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(did): Path<String>,
    seen: Option<IfMatch>,
    act: Act,
) -> Result<Response, Problem> {
    let render: &Rendered<Device> = &render::done;
    render::answered(state.app.retire_device(&caller, &did, wanted(seen), &act.repeat(render)).await, render)
}

fn show_credential(versioned: &Versioned<Credential>) -> Value {
    let mut shown = serde_json::Map::new();
    if let Ok(Value::Object(all)) = serde_json::to_value(&versioned.record) {
        let certificate = all.get("certificate").cloned().unwrap_or(Value::Null);
        shown.extend(all.into_iter().filter(|(name, _)| CREDENTIAL.contains(&name.as_str())));
        if let Value::Object(facts) = certificate {
            let outer = |name: &str| if name == "thumbprint" { "x5t#S256".to_owned() } else { name.to_owned() };
            shown.insert("certificate".into(), facts.into_iter().map(|(name, value)| (outer(&name), value)).collect());
        }
    }
    shown.insert("version".into(), json!(versioned.version));
    Value::Object(shown)
}

fn credential_reply(versioned: &Versioned<Credential>) -> app::registry::KeptReply {
    let headers = vec![("etag".to_owned(), format!("\"{}\"", versioned.version))];
    app::registry::KeptReply { status: 200, headers, body: show_credential(versioned).to_string() }
}

fn credential_made(versioned: &Versioned<Credential>) -> app::registry::KeptReply {
    app::registry::KeptReply { status: 201, ..credential_reply(versioned) }
}

pub(super) async fn credentials(Extract(state): Extract<State>, Path(did): Path<String>) -> Result<Response, Problem> {
    let credentials = state.app.device_credentials(&did).await??;
    let items: Vec<Value> = credentials.iter().map(show_credential).collect();
    Ok(render::json_answer(&json!({ "items": items, "next": null })))
}

pub(super) async fn add_credential(
    Extract(state): Extract<State>,
    Path(did): Path<String>,
    post: Post<CredentialDraft>,
) -> Result<Response, Problem> {
    let render: &Rendered<Credential> = &credential_made;
    render::answered(state.app.add_credential(&did, &post.body, &post.repeat(render)).await, render)
}

pub(super) async fn revoke_credential(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((did, id)): Path<(String, String)>,
    seen: Option<IfMatch>,
    act: Act,
) -> Result<Response, Problem> {
    let render: &Rendered<Credential> = &credential_reply;
    let revoked = state.app.revoke_credential(&caller, &did, &id, wanted(seen), &act.repeat(render)).await;
    render::answered(revoked, render)
}

/// Backends ask often: the answer may be kept for five minutes.
pub(super) async fn keys(
    Extract(state): Extract<State>,
    Path(did): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let body = json!({ "keys": state.app.device_keys(&did).await??.keys }).to_string();
    let tag = format!("\"{}\"", app::digest_text(body.as_bytes()));
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|tags| render::names(tags, &tag));
    let mut response = match known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], body).into_response(),
    };
    let fields = response.headers_mut();
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=300"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        fields.insert(header::ETAG, tag);
    }
    Ok(response)
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let text = json!({"type": "string", "maxLength": 255});
    let members = json!({
        "serial": {"type": "string", "maxLength": 128},
        "external_id": {"type": "string", "maxLength": 128},
        "mac": {"type": "string"},
        "name": text,
        "place": text,
        "attributes": {"type": "object"},
    });
    let state = json!({"enum": ["registered", "enrolled", "active", "suspended", "retired"]});
    let jwk = json!({"type": "object", "description": "A public key (RFC 7517)"});
    let record = also(
        &members,
        json!({
            "id": an_id(),
            "version": a_version(),
            "product": an_id(),
            "state": state.clone(),
            "resumes_to": state,
            "pending": json!({"type": "boolean"}),
            "created_at": a_time(),
        }),
    );
    let draft = also(
        &members,
        json!({
            "model": json!({"type": "string"}),
            "certificate": json!({"type": "string", "description": "PEM, or DER in base64"}),
            "jwk": jwk.clone(),
        }),
    );
    let mut schemas = vec![
        (
            "Device",
            json!({
                "type": "object", "properties": record, "additionalProperties": false,
                "required": ["id", "version", "product", "state", "created_at"],
            }),
        ),
        (
            "DeviceDraft",
            json!({"type": "object", "properties": draft, "additionalProperties": false, "required": ["model"]}),
        ),
        ("DevicePatch", optional(&members)),
    ];
    schemas.extend(credential_schemas(&jwk));
    schemas
}

fn credential_schemas(jwk: &Value) -> Vec<(&'static str, Value)> {
    let kind = json!({"enum": ["initial", "operational"]});
    vec![
        (
            "Credential",
            json!({
                "type": "object",
                "properties": {
                    "id": an_id(), "version": a_version(), "device": an_id(), "kind": kind,
                    "state": {"enum": ["current", "revoked"]},
                    "key_thumbprint": {"type": "string", "description": "RFC 7638"},
                    "jwk": jwk,
                    "certificate": {
                        "type": "object",
                        "properties": {
                            "x5t#S256": {"type": "string"}, "serial": {"type": "string"},
                            "issuer": {"type": "string"}, "not_after": a_time(),
                        },
                        "additionalProperties": false,
                    },
                    "created_at": a_time(),
                },
                "additionalProperties": false,
                "required": ["id", "version", "device", "kind", "state", "key_thumbprint", "jwk", "created_at"],
            }),
        ),
        (
            "CredentialDraft",
            json!({
                "type": "object",
                "properties": {"certificate": {"type": "string"}, "jwk": jwk, "kind": kind},
                "additionalProperties": false,
            }),
        ),
        (
            "DeviceKeys",
            json!({
                "type": "object",
                "properties": {"keys": {"type": "array", "items": jwk}},
                "additionalProperties": false,
                "required": ["keys"],
            }),
        ),
    ]
}
