//! `/clients`

use identity::Role;
use serde_json::{Value, json};

use crate::world::{As, World};

fn service(id: &str) -> Value {
    json!({
        "client_id": id, "client_name": "Ingest", "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["client_credentials"], "scope": "telemetry:read",
        "audiences": ["https://ingest.example.com"],
    })
}

#[tokio::test]
async fn a_secret_is_shown_once_and_never_again() {
    let world = World::new().await;
    let made = world.post("/clients", &service("svc_ingest")).by(&As::Local).send().await;
    assert_eq!((made.status.as_u16(), made.header("location")), (201, "/clients/svc_ingest"));
    let secret = made.json()["client_secret"].as_str().unwrap().to_owned();
    assert!(secret.len() >= 43, "256 bits");
    let read = world.get("/clients/svc_ingest").by(&As::Local).send().await;
    let list = world.get("/clients").by(&As::Local).send().await;
    for text in [&read.text, &list.text] {
        assert!(!text.contains(&secret) && !text.contains("secret\""), "{text}");
    }
    let renewed = world.act("/clients/svc_ingest/secret").by(&As::Local).send().await.ok();
    assert_ne!(renewed["client_secret"], secret);
    let events = json!(world.events().await).to_string();
    assert!(!events.contains(&secret) && !events.contains(renewed["client_secret"].as_str().unwrap()));
    assert_eq!(world.kinds().await, ["client.created", "client.changed"]);
}

#[tokio::test]
async fn a_repeated_registration_gets_the_same_secret_which_lies_sealed() {
    let world = World::new().await;
    let first = world.post("/clients", &service("svc")).key("k").by(&As::Local).send().await;
    let again = world.post("/clients", &service("svc")).key("k").by(&As::Local).send().await;
    assert_eq!(again.text, first.text);
    let secret = first.json()["client_secret"].as_str().unwrap().to_owned();
    for file in std::fs::read_dir(world.folder()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "in the clear on disk");
    }
}

#[tokio::test]
async fn a_change_lets_tokens_fall_and_a_deletion_ends_all_for_good() {
    let world = World::new().await;
    let made = world.post("/clients", &service("svc")).by(&As::Local).send().await.ok();
    let token = world.token(json!({
        "sub": "svc", "client_id": "svc", "scope": "products:read", "anc": ["cl.svc.0"],
    }));
    assert_eq!(world.get("/products").by(&token).send().await.status, 200);
    let patch = json!({"client_name": "Ingest 2", "rights": {"first_party": true}});
    let changed = world.patch("/clients/svc", &patch).if_match(&made["version"]).by(&As::Local).send().await.ok();
    assert_eq!((&changed["client_name"], &changed["rights"]["first_party"]), (&json!("Ingest 2"), &json!(true)));
    assert!(changed.get("client_secret").is_none(), "it has one already");
    assert_eq!(world.get("/products").by(&token).send().await.problem().1, "invalid_token");
    let bare = world.method("DELETE", "/clients/svc").by(&As::Local).send().await;
    assert_eq!(bare.problem().0, 428);
    let gone = world.method("DELETE", "/clients/svc").if_match(&changed["version"]).by(&As::Local).send().await;
    assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
    assert_eq!(world.get("/clients/svc").by(&As::Local).send().await.problem().0, 404);
    assert_eq!(world.get("/clients").by(&As::Local).send().await.ok()["items"], json!([]));
    let again = world.post("/clients", &service("svc")).by(&As::Local).send().await;
    assert_eq!(again.problem(), (409, "conflict".into()), "an id is never used twice");
    let (kind, subject, data) = world.events().await.pop().unwrap();
    assert_eq!((kind.as_str(), subject.as_str()), ("client.deleted", "svc"));
    assert!(data["raised"][0].as_str().unwrap().starts_with("cl.svc."));
}

#[tokio::test]
async fn nobody_registers_a_client_that_may_more_than_they_may() {
    let world = World::new().await;
    let security = world.staff("u_sec", &[Role::Security]).await;
    let mut powerful = service("svc_import");
    powerful["scope"] = json!("imports:write");
    let refused = world.post("/clients", &powerful).by(&security).send().await;
    assert_eq!(refused.problem(), (403, "forbidden".into()));
    powerful["scope"] = json!("authority:follow");
    assert_eq!(world.post("/clients", &powerful).by(&security).send().await.problem().0, 403);
    powerful["scope"] = json!("imports:write");
    world.post("/clients", &powerful).by(&As::Local).send().await.ok();
    // Neither by taking over one that may: its secret, its keys.
    let renew = world.act("/clients/svc_import/secret").by(&security).send().await;
    assert_eq!(renew.problem(), (403, "forbidden".into()));
    let rekey = json!({"scope": "telemetry:read"});
    let rekey = world.patch("/clients/svc_import", &rekey).header("if-match", "*").by(&security).send().await;
    assert_eq!(rekey.problem(), (403, "forbidden".into()));
    powerful["client_id"] = json!("svc_read");
    powerful["scope"] = json!("devices:read events:read");
    assert_eq!(world.post("/clients", &powerful).by(&security).send().await.status, 201);
}

#[tokio::test]
async fn what_is_not_sound_is_refused() {
    let world = World::new().await;
    for (member, value) in [
        ("client_id", json!("dev_1")),
        ("client_id", json!("local")),
        ("client_id", json!(7)),
        ("client_name", json!("")),
        ("redirect_uris", json!(["http://app.example.com/"])),
        ("grant_types", json!(["password"])),
        ("jwks", json!({"keys": [{"kty": "oct", "k": "AAAA"}]})),
        ("audiences", json!(["ingest"])),
        ("access_token_life", json!(10)),
        ("client_secret", json!("chosen")),
        ("created_at", json!(1)),
    ] {
        let mut body = service("svc");
        body[member] = value;
        let answer = world.post("/clients", &body).by(&As::Local).send().await;
        assert_eq!(answer.problem(), (400, "invalid".into()), "{member}");
    }
}

#[tokio::test]
async fn a_filter_reaches_names_and_no_secret() {
    let world = World::new().await;
    world.post("/clients", &service("svc_a")).by(&As::Local).send().await.ok();
    world.post("/clients", &service("svc_b")).by(&As::Local).send().await.ok();
    let found = world.get("/clients?filter=client_id%20eq%20%22svc_b%22").by(&As::Local).send().await.ok();
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    for field in ["secret", "jwks", "rights.first_party"] {
        let answer = world.get(format!("/clients?filter={field}%20pr")).by(&As::Local).send().await;
        assert_eq!(answer.problem().0, 400, "{field}");
    }
}
