//! `/accounts`

use serde_json::json;

use crate::world::{As, World};

#[tokio::test]
async fn an_account_is_made_named_and_closed() {
    let world = World::new().await;
    let body = json!({"kind": "organisation", "name": "School", "external_id": "CRM-1"});
    let made = world.post("/accounts", &body).by(&As::Local).send().await;
    let place = made.header("location").to_owned();
    let made = made.ok();
    let patch = json!({"name": "The school"});
    let named = world.patch(&place, &patch).if_match(&made["version"]).by(&As::Local).send().await.ok();
    assert_eq!((&named["name"], &named["external_id"]), (&json!("The school"), &json!("CRM-1")));
    let kind = world.patch(&place, &json!({"kind": "household"})).header("if-match", "*").by(&As::Local).send().await;
    assert_eq!(kind.fields(), ["kind"]);
    assert_eq!(world.post("/accounts", &body).by(&As::Local).send().await.problem().1, "conflict");
    let closed = world.act(format!("{place}/close")).by(&As::Local).send().await;
    let read = world.get(&place).by(&As::Local).send().await;
    assert_eq!((closed.header("etag"), closed.json()), (read.header("etag"), read.json()));
    assert_eq!(read.json()["closed"], true);
    let again = world.act(format!("{place}/close")).by(&As::Local).send().await;
    assert_eq!(again.problem(), (409, "illegal_transition".into()));
    assert_eq!(world.kinds().await, ["account.created", "account.closed"]);
    let (_, _, data) = world.events().await.pop().unwrap();
    assert!(data["raised"][0].as_str().unwrap().starts_with("ac."));
}

#[tokio::test]
async fn an_account_that_owns_a_device_stays_open() {
    let world = World::new().await;
    let title = world.title("u_adam").await;
    let close = format!("/accounts/{}/close", title.account);
    assert_eq!(world.act(&close).by(&As::Local).send().await.problem(), (409, "conflict".into()));
    world.act(format!("/bonds/{}/end", title.bond)).by(&As::Local).send().await.ok();
    assert_eq!(world.act(&close).by(&As::Local).send().await.status, 200);
}

#[tokio::test]
async fn names_of_accounts_have_a_form() {
    let world = World::new().await;
    for (body, field) in [
        (json!({"kind": "club", "name": "A"}), "kind"),
        (json!({"kind": "household", "name": " "}), "name"),
        (json!({"kind": "household", "name": "A", "external_id": "acc_1"}), "external_id"),
        (json!({"kind": "household", "name": "A", "closed": true}), "closed"),
    ] {
        let answer = world.post("/accounts", &body).by(&As::Local).send().await;
        assert_eq!(answer.problem(), (400, "invalid".into()), "{body}");
        assert_eq!(answer.fields(), [field], "{body}");
    }
}
