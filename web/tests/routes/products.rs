//! `/products`

use serde_json::json;

use crate::world::{As, World};

#[tokio::test]
async fn a_product_is_made_read_changed_and_listed() {
    let world = World::new().await;
    let body = json!({
        "model": "SPK-2", "name": "Hall speaker", "icon": "speaker", "scopes": ["telemetry:write"],
        "audiences": ["https://ingest.example.com"],
        "attribute_schema": {"type": "object", "properties": {"colour": {"type": "string"}}},
    });
    let made = world.post("/products", &body).by(&As::Local).send().await;
    assert_eq!(made.status, 201);
    assert_eq!(made.header("etag"), "\"1\"");
    let place = made.header("location").to_owned();
    let made = made.json();
    assert_eq!(place, format!("/products/{}", made["id"].as_str().unwrap()));
    let read = world.get(&place).by(&As::Local).send().await;
    assert_eq!(read.json(), made);
    let patch = json!({"name": "Speaker", "attribute_schema": {"required": ["colour"]}, "icon": ""});
    let changed = world.patch(&place, &patch).if_match(&made["version"]).by(&As::Local).send().await;
    assert_eq!(changed.header("etag"), "\"2\"");
    let changed = changed.ok();
    assert_eq!(changed["name"], "Speaker");
    assert_eq!(changed["attribute_schema"]["properties"]["colour"]["type"], "string", "objects merge");
    assert_eq!(changed["attribute_schema"]["required"], json!(["colour"]));
    let list = world.get("/products?filter=model%20eq%20%22SPK-2%22").by(&As::Local).send().await.ok();
    assert_eq!(list["items"], json!([changed]));
    assert_eq!(world.kinds().await, ["product.changed", "product.changed"]);
}

#[tokio::test]
async fn rules_of_a_product_are_told_by_field() {
    let world = World::new().await;
    for (body, field) in [
        (json!({"model": ""}), "model"),
        (json!({"model": "a*"}), "model"),
        (json!({"model": "x".repeat(65)}), "model"),
        (json!({"model": "A", "icon": "cat"}), "icon"),
        (json!({"model": "A", "name": "a\nb"}), "name"),
        (json!({"model": "A", "scopes": ["a b"]}), "scopes"),
        (json!({"model": "A", "scopes": ["devices:write"]}), "scopes"),
        (json!({"model": "A", "scopes": ["authority:follow"]}), "scopes"),
        (json!({"model": "A", "audiences": ["ingest"]}), "audiences"),
        (json!({"model": "A", "attribute_schema": {"properties": {"a": {"pattern": "(a+)+$"}}}}), "attribute_schema"),
        (json!({"model": "A", "colour": 1}), "colour"),
        (json!({"model": 5}), "model"),
        (json!({"model": "A", "identity_field": "x"}), "identity_field"),
    ] {
        let answer = world.post("/products", &body).by(&As::Local).send().await;
        assert_eq!(answer.problem(), (400, "invalid".into()), "{body}");
        assert_eq!(answer.fields(), [field], "{body} {}", answer.text);
    }
    assert!(world.kinds().await.is_empty(), "nothing happened");
}

#[tokio::test]
async fn a_model_is_unique_and_never_changes() {
    let world = World::new().await;
    let made = world.product("SPK-2").await;
    let again = world.post("/products", &json!({"model": "SPK-2"})).by(&As::Local).send().await;
    assert_eq!(again.problem(), (409, "conflict".into()));
    let path = format!("/products/{}", made["id"].as_str().unwrap());
    let renamed = world.patch(&path, &json!({"model": "SPK-3"})).header("if-match", "*").by(&As::Local).send().await;
    assert_eq!(renamed.problem(), (400, "invalid".into()));
    assert_eq!(renamed.fields(), ["model"]);
}

#[tokio::test]
async fn tokens_fall_where_a_change_narrows_and_stand_where_it_does_not() {
    let world = World::new().await;
    let body = json!({"model": "SPK-2", "scopes": ["a", "b"]});
    let made = world.post("/products", &body).by(&As::Local).send().await.ok();
    let path = format!("/products/{}", made["id"].as_str().unwrap());
    for (patch, raised) in [
        (json!({"scopes": ["a", "b", "c"]}), false),
        (json!({"name": "Speaker"}), false),
        (json!({"scopes": ["a", "c"]}), true),
        (json!({"factory_provisioned": true}), true),
        (json!({"identity_field": "common_name"}), true),
    ] {
        world.patch(&path, &patch).header("if-match", "*").by(&As::Local).send().await.ok();
        let (_, _, data) = world.events().await.pop().unwrap();
        assert_eq!(data.get("raised").is_some(), raised, "{patch} {data}");
    }
    let before = world.kinds().await.len();
    world.patch(&path, &json!({"name": "Speaker"})).header("if-match", "*").by(&As::Local).send().await.ok();
    assert_eq!(world.kinds().await.len(), before, "what changes nothing is told to nobody");
}
