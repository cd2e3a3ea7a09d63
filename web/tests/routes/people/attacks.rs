//! What other sites, guessers and thieves of cookies try.

use http::{Method, Request, StatusCode, header};

use super::world::{ISSUER, PASSWORD, World, form};

const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn a_post_without_the_forms_token_or_with_another_browsers_is_refused() {
    let world = World::new().await;
    world.adam().await;
    let mut browser = world.browser();
    browser.get("/signin").await;
    let credentials = [("email", "adam@example.com"), ("password", PASSWORD)];
    let foreign = world.browser().get("/signin").await.field("csrf").unwrap();
    for csrf in ["", "AAAA", foreign.as_str()] {
        let body = form(&[("csrf", csrf), credentials[0], credentials[1]]);
        let answer = browser.post_raw("/signin", body).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{csrf}");
    }
    let missing = browser.post_raw("/signin", form(&credentials)).await;
    assert_eq!(missing.status, StatusCode::FORBIDDEN);
    assert!(missing.headers.get(header::SET_COOKIE).is_none());
    let mut without_cookies = world.browser();
    let body = form(&[("csrf", &foreign), credentials[0], credentials[1]]);
    assert_eq!(without_cookies.post_raw("/signin", body).await.status, StatusCode::FORBIDDEN);
    let twice = form(&[("csrf", &foreign), ("csrf", &foreign), credentials[0], credentials[1]]);
    assert_eq!(browser.post_raw("/signin", twice).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_session_does_not_take_the_token_of_another_session() {
    let world = World::new().await;
    world.adam().await;
    world.user("eve@example.com", "Eve", &[]).await;
    let mut adam = world.signed_in("adam@example.com").await;
    let eves = world.signed_in("eve@example.com").await.get("/signout").await.field("csrf").unwrap();
    assert_eq!(adam.post_raw("/signout", form(&[("csrf", &eves)])).await.status, StatusCode::FORBIDDEN);
    assert!(adam.is_signed_in().await);
}

#[tokio::test]
async fn a_post_from_another_place_is_refused_even_with_the_token() {
    let world = World::new().await;
    world.adam().await;
    let mut browser = world.signed_in("adam@example.com").await;
    let csrf = browser.get("/signout").await.field("csrf").unwrap();
    let from = |fields: &[(&'static str, &'static str)]| {
        let request = Request::builder().method(Method::POST).uri("/signout").header(header::CONTENT_TYPE, FORM);
        fields.iter().fold(request, |request, (name, value)| request.header(*name, *value))
    };
    for fields in [
        &[("origin", "https://evil.example")][..],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site"), ("origin", "null")],
        &[("sec-fetch-site", "same-site"), ("origin", ISSUER)],
        &[],
    ] {
        let answer = browser.send(from(fields), form(&[("csrf", &csrf)])).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{fields:?}");
    }
    assert!(browser.is_signed_in().await);
    let own = browser.send(from(&[("origin", ISSUER)]), form(&[("csrf", &csrf)])).await;
    assert_eq!(own.status, StatusCode::OK);
    assert!(!browser.is_signed_in().await);
}

#[tokio::test]
async fn a_cookie_planted_before_sign_in_is_worth_nothing_after_it() {
    let world = World::new().await;
    world.adam().await;
    let mut browser = world.browser();
    browser.cookies.insert("__Host-keyfob".into(), "planted-by-somebody-else".into());
    browser.sign_in("adam@example.com", PASSWORD).await;
    let first = browser.session().unwrap();
    assert_ne!(first, "planted-by-somebody-else");
    let mut thief = world.browser();
    thief.cookies.insert("__Host-keyfob".into(), "planted-by-somebody-else".into());
    assert!(!thief.is_signed_in().await);
    // Signing in once more renews the secret: a copy of the old cookie is dead.
    let again = browser.submit("/signin/again", "/signin/again", &[("password", PASSWORD), ("return_to", "/my")]).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER);
    assert_ne!(browser.session().unwrap(), first);
    thief.cookies.insert("__Host-keyfob".into(), first);
    assert!(!thief.is_signed_in().await && browser.is_signed_in().await);
}

#[tokio::test]
async fn nobody_is_sent_to_another_place() {
    let world = World::new().await;
    world.adam().await;
    for evil in
        ["//evil.example", "/\\evil.example", "/%2f/evil.example", "https://evil.example", "/\tevil", "javascript:1"]
    {
        let mut browser = world.browser();
        let page = format!("/signin?{}", form(&[("return_to", evil)]));
        assert_eq!(browser.get(&page).await.field("return_to").as_deref(), Some("/my"));
        let fields = [("email", "adam@example.com"), ("password", PASSWORD), ("return_to", evil)];
        assert_eq!(browser.submit("/signin", "/signin", &fields).await.to(), "/my", "{evil}");
        assert_eq!(browser.get(&page).await.to(), "/my", "{evil}");
    }
}

/// The page without what differs for every browser.
fn neutral(body: &str, csrf: Option<&str>, email: &str) -> String {
    body.replace(csrf.unwrap_or("-"), "CSRF").replace(email, "EMAIL")
}

#[tokio::test]
async fn nothing_tells_whether_an_address_has_an_account() {
    let world = World::new().await;
    world.adam().await;
    let mut known_page = Vec::new();
    let mut unknown_page = Vec::new();
    for (email, pages) in [("adam@example.com", &mut known_page), ("nobody@example.com", &mut unknown_page)] {
        let mut browser = world.browser();
        for answer in [
            browser.sign_in(email, "not the password").await,
            browser.sign_up(email, "Somebody").await,
            browser.submit("/recover", "/recover", &[("email", email)]).await,
        ] {
            let csrf = answer.field("csrf");
            let names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
            pages.push((answer.status, names, neutral(&answer.body, csrf.as_deref(), email)));
        }
    }
    assert_eq!(known_page, unknown_page);
    let mails: Vec<_> =
        world.mails().await.into_iter().map(|mail| (mail.to.expose().to_owned(), mail.subject)).collect();
    assert!(mails.iter().any(|(to, subject)| to == "nobody@example.com" && subject.contains("Confirm")), "{mails:?}");
}

#[tokio::test]
async fn guessing_is_braked_for_known_and_unknown_addresses_alike() {
    let world = World::new().await;
    world.adam().await;
    for email in ["adam@example.com", "nobody@example.com"] {
        let mut browser = world.browser();
        for _ in 0..10 {
            let wrong = browser.sign_in(email, "not the password").await;
            assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        }
        let braked = browser.sign_in(email, PASSWORD).await;
        assert_eq!(braked.status, StatusCode::TOO_MANY_REQUESTS, "the right one is not looked at either");
        assert!(braked.says("15 minutes"));
    }
    world.pass(900);
    world.signed_in("adam@example.com").await;
}

#[tokio::test]
async fn one_place_in_the_network_cannot_try_many_addresses() {
    let world = World::new().await;
    world.adam().await;
    let mut browser = world.browser();
    browser.address = "2001:db8::1".parse().unwrap();
    let mut status = StatusCode::OK;
    for n in 0..101 {
        browser.address = format!("2001:db8::{n:x}").parse().unwrap();
        status = browser.sign_in(&format!("u{n}@example.com"), "not the password").await.status;
    }
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "one network of 64 bits is one place");
    world.signed_in("adam@example.com").await;
}

#[tokio::test]
async fn an_address_is_not_flooded_with_mails() {
    let world = World::new().await;
    world.adam().await;
    let mut browser = world.browser();
    for _ in 0..8 {
        let answer = browser.submit("/recover", "/recover", &[("email", "adam@example.com")]).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    assert_eq!(world.mails().await.len(), 5);
    for n in 0..40 {
        browser.submit("/recover", "/recover", &[("email", &format!("u{n}@example.com"))]).await;
    }
    let answer = browser.submit("/recover", "/recover", &[("email", "eve@example.com")]).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn every_page_bears_the_headers_that_protect_it() {
    let world = World::new().await;
    world.adam().await;
    let mut browser = world.signed_in("adam@example.com").await;
    for path in ["/my", "/my/security", "/signup", "/signin/again", "/my/things/none", "/verify?token=x", "/my/people"]
    {
        let answer = browser.get(path).await;
        let field = |name: &str| answer.headers.get(name).map_or("", |value| value.to_str().unwrap());
        assert!(field("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(field("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(field("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(field("cache-control"), "no-store", "{path}");
    }
    let page = browser.get("/my").await.body;
    let style = page.split('"').find(|part| part.starts_with("/static/style")).unwrap().to_owned();
    let asset = browser.get(&style).await;
    assert!(asset.headers["cache-control"].to_str().unwrap().contains("immutable"));
}

#[tokio::test]
async fn a_name_full_of_markup_is_only_a_name() {
    let world = World::new().await;
    world.user("adam@example.com", "<img src=x onerror=alert(1)>", &[]).await;
    let people = world.signed_in("adam@example.com").await.get("/my/people").await;
    assert!(!people.says("<img") && people.says("&#60;img"), "{}", people.body);
}

#[tokio::test]
async fn a_body_beyond_any_form_is_refused() {
    let world = World::new().await;
    let mut browser = world.browser();
    let csrf = browser.get("/signin").await.field("csrf").unwrap();
    let body = form(&[("csrf", &csrf), ("email", &"x".repeat(20_000)), ("password", "x")]);
    assert_eq!(browser.post_raw("/signin", body).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn when_too_many_passwords_wait_people_are_told_to_come_back_and_no_try_is_counted() {
    let settings = app::Settings { hash_queue: 0, ..app::Settings::new(ISSUER, ISSUER) };
    let world = World::with(settings).await;
    let mut browser = world.browser();
    for _ in 0..11 {
        let answer = browser.sign_in("adam@example.com", PASSWORD).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers.contains_key(header::RETRY_AFTER) && answer.says("number"), "{}", answer.body);
    }
}

#[tokio::test]
async fn an_address_where_nothing_is_tells_strangers_nothing() {
    let world = World::new().await;
    world.adam().await;
    assert_eq!(world.browser().get("/my/nothing/here").await.status, StatusCode::SEE_OTHER);
    let answer = world.signed_in("adam@example.com").await.get("/my/nothing/here").await;
    assert!(answer.status == StatusCode::NOT_FOUND && answer.says("href=\"/my\""), "{}", answer.body);
}
