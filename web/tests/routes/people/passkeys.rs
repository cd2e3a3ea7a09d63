//! `/my/passkeys` and `/signin/passkey`, with an authenticator of our own.

use http::{Method, Request, StatusCode, header};
use jose::{Alg, Signer as _, SigningKey, base64url, digest};
use serde_json::{Value, json};

use super::world::{Answer, Browser, ISSUER, PASSWORD, World, form};

/// Keeps one passkey, made for one person.
struct Authenticator {
    key: SigningKey,
    id: Vec<u8>,
    handle: String,
    counter: u32,
    origin: String,
}

const PRESENT_AND_VERIFIED: u8 = 0x05;
const ATTESTED: u8 = 0x40;

fn cbor_bytes(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
    [&[0x59][..], &length, bytes].concat()
}

/// `r || s` as the DER sequence that authenticators send.
fn der(raw: &[u8]) -> Vec<u8> {
    let integer = |half: &[u8]| {
        let start = half.iter().position(|byte| *byte != 0).unwrap();
        let pad = if half[start] & 0x80 == 0 { &[][..] } else { &[0][..] };
        let value = [pad, &half[start..]].concat();
        [&[0x02, u8::try_from(value.len()).unwrap()][..], &value].concat()
    };
    let body = [integer(&raw[..32]), integer(&raw[32..])].concat();
    [&[0x30, u8::try_from(body.len()).unwrap()][..], &body].concat()
}

impl Authenticator {
    fn new() -> Self {
        let key = SigningKey::generate(Alg::ES256).unwrap();
        Self { key, id: vec![9; 32], handle: String::new(), counter: 1, origin: ISSUER.into() }
    }

    fn client_data(&self, kind: &str, challenge: &str) -> String {
        json!({ "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false }).to_string()
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        [&digest::sha256(b"localhost")[..], &[flags], &self.counter.to_be_bytes()].concat()
    }

    fn make(&mut self, asked: &Value) -> Value {
        let options = &asked["publicKey"];
        self.handle = options["user"]["id"].as_str().unwrap().to_owned();
        let jwk = serde_json::to_value(self.key.jwk()).unwrap();
        let half = |name: &str| base64url::decode(jwk[name].as_str().unwrap()).unwrap();
        // {1: 2 (EC2), 3: -7 (ES256), -1: 1 (P-256), -2: x, -3: y}
        let cose =
            [&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21][..], &cbor_bytes(&half("x")), &[0x22], &cbor_bytes(&half("y"))]
                .concat();
        let length = u16::try_from(self.id.len()).unwrap().to_be_bytes();
        let data = [&self.data(PRESENT_AND_VERIFIED | ATTESTED), &[0; 16][..], &length, &self.id, &cose].concat();
        let object = [b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData", &cbor_bytes(&data)[..]].concat();
        let id = base64url::encode(&self.id);
        json!({
            "id": id, "rawId": id, "type": "public-key", "extensions": { "credProps": { "rk": true } },
            "response": {
                "attestationObject": base64url::encode(object),
                "clientDataJSON": base64url::encode(self.client_data("webauthn.create", options["challenge"].as_str().unwrap())),
                "transports": ["internal"],
            },
        })
    }

    fn sign(&mut self, asked: &Value) -> Value {
        self.counter += 1;
        let challenge = asked["publicKey"]["challenge"].as_str().unwrap();
        let client = self.client_data("webauthn.get", challenge);
        let data = self.data(PRESENT_AND_VERIFIED);
        let signed = self.key.sign(&[&data[..], &digest::sha256(client.as_bytes())].concat()).unwrap();
        let id = base64url::encode(&self.id);
        json!({
            "id": id, "rawId": id, "type": "public-key", "extensions": {},
            "response": {
                "authenticatorData": base64url::encode(data),
                "clientDataJSON": base64url::encode(client),
                "signature": base64url::encode(der(&signed)),
                "userHandle": self.handle,
            },
        })
    }
}

impl Browser<'_> {
    /// Posts as the script of a page does.
    async fn script(&mut self, page: &str, path: &str, body: &Value) -> Answer {
        let csrf = self.get(page).await.field("csrf").unwrap();
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-csrf", csrf)
            .header("sec-fetch-site", "same-origin")
            .header(header::ORIGIN, ISSUER);
        self.send(request, body.to_string()).await
    }

    async fn asked(&mut self, page: &str, path: &str) -> Value {
        let answer = self.script(page, path, &json!({})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.json()
    }

    async fn add_passkey(&mut self, authenticator: &mut Authenticator, name: &str) -> Answer {
        let asked = self.asked("/my/security", "/my/passkeys/options").await;
        let body = json!({ "state": asked["state"], "name": name, "credential": authenticator.make(&asked) });
        self.script("/my/security", "/my/passkeys", &body).await
    }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

async fn with_passkey(world: &World) -> Authenticator {
    world.adam().await;
    let mut browser = world.signed_in("adam@example.com").await;
    let mut authenticator = Authenticator::new();
    let added = browser.add_passkey(&mut authenticator, "Phone").await;
    assert_eq!((added.status, &added.json()["next"]), (StatusCode::OK, &json!("/my/security")), "{}", added.body);
    let page = browser.get("/my/security").await;
    assert!(page.says("Phone") && page.says("Your new passkey works from now on."), "{}", page.body);
    authenticator
}

#[tokio::test]
async fn a_passkey_is_added_and_signs_in_without_an_address() {
    let world = World::new().await;
    let mut authenticator = with_passkey(&world).await;
    assert!(world.mails().await.iter().any(|mail| mail.text.contains("Phone")), "the person is told");
    let mut browser = world.browser();
    let asked = browser.asked("/signin", "/signin/passkey/options").await;
    assert!(asked["publicKey"]["allowCredentials"].as_array().is_none_or(Vec::is_empty), "it tells no ids");
    let body = json!({ "state": asked["state"], "return_to": "/my/people", "credential": authenticator.sign(&asked) });
    let answer = browser.script("/signin", "/signin/passkey", &body).await;
    assert_eq!((answer.status, &answer.json()["next"]), (StatusCode::OK, &json!("/my/people")), "{}", answer.body);
    assert!(browser.is_signed_in().await);
    assert_eq!(asked["publicKey"]["rpId"], "localhost");
    let mut second = world.browser();
    let replayed = second.script("/signin", "/signin/passkey", &body).await;
    assert_eq!(replayed.status, StatusCode::UNAUTHORIZED, "one question, one answer");
    assert!(second.session().is_none());
}

#[tokio::test]
async fn a_passkey_answer_for_another_place_question_or_person_is_refused() {
    let world = World::new().await;
    let mut good = with_passkey(&world).await;
    let mut browser = world.browser();
    let mut attempts: Vec<(&str, Value)> = Vec::new();
    let asked = browser.asked("/signin", "/signin/passkey/options").await;
    good.origin = "https://evil.example".into();
    attempts.push(("origin", json!({ "state": asked["state"], "credential": good.sign(&asked) })));
    good.origin = ISSUER.into();
    let (one, two) = (
        browser.asked("/signin", "/signin/passkey/options").await,
        browser.asked("/signin", "/signin/passkey/options").await,
    );
    attempts.push(("question", json!({ "state": one["state"], "credential": good.sign(&two) })));
    let asked = browser.asked("/signin", "/signin/passkey/options").await;
    let mut forged = Authenticator::new();
    forged.handle.clone_from(&good.handle);
    attempts.push(("key", json!({ "state": asked["state"], "credential": forged.sign(&asked) })));
    let asked = browser.asked("/signin", "/signin/passkey/options").await;
    let handle = core::mem::replace(&mut good.handle, base64url::encode([1; 16]));
    attempts.push(("handle", json!({ "state": asked["state"], "credential": good.sign(&asked) })));
    good.handle = handle;
    let asked = browser.asked("/signin", "/signin/passkey/options").await;
    let mut unknown = good.sign(&asked);
    unknown["rawId"] = json!(base64url::encode([3; 32]));
    attempts.push(("unknown", json!({ "state": asked["state"], "credential": unknown })));
    attempts.push(("state", json!({ "state": "AAAA", "credential": good.sign(&asked) })));
    for (what, body) in &attempts {
        let answer = browser.script("/signin", "/signin/passkey", body).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]),
            (StatusCode::UNAUTHORIZED, &json!("invalid_credentials")),
            "{what}"
        );
    }
    let asked = browser.asked("/signin", "/signin/passkey/options").await;
    let late = json!({ "state": asked["state"], "credential": good.sign(&asked) });
    world.pass(300);
    assert_eq!(browser.script("/signin", "/signin/passkey", &late).await.status, StatusCode::UNAUTHORIZED);
    let asked = browser.asked("/signin", "/signin/passkey/options").await;
    good.counter = 0;
    let copied = json!({ "state": asked["state"], "credential": good.sign(&asked) });
    let answer = browser.script("/signin", "/signin/passkey", &copied).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "a counter that went back betrays a copy");
    assert!(browser.session().is_none());
}

#[tokio::test]
async fn a_passkey_is_added_only_after_a_fresh_sign_in_and_with_the_pages_token() {
    let world = World::new().await;
    world.adam().await;
    let mut browser = world.signed_in("adam@example.com").await;
    world.pass(301);
    let answer = browser.script("/my/security", "/my/passkeys/options", &json!({})).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.json()["next"], "/signin/again?return_to=%2Fmy%2Fsecurity");
    let again = browser
        .submit(
            "/signin/again?return_to=/my/security",
            "/signin/again",
            &[("password", PASSWORD), ("return_to", "/my/security")],
        )
        .await;
    assert_eq!(again.to(), "/my/security");
    browser.asked("/my/security", "/my/passkeys/options").await;
    let request = Request::builder()
        .method(Method::POST)
        .uri("/my/passkeys/options")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ORIGIN, ISSUER);
    assert_eq!(browser.send(request, "{}".into()).await.status, StatusCode::FORBIDDEN);
    let nobody = world.browser().script("/signin", "/my/passkeys/options", &json!({})).await;
    assert_eq!(nobody.json()["next"], "/signin?return_to=%2Fmy%2Fsecurity");
}

#[tokio::test]
async fn a_question_asked_by_one_person_is_not_answered_by_another() {
    let world = World::new().await;
    world.adam().await;
    world.user("eve@example.com", "Eve", &[]).await;
    let mut adam = world.signed_in("adam@example.com").await;
    let mut eve = world.signed_in("eve@example.com").await;
    let asked = adam.asked("/my/security", "/my/passkeys/options").await;
    let body = json!({ "state": asked["state"], "name": "Evil", "credential": Authenticator::new().make(&asked) });
    assert_eq!(eve.script("/my/security", "/my/passkeys", &body).await.status, StatusCode::UNAUTHORIZED);
    assert!(!eve.get("/my/security").await.says("Evil"));
}

#[tokio::test]
async fn a_passkey_is_renamed_and_removed_by_its_owner_alone() {
    let world = World::new().await;
    with_passkey(&world).await;
    let mut adam = world.signed_in("adam@example.com").await;
    let page = adam.get("/my/security").await;
    let rename = page.body.split('"').find(|part| part.ends_with("/name") && part.contains("/pk_")).unwrap().to_owned();
    let remove = rename.replace("/name", "/remove");
    world.user("eve@example.com", "Eve", &[]).await;
    let mut eve = world.signed_in("eve@example.com").await;
    let csrf = eve.get("/signout").await.field("csrf").unwrap();
    for path in [&rename, &remove] {
        let answer = eve.post_raw(path, form(&[("csrf", &csrf), ("name", "Mine")])).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(adam.submit("/my/security", &rename, &[("name", "Old phone")]).await.to(), "/my/security");
    assert!(adam.get("/my/security").await.says("Old phone"));
    world.pass(301);
    let sent = adam.get(&remove).await;
    assert!(sent.to().starts_with("/signin/again?return_to=%2Fmy%2Fpasskeys%2Fpk_"), "{}", sent.to());
    adam.submit(sent.to(), "/signin/again", &[("password", PASSWORD)]).await;
    assert!(adam.get(&remove).await.says("Old phone"));
    assert_eq!(adam.submit(&remove, &remove, &[]).await.to(), "/my/security");
    assert!(!adam.get("/my/security").await.says("Old phone</bdi>"));
}

#[tokio::test]
async fn the_last_passkey_of_a_person_without_a_password_stays() {
    let world = World::new().await;
    let mut authenticator = with_passkey(&world).await;
    world.forget_password("adam@example.com").await;
    let mut browser = world.browser();
    let asked = browser.asked("/signin", "/signin/passkey/options").await;
    let body = json!({ "state": asked["state"], "credential": authenticator.sign(&asked) });
    browser.script("/signin", "/signin/passkey", &body).await;
    let page = browser.get("/my/security").await;
    let remove =
        page.body.split('"').find(|part| part.contains("/pk_") && part.ends_with("/remove")).unwrap().to_owned();
    let answer = browser.submit(&remove, &remove, &[]).await;
    assert!(answer.status == StatusCode::CONFLICT && answer.says("Your last passkey stays"), "{}", answer.body);
    let set = "/my/security/password";
    assert_eq!(browser.submit(set, set, &[("password", "eight blue kettles")]).await.to(), "/my/security");
    assert_eq!(browser.submit(&remove, &remove, &[]).await.to(), "/my/security");
}
