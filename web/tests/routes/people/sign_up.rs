//! `/signup`, `/verify`, `/signin`, `/signout`: from the first visit to the last.

use http::StatusCode;

use super::world::{PASSWORD, World};

#[tokio::test]
async fn a_person_signs_up_verifies_sees_their_things_and_signs_out() {
    let world = World::new().await;
    let mut browser = world.browser();
    let sent_away = browser.get("/my").await;
    assert_eq!((sent_away.status, sent_away.to()), (StatusCode::SEE_OTHER, "/signin?return_to=%2Fmy"));

    let answer = browser.sign_up("Adam@Example.com ", "Adam").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.says("adam@example.com") && answer.says("Look into your mail"), "{}", answer.body);

    let link = world.link().await;
    assert!(link.starts_with("/verify?token="), "{link}");
    let page = browser.get(&link).await;
    assert!(page.says("adam@example.com"), "{}", page.body);
    let token = page.field("token").unwrap();
    let wrong = browser.submit(&link, "/verify", &[("token", &token), ("password", "another password")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!browser.is_signed_in().await);
    let verified = browser.submit(&link, "/verify", &[("token", &token), ("password", PASSWORD)]).await;
    assert_eq!((verified.status, verified.to()), (StatusCode::SEE_OTHER, "/my"));

    let home = browser.get("/my").await;
    assert_eq!(home.status, StatusCode::OK);
    assert!(home.says("href=\"/pair\""), "the empty state says how a thing gets here");
    let people = browser.get("/my/people").await;
    assert!(people.says("Adam’s home"), "{}", people.body);

    let left = browser.submit("/signout", "/signout", &[]).await;
    assert!(left.status == StatusCode::OK && left.says("You are signed out"));
    assert!(!browser.is_signed_in().await && browser.session().is_none());
    assert_eq!((world.events("session.started").await, world.events("session.ended").await), (1, 1));
}

#[tokio::test]
async fn a_sign_in_leads_to_where_the_person_wanted_to_go() {
    let world = World::new().await;
    world.adam().await;
    let mut browser = world.browser();
    let asked = browser.get("/my/security?x=1").await.to().to_owned();
    assert_eq!(asked, "/signin?return_to=%2Fmy%2Fsecurity%3Fx%3D1");
    let to = browser.get(&asked).await.field("return_to").unwrap();
    let fields = [("email", "adam@example.com"), ("password", PASSWORD), ("return_to", &to)];
    let answer = browser.submit(&asked, "/signin", &fields).await;
    assert_eq!((answer.status, answer.to()), (StatusCode::SEE_OTHER, "/my/security?x=1"));
    assert_eq!(browser.get("/signin?return_to=/my/people").await.to(), "/my/people", "who is signed in goes on");
}

#[tokio::test]
async fn a_link_that_was_used_or_is_late_says_so() {
    let world = World::new().await;
    let mut browser = world.browser();
    browser.sign_up("adam@example.com", "Adam").await;
    let link = world.link().await;
    let token = browser.get(&link).await.field("token").unwrap();
    let fields = [("token", token.as_str()), ("password", PASSWORD)];
    let mut second = browser.clone();
    second.get("/signup").await;
    let csrf = second.get("/signin").await.field("csrf").unwrap();
    assert_eq!(browser.submit(&link, "/verify", &fields).await.status, StatusCode::SEE_OTHER);
    let body = super::world::form(&[("csrf", &csrf), fields[0], fields[1]]);
    let again = second.post_raw("/verify", body).await;
    assert!(again.status == StatusCode::GONE && again.says("used already"), "{}", again.body);
    assert_eq!(second.get(&link).await.status, StatusCode::GONE);

    browser.submit("/signout", "/signout", &[]).await;
    browser.sign_up("eve@example.com", "Eve").await;
    let late = world.link().await;
    world.pass(86_400);
    let answer = browser.get(&late).await;
    assert!(answer.status == StatusCode::GONE && answer.says("too old"));
    assert_eq!(browser.get("/verify?token=nothing").await.status, StatusCode::GONE);
    assert_eq!(browser.get("/verify").await.status, StatusCode::GONE);
}

#[tokio::test]
async fn two_posts_of_one_link_at_once_make_one_session() {
    let world = World::new().await;
    let mut browser = world.browser();
    browser.sign_up("adam@example.com", "Adam").await;
    let page = browser.get(&world.link().await).await;
    let (csrf, token) = (page.field("csrf").unwrap(), page.field("token").unwrap());
    let body = super::world::form(&[("csrf", &csrf), ("token", &token), ("password", PASSWORD)]);
    let (mut one, mut two) = (browser.clone(), browser);
    let (first, second) = tokio::join!(one.post_raw("/verify", body.clone()), two.post_raw("/verify", body));
    let mut statuses = [first.status, second.status];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::SEE_OTHER, StatusCode::GONE]);
    assert_eq!(world.events("session.started").await, 1);
}

#[tokio::test]
async fn what_is_wrong_stands_beside_its_field_and_the_password_is_never_shown_again() {
    let world = World::new().await;
    let mut browser = world.browser();
    for (fields, words) in [
        ([("name", ""), ("email", "adam@example.com"), ("password", PASSWORD)], "Write your name."),
        ([("name", "Adam"), ("email", "adam"), ("password", PASSWORD)], "Write an address like"),
        ([("name", "Adam"), ("email", "adam@example.com"), ("password", "short")], "Use a longer password."),
        ([("name", "Adam"), ("email", "adam@example.com"), ("password", "adam@example.com")], "first that are tried"),
    ] {
        let answer = browser.submit("/signup", "/signup", &fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.says(words) && !answer.says(PASSWORD), "{}", answer.body);
    }
    assert!(world.mails().await.is_empty());
}

#[tokio::test]
async fn an_account_prepared_with_anothers_address_is_of_no_use_to_whoever_prepared_it() {
    let world = World::new().await;
    let mut eve = world.browser();
    let fields = [("name", "Eve"), ("email", "adam@example.com"), ("password", "evil password of eve")];
    eve.submit("/signup", "/signup", &fields).await;
    let mut adam = world.browser();
    adam.sign_up("adam@example.com", "Adam").await;
    let link = world.link().await;
    let token = adam.get(&link).await.field("token").unwrap();
    let prepared = [("token", token.as_str()), ("password", "evil password of eve")];
    assert_eq!(eve.submit(&link, "/verify", &prepared).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let own = [("token", token.as_str()), ("password", PASSWORD)];
    assert_eq!(adam.submit(&link, "/verify", &own).await.status, StatusCode::SEE_OTHER);
    let refused = eve.sign_in("adam@example.com", "evil password of eve").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
}
