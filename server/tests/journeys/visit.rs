//! Journeys with two servers of their own processes on one PostgreSQL, each connection
//! going to either by chance; and what comes to both at the same moment.

use std::sync::Arc;

use base64ct::{Base64, Encoding};
use jose::{Alg, Signer, SigningKey, jws};
use rig::Cluster;
use serde_json::{Map, Value, json};
use server::command::Failure;
use server::demo::elsewhere::{Entrance, Granted, Guest, Visit};
use tempfile::TempDir;
use url::form_urlencoded;

use crate::nodes::{Kept, Node, configure, start_two};
use crate::stage::{connect, exchange};

/// Times that something is asked of both nodes at once.
const ROUNDS: usize = 25;

/// Two nodes, the door before them, and the story lived there.
struct House {
    nodes: [Node; 2],
    visit: Arc<Visit>,
    guest: Arc<Guest>,
    offers: Value,
    _folder: TempDir,
}

impl House {
    async fn lived(seed: u64) -> Self {
        println!("connections go by the seed {seed:#x}");
        let folder = tempfile::tempdir().unwrap();
        let entrance = Entrance::open().await.unwrap();
        let (issuer, devices) = (entrance.issuer(), entrance.devices());
        let more = format!("[issuer]\nurl = \"{issuer}\"\ndevices_url = \"{devices}\"\n[mail]\nfolder = \"mail\"\n");
        configure(folder.path(), &Cluster::shared().database(), &more);
        let nodes = start_two(folder.path());
        let to = [nodes[0].addresses, nodes[1].addresses];
        let visit = entrance.lead(to, &nodes[0].data, &folder.path().join("mail"), seed).await;
        let visit = Arc::new(visit.unwrap_or_else(|failure| panic!("{failure:?}")));
        let (offers, guest) = blocking(&visit, Visit::live).await;
        Self { nodes, visit, guest: Arc::new(guest), offers, _folder: folder }
    }

    fn offered(&self, name: &str) -> &str {
        self.offers[name].as_str().unwrap()
    }

    /// The guest allows the shop once more.
    async fn code(&self) -> Granted {
        let (client, guest) = (self.offered("web_client_id").to_owned(), Arc::clone(&self.guest));
        blocking(&self.visit, move |visit| visit.allow(&guest, &client, "openid offline_access")).await
    }

    /// The shop's own connection to a node.
    async fn shop(&self, node: usize) -> Kept {
        let login = format!("{}:{}", self.offered("web_client_id"), self.offered("web_client_secret"));
        Kept::open(&self.nodes[node]).await.speaking_as(&format!("Basic {}", Base64::encode_string(login.as_bytes())))
    }
}

fn redemption(granted: &Granted) -> String {
    form(&[
        ("grant_type", "authorization_code"),
        ("code", granted.code.expose()),
        ("redirect_uri", granted.redirect_uri),
        ("code_verifier", granted.verifier.expose()),
    ])
}

fn refreshing(answer: &Value) -> String {
    form(&[("grant_type", "refresh_token"), ("refresh_token", answer["refresh_token"].as_str().unwrap())])
}

fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

async fn blocking<T: Send + 'static>(
    visit: &Arc<Visit>,
    act: impl FnOnce(&Visit) -> Result<T, Failure> + Send + 'static,
) -> T {
    let visit = Arc::clone(visit);
    let done = tokio::task::spawn_blocking(move || act(&visit)).await.unwrap();
    done.unwrap_or_else(|failure| panic!("{failure:?}"))
}

/// Sign-up by the mail's link, pairing by a code, app and asset token, backend, renewal, trade,
/// introspection, theft, removal and what comes of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_life_is_lived_at_two_processes_with_chance_between_them() {
    let house = House::lived(0x0dd5_eed5).await;
    // It was a life at both of them.
    for node in &house.nodes {
        let numbers = node.health("/metrics").await.body;
        let came = |line: &str| line.starts_with("keyfob_http_requests_total") && line.contains("\"/token\"");
        assert!(numbers.lines().any(came), "nothing came to it: {numbers}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_one_code_shown_to_both_nodes_at_once_one_wins_and_a_refresh_token_has_one_successor() {
    let house = House::lived(0xc0de_c0de).await;
    let [mut here, mut there] = [house.shop(0).await, house.shop(1).await];
    let mut later = house.shop(1).await;
    let mut refused = async |form: &str| {
        let (status, told) = later.send("/token", form).await;
        assert_eq!((status, told["error"].as_str()), (400, Some("invalid_grant")));
    };
    for round in 0..ROUNDS {
        let form = redemption(&house.code().await);
        let (one, two) = tokio::join!(here.send("/token", &form), there.send("/token", &form));
        let won = match (one.0, two.0) {
            (200, 400) => one.1,
            (400, 200) => two.1,
            statuses => panic!("round {round}: {statuses:?}"),
        };
        // Whoever came second had a copy: what the first was given is over (RFC 6749 §4.1.2).
        refused(&refreshing(&won)).await;
    }
    for round in 0..ROUNDS {
        let form = redemption(&house.code().await);
        let (status, first) = here.send("/token", &form).await;
        assert_eq!(status, 200, "round {round}");
        let form = refreshing(&first);
        let (one, two) = tokio::join!(here.send("/token", &form), there.send("/token", &form));
        // A client whose answer was lost may ask once more, and hears the same.
        assert_eq!((one.0, two.0), (200, 200), "round {round}");
        assert!(one.1["refresh_token"].is_string());
        assert_eq!(one.1["refresh_token"], two.1["refresh_token"], "one turn, whoever took it");
        // A third time is one too many, and takes the family along (RFC 9700 §4.14.2).
        refused(&form).await;
        refused(&refreshing(&one.1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_challenge_of_one_node_is_answered_at_the_other_and_at_both_once() {
    let folder = tempfile::tempdir().unwrap();
    configure(folder.path(), &Cluster::shared().database(), "");
    let nodes = start_two(folder.path());
    nodes[0].create("/products", &json!({ "model": "SPK-9" })).await;
    let key = SigningKey::generate(Alg::ES256).unwrap();
    let device = json!({ "model": "SPK-9", "serial": "S-1", "jwk": key.jwk().to_bare_json() });
    let device = nodes[1].create("/devices", &device).await;
    let did = device["id"].as_str().unwrap();
    for round in 0..ROUNDS {
        let (from, to) = (&nodes[round % 2], &nodes[1 - round % 2]);
        let challenge = post(from, "/device/challenge", &Value::Null).await;
        assert_eq!(challenge.0, 200, "{challenge:?}");
        let now = authority::Clock::now(&server::port::WallClock::new());
        let claims = json!({ "iss": did, "aud": "https://localhost:8443", "nonce": challenge.1["challenge"],
            "iat": now, "serial_number": "S-1" });
        let kid = key.jwk().thumbprint().to_string();
        let payload = claims.to_string();
        let proof = jws::sign_compact(Some("callhome+jwt"), Some(&kid), &Map::new(), payload.as_bytes(), &key).unwrap();
        let shown = json!({ "proof": proof, "model": "SPK-9" });
        let mut statuses = if round % 3 == 0 {
            let both = tokio::join!(post(from, "/device/session", &shown), post(to, "/device/session", &shown));
            [both.0.0, both.1.0]
        } else {
            [post(to, "/device/session", &shown).await.0, post(from, "/device/session", &shown).await.0]
        };
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400], "round {round}");
    }
}

/// Posts to the listener for devices.
async fn post(node: &Node, path: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost:8444\r\nConnection: close\r\nContent-Length: {}\r\n\
         Content-Type: application/json\r\n\r\n{body}",
        body.len()
    );
    let mut stream = connect(node.addresses.devices, &node.client, b"").await.unwrap();
    let answer = exchange(&mut stream, &request).await.expect("an answer");
    (answer.status, serde_json::from_str(&answer.body).unwrap_or(Value::Null))
}
