//! How long a session lives, and how it ends elsewhere.

use http::StatusCode;
use identity::Role;

use super::world::{PASSWORD, World};

const DAY: u64 = 86_400;

#[tokio::test]
async fn a_session_that_is_not_used_for_a_week_is_over() {
    let world = World::new().await;
    world.adam().await;
    let mut browser = world.signed_in("adam@example.com").await;
    world.pass(7 * DAY - 1);
    assert!(browser.is_signed_in().await);
    world.pass(7 * DAY - 1);
    assert!(browser.is_signed_in().await, "its use was written down");
    world.pass(7 * DAY);
    assert!(!browser.is_signed_in().await);
}

#[tokio::test]
async fn a_session_in_daily_use_is_over_after_a_month() {
    let world = World::new().await;
    world.adam().await;
    let mut browser = world.signed_in("adam@example.com").await;
    for _ in 0..29 {
        world.pass(DAY);
        assert!(browser.is_signed_in().await);
    }
    world.pass(DAY);
    assert!(!browser.is_signed_in().await);
}

#[tokio::test]
async fn staff_are_signed_out_after_a_working_day() {
    let world = World::new().await;
    world.user("op@example.com", "Operator", &[Role::Operator]).await;
    let mut browser = world.signed_in("op@example.com").await;
    world.pass(8 * 3_600 - 1);
    assert!(browser.is_signed_in().await);
    world.pass(8 * 3_600);
    assert!(!browser.is_signed_in().await);
}

#[tokio::test]
async fn another_browser_is_signed_out_from_the_list() {
    let world = World::new().await;
    world.adam().await;
    let mut phone = world.signed_in("adam@example.com").await;
    let mut desk = world.signed_in("adam@example.com").await;
    let page = desk.get("/my/security").await;
    assert!(page.says("Firefox on Linux"));
    let end = page.body.split('"').find(|part| part.starts_with("/my/sessions/ses_")).unwrap().to_owned();
    let answer = desk.submit(&end, &end, &[]).await;
    assert_eq!((answer.status, answer.to()), (StatusCode::SEE_OTHER, "/my/security"));
    assert!(desk.get("/my/security").await.says("That browser is signed out."));
    assert!(!desk.get("/my/security").await.says("That browser is signed out."), "it is said once");
    assert!(!phone.is_signed_in().await && desk.is_signed_in().await);
}

#[tokio::test]
async fn nobody_ends_anothers_session() {
    let world = World::new().await;
    world.adam().await;
    world.user("eve@example.com", "Eve", &[]).await;
    let mut adam = world.signed_in("adam@example.com").await;
    let mut other = world.signed_in("adam@example.com").await;
    let page = other.get("/my/security").await;
    let end = page.body.split('"').find(|part| part.starts_with("/my/sessions/ses_")).unwrap().to_owned();
    let mut eve = world.signed_in("eve@example.com").await;
    let csrf = eve.get("/signout").await.field("csrf").unwrap();
    assert_eq!(eve.get(&end).await.status, StatusCode::NOT_FOUND);
    let answer = eve.post_raw(&end, super::world::form(&[("csrf", &csrf)])).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(adam.is_signed_in().await);
}

#[tokio::test]
async fn a_new_password_ends_all_other_browsers_and_renews_this_one() {
    let world = World::new().await;
    world.adam().await;
    let mut phone = world.signed_in("adam@example.com").await;
    let mut desk = world.signed_in("adam@example.com").await;
    let before = desk.session();
    let page = "/my/security/password";
    let wrong = desk.submit(page, page, &[("current", "not the password"), ("password", "eight blue kettles")]).await;
    assert!(wrong.status == StatusCode::UNPROCESSABLE_ENTITY && wrong.says("That is not your password"));
    let answer = desk.submit(page, page, &[("current", PASSWORD), ("password", "eight blue kettles")]).await;
    assert_eq!((answer.status, answer.to()), (StatusCode::SEE_OTHER, "/my/security"));
    assert_ne!(desk.session(), before);
    assert!(desk.is_signed_in().await && !phone.is_signed_in().await);
    assert!(world.mails().await.iter().any(|mail| mail.subject.contains("password")));
    assert_eq!(phone.sign_in("adam@example.com", PASSWORD).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(phone.sign_in("adam@example.com", "eight blue kettles").await.status, StatusCode::SEE_OTHER);
}
