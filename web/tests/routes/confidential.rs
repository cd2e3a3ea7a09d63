//! The code flow of clients that prove themselves by a key or a certificate
//! (RFC 7523 §2.2, RFC 8705 §2), from the browser to the refresh.

use authority::{Peer, UnverifiedCertificate};
use axum::body::{Body, to_bytes};
use axum::http::Request;
use jose::{Alg, Signer, SigningKey, base64url, jws};
use oauth::Client;
use pki::issue::{Authority, AuthorityCertificate, DeviceCertificate};
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;
use web::State;

use crate::oauth::{BACK, VERIFIER, asking, claims, code, told};
use crate::people::world::{ISSUER, World, form};

async fn client(world: &World, more: Value) {
    let mut client = json!({
        "id": "shop", "name": "Acme shop", "redirect_uris": [BACK], "created_at": 0,
        "grant_types": ["authorization_code", "refresh_token"], "scopes": "openid profile offline_access",
        "audiences": ["https://api.example.com"],
    });
    client.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let client: Client = serde_json::from_value(client).unwrap();
    let change: oauth::Change = identity::Write::new(client).into();
    let commit = store::Commit { changes: vec![change.into()], ..store::Commit::default() };
    store::Store::commit(&*world.store, commit).await.unwrap();
}

/// A client that shows its certificate, where it has one, at the listener that
/// asks for it.
async fn token(world: &World, certificate: Option<&[u8]>, fields: &[(&str, &str)]) -> (u16, Value) {
    let door = web::device_router(State { app: world.app.clone(), origin: ISSUER.into() });
    let request = Request::builder().method("POST").uri("/token");
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let mut request = request.body(Body::from(form(fields))).unwrap();
    let certificate = certificate.and_then(|der| UnverifiedCertificate::new(vec![der.to_vec()]));
    request.extensions_mut().insert(Peer { address: "192.0.2.9".parse().unwrap(), certificate, local: false });
    let (parts, body) = door.oneshot(request).await.unwrap().into_parts();
    let bytes = to_bytes(body, 1 << 20).await.unwrap();
    (parts.status.as_u16(), serde_json::from_slice(&bytes).unwrap_or_default())
}

async fn fresh_code(world: &World) -> String {
    let mut browser = world.signed_in("adam@example.com").await;
    let answer = code(&mut browser, &asking(&[])).await;
    told(&answer)["code"].as_str().unwrap().to_owned()
}

fn redeeming(code: &str) -> Vec<(&str, &str)> {
    vec![("grant_type", "authorization_code"), ("code", code), ("redirect_uri", BACK), ("code_verifier", VERIFIER)]
}

/// An assertion of the shop's that names this key.
fn assertion(world: &World, key: &SigningKey, kid: Option<&str>, jti: &str) -> String {
    let now = world.app.now();
    let claims = json!({ "iss": "shop", "sub": "shop", "aud": ISSUER, "iat": now, "exp": now + 200, "jti": jti });
    let typ = Some("client-authentication+jwt");
    jws::sign_compact(typ, kid, &Map::new(), claims.to_string().as_bytes(), key).unwrap()
}

const ASSERTION: (&str, &str) = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");

#[tokio::test]
async fn a_client_with_a_key_redeems_and_refreshes_by_assertions_each_used_once() {
    let world = World::new().await;
    world.adam().await;
    let (key, stranger) = (SigningKey::generate(Alg::ES256).unwrap(), SigningKey::generate(Alg::ES256).unwrap());
    let jwk = key.jwk().clone().with_kid("shop-1".to_owned()).to_json();
    client(&world, json!({ "auth": "private_key_jwt", "jwks": [jwk] })).await;
    let code = fresh_code(&world).await;
    let with = |fields: Vec<(&'static str, String)>, assertion: String| {
        let world = &world;
        async move {
            let mut all: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            all.extend([ASSERTION, ("client_assertion", assertion.as_str())]);
            token(world, None, &all).await
        }
    };
    let redeem = |assertion: String| {
        let fields = redeeming(&code).into_iter().map(|(name, value)| (name, value.to_owned()));
        let names = ["grant_type", "code", "redirect_uri", "code_verifier"];
        with(names.into_iter().zip(fields.map(|(_, value)| value)).collect(), assertion)
    };
    // A name of a key that is not the client's comes first: refused, and neither
    // the code nor the right assertion is used up by it.
    for (signer, kid) in [(&key, "shop-2"), (&stranger, "shop-1"), (&stranger, "shop-2")] {
        let (status, body) = redeem(assertion(&world, signer, Some(kid), "jti-1")).await;
        assert_eq!((status, &body["error"]), (401, &json!("invalid_client")), "{kid}");
    }
    let (status, body) = redeem(assertion(&world, &key, Some("shop-1"), "jti-1")).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(claims(&body["access_token"])["client_id"], "shop");
    let refresh = |assertion: String| {
        let token = body["refresh_token"].as_str().unwrap().to_owned();
        with(vec![("grant_type", "refresh_token".to_owned()), ("refresh_token", token)], assertion)
    };
    let (status, replayed) = refresh(assertion(&world, &key, Some("shop-1"), "jti-1")).await;
    assert_eq!((status, &replayed["error"]), (401, &json!("invalid_client")), "an assertion is used once");
    let bare = [("grant_type", "refresh_token"), ("client_id", "shop")];
    let bare =
        token(&world, None, &[bare[0], bare[1], ("refresh_token", body["refresh_token"].as_str().unwrap())]).await;
    assert_eq!((bare.0, &bare.1["error"]), (401, &json!("invalid_client")));
    let (status, next) = refresh(assertion(&world, &key, None, "jti-2")).await;
    assert_eq!(status, 200, "{next}");
}

fn issued(by: &Authority, key: &SigningKey, name: &str, now: i64) -> Vec<u8> {
    let spki = key.jwk().to_spki();
    let wanted = DeviceCertificate {
        serial_number: None,
        common_name: Some(name),
        spki: &spki,
        serial: [2; 16],
        not_before: now - 60,
        not_after: now + 86_400,
        san_uri: None,
        client_auth: true,
    };
    by.issue_device(&wanted).unwrap().der().to_vec()
}

fn root(name: &str, now: i64) -> Authority {
    let wanted =
        AuthorityCertificate { common_name: name, serial: [1; 16], not_before: now - 60, not_after: now + 86_400 };
    Authority::create_root(&wanted).unwrap()
}

/// Redeems by each certificate that is none of the client's, then by its own,
/// and refreshes.
async fn lives_by_certificate(world: &World, own: &[u8], others: &[&[u8]]) {
    let code = fresh_code(world).await;
    let mut fields = redeeming(&code);
    fields.push(("client_id", "shop"));
    for other in others.iter().map(|der| Some(*der)).chain([None]) {
        let (status, body) = token(world, other, &fields).await;
        assert_eq!((status, &body["error"]), (401, &json!("invalid_client")));
    }
    let (status, body) = token(world, Some(own), &fields).await;
    assert_eq!(status, 200, "{body}");
    let thumbprint = base64url::encode(pki::Certificate::parse(own).unwrap().thumbprint());
    assert_eq!(claims(&body["access_token"])["cnf"], json!({ "x5t#S256": thumbprint }), "bound as registered");
    assert_eq!(body["token_type"], "Bearer");
    let refresh = [
        ("grant_type", "refresh_token"),
        ("client_id", "shop"),
        ("refresh_token", body["refresh_token"].as_str().unwrap()),
    ];
    for other in others.iter().map(|der| Some(*der)).chain([None]) {
        assert_eq!(token(world, other, &refresh).await.0, 401);
    }
    let (status, next) = token(world, Some(own), &refresh).await;
    assert_eq!(status, 200, "{next}");
}

#[tokio::test]
async fn a_client_with_a_name_in_its_certificate_redeems_and_refreshes_by_it() {
    let now = 1_764_000_000;
    let (ours, foreign) = (root("Clients", now), root("Strangers", now));
    let settings = app::Settings {
        client_authorities: vec![ours.certificate().der().to_vec()],
        ..app::Settings::new(ISSUER, ISSUER)
    };
    let world = World::with(settings).await;
    world.adam().await;
    let more = json!({
        "auth": "tls_client_auth", "tls_name": { "subject_dn": "CN=shop" },
        "tls_client_certificate_bound_access_tokens": true,
    });
    client(&world, more).await;
    let key = SigningKey::generate(Alg::ES256).unwrap();
    let others = [issued(&ours, &key, "another", now), issued(&foreign, &key, "shop", now)];
    lives_by_certificate(&world, &issued(&ours, &key, "shop", now), &[&others[0], &others[1]]).await;
}

#[tokio::test]
async fn a_client_with_a_certificate_of_its_own_redeems_and_refreshes_by_it() {
    let now = 1_764_000_000;
    let world = World::new().await;
    world.adam().await;
    let (key, stranger) = (SigningKey::generate(Alg::ES256).unwrap(), SigningKey::generate(Alg::ES256).unwrap());
    let more = json!({
        "auth": "self_signed_tls_client_auth", "jwks": [key.jwk().to_json()],
        "tls_client_certificate_bound_access_tokens": true,
    });
    client(&world, more).await;
    // Nobody asks who signed it: the key is what was registered.
    let anybody = root("Anybody", now);
    let other = issued(&anybody, &stranger, "shop", now);
    lives_by_certificate(&world, &issued(&anybody, &key, "shop", now), &[&other]).await;
}
