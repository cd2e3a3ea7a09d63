//! Token exchange at `/token`: an asset token is made, and renewed by proof of
//! the device's key for as long as its bond lives.

mod home;

use authority::{Peer, UnverifiedCertificate};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use jose::dpop::{Claims as ProofClaims, HttpUri, build};
use jose::{Alg, Signer, SigningKey, jws};
use oauth::Client;
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;
use web::State;

use crate::people::world::form;
use crate::world::{As, ISSUER, NOW, World};

use home::*;

const INGEST: &str = "https://ingest.example.com";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const GATEWAY_SECRET: &str = "a-secret-of-the-gateway-with-256-bits-of-chance";
const DAY: u64 = 86_400;

#[tokio::test]
async fn a_device_renews_its_asset_token_by_its_key_alone_and_nothing_is_written() {
    let home = Home::new().await;
    let made = home.register().await;
    let before = home.world.store.head().await.unwrap().number;
    home.world.clock.pass(2 * DAY);
    let (status, body) = home.renew(&made["access_token"]).await;
    assert_eq!((status, &body["token_type"]), (200, &json!("DPoP")), "{body}");
    assert_eq!((&body["issued_token_type"], &body["scope"]), (&json!(JWT), &json!("telemetry:write")));
    let (old, new) = (claims(&made["access_token"]), claims(&body["access_token"]));
    for name in ["sub", "did", "asset_id", "account_id", "client_id", "aud", "cnf", "act", "model", "name"] {
        assert_eq!(old[name], new[name], "{name}");
    }
    assert_eq!(anchors(&old), anchors(&new));
    assert_ne!(old["jti"], new["jti"]);
    assert_eq!(new["exp"].as_i64().unwrap(), home.now() + 86_400);
    let again = [home.renew(&made["access_token"]), home.renew(&made["access_token"])];
    let both = futures_util::future::join_all(again).await;
    assert!(both.iter().all(|(status, _)| *status == 200), "two at once are both answered: {both:?}");
    let bonds = home.world.kinds().await.iter().filter(|kind| *kind == "bond.created").count();
    assert_eq!((bonds, home.world.store.head().await.unwrap().number), (1, before), "one bond, no event");
    let (status, named) = home.renew_by(Some(&home.key), &body["access_token"], &[("client_id", "app_mobile")]).await;
    assert_eq!(status, 200, "its app may be named: {named}");
}

#[tokio::test]
async fn a_device_that_makes_no_dpop_proof_renews_by_the_answer_to_a_challenge() {
    let home = Home::new().await;
    let token = &home.register().await["access_token"];
    let ath = jose::dpop::ath(token.as_str().unwrap());
    let peer = authority::Peer { address: "192.0.2.9".parse().unwrap(), certificate: None, local: false };
    let said =
        || json!({"aud": ISSUER, "nonce": home.world.app.challenge(&peer).unwrap(), "iat": home.now(), "ath": ath});
    let signed = |typ: &str, by: &SigningKey, claims: &Value| {
        let header = Map::from_iter([("jwk".to_owned(), by.jwk().to_bare_json())]);
        jws::sign_compact(Some(typ), None, &header, claims.to_string().as_bytes(), by).unwrap()
    };
    let proof = signed("pop+jwt", &home.key, &said());
    let (status, body) = home.renew_by(None, token, &[("proof", &proof)]).await;
    assert_eq!((status, &body["token_type"]), (200, &json!("DPoP")), "{body}");
    assert_eq!(claims(&body["access_token"])["cnf"], claims(token)["cnf"], "bound to the same key");

    let stranger = SigningKey::generate(Alg::ES256).unwrap();
    let with = |name: &str, value: Value| {
        let mut claims = said();
        claims[name] = value;
        signed("pop+jwt", &home.key, &claims)
    };
    for (proof, word, why) in [
        (proof, "invalid_grant", "a challenge is answered once"),
        (signed("pop+jwt", &stranger, &said()), "invalid_request", "a key of nobody"),
        (signed("callhome+jwt", &home.key, &said()), "invalid_request", "an answer to another question"),
        (with("ath", json!(jose::dpop::ath("another"))), "invalid_grant", "over another token"),
        (with("aud", json!("https://else.example")), "invalid_grant", "for somebody else"),
        (with("nonce", json!("invented")), "invalid_grant", "no challenge of ours"),
        (with("iat", json!(home.now() - 61)), "invalid_grant", "too old"),
        ("x.y.z".to_owned(), "invalid_request", "no proof at all"),
    ] {
        let (status, body) = home.renew_by(None, token, &[("proof", &proof)]).await;
        assert_eq!((status, &body["error"]), (400, &json!(word)), "{why}");
    }
    let proof = signed("pop+jwt", &home.key, &said());
    let (status, body) = home.renew_by(Some(&home.key), token, &[("proof", &proof)]).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_request")), "one proof, not two");
}

#[tokio::test]
async fn another_key_no_key_and_another_client_renew_nothing() {
    let home = Home::new().await;
    home.client("other", &json!({ "rights": { "asset_tokens": true } })).await;
    let token = &home.register().await["access_token"];
    let stranger = SigningKey::generate(Alg::ES256).unwrap();
    let code = |(status, body): (u16, Value)| (status, body["error"].as_str().unwrap().to_owned());
    let by_stranger = home.renew_by(Some(&stranger), token, &[]).await;
    assert_eq!(code(by_stranger), (400, "invalid_request".into()));
    assert_eq!(code(home.renew_by(None, token, &[]).await), (400, "invalid_dpop_proof".into()));
    let (_, wider) = home.renew_by(Some(&home.key), token, &[("scope", "telemetry:write cloud:stream")]).await;
    assert_eq!(wider["error"], "invalid_scope");
    let (_, elsewhere) = home.renew_by(Some(&home.key), token, &[("audience", ISSUER)]).await;
    assert_eq!(elsewhere["error"], "invalid_target");
    let other = home.renew_by(Some(&home.key), token, &[("client_id", "other")]).await;
    assert_eq!(code(other), (400, "invalid_request".into()));
    let mut forged = token.as_str().unwrap().to_owned();
    forged.truncate(forged.len() - 4);
    let forged = home.renew_by(Some(&home.key), &json!(forged), &[]).await;
    assert!(forged.0 >= 400, "{forged:?}");
}

#[tokio::test]
async fn a_late_renewal_is_answered_for_thirty_days_and_not_a_second_longer() {
    let home = Home::new().await;
    let made = home.register().await;
    home.world.clock.pass(31 * DAY);
    let (status, body) = home.renew(&made["access_token"]).await;
    assert_eq!(status, 200, "thirty days after its end: {body}");
    home.world.clock.pass(1);
    assert_eq!(home.refused(&made["access_token"]).await, "renewal_too_late");
    assert_eq!(home.renew(&body["access_token"]).await.0, 200, "and so on for years");
}

#[tokio::test]
async fn the_end_of_the_bond_ends_renewal_for_good() {
    let home = Home::new().await;
    let token = home.register().await["access_token"].clone();
    let bond = home.bond(&token).await;
    home.world.act(format!("/bonds/{bond}/end")).by(&As::Local).send().await.ok();
    assert_eq!(home.refused(&token).await, "subject_anchor_ended");
    // Registered anew, the old token is still of no use.
    home.world.clock.pass(1);
    let anew = home.register().await;
    assert_eq!(home.refused(&token).await, "subject_anchor_ended");
    assert_eq!(home.renew(&anew["access_token"]).await.0, 200);
}

#[tokio::test]
async fn a_suspended_device_renews_nothing_until_it_is_resumed() {
    let home = Home::new().await;
    let token = home.register().await["access_token"].clone();
    let did = home.did(&token).await;
    home.life(&did, "suspend").await;
    assert_eq!(home.refused(&token).await, "device_state");
    home.life(&did, "resume").await;
    let (status, body) = home.renew(&token).await;
    assert_eq!(status, 200, "a cut is decided anew: {body}");
    assert!(home.world.app.authority().verify(body["access_token"].as_str().unwrap(), home.now()).is_ok());
    assert!(home.world.app.authority().verify(token.as_str().unwrap(), home.now()).is_err(), "the old one fell");
    home.life(&did, "retire").await;
    assert_eq!(home.refused(&body["access_token"]).await, "subject_anchor_ended");
}

#[tokio::test]
async fn a_revoked_token_is_remembered_past_its_last_renewal() {
    let home = Home::new().await;
    let token = home.register().await["access_token"].clone();
    let fields = [("client_id", "app_mobile"), ("token", token.as_str().unwrap())];
    assert_eq!(home.post("/revoke", None, None, &fields).await.0, 200);
    for _ in 0..31 {
        assert_eq!(home.refused(&token).await, "subject_anchor_ended");
        home.world.clock.pass(DAY - 1);
        home.world.app.beat().await.unwrap();
    }
    home.world.clock.pass(31);
    home.world.app.beat().await.unwrap();
    assert_eq!(home.refused(&token).await, "subject_anchor_ended", "on the last second of its grace");
    home.world.clock.pass(1);
    assert_eq!(home.refused(&token).await, "renewal_too_late");
}

#[tokio::test]
async fn a_retired_signing_key_verifies_renewals_as_long_as_there_are_any() {
    let home = Home::new().await;
    home.world.app.rotate_keys().await.unwrap();
    home.world.clock.pass(3599);
    let token = home.register().await["access_token"].clone();
    let kid =
        |token: &Value| jws::Unverified::parse(token.as_str().unwrap()).unwrap().header().kid().unwrap().to_owned();
    home.world.clock.pass(31 * DAY);
    home.world.app.beat().await.unwrap();
    let published = home.world.app.published_keys();
    assert!(!published.iter().any(|key| key["kid"] == kid(&token)), "nobody else needs it any more");
    let (status, body) = home.renew(&token).await;
    assert_eq!(status, 200, "{body}");
    assert_ne!(kid(&token), kid(&body["access_token"]));
    home.world.clock.pass(2);
    home.world.app.beat().await.unwrap();
    let restarted = home.world.restarted().await;
    let forgotten = restarted.authority().read(token.as_str().unwrap(), home.now()).unwrap_err();
    assert_eq!(forgotten.reason, "token_signed_by_unknown_key");
}

#[tokio::test]
async fn a_certificate_over_the_devices_key_renews_and_binds_the_new_token() {
    let home = Home::new().await;
    let token = home.register().await["access_token"].clone();
    let factory = crate::device_cas::authority("Factory", NOW + 86_400 * 365);
    let by = |key: &SigningKey| {
        let certificate = crate::device::issue(&factory, key, "SPK-1", 1);
        let (home, token) = (&home, token.as_str().unwrap());
        async move {
            let fields = [("grant_type", EXCHANGE), ("subject_token", token), ("subject_token_type", JWT)];
            let answer = home.post("/token", None, Some(vec![certificate.clone()]), &fields).await;
            (answer, certificate)
        }
    };
    let ((status, body), certificate) = by(&home.key).await;
    assert_eq!((status, &body["token_type"]), (200, &json!("Bearer")), "{body}");
    let thumbprint = pki::Certificate::parse(&certificate).unwrap().thumbprint();
    assert_eq!(claims(&body["access_token"])["cnf"], json!({ "x5t#S256": jose::base64url::encode(thumbprint) }));
    let ((status, body), _) = by(&SigningKey::generate(Alg::ES256).unwrap()).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_request")));
}

#[tokio::test]
async fn after_a_restart_a_renewal_is_what_it_was() {
    let home = Home::new().await;
    let token = home.register().await["access_token"].clone();
    let state = State { app: home.world.restarted().await, origin: ISSUER.into() };
    let home = Home { devices: web::device_router(state), ..home };
    home.world.clock.pass(DAY + 120);
    assert_eq!(home.renew(&token).await.0, 200);
}

#[tokio::test]
async fn a_device_that_lost_its_tokens_calls_home_and_has_an_asset_token_again() {
    let home = Home::new().await;
    let made = home.register().await["access_token"].clone();
    let (did, thumbprint) = (home.did(&made).await, home.key.jwk().thumbprint().to_string());
    home.world.clock.pass(400 * DAY);
    let send = |path: &'static str, body: Value| {
        let mut request = Request::builder().method("POST").uri(path);
        request = request.header("content-type", "application/json");
        let mut request = request.body(Body::from(body.to_string())).unwrap();
        let peer = Peer { address: "192.0.2.9".parse().unwrap(), certificate: None, local: false };
        request.extensions_mut().insert(peer);
        let door = home.devices.clone();
        async move {
            let answer = door.oneshot(request).await.unwrap();
            let bytes = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
            serde_json::from_slice::<Value>(&bytes).unwrap()
        }
    };
    let challenge = send("/device/challenge", json!({})).await;
    let claims_of_proof = json!({"iss": did, "aud": ISSUER, "nonce": challenge["challenge"], "iat": home.now()});
    let payload = claims_of_proof.to_string();
    let kid = Some(thumbprint.as_str());
    let proof = jws::sign_compact(Some("callhome+jwt"), kid, &Map::new(), payload.as_bytes(), &home.key).unwrap();
    let called = send("/device/session", json!({ "proof": proof })).await;
    let token = called["access_token"].clone();
    assert!(token.is_string(), "{called}");
    let (status, body) = home.renew_by(Some(&home.key), &token, &[]).await;
    assert_eq!(status, 200, "{body}");
    let (old, new) = (claims(&made), claims(&body["access_token"]));
    assert_eq!((&new["asset_id"], &new["sub"], &new["client_id"]), (&old["asset_id"], &old["sub"], &old["client_id"]));
    let stranger = SigningKey::generate(Alg::ES256).unwrap();
    let stolen = home.renew_by(Some(&stranger), &token, &[]).await;
    assert_eq!((stolen.0, &stolen.1["error"]), (400, &json!("invalid_request")));
    let bond = home.bond(&made).await;
    home.world.act(format!("/bonds/{bond}/end")).by(&As::Local).send().await.ok();
    let ended = home.renew_by(Some(&home.key), &token, &[]).await;
    assert_eq!((ended.0, &ended.1["error"]), (400, &json!("invalid_request")), "{ended:?}");
}

#[tokio::test]
async fn an_unbound_asset_token_is_refreshed_in_turns_and_a_spent_turn_ends_them_all() {
    let home = Home::new().await;
    let made = home.register_by_app().await;
    assert_eq!((&made["token_type"], claims(&made["access_token"]).get("cnf")), (&json!("Bearer"), None));
    let by_key = home.renew(&made["access_token"]).await;
    assert_eq!((by_key.0, &by_key.1["error"]), (400, &json!("invalid_request")), "no key is its own");
    let refresh = |token: Value| {
        let home = &home;
        async move {
            let fields = [
                ("grant_type", "refresh_token"),
                ("client_id", "server_app"),
                ("client_secret", "0123456789abcdefghijklmnopqrstuvwxyzABCDEF"),
                ("refresh_token", token.as_str().unwrap()),
            ];
            home.post("/token", None, None, &fields).await
        }
    };
    home.world.clock.pass(2 * DAY);
    let (status, next) = refresh(made["refresh_token"].clone()).await;
    assert_eq!(status, 200, "{next}");
    let (old, new) = (claims(&made["access_token"]), claims(&next["access_token"]));
    for name in ["sub", "did", "asset_id", "client_id", "aud", "scope", "act"] {
        assert_eq!(old[name], new[name], "{name}");
    }
    assert!(anchors(&new).is_subset(&anchors(&old)));
    let header = jws::Unverified::parse(next["access_token"].as_str().unwrap()).unwrap();
    assert_eq!(header.header().typ(), Some("asset+jwt"));
    home.world.clock.pass(60);
    let (status, reused) = refresh(made["refresh_token"].clone()).await;
    assert_eq!((status, &reused["error"]), (400, &json!("invalid_grant")));
    let (status, dead) = refresh(next["refresh_token"].clone()).await;
    assert_eq!((status, &dead["error"]), (400, &json!("invalid_grant")), "the whole family is over");
    let token = next["access_token"].as_str().unwrap();
    let verified = home.world.app.authority().verify(token, home.now());
    assert_eq!(verified.unwrap_err().reason, "anchor_raised_family", "and with it the asset token");
    assert!(home.world.kinds().await.contains(&"family.revoked".to_owned()));
}

/// The gateway of a building, with these scopes, and its own token.
async fn gateway(home: &Home, id: &str, scopes: &str) -> String {
    let more = json!({
        "auth": "client_secret_post", "secret": app::digest_text(GATEWAY_SECRET.as_bytes()), "scopes": scopes,
        "grant_types": ["client_credentials", EXCHANGE], "rights": { "asset_tokens": true },
    });
    home.client(id, &more).await;
    let fields = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", GATEWAY_SECRET)];
    let (status, body) = home.post("/token", None, None, &fields).await;
    assert_eq!(status, 200, "{body}");
    body["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_gateway_with_the_right_registers_for_an_account_and_its_owner_comes_later() {
    let home = Home::new().await;
    let own = gateway(&home, "gateway", "assets:register_for telemetry:write").await;
    let client = [("client_id", "gateway"), ("client_secret", GATEWAY_SECRET)];
    let named = |jti: &str| home.actor_of(&home.key, "maker:1", jti, &json!({ "account_id": "acc_501" }));
    let (status, body) = home.bring(&client, (&own, ACCESS_TOKEN), &named("gw-1")).await;
    assert_eq!(status, 200, "{body}");
    let made = claims(&body["access_token"]);
    assert_eq!((&made["sub"], &made["account_id"]), (&json!("acc_501"), &json!("acc_501")));
    assert!(!anchors(&made).iter().any(|anchor| anchor.starts_with("b.") || anchor.starts_with("u.")), "{made:?}");
    let told = home.world.events().await;
    let registered = told.iter().find(|(kind, ..)| kind == "asset.registered").unwrap();
    assert_eq!((&registered.2["user_id"], &registered.2["client_id"]), (&Value::Null, &json!("gateway")));
    home.world.clock.pass(2 * DAY);
    let (status, renewed) = home.renew(&body["access_token"]).await;
    assert_eq!((status, &claims(&renewed["access_token"])["sub"]), (200, &json!("acc_501")), "{renewed}");
    // Adam, who lives there, takes it into his own hands.
    let owned = home.register().await;
    let owned = claims(&owned["access_token"]);
    assert_eq!((&owned["sub"], &owned["asset_id"]), (&json!("u_adam"), &made["asset_id"]));
    assert!(anchors(&owned).iter().filter(|anchor| anchor.starts_with("b.")).count() == 2);
}

#[tokio::test]
async fn a_gateway_without_the_right_or_for_nobody_registers_nothing() {
    let home = Home::new().await;
    let client = [("client_id", "plain"), ("client_secret", GATEWAY_SECRET)];
    let plain = gateway(&home, "plain", "device:register telemetry:write").await;
    let named = home.actor_of(&home.key, "maker:1", "gw-1", &json!({ "account_id": "acc_501" }));
    let (status, body) = home.bring(&client, (&plain, ACCESS_TOKEN), &named).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_request")));
    let own = gateway(&home, "gateway", "assets:register_for telemetry:write").await;
    let client = [("client_id", "gateway"), ("client_secret", GATEWAY_SECRET)];
    for (at, account) in [json!({}), json!({ "account_id": "acc_nobody" })].iter().enumerate() {
        let actor = home.actor_of(&home.key, "maker:1", &format!("gw-{at}-x"), account);
        let (status, body) = home.bring(&client, (&own, ACCESS_TOKEN), &actor).await;
        assert_eq!((status, &body["error"]), (400, &json!("invalid_request")), "{account}");
    }
    // What a person holds stays theirs.
    home.register().await;
    let again = home.actor_of(&home.key, "maker:1", "gw-9", &json!({ "account_id": "acc_501" }));
    let (status, body) = home.bring(&client, (&own, ACCESS_TOKEN), &again).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_request")));
    assert_eq!(home.world.kinds().await.iter().filter(|kind| *kind == "asset.registered").count(), 1);
}

/// Two providers that the maker keeps customers at, each with its key; the second
/// may only speak of people who are known.
struct Providers {
    home: Home,
    first: SigningKey,
    second: SigningKey,
}

const FIRST: &str = "https://login.maker.example";
const SECOND: &str = "https://login.other.example";

async fn providers() -> Providers {
    use oauth::foreign_token::{Accepted, TrustedIssuer, Users};
    let home = Home::new().await;
    let (first, second) = (SigningKey::generate(Alg::ES256).unwrap(), SigningKey::generate(Alg::ES256).unwrap());
    let trusted = |issuer: &str, users, key: &SigningKey| {
        let issuer = TrustedIssuer {
            issuer: issuer.into(),
            accepts: vec![Accepted::AccessToken, Accepted::IdToken],
            audience: Some(ISSUER.into()),
            client_id: Some("speaker-app".into()),
            clients: vec!["app_mobile".parse().unwrap()],
            users,
            account: None,
        };
        (issuer, authority::KeySource::Fixed(jose::JwkSet::new(vec![key.jwk().clone()])))
    };
    struct Nobody;
    impl authority::Fetch for Nobody {
        fn get<'a>(&'a self, url: &'a str) -> authority::Fetched<'a> {
            panic!("{url} was fetched")
        }
    }
    let issuers = [trusted(FIRST, Users::Make, &first), trusted(SECOND, Users::Find, &second)];
    let foreign = authority::ForeignIssuers::new(issuers, std::sync::Arc::new(Nobody));
    let state = State { app: home.world.trusting(foreign).await, origin: ISSUER.into() };
    let home = Home { devices: web::device_router(state), ..home };
    Providers { home, first, second }
}

impl Providers {
    fn token(&self, key: &SigningKey, issuer: &str, sub: &str, typ: &str, aud: &str) -> String {
        let (now, exp) = (self.home.now(), self.home.now() + 300);
        let claims = json!({ "iss": issuer, "sub": sub, "aud": aud, "iat": now, "exp": exp, "name": "Adam" });
        jws::sign_compact(Some(typ), None, &Map::new(), claims.to_string().as_bytes(), key).unwrap()
    }

    async fn bring(&self, token: &str, kind: &str, did: &str) -> (u16, Value) {
        let key = SigningKey::generate(Alg::ES256).unwrap();
        let actor = self.home.actor_of(&key, did, &format!("act-{did}"), &json!({}));
        self.home.bring(&[("client_id", "app_mobile")], (token, kind), &actor).await
    }
}

#[tokio::test]
async fn a_person_of_a_trusted_issuer_is_made_once_and_the_same_sub_elsewhere_is_another() {
    let it = providers().await;
    let first = it.token(&it.first, FIRST, "adam", "at+jwt", ISSUER);
    let (status, body) = it.bring(&first, ACCESS_TOKEN, "maker:1").await;
    assert_eq!(status, 200, "{body}");
    let made = claims(&body["access_token"]);
    let created = it.home.world.kinds().await.iter().filter(|kind| *kind == "user.created").count();
    let both = [it.bring(&first, ACCESS_TOKEN, "maker:2"), it.bring(&first, JWT, "maker:3")];
    for (status, again) in futures_util::future::join_all(both).await {
        assert_eq!(status, 200, "{again}");
        let again = claims(&again["access_token"]);
        assert_eq!((&again["sub"], &again["account_id"]), (&made["sub"], &made["account_id"]));
    }
    assert_eq!(it.home.world.kinds().await.iter().filter(|kind| *kind == "user.created").count(), created);
    let by_id = it.token(&it.first, FIRST, "adam", "JWT", "speaker-app");
    let (status, body) = it.bring(&by_id, ID_TOKEN, "maker:4").await;
    assert_eq!((status, &claims(&body["access_token"])["sub"]), (200, &made["sub"]));
    // The other issuer's Adam is not known, and is not this one.
    let second = it.token(&it.second, SECOND, "adam", "at+jwt", ISSUER);
    let (status, body) = it.bring(&second, ACCESS_TOKEN, "maker:5").await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_request")));
    let eve = it.token(&it.first, FIRST, "eve", "at+jwt", ISSUER);
    let (_, body) = it.bring(&eve, ACCESS_TOKEN, "maker:6").await;
    let eve = claims(&body["access_token"]);
    assert!(eve["sub"] != made["sub"] && eve["account_id"] != made["account_id"]);
    // Stopped here, they bring nothing here, whatever is said there.
    let sub = made["sub"].as_str().unwrap();
    it.home.world.act(format!("/users/{sub}/disable")).by(&As::Local).send().await.ok();
    let (status, body) = it.bring(&first, ACCESS_TOKEN, "maker:7").await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_request")));
}

#[tokio::test]
async fn what_no_trusted_issuer_said_for_us_brings_nobody_and_nothing() {
    let it = providers().await;
    let before = it.home.world.kinds().await;
    let stranger = SigningKey::generate(Alg::ES256).unwrap();
    for (token, kind, why) in [
        (it.token(&stranger, FIRST, "adam", "at+jwt", ISSUER), ACCESS_TOKEN, "another's signature"),
        (it.token(&it.second, FIRST, "adam", "at+jwt", ISSUER), ACCESS_TOKEN, "the other issuer's signature"),
        (it.token(&it.first, "https://evil.example", "adam", "at+jwt", ISSUER), ACCESS_TOKEN, "an unknown issuer"),
        (it.token(&it.first, FIRST, "adam", "at+jwt", "https://api.example.com"), ACCESS_TOKEN, "for another"),
        (it.token(&it.first, FIRST, "adam", "JWT", "another-app"), ID_TOKEN, "an ID token for another app"),
        (it.token(&it.first, FIRST, "adam", "JWT", "speaker-app"), ACCESS_TOKEN, "an ID token as access token"),
        (it.home.customer("app_mobile"), ID_TOKEN, "our own access token as ID token"),
    ] {
        let (status, body) = it.bring(&token, kind, "maker:1").await;
        assert_eq!((status, &body["error"]), (400, &json!("invalid_request")), "{why}");
    }
    let good = it.token(&it.first, FIRST, "adam", "at+jwt", ISSUER);
    it.home.client("other", &json!({ "rights": { "asset_tokens": true } })).await;
    let actor = it.home.actor_of(&it.home.key, "maker:1", "act-1", &json!({}));
    let (status, _) = it.home.bring(&[("client_id", "other")], (&good, ACCESS_TOKEN), &actor).await;
    assert_eq!(status, 400, "a client that may not bring them");
    let (status, _) = it.home.bring(&[], (&good, ACCESS_TOKEN), &actor).await;
    assert_eq!(status, 401, "and none at all");
    assert_eq!(it.home.world.kinds().await, before, "nobody was made");
}
