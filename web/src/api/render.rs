//! Records as answers: the members that are shown, versions as entity tags,
//! pages, and what is kept for a repeated request.

use app::registry::{Answer, KeptReply, ListingPage, Outcome, Resource, Versioned};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use identity::Version;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::extract::{IfMatch, parse};
use crate::problem::Problem;
use crate::state::State;

/// A kind of record as it is shown: by naming what may be seen, so that a
/// member that is added stays unseen until it is named.
pub(super) trait Shown: Resource {
    /// Where its records stand.
    const PATH: &'static str;
    /// Its members that are shown.
    const MEMBERS: &'static [&'static str];
    /// Those a `PATCH` may name.
    const PATCHED: &'static [&'static str];
}

/// A record as its readers see it.
pub(super) fn show<T: Shown>(versioned: &Versioned<T>) -> Value {
    let mut shown = members(&versioned.record, T::MEMBERS);
    shown.insert("version".to_owned(), json!(versioned.version));
    Value::Object(shown)
}

/// Some members of a record; absent ones and nulls are left out.
fn members<T: serde::Serialize>(record: &T, names: &[&str]) -> Map<String, Value> {
    let Ok(Value::Object(mut all)) = serde_json::to_value(record) else { return Map::new() };
    all.retain(|name, value| names.contains(&name.as_str()) && !value.is_null());
    all
}

fn tag(version: Version) -> String {
    format!("\"{version}\"")
}

/// 200 with a record, or 304 where the reader has it already.
pub(super) fn one<T: Shown>(versioned: &Versioned<T>, headers: &HeaderMap) -> Response {
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|tags| names(tags, &tag(versioned.version)));
    let reply = done(versioned);
    if known {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        response.headers_mut().extend(fields(&reply.headers));
        return response;
    }
    written(reply)
}

/// Whether `If-None-Match` names a tag; weak comparison (RFC 9110 §13.1.2).
pub(super) fn names(tags: &HeaderValue, tag: &str) -> bool {
    let text = tags.to_str().unwrap_or_default();
    text.trim() == "*" || text.split(',').any(|known| known.trim().trim_start_matches("W/") == tag)
}

/// 200 with a record.
pub(super) fn done<T: Shown>(versioned: &Versioned<T>) -> KeptReply {
    let headers = vec![("etag".to_owned(), tag(versioned.version))];
    KeptReply { status: 200, headers, body: show(versioned).to_string() }
}

/// 201 with a record and its place.
pub(super) fn made<T: Shown>(versioned: &Versioned<T>) -> KeptReply {
    let mut reply = done(versioned);
    reply.status = 201;
    reply.headers.push(("location".to_owned(), format!("{}/{}", T::PATH, versioned.record.id())));
    reply
}

/// What a use case answered, now or before.
pub(super) fn answered<T>(
    outcome: Outcome<Answer<T>>,
    render: &(dyn Fn(&T) -> KeptReply + Sync),
) -> Result<Response, Problem> {
    Ok(written(match outcome?? {
        Answer::Fresh(reply) => render(&reply),
        Answer::Repeated(reply) => reply,
    }))
}

/// A page of records.
pub(super) fn page<T: Shown>(outcome: Outcome<ListingPage<T>>) -> Result<Response, Problem> {
    let page = outcome??;
    let items: Vec<Value> = page.items.iter().map(show).collect();
    Ok(json_answer(&json!({ "items": items, "next": page.next })))
}

/// JSON that nobody keeps.
pub(super) fn json_answer(body: &Value) -> Response {
    written(KeptReply { status: 200, headers: Vec::new(), body: body.to_string() })
}

/// A reply on its way.
pub(super) fn written(reply: KeptReply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, reply.body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.extend(fields(&reply.headers));
    response
}

fn fields(pairs: &[(String, String)]) -> HeaderMap {
    let field = |(name, value): &(String, String)| {
        Some((HeaderName::try_from(name.as_str()).ok()?, HeaderValue::from_str(value).ok()?))
    };
    pairs.iter().filter_map(field).collect()
}

/// Reads a record, applies a merge patch to what of it may change, and parses
/// the result: with the version that the record was read at.
pub(super) async fn patched<T: Shown, D: DeserializeOwned>(
    state: &State,
    id: &str,
    seen: IfMatch,
    patch: Map<String, Value>,
) -> Result<(D, Version), Problem> {
    let known = state.app.read::<T>(id).await??;
    check_seen(seen, known.version)?;
    if let Some(name) = patch.keys().find(|name| !T::PATCHED.contains(&name.as_str())) {
        let name: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
        return Err(Problem::invalid(name, "unknown, or never changes"));
    }
    let mut target = Value::Object(members(&known.record, T::PATCHED));
    merge(&mut target, Value::Object(patch));
    Ok((parse(target.to_string().as_bytes())?, known.version))
}

/// Whether the caller saw the record as it is.
pub(super) fn check_seen(IfMatch(wanted): IfMatch, version: Version) -> Result<(), Problem> {
    match wanted {
        Some(seen) if seen != version => {
            Err(Problem::new(StatusCode::PRECONDITION_FAILED, "version_mismatch", "changed_meanwhile"))
        }
        _ => Ok(()),
    }
}

/// Applies a merge patch (RFC 7396 §2).
pub fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(members) = target.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            members.remove(&name);
        } else {
            merge(members.entry(name).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_patch_works_as_its_rfc_shows() {
        // RFC 7396, appendix A.
        for (mut target, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": "foo"}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
        ] {
            merge(&mut target, patch);
            assert_eq!(target, result);
        }
    }
}
