//! What all routes share: who may, versions, keys, filters, problems.

use identity::Role;
use serde_json::{Value, json};

use crate::world::{As, ISSUER, NOW, World};

#[tokio::test]
async fn a_token_counts_as_far_as_its_scope_and_no_further() {
    let world = World::new().await;
    let reader = world.service("svc", "products:read");
    assert_eq!(world.get("/products").by(&reader).send().await.status, 200);
    let refused = world.post("/products", &json!({"model": "A"})).by(&reader).send().await;
    assert_eq!(refused.problem(), (403, "insufficient_scope".into()));
    assert!(refused.header("www-authenticate").contains("scope=\"products:write\""));
    let (kind, subject, data) = world.events().await.pop().unwrap();
    assert_eq!((kind.as_str(), subject.as_str()), ("access.refused", "svc"));
    assert_eq!(data["action"], "POST /products");
}

#[tokio::test]
async fn refusals_are_sampled_under_flood() {
    let world = World::new().await;
    let stranger = world.service("svc", "openid");
    for _ in 0..50 {
        world.get("/events").by(&stranger).send().await;
    }
    let sampled = world.kinds().await.len();
    assert!((1..=20).contains(&sampled), "{sampled}");
    world.clock.pass(1);
    world.get("/events").by(&stranger).send().await;
    assert_eq!(world.kinds().await.len(), sampled + 1, "the next second is told of again");
}

#[tokio::test]
async fn a_person_may_what_their_roles_say_now_whatever_the_token_says() {
    let world = World::new().await;
    let auditor = world.staff("u_audit", &[Role::Auditor]).await;
    let support = world.staff("u_help", &[Role::Support]).await;
    let nobody = world.staff("u_none", &[]).await;
    assert_eq!(world.get("/events").by(&auditor).send().await.status, 200);
    for (path, body) in [("/products", json!({"model": "A"})), ("/accounts", json!({"kind": "household", "name": "A"}))]
    {
        let refused = world.post(path, &body).by(&auditor).send().await;
        assert_eq!(refused.problem(), (403, "insufficient_scope".into()), "an auditor writes nothing");
    }
    for caller in [&support, &nobody] {
        let refused = world.get("/events").by(caller).send().await;
        assert_eq!(refused.problem(), (403, "insufficient_scope".into()), "nobody without a role reads events");
    }
    assert_eq!(world.get("/users").by(&support).send().await.status, 200);
    assert_eq!(world.get("/users").by(&nobody).send().await.status, 403);
    // Past the API, without a raise: the roles are looked at on each use.
    let known = store::record::<identity::User>(&*world.store, "u_help").await.unwrap().unwrap();
    let stripped = identity::User { roles: Vec::new(), ..known.record.clone() };
    world.keep(vec![known.rewrite(stripped).into()]).await;
    assert_eq!(world.get("/users").by(&support).send().await.status, 403);
}

#[tokio::test]
async fn tokens_for_others_of_others_and_out_of_time_are_refused() {
    let world = World::new().await;
    let own = json!({"sub": "svc", "client_id": "svc", "scope": "products:read", "anc": ["cl.svc.0"]});
    let with = |name: &str, value: Value| {
        let mut claims = own.clone();
        claims[name] = value;
        world.token(claims)
    };
    assert_eq!(world.get("/products").by(&world.token(own.clone())).send().await.status, 200);
    for (caller, why) in [
        (with("aud", json!("https://api.example.com")), "another audience"),
        (with("iss", json!("https://other.example.com")), "another issuer"),
        (with("exp", json!(NOW - 61)), "expired"),
        (with("sub", json!("somebody")), "no token of the client itself"),
        (with("did", json!("dev_1")), "a device's"),
        (with("act", json!({"sub": "other"})), "somebody acting for the client"),
        (with("anc", json!(["u.u_gone.0"])), "of a person there is not"),
        (As::Token("nonsense".into()), "no token"),
        (As::Nobody, "none"),
    ] {
        let answer = world.get("/products").by(&caller).send().await;
        assert_eq!(answer.problem(), (401, "invalid_token".into()), "{why}");
        assert!(!answer.header("www-authenticate").is_empty(), "{why}");
    }
}

#[tokio::test]
async fn a_record_changes_only_for_who_saw_it_as_it_is() {
    let world = World::new().await;
    let made = world.product("SPK-2").await;
    let path = format!("/products/{}", made["id"].as_str().unwrap());
    let patch = json!({"name": "A"});
    let bare = world.patch(&path, &patch).by(&As::Local).send().await;
    assert_eq!(bare.problem(), (428, "precondition_required".into()));
    assert_eq!(world.patch(&path, &patch).if_match(&made["version"]).by(&As::Local).send().await.status, 200);
    let stale = world.patch(&path, &json!({"name": "B"})).if_match(&made["version"]).by(&As::Local).send().await;
    assert_eq!(stale.problem(), (412, "version_mismatch".into()));
    for tag in ["1", "W/\"2\"", "\"2\", \"3\"", "\"x\"", ""] {
        let odd = world.patch(&path, &patch).header("if-match", tag).by(&As::Local).send().await;
        assert_eq!(odd.problem(), (400, "invalid".into()), "{tag}");
    }
    assert_eq!(world.get(&path).by(&As::Local).send().await.json()["name"], "A");
}

#[tokio::test]
async fn of_two_who_change_one_version_at_once_one_wins() {
    let world = World::new().await;
    let made = world.product("SPK-2").await;
    let path = format!("/products/{}", made["id"].as_str().unwrap());
    let change =
        |name: &str| world.patch(&path, &json!({"name": name})).if_match(&made["version"]).by(&As::Local).send();
    let (a, b, c, d) = tokio::join!(change("A"), change("B"), change("C"), change("D"));
    let won = [&a, &b, &c, &d].iter().filter(|answer| answer.status == 200).count();
    let lost = [&a, &b, &c, &d].iter().filter(|answer| answer.status == 412).count();
    assert_eq!((won, lost), (1, 3));
    assert_eq!(world.get(&path).by(&As::Local).send().await.json()["version"], 2);
}

#[tokio::test]
async fn a_reader_who_has_it_already_gets_nothing_again() {
    let world = World::new().await;
    let made = world.product("SPK-2").await;
    let path = format!("/products/{}", made["id"].as_str().unwrap());
    for tags in ["\"1\"", "W/\"1\"", "\"7\", \"1\"", "*"] {
        let answer = world.get(&path).header("if-none-match", tags).by(&As::Local).send().await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (304, ""), "{tags}");
        assert_eq!(answer.header("etag"), "\"1\"");
    }
    assert_eq!(world.get(&path).header("if-none-match", "\"2\"").by(&As::Local).send().await.status, 200);
}

#[tokio::test]
async fn a_request_that_comes_again_has_no_second_effect() {
    let world = World::new().await;
    let body = json!({"model": "SPK-2"});
    let first = world.post("/products", &body).key("k-1").by(&As::Local).send().await;
    let second = world.post("/products", &body).key("k-1").by(&As::Local).send().await;
    assert_eq!((second.status, &second.text), (first.status, &first.text));
    assert_eq!(second.header("location"), first.header("location"));
    assert_eq!(second.header("etag"), first.header("etag"));
    assert_eq!(world.kinds().await.len(), 1);
    let other = world.post("/products", &json!({"model": "SPK-3"})).key("k-1").by(&As::Local).send().await;
    assert_eq!(other.problem(), (422, "idempotency_key_reused".into()));
    for odd in ["", "\t", &"k".repeat(129)] {
        let answer = world.post("/products", &json!({"model": "SPK-4"})).key(odd).by(&As::Local).send().await;
        assert_eq!(answer.problem(), (422, "idempotency_key_reused".into()), "{odd:?}");
    }
    // The key is the caller's own, and of one address.
    let service = world.service("svc", "products:write accounts:write");
    let by_another = world.post("/products", &json!({"model": "SPK-5"})).key("k-1").by(&service).send().await;
    assert_eq!(by_another.status, 201);
    let elsewhere = json!({"kind": "household", "name": "A"});
    assert_eq!(world.post("/accounts", &elsewhere).key("k-1").by(&service).send().await.status, 201);
    // Refusals are not kept.
    let taken = world.post("/products", &body).key("k-2").by(&As::Local).send().await;
    assert_eq!(taken.status, 409);
    world.clock.pass(86_401);
    let later = world.post("/products", &json!({"model": "SPK-6"})).key("k-1").by(&As::Local).send().await;
    assert_eq!(later.status, 201, "a day later the key is free");
}

#[tokio::test]
async fn of_one_request_sent_twice_at_once_one_takes_effect() {
    let world = World::new().await;
    let body = json!({"kind": "household", "name": "A"});
    let send = || world.post("/accounts", &body).key("k").by(&As::Local).send();
    let (a, b, c, d) = tokio::join!(send(), send(), send(), send());
    for answer in [&b, &c, &d] {
        assert_eq!((answer.status, &answer.text), (a.status, &a.text));
    }
    let list = world.get("/accounts").by(&As::Local).send().await.ok();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn lists_come_in_pages_to_the_end() {
    let world = World::new().await;
    for n in 0..7 {
        world.clock.pass(1);
        world.product(&format!("M-{n}")).await;
    }
    let mut models = Vec::new();
    let mut target = "/products?limit=3".to_owned();
    loop {
        let page = world.get(&target).by(&As::Local).send().await.ok();
        models.extend(page["items"].as_array().unwrap().iter().map(|item| item["model"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        target = format!("/products?limit=3&after={next}");
    }
    assert_eq!(models, (0..7).map(|n| format!("M-{n}")).collect::<Vec<_>>());
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("after=../x", "after"),
        ("after=", "after"),
        ("lmit=1", "lmit"),
        ("limit=1&limit=2", "limit"),
    ] {
        let answer = world.get(format!("/products?{query}")).by(&As::Local).send().await;
        assert_eq!(answer.problem(), (400, "invalid".into()), "{query}");
        assert_eq!(answer.fields(), [field], "{query}");
    }
}

#[tokio::test]
async fn a_filter_compares_and_does_nothing_else() {
    let world = World::new().await;
    world.product("SPK-2").await;
    world.product("LOCK_1").await;
    let found = async |filter: &str| {
        let query: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        world.get(format!("/products?filter={query}")).by(&As::Local).send().await
    };
    for (filter, models) in [
        ("model sw \"SPK\"", vec!["SPK-2"]),
        ("model co \"_\"", vec!["LOCK_1"]),
        ("model co \"%\"", vec![]),
        ("not (model eq \"SPK-2\")", vec!["LOCK_1"]),
        ("model eq \"' OR 1=1 --\"", vec![]),
        ("model eq \"SPK-2\" or model eq \"LOCK_1\"", vec!["SPK-2", "LOCK_1"]),
        ("self_registration eq false and model ge \"M\"", vec!["SPK-2"]),
    ] {
        let mut known: Vec<String> = found(filter).await.ok()["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["model"].as_str().unwrap().to_owned())
            .collect();
        let mut wanted = models;
        known.sort();
        wanted.sort_unstable();
        assert_eq!(known, wanted, "{filter}");
    }
    for filter in ["1=1", "scopes pr", "model eq \"a\"; DROP TABLE product", "model) OR (1", "epoch gt 0", "body pr"] {
        let answer = found(filter).await;
        assert_eq!(answer.problem(), (400, "invalid".into()), "{filter}");
        assert_eq!(answer.fields(), ["filter"], "{filter}");
    }
    let users = world.get("/users?filter=password%20pr").by(&As::Local).send().await;
    assert_eq!(users.problem(), (400, "invalid".into()), "hashes cannot be asked about");
}

#[tokio::test]
async fn each_other_no_has_its_word() {
    let world = World::new().await;
    let local = As::Local;
    let unknown = world.get("/products/prd_x").by(&local).send().await;
    assert_eq!(unknown.problem(), (404, "not_found".into()));
    let method = world.method("DELETE", "/products").by(&local).send().await;
    assert_eq!(method.problem(), (405, "method_not_allowed".into()));
    let form = world.method("POST", "/products").body("application/x-www-form-urlencoded", "model=A").by(&local);
    assert_eq!(form.send().await.problem(), (415, "unsupported_media_type".into()));
    let large = json!({"model": "A", "name": "x".repeat(300_000)});
    assert_eq!(world.post("/products", &large).by(&local).send().await.problem(), (413, "too_large".into()));
    for body in ["", "{", "[]", "[\"A\",\"Name\",\"\",\"\"]", "{} {}", "{\"model\":\"A\",\"model\":\"B\"}"] {
        let answer = world.method("POST", "/products").body("application/json", body.to_owned()).by(&local);
        assert_eq!(answer.send().await.problem(), (400, "invalid".into()), "{body}");
    }
    let problem = unknown.json();
    assert_eq!(problem["type"], format!("{ISSUER}/problems/not_found"));
    assert_eq!(unknown.header("cache-control"), "no-store");
}
