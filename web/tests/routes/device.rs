//! `/device/*` and `/time`: what a device says about itself.

use authority::{Peer, UnverifiedCertificate};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use jose::dpop::{Claims as ProofClaims, HttpUri, ath, build};
use jose::{Alg, Signer, SigningKey, jws};
use pki::issue::{Authority, DeviceCertificate, NO_END};
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;
use web::State;

use crate::device_cas::authority;
use crate::world::{As, ISSUER, NOW, World};

const DEVICES: &str = "https://device.id.example.com";
const SERIAL: &str = "SPK-000123";

/// A speaker of a factory that is trusted, and the door it knocks at.
struct Speaker {
    world: World,
    door: Router,
    factory: Authority,
    key: SigningKey,
    certificate: Vec<u8>,
    did: String,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    fn refusal(&self) -> (u16, String) {
        (self.status.as_u16(), self.json()["error"].as_str().unwrap_or_default().to_owned())
    }
}

pub(crate) fn issue(factory: &Authority, key: &SigningKey, serial: &str, mark: u8) -> Vec<u8> {
    let spki = key.jwk().to_spki();
    let wanted = DeviceCertificate {
        serial_number: Some(serial),
        common_name: None,
        spki: &spki,
        serial: [mark; 16],
        not_before: NOW - 3600,
        not_after: NO_END,
        san_uri: None,
        client_auth: false,
    };
    factory.issue_device(&wanted).unwrap().der().to_vec()
}

impl Speaker {
    async fn new() -> Self {
        let world = World::new().await;
        let model = json!({"model": "SPK-2", "factory_key_is_operational": true, "firmware_version": "1.5.0"});
        world.post("/products", &model).by(&As::Local).send().await.ok();
        let factory = authority("Factory", NOW + 86_400 * 365);
        let body = json!({"certificate": factory.certificate().pem(), "product": "SPK-2"});
        world.post("/device-cas", &body).by(&As::Local).send().await.ok();
        let key = SigningKey::generate(Alg::ES256).unwrap();
        let certificate = issue(&factory, &key, SERIAL, 1);
        let pem = pki::Certificate::parse(&certificate).unwrap().pem();
        let body = json!({"model": "SPK-2", "serial": SERIAL, "certificate": pem});
        let device = world.post("/devices", &body).by(&As::Local).send().await.ok();
        let did = device["id"].as_str().unwrap().to_owned();
        let state = State { app: world.app.clone(), origin: DEVICES.into() };
        Self { door: web::device_router(state), world, factory, key, certificate, did }
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, String)],
        chain: Option<Vec<Vec<u8>>>,
        body: Value,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let body = if body.is_null() {
            Body::empty()
        } else {
            request = request.header("content-type", "application/json");
            Body::from(body.to_string())
        };
        let mut request = request.body(body).unwrap();
        let certificate = chain.and_then(UnverifiedCertificate::new);
        request.extensions_mut().insert(Peer { address: "192.0.2.9".parse().unwrap(), certificate, local: false });
        let (parts, body) = self.door.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = to_bytes(body, 1 << 24).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, bytes }
    }

    async fn call_home(&self, chain: Option<Vec<Vec<u8>>>, body: Value) -> Answer {
        self.send("POST", "/device/session", &[], chain, body).await
    }

    async fn at_home(&self) -> Value {
        let answer = self.call_home(Some(vec![self.certificate.clone()]), json!({"serial_number": SERIAL})).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()
    }

    async fn challenge(&self) -> String {
        let answer = self.send("POST", "/device/challenge", &[], None, Value::Null).await;
        answer.json()["challenge"].as_str().unwrap().to_owned()
    }

    fn proof(&self, key: &SigningKey, kid: Option<&str>, claims: Value) -> String {
        jws::sign_compact(Some("callhome+jwt"), kid, &Map::new(), claims.to_string().as_bytes(), key).unwrap()
    }

    async fn life(&self, act: &str) {
        self.world.act(format!("/devices/{}/{act}", self.did)).by(&As::Local).send().await.ok();
    }
}

fn claims(did: &str, nonce: &str) -> Value {
    json!({"iss": did, "aud": ISSUER, "nonce": nonce, "iat": NOW, "serial_number": SERIAL})
}

#[tokio::test]
async fn a_factory_certificate_opens_a_session_with_a_token_bound_to_it() {
    let speaker = Speaker::new().await;
    let body = json!({"serial_number": SERIAL, "model": "SPK-2", "firmware": "1.4.2", "scope": "firmware:read"});
    let answer = speaker.call_home(Some(vec![speaker.certificate.clone()]), body).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    assert_eq!(answer.headers["cache-control"], "no-store");
    let home = answer.json();
    assert_eq!((&home["did"], &home["state"]), (&json!(speaker.did), &json!("enrolled")));
    assert_eq!((&home["token_type"], &home["scope"]), (&json!("Bearer"), &json!("firmware:read")));
    assert_eq!(home["next"], json!(["pair", "update"]));
    let token = home["access_token"].as_str().unwrap();
    let said = jws::Unverified::parse(token).unwrap().peek_claims().unwrap();
    let x5t = pki::Certificate::parse(&speaker.certificate).unwrap().thumbprint();
    assert_eq!(said["cnf"], json!({"x5t#S256": jose::base64url::encode(x5t)}));
    assert_eq!((&said["sub"], &said["client_id"]), (&json!(speaker.did), &json!(speaker.did)));
    assert!(said["anc"].as_array().unwrap().iter().any(|anchor| anchor.as_str().unwrap().starts_with("ca.")));
    let kinds = speaker.world.kinds().await;
    assert!(kinds.iter().any(|kind| kind == "device.called_home"), "{kinds:?}");
    assert!(kinds.iter().any(|kind| kind == "device.enrolled"), "{kinds:?}");
}

#[tokio::test]
async fn whatever_is_not_this_device_is_told_one_and_the_same() {
    let speaker = Speaker::new().await;
    let foreign = authority("Stranger", NOW + 86_400 * 365);
    let stranger = SigningKey::generate(Alg::ES256).unwrap();
    let mine = speaker.certificate.clone();
    let body = json!({"serial_number": SERIAL});
    for (chain, body, why) in [
        (vec![issue(&foreign, &speaker.key, SERIAL, 2)], body.clone(), "a foreign factory, the right key"),
        (vec![issue(&speaker.factory, &stranger, SERIAL, 3)], body.clone(), "the same name over another key"),
        (vec![issue(&speaker.factory, &stranger, "SPK-999999", 4)], body.clone(), "a serial nobody knows"),
        (
            vec![issue(&speaker.factory, &speaker.key, "SPK-999999", 5)],
            body.clone(),
            "the right key under another name",
        ),
        (vec![speaker.factory.certificate().der().to_vec()], body.clone(), "the authority itself"),
        (vec![vec![0x30, 0x03, 1, 2, 3]], body.clone(), "no certificate at all"),
        (vec![mine], json!({"serial_number": "SPK-000124"}), "its own word says another serial"),
    ] {
        let answer = speaker.call_home(Some(chain), body).await;
        assert_eq!(answer.refusal(), (401, "invalid_credential".into()), "{why}");
        assert_eq!(answer.json()["error_description"], "The credential is not accepted.", "{why}");
    }
    let nothing = speaker.call_home(None, body).await;
    assert_eq!(nothing.refusal(), (401, "credential_required".into()));
}

#[tokio::test]
async fn every_state_has_its_answer_and_coming_back_is_coming_back() {
    let speaker = Speaker::new().await;
    let token = speaker.at_home().await["access_token"].as_str().unwrap().to_owned();
    let chain = || Some(vec![speaker.certificate.clone()]);
    let bearer = [("authorization", format!("Bearer {token}"))];
    let list = || speaker.send("GET", "/device/credentials", &bearer, chain(), Value::Null);
    assert_eq!(list().await.status, 200);
    speaker.life("suspend").await;
    assert_eq!(speaker.call_home(chain(), json!({})).await.refusal(), (403, "device_suspended".into()));
    assert_eq!(list().await.refusal(), (401, "invalid_token".into()), "its token fell with the suspension");
    speaker.life("resume").await;
    assert_eq!(speaker.call_home(chain(), json!({})).await.status, 200);
    speaker.life("retire").await;
    assert_eq!(speaker.call_home(chain(), json!({})).await.refusal(), (403, "device_retired".into()));
}

#[tokio::test]
async fn a_disabled_authority_lets_nobody_in_and_takes_tokens_back() {
    let speaker = Speaker::new().await;
    let token = speaker.at_home().await["access_token"].as_str().unwrap().to_owned();
    let authorities = speaker.world.get("/device-cas").by(&As::Local).send().await.ok();
    let place = format!("/device-cas/{}", authorities["items"][0]["id"].as_str().unwrap());
    let stop = json!({"state": "disabled"});
    speaker.world.patch(place, &stop).header("if-match", "*").by(&As::Local).send().await.ok();
    let chain = || Some(vec![speaker.certificate.clone()]);
    assert_eq!(speaker.call_home(chain(), json!({})).await.refusal(), (401, "invalid_credential".into()));
    let bearer = [("authorization", format!("Bearer {token}"))];
    let list = speaker.send("GET", "/device/credentials", &bearer, chain(), Value::Null).await;
    assert_eq!(list.refusal(), (401, "invalid_token".into()));
}

#[tokio::test]
async fn a_disabled_authority_stops_its_devices_at_the_token_endpoint_too() {
    let speaker = Speaker::new().await;
    speaker.at_home().await;
    let by_certificate = || async {
        let fields = [("grant_type", "client_credentials"), ("client_id", speaker.did.as_str())];
        let request = Request::builder().method("POST").uri("/token");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let mut request = request.body(Body::from(crate::people::world::form(&fields))).unwrap();
        let certificate = UnverifiedCertificate::new(vec![speaker.certificate.clone()]);
        request.extensions_mut().insert(Peer { address: "192.0.2.9".parse().unwrap(), certificate, local: false });
        let (parts, body) = speaker.door.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        (parts.status.as_u16(), serde_json::from_slice::<Value>(&bytes).unwrap())
    };
    let (status, body) = by_certificate().await;
    assert_eq!(status, 200, "{body}");
    let token = body["access_token"].as_str().unwrap().to_owned();
    let said = jws::Unverified::parse(&token).unwrap().peek_claims().unwrap();
    assert!(said["anc"].as_array().unwrap().iter().any(|anchor| anchor.as_str().unwrap().starts_with("ca.")));
    let authorities = speaker.world.get("/device-cas").by(&As::Local).send().await.ok();
    let place = format!("/device-cas/{}", authorities["items"][0]["id"].as_str().unwrap());
    let state = |state: &str| {
        let body = json!({ "state": state });
        speaker.world.patch(place.clone(), &body).header("if-match", "*").by(&As::Local).send()
    };
    state("disabled").await.ok();
    let (status, body) = by_certificate().await;
    assert_eq!((status, &body["error"]), (401, &json!("invalid_client")));
    assert!(speaker.world.app.authority().verify(&token, NOW).is_err(), "what it gave fell");
    state("trusted").await.ok();
    assert_eq!(by_certificate().await.0, 200, "trusted again");
}

#[tokio::test]
async fn a_signed_challenge_opens_a_session_once_with_a_token_bound_to_the_key() {
    let speaker = Speaker::new().await;
    let kid = speaker.key.jwk().thumbprint().to_string();
    let challenge = speaker.challenge().await;
    let proof = speaker.proof(&speaker.key, Some(&kid), claims(&speaker.did, &challenge));
    let answer = speaker.call_home(None, json!({"proof": proof, "model": "SPK-2"})).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    assert_eq!(answer.json()["token_type"], "DPoP");
    let said = jws::Unverified::parse(answer.json()["access_token"].as_str().unwrap()).unwrap().peek_claims().unwrap();
    assert_eq!(said["cnf"], json!({"jkt": kid}));
    let again = speaker.call_home(None, json!({"proof": proof})).await;
    assert_eq!(again.refusal(), (400, "invalid_challenge".into()), "a challenge is tried once");
    let fresh = speaker.challenge().await;
    speaker.world.clock.pass(61);
    let late = speaker.proof(&speaker.key, Some(&kid), claims(&speaker.did, &fresh));
    assert_eq!(speaker.call_home(None, json!({"proof": late})).await.refusal(), (400, "invalid_challenge".into()));
}

#[tokio::test]
async fn challenges_are_counted_by_address_and_a_flood_of_one_stops_no_other() {
    let speaker = Speaker::new().await;
    let ask = async |address: &str| {
        let mut request = Request::builder().method("POST").uri("/device/challenge").body(Body::empty()).unwrap();
        request.extensions_mut().insert(Peer { address: address.parse().unwrap(), certificate: None, local: false });
        let (parts, body) = speaker.door.clone().oneshot(request).await.unwrap().into_parts();
        Answer { status: parts.status, headers: parts.headers, bytes: to_bytes(body, 1 << 16).await.unwrap().to_vec() }
    };
    // A fleet behind one address of its carrier comes back at once.
    for _ in 0..5_000 {
        assert_eq!(ask("2001:db8::1").await.status, 200);
    }
    let refused = ask("2001:db8::2").await;
    assert_eq!(refused.refusal(), (429, "rate_limited".into()), "the same network");
    assert_eq!(
        (&refused.headers["retry-after"], &refused.headers["cache-control"]),
        (&"30".parse().unwrap(), &"no-store".parse().unwrap())
    );
    assert_eq!(ask("2001:db8:0:1::1").await.status, 200, "its neighbour");
    assert_eq!(ask("192.0.2.77").await.status, 200, "a stranger");
    speaker.world.clock.pass(30);
    let mut admitted = 0;
    while ask("2001:db8::1").await.status == 200 {
        admitted += 1;
    }
    assert_eq!(admitted, 3_000, "a hundred a second meanwhile");
}

#[tokio::test]
async fn a_proof_by_another_key_for_another_or_about_another_is_refused() {
    let speaker = Speaker::new().await;
    let kid = speaker.key.jwk().thumbprint().to_string();
    let stranger = SigningKey::generate(Alg::ES256).unwrap();
    let unknown = stranger.jwk().thumbprint().to_string();
    let with = |name: &str, value: Value, nonce: &str| {
        let mut changed = claims(&speaker.did, nonce);
        changed[name] = value;
        changed
    };
    let nonce = speaker.challenge().await;
    let mut proofs =
        vec![(speaker.proof(&stranger, Some(&kid), claims(&speaker.did, &nonce)), "signed by another key")];
    let nonce = speaker.challenge().await;
    proofs.push((speaker.proof(&stranger, Some(&unknown), claims(&speaker.did, &nonce)), "a key nobody registered"));
    for (name, value) in [
        ("aud", json!("https://elsewhere.example.com")),
        ("aud", json!([ISSUER])),
        ("iat", json!(NOW - 61)),
        ("iat", json!(i64::MIN)),
        ("iss", json!("dev_other")),
        ("serial_number", json!("SPK-000124")),
    ] {
        let nonce = speaker.challenge().await;
        proofs.push((speaker.proof(&speaker.key, Some(&kid), with(name, value, &nonce)), name));
    }
    for (proof, why) in proofs {
        let answer = speaker.call_home(None, json!({"proof": proof})).await;
        assert_eq!(answer.refusal(), (401, "invalid_credential".into()), "{why}");
    }
    let invented = speaker.proof(&speaker.key, Some(&kid), claims(&speaker.did, "h-4Qm1vJ7cZt0xY2rKp9LsA"));
    assert_eq!(speaker.call_home(None, json!({"proof": invented})).await.refusal(), (400, "invalid_challenge".into()));
    assert_eq!(speaker.call_home(None, json!({"proof": "x.y.z"})).await.refusal(), (400, "invalid_request".into()));
}

#[tokio::test]
async fn firmware_comes_whole_or_in_ranges_to_whoever_shows_token_and_certificate() {
    let speaker = Speaker::new().await;
    let token = speaker.at_home().await["access_token"].as_str().unwrap().to_owned();
    let chain = || Some(vec![speaker.certificate.clone()]);
    let bearer = ("authorization", format!("Bearer {token}"));
    let whole = speaker.send("GET", "/device/firmware", std::slice::from_ref(&bearer), chain(), Value::Null).await;
    assert_eq!((whole.status.as_u16(), whole.bytes.len()), (200, 256 * 1024));
    let range = [bearer.clone(), ("range", "bytes=1000-1999".to_owned())];
    let part = speaker.send("GET", "/device/firmware", &range, chain(), Value::Null).await;
    assert_eq!(part.status, 206);
    assert_eq!(part.headers["content-range"], "bytes 1000-1999/262144");
    assert_eq!(part.bytes, whole.bytes[1000..2000]);
    let changed = [bearer.clone(), ("range", "bytes=0-1".to_owned()), ("if-range", "\"older\"".to_owned())];
    assert_eq!(speaker.send("GET", "/device/firmware", &changed, chain(), Value::Null).await.status, 200);
    let stolen = speaker.send("GET", "/device/firmware", std::slice::from_ref(&bearer), None, Value::Null).await;
    assert_eq!(stolen.refusal(), (401, "invalid_token".into()), "without the certificate");
    let other = vec![issue(&speaker.factory, &speaker.key, SERIAL, 9)];
    let reissued = speaker.send("GET", "/device/firmware", &[bearer], Some(other), Value::Null).await;
    assert_eq!(reissued.refusal(), (401, "invalid_token".into()), "re-issued for the same key is another certificate");
    let none = speaker.send("GET", "/device/firmware", &[], chain(), Value::Null).await;
    assert_eq!(none.status, 401);
    assert!(none.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
}

#[tokio::test]
async fn a_new_session_ends_the_old_one_and_leaving_ends_its_own() {
    let speaker = Speaker::new().await;
    let chain = || Some(vec![speaker.certificate.clone()]);
    let bearer = |token: &Value| [("authorization", format!("Bearer {}", token.as_str().unwrap()))];
    let first = bearer(&speaker.at_home().await["access_token"]);
    let second = bearer(&speaker.at_home().await["access_token"]);
    assert_eq!(speaker_list(&speaker, &first, chain()).await, 401, "one session per credential");
    assert_eq!(speaker_list(&speaker, &second, chain()).await, 200);
    let left = speaker.send("DELETE", "/device/session", &second, chain(), Value::Null).await;
    assert_eq!(left.status, 204);
    assert_eq!(speaker_list(&speaker, &second, chain()).await, 401);
}

async fn speaker_list(speaker: &Speaker, headers: &[(&str, String)], chain: Option<Vec<Vec<u8>>>) -> u16 {
    speaker.send("GET", "/device/credentials", headers, chain, Value::Null).await.status.as_u16()
}

#[tokio::test]
async fn what_ended_before_a_restart_stays_ended_after_it_and_what_lived_lives() {
    let mut speaker = Speaker::new().await;
    let chain = || Some(vec![speaker.certificate.clone()]);
    let bearer = |token: &Value| [("authorization", format!("Bearer {}", token.as_str().unwrap()))];
    let ended = bearer(&speaker.at_home().await["access_token"]);
    let living = bearer(&speaker.at_home().await["access_token"]);
    let (chain, app) = (chain(), speaker.world.restarted().await);
    speaker.door = web::device_router(State { app, origin: DEVICES.into() });
    assert_eq!(speaker_list(&speaker, &ended, chain.clone()).await, 401);
    assert_eq!(speaker_list(&speaker, &living, chain).await, 200);
}

#[tokio::test]
async fn a_proof_may_bring_its_chain_and_a_foreign_one_is_refused() {
    let speaker = Speaker::new().await;
    let foreign = authority("Stranger", NOW + 86_400 * 365);
    for (chain, status) in [
        (speaker.certificate.clone(), 200),
        (issue(&foreign, &speaker.key, SERIAL, 7), 401),
        (issue(&speaker.factory, &SigningKey::generate(Alg::ES256).unwrap(), SERIAL, 8), 401),
    ] {
        let nonce = speaker.challenge().await;
        let mut said = claims(&speaker.did, &nonce);
        said.as_object_mut().unwrap().remove("iss");
        let header = Map::from_iter([("x5c".to_owned(), json!([standard(&chain)]))]);
        let proof =
            jws::sign_compact(Some("callhome+jwt"), None, &header, said.to_string().as_bytes(), &speaker.key).unwrap();
        let answer = speaker.call_home(None, json!({"proof": proof})).await;
        assert_eq!(answer.status, status, "{}", answer.json());
        if status == 401 {
            assert_eq!(answer.refusal().1, "invalid_credential");
        }
    }
}

/// Standard base64, as `x5c` has it (RFC 7515 §4.1.6).
fn standard(bytes: &[u8]) -> String {
    let mut text = jose::base64url::encode(bytes).replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

#[tokio::test]
async fn a_proof_of_the_same_key_binds_the_token_to_the_key() {
    let speaker = Speaker::new().await;
    let uri = HttpUri::parse(&format!("{DEVICES}/device/session")).unwrap();
    let proof = |key: &SigningKey, jti: &str| {
        build(key, &ProofClaims { method: "POST", uri: &uri, iat: NOW, jti, ath: None, nonce: None }).unwrap()
    };
    let chain = || Some(vec![speaker.certificate.clone()]);
    let dpop = [("dpop", proof(&speaker.key, "home-0001"))];
    let answer = speaker.send("POST", "/device/session", &dpop, chain(), json!({})).await;
    assert_eq!(answer.json()["token_type"], "DPoP", "{}", answer.json());
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    let uri = HttpUri::parse(&format!("{DEVICES}/device/credentials")).unwrap();
    let hash = ath(&token);
    let claims = ProofClaims { method: "GET", uri: &uri, iat: NOW, jti: "list-0001", ath: Some(&hash), nonce: None };
    let headers = [("authorization", format!("DPoP {token}")), ("dpop", build(&speaker.key, &claims).unwrap())];
    assert_eq!(speaker_list(&speaker, &headers, None).await, 200);
    assert_eq!(speaker_list(&speaker, &headers, None).await, 401, "a proof is good once");
    let stranger = [("dpop", proof(&SigningKey::generate(Alg::ES256).unwrap(), "home-0002"))];
    let answer = speaker.send("POST", "/device/session", &stranger, chain(), json!({})).await;
    assert_eq!(answer.refusal(), (401, "invalid_dpop_proof".into()));
}

#[tokio::test]
async fn the_time_is_told_and_signed_where_asked_for() {
    let speaker = Speaker::new().await;
    let plain = speaker.send("GET", "/time", &[], None, Value::Null).await;
    assert_eq!(plain.json(), json!({"now": NOW}));
    let signed = speaker.send("GET", "/time", &[("accept", "application/jwt".into())], None, Value::Null).await;
    assert_eq!(signed.headers["content-type"], "application/jwt");
    let token = String::from_utf8(signed.bytes).unwrap();
    assert_eq!(speaker.world.app.keys().verify_statement("time+jwt", &token).unwrap()["now"], json!(NOW));
}

#[tokio::test]
async fn device_routes_stand_on_the_device_listener_alone() {
    let speaker = Speaker::new().await;
    for path in ["/device/session", "/device/challenge"] {
        assert_eq!(speaker.world.act(path).stream().await.status(), 404, "{path}");
    }
    let page = speaker.send("GET", "/signin", &[], None, Value::Null).await;
    assert_eq!(page.status, 404, "and pages on the other");
    let registry = speaker.send("GET", "/devices", &[], None, Value::Null).await;
    assert_eq!(registry.status, 401, "the API stands on both, for tokens bound to a certificate");
}
