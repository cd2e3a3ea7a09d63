//! A clock that is set while the server runs: it gives no token a longer life,
//! and the store's time never goes back.

use authority::Clock as _;
use serde_json::{Value, json};

use crate::world::{Answer, As, World};

const HOUR: u64 = 3_600;

fn bearer(token: &As) -> &str {
    match token {
        As::Token(token) => token,
        _ => panic!("a token"),
    }
}

fn reason(world: &World, token: &As) -> Result<(), &'static str> {
    world.app.authority().verify(bearer(token), world.app.now()).map(|_| ()).map_err(|refused| refused.reason)
}

async fn client(world: &World) -> (String, String) {
    let wanted = json!({
        "client_id": "ingest", "client_name": "Ingest", "token_endpoint_auth_method": "client_secret_post",
        "grant_types": ["client_credentials"], "scope": "devices:read",
    });
    let made = world.post("/clients", &wanted).by(&As::Local).send().await.ok();
    ("ingest".to_owned(), made["client_secret"].as_str().unwrap().to_owned())
}

async fn issue(world: &World, (id, secret): &(String, String)) -> Answer {
    let body = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}&scope=devices:read");
    world.method("POST", "/token").body("application/x-www-form-urlencoded", body).send().await
}

fn error(answer: &Answer) -> (u16, Value) {
    (answer.status.as_u16(), answer.json()["error"].clone())
}

#[tokio::test]
async fn a_clock_that_goes_back_revives_nothing_and_issues_nothing_until_it_is_right() {
    let world = World::new().await;
    let client = client(&world).await;
    let token = world.service("ingest", "devices:read");
    assert_eq!(reason(&world, &token), Ok(()));
    world.clock.pass(HOUR + 61);
    assert_eq!(reason(&world, &token), Err("token_expired"));
    world.app.beat().await.unwrap();
    let time = world.store.head().await.unwrap().time;

    world.clock.go_back(2 * HOUR);
    assert_eq!(reason(&world, &token), Err("token_expired"), "it has ended and stays ended");
    let refused = issue(&world, &client).await;
    assert_eq!(error(&refused), (503, json!("temporarily_unavailable")));
    assert_eq!(refused.header("retry-after"), "5");
    world.app.beat().await.unwrap();
    assert_eq!(world.store.head().await.unwrap().time, time, "the store's time stands");
    assert_eq!(issue(&world, &client).await.status, 503);

    // What ends now ends at a time that is no earlier than what was issued.
    let ended = world.method("DELETE", "/clients/ingest").by(&As::Local).header("if-match", "*").send().await;
    assert!(ended.status.is_success(), "{}", ended.text);
    assert!(world.store.load_raises().await.unwrap().1.iter().all(|raise| raise.at >= time));

    world.clock.pass(2 * HOUR);
    let other = self::client_named(&world, "second").await;
    assert_eq!(issue(&world, &other).await.status, 200, "it is right again");
}

async fn client_named(world: &World, id: &str) -> (String, String) {
    let wanted = json!({
        "client_id": id, "client_name": id, "token_endpoint_auth_method": "client_secret_post",
        "grant_types": ["client_credentials"], "scope": "devices:read",
    });
    let made = world.post("/clients", &wanted).by(&As::Local).send().await.ok();
    (id.to_owned(), made["client_secret"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_restart_with_a_clock_that_is_behind_issues_nothing_either() {
    let world = World::new().await;
    client(&world).await;
    world.clock.pass(HOUR);
    world.app.beat().await.unwrap();
    world.clock.go_back(HOUR);
    let late = world.token(json!({ "sub": "x", "client_id": "x" }));
    let again = world.restarted().await;
    assert!(again.now() > world.clock.now(), "it goes by the store's time");
    assert!(again.authority().verify(bearer(&late), again.now()).is_ok(), "what lives is served");
}

#[tokio::test]
async fn a_clock_that_leaps_ahead_ends_what_is_over_by_it_and_goes_on() {
    let world = World::new().await;
    let client = client(&world).await;
    let token = world.service("ingest", "devices:read");
    world.clock.pass(48 * HOUR);
    assert_eq!(reason(&world, &token), Err("token_expired"));
    world.app.beat().await.unwrap();
    assert_eq!(world.store.head().await.unwrap().time, world.clock.now());
    let answer = issue(&world, &client).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn after_a_step_a_node_knows_what_others_ended() {
    let world = World::new().await;
    let other = world.restarted().await;
    client(&world).await;
    let token = world.service("ingest", "devices:read");
    other.beat().await.unwrap();
    let ended = world.method("DELETE", "/clients/ingest").by(&As::Local).header("if-match", "*").send().await;
    assert!(ended.status.is_success(), "{}", ended.text);
    let dead = |now| other.authority().verify(bearer(&token), now).map(|_| ()).map_err(|refused| refused.reason);
    assert_eq!(dead(world.clock.now()), Ok(()), "it follows by other means, which are not of this test");
    world.clock.pass(6);
    other.beat().await.unwrap();
    assert_eq!(dead(world.clock.now()), Err("anchor_raised_client"));
}
