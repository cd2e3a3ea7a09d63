//! `/events`

use std::time::Duration;

use axum::body::Body;
use futures_util::StreamExt as _;
use identity::Role;
use serde_json::{Value, json};

use crate::world::{As, ISSUER, World};

/// Parts of a stream of server-sent events, as they come.
struct Followed {
    parts: futures_util::stream::BoxStream<'static, String>,
    buffer: String,
}

impl Followed {
    fn of(body: Body) -> Self {
        let parts = body.into_data_stream().map(|part| String::from_utf8(part.unwrap().to_vec()).unwrap());
        Self { parts: parts.boxed(), buffer: String::new() }
    }

    /// The next event: id, name, data. `None` when the stream has ended.
    async fn next(&mut self) -> Option<(String, String, Value)> {
        loop {
            if let Some((part, rest)) = self.buffer.split_once("\n\n") {
                let field = |name: &str| {
                    let found = part.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    found.unwrap_or_default().to_owned()
                };
                let event = (field("id"), field("event"), serde_json::from_str(&field("data")).unwrap());
                self.buffer = rest.to_owned();
                return Some(event);
            }
            let part = tokio::time::timeout(Duration::from_secs(20), self.parts.next()).await.expect("in time")?;
            self.buffer.push_str(&part);
        }
    }
}

async fn follow(world: &World, target: &str, caller: &As) -> Followed {
    let answer = world.get(target).header("accept", "text/event-stream").by(caller).stream().await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    Followed::of(answer.into_body())
}

#[tokio::test]
async fn the_log_is_read_in_pages_as_cloud_events() {
    let world = World::new().await;
    for n in 0..5 {
        world.product(&format!("M-{n}")).await;
    }
    let first = world.get("/events?limit=2").by(&As::Local).send().await.ok();
    let event = &first["events"][0];
    assert_eq!((&event["specversion"], &event["source"]), (&json!("1.0"), &json!(ISSUER)));
    assert_eq!((&event["type"], &event["time"]), (&json!("product.changed"), &json!("2025-06-15T15:06:40Z")));
    assert_eq!(event["data"]["by"], "local");
    let names: Vec<&str> = event.as_object().unwrap().keys().map(String::as_str).collect();
    let mut whole = [
        "specversion",
        "id",
        "source",
        "type",
        "subject",
        "time",
        "datacontenttype",
        "sequence",
        "partitionkey",
        "data",
    ];
    whole.sort_unstable();
    assert_eq!(names, whole, "CloudEvents 1.0 §3.1: lower case, nothing besides");
    assert_eq!((&event["datacontenttype"], &event["partitionkey"]), (&json!("application/json"), &event["subject"]));
    let sequences = [0, 1].map(|at| first["events"][at]["sequence"].as_str().unwrap().to_owned());
    assert!(sequences[0] < sequences[1] && sequences.iter().all(|text| text.len() == 20), "{sequences:?}");
    assert_ne!(first["events"][0]["id"], first["events"][1]["id"]);
    let mut models = Vec::new();
    let mut after = String::new();
    loop {
        let page = world.get(format!("/events?limit=2{after}")).by(&As::Local).send().await.ok();
        for event in page["events"].as_array().unwrap() {
            models.push(event["data"]["model"].as_str().unwrap().to_owned());
        }
        if page["cursor"] == page["head"] {
            break;
        }
        after = format!("&after={}", page["cursor"].as_str().unwrap());
    }
    assert_eq!(models, (0..5).map(|n| format!("M-{n}")).collect::<Vec<_>>());
    let page = world.get("/events?after=head").by(&As::Local).send().await.ok();
    assert_eq!((&page["events"], &page["cursor"]), (&json!([]), &page["head"]));
}

#[tokio::test]
async fn types_raises_and_subjects_are_picked_out() {
    let world = World::new().await;
    let made = world.post("/products", &json!({"model": "A", "scopes": ["a"]})).by(&As::Local).send().await.ok();
    world.post("/accounts", &json!({"kind": "household", "name": "A"})).by(&As::Local).send().await.ok();
    let path = format!("/products/{}", made["id"].as_str().unwrap());
    world.patch(&path, &json!({"scopes": []})).header("if-match", "*").by(&As::Local).send().await.ok();
    let count = async |query: &str| {
        let page = world.get(format!("/events?{query}")).by(&As::Local).send().await.ok();
        assert_eq!(page["cursor"], page["head"], "the cursor goes on where nothing matched");
        page["events"].as_array().unwrap().len()
    };
    assert_eq!(count("").await, 3);
    assert_eq!(count("type=raise").await, 1);
    assert_eq!(count("type=account.created").await, 1);
    assert_eq!(count("type=account.created,product.changed").await, 3);
    assert_eq!(count(&format!("subject={}", made["id"].as_str().unwrap())).await, 2);
    for query in ["type=nothing.happened", "type=", "type=raise,account.created", "after=x", "limit=0", "kind=raise"] {
        let answer = world.get(format!("/events?{query}")).by(&As::Local).send().await;
        assert_eq!(answer.problem(), (400, "invalid".into()), "{query}");
    }
    let head = world.get("/events").by(&As::Local).send().await.ok()["head"].as_str().unwrap().to_owned();
    let ahead = head.rsplit_once('.').map(|(generation, _)| format!("{generation}.999")).unwrap();
    assert_eq!(world.get(format!("/events?after={ahead}")).by(&As::Local).send().await.problem().0, 400);
    let foreign = world.get("/events?after=AAAAAAAAAAAAAAAAAAAAAA.1").by(&As::Local).send().await;
    assert_eq!(foreign.problem(), (410, "cursor_gone".into()));
}

#[tokio::test]
async fn a_door_follows_raises_and_reads_nothing_else() {
    let world = World::new().await;
    let door = world.service("gw_edge", "authority:follow");
    assert_eq!(world.get("/events?type=raise").by(&door).send().await.status, 200);
    for target in ["/events", "/events?type=product.changed"] {
        assert_eq!(world.get(target).by(&door).send().await.problem(), (403, "insufficient_scope".into()));
    }
    // Roles alone never carry it, even where a token says so.
    let support = world.staff("u_help", &[Role::Support]).await;
    assert_eq!(world.get("/events?type=raise").by(&support).send().await.problem().0, 403);
}

#[tokio::test]
async fn a_follower_hears_of_the_head_at_once_of_events_as_they_come_and_of_every_second() {
    let world = World::new().await;
    world.product("A").await;
    let mut stream = follow(&world, "/events?type=account.created", &As::Local).await;
    let (id, name, beat) = stream.next().await.unwrap();
    assert_eq!(name, "heartbeat");
    assert_eq!((&beat["cursor"], &beat["head"]), (&json!(id), &json!(id)), "level, though nothing matched");
    assert!(beat["horizon"].is_i64() && beat["age"] == 0);
    world.post("/accounts", &json!({"kind": "household", "name": "A"})).by(&As::Local).send().await.ok();
    let (cursor, event) = loop {
        let (id, name, data) = stream.next().await.unwrap();
        if name.is_empty() {
            break (id, data);
        }
    };
    assert_eq!(event["type"], "account.created");
    let (_, name, beat) = stream.next().await.unwrap();
    assert_eq!((name.as_str(), &beat["cursor"]), ("heartbeat", &json!(cursor)));
    // Whoever comes back with the last id misses nothing and gets nothing twice.
    world.post("/accounts", &json!({"kind": "household", "name": "B"})).by(&As::Local).send().await.ok();
    let again = world
        .get("/events?type=account.created&after=head")
        .header("accept", "text/event-stream")
        .header("last-event-id", &cursor)
        .by(&As::Local)
        .stream()
        .await;
    let (_, name, data) = Followed::of(again.into_body()).next().await.unwrap();
    assert_eq!((name.as_str(), &data["type"]), ("", &json!("account.created")));
    assert_ne!(data["subject"], event["subject"]);
}

#[tokio::test]
async fn a_long_log_is_caught_up_with_in_order() {
    let world = World::new().await;
    for n in 0..25 {
        world.product(&format!("M-{n:02}")).await;
    }
    let mut stream = follow(&world, "/events?limit=10", &As::Local).await;
    let mut models = Vec::new();
    while models.len() < 25 {
        let (_, name, data) = stream.next().await.unwrap();
        if name.is_empty() {
            models.push(data["data"]["model"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(models, (0..25).map(|n| format!("M-{n:02}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stream_ends_when_its_token_does() {
    let world = World::new().await;
    let auditor = world.staff("u_audit", &[Role::Auditor]).await;
    let mut stream = follow(&world, "/events?after=head&type=raise", &auditor).await;
    assert_eq!(stream.next().await.unwrap().1, "heartbeat");
    world.put("/users/u_audit/roles", &json!({"roles": []})).header("if-match", "*").by(&As::Local).send().await.ok();
    while let Some((_, name, _)) = stream.next().await {
        assert_eq!(name, "heartbeat", "nothing is told to who lost the role");
    }
    let service = world.service("svc", "events:read");
    let mut stream = follow(&world, "/events?after=head", &service).await;
    assert_eq!(stream.next().await.unwrap().1, "heartbeat");
    world.clock.pass(3700);
    assert!(stream.next().await.is_none(), "expired");
}

#[tokio::test]
async fn followers_are_bounded_and_those_who_leave_make_room() {
    let world = World::new().await;
    let mut streams = Vec::new();
    for _ in 0..256 {
        streams.push(follow(&world, "/events?after=head", &As::Local).await);
    }
    let one_more = world.get("/events").header("accept", "text/event-stream").by(&As::Local).send().await;
    assert_eq!(one_more.problem(), (503, "temporarily_unavailable".into()));
    assert_eq!(one_more.header("retry-after"), "10");
    streams.pop();
    follow(&world, "/events?after=head", &As::Local).await;
}
