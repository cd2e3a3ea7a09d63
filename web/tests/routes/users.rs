//! `/users`

use identity::Role;
use serde_json::{Value, json};

use crate::world::{As, World};

async fn adam(world: &World) -> Value {
    let body = json!({"email": "Adam@Example.com", "name": "Adam", "contact_id": "con_777", "locale": "de"});
    world.post("/users", &body).by(&As::Local).send().await.ok()
}

fn path(user: &Value) -> String {
    format!("/users/{}", user["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_person_comes_with_a_household_and_shows_no_hash() {
    let world = World::new().await;
    let made = adam(&world).await;
    assert_eq!((&made["email"], &made["state"]), (&json!("adam@example.com"), &json!("active")));
    assert_eq!(made["contact_id"], "con_777");
    let account = world.get(format!("/accounts/{}", made["account"].as_str().unwrap())).by(&As::Local).send().await;
    assert_eq!(account.json()["kind"], "household");
    let taken = json!({"email": "adam@example.com", "name": "Another"});
    assert_eq!(world.post("/users", &taken).by(&As::Local).send().await.problem().1, "conflict");
    let patch = json!({"name": "Adam B", "contact_id": null});
    let changed = world.patch(path(&made), &patch).if_match(&made["version"]).by(&As::Local).send().await.ok();
    assert_eq!(changed["name"], "Adam B");
    assert!(changed.get("contact_id").is_none());
    for patch in [json!({"email": "b@example.com"}), json!({"roles": ["operator"]}), json!({"password": "x"})] {
        let answer = world.patch(path(&made), &patch).header("if-match", "*").by(&As::Local).send().await;
        assert_eq!(answer.problem(), (400, "invalid".into()), "{patch}");
    }
    let text = world.get("/users").by(&As::Local).send().await.text;
    assert!(!text.contains("password") && !text.contains("argon2"), "{text}");
}

#[tokio::test]
async fn no_event_holds_an_address_or_a_name() {
    let world = World::new().await;
    let made = adam(&world).await;
    world
        .put(format!("{}/roles", path(&made)), &json!({"roles": ["support"]}))
        .header("if-match", "*")
        .by(&As::Local)
        .send()
        .await
        .ok();
    world.act(format!("{}/disable", path(&made))).by(&As::Local).send().await.ok();
    world.act(format!("{}/enable", path(&made))).by(&As::Local).send().await.ok();
    let events = world.get("/events?limit=1000").by(&As::Local).send().await.text;
    assert!(!events.contains("adam@") && !events.contains("con_777"), "{events}");
    let kinds = world.kinds().await;
    for kind in ["user.created", "account.created", "user.changed", "user.disabled", "user.enabled"] {
        assert!(kinds.contains(&kind.to_owned()), "{kind} in {kinds:?}");
    }
}

#[tokio::test]
async fn a_role_that_is_taken_away_is_gone_at_once() {
    let world = World::new().await;
    let helper = world.staff("u_help", &[Role::Support]).await;
    assert_eq!(world.get("/users").by(&helper).send().await.status, 200);
    let roles = json!({"roles": []});
    let bare = world.put("/users/u_help/roles", &roles).by(&As::Local).send().await;
    assert_eq!(bare.problem(), (428, "precondition_required".into()));
    let stripped = world.put("/users/u_help/roles", &roles).if_match(&json!(1)).by(&As::Local).send().await;
    assert_eq!(stripped.json()["version"], 3, "the raise counts as well");
    assert_eq!(world.get("/users").by(&helper).send().await.problem().1, "invalid_token");
}

#[tokio::test]
async fn nobody_gives_a_role_beyond_their_own_or_stops_who_stands_above() {
    let world = World::new().await;
    let security = world.staff("u_sec", &[Role::Security]).await;
    world.staff("u_op", &[Role::Operator]).await;
    let made = adam(&world).await;
    let give = |who: &str, role: &str| {
        let body = json!({"roles": [role]});
        world.put(format!("{who}/roles"), &body).header("if-match", "*").by(&security).send()
    };
    assert_eq!(give(&path(&made), "operator").await.problem(), (403, "forbidden".into()));
    assert_eq!(give("/users/u_sec", "security").await.problem(), (403, "forbidden".into()), "not oneself");
    assert_eq!(give("/users/u_op", "support").await.problem(), (403, "forbidden".into()), "not who may more");
    assert_eq!(give(&path(&made), "support").await.status, 200);
    let stop = |who: &str| world.act(format!("/users/{who}/disable")).by(&security).send();
    assert_eq!(stop("u_sec").await.problem(), (403, "forbidden".into()));
    assert_eq!(stop("u_op").await.problem(), (403, "forbidden".into()));
    let made_operator = json!({"email": "x@example.com", "name": "X", "roles": ["operator"]});
    assert_eq!(world.post("/users", &made_operator).by(&security).send().await.problem().0, 403);
}

#[tokio::test]
async fn who_is_stopped_is_refused_with_the_token_they_have() {
    let world = World::new().await;
    let helper = world.staff("u_help", &[Role::Support]).await;
    let stopped = world.act("/users/u_help/disable").by(&As::Local).send().await;
    let read = world.get("/users/u_help").by(&As::Local).send().await;
    assert_eq!((stopped.header("etag"), stopped.json()), (read.header("etag"), read.json()));
    assert_eq!(world.get("/users").by(&helper).send().await.problem().1, "invalid_token");
    assert_eq!(world.act("/users/u_help/disable").by(&As::Local).send().await.problem().1, "conflict");
    assert_eq!(world.act("/users/u_help/enable").by(&As::Local).send().await.ok()["state"], "active");
    assert_eq!(world.act("/users/u_none/disable").by(&As::Local).send().await.problem().0, 404);
}

#[tokio::test]
async fn facts_of_people_have_a_form() {
    let world = World::new().await;
    for (body, field) in [
        (json!({"email": "adam", "name": "A"}), "email"),
        (json!({"email": "a@example.com", "name": ""}), "name"),
        (json!({"email": "a@example.com", "name": "A", "locale": "d e"}), "locale"),
        (json!({"email": "a@example.com", "name": "A", "zone": "../x y"}), "zone"),
        (json!({"email": "a@example.com", "name": "A", "contact_id": "a b"}), "contact_id"),
        (json!({"email": "a@example.com", "name": "A", "roles": ["king"]}), "roles[0]"),
        (json!({"email": "a@example.com", "name": "A", "password": "x"}), "password"),
    ] {
        let answer = world.post("/users", &body).by(&As::Local).send().await;
        assert_eq!(answer.problem(), (400, "invalid".into()), "{body}");
        assert_eq!(answer.fields(), [field], "{body}");
        assert!(!answer.text.contains("a@example.com"));
    }
}
