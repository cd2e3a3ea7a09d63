//! Many who want the same record at once: each gets their turn, and nothing is
//! done twice. On both stores, on PostgreSQL at two nodes.

use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use app::App;
use authority::{Clock, Peer};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Extension;
use http::Request;
use jose::{Alg, Signer, SigningKey, jws};
use oauth::token::{TokenKind, Unsigned};
use rig::Cluster;
use serde_json::{Map, Value, json};
use server::config::Config;
use server::data::{DataFolder, DataLock};
use server::listen::Drain;
use server::port::{SystemEntropy, WallClock};
use store::{Change, Commit, Store};
use tower::ServiceExt;
use url::form_urlencoded;

const ISSUER: &str = "https://localhost:8443";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// So many devices enter one account at the same moment.
const AT_ONCE: usize = 100;

fn parse<T: serde::de::DeserializeOwned>(record: Value) -> T {
    serde_json::from_value(record).unwrap()
}

fn registry<T>(record: T) -> Change
where
    identity::Write<T>: Into<identity::Change>,
{
    let change: identity::Change = identity::Write::new(record).into();
    change.into()
}

/// A household of one, a model that enters itself, and the app.
async fn furnish(store: &dyn Store) {
    let now = WallClock::new().now();
    let user: identity::User = parse(json!({
        "id": "u_adam", "email": "adam@example.com", "name": "Adam", "state": "active", "account": "acc_501",
        "created_at": now, "updated_at": now,
    }));
    let account: identity::Account =
        parse(json!({ "id": "acc_501", "kind": "household", "name": "Home", "created_at": now }));
    let member: identity::Bond = parse(json!({
        "id": "bnd_home", "holder": {"kind": "user", "id": "u_adam"}, "target": {"kind": "account", "id": "acc_501"},
        "role": "owner", "origin": "sign-up", "state": "active", "created_at": now,
    }));
    let product: identity::Product = parse(json!({
        "id": "prd_1", "model": "SPK-2", "name": "Speaker", "icon": "speaker", "factory_key_is_operational": true, "self_registration": true,
        "scopes": ["telemetry:write"], "audiences": [ISSUER],
    }));
    let client: oauth::Client = parse(json!({
        "id": "app_mobile", "name": "Speaker app", "auth": "none", "scopes": "device:register telemetry:write",
        "grant_types": [EXCHANGE], "audiences": [ISSUER], "rights": { "asset_tokens": true }, "created_at": now,
    }));
    let client: oauth::Change = identity::Write::new(client).into();
    let changes = vec![registry(user), registry(account), registry(member), registry(product), client.into()];
    store.commit(Commit { changes, now, ..Commit::default() }).await.unwrap();
}

/// A node with its doors: for the world, and for the operator of the machine.
struct Node {
    app: Arc<App>,
    people: Router,
    local: Router,
    _lock: DataLock,
}

async fn open(folder: &Path, config: &str, name: &str, first: bool) -> Node {
    let config = Config::parse(config, folder).unwrap();
    let data = DataFolder::open(&folder.join(name)).unwrap();
    let lock = data.lock().unwrap();
    if first {
        // A store that has no key beside it is not opened.
        data.master_key(&lock, &SystemEntropy).unwrap();
        let furnished = server::wiring::fill_store(&config, &data, async |store| {
            furnish(store).await;
            Ok(())
        });
        assert!(furnished.await.is_ok());
    }
    let clock: Arc<dyn Clock> = Arc::new(WallClock::new());
    let Ok(app) = server::wiring::open_app(&config, &data, &lock, &clock).await else { panic!("it opens") };
    // A node that hears nothing of the other for some seconds stands aside.
    server::wiring::keep_following(&app, &Drain::new(), None);
    let peer = |local| Peer { address: std::net::Ipv4Addr::LOCALHOST.into(), certificate: None, local };
    let doors = server::wiring::doors_of(&app, &data);
    let (people, local) = (doors.people.layer(Extension(peer(false))), doors.local.layer(Extension(peer(true))));
    Node { app, people, local, _lock: lock }
}

/// A request by which one device enters Adam's account.
fn entering(app: &App, number: usize) -> Request<Body> {
    let now = WallClock::new().now();
    let key = SigningKey::generate(Alg::ES256).unwrap();
    let generation = &app.tenant().generation;
    let customer = json!({
        "iss": ISSUER, "aud": ISSUER, "iat": now, "exp": now + 3600, "jti": format!("customer-{number}"),
        "sub": "u_adam", "client_id": "app_mobile", "scope": "device:register",
        "anc": [format!("t.{generation}.0"), "cl.app_mobile.0", "u.u_adam.0"],
    });
    let claims = customer.to_string().into_bytes();
    let unsigned = Unsigned { kind: TokenKind::Access, typ: "at+jwt", alg: Alg::ES256, opaque: false, claims };
    let customer = app.keys().sign(&unsigned, now, || [9; 24]).unwrap();
    let did = format!("maker:{number}");
    let actor = json!({
        "iss": did, "sub": did, "aud": ISSUER, "iat": now, "exp": now + 300, "jti": format!("act-{number}"),
        "did": did, "name": "Speaker", "model": "SPK-2", "cnf": { "jwk": key.jwk().to_bare_json() },
    });
    let actor = jws::sign_compact(Some("actor+jwt"), None, &Map::new(), actor.to_string().as_bytes(), &key).unwrap();
    let fields = [
        ("grant_type", EXCHANGE),
        ("client_id", "app_mobile"),
        ("subject_token", customer.as_str()),
        ("subject_token_type", ACCESS_TOKEN),
        ("actor_token", actor.as_str()),
        ("actor_token_type", JWT),
        ("scope", "telemetry:write"),
    ];
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let kind = "application/x-www-form-urlencoded";
    Request::post("/token").header("content-type", kind).body(Body::from(body)).unwrap()
}

/// All at once; their answers' claims.
async fn enter(nodes: &[Node]) -> Vec<Map<String, Value>> {
    let mut asked = tokio::task::JoinSet::new();
    for number in 0..AT_ONCE {
        let node = &nodes[number % nodes.len()];
        asked.spawn(node.people.clone().oneshot(entering(&node.app, number)));
    }
    let mut all = Vec::new();
    while let Some(answer) = asked.join_next().await {
        let (parts, body) = answer.unwrap().unwrap().into_parts();
        let body: Value = serde_json::from_slice(&to_bytes(body, 1 << 20).await.unwrap()).unwrap();
        assert_eq!(parts.status, 200, "{body}");
        let token = body["access_token"].as_str().unwrap();
        all.push(jws::Unverified::parse(token).unwrap().peek_claims().unwrap());
    }
    all
}

/// Each entered once: so many titles, so many devices, so many bonds in the log.
async fn each_once(node: &Node, answers: &[Map<String, Value>]) {
    for name in ["asset_id", "did", "jti"] {
        let told: HashSet<_> = answers.iter().map(|claims| claims[name].as_str().unwrap()).collect();
        assert_eq!(told.len(), AT_ONCE, "{name}");
    }
    let ask = async |path: &str| -> Value {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let body = node.local.clone().oneshot(request).await.unwrap().into_body();
        serde_json::from_slice(&to_bytes(body, 1 << 24).await.unwrap()).unwrap()
    };
    let events = ask("/events?limit=1000").await;
    for kind in ["bond.created", "device.activated", "asset.registered"] {
        let events = events["events"].as_array().unwrap();
        let subjects: Vec<_> = events.iter().filter(|event| event["type"] == kind).collect();
        let different: HashSet<_> = subjects.iter().map(|event| event["subject"].as_str().unwrap()).collect();
        assert_eq!((subjects.len(), different.len()), (AT_ONCE, AT_ONCE), "{kind}");
    }
    for list in ["/assets?limit=500", "/devices?limit=500"] {
        assert_eq!(ask(list).await["items"].as_array().unwrap().len(), AT_ONCE, "{list}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_devices_that_enter_one_account_at_once_are_all_let_in_and_none_twice() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = [open(folder.path(), "", "data", true).await];
    each_once(&nodes[0], &enter(&nodes).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_devices_that_enter_one_account_at_two_nodes_at_once_are_all_let_in_and_none_twice() {
    let folder = tempfile::tempdir().unwrap();
    let database = Cluster::shared().database();
    let password = folder.path().join("password");
    std::fs::write(&password, &database.password).unwrap();
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).unwrap();
    let config = format!("[store]\nurl = \"{}\"\npassword_file = \"password\"\n", database.url);
    let one = open(folder.path(), &config, "one", true).await;
    let two = folder.path().join("two");
    std::fs::create_dir(&two).unwrap();
    std::fs::set_permissions(&two, std::fs::Permissions::from_mode(0o700)).unwrap();
    std::fs::copy(folder.path().join("one/master.key"), two.join("master.key")).unwrap();
    let nodes = [one, open(folder.path(), &config, "two", false).await];
    let answers = enter(&nodes).await;
    nodes[0].app.follow().await.unwrap();
    each_once(&nodes[0], &answers).await;
}
