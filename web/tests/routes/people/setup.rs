//! `/setup`: the first administrator.

use http::StatusCode;

use super::world::{ISSUER, PASSWORD, World};

#[tokio::test]
async fn the_printed_link_makes_one_administrator() {
    let world = World::new().await;
    let printed = web::portal::first_administrator_link(&world.app).await.unwrap().unwrap();
    let another = web::portal::first_administrator_link(&world.app).await.unwrap().unwrap();
    let link = printed.strip_prefix(ISSUER).unwrap();
    let mut browser = world.browser();
    let token = browser.get(link).await.field("token").unwrap();
    let fields = [("token", token.as_str()), ("name", "Ada"), ("email", "ada@example.com"), ("password", PASSWORD)];
    let answer = browser.submit(link, "/setup", &fields).await;
    assert_eq!((answer.status, answer.to()), (StatusCode::SEE_OTHER, "/my"));
    assert!(browser.is_signed_in().await);
    let mut second = world.browser();
    assert_eq!(second.get(link).await.status, StatusCode::GONE);
    assert_eq!(second.get(another.strip_prefix(ISSUER).unwrap()).await.status, StatusCode::GONE);
    assert!(web::portal::first_administrator_link(&world.app).await.unwrap().is_none());
}

#[tokio::test]
async fn an_address_that_has_an_account_is_told_to_the_holder_of_the_link() {
    let world = World::new().await;
    world.adam().await;
    let printed = web::portal::first_administrator_link(&world.app).await.unwrap().unwrap();
    let link = printed.strip_prefix(ISSUER).unwrap();
    let mut browser = world.browser();
    let token = browser.get(link).await.field("token").unwrap();
    let fields = [("token", token.as_str()), ("name", "Ada"), ("email", "adam@example.com"), ("password", PASSWORD)];
    let answer = browser.submit(link, "/setup", &fields).await;
    assert!(answer.status == StatusCode::UNPROCESSABLE_ENTITY && answer.says("account with this address already"));
}
