//! `/authorize`, `/consent`, `/token`, `/introspect`, `/revoke`, `/userinfo`,
//! `/jwks` and the metadata, with a browser and a client.

use axum::http::{Method, Request, StatusCode, header};
use jose::{base64url, jws};
use oauth::Client;
use serde_json::{Map, Value, json};

use crate::people::world::{Answer, Browser, ISSUER, PASSWORD, World, form};

pub(crate) const BACK: &str = "https://shop.example.com/cb?x=1";
pub(crate) const VERIFIER: &str = "M25iVXpKU3puUjFaYWg3T1NDTDQtcW1ROUY5YXlwalNoc0hhakxifmZHag";
const CHALLENGE: &str = "qjrzSW9gMiUgpUvqgEPE4_-8swvyCtfOVvg55o5S_es";
const SECRET: &str = "a-secret-of-the-shop-with-256-bits-of-chance";

async fn shop(world: &World, id: &str, public: bool) {
    let client = json!({
        "id": id, "name": "Acme shop", "auth": if public { "none" } else { "client_secret_basic" },
        "secret": if public { Value::Null } else { json!(app::digest_text(SECRET.as_bytes())) },
        "redirect_uris": [BACK], "grant_types": ["authorization_code", "refresh_token"],
        "scopes": "openid profile email offline_access", "audiences": ["https://api.example.com"], "created_at": 0,
    });
    let client: Client = serde_json::from_value(client).unwrap();
    let change: oauth::Change = identity::Write::new(client).into();
    let commit = store::Commit { changes: vec![change.into()], ..store::Commit::default() };
    store::Store::commit(&*world.store, commit).await.unwrap();
}

pub(crate) fn asking(more: &[(&str, &str)]) -> String {
    let mut fields = vec![
        ("client_id", "shop"),
        ("response_type", "code"),
        ("redirect_uri", BACK),
        ("scope", "openid profile"),
        ("state", "a state & more"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in more {
        fields.retain(|(known, _)| known != name);
        fields.push((name, value));
    }
    fields.retain(|(_, value)| !value.is_empty());
    form(&fields)
}

/// The parameters an answer carries back to the client.
pub(crate) fn told(answer: &Answer) -> Map<String, Value> {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    let query = answer.to().strip_prefix(BACK).unwrap_or_else(|| panic!("not to the client: {}", answer.to()));
    let pairs = url::form_urlencoded::parse(query.trim_start_matches('&').as_bytes());
    pairs.map(|(name, value)| (name.into_owned(), value.into_owned().into())).collect()
}

fn error(answer: &Answer) -> String {
    told(answer)["error"].as_str().unwrap_or_default().to_owned()
}

/// Asks, and says yes where asked.
pub(crate) async fn code(browser: &mut Browser<'_>, query: &str) -> Answer {
    let shown = browser.get(&format!("/authorize?{query}")).await;
    if shown.status != StatusCode::OK {
        return shown;
    }
    allow(browser, &shown, "allow").await
}

async fn allow(browser: &mut Browser<'_>, shown: &Answer, decision: &str) -> Answer {
    let csrf = shown.field("csrf").unwrap();
    let request = shown.field("request").unwrap().replace("&amp;", "&").replace("&#38;", "&");
    browser.post_raw("/consent", form(&[("csrf", &csrf), ("request", &request), ("decision", decision)])).await
}

async fn post(browser: &mut Browser<'_>, path: &str, basic: bool, fields: &[(&str, &str)]) -> (u16, Value) {
    let mut request = Request::builder().method(Method::POST).uri(path);
    request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    if basic {
        let pair = format!("shop:{SECRET}");
        request = request.header(header::AUTHORIZATION, format!("Basic {}", standard(pair.as_bytes())));
    }
    let answer = browser.send(request, form(fields)).await;
    (answer.status.as_u16(), serde_json::from_str(&answer.body).unwrap_or_default())
}

fn standard(bytes: &[u8]) -> String {
    let mut text = base64url::encode(bytes).replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

async fn redeem(browser: &mut Browser<'_>, code: &str) -> (u16, Value) {
    let fields =
        [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", BACK), ("code_verifier", VERIFIER)];
    post(browser, "/token", true, &fields).await
}

async fn refresh(browser: &mut Browser<'_>, tokens: &Value) -> (u16, Value) {
    let token = tokens["refresh_token"].as_str().unwrap();
    post(browser, "/token", true, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
}

pub(crate) fn claims(token: &Value) -> Map<String, Value> {
    jws::Unverified::parse(token.as_str().unwrap()).unwrap().peek_claims().unwrap()
}

async fn tokens(browser: &mut Browser<'_>, more: &[(&str, &str)]) -> Value {
    let answer = code(browser, &asking(more)).await;
    let (status, body) = redeem(browser, told(&answer)["code"].as_str().unwrap()).await;
    assert_eq!(status, 200, "{body}");
    body
}

#[tokio::test]
async fn a_code_is_given_after_sign_in_and_consent_and_traded_once_for_tokens() {
    let world = World::new().await;
    let adam = world.adam().await;
    shop(&world, "shop", false).await;
    let mut browser = world.browser();
    let sent = browser.get(&format!("/authorize?{}", asking(&[]))).await;
    assert!(sent.to().starts_with("/signin?return_to=%2Fauthorize"), "{}", sent.to());
    let mut browser = world.signed_in("adam@example.com").await;
    let shown = browser.get(&format!("/authorize?{}", asking(&[("nonce", "n-1")]))).await;
    assert!(shown.says("Acme shop") && shown.says("adam@example.com"), "{}", shown.body);
    let policy = shown.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("https://shop.example.com"), "{policy}");
    let answer = allow(&mut browser, &shown, "allow").await;
    let back = told(&answer);
    assert_eq!((&back["state"], &back["iss"]), (&json!("a state & more"), &json!(ISSUER)));
    let code = back["code"].as_str().unwrap();
    let (status, body) = redeem(&mut browser, code).await;
    assert_eq!((status, &body["token_type"], &body["scope"]), (200, &json!("Bearer"), &json!("openid profile")));
    let id = claims(&body["id_token"]);
    assert_eq!((&id["sub"], &id["aud"], &id["nonce"]), (&json!(adam.id), &json!("shop"), &json!("n-1")));
    assert!(id.contains_key("auth_time") && id["amr"] == json!(["pwd"]) && id.contains_key("sid"), "{id:?}");
    assert!(!id.contains_key("name") && !id.contains_key("anc"), "claims of scopes stay at UserInfo: {id:?}");
    let header = jws::Unverified::parse(body["id_token"].as_str().unwrap()).unwrap();
    assert_eq!(header.header().alg(), jose::Alg::RS256, "who registers no algorithm gets RS256");
    let access = claims(&body["access_token"]);
    assert_eq!(
        (&access["iss"], &access["client_id"], &access["amr"]),
        (&json!(ISSUER), &json!("shop"), &json!(["pwd"]))
    );
    assert_eq!(access["auth_time"], id["auth_time"], "RFC 9068 §2.2.1");
    assert!(access["jti"].as_str().is_some_and(|jti| jti.len() >= 16), "{access:?}");

    let (status, again) = redeem(&mut browser, code).await;
    assert_eq!((status, &again["error"]), (400, &json!("invalid_grant")));
    let (_, state) =
        post(&mut browser, "/introspect", true, &[("token", body["access_token"].as_str().unwrap())]).await;
    assert_eq!(state, json!({"active": false}), "a second use ends what the first one made");
}

#[tokio::test]
async fn consent_is_remembered_for_the_same_and_asked_for_more() {
    let world = World::new().await;
    world.adam().await;
    shop(&world, "shop", false).await;
    let mut browser = world.signed_in("adam@example.com").await;
    tokens(&mut browser, &[]).await;
    let known = browser.get(&format!("/authorize?{}", asking(&[]))).await;
    assert!(told(&known).contains_key("code"), "nothing new is asked");
    let more = browser.get(&format!("/authorize?{}", asking(&[("scope", "openid profile email")]))).await;
    assert_eq!(more.status, StatusCode::OK, "more is asked for");
    assert_eq!(error(&allow(&mut browser, &more, "deny").await), "access_denied");
    let silent = asking(&[("scope", "openid email"), ("prompt", "none")]);
    assert_eq!(error(&browser.get(&format!("/authorize?{silent}")).await), "consent_required");
    let again = browser.get(&format!("/authorize?{}", asking(&[("prompt", "consent")]))).await;
    assert_eq!(again.status, StatusCode::OK, "prompt=consent asks although it was given");
}

#[tokio::test]
async fn where_client_or_address_are_bad_nobody_is_sent_anywhere() {
    let world = World::new().await;
    world.adam().await;
    shop(&world, "shop", false).await;
    let mut browser = world.signed_in("adam@example.com").await;
    for (name, value) in [
        ("client_id", "unknown"),
        ("redirect_uri", "https://evil.example.com/cb?x=1"),
        ("redirect_uri", "https://shop.example.com/cb?x=1&y=2"),
        ("redirect_uri", "https://shop.example.com/cb/?x=1"),
        ("redirect_uri", "https://www.shop.example.com/cb?x=1"),
        ("redirect_uri", "https://shop.example.com/%2e/cb?x=1"),
        ("redirect_uri", "https://shop.example.com@evil.example.com/cb?x=1"),
        ("redirect_uri", ""),
    ] {
        let answer = browser.get(&format!("/authorize?{}", asking(&[(name, value)]))).await;
        assert_eq!((answer.status, answer.to()), (StatusCode::BAD_REQUEST, ""), "{name}={value}");
    }
    let twice = format!("{}&client_id=shop", asking(&[]));
    assert_eq!(browser.get(&format!("/authorize?{twice}")).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn what_is_wrong_otherwise_is_told_to_the_client() {
    let world = World::new().await;
    world.adam().await;
    shop(&world, "shop", false).await;
    let mut browser = world.signed_in("adam@example.com").await;
    for (name, value, expected) in [
        ("response_type", "", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge", "short", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("response_mode", "fragment", "invalid_request"),
        ("prompt", "none login", "invalid_request"),
        ("scope", "nothing:known", "invalid_scope"),
        ("resource", "https://elsewhere.example.com", "invalid_target"),
        ("request", "eyJhbGciOiJub25lIn0.e30.", "request_not_supported"),
        ("request_uri", "https://shop.example.com/r", "request_uri_not_supported"),
    ] {
        let answer = browser.get(&format!("/authorize?{}", asking(&[(name, value)]))).await;
        assert_eq!(error(&answer), expected, "{name}={value}");
        assert_eq!(told(&answer)["iss"], ISSUER, "errors name the issuer too");
    }
}

#[tokio::test]
async fn hints_wishes_and_unknown_words_never_stand_in_the_way_in_any_order_by_get_and_post() {
    let world = World::new().await;
    world.adam().await;
    shop(&world, "shop", false).await;
    let mut browser = world.signed_in("adam@example.com").await;
    let long = "s".repeat(128);
    let more = [
        ("state", long.as_str()),
        ("display", "popup"),
        ("ui_locales", "de fr"),
        ("claims_locales", "de"),
        ("login_hint", "somebody"),
        ("acr_values", "unknown"),
        ("extra", "word"),
    ];
    assert_eq!(told(&code(&mut browser, &asking(&more)).await)["state"], long);
    let reversed: Vec<_> = asking(&more).split('&').rev().map(str::to_owned).collect();
    let posted = browser.post_raw("/authorize", reversed.join("&")).await;
    assert!(told(&posted).contains_key("code"));
}

#[tokio::test]
async fn a_fresh_sign_in_is_asked_for_and_then_suffices() {
    let world = World::new().await;
    world.adam().await;
    shop(&world, "shop", false).await;
    let mut browser = world.signed_in("adam@example.com").await;
    let first = claims(&tokens(&mut browser, &[]).await["id_token"]);
    world.pass(100);
    for (name, value) in [("prompt", "login"), ("max_age", "0"), ("max_age", "50"), ("prompt", "select_account")] {
        let sent = browser.get(&format!("/authorize?{}", asking(&[(name, value)]))).await;
        assert!(sent.to().starts_with("/signin/again?return_to="), "{name}={value}: {}", sent.to());
        let page = sent.to().to_owned();
        let back =
            url::form_urlencoded::parse(page.split_once('?').unwrap().1.as_bytes()).next().unwrap().1.into_owned();
        let unproved = browser.get(&back).await;
        assert!(unproved.to().starts_with("/signin/again"), "coming back without a sign-in is no sign-in");
        world.pass(1);
        let proved = browser.submit(&page, "/signin/again", &[("password", PASSWORD), ("return_to", &back)]).await;
        assert_eq!(proved.to(), back);
        let answer = browser.get(&back).await;
        let (_, body) = redeem(&mut browser, told(&answer)["code"].as_str().unwrap()).await;
        let later = claims(&body["id_token"]);
        assert!(later["auth_time"].as_i64() > first["auth_time"].as_i64(), "{name}={value}");
        world.pass(100);
    }
    let forged = asking(&[("prompt", "login"), ("signing_in_since", "AAAAAAAA")]);
    assert!(browser.get(&format!("/authorize?{forged}")).await.to().starts_with("/signin/again"));
    let old_enough = asking(&[("prompt", "none"), ("max_age", "10000")]);
    assert!(told(&browser.get(&format!("/authorize?{old_enough}")).await).contains_key("code"));
    let silent = asking(&[("prompt", "none")]);
    assert_eq!(error(&world.browser().get(&format!("/authorize?{silent}")).await), "login_required");
}

#[tokio::test]
async fn a_hint_of_another_person_or_client_never_ends_in_success_for_who_is_here() {
    let world = World::new().await;
    let adam = world.adam().await;
    world.user("bianca@example.com", "Bianca", &[]).await;
    shop(&world, "shop", false).await;
    let mut bianca = world.signed_in("bianca@example.com").await;
    let hers = tokens(&mut bianca, &[]).await;
    let mut browser = world.signed_in("adam@example.com").await;
    let his = tokens(&mut browser, &[]).await;
    let hinted = |hint: &Value| asking(&[("prompt", "none"), ("id_token_hint", hint.as_str().unwrap())]);
    world.pass(7200);
    let own = browser.get(&format!("/authorize?{}", hinted(&his["id_token"]))).await;
    assert!(told(&own).contains_key("code"), "his own, though it has expired");
    let other = browser.get(&format!("/authorize?{}", hinted(&hers["id_token"]))).await;
    assert_eq!(error(&other), "login_required");
    let no_hint = browser.get(&format!("/authorize?{}", hinted(&hers["access_token"]))).await;
    assert!(told(&no_hint).contains_key("code"), "an access token is no hint at all");
    let demand = |sub: &str| json!({"id_token": {"sub": {"value": sub}}}).to_string();
    let wanted = asking(&[("claims", &demand(adam.id.as_str()))]);
    assert!(told(&browser.get(&format!("/authorize?{wanted}")).await).contains_key("code"));
    let wanted = asking(&[("claims", &demand("u_other"))]);
    assert_eq!(error(&browser.get(&format!("/authorize?{wanted}")).await), "login_required");
}

#[tokio::test]
async fn form_post_brings_answers_and_errors_in_a_page_that_escapes_them() {
    let world = World::new().await;
    world.adam().await;
    shop(&world, "shop", false).await;
    let mut browser = world.signed_in("adam@example.com").await;
    let script = "\"><script>alert(1)</script>";
    let page = code(&mut browser, &asking(&[("response_mode", "form_post"), ("state", script)])).await;
    assert_eq!((page.status, page.to()), (StatusCode::OK, ""));
    assert!(page.field("code").is_some() && page.field("iss").is_some(), "{}", page.body);
    assert!(!page.says("<script>alert"), "{}", page.body);
    let (status, body) = redeem(&mut browser, &page.field("code").unwrap()).await;
    assert_eq!((status, claims(&body["id_token"])["aud"].as_str()), (200, Some("shop")), "the code is as good: {body}");
    let refused = asking(&[("response_mode", "form_post"), ("response_type", "token")]);
    let refused = browser.get(&format!("/authorize?{refused}")).await;
    assert_eq!(refused.field("error").as_deref(), Some("unsupported_response_type"));
}

#[tokio::test]
async fn consent_without_its_form_token_is_no_consent() {
    let world = World::new().await;
    world.adam().await;
    shop(&world, "shop", false).await;
    let mut browser = world.signed_in("adam@example.com").await;
    let request = asking(&[]);
    let forged = form(&[("csrf", "x"), ("request", &request), ("decision", "allow")]);
    assert_eq!(browser.post_raw("/consent", forged).await.status, StatusCode::FORBIDDEN);
    let silent = asking(&[("prompt", "none")]);
    assert_eq!(error(&browser.get(&format!("/authorize?{silent}")).await), "consent_required");
}

#[tokio::test]
async fn refresh_keeps_who_it_speaks_of_and_reuse_ends_all_of_it() {
    let world = World::new().await;
    world.adam().await;
    shop(&world, "shop", false).await;
    let mut browser = world.signed_in("adam@example.com").await;
    let first = tokens(&mut browser, &[("nonce", "n-1")]).await;
    world.pass(60);
    let (status, second) = refresh(&mut browser, &first).await;
    assert_eq!(status, 200, "{second}");
    let (old, new) = (claims(&first["id_token"]), claims(&second["id_token"]));
    for name in ["iss", "sub", "aud", "auth_time"] {
        assert_eq!(old[name], new[name], "{name}");
    }
    assert!(!new.contains_key("nonce") && new["iat"].as_i64() > old["iat"].as_i64());
    world.pass(11);
    let (status, reused) = refresh(&mut browser, &first).await;
    assert_eq!((status, &reused["error"]), (400, &json!("invalid_grant")));
    let (status, _) = refresh(&mut browser, &second).await;
    assert_eq!(status, 400, "the family is over");
}

#[tokio::test]
async fn userinfo_tells_what_was_granted_by_get_and_post_and_introspection_only_whom_it_may() {
    let world = World::new().await;
    let adam = world.adam().await;
    shop(&world, "shop", false).await;
    shop(&world, "other", true).await;
    let mut browser = world.signed_in("adam@example.com").await;
    let body = tokens(&mut browser, &[("scope", "openid email")]).await;
    let token = body["access_token"].as_str().unwrap();
    for method in [Method::GET, Method::POST] {
        let request =
            Request::builder().method(method).uri("/userinfo").header("authorization", format!("Bearer {token}"));
        let answer = browser.send(request, String::new()).await;
        let told: Value = serde_json::from_str(&answer.body).unwrap();
        let expected = json!({"sub": adam.id, "email": "adam@example.com", "email_verified": true});
        assert_eq!((answer.status, told), (StatusCode::OK, expected));
    }
    let (status, _) = post(&mut browser, "/introspect", false, &[("token", token)]).await;
    assert_eq!(status, 401, "nobody asks");
    let (status, _) = post(&mut browser, "/introspect", false, &[("token", token), ("client_id", "other")]).await;
    assert_eq!(status, 401, "a bare client id is nobody");
    let (_, state) =
        post(&mut browser, "/introspect", true, &[("token", token), ("token_type_hint", "refresh_token")]).await;
    assert_eq!((&state["active"], &state["sub"], &state["client_id"]), (&json!(true), &json!(adam.id), &json!("shop")));
    assert!(state.get("anc").is_none());
    let access = claims(&body["access_token"]);
    for name in ["scope", "client_id", "exp", "iat", "sub", "aud", "iss", "jti"] {
        assert_eq!(state.get(name), access.get(name), "{name}");
    }
    let (status, _) = post(&mut browser, "/revoke", false, &[("token", token), ("client_id", "other")]).await;
    assert_eq!(status, 400, "another client's token is left alone");
    let (_, state) = post(&mut browser, "/introspect", true, &[("token", token)]).await;
    assert_eq!(state["active"], true);
    for token in [token, "unknown"] {
        let hinted = [("token", token), ("token_type_hint", "refresh_token")];
        let (status, _) = post(&mut browser, "/revoke", true, &hinted).await;
        assert_eq!(status, 200, "{}", token.len());
    }
    let (_, state) = post(&mut browser, "/introspect", true, &[("token", token)]).await;
    assert_eq!(state, json!({"active": false}));
}

#[tokio::test]
async fn keys_and_metadata_are_whole_and_the_same_in_both_places() {
    let world = World::new().await;
    let mut browser = world.browser();
    let jwks: Value = serde_json::from_str(&browser.get("/jwks").await.body).unwrap();
    let keys = jwks["keys"].as_array().unwrap();
    let kids: std::collections::BTreeSet<_> = keys.iter().map(|key| key["kid"].as_str().unwrap()).collect();
    assert_eq!((keys.len(), kids.len()), (3, 3));
    for key in keys {
        assert!(key["use"] == "sig" && key.get("alg").is_some(), "{key}");
        assert!(["d", "p", "q", "dp", "dq", "qi", "k"].iter().all(|member| key.get(member).is_none()), "{key}");
    }
    let openid: Value = serde_json::from_str(&browser.get("/.well-known/openid-configuration").await.body).unwrap();
    let oauth: Value =
        serde_json::from_str(&browser.get("/.well-known/oauth-authorization-server").await.body).unwrap();
    assert_eq!(openid, oauth);
    assert_eq!(openid["issuer"], ISSUER);
    let members = openid.as_object().unwrap();
    for (name, value) in members.iter().filter(|(name, _)| name.ends_with("_endpoint") || *name == "jwks_uri") {
        assert!(value.as_str().unwrap().starts_with("https://"), "{name}");
    }
    let aliases = members["mtls_endpoint_aliases"].as_object().unwrap();
    assert!(aliases.values().all(|value| value.as_str().unwrap().starts_with("https://")), "{aliases:?}");
    for (name, needed) in [
        ("scopes_supported", &["openid", "profile", "email", "offline_access"][..]),
        ("claims_supported", &["sub", "iss", "auth_time", "name", "email", "email_verified"]),
        ("code_challenge_methods_supported", &["S256"]),
        ("response_types_supported", &["code"]),
    ] {
        let listed = members[name].as_array().unwrap();
        assert!(needed.iter().all(|value| listed.contains(&json!(value))), "{name}: {listed:?}");
    }
    assert!(members["userinfo_endpoint"].as_str().unwrap().ends_with("/userinfo"));
    assert_eq!(members["authorization_response_iss_parameter_supported"], true, "RFC 9207 §3");
    assert_eq!(members["claims_parameter_supported"], false);
    for language in members["ui_locales_supported"].as_array().unwrap() {
        let mut parts = language.as_str().unwrap().split('-');
        let plain = |part: &str| (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
        assert!(parts.all(plain), "{language}");
    }
}

#[tokio::test]
async fn the_token_endpoint_says_no_as_the_rfc_says() {
    let world = World::new().await;
    shop(&world, "shop", false).await;
    let mut browser = world.browser();
    let (status, body) = post(&mut browser, "/token", true, &[("grant_type", "password")]).await;
    assert_eq!((status, &body["error"]), (400, &json!("unsupported_grant_type")));
    let (status, body) = post(&mut browser, "/token", true, &[("scope", "x")]).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_request")));
    let request = Request::builder().method(Method::POST).uri("/token").header("content-type", "application/json");
    assert_eq!(browser.send(request, "{}".into()).await.status, StatusCode::BAD_REQUEST);
    let wrong = Request::builder()
        .method(Method::POST)
        .uri("/token")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::AUTHORIZATION, format!("Basic {}", standard(b"shop:wrong")));
    let answer = browser.send(wrong, form(&[("grant_type", "refresh_token"), ("refresh_token", "kfr_x")])).await;
    assert_eq!(answer.headers.get("cache-control").unwrap(), "no-store");
    let described: Value = serde_json::from_str(&answer.body).unwrap();
    let words = described["error_description"].as_str().unwrap();
    assert!(words.bytes().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "RFC 6749 §5.2");
}
