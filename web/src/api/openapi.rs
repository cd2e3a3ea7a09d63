//! `GET /openapi.json`: the API described out of the table of routes and the
//! schemas beside the handlers. The tests hold every answer to it.

use std::collections::BTreeMap;

use axum::extract::State as Extract;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::routes::{Access, Answers, Route, table};
use super::{accounts, assets, bonds, clients, device_cas, devices, events, imports, products, render, users};
use crate::state::State;

/// An id of ours.
pub(super) fn an_id() -> Value {
    json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"})
}

/// How often a record was written; its entity tag.
pub(super) fn a_version() -> Value {
    json!({"type": "integer", "minimum": 1})
}

/// Seconds since 1970.
pub(super) fn a_time() -> Value {
    json!({"type": "integer", "description": "Seconds since 1970"})
}

/// An object with further members.
pub(super) fn also(members: &Value, more: Value) -> Value {
    let mut all = members.as_object().cloned().unwrap_or_default();
    if let Value::Object(more) = more {
        all.extend(more);
    }
    Value::Object(all)
}

/// The merge patch of an object with these members: each may be left out or null.
pub(super) fn optional(members: &Value) -> Value {
    let nullable = |schema: &Value| json!({"anyOf": [schema, {"type": "null"}]});
    let members: Map<String, Value> =
        members.as_object().into_iter().flatten().map(|(name, schema)| (name.clone(), nullable(schema))).collect();
    json!({"type": "object", "properties": members, "additionalProperties": false})
}

pub(super) async fn read(Extract(state): Extract<State>) -> Response {
    render::json_answer(&describe(&state.app.tenant().issuer))
}

fn schemas() -> Map<String, Value> {
    let mut all = Map::new();
    let parts = [
        products::schemas(),
        device_cas::schemas(),
        devices::schemas(),
        accounts::schemas(),
        users::schemas(),
        assets::schemas(),
        bonds::schemas(),
        clients::schemas(),
        imports::schemas(),
        events::schemas(),
    ];
    all.extend(parts.into_iter().flatten().map(|(name, schema)| (name.to_owned(), schema)));
    all.insert("Any".to_owned(), json!({}));
    all.insert(
        "Problem".to_owned(),
        json!({
            "type": "object",
            "description": "RFC 9457",
            "properties": {
                "type": {"type": "string", "format": "uri"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string"},
                "errors": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"field": {"type": "string"}, "detail": {"type": "string"}},
                        "additionalProperties": false,
                        "required": ["field", "detail"],
                    },
                },
            },
            "additionalProperties": false,
            "required": ["type", "title", "status"],
        }),
    );
    all
}

/// The whole description.
pub(super) fn describe(issuer: &str) -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in table() {
        paths.entry(route.path).or_default().insert(route.method.to_ascii_lowercase(), operation(&route));
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Keyfob registry", "version": env!("CARGO_PKG_VERSION")},
        "servers": [{"url": issuer}],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "Bearer, or DPoP where it is bound"},
            },
        },
    })
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn operation(route: &Route) -> Value {
    let (status, schema) = match route.answers {
        Answers::One(name) | Answers::Other(name) => ("200", reference(name)),
        Answers::Made(name) => ("201", reference(name)),
        Answers::Page(name) => ("200", page(name)),
        Answers::Nothing => return gone(route),
    };
    let operation = json!({
        "summary": route.summary,
        "operationId": operation_id(route),
        "parameters": parameters(route),
        "responses": {
            status: {"description": "Done", "content": {"application/json": {"schema": schema}}},
            "default": refused(),
        },
        "security": security(route.access),
    });
    match route.body {
        Some(body) => also(&operation, json!({"requestBody": {"required": true, "content": content(route, body)}})),
        None => operation,
    }
}

/// 204, nothing to describe.
fn gone(route: &Route) -> Value {
    json!({
        "summary": route.summary,
        "operationId": operation_id(route),
        "parameters": parameters(route),
        "responses": {
            "204": {"description": "Done"},
            "default": refused(),
        },
        "security": security(route.access),
    })
}

fn refused() -> Value {
    json!({
        "description": "Refused",
        "content": {"application/problem+json": {"schema": reference("Problem")}},
    })
}

fn content(route: &Route, body: &str) -> Value {
    match (body, route.method) {
        ("ImportFile", _) => {
            json!({"text/csv": {"schema": reference(body)}, "application/jsonl": {"schema": reference(body)}})
        }
        (_, "PATCH") => json!({"application/merge-patch+json": {"schema": reference(body)}}),
        _ => json!({"application/json": {"schema": reference(body)}}),
    }
}

fn page(name: &str) -> Value {
    json!({
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": reference(name)},
            "next": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
        "additionalProperties": false,
        "required": ["items", "next"],
    })
}

fn security(access: Access) -> Value {
    match access {
        Access::Public => json!([]),
        Access::Scope(scope) => json!([{"token": [scope]}]),
        Access::Either(one, other) => json!([{"token": [one]}, {"token": [other]}]),
    }
}

/// `post_devices_did_suspend`.
fn operation_id(route: &Route) -> String {
    let words = route.path.split(['/', '{', '}', '-', '.']).filter(|word| !word.is_empty());
    core::iter::once(route.method.to_ascii_lowercase().as_str()).chain(words).collect::<Vec<_>>().join("_")
}

fn parameters(route: &Route) -> Vec<Value> {
    let named = |name: &str, place: &str, required: bool| json!({"name": name, "in": place, "required": required, "schema": {"type": "string"}});
    let in_path = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut all: Vec<Value> = in_path.map(|name| named(name, "path", true)).collect();
    let listed = matches!(route.answers, Answers::Page(_)) && !route.path.ends_with("/credentials");
    let query: &[&str] = match route.action().as_str() {
        "GET /devices" => &[
            "limit",
            "after",
            "filter",
            "serial",
            "model",
            "external_id",
            "mac",
            "certificate_thumbprint",
            "key_thumbprint",
        ],
        "GET /events" => &["after", "type", "subject", "limit"],
        "POST /imports" => &["source"],
        _ if listed => &["limit", "after", "filter"],
        _ => &[],
    };
    all.extend(query.iter().map(|name| named(name, "query", false)));
    match route.method {
        "PATCH" | "PUT" | "DELETE" => all.push(named("If-Match", "header", true)),
        "POST" if route.path != "/imports" => {
            all.push(named("Idempotency-Key", "header", false));
            if route.body.is_none() {
                all.push(named("If-Match", "header", false));
            }
        }
        _ => {}
    }
    all
}
