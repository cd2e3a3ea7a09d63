//! `/assets`

use serde_json::json;

use crate::world::{As, World};

#[tokio::test]
async fn staff_change_the_words_of_a_title_until_it_closes() {
    let world = World::new().await;
    let title = world.title("u_adam").await;
    let place = format!("/assets/{}", title.asset);
    let read = world.get(&place).by(&As::Local).send().await.ok();
    let patch = json!({"name": "Kitchen", "room": "Kitchen", "contact_id": "con_777"});
    let changed = world.patch(&place, &patch).if_match(&read["version"]).by(&As::Local).send().await.ok();
    assert_eq!((&changed["name"], &changed["contact_id"]), (&json!("Kitchen"), &json!("con_777")));
    let fixed = world.patch(&place, &json!({"account": "acc_2"})).header("if-match", "*").by(&As::Local).send().await;
    assert_eq!(fixed.fields(), ["account"]);
    let nameless = world.patch(&place, &json!({"name": null})).header("if-match", "*").by(&As::Local).send().await;
    assert_eq!(nameless.problem(), (400, "invalid".into()));
    world.act(format!("/bonds/{}/end", title.bond)).by(&As::Local).send().await.ok();
    let closed = world.patch(&place, &json!({"name": "Late"})).header("if-match", "*").by(&As::Local).send().await;
    assert_eq!(closed.problem(), (409, "illegal_transition".into()));
    let open = world.get("/assets?filter=closed_at%20eq%20null").by(&As::Local).send().await.ok();
    assert_eq!(open["items"], json!([]));
}
