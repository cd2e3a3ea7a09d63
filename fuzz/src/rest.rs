//! The REST API and the portal's script: bodies, queries, headers and passkeys.

use std::fmt::Debug;

use app::passkey::{Answer, Passkeys};
use app::registry::{
    AccountDraft, AssetDraft, CredentialDraft, DeviceDraft, ProductDraft, TrustAnchorDraft, TrustAnchorEdit, UserDraft,
    UserEdit,
};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue};
use identity::product::IdentityField;
use identity::{Passkey, UserId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use web::api::{self, Query};
use web::door;

/// What a JSON text writes and reads back is the same; bodies are no lists and name
/// no field twice. The first byte chooses the kind of body.
pub fn rest_body(data: &[u8]) {
    let Some((kind, body)) = data.split_first() else { return };
    match kind {
        b'p' => reads_back::<ProductDraft>(body),
        b'd' => reads_back::<DeviceDraft>(body),
        b'c' => reads_back::<CredentialDraft>(body),
        b't' => reads_back::<TrustAnchorDraft>(body),
        b'T' => reads_back::<TrustAnchorEdit>(body),
        b'a' => reads_back::<AccountDraft>(body),
        b'A' => reads_back::<AssetDraft>(body),
        b'u' => reads_back::<UserDraft>(body),
        b'U' => reads_back::<UserEdit>(body),
        _ => reads_back::<Map<String, Value>>(body),
    }
}

fn reads_back<T: DeserializeOwned + Serialize + PartialEq + Debug>(body: &[u8]) {
    let Ok(first) = api::parse_body::<T>(body) else { return };
    assert!(body.trim_ascii_start().starts_with(b"{"));
    let written = serde_json::to_vec(&first).expect("what was read can be written");
    let second: T = api::parse_body(&written).map_err(|_| "a refusal").expect("what was written is read");
    // Not the same text: a number beyond the precision of its type may move by its last bit once.
    assert_eq!(serde_json::to_vec(&second).ok(), serde_json::to_vec(&first).ok());
}

/// A merge patch says the same twice, and leaves no null of its own behind. The
/// first line is the record, the second the patch.
pub fn rest_patch(data: &[u8]) {
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let mut read = || lines.next().and_then(|line| api::parse_body::<Map<String, Value>>(line).ok());
    let (Some(record), Some(patch)) = (read(), read()) else { return };
    let (mut once, patch) = (Value::Object(record), Value::Object(patch));
    api::merge(&mut once, patch.clone());
    for (name, value) in patch.as_object().into_iter().flatten() {
        assert_eq!(once.get(name).is_none(), value.is_null(), "{name}");
    }
    let mut twice = once.clone();
    api::merge(&mut twice, patch);
    assert_eq!(once, twice);
}

/// The first line is a query, the others are header fields: what is read of them
/// is single, within its bounds, and nothing is left over.
pub fn rest_request(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let query = core::str::from_utf8(lines.next().unwrap_or_default()).unwrap_or_default();
    let field = |line: &[u8]| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (line.get(..colon)?, line.get(colon + 1..)?.trim_ascii());
        Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?))
    };
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(field) {
        headers.append(name, value);
    }
    if let Ok(mut parameters) = Query::parse(query) {
        let listing = parameters.take_listing();
        if listing.is_ok() {
            assert!(
                ["limit", "after", "filter"].iter().all(|name| parameters.take(name).is_none()),
                "each at most once"
            );
            let left = url::form_urlencoded::parse(query.as_bytes()).count() > 3;
            assert!(!left || parameters.end().is_err());
        }
    }
    if let Ok(mut parameters) = Query::parse(query) {
        let _ = api::events_query(&mut parameters, &headers);
    }
    if let Ok(Some(_)) = api::if_match(&headers) {
        assert_eq!(headers.get_all("if-match").iter().count(), 1);
    }
    if let Ok(Some(text)) = api::repeat_text(&headers) {
        assert!((1..=128).contains(&text.len()) && !text.contains(char::is_control));
    }
    if let Ok((_, token)) = door::credential(&headers) {
        assert_eq!(headers.get_all("authorization").iter().count(), 1);
        assert!(token.bytes().all(|byte| byte.is_ascii_graphic()));
    }
}

/// What staff hand in of a device is kept as a public key with its digest, or refused.
pub fn credential(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let jwk = serde_json::from_str::<Value>(text).ok();
    let certificate = jwk.is_none().then(|| text.to_owned());
    let draft = CredentialDraft { certificate, jwk, kind: None };
    for field in [IdentityField::SubjectSerialNumber, IdentityField::CommonName, IdentityField::SanUri] {
        let Ok(Some(kept)) = draft.judge(field) else { continue };
        let jwk = jose::Jwk::from_json(&kept.jwk).expect("it is a key");
        assert_eq!(jwk.thumbprint().to_string(), kept.key_thumbprint);
        assert!(["d", "p", "q", "k", "kid", "use"].iter().all(|name| kept.jwk.get(name).is_none()));
        assert!(kept.identity.is_none_or(|identity| !identity.is_empty() && !identity.contains(char::is_control)));
    }
}

/// The person whose passkey the corpus holds.
const PERSON: &str = "u_adam";
/// When its ceremonies were begun.
const NOW: i64 = 1_750_000_000;

/// No answer of a browser breaks its reader, and none passes that was not made for
/// this ceremony. The first byte is `m` for a passkey that is made, `u` for one that
/// is used; then the JSON of the script.
pub fn passkey(data: &[u8]) {
    if let Some(Ok(id)) = judge_passkey(data) {
        assert!(!id.is_empty() && jose::base64url::decode(&id).is_ok());
    }
}

/// The id of the passkey, or why the answer is refused; `None` for what is no
/// request of the script.
pub fn judge_passkey(data: &[u8]) -> Option<Result<String, &'static str>> {
    let (kind, body) = data.split_first()?;
    let mut body: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let state = body.remove("state")?.as_str()?.to_owned();
    let answer = body.remove("credential")?;
    let passkeys = Passkeys::new("https://localhost:8443", "Keyfob", [7; 32], None).ok()?;
    if *kind == b'm' {
        let made = passkeys.made(&PERSON.parse::<UserId>().ok()?, &state, answer, NOW).now_or_never()?;
        return Some(made.map(|made| made.credential_id));
    }
    let answer = match Answer::parse(answer) {
        Ok(answer) => answer,
        Err(reason) => return Some(Err(reason)),
    };
    let known: Passkey = serde_json::from_str(include_str!("passkey.json")).expect("a record");
    let id = answer.credential_id.clone();
    let used = passkeys.used(&state, answer, Some(&known), NOW).now_or_never()?;
    Some(used.map(|_| id))
}
