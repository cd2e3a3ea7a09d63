//! Records the tests of the rules begin with.

use serde_json::{Map, json};

use crate::account::AccountKind;
use crate::asset::Possession;
use crate::bond::{BondOrigin, BondRole, BondState, Holder, Target};
use crate::credential::{CertificateFacts, CredentialKind, CredentialState};
use crate::decision::{Guard, RecordKey, Version};
use crate::device::DeviceState;
use crate::facts::{DeviceFacts, OwnedFacts};
use crate::trust_anchor::TrustAnchorState;
use crate::user::{Email, PasswordHash, UserState};
use crate::{
    Account, Asset, Bond, BrowserSession, Change, Credential, Decision, Device, DeviceSession, Digest, Epochs, Fact,
    Passkey, Product, Tenant, TrustAnchor, User,
};

pub(crate) const NOW: i64 = 1_750_000_000;

pub(crate) fn fact<T>(record: T) -> Fact<T> {
    Fact { record, version: 3, epochs: Epochs { epoch: 7, end_epoch: 0 } }
}

pub(crate) fn tenant() -> Tenant {
    Tenant {
        issuer: "https://id.example.com".into(),
        device_url: "https://device.id.example.com".into(),
        generation: "gen".into(),
        max_token_life: 86_400,
    }
}

pub(crate) fn product() -> Product {
    Product {
        id: "prd_spk2".parse().unwrap(),
        model: "SPK-2".into(),
        name: "Speaker".into(),
        icon: "speaker".into(),
        manufacturer: "Acme".into(),
        attribute_schema: None,
        identity_field: crate::product::IdentityField::default(),
        factory_key_is_operational: true,
        factory_provisioned: true,
        self_registration: false,
        pair_when_registered: false,
        scopes: vec![],
        audiences: vec![],
        firmware_version: None,
    }
}

pub(crate) fn device(state: DeviceState) -> Device {
    Device {
        id: "dev_1".parse().unwrap(),
        product: product().id,
        serial: Some("SPK-000123".into()),
        mac: None,
        external_id: None,
        name: None,
        place: None,
        attributes: Map::new(),
        state,
        resumes_to: None,
        pending: false,
        created_at: NOW - 1000,
    }
}

pub(crate) fn credential() -> Credential {
    Credential {
        id: "crd_1".parse().unwrap(),
        device: device(DeviceState::Registered).id,
        kind: CredentialKind::Initial,
        state: CredentialState::Current,
        key_thumbprint: "key-1".into(),
        jwk: json!({"kty": "EC"}),
        certificate: Some(CertificateFacts {
            thumbprint: "x5t-1".into(),
            serial: "1f".into(),
            issuer: "issuer-1".into(),
            not_after: NOW + 1000,
        }),
        until: None,
        replaces: None,
        authority: None,
        created_at: NOW - 1000,
    }
}

pub(crate) fn trust_anchor() -> TrustAnchor {
    TrustAnchor {
        id: "ca_1".parse().unwrap(),
        product: product().id,
        name: "Factory".into(),
        certificate: "AA".into(),
        thumbprint: "anchor-1".into(),
        state: TrustAnchorState::Trusted,
    }
}

pub(crate) fn device_session() -> DeviceSession {
    DeviceSession {
        id: "ds_old".parse().unwrap(),
        device: "dev_1".parse().unwrap(),
        credential: "crd_1".parse().unwrap(),
        firmware: None,
        opened_at: NOW - 10,
        expires_at: NOW + 10,
    }
}

pub(crate) fn account(id: &str) -> Account {
    Account {
        id: id.parse().unwrap(),
        kind: AccountKind::Household,
        name: "Home".into(),
        external_id: None,
        closed: false,
        created_at: NOW - 1000,
    }
}

pub(crate) fn asset() -> Asset {
    Asset {
        id: "ast_1".parse().unwrap(),
        device: "dev_1".parse().unwrap(),
        account: "acc_home".parse().unwrap(),
        name: "Kitchen".into(),
        room: None,
        contact_id: None,
        registered_by: Some("u_adam".parse().unwrap()),
        client: None,
        possession: Possession::Proved,
        key_thumbprint: None,
        attributes: Map::new(),
        opened_at: NOW - 100,
        closed_at: None,
    }
}

pub(crate) fn bond(id: &str, user: &str, target: Target, role: BondRole) -> Bond {
    Bond {
        id: id.parse().unwrap(),
        holder: Holder::User(user.parse().unwrap()),
        target,
        role,
        scopes: None,
        not_before: None,
        not_after: None,
        origin: BondOrigin::Pairing,
        parent: None,
        state: BondState::Active,
        created_at: NOW - 100,
        ended_at: None,
    }
}

pub(crate) fn on_title() -> Target {
    Target::Asset("ast_1".parse().unwrap())
}

pub(crate) fn on_home() -> Target {
    Target::Account("acc_home".parse().unwrap())
}

pub(crate) fn user(id: &str) -> User {
    User {
        id: id.parse().unwrap(),
        email: Email::parse(&format!("{id}@example.com")).unwrap(),
        name: "Adam".into(),
        password: Some(PasswordHash("hash-1".into())),
        password_set_at: None,
        state: UserState::Active,
        account: "acc_home".parse().unwrap(),
        contact_id: Some("C-1".into()),
        roles: vec![],
        locale: None,
        zone: None,
        claims: Map::new(),
        created_at: NOW - 1000,
        updated_at: NOW - 1000,
    }
}

pub(crate) fn session(id: &str, user: &str) -> BrowserSession {
    BrowserSession {
        id: id.parse().unwrap(),
        secret: Digest::from_base64url(format!("secret-{id}")),
        user: user.parse().unwrap(),
        authenticated_at: NOW - 60,
        methods: vec!["pwd".into()],
        seen_at: NOW - 60,
        expires_at: NOW + 86_400,
        agent: "Browser".into(),
    }
}

pub(crate) fn passkey(id: &str, user: &str) -> Passkey {
    Passkey {
        id: id.parse().unwrap(),
        user: user.parse().unwrap(),
        name: "Phone".into(),
        credential_id: format!("cred-{id}"),
        credential: json!({"counter": 1}),
        created_at: NOW - 1000,
        used_at: None,
    }
}

pub(crate) fn device_facts(state: DeviceState) -> DeviceFacts {
    DeviceFacts { device: fact(device(state)), product: fact(product()), credentials: vec![fact(credential())] }
}

/// A device that the household owns.
pub(crate) fn owned() -> OwnedFacts {
    OwnedFacts {
        device: Some(device_facts(DeviceState::Active)),
        asset: Some(fact(asset())),
        account: Some(fact(account("acc_home"))),
    }
}

pub(crate) fn new_session() -> crate::rule::session::NewSession {
    crate::rule::session::NewSession {
        id: "ses_new".parse().unwrap(),
        secret: Digest::from_base64url("secret-new"),
        agent: "Browser".into(),
    }
}

pub(crate) fn new_person() -> crate::rule::sign_up::NewPerson {
    crate::rule::sign_up::NewPerson {
        user: "u_new".parse().unwrap(),
        account: "acc_new".parse().unwrap(),
        membership: "bnd_new".parse().unwrap(),
        email: Email::parse("new@example.com").unwrap(),
        name: "Adam".into(),
        household: "Adam's home".into(),
        password: Some(PasswordHash("hash-new".into())),
        locale: None,
    }
}

/// The version each write of a decision demands of a record that is there.
fn demands<R, C>(decision: &Decision<R, Change, C>) -> Vec<(RecordKey, Version)> {
    fn of<T: crate::Record>(write: &crate::Write<T>) -> (RecordKey, Version) {
        (RecordKey { kind: T::KIND, id: write.record.id().to_owned() }, write.version)
    }
    decision
        .changes
        .iter()
        .filter_map(|change| match change {
            Change::Product(w) => Some(of(w)),
            Change::TrustAnchor(w) => Some(of(w)),
            Change::Device(w) => Some(of(w)),
            Change::Credential(w) => Some(of(w)),
            Change::Account(w) => Some(of(w)),
            Change::User(w) => Some(of(w)),
            Change::Passkey(w) => Some(of(w)),
            Change::Asset(w) => Some(of(w)),
            Change::Bond(w) => Some(of(w)),
            Change::BrowserSession(w) => Some(of(w)),
            Change::DeviceSession(w) => Some(of(w)),
            Change::MailToken(w) => Some(of(w)),
            Change::Import(w) => Some(of(w)),
            Change::Touch { key, version } | Change::Erase { key, version } => Some((key.clone(), *version)),
            Change::Raise(_) | Change::Once { .. } => None,
        })
        .collect()
}

/// Whether a decision taken from the same snapshot fails once the first is
/// committed: it guards or writes a version that the first has counted up, or
/// uses up the same key.
pub(crate) fn second_conflicts<R, C, S, D>(first: &Decision<R, Change, C>, second: &Decision<S, Change, D>) -> bool {
    let moved = demands(first);
    let relied: Vec<(RecordKey, Version)> =
        second.guards.iter().map(|Guard { key, version, .. }| (key.clone(), *version)).chain(demands(second)).collect();
    let once = |changes: &[Change]| -> Vec<String> {
        changes
            .iter()
            .filter_map(|change| if let Change::Once { key, .. } = change { Some(key.clone()) } else { None })
            .collect()
    };
    let used = once(&first.changes);
    moved.iter().any(|key| relied.contains(key)) || once(&second.changes).iter().any(|key| used.contains(key))
}

/// No record is written twice in one decision: the second write would demand a
/// version that the first has counted up.
pub(crate) fn writes_nothing_twice<R, C>(decision: &Decision<R, Change, C>) -> bool {
    let keys: Vec<RecordKey> = demands(decision).into_iter().map(|(key, _)| key).collect();
    keys.iter().enumerate().all(|(index, key)| !keys[..index].contains(key))
}

/// Every raise is told by an event.
pub(crate) fn raises_are_told<R, C>(decision: &Decision<R, Change, C>) -> bool {
    !decision.events.is_empty() || !decision.changes.iter().any(|change| matches!(change, Change::Raise(_)))
}
