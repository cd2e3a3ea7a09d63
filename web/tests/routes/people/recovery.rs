//! `/recover`: a forgotten password.

use http::StatusCode;

use super::world::{PASSWORD, World, form};

const NEW: &str = "eight blue kettles";

#[tokio::test]
async fn a_link_sets_one_new_password_and_signs_every_browser_out() {
    let world = World::new().await;
    world.adam().await;
    let mut phone = world.signed_in("adam@example.com").await;
    let mut browser = world.browser();
    let asked = browser.submit("/recover", "/recover", &[("email", "adam@example.com")]).await;
    assert!(asked.status == StatusCode::OK && asked.says("If adam@example.com has an account"));
    let link = world.link().await;
    let token = browser.get(&link).await.field("token").unwrap();
    let short = browser.submit(&link, "/recover/password", &[("token", &token), ("password", "short")]).await;
    assert_eq!(short.status, StatusCode::UNPROCESSABLE_ENTITY);
    let csrf = browser.get(&link).await.field("csrf").unwrap();
    let fields = [("csrf", csrf.as_str()), ("token", &token), ("password", NEW)];
    let (mut one, mut two) = (browser.clone(), browser.clone());
    let (first, second) = tokio::join!(
        one.post_raw("/recover/password", form(&fields)),
        two.post_raw("/recover/password", form(&fields))
    );
    let mut statuses = [first.status, second.status];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::OK, StatusCode::GONE], "single use, also at once");
    assert!(!phone.is_signed_in().await);
    assert_eq!(browser.sign_in("adam@example.com", PASSWORD).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(browser.sign_in("adam@example.com", NEW).await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.get(&link).await.status, StatusCode::GONE);
}

#[tokio::test]
async fn a_recovery_link_dies_after_an_hour() {
    let world = World::new().await;
    world.adam().await;
    let mut browser = world.browser();
    browser.submit("/recover", "/recover", &[("email", "adam@example.com")]).await;
    let link = world.link().await;
    let page = browser.get(&link).await;
    let (csrf, token) = (page.field("csrf").unwrap(), page.field("token").unwrap());
    world.pass(3_600);
    assert_eq!(browser.get(&link).await.status, StatusCode::GONE);
    let body = form(&[("csrf", &csrf), ("token", &token), ("password", NEW)]);
    assert_eq!(browser.post_raw("/recover/password", body).await.status, StatusCode::GONE);
    world.signed_in("adam@example.com").await;
}

#[tokio::test]
async fn a_link_of_one_purpose_is_none_of_another() {
    let world = World::new().await;
    world.adam().await;
    let mut browser = world.browser();
    browser.submit("/recover", "/recover", &[("email", "adam@example.com")]).await;
    let token = world.link().await.split_once('=').unwrap().1.to_owned();
    assert_eq!(browser.get(&format!("/verify?token={token}")).await.status, StatusCode::GONE);
    assert_eq!(browser.get(&format!("/setup?token={token}")).await.status, StatusCode::GONE);
}
