use identity::asset::Possession;
use identity::device::DeviceState;
use identity::facts::OwnedFacts;
use identity::user::UserState;
use identity::{Epochs, EventKind, Guard};
use jose::{Alg, Jwk, Signer, SigningKey};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::actor_token::ActorToken;
use crate::client::{Client, GrantType};
use crate::facts::RegistrationFacts;
use crate::fixture::{
    API, INGEST, ISSUER, NOW, SECRET, adam, app, bond, caller, claims, credential, device_key, drawn, fact, family,
    form, hangs_from, home, member_of, names_every_guard, other_key, own_bond, owned_by, product, public, refusal,
    second_conflicts, second_key, shown, signed, tenant, thumbprint, title, unowned, uses_up, web,
};
use crate::foreign_token::ForeignSubject;
use crate::issue::{self, TokenReply};
use crate::token::{Act, Confirmation};
use crate::{Change, Decision, binding};

mod customers;

/// Signed by the speaker, valid from `NOW` to `NOW + 300`.
const VECTOR: &str = concat!(
    "eyJ0eXAiOiJhY3Rvcitqd3QiLCJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJkZXZfOUYzSzIiLCJzdWIiOiJkZXZfOUYzSzIiLCJhdWQiOiJodHRwczovL2",
    "lkLmV4YW1wbGUuY29tIiwiaWF0IjoxNzUwMDAwMDAwLCJleHAiOjE3NTAwMDAzMDAsImp0aSI6ImFjdC0wMDAxIiwiZGlkIjoiZGV2XzlGM0syIiwi",
    "bmFtZSI6IkhhbGwgc3BlYWtlciIsInNlcmlhbF9udW1iZXIiOiJTUEstMDAwMTIzIiwibW9kZWwiOiJTUEstMiIsImNuZiI6eyJqd2siOnsia3R5Ij",
    "oiRUMiLCJjcnYiOiJQLTI1NiIsIngiOiJ1UlJVS0J0dmNlTXVWdnlERmY1OS1uZlAzQzFTbmVnTldnU1RUakt0dUFJIiwieSI6Ikp6U1hCbzRRbWVj",
    "WXRJall6VkRGVk1iTGh2TUpHVlI2SVdrbk5jd1hTUFEifX19.8P4E1qhYvmJMYYvdqy_s9Ouhr7kkFj2eiA7JzeJRkJbk2SsVa_pFPe0DNOTV3laBk",
    "mO9DbrGdA0iko3UuaTsCw"
);

/// What a device says about itself.
fn said() -> Value {
    json!({
        "iss": "dev_9F3K2", "sub": "dev_9F3K2", "aud": ISSUER, "iat": NOW, "exp": NOW + 300, "jti": "act-0001",
        "did": "dev_9F3K2", "name": "Hall speaker", "serial_number": "SPK-000123", "model": "SPK-2",
        "cnf": { "jwk": device_key().jwk().to_bare_json() },
    })
}

/// What the app says about it.
fn said_by_app() -> Value {
    altered(altered(said(), "iss", json!("app_mobile")), "cnf", Value::Null)
}

fn altered(mut claims: Value, name: &str, value: Value) -> Value {
    let members = claims.as_object_mut().unwrap();
    match value {
        Value::Null => members.remove(name),
        value => members.insert(name.into(), value),
    };
    claims
}

/// Everything of one exchange, as it is when all is well: the app of Adam
/// brings a speaker of the registry that nobody owns yet.
struct Exchange {
    client: Client,
    subject: Subject,
    foreign: Option<ForeignSubject>,
    actor: Option<String>,
    request: Request,
    facts: RegistrationFacts,
    proof: Option<Jwk>,
    secret: Option<Secret<String>>,
    anchors_now: Option<Vec<Option<Epochs>>>,
}

fn exchange() -> Exchange {
    let mut subject = issue::base_claims(&tenant(), "app_mobile", "u_adam", vec![API.into()], NOW - 10);
    subject.exp = NOW + 3000;
    subject.jti = "jti-subject".into();
    subject.scope = Scope::of([REGISTER]);
    subject.anc =
        ["t.gen.0", "cl.app_mobile.7", "u.u_adam.7", "f.fam_app.0"].iter().map(|text| text.parse().unwrap()).collect();
    let pairs = [("subject_token", "at_adam_1"), ("subject_token_type", ACCESS_TOKEN)];
    Exchange {
        client: app(),
        subject: Subject { kind: TokenKind::Access, claims: subject },
        foreign: None,
        actor: Some(signed(&device_key(), Some("actor+jwt"), &said())),
        request: Request::parse(&form(&pairs), ISSUER).unwrap(),
        facts: RegistrationFacts {
            caller: caller(&app()),
            user: Some(fact(adam())),
            account: Some(fact(home("acc_501"))),
            named_account: None,
            memberships: vec![member_of("acc_501")],
            product: Some(fact(product())),
            by_asset: OwnedFacts::default(),
            by_did: unowned(),
            by_serial: unowned(),
            by_key: unowned(),
            bonds: vec![],
            actor_used: false,
            anchors_now: vec![],
        },
        proof: None,
        secret: None,
        anchors_now: None,
    }
}

fn ids() -> NewIds {
    NewIds {
        device: "dev_new".parse().unwrap(),
        asset: "ast_new".parse().unwrap(),
        bond: "bnd_new".parse().unwrap(),
        credential: "crd_new".parse().unwrap(),
    }
}

impl Exchange {
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// A device that the registry does not know.
    fn unknown(self) -> Self {
        self.with(|it| {
            it.facts.by_did = OwnedFacts::default();
            it.facts.by_serial = OwnedFacts::default();
            it.facts.by_key = OwnedFacts::default();
        })
    }

    fn owned(self, account: &str) -> Self {
        self.with(|it| {
            it.facts.by_did = owned_by(account);
            it.facts.by_serial = owned_by(account);
            it.facts.by_key = owned_by(account);
        })
    }

    fn says(self, key: &SigningKey, claims: &Value) -> Self {
        let token = signed(key, Some("actor+jwt"), claims);
        self.with(|it| it.actor = Some(token))
    }

    fn now(&self, now: i64) -> Decision<TokenReply> {
        let lenient = self.client.rights.asset_salesforce;
        let actor = self.actor.as_ref().map(|token| ActorToken::parse(token, lenient));
        let client = shown(&self.client);
        let mut facts = self.facts.clone();
        let subject = self.foreign.clone().map_or_else(|| Shown::Ours(self.subject.clone()), Shown::Foreign);
        let asked = query(Some(&subject), actor.as_ref().and_then(|actor| actor.as_ref().ok()));
        let alive = |_| Some(Epochs::default());
        facts.anchors_now =
            self.anchors_now.clone().unwrap_or_else(|| asked.subject_anchors.iter().map(alive).collect());
        let registration = Registration {
            request: &self.request,
            client: &client,
            subject: Ok(&subject),
            actor: actor.as_ref().map(|actor| actor.as_ref().map_err(|reason| *reason)),
            proof: self.proof.as_ref(),
            secret: self.secret.as_ref(),
            ids: &ids(),
        };
        decide(&registration, &facts, &drawn(now))
    }

    fn decided(&self) -> Decision<TokenReply> {
        self.now(NOW)
    }

    fn refused(&self) -> &'static str {
        let decision = self.decided();
        let (code, reason) = refusal(&decision);
        assert_eq!(code, ErrorCode::InvalidRequest, "{reason}");
        assert!(decision.changes.is_empty(), "{reason}");
        reason
    }
}

#[test]
fn a_device_signed_actor_makes_an_asset_bound_to_the_key_of_the_device() {
    let decision = exchange().unknown().says(&device_key(), &of_maker()).decided();
    let token = claims(&decision);
    assert_eq!(token.cnf.as_ref().unwrap().jkt, Some(thumbprint(&device_key())));
    assert_eq!(
        (token.sub.as_str(), token.did.as_deref()),
        ("u_adam", Some("dev_new")),
        "a did of ours, not the maker's"
    );
    assert_eq!((token.account_id.as_deref(), token.contact_id.as_deref()), (Some("acc_501"), Some("con_777")));
    assert_eq!((token.asset_id.as_deref(), token.iat, token.exp), (Some("ast_new"), NOW, NOW + 86_400));
    assert_eq!(token.act.unwrap().sub, "dev_new");
    let reply = decision.reply.as_ref().unwrap();
    assert_eq!((reply.token_type, reply.access.typ), ("DPoP", "asset+jwt"));
    assert_eq!(reply.issued_token_type.as_deref(), Some(JWT));
    let registered: Vec<_> = decision.events.iter().filter(|event| event.kind == EventKind::AssetRegistered).collect();
    assert_eq!(registered.len(), 1);
    assert_eq!((&registered[0].data["created"], &registered[0].data["possession"]), (&json!(true), &json!("proved")));
    for anchor in ["d.dev_new.0", "as.ast_new.0", "b.bnd_new.0", "cr.crd_new.0", "u.u_adam.7", "t.gen.0"] {
        assert!(hangs_from(&claims(&decision)).contains(&anchor.to_owned()), "{anchor}");
    }
}

/// A device under the name its maker gave it.
fn of_maker() -> Value {
    let claims = altered(altered(said(), "did", json!("maker:77")), "iss", json!("maker:77"));
    altered(claims, "sub", json!("maker:77"))
}

#[test]
fn the_asset_token_hangs_from_what_it_makes_and_not_from_the_token_it_was_made_with() {
    let decision = exchange().decided();
    let token = claims(&decision);
    assert!(names_every_guard(&decision, &token));
    let listed = hangs_from(&token);
    for anchor in ["as.ast_new.0", "b.bnd_new.0", "cr.crd_1.7", "d.dev_9F3K2.7", "b.bnd_home.7", "cl.app_mobile.7"] {
        assert!(listed.contains(&anchor.to_owned()), "{anchor}");
    }
    assert!(!listed.iter().any(|anchor| anchor.starts_with("f.") || anchor.starts_with("j.")), "{listed:?}");
}

#[test]
fn the_actor_token_of_the_vectors_is_good_in_its_time_alone() {
    let vector = || exchange().with(|it| it.actor = Some(VECTOR.into()));
    for now in [NOW - 60, NOW, NOW + 300, NOW + 359] {
        assert!(vector().now(now).reply.is_ok(), "{}", now - NOW);
    }
    assert_eq!(refusal(&vector().now(NOW - 61)).1, "actor_from_the_future");
    assert_eq!(refusal(&vector().now(NOW + 360)).1, "actor_expired");
    for at in (0..VECTOR.len()).step_by(17) {
        let other = if VECTOR.as_bytes()[at] == b'A' { 'B' } else { 'A' };
        let broken = format!("{}{other}{}", &VECTOR[..at], &VECTOR[at + 1..]);
        assert!(vector().with(|it| it.actor = Some(broken)).decided().reply.is_err(), "character {at}");
    }
}

#[test]
fn the_asset_token_of_the_vectors_is_one_of_ours_to_read() {
    let claims: Claims = serde_json::from_value(json!({
        "iss": ISSUER, "sub": "u_adam", "aud": [INGEST], "client_id": "app_mobile", "iat": NOW, "nbf": NOW,
        "exp": NOW + 86_400, "jti": "atk-0001", "did": "dev_9F3K2", "asset_id": "ast_42",
        "serial_number": "SPK-000123", "model": "SPK-2", "account_id": "acc_501", "contact_id": "con_777",
        "scope": "telemetry:write", "act": { "sub": "dev_9F3K2", "iss": ISSUER },
        "cnf": { "jkt": thumbprint(&device_key()) },
    }))
    .unwrap();
    assert_eq!((claims.asset_id.as_deref(), claims.aud.names(INGEST)), (Some("ast_42"), true));
    const TOKEN: &str = concat!(
        "eyJ0eXAiOiJhc3NldCtqd3QiLCJhbGciOiJFUzI1NiIsImtpZCI6ImFzLTEifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUuY29tIiwic3ViI",
        "joidV9hZGFtIiwiYXVkIjpbImh0dHBzOi8vaW5nZXN0LmV4YW1wbGUuY29tIl0sImNsaWVudF9pZCI6ImFwcF9tb2JpbGUiLCJpYXQiOjE3NTAwMDA",
        "wMDAsIm5iZiI6MTc1MDAwMDAwMCwiZXhwIjoxNzUwMDg2NDAwLCJqdGkiOiJhdGstMDAwMSIsImRpZCI6ImRldl85RjNLMiIsImFzc2V0X2lkIjoiY",
        "XN0XzQyIiwic2VyaWFsX251bWJlciI6IlNQSy0wMDAxMjMiLCJtb2RlbCI6IlNQSy0yIiwiYWNjb3VudF9pZCI6ImFjY181MDEiLCJjb250YWN0X2l",
        "kIjoiY29uXzc3NyIsInNjb3BlIjoidGVsZW1ldHJ5OndyaXRlIiwiYWN0Ijp7InN1YiI6ImRldl85RjNLMiIsImlzcyI6Imh0dHBzOi8vaWQuZXhhb",
        "XBsZS5jb20ifSwiY25mIjp7ImprdCI6ImpxLUFiaml0MUtEMld4MHdkWXdmblBKZFMtbHpxelA2WEs0Sk1ySmlJN00ifX0.OqUAj4JPP8gAJOnCEAE",
        "b41Tav1ZoUUOMDcY1-GqG8vuMe--nZhVKZwqSR8utejNPNSQFQ2nw_QNC0uwpl--hcg"
    );
    let read = jose::jws::Unverified::parse(TOKEN).unwrap();
    let verified = |key: &SigningKey| {
        let key = jose::VerifyingKey::from_jwk(key.jwk()).unwrap();
        read.verify(&key, &Alg::ASYMMETRIC).map(|verified| verified.claims().unwrap())
    };
    let read: Claims = serde_json::from_value(Value::Object(verified(&other_key()).unwrap())).unwrap();
    assert_eq!(read, claims);
    assert!(verified(&device_key()).is_err());
}

#[test]
fn asking_again_after_success_gives_the_same_asset() {
    let again = || {
        let mut next = exchange().owned("acc_501").says(&device_key(), &altered(said(), "jti", json!("act-0002")));
        next.facts.bonds = vec![own_bond()];
        next
    };
    let decision = again().decided();
    assert_eq!(claims(&decision).asset_id.as_deref(), Some("ast_42"));
    assert_eq!(decision.events.last().unwrap().data["created"], json!(false));
    assert!(second_conflicts(&again().decided(), &again().decided()), "two at once: the second decides anew");
    let first = exchange();
    assert!(second_conflicts(
        &first.decided(),
        &first.says(&device_key(), &altered(said(), "jti", json!("x"))).decided()
    ));
}

#[test]
fn an_actor_token_is_used_up_once() {
    let decision = exchange().decided();
    let parsed = ActorToken::parse(exchange().actor.as_ref().unwrap(), false).unwrap();
    assert_eq!(uses_up(&decision), [parsed.once_key()]);
    assert_eq!(exchange().with(|it| it.facts.actor_used = true).refused(), "actor_replayed");
}

#[test]
fn times_and_audience_of_an_actor_token_are_checked() {
    for (name, value, reason) in [
        ("aud", Value::Null, "actor_aud"),
        ("aud", json!("https://evil.example"), "actor_aud"),
        ("aud", json!([ISSUER, "https://evil.example"]), "actor_aud"),
        ("exp", Value::Null, "actor_without_exp"),
        ("exp", json!(NOW - 60), "actor_expired"),
        ("exp", json!(NOW + 601), "actor_life_too_long"),
        ("iat", Value::Null, "actor_without_iat_or_jti"),
        ("iat", json!(NOW + 61), "actor_from_the_future"),
        ("iat", json!(NOW - 301), "actor_life_too_long"),
        ("nbf", json!(NOW + 61), "actor_from_the_future"),
        ("jti", Value::Null, "actor_without_iat_or_jti"),
        ("jti", json!("x".repeat(129)), "actor_without_iat_or_jti"),
        ("iss", Value::Null, "actor_iss_sub"),
        ("sub", Value::Null, "actor_iss_sub"),
        ("sub", json!("dev_other"), "actor_iss_sub"),
    ] {
        let claims = altered(said(), name, value.clone());
        assert_eq!(exchange().says(&device_key(), &claims).refused(), reason, "{name} {value}");
    }
}

#[test]
fn nobody_else_signs_for_the_device() {
    let forged = exchange().says(&other_key(), &said());
    assert_eq!(forged.refused(), "actor_signature", "the key in cnf is not the signer's");
    // `alg` none.
    let part = |value: Value| jose::base64url::encode(value.to_string());
    let unsigned = format!("{}.{}.", part(json!({ "typ": "actor+jwt", "alg": "none" })), part(said()));
    assert_eq!(exchange().with(|it| it.actor = Some(unsigned)).refused(), "actor_malformed");
    // HS256 keyed with the device's public key.
    let secret = device_key().jwk().to_bare_json().to_string();
    let hmac = jose::HmacKey::new(secret.as_bytes()).unwrap();
    let confused = hmac.sign_compact(Some("actor+jwt"), None, &Map::new(), said().to_string().as_bytes()).unwrap();
    assert_eq!(exchange().with(|it| it.actor = Some(confused)).refused(), "actor_signature");
    // An unknown `crit`.
    let critical =
        format!("{}.{}.AA", part(json!({ "typ": "actor+jwt", "alg": "ES256", "crit": ["x"], "x": 1 })), part(said()));
    assert_eq!(exchange().with(|it| it.actor = Some(critical)).refused(), "actor_malformed");
    for typ in [None, Some("at+jwt"), Some("client-authentication+jwt")] {
        let typed = signed(&device_key(), typ, &said());
        assert_eq!(exchange().with(|it| it.actor = Some(typed)).refused(), "actor_typ", "{typ:?}");
    }
}

#[test]
fn a_weak_a_private_or_a_doubtful_key_is_refused() {
    let with = |cnf: Value| exchange().says(&device_key(), &altered(said(), "cnf", cnf)).refused();
    let mut private = device_key().jwk().to_bare_json();
    private["d"] = json!("quZWMU0Hkvedd5DvyM0XNNfPLk80PyLawugr6IlrN7Y");
    assert_eq!(with(json!({ "jwk": private })), "actor_cnf_key");
    let weak = json!({ "kty": "RSA", "n": jose::base64url::encode([0xc1; 128]), "e": "AQAB" });
    assert_eq!(with(json!({ "jwk": weak })), "actor_cnf_key");
    let jwk = device_key().jwk().to_bare_json();
    assert_eq!(with(json!({ "jwk": jwk, "jku": "https://evil.example" })), "actor_cnf");
    assert_eq!(with(json!({ "jkt": thumbprint(&device_key()) })), "actor_cnf");
    assert_eq!(with(json!("x")), "actor_cnf");
}

#[test]
fn a_key_of_another_device_or_another_key_than_the_registrys_is_refused() {
    let other = exchange().unknown().says(&device_key(), &of_maker()).with(|it| it.facts.by_key = unowned());
    assert_eq!(other.refused(), "key_of_another_device");
    let new_key = exchange()
        .says(&second_key(), &altered(said(), "cnf", json!({ "jwk": second_key().jwk().to_bare_json() })))
        .with(|it| it.facts.by_key = OwnedFacts::default());
    assert_eq!(new_key.refused(), "other_key");
}

#[test]
fn types_stand_with_their_tokens_and_are_known() {
    let parsed = |pairs: &[(&str, &str)]| {
        let mut all = vec![("subject_token", "a"), ("subject_token_type", ACCESS_TOKEN)];
        all.retain(|(name, _)| !pairs.iter().any(|(other, _)| other == name));
        all.extend(pairs);
        Request::parse(&form(&all), ISSUER).map(|_| ()).map_err(|refusal| {
            assert_eq!(refusal.code, ErrorCode::InvalidRequest);
            refusal.reason
        })
    };
    assert_eq!(parsed(&[("actor_token", "b"), ("actor_token_type", JWT)]), Ok(()));
    assert_eq!(parsed(&[("actor_token", "b")]), Err("actor_token_without_type"));
    assert_eq!(parsed(&[("actor_token_type", JWT)]), Err("actor_token_type_without_token"));
    assert_eq!(parsed(&[("actor_token", "b"), ("actor_token_type", ACCESS_TOKEN)]), Err("actor_token_type_unknown"));
    for kind in ["saml2", "saml1", "id_token", "refresh_token"] {
        let kind = format!("urn:ietf:params:oauth:token-type:{kind}");
        let subject = if kind == ID_TOKEN { Ok(()) } else { Err("subject_token_type_unknown") };
        assert_eq!(parsed(&[("subject_token_type", &kind)]), subject, "{kind}: ID tokens of others may be trusted");
        assert_eq!(parsed(&[("requested_token_type", &kind)]), Err("requested_token_type_unknown"), "{kind}");
    }
    assert_eq!(parsed(&[("subject_token_type", "")]), Err("subject_token_type_missing"));
    assert_eq!(parsed(&[("subject_token", "")]), Err("subject_token_missing"));
    assert_eq!(parsed(&[("requested_token_type", &asset_token_type(ISSUER))]), Ok(()));
    let repeated = vec![("subject_token".into(), "a".into()), ("subject_token".into(), "b".into())];
    assert_eq!(Form::parse(repeated).unwrap_err().reason, "parameter_repeated");
}

#[test]
fn the_private_type_is_answered_with_itself_and_a_plain_access_token_is_not_made() {
    let asked = |kind: String| exchange().with(|it| it.request.requested = Some(kind));
    let private = asked(asset_token_type(ISSUER)).decided();
    assert_eq!(private.reply.unwrap().issued_token_type, Some(asset_token_type(ISSUER)));
    assert_eq!(asked(ACCESS_TOKEN.into()).refused(), "requested_type_is_no_asset_token");
}

#[test]
fn only_a_living_customers_own_access_token_is_a_subject() {
    type Change = fn(&mut Exchange);
    let cases: [(Change, &str); 11] = [
        (|it| it.subject.kind = TokenKind::Asset, "subject_is_no_access_token"),
        (|it| it.subject.claims.act = Some(Act { sub: "dev_1".into(), iss: None, act: None }), "subject_is_delegated"),
        (|it| it.subject.claims.did = Some("dev_9F3K2".into()), "subject_is_delegated"),
        (|it| it.subject.claims.client_id = "web_shop".into(), "subject_of_another_client"),
        (|it| it.subject.claims.scope = Scope::of(["openid"]), "subject_without_register_scope"),
        (|it| it.subject.claims.sub = "app_mobile".into(), "subject_may_not_register_for_others"),
        (|it| it.subject.claims.sub = "u_eve".into(), "subject_is_no_active_user"),
        (|it| it.facts.user = None, "subject_is_no_active_user"),
        (|it| it.facts.user.as_mut().unwrap().record.state = UserState::Disabled, "subject_is_no_active_user"),
        (
            |it| it.subject.claims.cnf = Some(Confirmation { x5t_s256: Some("x".into()), ..Confirmation::default() }),
            "subject_bound_otherwise",
        ),
        (|it| it.actor = None, "actor_token_missing"),
    ];
    for (change, reason) in cases {
        assert_eq!(exchange().with(change).refused(), reason);
    }
    let allowed = exchange().with(|it| {
        it.subject.claims.client_id = "web_shop".into();
        it.client.rights.exchange_others = true;
    });
    assert!(allowed.decided().reply.is_ok());
}

#[test]
fn an_unsound_subject_token_is_refused() {
    let it = exchange();
    let client = shown(&it.client);
    let registration = Registration {
        request: &it.request,
        client: &client,
        subject: Err("token_expired"),
        actor: None,
        proof: None,
        secret: None,
        ids: &ids(),
    };
    let decision = decide(&registration, &it.facts, &drawn(NOW));
    assert_eq!(refusal(&decision), (ErrorCode::InvalidRequest, "token_expired"));
    assert!(decision.events.is_empty());
}

#[test]
fn what_the_subject_token_hangs_from_is_checked_in_the_load() {
    let alive = vec![Some(Epochs { epoch: 0, end_epoch: 0 }); 5];
    for index in 0..5 {
        let mut raised = alive.clone();
        raised[index] = Some(Epochs { epoch: 9, end_epoch: 0 });
        assert_eq!(exchange().with(|it| it.anchors_now = Some(raised)).refused(), "subject_anchor_raised", "{index}");
        let mut missing = alive.clone();
        missing[index] = None;
        assert_eq!(exchange().with(|it| it.anchors_now = Some(missing)).refused(), "subject_anchor_missing");
    }
    assert_eq!(exchange().with(|it| it.anchors_now = Some(alive[..4].to_vec())).refused(), "subject_anchor_missing");
    assert!(exchange().with(|it| it.anchors_now = Some(alive)).decided().reply.is_ok());
}

#[test]
fn a_client_without_the_right_or_the_grant_registers_nothing() {
    let without = exchange().with(|it| it.client.rights.asset_tokens = false);
    assert_eq!(refusal(&without.decided()), (ErrorCode::UnauthorizedClient, "no_asset_tokens_right"));
    let ungranted = exchange().with(|it| it.client.grant_types = vec![GrantType::RefreshToken]);
    assert_eq!(refusal(&ungranted.decided()).0, ErrorCode::UnauthorizedClient);
}

#[test]
fn the_apps_proof_is_for_its_own_token_and_the_asset_token_is_bound_to_the_device() {
    let bound = |proof: Option<Jwk>| {
        exchange().with(|it| {
            it.subject.claims.cnf = Some(binding::key(&thumbprint(&other_key())));
            it.proof = proof;
        })
    };
    let token = claims(&bound(Some(public(&other_key()))).decided());
    assert_eq!(token.cnf.unwrap().jkt, Some(thumbprint(&device_key())));
    assert_eq!(refusal(&bound(None).decided()), (ErrorCode::InvalidDpopProof, "subject_needs_proof"));
    assert_eq!(bound(Some(public(&second_key()))).refused(), "subject_proof_by_another_key");
}

#[test]
fn what_an_app_signs_proves_no_possession_and_binds_nothing() {
    let mine = |exchange: Exchange| exchange.owned("acc_501").with(|it| it.facts.bonds = vec![own_bond()]);
    let with_key = altered(said(), "iss", json!("app_mobile"));
    for claims_of_app in [said_by_app(), with_key.clone()] {
        let by_proof =
            mine(exchange()).says(&other_key(), &claims_of_app).with(|it| it.proof = Some(public(&other_key())));
        let decision = by_proof.decided();
        assert_eq!(claims(&decision).cnf, None);
        assert_eq!(decision.reply.unwrap().token_type, "Bearer");
    }
    let by_jwks =
        mine(exchange()).says(&other_key(), &said_by_app()).with(|it| it.client.jwks = vec![public(&other_key())]);
    assert!(by_jwks.decided().reply.is_ok());
    let by_nobody = mine(exchange()).says(&other_key(), &said_by_app());
    assert_eq!(by_nobody.refused(), "actor_signature");
    // A key that an app sends is kept with the title, unverified.
    let new = altered(altered(with_key, "did", json!("maker:77")), "sub", json!("maker:77"));
    let new = exchange().unknown().says(&other_key(), &new).with(|it| it.proof = Some(public(&other_key())));
    let decision = new.decided();
    assert_eq!(claims(&decision).cnf, None);
    let title = decision.changes.iter().find_map(|change| match change {
        Change::Identity(identity::Change::Asset(write)) => Some(write.record.clone()),
        Change::Identity(identity::Change::Credential(_)) => panic!("no credential of a key that nobody proved"),
        _ => None,
    });
    let title = title.unwrap();
    assert_eq!((title.key_thumbprint, title.possession), (Some(thumbprint(&device_key())), Possession::None));
}

#[test]
fn a_device_that_proved_no_key_gets_a_refresh_token_that_nothing_is_bound_to() {
    let by_app = || {
        let it = exchange().owned("acc_501").says(&other_key(), &said_by_app());
        it.with(|it| {
            it.facts.bonds = vec![own_bond()];
            it.proof = Some(public(&other_key()));
        })
    };
    let decision = by_app().decided();
    let (token, began) = (claims(&decision), family(&decision).unwrap());
    assert!(decision.reply.as_ref().unwrap().refresh.is_some());
    assert!(hangs_from(&token).contains(&"f.fam_1.0".into()), "it falls with its family");
    assert!(names_every_guard(&decision, &token));
    assert!(began.asset_token && began.confirmation.is_none() && began.current.is_some());
    assert_eq!((&began.scope, &began.resources), (&token.scope, &token.aud.0));
    assert_eq!(began.bond.as_ref().map(|bond| bond.as_str()), Some("bnd_own"));
    assert_eq!(began.device.as_ref().map(|did| did.as_str()), Some("dev_9F3K2"));
    let without = |decision: Decision<TokenReply>| {
        assert!(decision.reply.as_ref().unwrap().refresh.is_none() && self::family(&decision).is_none());
        assert!(!hangs_from(&claims(&decision)).iter().any(|anchor| anchor.starts_with("f.")));
    };
    without(exchange().decided());
    without(by_app().with(|it| it.client.grant_types = vec![GrantType::TokenExchange]).decided());
    without(by_app().with(|it| it.client.rights.asset_salesforce = true).decided());
}

#[test]
fn an_unowned_device_of_the_registry_is_not_claimed_by_an_apps_word() {
    let by_app = exchange().says(&other_key(), &said_by_app()).with(|it| it.proof = Some(public(&other_key())));
    assert_eq!(by_app.refused(), "possession_required");
}

#[test]
fn a_secret_signs_for_confidential_apps_alone() {
    let hmac = jose::HmacKey::new(SECRET.as_bytes()).unwrap();
    let token = |iss: &str| {
        let claims = altered(said_by_app(), "iss", json!(iss));
        hmac.sign_compact(Some("actor+jwt"), None, &Map::new(), claims.to_string().as_bytes()).unwrap()
    };
    let of = |client: Client| {
        exchange().owned("acc_501").with(|it| {
            it.facts.bonds = vec![own_bond()];
            it.actor = Some(token(client.id.as_str()));
            it.subject.claims.client_id = client.id.to_string();
            it.client = client;
            it.secret = Some(Secret::new(SECRET.into()));
        })
    };
    assert!(of(web()).decided().reply.is_ok());
    assert_eq!(of(app()).refused(), "actor_signature");
    let short = of(web()).with(|it| it.secret = Some(Secret::new("short".into())));
    assert_eq!(short.refused(), "actor_signature");
}

#[test]
fn strangers_accounts_contacts_and_assets_are_one_neutral_refusal() {
    let named = |name: &str, value: &str| exchange().says(&device_key(), &altered(said(), name, json!(value)));
    let mut refusals = vec![
        named("account_id", "acc_other").with(|it| it.facts.named_account = Some(fact(home("acc_other")))).decided(),
        named("account_id", "acc_nobody").decided(),
        named("contact_id", "con_other").decided(),
        named("asset_id", "ast_42").with(|it| it.facts.by_asset = owned_by("acc_other")).decided(),
        named("asset_id", "ast_nobody").decided(),
        exchange().owned("acc_other").decided(),
        exchange().unknown().decided(),
    ];
    // Nor does a scope that the model lacks tell that the device exists.
    for exchange in [exchange().owned("acc_other"), exchange().unknown()] {
        refusals.push(exchange.with(|it| it.request.scope = Some(Scope::of(["openid"]))).decided());
    }
    for decision in refusals {
        assert_eq!(refusal(&decision).0, ErrorCode::InvalidRequest);
        assert!(decision.changes.is_empty());
        let [denied] = decision.events.as_slice() else { panic!("one event") };
        assert_eq!((denied.kind, denied.subject.as_str()), (EventKind::AssetRegistrationDenied, "u_adam"));
    }
    assert!(named("contact_id", "con_777").decided().reply.is_ok());
    let mine = named("account_id", "acc_501").with(|it| it.facts.named_account = it.facts.account.clone());
    assert!(mine.decided().reply.is_ok());
}

#[test]
fn names_that_point_at_two_devices_or_contradict_the_registry_are_refused() {
    let other = || {
        let mut other = unowned();
        other.device.as_mut().unwrap().device.record.id = "dev_other".parse().unwrap();
        other
    };
    assert_eq!(exchange().with(|it| it.facts.by_serial = other()).refused(), "names_point_at_different_devices");
    let unknown_did = exchange().with(|it| {
        it.facts.by_did = OwnedFacts::default();
        it.facts.by_serial = other();
        it.facts.by_key = other();
    });
    assert_eq!(unknown_did.refused(), "actor_contradicts_registry");
    for (name, value) in [("serial_number", "SPK-999999"), ("model", "SPK-9")] {
        let contradicts = exchange().says(&device_key(), &altered(said(), name, json!(value)));
        let contradicts = contradicts.with(|it| it.facts.by_serial = OwnedFacts::default());
        assert_eq!(contradicts.refused(), "actor_contradicts_registry", "{name}");
    }
}

#[test]
fn a_did_is_a_plain_name_and_never_poses_as_a_user_or_a_client() {
    let long = "a".repeat(129);
    let huge = "a".repeat(4096);
    for did in [
        "../etc",
        "dev/1",
        "dev_\n",
        "dev_\0",
        "d\u{430}v_1",
        "",
        &long,
        &huge,
        "u_adam",
        "acc_1",
        "ast_1",
        "bnd_1",
        "a b",
    ] {
        let claims = altered(said(), "did", json!(did));
        assert!(
            ["actor_did_malformed", "actor_claim_malformed"]
                .contains(&exchange().says(&device_key(), &claims).refused())
        );
    }
    for serial in ["SPK*", "%", "SPK-?", "SPK/1", "S#1"] {
        let claims = altered(said(), "serial_number", json!(serial));
        assert_eq!(exchange().says(&device_key(), &claims).refused(), "actor_serial", "{serial}");
    }
    // A maker may call a device like one of our services: it never becomes a `sub`.
    let service = altered(
        altered(altered(said(), "did", json!("svc_ingest")), "iss", json!("svc_ingest")),
        "sub",
        json!("svc_ingest"),
    );
    let token = claims(&exchange().unknown().says(&device_key(), &service).decided());
    assert_eq!((token.sub.as_str(), token.act.unwrap().sub.as_str()), ("u_adam", "dev_new"));
}

#[test]
fn custom_attributes_are_few_small_and_plainly_named() {
    let many: Map<String, Value> = (0..33).map(|n| (format!("a{n}"), json!(1))).collect();
    let mut claims = said();
    claims.as_object_mut().unwrap().extend(many);
    assert_eq!(exchange().says(&device_key(), &claims).refused(), "actor_attributes");
    for (name, value) in [("note", json!("x".repeat(4096))), ("a b", json!(1))] {
        assert_eq!(exchange().says(&device_key(), &altered(said(), name, value)).refused(), "actor_attributes");
    }
    let coloured = exchange().says(&device_key(), &altered(said(), "colour", json!("red"))).decided();
    assert_eq!(coloured.events.last().unwrap().data["actor_claims"]["colour"], "red");
}

#[test]
fn receivers_and_scopes_stay_within_client_model_and_bond() {
    let to = |targets: &[&str]| {
        let targets = targets.iter().map(|&target| target.to_owned()).collect();
        exchange().with(|it| it.request.targets = targets).decided()
    };
    assert_eq!(claims(&to(&[INGEST, ISSUER])).aud.0, [INGEST, ISSUER]);
    assert_eq!(refusal(&to(&["https://evil.example"])), (ErrorCode::InvalidTarget, "target_not_allowed"));
    let asked = |scope: &str| exchange().with(|it| it.request.scope = Some(Scope::of([scope]))).decided();
    assert_eq!(claims(&asked("telemetry:write")).scope.to_string(), "telemetry:write");
    assert_eq!(refusal(&asked("cloud:stream")), (ErrorCode::InvalidScope, "scope_not_registered"));
    assert_eq!(refusal(&asked("openid")), (ErrorCode::InvalidScope, "scope_beyond_device"));
    let bonded = |scopes: Option<Vec<String>>, not_after| {
        let own =
            identity::Bond { scopes, not_after, ..bond("bnd_own", identity::bond::Target::Asset(title("acc_501").id)) };
        claims(&exchange().owned("acc_501").with(|it| it.facts.bonds = vec![fact(own)]).decided())
    };
    assert!(bonded(Some(vec![]), None).scope.is_empty());
    assert_eq!(bonded(None, Some(NOW + 60)).exp, NOW + 60);
}

#[test]
fn a_tenants_short_life_bounds_asset_tokens() {
    let short = exchange().with(|it| std::sync::Arc::make_mut(&mut it.facts.caller.tenant).max_token_life = 180);
    assert_eq!(claims(&short.decided()).exp, NOW + 180);
}

#[test]
fn a_stopped_or_unknown_device_is_refused() {
    for state in [DeviceState::Suspended, DeviceState::Retired] {
        let stopped = exchange().with(|it| {
            it.facts.by_did.device.as_mut().unwrap().device.record.state = state;
        });
        assert_eq!(stopped.refused(), state.as_str());
    }
    let closed = exchange().unknown().says(&device_key(), &of_maker());
    let closed = closed.with(|it| it.facts.product.as_mut().unwrap().record.self_registration = false);
    assert_eq!(closed.refused(), "unknown_device");
    let modelless = exchange().unknown().says(&device_key(), &of_maker()).with(|it| it.facts.product = None);
    assert_eq!(modelless.refused(), "unknown_model");
}

fn salesforce(claims: &Value) -> Exchange {
    let mut flagged = exchange();
    flagged.client.rights.asset_salesforce = true;
    flagged.client.asset_typ_jwt = true;
    flagged.actor = Some(signed(&device_key(), None, claims));
    flagged
}

/// Their names, no `iss sub aud iat jti`.
fn theirs() -> Value {
    json!({
        "exp": NOW + 300,
        "asset": { "did": "dev_9F3K2", "Name": "Hall speaker", "SerialNumber": "SPK-000123" },
        "cnf": { "jwk": device_key().jwk().to_bare_json() },
    })
}

#[test]
fn the_salesforce_form_works_for_a_client_with_the_flag_only() {
    let decision = salesforce(&theirs()).decided();
    let reply = decision.reply.as_ref().unwrap();
    assert_eq!((reply.token_type, reply.access.typ), ("Bearer", "JWT"));
    let token = claims(&decision);
    assert_eq!((token.name.as_deref(), token.serial_number.as_deref()), (Some("Hall speaker"), Some("SPK-000123")));
    assert_eq!(token.cnf.unwrap().jkt, Some(thumbprint(&device_key())));
    let plain = exchange().with(|it| it.actor = Some(signed(&device_key(), Some("JWT"), &theirs())));
    assert_eq!(plain.refused(), "actor_did_malformed");
    assert_eq!(salesforce(&altered(theirs(), "exp", json!(NOW + 601))).refused(), "actor_life_too_long");
    assert_eq!(salesforce(&altered(theirs(), "exp", Value::Null)).refused(), "actor_without_exp");
    assert_eq!(salesforce(&altered(theirs(), "aud", json!("https://evil.example"))).refused(), "actor_aud");
}

#[test]
fn a_token_without_jti_is_single_use_by_what_was_signed() {
    let text = |claims: &Value| signed(&device_key(), None, claims);
    let once = |text: &str| ActorToken::parse(text, true).unwrap().once_key();
    let (first, again) = (text(&theirs()), text(&theirs()));
    assert_ne!(first, again, "the signatures differ");
    assert_eq!(once(&first), once(&again), "a second signature is no second token");
    assert_ne!(once(&first), once(&text(&altered(theirs(), "exp", json!(NOW + 299)))));
}

#[test]
fn both_readings_of_a_token_are_what_each_would_be_alone() {
    let device = device_key();
    let ours = ActorToken::readings(VECTOR).map(Result::unwrap);
    assert!(std::sync::Arc::ptr_eq(&ours[0], &ours[1]), "under our own names they are one");
    let mixed = altered(theirs(), "did", json!("speaker-1"));
    for (typ, claims) in [(Some("JWT"), &theirs()), (Some("JWT"), &mixed), (None, &mixed)] {
        let text = signed(&device, typ, claims);
        for (lenient, read) in [false, true].into_iter().zip(ActorToken::readings(&text)) {
            let alone = ActorToken::parse(&text, lenient);
            let told =
                |token: &ActorToken| (token.did.clone(), token.name.clone(), token.serial.clone(), token.payload());
            assert_eq!(read.map(|token| told(&token)), alone.map(|token| told(&token)), "{typ:?} {lenient}");
        }
    }
}

#[test]
fn debug_of_an_actor_token_shows_nothing() {
    let parsed = ActorToken::parse(VECTOR, false).unwrap();
    assert_eq!(format!("{parsed:?}"), "ActorToken(..)");
}

proptest! {
    #[test]
    fn what_a_registration_yields_never_exceeds_client_model_bond_and_tenant(
        asked in proptest::option::of(proptest::sample::subsequence(vec!["telemetry:write", "cloud:stream", "openid"], 0..=3)),
        of_client in proptest::sample::subsequence(vec!["telemetry:write", "cloud:stream", "openid"], 0..=3),
        of_model in proptest::sample::subsequence(vec!["telemetry:write", "cloud:stream"], 0..=2),
        of_bond in proptest::option::of(proptest::sample::subsequence(vec!["telemetry:write", "cloud:stream"], 0..=2)),
        bond_end in proptest::option::of(1i64..100_000),
        life in 0i64..200_000,
        max_life in 180i64..200_000,
        targets in proptest::sample::subsequence(vec![INGEST, API, ISSUER, "https://evil.example"], 0..=4),
    ) {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let mut it = exchange().owned("acc_501");
        it.client.scopes = Scope::of(&of_client);
        it.client.asset_token_life = life;
        std::sync::Arc::make_mut(&mut it.facts.caller.tenant).max_token_life = max_life;
        let model = fact(identity::Product { scopes: owned(&of_model), ..product() });
        it.facts.by_did.device.as_mut().unwrap().product = model;
        let mut own = own_bond();
        own.record.scopes = of_bond.as_deref().map(owned);
        own.record.not_after = bond_end.map(|end| NOW + end);
        it.facts.bonds = vec![own];
        it.request.scope = asked.as_ref().map(Scope::of);
        it.request.targets = owned(&targets);
        // The model's facts come by each name alike.
        it.facts.by_serial = it.facts.by_did.clone();
        let decision = it.decided();
        if decision.reply.is_ok() {
            let token = claims(&decision);
            prop_assert!(token.scope.iter().all(|scope| of_client.contains(&scope) && of_model.contains(&scope)));
            prop_assert!(of_bond.as_ref().is_none_or(|rights| token.scope.iter().all(|scope| rights.contains(&scope))));
            prop_assert!(asked.as_ref().is_none_or(|asked| token.scope.iter().all(|scope| asked.contains(&scope))));
            prop_assert!(token.aud.0.iter().all(|aud| [INGEST, API, ISSUER].contains(&aud.as_str())));
            prop_assert!(token.exp > NOW && token.exp - NOW <= max_life);
            prop_assert!(bond_end.is_none_or(|end| token.exp <= NOW + end));
            prop_assert!(names_every_guard(&decision, &token));
            let guarded = |id: &str| decision.guards.iter().any(|Guard { key, .. }| key.id == id);
            prop_assert!(["app_mobile", "u_adam", "acc_501", "bnd_home", "bnd_own", "ast_42", "dev_9F3K2", "crd_1"].into_iter().all(guarded));
        }
    }
}

#[test]
fn a_revoked_key_signs_nothing() {
    let revoked = exchange().with(|it| {
        let held = &mut it.facts.by_did.device.as_mut().unwrap().credentials;
        held[0].record.state = identity::credential::CredentialState::Revoked;
        held.push(fact(credential("crd_2", &second_key())));
    });
    assert_eq!(revoked.refused(), "other_key");
}
