//! `/device-cas`

use pki::issue::{Authority, AuthorityCertificate};
use serde_json::json;

use crate::world::{As, NOW, World};

pub(crate) fn authority(name: &str, not_after: i64) -> Authority {
    let wanted = AuthorityCertificate { common_name: name, serial: [5; 16], not_before: NOW - 86_400, not_after };
    Authority::create_root(&wanted).unwrap()
}

#[tokio::test]
async fn an_authority_is_trusted_once_per_product_stopped_and_trusted_again() {
    let world = World::new().await;
    let product = world.product("SPK-2").await;
    let pem = authority("Factory", NOW + 86_400).certificate().pem();
    let body = json!({"certificate": pem, "product": "SPK-2", "name": "Factory 1"});
    let made = world.post("/device-cas", &body).by(&As::Local).send().await;
    assert_eq!(made.status, 201);
    let place = made.header("location").to_owned();
    let made = made.json();
    assert_eq!((&made["product"], &made["state"]), (&product["id"], &json!("trusted")));
    assert_eq!(world.post("/device-cas", &body).by(&As::Local).send().await.problem().1, "conflict");
    let stop = json!({"state": "disabled"});
    let stopped = world.patch(&place, &stop).if_match(&made["version"]).by(&As::Local).send().await.ok();
    assert_eq!(stopped["state"], "disabled");
    let (kind, subject, data) = world.events().await.pop().unwrap();
    assert_eq!((kind.as_str(), subject.as_str()), ("product.changed", product["id"].as_str().unwrap()));
    assert_eq!(data["change"], "device_ca.disabled");
    assert!(data["raised"][0].as_str().unwrap().starts_with("ca."), "what its devices hold falls");
    let again = world.patch(&place, &json!({"state": "trusted"})).if_match(&stopped["version"]);
    assert_eq!(again.by(&As::Local).send().await.ok()["state"], "trusted");
}

#[tokio::test]
async fn what_is_no_sound_authority_is_refused() {
    let world = World::new().await;
    world.product("SPK-2").await;
    let root = authority("Factory", NOW + 86_400);
    let leaf = crate::devices::certificate(&root, "SPK-000123").pem();
    let expired = authority("Old", NOW - 1).certificate().pem();
    for (certificate, product, field) in [
        (leaf.as_str(), "SPK-2", "certificate"),
        (expired.as_str(), "SPK-2", "certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "SPK-2", "certificate"),
        ("nonsense", "SPK-2", "certificate"),
        (root.certificate().pem().as_str(), "SPK-9", "product"),
    ] {
        let body = json!({"certificate": certificate, "product": product});
        let answer = world.post("/device-cas", &body).by(&As::Local).send().await;
        assert_eq!(answer.problem(), (400, "invalid".into()));
        assert_eq!(answer.fields(), [field]);
    }
}
