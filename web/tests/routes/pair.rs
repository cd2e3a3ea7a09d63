//! `/device_authorization`, `/pair` and the polls in between.

use axum::http::{Method, Request, StatusCode, header};
use oauth::Client;
use serde_json::{Value, json};

use crate::people::world::{Answer, Browser, World, form};

const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A client whose devices show a code; the secret is for the tests' ease.
async fn firmware(world: &World) {
    let client = json!({
        "id": "firmware", "name": "<b>Acme</b> firmware", "auth": "client_secret_post",
        "secret": app::digest_text(b"secret"), "grant_types": [DEVICE_CODE, "refresh_token"],
        "scopes": "cloud:stream", "audiences": ["https://api.example.com"], "created_at": 0,
    });
    let client: Client = serde_json::from_value(client).unwrap();
    let change: oauth::Change = identity::Write::new(client).into();
    let commit = store::Commit { changes: vec![change.into()], ..store::Commit::default() };
    store::Store::commit(&*world.store, commit).await.unwrap();
}

async fn post(browser: &mut Browser<'_>, path: &str, more: &[(&str, &str)]) -> (u16, Value) {
    let mut fields = vec![("client_id", "firmware"), ("client_secret", "secret")];
    fields.extend(more);
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let answer = browser.send(request, form(&fields)).await;
    (answer.status.as_u16(), serde_json::from_str(&answer.body).unwrap_or_default())
}

async fn begin(world: &World) -> Value {
    let (status, begun) = post(&mut world.browser(), "/device_authorization", &[]).await;
    assert_eq!(status, 200, "{begun}");
    begun
}

async fn poll(world: &World, begun: &Value) -> (u16, Value) {
    let code = begun["device_code"].as_str().unwrap();
    post(&mut world.browser(), "/token", &[("grant_type", DEVICE_CODE), ("device_code", code)]).await
}

async fn look(browser: &mut Browser<'_>, code: &str) -> Answer {
    browser.submit("/pair", "/pair", &[("user_code", code)]).await
}

async fn decide(browser: &mut Browser<'_>, code: &str, decision: &str) -> Answer {
    browser.submit("/pair", "/pair/decision", &[("user_code", code), ("decision", decision)]).await
}

#[tokio::test]
async fn a_code_typed_as_people_type_leads_to_the_question_and_a_yes_to_tokens_once() {
    let world = World::new().await;
    let adam = world.adam().await;
    firmware(&world).await;
    let begun = begin(&world).await;
    let code = begun["user_code"].as_str().unwrap();
    assert_eq!((code.len(), &begun["interval"], &begun["expires_in"]), (9, &json!(5), &json!(600)));
    assert_eq!(poll(&world, &begun).await.1["error"], "authorization_pending");
    assert_eq!(poll(&world, &begun).await.1["error"], "slow_down");
    let mut browser = world.signed_in("adam@example.com").await;
    world.pass(1);
    let filled = browser.get(&format!("/pair?user_code={code}")).await;
    assert!(filled.says(code), "a code that came along is filled in");
    assert_eq!(poll(&world, &begun).await.1["error"], "slow_down", "and nothing was decided by opening it");
    let typed = format!(" {}. ", code.to_lowercase().replace('-', " "));
    let asked = look(&mut browser, &typed).await;
    assert_eq!(asked.status, StatusCode::OK);
    assert!(asked.says(code) && asked.says("Acme") && !asked.says("<b>Acme</b>"), "{}", asked.body);
    for (name, value) in [("content-security-policy", "frame-ancestors 'none'"), ("referrer-policy", "no-referrer")] {
        assert!(asked.headers[name].to_str().unwrap().contains(value), "{name}");
    }
    assert_eq!(decide(&mut browser, code, "allow").await.status, StatusCode::OK);
    world.pass(30);
    let (status, tokens) = poll(&world, &begun).await;
    assert_eq!((status, &tokens["scope"]), (200, &json!("cloud:stream")), "{tokens}");
    let said = jose::jws::Unverified::parse(tokens["access_token"].as_str().unwrap()).unwrap().peek_claims().unwrap();
    assert_eq!(said["sub"], json!(adam.id));
    world.pass(30);
    assert_eq!(poll(&world, &begun).await.1["error"], "invalid_grant");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
    assert_eq!(
        post(&mut world.browser(), "/token", &refresh).await.1["error"],
        "invalid_grant",
        "a replay ends it all"
    );
}

#[tokio::test]
async fn who_decides_second_finds_it_used_and_a_no_stays_a_no() {
    let world = World::new().await;
    world.adam().await;
    world.user("bianca@example.com", "Bianca", &[]).await;
    firmware(&world).await;
    let begun = begin(&world).await;
    let code = begun["user_code"].as_str().unwrap();
    let (mut adam, mut bianca) =
        (world.signed_in("adam@example.com").await, world.signed_in("bianca@example.com").await);
    assert_eq!(look(&mut bianca, code).await.status, StatusCode::OK);
    assert_eq!(decide(&mut adam, code, "deny").await.status, StatusCode::OK);
    for answer in [
        decide(&mut bianca, code, "allow").await,
        look(&mut bianca, code).await,
        decide(&mut adam, code, "allow").await,
    ] {
        assert_eq!(answer.status, StatusCode::GONE, "{}", answer.body);
    }
    world.pass(10);
    assert_eq!(poll(&world, &begun).await.1["error"], "access_denied");
    world.pass(10);
    assert_eq!(poll(&world, &begun).await.1["error"], "access_denied", "for ever");
}

#[tokio::test]
async fn guessing_codes_is_braked_and_the_brake_tells_nothing_about_the_code() {
    let world = World::new().await;
    world.adam().await;
    firmware(&world).await;
    let begun = begin(&world).await;
    let right = begun["user_code"].as_str().unwrap();
    let mut browser = world.signed_in("adam@example.com").await;
    let wrong = ["BBBB-BBBB", "CCCC-CCCC", "W0JB-MJHT", "", "DDDD-DDDD"];
    for code in wrong {
        assert_eq!(look(&mut browser, code).await.status, StatusCode::UNPROCESSABLE_ENTITY, "{code}");
    }
    let (right_one, wrong_one) = (look(&mut browser, right).await, look(&mut browser, "FFFF-FFFF").await);
    assert_eq!((right_one.status, wrong_one.status), (StatusCode::TOO_MANY_REQUESTS, StatusCode::TOO_MANY_REQUESTS));
    assert_eq!(decide(&mut browser, right, "allow").await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(poll(&world, &begun).await.1["error"], "authorization_pending", "nothing was decided");
    world.pass(3601);
    let fresh = begin(&world).await;
    let code = fresh["user_code"].as_str().unwrap().to_owned();
    assert_eq!(look(&mut browser, &code).await.status, StatusCode::OK, "an hour later");
}

#[tokio::test]
async fn nobody_decides_without_a_login_or_the_forms_own_token() {
    let world = World::new().await;
    world.adam().await;
    firmware(&world).await;
    let begun = begin(&world).await;
    let code = begun["user_code"].as_str().unwrap();
    let sent = world.browser().get(&format!("/pair?user_code={code}")).await;
    assert!(sent.to().starts_with("/signin?return_to=%2Fpair"), "{}", sent.to());
    let mut browser = world.signed_in("adam@example.com").await;
    let forged = form(&[("csrf", "x"), ("user_code", code), ("decision", "allow")]);
    assert_eq!(browser.post_raw("/pair/decision", forged).await.status, StatusCode::FORBIDDEN);
    assert_eq!(poll(&world, &begun).await.1["error"], "authorization_pending");
}
