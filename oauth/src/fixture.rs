//! The example world that the tests of the rules begin with: Adam, his speaker,
//! the app on his phone, and the keys of the test vectors.

use std::sync::Arc;

use identity::account::AccountKind;
use identity::asset::Possession;
use identity::bond::{BondOrigin, BondRole, BondState, Holder, Target};
use identity::credential::{CertificateFacts, CredentialKind, CredentialState};
use identity::device::DeviceState;
use identity::facts::{DeviceFacts, OwnedFacts};
use identity::user::{Email, UserState};
use identity::{
    Account, Asset, Bond, BrowserSession, Credential, Device, Digest, Epochs, Fact, Guard, Product, RaiseKind,
    RecordKey, Tenant, User, Version,
};
use jose::{Alg, Jwk, Signer, SigningKey, base64url, digest, jws};
use serde_json::{Map, Value};

use crate::client::{AuthMethod, ClientRights, GrantType};
use crate::client_auth::{AuthenticatedClient, Presented, ShownCertificate, verify};
use crate::facts::CallerFacts;
use crate::form::Form;
use crate::grant::Drawn;
use crate::issue::TokenReply;
use crate::scope::Scope;
use crate::token::Claims;
use crate::{Change, Client, Consent, Decision, ErrorCode, TokenFamily};

pub(crate) const NOW: i64 = 1_750_000_000;
pub(crate) const ISSUER: &str = "https://id.example.com";
pub(crate) const INGEST: &str = "https://ingest.example.com";
pub(crate) const API: &str = "https://api.example.com";
pub(crate) const SECRET: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEF";

const DEVICE: &str = r#"{"kty":"EC","crv":"P-256","x":"uRRUKBtvceMuVvyDFf59-nfP3C1SnegNWgSTTjKtuAI","y":"JzSXBo4QmecYtIjYzVDFVMbLhvMJGVR6IWknNcwXSPQ","d":"quZWMU0Hkvedd5DvyM0XNNfPLk80PyLawugr6IlrN7Y"}"#;
const DEVICE_2: &str = r#"{"kty":"EC","crv":"P-256","x":"3-rnLoNTucSRpg64_B90XtsGHGYmpbPcuLqB8ek0_nA","y":"T6SN9PXToYISW7izp3kRMPEsx-Xrp89JEbYayP1ogJA","d":"vgodvczdIOY3DbEFYtRt0k-N7AcdZO2hArsECd_cC5g"}"#;
const SERVER: &str = r#"{"kty":"EC","crv":"P-256","x":"RiUqTPFUZquG6jpFmlGPKegq3PN-uOJd9Lv2tJYruKI","y":"3lsYM8zQx495RcYguQqPUb59mXcBBtphnyFiKxCDkhg","d":"GPn6Q1foq83aQIKISoEY5oTcEOMSB-BiBbhuTLYSpgQ"}"#;

fn key(jwk: &str) -> SigningKey {
    SigningKey::from_private_jwk(Alg::ES256, jwk.as_bytes()).unwrap()
}

/// Of `dev_9F3K2`.
pub(crate) fn device_key() -> SigningKey {
    key(DEVICE)
}

/// The next key of the same device.
pub(crate) fn second_key() -> SigningKey {
    key(DEVICE_2)
}

/// Anybody else's; in the vectors the server's own, `as-1`.
pub(crate) fn other_key() -> SigningKey {
    key(SERVER)
}

pub(crate) fn thumbprint(key: &SigningKey) -> String {
    key.jwk().thumbprint().to_string()
}

/// A signed token of these claims.
pub(crate) fn signed(key: &SigningKey, typ: Option<&str>, claims: &Value) -> String {
    jws::sign_compact(typ, None, &Map::new(), claims.to_string().as_bytes(), key).unwrap()
}

pub(crate) fn fact<T>(record: T) -> Fact<T> {
    Fact { record, version: 3, epochs: Epochs { epoch: 7, end_epoch: 0 } }
}

pub(crate) fn tenant() -> Tenant {
    Tenant {
        issuer: ISSUER.into(),
        device_url: "https://device.example.com".into(),
        generation: "gen".into(),
        max_token_life: 86_400,
    }
}

/// The app on Adam's phone: public, may register devices.
pub(crate) fn app() -> Client {
    Client {
        id: "app_mobile".parse().unwrap(),
        name: "Speaker app".into(),
        auth: AuthMethod::None,
        secret: None,
        jwks: vec![],
        tls_name: None,
        redirect_uris: vec!["com.example.app:/cb".into()],
        grant_types: GrantType::ALL.to_vec(),
        scopes: Scope::of(["openid", "profile", "offline_access", "device:register", "telemetry:write"]),
        audiences: vec![API.into(), ISSUER.into()],
        dpop_bound_access_tokens: false,
        tls_client_certificate_bound_access_tokens: false,
        token_alg: Alg::ES256,
        id_token_alg: Alg::RS256,
        opaque_tokens: false,
        asset_typ_jwt: false,
        access_token_life: 3600,
        asset_token_life: 86_400,
        rights: ClientRights { asset_tokens: true, ..ClientRights::default() },
        disabled: false,
        created_at: NOW - 1000,
    }
}

/// A web application with a secret.
pub(crate) fn web() -> Client {
    let secret = base64url::encode(digest::sha256(SECRET.as_bytes()));
    Client {
        id: "web_shop".parse().unwrap(),
        auth: AuthMethod::ClientSecretPost,
        secret: Some(Digest::from_base64url(secret)),
        ..app()
    }
}

pub(crate) fn caller(client: &Client) -> CallerFacts {
    CallerFacts {
        tenant: Arc::new(tenant()),
        client: Some(Arc::new(fact(client.clone()))),
        device: None,
        assertion_used: false,
        trust_anchors: vec![],
    }
}

pub(crate) fn form(pairs: &[(&str, &str)]) -> Form {
    Form::parse(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()).unwrap()
}

/// That client, having shown whatever it registered.
pub(crate) fn shown(client: &Client) -> AuthenticatedClient {
    let mut pairs = vec![("client_id", client.id.as_str())];
    if !client.is_public() {
        pairs.push(("client_secret", SECRET));
    }
    let presented = Presented::collect(None, &form(&pairs)).unwrap();
    verify(&presented, &caller(client), NOW).unwrap()
}

/// The speaker as its own client, by its certificate.
pub(crate) fn shown_device(device: &DeviceFacts) -> AuthenticatedClient {
    let mut presented = Presented::collect(None, &form(&[("client_id", device.device.id.as_str())])).unwrap();
    presented.certificate = Some(certificate());
    let facts = CallerFacts { client: None, device: Some(device.clone()), ..caller(&app()) };
    verify(&presented, &facts, NOW).unwrap()
}

pub(crate) fn certificate() -> ShownCertificate {
    ShownCertificate {
        thumbprint: "x5t-1".into(),
        key_thumbprint: thumbprint(&device_key()),
        is_registered_name: false,
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
        identity_field: identity::product::IdentityField::default(),
        factory_key_is_operational: true,
        factory_provisioned: false,
        self_registration: true,
        pair_when_registered: false,
        scopes: vec!["telemetry:write".into(), "cloud:stream".into()],
        audiences: vec![INGEST.into()],
        firmware_version: None,
    }
}

pub(crate) fn device(state: DeviceState) -> Device {
    Device {
        id: "dev_9F3K2".parse().unwrap(),
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

pub(crate) fn credential(id: &str, key: &SigningKey) -> Credential {
    Credential {
        id: id.parse().unwrap(),
        device: device(DeviceState::Active).id,
        kind: CredentialKind::Initial,
        state: CredentialState::Current,
        key_thumbprint: thumbprint(key),
        jwk: key.jwk().to_bare_json(),
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

pub(crate) fn speaker(state: DeviceState) -> DeviceFacts {
    let credentials = vec![fact(credential("crd_1", &device_key()))];
    DeviceFacts { device: fact(device(state)), product: fact(product()), credentials }
}

pub(crate) fn adam() -> User {
    User {
        id: "u_adam".parse().unwrap(),
        email: Email::parse("adam@example.com").unwrap(),
        name: "Adam".into(),
        password: None,
        password_set_at: None,
        state: UserState::Active,
        account: "acc_501".parse().unwrap(),
        contact_id: Some("con_777".into()),
        roles: vec![],
        locale: None,
        zone: None,
        claims: Map::new(),
        created_at: NOW - 1000,
        updated_at: NOW - 1000,
    }
}

pub(crate) fn home(id: &str) -> Account {
    Account {
        id: id.parse().unwrap(),
        kind: AccountKind::Household,
        name: "Home".into(),
        external_id: None,
        closed: false,
        created_at: NOW - 1000,
    }
}

pub(crate) fn bond(id: &str, target: Target) -> Bond {
    Bond {
        id: id.parse().unwrap(),
        holder: Holder::User(adam().id),
        target,
        role: BondRole::Owner,
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

pub(crate) fn member_of(account: &str) -> Fact<Bond> {
    fact(bond("bnd_home", Target::Account(account.parse().unwrap())))
}

pub(crate) fn own_bond() -> Fact<Bond> {
    fact(bond("bnd_own", Target::Asset(title("acc_501").id)))
}

pub(crate) fn title(account: &str) -> Asset {
    Asset {
        id: "ast_42".parse().unwrap(),
        device: device(DeviceState::Active).id,
        account: account.parse().unwrap(),
        name: "Hall speaker".into(),
        room: None,
        contact_id: Some("con_777".into()),
        registered_by: Some(adam().id),
        client: None,
        possession: Possession::Proved,
        key_thumbprint: None,
        attributes: Map::new(),
        opened_at: NOW - 100,
        closed_at: None,
    }
}

/// The speaker, nobody's.
pub(crate) fn unowned() -> OwnedFacts {
    OwnedFacts { device: Some(speaker(DeviceState::Enrolled)), asset: None, account: None }
}

/// The speaker, of that account.
pub(crate) fn owned_by(account: &str) -> OwnedFacts {
    OwnedFacts {
        device: Some(speaker(DeviceState::Active)),
        asset: Some(fact(title(account))),
        account: Some(fact(home(account))),
    }
}

pub(crate) fn login() -> BrowserSession {
    BrowserSession {
        id: "ses_1".parse().unwrap(),
        secret: Digest::from_base64url("cookie"),
        user: adam().id,
        authenticated_at: NOW - 60,
        methods: vec!["pwd".into()],
        seen_at: NOW - 60,
        expires_at: NOW + 86_400,
        agent: "Browser".into(),
    }
}

pub(crate) fn consent(client: &Client) -> Consent {
    Consent {
        id: "con_1".into(),
        user: adam().id,
        client: client.id.clone(),
        scope: client.scopes.clone(),
        resources: client.audiences.clone(),
        given_at: NOW - 60,
        withdrawn_at: None,
    }
}

/// What was drawn at a time.
pub(crate) fn drawn(now: i64) -> Drawn {
    Drawn { now, jti: "jti-1".into(), family: "fam_1".parse().unwrap(), refresh: Digest::from_base64url("refresh-1") }
}

/// Code and cause of a refusal.
pub(crate) fn refusal<R: core::fmt::Debug>(decision: &Decision<R>) -> (ErrorCode, &'static str) {
    let refusal = decision.reply.as_ref().expect_err("a refusal");
    (refusal.code, refusal.reason)
}

/// What the issued access or asset token says.
pub(crate) fn claims(decision: &Decision<TokenReply>) -> Claims {
    let reply = decision.reply.as_ref().expect("a token");
    serde_json::from_slice(&reply.access.claims).unwrap()
}

/// The anchors of a token as text.
pub(crate) fn hangs_from(claims: &Claims) -> Vec<String> {
    claims.anc.iter().map(ToString::to_string).collect()
}

/// What a decision ends, as `f.fam_1`.
pub(crate) fn ends<R>(decision: &Decision<R>) -> Vec<String> {
    let ended = |change: &Change| match change {
        Change::Identity(identity::Change::Raise(raise)) if raise.kind == RaiseKind::End => {
            Some(raise.anchor.to_string())
        }
        _ => None,
    };
    decision.changes.iter().filter_map(ended).collect()
}

/// The family a decision writes.
pub(crate) fn family<R>(decision: &Decision<R>) -> Option<TokenFamily> {
    decision.changes.iter().find_map(|change| match change {
        Change::TokenFamily(write) => Some(write.record.clone()),
        _ => None,
    })
}

/// The once keys a decision uses up.
pub(crate) fn uses_up<R>(decision: &Decision<R>) -> Vec<String> {
    let once = |change: &Change| match change {
        Change::Identity(identity::Change::Once { key, .. }) => Some(key.clone()),
        _ => None,
    };
    decision.changes.iter().filter_map(once).collect()
}

/// The version each write of a decision demands.
fn demands<R>(decision: &Decision<R>) -> Vec<(RecordKey, Version)> {
    fn of<T: identity::Record>(write: &identity::Write<T>) -> (RecordKey, Version) {
        (RecordKey { kind: T::KIND, id: write.record.id().to_owned() }, write.version)
    }
    let demand = |change: &Change| match change {
        Change::AuthorizationCode(write) => Some(of(write)),
        Change::TokenFamily(write) => Some(of(write)),
        Change::Pairing(write) => Some(of(write)),
        Change::Identity(identity::Change::Touch { key, version }) => Some((key.clone(), *version)),
        Change::Identity(identity::Change::Device(write)) => Some(of(write)),
        Change::Identity(identity::Change::Asset(write)) => Some(of(write)),
        _ => None,
    };
    decision.changes.iter().filter_map(demand).collect()
}

/// Whether a decision from the same snapshot fails once the first is committed.
pub(crate) fn second_conflicts<R, S>(first: &Decision<R>, second: &Decision<S>) -> bool {
    let guard = |Guard { key, version, .. }: &Guard| (key.clone(), *version);
    let relied: Vec<_> = second.guards.iter().map(guard).chain(demands(second)).collect();
    let used = uses_up(first);
    demands(first).iter().any(|moved| relied.contains(moved)) || uses_up(second).iter().any(|key| used.contains(key))
}

/// A DPoP proof's key as the rules are told.
pub(crate) fn public(key: &SigningKey) -> Jwk {
    key.jwk().clone()
}

/// The tenant and every guard that carries an epoch stand in a token's `anc`.
pub(crate) fn names_every_guard<R>(decision: &Decision<R>, claims: &Claims) -> bool {
    let listed: Vec<_> = claims.anc.iter().collect();
    let guarded = decision.guards.iter().filter_map(|guard| guard.anchor.as_ref());
    let covered = |anchor: &identity::AnchorEpoch| {
        listed.iter().any(|known| known.anchor == anchor.anchor && known.epoch <= anchor.epoch)
    };
    guarded.chain([&tenant().anchor()]).all(covered)
}
