//! Two servers of their own processes on one PostgreSQL: whatever begins at one
//! goes on at the other, and what ends at one has ended at both.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use authority::{Clock, Peer};
use axum::body::Body;
use axum::extract::Extension;
use http::{Request, StatusCode};
use jose::dpop::{self, HttpUri};
use jose::{Alg, Signer, SigningKey, jws};
use rig::{Cluster, Database};
use rustls::ClientConfig;
use serde_json::{Map, Value, json};
use server::config::Config;
use server::data::DataFolder;
use server::port::WallClock;
use server::serve::Addresses;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;
use tower::ServiceExt;
use url::form_urlencoded;

use crate::stage::{Answer, ask, client, connect, exchange, get_request, read_to_close};

/// Both nodes are one place to the world, wherever their listeners are.
const ISSUER: &str = "https://localhost:8443";
/// The world outside may take so long to move.
const PATIENCE: Duration = Duration::from_secs(60);
/// Revocations whose effect on the other node is measured.
const REVOCATIONS: usize = 200;

/// A server of its own process on the store that is configured in its folder.
pub(crate) struct Node {
    child: Child,
    pub(crate) addresses: Addresses,
    socket: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) client: Arc<ClientConfig>,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two nodes; the second was given the first one's master key.
fn two(folder: &Path, database: &Database) -> [Node; 2] {
    configure(folder, database, "");
    start_two(folder)
}

/// The same where the configuration stands already. They show one certificate, as behind
/// one balancer.
pub(crate) fn start_two(folder: &Path) -> [Node; 2] {
    let one = Node::start(folder, "one");
    let second = folder.join("two");
    for made in [&second, &second.join("tls")] {
        std::fs::create_dir(made).unwrap();
        std::fs::set_permissions(made, std::fs::Permissions::from_mode(0o700)).unwrap();
    }
    std::fs::copy(folder.join("one/master.key"), second.join("master.key")).unwrap();
    for file in std::fs::read_dir(folder.join("one/tls")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), second.join("tls").join(file.file_name())).unwrap();
    }
    [one, Node::start(folder, "two")]
}

/// Writes a configuration with this database; `more` comes before everything else.
pub(crate) fn configure(folder: &Path, database: &Database, more: &str) {
    let password = folder.join("password");
    std::fs::write(&password, &database.password).unwrap();
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).unwrap();
    let config = format!(
        "{more}[store]\nurl = \"{}\"\npassword_file = \"password\"\npatience_seconds = 3\n\
         [listeners.people]\naddress = \"127.0.0.1:0\"\n[listeners.devices]\naddress = \"127.0.0.1:0\"\n\
         [listeners.health]\naddress = \"127.0.0.1:0\"\n[log]\nlevel = \"warn\"\n",
        database.url
    );
    std::fs::write(folder.join("keyfob.toml"), config).unwrap();
}

pub(crate) fn serve(folder: &Path, data: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyfob"));
    command.args(["--json", "--config", "keyfob.toml", "--data", data, "serve"]);
    command.env_clear().current_dir(folder).stdin(Stdio::null());
    command
}

impl Node {
    pub(crate) fn start(folder: &Path, data: &str) -> Self {
        let mut child = serve(folder, data).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        let address = |name: &str| ready[name].as_str().unwrap().parse().unwrap();
        let addresses = Addresses { people: address("people"), devices: address("devices"), health: address("health") };
        let client = Arc::new(client(Path::new(ready["authority"].as_str().unwrap())));
        let data = folder.join(data);
        Self { child, addresses, socket: data.join("admin.sock"), data, client }
    }

    pub(crate) async fn post(&self, path: &str, more: &str, pairs: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost:8443\r\nConnection: close\r\n{more}Content-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
            body.len()
        );
        let mut stream = connect(self.addresses.people, &self.client, b"").await.unwrap();
        exchange(&mut stream, &request).await.expect("an answer")
    }

    async fn create_client(&self, body: &Value) -> Value {
        self.create("/clients", body).await
    }

    /// As the operator of the machine.
    pub(crate) async fn create(&self, path: &str, body: &Value) -> Value {
        let answer = self.local("POST", path, body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()
    }

    /// Asks over the local socket.
    pub(crate) async fn local(&self, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = UnixStream::connect(&self.socket).await.unwrap();
        exchange(&mut stream, &request).await.unwrap()
    }

    pub(crate) async fn is_ready(&self) -> bool {
        self.health("/readyz").await.status == 200
    }

    pub(crate) async fn health(&self, path: &str) -> Answer {
        let mut stream = TcpStream::connect(self.addresses.health).await.unwrap();
        exchange(&mut stream, &get_request(path, "")).await.unwrap()
    }
}

/// Looks again and again, for as long as the world may take.
pub(crate) async fn until(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let began = now();
    while !look().await {
        assert!(now().duration_since(began) < PATIENCE, "{what}");
    }
}

#[expect(clippy::disallowed_methods, reason = "a test measures")]
fn now() -> Instant {
    Instant::now()
}

/// A client's own credentials, its tokens its own to look at and to end.
pub(crate) struct Caller {
    id: String,
    secret: String,
}

impl Caller {
    pub(crate) async fn made(node: &Node, id: &str) -> Self {
        let wanted = json!({ "client_name": id, "client_id": id, "token_endpoint_auth_method": "client_secret_post",
            "grant_types": ["client_credentials"], "scope": "devices:read" });
        let made = node.create_client(&wanted).await;
        Self { id: id.to_owned(), secret: made["client_secret"].as_str().unwrap().to_owned() }
    }

    pub(crate) async fn ask(&self, node: &Node, path: &str, more: &str, pairs: &[(&str, &str)]) -> Answer {
        let own = [("client_id", self.id.as_str()), ("client_secret", self.secret.as_str())];
        node.post(path, more, &[&own, pairs].concat()).await
    }

    pub(crate) async fn token(&self, node: &Node) -> String {
        let answer = self.ask(node, "/token", "", &[("grant_type", "client_credentials")]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// The same over a connection that stays open.
    async fn kept(&self, kept: &mut Kept, path: &str, pairs: &[(&str, &str)]) -> Value {
        let own = [("client_id", self.id.as_str()), ("client_secret", self.secret.as_str())];
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(own).extend_pairs(pairs).finish();
        kept.post(path, &body).await
    }

    pub(crate) async fn is_active(&self, node: &Node, token: &str) -> bool {
        let answer = self.ask(node, "/introspect", "", &[("token", token)]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["active"] == true
    }
}

/// A connection that stays open.
pub(crate) struct Kept {
    stream: TlsStream<TcpStream>,
    more: String,
}

impl Kept {
    pub(crate) async fn open(node: &Node) -> Self {
        Self { stream: connect(node.addresses.people, &node.client, b"").await.unwrap(), more: String::new() }
    }

    /// With this `Authorization` from now on.
    pub(crate) fn speaking_as(self, authorization: &str) -> Self {
        Self { more: format!("Authorization: {authorization}\r\n"), ..self }
    }

    async fn post(&mut self, path: &str, body: &str) -> Value {
        let (status, answer) = self.send(path, body).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Posts a form; the status, and the object that came.
    pub(crate) async fn send(&mut self, path: &str, body: &str) -> (u16, Value) {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost:8443\r\n{}Content-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
            self.more,
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.stream.read_exact(&mut body).await.unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }
}

/// A small generator with a seed (xorshift), so that a failure comes back.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn coin(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::from(self.0 & 1 == 1)
    }
}

#[tokio::test]
async fn what_is_revoked_at_one_node_has_ended_at_the_other_within_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = two(folder.path(), &Cluster::shared().database());
    let caller = Caller::made(&nodes[0], "app").await;
    let mut kept = [Kept::open(&nodes[0]).await, Kept::open(&nodes[1]).await];
    let mut chance = Chance(0x5eed_cafe);
    let mut times: Vec<Duration> = Vec::with_capacity(REVOCATIONS);
    for _ in 0..REVOCATIONS {
        let here = chance.coin();
        let there = 1 - here;
        let grant = [("grant_type", "client_credentials")];
        let token = caller.kept(&mut kept[chance.coin()], "/token", &grant).await;
        let shown = [("token", token["access_token"].as_str().unwrap())];
        assert_eq!(caller.kept(&mut kept[there], "/introspect", &shown).await["active"], true);
        caller.kept(&mut kept[here], "/revoke", &shown).await;
        let answered = now();
        until("it goes on at the other node", async || {
            caller.kept(&mut kept[there], "/introspect", &shown).await["active"] == false
        })
        .await;
        times.push(now().duration_since(answered));
        assert_eq!(caller.kept(&mut kept[here], "/introspect", &shown).await["active"], false);
    }
    times.sort();
    let (middle, most, last) = (times[REVOCATIONS / 2], times[REVOCATIONS * 99 / 100 - 1], times[REVOCATIONS - 1]);
    println!(
        "from one node's answer to the other's, {REVOCATIONS} revocations: p50 {middle:?}, p99 {most:?}, {last:?}"
    );
    assert!(most < Duration::from_secs(1), "of a hundred, 99 took up to {most:?}");
}

/// The age of what a node knows of the other grows while it cannot hear, and its round trips are told.
#[tokio::test]
async fn the_age_of_what_a_node_knows_stands_in_its_numbers() {
    let cluster = Cluster::start();
    let folder = tempfile::tempdir().unwrap();
    configure(folder.path(), &cluster.database(), "");
    let node = Node::start(folder.path(), "one");
    let age = async || {
        let numbers = node.health("/metrics").await.body;
        let line = numbers.lines().find_map(|line| line.strip_prefix("keyfob_nodes_view_age_seconds "));
        line.unwrap_or_else(|| panic!("{numbers}")).parse::<f64>().unwrap()
    };
    until("it is told", async || node.health("/metrics").await.body.contains("keyfob_nodes_round_seconds_count")).await;
    until("it is young", async || age().await < 5.0).await;
    cluster.pause();
    until("it grows", async || age().await > 5.0).await;
    assert!(!node.is_ready().await, "older than 5 s it is not ready");
    cluster.resume();
    until("it is young again", async || age().await < 5.0).await;
}

#[tokio::test]
async fn a_proof_or_an_assertion_used_at_one_node_is_used_at_both() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = two(folder.path(), &Cluster::shared().database());
    let time = WallClock::new();
    let key = SigningKey::generate(Alg::ES256).unwrap();

    let caller = Caller::made(&nodes[0], "app").await;
    let uri = HttpUri::parse(&format!("{ISSUER}/token")).unwrap();
    let grant = [("grant_type", "client_credentials")];
    let proof = |jti: &str, nonce: Option<&str>| {
        let claims = dpop::Claims { method: "POST", uri: &uri, iat: time.now(), jti, ath: None, nonce };
        format!("DPoP: {}\r\n", dpop::build(&key, &claims).unwrap())
    };
    for (first, second) in [(0, 1), (1, 0)] {
        let shown = proof(&format!("jti-{first}"), None);
        let answer = caller.ask(&nodes[first], "/token", &shown, &grant).await;
        assert_eq!((answer.status, answer.json()["token_type"].as_str()), (200, Some("DPoP")), "{answer:?}");
        let answer = caller.ask(&nodes[second], "/token", &shown, &grant).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("invalid_dpop_proof")), "{answer:?}");
    }
    // A nonce that no node gave is answered by one that every node knows.
    let wanted = caller.ask(&nodes[0], "/token", &proof("jti-a", Some("unknown")), &grant).await;
    assert_eq!(wanted.json()["error"], "use_dpop_nonce");
    let given = wanted.head.lines().find(|line| line.starts_with("dpop-nonce: "));
    assert!(given.is_some(), "{wanted:?}");

    let jwk = key.jwk().to_bare_json();
    let wanted = json!({ "client_name": "key", "client_id": "key", "token_endpoint_auth_method": "private_key_jwt",
        "grant_types": ["client_credentials"], "scope": "devices:read", "jwks": { "keys": [jwk] } });
    nodes[1].create_client(&wanted).await;
    let claims = json!({ "iss": "key", "sub": "key", "aud": ISSUER, "jti": "assertion-1", "iat": time.now(),
        "exp": time.now() + 50 });
    let assertion = jws::sign_compact(Some("JWT"), None, &Map::new(), claims.to_string().as_bytes(), &key).unwrap();
    let shown = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion.as_str()),
    ];
    // Both at once: the decision falls in the database.
    let both = tokio::join!(nodes[0].post("/token", "", &shown), nodes[1].post("/token", "", &shown));
    let mut statuses = [both.0.status, both.1.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401], "{both:?}");
    assert_eq!(nodes[0].post("/token", "", &shown).await.status, 401);
}

#[tokio::test]
async fn a_lost_database_is_said_in_the_protocols_own_words_and_nodes_recover_by_themselves() {
    let cluster = Cluster::start();
    let folder = tempfile::tempdir().unwrap();
    let nodes = two(folder.path(), &cluster.database());
    let caller = Caller::made(&nodes[0], "app").await;
    let token = caller.token(&nodes[1]).await;
    assert!(nodes[0].is_ready().await && nodes[1].is_ready().await);
    for trouble in ["lost", "frozen"] {
        if trouble == "lost" {
            cluster.stop()
        } else {
            cluster.pause()
        }
        for node in &nodes {
            let grant = [("grant_type", "client_credentials")];
            let answer = caller.ask(node, "/token", "", &grant).await;
            assert_eq!((answer.status, answer.json()["error"].as_str()), (503, Some("temporarily_unavailable")));
            assert!(answer.head.contains("\r\nretry-after: "), "{answer:?}");
            let answer = caller.ask(node, "/introspect", "", &[("token", &token)]).await;
            assert_eq!(answer.status, 503, "{trouble}: nothing is said to live that may have ended: {answer:?}");
            until("it calls itself ready", async || !node.is_ready().await).await;
        }
        if trouble == "lost" {
            cluster.start_again()
        } else {
            cluster.resume()
        }
        for node in &nodes {
            until("it does not recover", async || node.is_ready().await).await;
            assert!(caller.is_active(node, &token).await, "what was acknowledged is there");
            caller.token(node).await;
        }
    }
}

#[tokio::test]
async fn a_node_without_the_master_key_of_the_others_does_not_start_and_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    let database = Cluster::shared().database();
    configure(folder.path(), &database, "");
    let one = Node::start(folder.path(), "one");
    let refused = serve(folder.path(), "two").output().unwrap();
    assert_eq!(refused.status.code(), Some(4));
    let told = String::from_utf8(refused.stdout).unwrap();
    assert!(told.contains("copy it from another node"), "{told}");
    assert!(!folder.path().join("two/master.key").exists());
    let page = ask(one.addresses.people, &one.client, "/.well-known/openid-configuration", "").await;
    assert!(page.status == 200 && one.is_ready().await, "the other goes on");
}

/// A door that follows a node hears at once what was committed at the other; and nothing at all,
/// no heartbeat either, from a node that hears of nobody (anchors: the feed).
#[tokio::test]
async fn a_follower_hears_of_the_other_node_and_nothing_from_one_that_hears_of_nobody() {
    let cluster = Cluster::start();
    let folder = tempfile::tempdir().unwrap();
    let nodes = two(folder.path(), &cluster.database());
    let mut stream = UnixStream::connect(&nodes[1].socket).await.unwrap();
    let more = "Accept: text/event-stream\r\n";
    stream.write_all(get_request("/events?after=head", more).as_bytes()).await.unwrap();
    let mut heard = String::new();
    let mut hears = async |what: &str| {
        let mut part = [0; 4096];
        let began = now();
        while !heard.contains(what) {
            assert!(now().duration_since(began) < PATIENCE, "{what}: {heard}");
            let length = stream.read(&mut part).await.unwrap();
            assert!(length > 0, "it ended: {heard}");
            heard.push_str(&String::from_utf8_lossy(&part[..length]));
        }
        now().duration_since(began)
    };
    hears("event: heartbeat").await;
    nodes[0].create("/accounts", &json!({ "kind": "household", "name": "Home" })).await;
    let took = hears("account.created").await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    cluster.pause();
    let began = now();
    let rest = read_to_close(&mut stream).await;
    // It ends within the patience of the store and the age at which nothing is said any more.
    assert!(now().duration_since(began) < Duration::from_secs(10));
    let beats = String::from_utf8_lossy(&rest).matches("event: heartbeat").count();
    assert!(beats <= 6, "{beats} heartbeats of a node that hears nothing");
    cluster.resume();
}

/// A clock on the wall that is set, beside one that only goes on.
#[derive(Default)]
struct Set {
    wall: AtomicI64,
    uptime: AtomicU64,
}

impl Clock for Set {
    fn now_ms(&self) -> u64 {
        WallClock::new().now_ms().saturating_add_signed(self.wall.load(Ordering::SeqCst) * 1_000)
    }

    fn uptime_ms(&self) -> u64 {
        self.uptime.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn no_step_of_the_clock_makes_what_a_node_knows_younger_or_older() {
    let folder = tempfile::tempdir().unwrap();
    configure(folder.path(), &Cluster::shared().database(), "");
    let text = std::fs::read_to_string(folder.path().join("keyfob.toml")).unwrap();
    let config = Config::parse(&text, folder.path()).unwrap();
    let data = DataFolder::open(&folder.path().join("data")).unwrap();
    let lock = data.lock().unwrap();
    let set = Arc::new(Set::default());
    let clock: Arc<dyn Clock> = Arc::clone(&set) as _;
    // Nobody runs its rounds: what it heard at its start grows old.
    let Ok(app) = server::wiring::open_app(&config, &data, &lock, &clock).await else { panic!("it opens") };
    for wall in [-86_400, 86_400, 0] {
        set.wall.store(wall, Ordering::SeqCst);
        assert!(app.is_well(), "no time has passed");
    }
    set.uptime.store(5_001, Ordering::SeqCst);
    for wall in [-86_400, 86_400, -5, 0] {
        set.wall.store(wall, Ordering::SeqCst);
        assert!(!app.is_well(), "time has passed, whatever the clock says");
    }
    app.follow().await.unwrap();
    assert!(app.is_well());
}

/// A clock that goes wrong.
struct Wrong(i64);

impl Clock for Wrong {
    fn now_ms(&self) -> u64 {
        WallClock::new().now_ms().saturating_add_signed(self.0 * 1_000)
    }
}

#[tokio::test]
async fn a_node_whose_clock_is_more_than_a_minute_off_issues_nothing_and_moves_no_time() {
    let folder = tempfile::tempdir().unwrap();
    let database = Cluster::shared().database();
    configure(folder.path(), &database, "");
    let text = std::fs::read_to_string(folder.path().join("keyfob.toml")).unwrap();
    let config = Config::parse(&text, folder.path()).unwrap();
    let data = DataFolder::open(&folder.path().join("data")).unwrap();
    let lock = data.lock().unwrap();
    for (off, issues) in [(0, true), (-50, true), (50, true), (-70, false), (70, false), (86_400, false)] {
        let clock: Arc<dyn Clock> = Arc::new(Wrong(off));
        let Ok(app) = server::wiring::open_app(&config, &data, &lock, &clock).await else { panic!("it opens") };
        let peer = Peer { address: std::net::Ipv4Addr::LOCALHOST.into(), certificate: None, local: false };
        let router = server::wiring::doors_of(&app, &data).people.layer(Extension(peer));
        let asked = Request::post("/token").header("content-type", "application/x-www-form-urlencoded");
        let answer = router.oneshot(asked.body(Body::from("grant_type=client_credentials")).unwrap()).await.unwrap();
        // Whoever names no client is refused for that, where anything is issued.
        assert_eq!(answer.status() != StatusCode::SERVICE_UNAVAILABLE, issues, "{off}");
        assert_eq!(app.is_well(), issues);
        app.beat().await.unwrap();
    }
    let time: i64 = Cluster::shared().sql(&database.name, "SELECT time FROM head").parse().unwrap();
    assert!(time <= WallClock::new().now() + 60, "a clock that runs ahead takes nobody along");
}
