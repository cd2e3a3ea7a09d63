//! Records to keep, each whole and small; a case changes what it is about.

use identity::account::AccountKind;
use identity::bond::BondRole;
use identity::credential::{CertificateFacts, CredentialKind, CredentialState};
use identity::mail::MailPurpose;
use identity::trust_anchor::TrustAnchorState;
use identity::*;
use oauth::{AuthorizationCode, Client, Consent, Pairing, TokenFamily};
use serde_json::json;

use crate::{Change, Commit, CommitError, Committed, Conflict, Store};

/// When everything in a sample began, seconds.
pub const BEGAN: i64 = 1_750_000_000;

pub fn digest(text: &str) -> Digest {
    Digest::from_base64url(text)
}

fn parse<T: serde::de::DeserializeOwned>(record: serde_json::Value) -> T {
    serde_json::from_value(record).unwrap()
}

pub fn product(name: &str) -> Product {
    parse(json!({ "id": format!("prd_{name}"), "model": name, "name": name }))
}

pub fn device(name: &str, product: &str) -> Device {
    parse(json!({
        "id": format!("dev_{name}"), "product": format!("prd_{product}"), "state": "registered", "created_at": BEGAN,
    }))
}

pub fn credential(name: &str, device: &str) -> Credential {
    Credential {
        id: format!("crd_{name}").parse().unwrap(),
        device: format!("dev_{device}").parse().unwrap(),
        kind: CredentialKind::Operational,
        state: CredentialState::Current,
        key_thumbprint: format!("key-{name}"),
        jwk: json!({ "kty": "OKP", "crv": "Ed25519", "x": name }),
        certificate: None,
        until: None,
        replaces: None,
        authority: None,
        created_at: BEGAN,
    }
}

pub fn certificate(name: &str, issuer: &str, serial: &str) -> CertificateFacts {
    CertificateFacts {
        thumbprint: format!("x5t-{name}"),
        serial: serial.to_owned(),
        issuer: issuer.to_owned(),
        not_after: BEGAN + 86_400,
    }
}

pub fn trust_anchor(name: &str, product: &str) -> TrustAnchor {
    TrustAnchor {
        id: format!("ca_{name}").parse().unwrap(),
        product: format!("prd_{product}").parse().unwrap(),
        name: name.to_owned(),
        certificate: "MAA".to_owned(),
        thumbprint: format!("ca-{name}"),
        state: TrustAnchorState::Trusted,
    }
}

pub fn account(name: &str) -> Account {
    Account {
        id: format!("acc_{name}").parse().unwrap(),
        kind: AccountKind::Household,
        name: name.to_owned(),
        external_id: None,
        closed: false,
        created_at: BEGAN,
    }
}

pub fn user(name: &str, account: &str) -> User {
    parse(json!({
        "id": format!("u_{name}"), "email": format!("{name}@example.com"), "name": name, "state": "active",
        "account": format!("acc_{account}"), "created_at": BEGAN, "updated_at": BEGAN,
    }))
}

pub fn passkey(name: &str, user: &str) -> Passkey {
    Passkey {
        id: format!("pk_{name}").parse().unwrap(),
        user: format!("u_{user}").parse().unwrap(),
        name: name.to_owned(),
        credential_id: format!("cid-{name}"),
        credential: json!({ "counter": 1 }),
        created_at: BEGAN,
        used_at: None,
    }
}

pub fn asset(name: &str, device: &str, account: &str) -> Asset {
    parse(json!({
        "id": format!("ast_{name}"), "device": format!("dev_{device}"), "account": format!("acc_{account}"),
        "name": name, "possession": "proved", "opened_at": BEGAN,
    }))
}

/// A bond of a person on a title or an account, told apart by its prefix.
pub fn bond(name: &str, user: &str, target: &str, role: BondRole) -> Bond {
    let kind = if target.starts_with("acc_") { "account" } else { "asset" };
    parse(json!({
        "id": format!("bnd_{name}"), "holder": { "kind": "user", "id": format!("u_{user}") },
        "target": { "kind": kind, "id": target }, "role": role, "origin": "sign-up", "state": "active",
        "created_at": BEGAN,
    }))
}

pub fn browser_session(name: &str, user: &str) -> BrowserSession {
    BrowserSession {
        id: format!("ses_{name}").parse().unwrap(),
        secret: digest(&format!("cookie-{name}")),
        user: format!("u_{user}").parse().unwrap(),
        authenticated_at: BEGAN,
        methods: vec!["pwd".to_owned()],
        seen_at: BEGAN,
        expires_at: BEGAN + 43_200,
        agent: "Browser".to_owned(),
    }
}

pub fn device_session(name: &str, device: &str, credential: &str) -> DeviceSession {
    DeviceSession {
        id: format!("ds_{name}").parse().unwrap(),
        device: format!("dev_{device}").parse().unwrap(),
        credential: format!("crd_{credential}").parse().unwrap(),
        firmware: None,
        opened_at: BEGAN,
        expires_at: BEGAN + 86_400,
    }
}

pub fn mail_token(name: &str, user: &str) -> MailToken {
    MailToken {
        id: digest(name),
        purpose: MailPurpose::RecoverPassword,
        user: Some(format!("u_{user}").parse().unwrap()),
        expires_at: BEGAN + 3_600,
        used_at: None,
    }
}

pub fn client(name: &str) -> Client {
    parse(
        json!({ "id": name, "name": name, "auth": "none", "grant_types": ["authorization_code"], "created_at": BEGAN }),
    )
}

pub fn consent(name: &str, user: &str, client: &str) -> Consent {
    parse(json!({
        "id": format!("con_{name}"), "user": format!("u_{user}"), "client": client, "scope": "openid",
        "given_at": BEGAN,
    }))
}

pub fn code(name: &str, user: &str, session: &str, family: &str) -> AuthorizationCode {
    parse(json!({
        "id": name, "client": "app", "redirect_uri": "https://app.example/back", "redirect_uri_named": true,
        "user": format!("u_{user}"), "session": format!("ses_{session}"), "scope": "openid", "resources": [],
        "auth_time": BEGAN, "methods": [], "expires_at": BEGAN + 60,
        "family": format!("fam_{family}"),
    }))
}

pub fn family(name: &str, user: &str) -> TokenFamily {
    parse(json!({
        "id": format!("fam_{name}"), "client": "app", "user": format!("u_{user}"), "scope": "openid",
        "resources": [], "anchors": [], "current": format!("refresh-{name}"), "turn": 1, "methods": [],
        "created_at": BEGAN, "used_at": BEGAN, "expires_at": BEGAN + 180 * 86_400,
    }))
}

pub fn pairing(name: &str, user_code: &str) -> Pairing {
    parse(json!({
        "id": name, "user_code": user_code, "client": "app", "scope": "openid", "resources": [],
        "detailed": false, "interval": 5, "created_at": BEGAN, "expires_at": BEGAN + 600,
        "state": { "state": "pending" },
    }))
}

/// A change that writes a record for the first time.
pub fn new<T>(record: T) -> Change
where
    Write<T>: Into<Change>,
{
    Write::new(record).into()
}

pub fn event(subject: &str) -> Event {
    Event::new(EventKind::SecurityAnomaly, subject)
}

/// Commits these changes with one event, at [`BEGAN`].
pub async fn keep(store: &dyn Store, changes: impl IntoIterator<Item = Change>) -> Committed {
    commit(store, changes, BEGAN).await.unwrap()
}

pub async fn commit(
    store: &dyn Store,
    changes: impl IntoIterator<Item = Change>,
    now: i64,
) -> Result<Committed, CommitError> {
    let changes = changes.into_iter().collect();
    let committed = store.commit(Commit { guards: Vec::new(), changes, events: vec![event("sample")], now }).await?;
    Ok(numbered(store, committed).await)
}

/// The same once its events have their numbers, where those come after the commit.
pub async fn numbered(store: &dyn Store, mut committed: Committed) -> Committed {
    store.round(0).await.unwrap();
    if committed.raised.iter().any(|raised| raised.number.is_none()) {
        let kept = store.load_raises().await.unwrap().1;
        for raised in &mut committed.raised {
            raised.clone_from(kept.iter().find(|kept| kept.anchor == raised.anchor).unwrap());
        }
    }
    committed
}

/// What stood against a commit.
pub fn conflict<T: core::fmt::Debug>(result: Result<T, CommitError>) -> Conflict {
    match result {
        Err(CommitError::Conflict(conflict)) => conflict,
        other => panic!("no conflict but {other:?}"),
    }
}

/// A record that must be there.
pub async fn kept<T: Record + serde::de::DeserializeOwned>(store: &dyn Store, id: &str) -> Fact<T> {
    crate::record(store, id).await.unwrap().unwrap_or_else(|| panic!("no {} {id}", T::KIND.0))
}
