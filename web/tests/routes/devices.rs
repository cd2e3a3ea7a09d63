//! `/devices`

use identity::Role;
use jose::Signer as _;
use pki::Certificate;
use pki::issue::{Authority, DeviceCertificate, KeyPair};
use serde_json::{Value, json};

use crate::device_cas::authority;
use crate::world::{As, NOW, World};

/// A factory certificate of a device.
pub(crate) fn certificate(root: &Authority, serial: &str) -> Certificate {
    let key = KeyPair::generate().unwrap();
    root.issue_device(&DeviceCertificate {
        serial_number: Some(serial),
        common_name: None,
        spki: key.spki_der(),
        serial: [7; 16],
        not_before: NOW - 60,
        not_after: NOW + 80_000,
        san_uri: None,
        client_auth: true,
    })
    .unwrap()
}

fn jwk() -> Value {
    jose::SigningKey::generate(jose::Alg::ES256).unwrap().jwk().to_bare_json()
}

async fn device(world: &World, body: Value) -> Value {
    world.post("/devices", &body).by(&As::Local).send().await.ok()
}

fn path(device: &Value) -> String {
    format!("/devices/{}", device["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_device_is_found_by_each_of_its_names() {
    let world = World::new().await;
    world.product("SPK-2").await;
    world.product("SPK-3").await;
    let root = authority("Factory", NOW + 86_400);
    let shown = certificate(&root, "SPK-000123");
    let made = world
        .post(
            "/devices",
            &json!({
                "model": "SPK-2", "serial": "SPK-000123", "external_id": "EXT-1", "mac": "AA-BB-CC-00-11-22",
                "name": "Hall speaker", "place": "Hall", "attributes": {"colour": "red"},
                "certificate": shown.pem(),
            }),
        )
        .by(&As::Local)
        .send()
        .await;
    assert_eq!(made.status, 201);
    let made = made.json();
    assert_eq!((&made["state"], &made["mac"]), (&json!("registered"), &json!("aa:bb:cc:00:11:22")));
    let credentials = world.get(format!("{}/credentials", path(&made))).by(&As::Local).send().await.ok();
    let credential = &credentials["items"][0];
    let x5t = credential["certificate"]["x5t#S256"].as_str().unwrap();
    let thumbprint = credential["key_thumbprint"].as_str().unwrap();
    for query in [
        "serial=SPK-000123".to_owned(),
        "serial=SPK-000123&model=SPK-2".to_owned(),
        "external_id=EXT-1".to_owned(),
        "mac=AA:BB:CC:00:11:22".to_owned(),
        format!("certificate_thumbprint={x5t}"),
        format!("key_thumbprint={thumbprint}"),
    ] {
        let found = world.get(format!("/devices?{query}")).by(&As::Local).send().await.ok();
        assert_eq!(found["items"], json!([made]), "{query}");
    }
    for query in ["serial=SPK-000123&model=SPK-3", "serial=spk-000123", "external_id=EXT-2", "key_thumbprint=x"] {
        let found = world.get(format!("/devices?{query}")).by(&As::Local).send().await.ok();
        assert_eq!(found["items"], json!([]), "{query}");
    }
    for query in ["serial=A&mac=B", "model=SPK-2", "serial=A&filter=name%20pr"] {
        let answer = world.get(format!("/devices?{query}")).by(&As::Local).send().await;
        assert_eq!(answer.problem(), (400, "invalid".into()), "{query}");
    }
    let filtered = world.get("/devices?filter=attributes.colour%20eq%20%22red%22").by(&As::Local).send().await.ok();
    assert_eq!(filtered["items"].as_array().unwrap().len(), 1);
    let events = world.events().await;
    assert!(events.iter().any(|(kind, subject, _)| kind == "device.provisioned" && *subject == made["id"]));
}

#[tokio::test]
async fn names_and_keys_belong_to_one_device() {
    let world = World::new().await;
    world.product("SPK-2").await;
    let key = jwk();
    device(&world, json!({"model": "SPK-2", "serial": "A", "mac": "aa:bb:cc:00:11:22", "jwk": key})).await;
    for body in [
        json!({"model": "SPK-2", "serial": "A"}),
        json!({"model": "SPK-2", "serial": "B", "mac": "aabb.cc00.1122"}),
        json!({"model": "SPK-2", "serial": "C", "jwk": key}),
    ] {
        let answer = world.post("/devices", &body).by(&As::Local).send().await;
        assert_eq!(answer.problem(), (409, "conflict".into()), "{body}");
    }
}

#[tokio::test]
async fn what_breaks_a_rule_of_devices_is_told_by_field() {
    let world = World::new().await;
    let schema = json!({"properties": {"watts": {"type": "integer"}}});
    world.post("/products", &json!({"model": "SPK-2", "attribute_schema": schema})).by(&As::Local).send().await.ok();
    let root = authority("Factory", NOW + 86_400);
    let mut private = jwk();
    private["d"] = json!("AAAA");
    for (body, field) in [
        (json!({"serial": "A"}), "model"),
        (json!({"model": "SPK-9", "serial": "A"}), "model"),
        (json!({"model": "SPK-2"}), "serial"),
        (json!({"model": "SPK-2", "serial": "a/b"}), "serial"),
        (json!({"model": "SPK-2", "external_id": "dev_1"}), "external_id"),
        (json!({"model": "SPK-2", "mac": "ff:ff:ff:ff:ff:ff"}), "mac"),
        (json!({"model": "SPK-2", "serial": "A", "attributes": {"watts": "5"}}), "attributes"),
        (json!({"model": "SPK-2", "serial": "A", "jwk": private}), "jwk"),
        (json!({"model": "SPK-2", "serial": "A", "jwk": {"kty": "oct", "k": "AAAA"}}), "jwk"),
        (json!({"model": "SPK-2", "serial": "A", "certificate": "x"}), "certificate"),
        (json!({"model": "SPK-2", "serial": "A", "certificate": root.certificate().pem()}), "certificate"),
        (json!({"model": "SPK-2", "serial": "A", "certificate": certificate(&root, "B").pem()}), "certificate"),
        (json!({"model": "SPK-2", "serial": "A", "state": "active"}), "state"),
    ] {
        let answer = world.post("/devices", &body).by(&As::Local).send().await;
        assert_eq!(answer.problem(), (400, "invalid".into()), "{body}");
        assert_eq!(answer.fields(), [field], "{body} {}", answer.text);
    }
    assert!(!world.kinds().await.contains(&"device.provisioned".to_owned()));
}

#[tokio::test]
async fn a_merge_patch_keeps_clears_and_sets() {
    let world = World::new().await;
    world.product("SPK-2").await;
    let body = json!({"model": "SPK-2", "serial": "A", "name": "One", "place": "Hall", "attributes": {"a": 1, "b": 2}});
    let made = device(&world, body).await;
    let patch = json!({"name": null, "place": "Attic", "attributes": {"a": null, "c": 3}});
    let changed = world.patch(path(&made), &patch).if_match(&made["version"]).by(&As::Local).send().await.ok();
    assert!(changed.get("name").is_none());
    assert_eq!((&changed["place"], &changed["serial"]), (&json!("Attic"), &json!("A")));
    assert_eq!(changed["attributes"], json!({"b": 2, "c": 3}));
    for patch in
        [json!({"state": "active"}), json!({"product": "prd_1"}), json!({"id": "dev_2"}), json!({"model": "X"})]
    {
        let answer = world.patch(path(&made), &patch).header("if-match", "*").by(&As::Local).send().await;
        assert_eq!(answer.problem(), (400, "invalid".into()), "{patch}");
    }
}

#[tokio::test]
async fn staff_steer_the_life_of_a_device() {
    let world = World::new().await;
    world.product("SPK-2").await;
    let made = device(&world, json!({"model": "SPK-2", "serial": "A", "jwk": jwk()})).await;
    let operator = world.staff("u_op", &[Role::Operator]).await;
    let act = |action: &str| world.act(format!("{}/{action}", path(&made))).by(&operator);
    let stale = act("suspend").if_match(&json!(9)).send().await;
    assert_eq!(stale.problem(), (412, "version_mismatch".into()));
    let suspended = act("suspend").if_match(&made["version"]).send().await;
    assert_eq!(suspended.json()["state"], "suspended");
    let read = world.get(path(&made)).by(&operator).send().await;
    assert_eq!(read.header("etag"), suspended.header("etag"), "the version after a raise is told right");
    assert_eq!(act("suspend").send().await.problem(), (409, "illegal_transition".into()));
    assert_eq!(act("approve").send().await.problem(), (409, "illegal_transition".into()));
    assert_eq!(act("resume").send().await.ok()["state"], "registered");
    let retired = act("retire").send().await;
    let read = world.get(path(&made)).by(&operator).send().await;
    assert_eq!((retired.header("etag"), retired.json()), (read.header("etag"), read.json()));
    assert_eq!(act("resume").send().await.problem(), (409, "illegal_transition".into()));
    let blocked = world.post("/devices", &json!({"model": "SPK-2", "serial": "A"})).by(&operator).send().await;
    assert_eq!(blocked.problem(), (409, "conflict".into()), "its serial stays blocked");
    for (kind, _, data) in world.events().await.iter().filter(|(kind, _, _)| kind.starts_with("device.s")) {
        assert_eq!(data["by"], "u_op", "{kind}");
    }
    assert_eq!(world.act("/devices/dev_none/suspend").by(&operator).send().await.problem().0, 404);
    assert_eq!(world.act("/devices/dev_none/retire").by(&operator).send().await.problem().0, 404);
}

#[tokio::test]
async fn credentials_are_added_and_revoked() {
    let world = World::new().await;
    world.product("SPK-2").await;
    let made = device(&world, json!({"model": "SPK-2", "serial": "A"})).await;
    let place = format!("{}/credentials", path(&made));
    let key = jwk();
    let added = world.post(&place, &json!({"jwk": key, "kind": "operational"})).by(&As::Local).send().await;
    assert_eq!(added.status, 201);
    let added = added.json();
    assert_eq!(world.post(&place, &json!({"jwk": key})).by(&As::Local).send().await.problem().1, "conflict");
    assert_eq!(world.post(&place, &json!({})).by(&As::Local).send().await.problem().1, "invalid");
    let root = authority("Factory", NOW + 86_400);
    let foreign = json!({"certificate": certificate(&root, "B").pem()});
    assert_eq!(world.post(&place, &foreign).by(&As::Local).send().await.fields(), ["certificate"]);
    let revoke = format!("{place}/{}/revoke", added["id"].as_str().unwrap());
    assert_eq!(world.act(&revoke).if_match(&json!(9)).by(&As::Local).send().await.problem().0, 412);
    let revoked = world.act(&revoke).by(&As::Local).send().await.ok();
    assert_eq!(revoked["state"], "revoked");
    let listed = world.get(&place).by(&As::Local).send().await.ok();
    assert_eq!(listed["items"], json!([revoked]));
    let (_, _, data) = world.events().await.pop().unwrap();
    assert!(data["raised"][0].as_str().unwrap().starts_with("cr."));
    let strange = format!("{place}/crd_none/revoke");
    assert_eq!(world.act(strange).by(&As::Local).send().await.problem().0, 404);
}

#[tokio::test]
async fn backends_read_the_keys_that_count_now() {
    let world = World::new().await;
    world.product("SPK-2").await;
    let made = device(&world, json!({"model": "SPK-2", "serial": "A", "jwk": jwk()})).await;
    let keys = format!("{}/keys", path(&made));
    let backend = world.service("svc", "device_keys:read");
    let read = world.get(&keys).by(&backend).send().await;
    assert_eq!(read.header("cache-control"), "private, max-age=300");
    let body = read.json();
    let key = &body["keys"][0];
    assert_eq!((&key["use"], &key["kty"]), (&json!("sig"), &json!("EC")));
    assert_eq!(key["kid"], jose::Jwk::from_json(key).unwrap().thumbprint().to_string());
    let tag = read.header("etag").to_owned();
    assert_eq!(world.get(&keys).header("if-none-match", &tag).by(&backend).send().await.status, 304);
    world.act(format!("{}/suspend", path(&made))).by(&As::Local).send().await.ok();
    let stopped = world.get(&keys).header("if-none-match", &tag).by(&backend).send().await;
    assert_eq!((stopped.status.as_u16(), stopped.json()), (200, json!({"keys": []})));
    world.act(format!("{}/resume", path(&made))).by(&As::Local).send().await.ok();
    assert_eq!(world.get(&keys).by(&backend).send().await.header("etag"), tag);
    world.act(format!("{}/retire", path(&made))).by(&As::Local).send().await.ok();
    assert_eq!(world.get(&keys).by(&backend).send().await.json(), json!({"keys": []}));
    assert_eq!(world.get("/devices/dev_none/keys").by(&backend).send().await.problem().0, 404);
    assert_eq!(world.get(&keys).by(&world.service("svc", "devices:read")).send().await.problem().0, 403);
}
