//! `POST /device/keys`: a device rotates its bare key by itself; and what a key
//! is worth whose certificate stands under an authority that nobody shows.

use authority::{Peer, UnverifiedCertificate};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use core::cell::Cell;
use jose::dpop::{Claims as ProofClaims, HttpUri, ath, build};
use jose::{Alg, Signer, SigningKey, jws};
use pki::issue::AuthorityCertificate;
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;
use web::State;

use crate::device::issue;
use crate::device_cas::authority;
use crate::world::{As, ISSUER, NOW, World};

const DEVICES: &str = "https://device.id.example.com";
const DAY: u64 = 86_400;

/// A speaker with a bare key of the factory.
struct Speaker {
    world: World,
    door: Router,
    did: String,
    key: SigningKey,
    proofs: Cell<u32>,
}

type Answer = (u16, Value);

fn key() -> SigningKey {
    SigningKey::generate(Alg::ES256).unwrap()
}

fn kid(key: &SigningKey) -> String {
    key.jwk().thumbprint().to_string()
}

fn word((status, body): &Answer) -> (u16, &str) {
    (*status, body["error"].as_str().unwrap_or_default())
}

impl Speaker {
    async fn new() -> Self {
        let (world, key) = (World::new().await, key());
        let model = json!({"model": "SPK-2", "factory_key_is_operational": true});
        world.post("/products", &model).by(&As::Local).send().await.ok();
        let did = enter(&world, "SPK-000123", &key).await;
        let door = web::device_router(State { app: world.app.clone(), origin: DEVICES.into() });
        Self { world, door, did, key, proofs: Cell::new(0) }
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, String)], body: Body, kind: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("content-type", kind);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let mut request = request.body(body).unwrap();
        request.extensions_mut().insert(peer(None));
        let (parts, body) = self.door.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        (parts.status.as_u16(), serde_json::from_slice(&bytes).unwrap_or_default())
    }

    fn now(&self) -> i64 {
        self.world.app.now()
    }

    fn signed(&self, typ: &str, by: &SigningKey, claims: &Value) -> String {
        jws::sign_compact(Some(typ), Some(&kid(by)), &Map::new(), claims.to_string().as_bytes(), by).unwrap()
    }

    fn challenge(&self) -> String {
        self.world.app.challenge(&peer(None)).unwrap()
    }

    async fn call_home(&self, by: &SigningKey) -> Answer {
        let claims = json!({"iss": self.did, "aud": ISSUER, "nonce": self.challenge(), "iat": self.now()});
        let body = json!({"proof": self.signed("callhome+jwt", by, &claims)});
        self.send("POST", "/device/session", &[], Body::from(body.to_string()), "application/json").await
    }

    async fn token(&self, by: &SigningKey) -> String {
        let (status, home) = self.call_home(by).await;
        assert_eq!(status, 200, "{home}");
        home["access_token"].as_str().unwrap().to_owned()
    }

    /// `Authorization` and `DPoP` for a token, by a key.
    fn shown(&self, method: &str, path: &str, token: &str, by: &SigningKey) -> [(&'static str, String); 2] {
        self.proofs.set(self.proofs.get() + 1);
        let (uri, hash) = (HttpUri::parse(&format!("{DEVICES}{path}")).unwrap(), ath(token));
        let jti = format!("proof-{:08}", self.proofs.get());
        let claims = ProofClaims { method, uri: &uri, iat: self.now(), jti: &jti, ath: Some(&hash), nonce: None };
        [("authorization", format!("DPoP {token}")), ("dpop", build(by, &claims).unwrap())]
    }

    fn key_proof(&self, by: &SigningKey) -> String {
        self.signed("key+jwt", by, &json!({"aud": ISSUER, "nonce": self.challenge(), "iat": self.now()}))
    }

    /// The old key hands in the new one.
    async fn stage(&self, old: &SigningKey, token: &str, new: &SigningKey) -> Answer {
        self.stage_with(old, token, &new.jwk().to_bare_json(), self.key_proof(new)).await
    }

    async fn stage_with(&self, old: &SigningKey, token: &str, jwk: &Value, proof: String) -> Answer {
        let headers = self.shown("POST", "/device/keys", token, old);
        let body = json!({"jwk": jwk, "proof": proof}).to_string();
        self.send("POST", "/device/keys", &headers, Body::from(body), "application/json").await
    }

    async fn looks(&self, token: &str, by: &SigningKey) -> Answer {
        let headers = self.shown("GET", "/device/credentials", token, by);
        self.send("GET", "/device/credentials", &headers, Body::empty(), "text/plain").await
    }

    /// What backends check signatures with.
    async fn published(&self) -> Vec<String> {
        let keys = self.world.get(format!("/devices/{}/keys", self.did)).by(&As::Local).send().await.ok();
        keys["keys"].as_array().unwrap().iter().map(|jwk| jwk["kid"].as_str().unwrap().to_owned()).collect()
    }

    /// `client_credentials` by an assertion of a key alone.
    async fn asks_for_token(&self, by: &SigningKey) -> Answer {
        self.proofs.set(self.proofs.get() + 1);
        let jti = format!("assertion-{:08}", self.proofs.get());
        let claims = json!({"iss": self.did, "sub": self.did, "aud": ISSUER, "jti": jti, "exp": self.now() + 60});
        let assertion = self.signed("client-authentication+jwt", by, &claims);
        let uri = HttpUri::parse(&format!("{DEVICES}/token")).unwrap();
        let proof = ProofClaims { method: "POST", uri: &uri, iat: self.now(), jti: &jti, ath: None, nonce: None };
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion.as_str()),
        ];
        let headers = [("dpop", build(by, &proof).unwrap())];
        let body = Body::from(crate::people::world::form(&fields));
        self.send("POST", "/token", &headers, body, "application/x-www-form-urlencoded").await
    }
}

fn peer(certificate: Option<UnverifiedCertificate>) -> Peer {
    Peer { address: "192.0.2.9".parse().unwrap(), certificate, local: false }
}

async fn enter(world: &World, serial: &str, key: &SigningKey) -> String {
    let body = json!({"model": "SPK-2", "serial": serial, "jwk": key.jwk().to_bare_json()});
    let device = world.post("/devices", &body).by(&As::Local).send().await.ok();
    device["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_device_rotates_its_bare_key_and_is_at_no_moment_without_one() {
    let speaker = Speaker::new().await;
    let (old, new) = (&speaker.key, key());
    let token = speaker.token(old).await;
    let (status, staged) = speaker.stage(old, &token, &new).await;
    assert_eq!(status, 201, "{staged}");
    assert_eq!(staged, json!({"kid": kid(&new), "state": "staged", "drop_at": NOW + 7 * 86_400}));
    // The answer is lost, and the device asks again; power fails, and it goes on by its old key.
    assert_eq!(speaker.stage(old, &token, &new).await, (201, staged));
    assert_eq!(speaker.published().await, [kid(old)], "a staged key signs nothing for anybody yet");
    assert_eq!(word(&speaker.asks_for_token(&new).await), (401, "invalid_client"));
    assert_eq!(speaker.asks_for_token(old).await.0, 200);
    let token = speaker.token(old).await;
    assert_eq!(word(&speaker.stage(old, &token, &key()).await), (409, "rotation_in_progress"));

    let (status, home) = speaker.call_home(&new).await;
    assert_eq!((status, &home["old_valid_until"]), (200, &json!(NOW + 86_400)), "{home}");
    let (_, again) = speaker.call_home(&new).await;
    assert_eq!(again["old_valid_until"], home["old_valid_until"], "told again: the first answer may be lost");
    let mut both = vec![kid(old), kid(&new)];
    both.sort();
    let mut published = speaker.published().await;
    published.sort();
    assert_eq!(published, both);
    assert_eq!(speaker.call_home(old).await.0, 200, "both count meanwhile");
    let renewed = again["access_token"].as_str().unwrap();
    let third = key();
    assert_eq!(word(&speaker.stage(&new, renewed, &third).await), (409, "rotation_in_progress"));

    // The last token of the old key ends with it, however long a token lives otherwise.
    speaker.world.clock.pass(DAY - 60);
    let (status, last) = speaker.call_home(old).await;
    assert_eq!((status, &last["expires_in"]), (200, &json!(60)));
    let (status, bought) = speaker.asks_for_token(old).await;
    assert_eq!((status, &bought["expires_in"]), (200, &json!(60)));
    let last = last["access_token"].as_str().unwrap();
    assert_eq!(speaker.looks(last, old).await.0, 200);
    // Clocks of doors may differ by a minute.
    speaker.world.clock.pass(60 + 61);
    assert_eq!(word(&speaker.looks(last, old).await), (401, "invalid_token"));
    assert_eq!(word(&speaker.call_home(old).await), (401, "invalid_credential"));
    assert_eq!(word(&speaker.asks_for_token(old).await), (401, "invalid_client"));
    assert_eq!(speaker.published().await, [kid(&new)]);
    let token = speaker.token(&new).await;
    assert_eq!(speaker.stage(&new, &token, &third).await.0, 201, "and so on");
    let (_, list) = speaker.looks(&token, &new).await;
    let states: Vec<_> = list["credentials"].as_array().unwrap().iter().map(|it| it["state"].clone()).collect();
    assert_eq!(states.iter().filter(|state| **state == json!("revoked")).count(), 1, "{list}");
    assert_eq!(word(&speaker.stage(&new, &token, old).await), (400, "invalid_request"), "no key is used twice");
}

#[tokio::test]
async fn what_is_not_proved_by_both_keys_stages_nothing() {
    let speaker = Speaker::new().await;
    let (old, new, stranger) = (&speaker.key, key(), key());
    let token = speaker.token(old).await;
    let jwk = new.jwk().to_bare_json();
    let said = |name: &str, value: Value| {
        let mut claims = json!({"aud": ISSUER, "nonce": speaker.challenge(), "iat": NOW});
        claims[name] = value;
        claims
    };
    let used = speaker.key_proof(&new);
    let by_stranger = speaker.stage_with(old, &token, &jwk, speaker.key_proof(&stranger)).await;
    assert_eq!(word(&by_stranger), (401, "invalid_credential"));
    for (proof, refusal, why) in [
        (speaker.signed("callhome+jwt", &new, &said("iat", json!(NOW))), (400, "invalid_request"), "of another kind"),
        (
            speaker.signed("key+jwt", &new, &said("nonce", json!("invented"))),
            (400, "invalid_challenge"),
            "no challenge",
        ),
        (
            speaker.signed("key+jwt", &new, &said("aud", json!("https://else"))),
            (401, "invalid_credential"),
            "elsewhere",
        ),
        (speaker.signed("key+jwt", &new, &said("iat", json!(NOW - 61))), (401, "invalid_credential"), "of yesterday"),
        ("nonsense".to_owned(), (400, "invalid_request"), "no proof"),
    ] {
        assert_eq!(word(&speaker.stage_with(old, &token, &jwk, proof).await), refusal, "{why}");
    }
    let mut private = jwk.clone();
    private["d"] = json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    assert_eq!(word(&speaker.stage_with(old, &token, &private, used.clone()).await), (400, "invalid_request"));
    let symmetric = json!({"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T"});
    assert_eq!(word(&speaker.stage_with(old, &token, &symmetric, used.clone()).await), (400, "invalid_request"));
    assert_eq!(word(&speaker.stage(old, &token, old).await), (400, "invalid_request"), "the same key");
    let other = key();
    enter(&speaker.world, "SPK-000124", &other).await;
    assert_eq!(word(&speaker.stage(old, &token, &other).await), (400, "invalid_request"), "the key of another device");

    // A stolen token without its key, and a proof by the new key where the old one is wanted.
    let body = || Body::from(json!({"jwk": jwk, "proof": used}).to_string());
    let bearer = [("authorization", format!("Bearer {token}"))];
    let stolen = speaker.send("POST", "/device/keys", &bearer, body(), "application/json").await;
    assert_eq!(word(&stolen), (401, "invalid_token"));
    let by_new = speaker.shown("POST", "/device/keys", &token, &new);
    assert_eq!(speaker.send("POST", "/device/keys", &by_new, body(), "application/json").await.0, 401);
    assert_eq!(speaker.stage_with(old, &token, &jwk, used.clone()).await.0, 201, "good all the while");
    assert_eq!(word(&speaker.stage_with(old, &token, &jwk, used).await), (400, "invalid_challenge"), "but once");
}

#[tokio::test]
async fn of_ten_keys_handed_in_at_once_one_is_staged() {
    let speaker = Speaker::new().await;
    let token = speaker.token(&speaker.key).await;
    let keys: Vec<_> = (0..10).map(|_| key()).collect();
    let asked = keys.iter().map(|new| speaker.stage(&speaker.key, &token, new));
    let answers = futures_util::future::join_all(asked).await;
    assert_eq!(answers.iter().filter(|answer| answer.0 == 201).count(), 1, "{answers:?}");
    assert!(
        answers.iter().filter(|answer| answer.0 != 201).all(|answer| word(answer) == (409, "rotation_in_progress"))
    );
}

#[tokio::test]
async fn whoever_staged_a_key_by_a_stolen_one_does_not_outlive_it() {
    let speaker = Speaker::new().await;
    let (stolen, new) = (&speaker.key, key());
    let token = speaker.token(stolen).await;
    let (_, list) = speaker.looks(&token, stolen).await;
    let id = list["credentials"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(speaker.stage(stolen, &token, &new).await.0, 201);
    let place = format!("/devices/{}/credentials/{id}/revoke", speaker.did);
    speaker.world.act(place).by(&As::Local).send().await.ok();
    assert_eq!(word(&speaker.call_home(&new).await), (401, "invalid_credential"));
    assert_eq!(word(&speaker.looks(&token, stolen).await), (401, "invalid_token"));
    assert_eq!(speaker.published().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_staged_key_that_is_never_used_is_dropped_after_a_week_and_the_old_one_goes_on() {
    let speaker = Speaker::new().await;
    let (old, lost, next) = (&speaker.key, key(), key());
    let token = speaker.token(old).await;
    assert_eq!(speaker.stage(old, &token, &lost).await.0, 201);
    speaker.world.clock.pass(7 * DAY);
    assert_eq!(word(&speaker.call_home(&lost).await), (401, "invalid_credential"));
    let token = speaker.token(old).await;
    assert_eq!(speaker.stage(old, &token, &next).await.0, 201);
    assert_eq!(speaker.call_home(&next).await.0, 200);
}

#[tokio::test]
async fn the_key_of_a_certificate_is_not_rotated_here_and_a_stopped_device_rotates_nothing() {
    let speaker = Speaker::new().await;
    let factory = authority("Factory", NOW + 86_400 * 365);
    let body = json!({"certificate": factory.certificate().pem(), "product": "SPK-2"});
    speaker.world.post("/device-cas", &body).by(&As::Local).send().await.ok();
    let certified = key();
    let der = issue(&factory, &certified, "SPK-000123", 1);
    let pem = pki::Certificate::parse(&der).unwrap().pem();
    let body = json!({"certificate": pem});
    speaker.world.post(format!("/devices/{}/credentials", speaker.did), &body).by(&As::Local).send().await.ok();
    let token = speaker.token(&certified).await;
    assert_eq!(word(&speaker.stage(&certified, &token, &key()).await), (403, "wrong_credential"));
    let token = speaker.token(&speaker.key).await;
    speaker.world.act(format!("/devices/{}/suspend", speaker.did)).by(&As::Local).send().await.ok();
    assert_eq!(word(&speaker.stage(&speaker.key, &token, &key()).await), (401, "invalid_token"), "its token fell");
}

/// Registers a certificate of an authority in between, which the registry never sees,
/// under a root that it trusts; the place of that root.
async fn certified_in_between(speaker: &Speaker, key: &SigningKey) -> (String, Vec<Vec<u8>>) {
    let root = authority("Root", NOW + 86_400 * 365);
    let wanted =
        AuthorityCertificate { common_name: "Line 7", serial: [6; 16], not_before: NOW - 60, not_after: NOW + 86_400 };
    let between = root.create_intermediate(&wanted).unwrap();
    let body = json!({"certificate": root.certificate().pem(), "product": "SPK-2"});
    let made = speaker.world.post("/device-cas", &body).by(&As::Local).send().await.ok();
    let leaf = issue(&between, key, "SPK-000123", 1);
    let body = json!({"certificate": pki::Certificate::parse(&leaf).unwrap().pem()});
    speaker.world.post(format!("/devices/{}/credentials", speaker.did), &body).by(&As::Local).send().await.ok();
    let place = format!("/device-cas/{}", made["id"].as_str().unwrap());
    (place, vec![leaf, between.certificate().der().to_vec()])
}

async fn set(speaker: &Speaker, place: &str, state: &str) {
    let body = json!({ "state": state });
    speaker.world.patch(place.to_owned(), &body).header("if-match", "*").by(&As::Local).send().await.ok();
}

#[tokio::test]
async fn a_disabled_authority_that_is_neither_shown_nor_named_stops_its_devices_all_the_same() {
    let speaker = Speaker::new().await;
    let certified = key();
    let (root, _) = certified_in_between(&speaker, &certified).await;
    let home = speaker.token(&certified).await;
    let (status, bought) = speaker.asks_for_token(&certified).await;
    assert_eq!(status, 200, "{bought}");
    let bought = bought["access_token"].as_str().unwrap().to_owned();
    set(&speaker, &root, "disabled").await;
    for token in [&home, &bought] {
        assert!(speaker.world.app.authority().verify(token, NOW).is_err(), "what it gave fell");
    }
    assert_eq!(word(&speaker.asks_for_token(&certified).await), (401, "invalid_client"));
    assert_eq!(word(&speaker.call_home(&certified).await), (401, "invalid_credential"), "by its key alone neither");
    assert_eq!(speaker.asks_for_token(&speaker.key).await.0, 200, "a bare key stands under nobody");
    set(&speaker, &root, "trusted").await;
    assert_eq!(speaker.asks_for_token(&certified).await.0, 200);
}

#[tokio::test]
async fn once_a_device_has_shown_its_chain_another_authority_of_its_product_is_nothing_to_it() {
    let speaker = Speaker::new().await;
    let certified = key();
    let (root, chain) = certified_in_between(&speaker, &certified).await;
    let other = authority("Other", NOW + 86_400 * 365);
    let body = json!({"certificate": other.certificate().pem(), "product": "SPK-2"});
    let other = speaker.world.post("/device-cas", &body).by(&As::Local).send().await.ok();
    let other = format!("/device-cas/{}", other["id"].as_str().unwrap());
    set(&speaker, &other, "disabled").await;
    assert_eq!(word(&speaker.asks_for_token(&certified).await), (401, "invalid_client"), "it might be of that one");

    let mut request =
        Request::builder().method("POST").uri("/device/session").header("content-type", "application/json");
    request = request.header("accept", "*/*");
    let mut request = request.body(Body::from("{}")).unwrap();
    request.extensions_mut().insert(peer(UnverifiedCertificate::new(chain)));
    assert_eq!(speaker.door.clone().oneshot(request).await.unwrap().status(), 200);
    let (status, bought) = speaker.asks_for_token(&certified).await;
    assert_eq!(status, 200, "{bought}");
    set(&speaker, &root, "disabled").await;
    assert_eq!(word(&speaker.asks_for_token(&certified).await), (401, "invalid_client"), "its own is another matter");
}
