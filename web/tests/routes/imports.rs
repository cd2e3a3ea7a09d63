//! `/imports`

use axum::body::{Body, Bytes, to_bytes};
use identity::Role;
use serde_json::{Value, json};

use crate::world::{Answer, As, World};

async fn import(world: &World, kind: &str, file: impl Into<Body>) -> Answer {
    world.method("POST", "/imports?source=batch-7.csv").body(kind, file).by(&As::Local).send().await
}

fn counts(import: &Value) -> [u64; 4] {
    ["created", "updated", "unchanged", "failed"].map(|name| import[name].as_u64().unwrap())
}

#[tokio::test]
async fn bad_lines_are_told_by_number_and_reason_and_keep_nothing_back() {
    let world = World::new().await;
    let schema = json!({"properties": {"watts": {"type": "integer"}, "colour": {"enum": ["red"]}}});
    world.post("/products", &json!({"model": "SPK-2", "attribute_schema": schema})).by(&As::Local).send().await.ok();
    let file = "model,serial,mac,attributes.watts,attributes.colour\r\n\
                SPK-2,A-1,aa:bb:cc:00:00:01,5,red\r\n\
                SPK-2,A-2,nonsense,5,red\r\n\
                SPK-9,A-3,,,\r\n\
                SPK-2,A/4,,,\r\n\
                SPK-2,A-5,,many,\r\n\
                SPK-2,A-6,,,green\r\n\
                SPK-2,A-7\r\n\
                ,A-8,,,\r\n\
                SPK-2,A-9,aa:bb:cc:00:00:01,,\r\n\
                SPK-2,A-10,,7,\r\n";
    let answer = import(&world, "text/csv", file).await;
    assert_eq!(answer.status, 201);
    let import = answer.json();
    assert_eq!(counts(&import), [2, 0, 0, 8]);
    assert_eq!(import["source"], "batch-7.csv");
    let bad: Vec<(u64, String)> = import["bad_lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bad| (bad["line"].as_u64().unwrap(), bad["reason"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(bad.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 4, 5, 6, 7, 8, 9, 10]);
    for ((line, reason), part) in bad.iter().zip([
        "MAC",
        "no product of that model",
        "serial number",
        "\"watts\" must be of type integer",
        "\"colour\" is none of the allowed",
        "2 fields",
        "no model",
        "another serial number",
    ]) {
        assert!(reason.contains(part), "line {line}: {reason}");
    }
    let found = world.get("/devices?serial=A-10").by(&As::Local).send().await.ok();
    assert_eq!(found["items"][0]["attributes"], json!({"watts": 7}));
    let place = answer.header("location").to_owned();
    let read = world.get(&place).by(&As::Local).send().await;
    assert_eq!((read.json(), read.header("etag")), (import, answer.header("etag")));
    let provisioned = world.kinds().await.iter().filter(|kind| *kind == "device.provisioned").count();
    assert_eq!(provisioned, 2, "one event per device, none for a bad line");
}

#[tokio::test]
async fn a_file_that_is_sent_again_makes_no_duplicates() {
    let world = World::new().await;
    world.product("SPK-2").await;
    let file = "{\"model\":\"SPK-2\",\"serial\":\"A\",\"place\":\"Hall\"}\n\
                {\"model\":\"SPK-2\",\"external_id\":\"E-1\"}\n";
    assert_eq!(counts(&import(&world, "application/jsonl", file).await.json()), [2, 0, 0, 0]);
    let events = world.kinds().await.len();
    assert_eq!(counts(&import(&world, "application/jsonl", file).await.json()), [0, 0, 2, 0]);
    assert_eq!(world.kinds().await.len(), events, "nothing new is told");
    let changed = file.replace("Hall", "Attic");
    assert_eq!(counts(&import(&world, "application/jsonl", changed).await.json()), [0, 1, 1, 0]);
    let list = world.get("/devices").by(&As::Local).send().await.ok();
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    let imports = world.get("/imports").by(&As::Local).send().await.ok();
    assert_eq!(imports["items"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn lines_of_one_file_about_one_device_take_effect_in_their_order() {
    let world = World::new().await;
    world.product("SPK-2").await;
    let file = "model,serial,place\nSPK-2,A,Hall\nSPK-2,A,Attic\nSPK-2,A,Attic\n";
    assert_eq!(counts(&import(&world, "text/csv", file).await.json()), [1, 1, 1, 0]);
    let found = world.get("/devices?serial=A").by(&As::Local).send().await.ok();
    assert_eq!(found["items"][0]["place"], "Attic");
}

#[tokio::test]
async fn keys_and_certificates_come_with_their_lines() {
    let world = World::new().await;
    world.product("SPK-2").await;
    let root = crate::device_cas::authority("Factory", crate::world::NOW + 86_400);
    let shown = crate::devices::certificate(&root, "SPK-1").pem();
    let file = format!(
        "model,serial,certificate\nSPK-2,SPK-1,\"{shown}\"\nSPK-2,SPK-2,\"{shown}\"\nSPK-2,,\"{shown}\"\nSPK-2,SPK-4,x\n"
    );
    let import = import(&world, "text/csv", file).await.json();
    assert_eq!(counts(&import), [1, 0, 1, 2], "{import}");
    let lines: Vec<_> =
        import["bad_lines"].as_array().unwrap().iter().map(|bad| bad["line"].as_u64().unwrap()).collect();
    let high = u64::try_from(shown.matches('\n').count()).unwrap() + 1;
    assert_eq!(lines, [2 + high, 2 + 3 * high], "numbers are of the file's lines");
    let found = world.get("/devices?serial=SPK-1").by(&As::Local).send().await.ok();
    let credentials = format!("/devices/{}/credentials", found["items"][0]["id"].as_str().unwrap());
    let credentials = world.get(credentials).by(&As::Local).send().await.ok();
    assert_eq!(credentials["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn ten_thousand_lines_come_in_piece_by_piece() {
    let world = World::new().await;
    world.product("SPK-2").await;
    let mut file = "model,serial,mac\n".to_owned();
    for n in 0..10_000 {
        let bad = if n % 1000 == 999 { "/" } else { "" };
        file.push_str(&format!("SPK-2,SPK-{n:06}{bad},02:00:00:00:{:02x}:{:02x}\n", n / 256, n % 256));
    }
    // A prime number of bytes, so that pieces end anywhere.
    let pieces: Vec<_> =
        file.as_bytes().chunks(4093).map(|part| Ok::<_, std::io::Error>(Bytes::copy_from_slice(part))).collect();
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    let answer = world
        .method("POST", "/imports?source=big.csv")
        .body("text/csv", body)
        .header("accept", "application/jsonl")
        .by(&As::Local)
        .stream()
        .await;
    assert_eq!(answer.headers()["content-type"], "application/jsonl");
    let text = String::from_utf8(to_bytes(answer.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap();
    let told: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(told.len() >= 19, "told of every batch of 500 while the next is read, not once at the end: {}", told.len());
    let made: Vec<u64> = told.iter().map(|import| import["created"].as_u64().unwrap()).collect();
    assert!(made.is_sorted() && made[0] <= 500, "{made:?}");
    let last = told.last().unwrap();
    assert_eq!(counts(last), [9990, 0, 0, 10]);
    assert!(last["finished_at"].is_i64() && told[0].get("finished_at").is_none());
    let kept = world.get(format!("/imports/{}", last["id"].as_str().unwrap())).by(&As::Local).send().await.ok();
    assert_eq!(&kept, last);
}

/// After batches of new devices alone the next is taken for one as well.
#[tokio::test]
async fn known_devices_among_many_new_ones_are_decided_by_what_is_known_of_them() {
    let world = World::new().await;
    world.product("SPK-2").await;
    let line = |n: u32, more: &str| format!("SPK-2,A-{n},02:00:00:00:{:02x}:{:02x},{more}\n", n / 256, n % 256);
    let first: String = (0..1000).map(|n| line(n, "Hall")).collect();
    let known = [line(0, "Attic"), line(1, "Hall"), line(2, "Hall").replace("A-2,", "B-2,")].concat();
    let rest: String = (1000..1300).map(|n| line(n, "Hall")).collect();
    let file = format!("model,serial,mac,place\n{first}{known}{rest}");
    let done = import(&world, "text/csv", file.clone()).await.json();
    assert_eq!(counts(&done), [1300, 1, 1, 1], "{done}");
    let bad = &done["bad_lines"][0];
    assert_eq!(bad["line"], 1004);
    assert!(bad["reason"].as_str().unwrap().contains("another serial number"), "{bad}");
    let found = world.get("/devices?serial=A-0").by(&As::Local).send().await.ok();
    assert_eq!(found["items"][0]["place"], "Attic");
    assert_eq!(found["items"][0]["version"], 2);
    let mut place = "/events?type=device.provisioned&limit=1000".to_owned();
    let mut told = Vec::new();
    for _ in 0..2 {
        let page = world.get(&place).by(&As::Local).send().await.ok();
        told.push(page["events"].as_array().unwrap().len());
        place = format!("/events?type=device.provisioned&limit=1000&after={}", page["cursor"].as_str().unwrap());
    }
    assert_eq!(told, [1000, 300], "each told once, and none of what was tried in vain");
    // Sent again, what is known is told from what is new from the start.
    let more: String = (1300..1400).map(|n| line(n, "Hall")).collect();
    let again = import(&world, "text/csv", format!("{file}{more}")).await.json();
    assert_eq!(counts(&again), [100, 2, 1300, 1], "A-0 goes to the hall and back");
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_what_was_committed_and_says_so() {
    let world = World::new().await;
    world.product("SPK-2").await;
    let lines: String = (0..600).map(|n| format!("{{\"model\":\"SPK-2\",\"serial\":\"A-{n}\"}}\n")).collect();
    let pieces = vec![Ok(Bytes::from(lines.clone())), Err(std::io::Error::other("gone"))];
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    let cut = import(&world, "application/jsonl", body).await;
    assert_eq!(cut.problem(), (413, "too_large".into()));
    let imports = world.get("/imports").by(&As::Local).send().await.ok();
    assert_eq!(counts(&imports["items"][0]), [500, 0, 0, 0]);
    assert!(imports["items"][0].get("finished_at").is_none());
    assert_eq!(counts(&import(&world, "application/jsonl", lines).await.json()), [100, 0, 500, 0]);
}

#[tokio::test]
async fn a_file_that_is_none_is_refused_and_leaves_nothing() {
    let world = World::new().await;
    for (kind, file, problem) in [
        ("text/csv", "serial\nA\n", (400, "invalid")),
        ("text/csv", "model,colour\nA,red\n", (400, "invalid")),
        ("text/csv", "", (400, "invalid")),
        ("application/json", "{}", (415, "unsupported_media_type")),
    ] {
        let answer = import(&world, kind, file).await;
        assert_eq!(answer.problem(), (problem.0, problem.1.into()), "{file}");
    }
    let imports = world.get("/imports").by(&As::Local).send().await.ok();
    assert_eq!(imports["items"], json!([]));
    let named = world.method("POST", "/imports?source=%0A").body("text/csv", "model\n").by(&As::Local).send().await;
    assert_eq!(named.fields(), ["source"]);
}

#[tokio::test]
async fn who_may_not_import_sends_nothing_in() {
    let world = World::new().await;
    let support = world.staff("u_help", &[Role::Support]).await;
    let answer = world.method("POST", "/imports").body("text/csv", "model\n").by(&support).send().await;
    assert_eq!(answer.problem(), (403, "insufficient_scope".into()));
}
