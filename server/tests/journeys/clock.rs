//! The program on the embedded store while the machine's clock is set wrong, both
//! ways, and over a restart. The clock is the system's own as the program sees it:
//! libfaketime stands between.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use authority::Clock;
use jose::jws;
use rustls::ClientConfig;
use serde_json::{Value, json};
use server::port::WallClock;
use tokio::net::{TcpStream, UnixStream};
use url::form_urlencoded;

use crate::stage::{Answer, client, connect, exchange};

const PATIENCE: Duration = Duration::from_secs(60);
const DAY: i64 = 86_400;

/// What stands between a program and the clock.
fn between() -> PathBuf {
    let places = fs::read_dir("/usr/lib").unwrap().map(|place| place.unwrap().path());
    let mut found = places.map(|place| place.join("faketime/libfaketimeMT.so.1")).filter(|path| path.exists());
    found.next().expect("libfaketime of this machine; type: cargo xtask check tools")
}

/// A machine with a folder and a clock.
struct Machine {
    folder: tempfile::TempDir,
}

struct Server {
    child: Child,
    people: SocketAddr,
    health: SocketAddr,
    socket: PathBuf,
    client: Arc<ClientConfig>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Machine {
    fn new() -> Self {
        let machine = Self { folder: tempfile::tempdir().unwrap() };
        let any = "address = \"127.0.0.1:0\"\n";
        let config = format!(
            "[listeners.people]\n{any}[listeners.devices]\n{any}[listeners.health]\n{any}[log]\nlevel = \"warn\"\n"
        );
        fs::write(machine.path().join("keyfob.toml"), config).unwrap();
        machine.set(0);
        machine
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Sets the clock so many seconds from where it is right.
    fn set(&self, off: i64) {
        let (next, file) = (self.path().join("next"), self.path().join("clock"));
        fs::write(&next, format!("{off:+}\n")).unwrap();
        fs::rename(next, file).unwrap();
    }

    fn start(&self) -> Server {
        let mut child = Command::new(env!("CARGO_BIN_EXE_keyfob"))
            .args(["--json", "--config", "keyfob.toml", "--data", "data", "serve"])
            .env_clear()
            .env("LD_PRELOAD", between())
            .env("FAKETIME_TIMESTAMP_FILE", self.path().join("clock"))
            .envs([("FAKETIME_NO_CACHE", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1"), ("NO_FAKE_STAT", "1")])
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::options().create(true).append(true).open(self.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}{}", self.log()));
        let address = |name: &str| ready[name].as_str().unwrap().parse().unwrap();
        let client = Arc::new(client(Path::new(ready["authority"].as_str().unwrap())));
        let socket = self.path().join("data/admin.sock");
        Server { child, people: address("people"), health: address("health"), socket, client }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path().join("log")).unwrap_or_default()
    }

    /// What the file of the store says of its time.
    fn store_time(&self) -> i64 {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let store = rusqlite::Connection::open_with_flags(self.path().join("data/keyfob.db"), flags).unwrap();
        store.query_row("SELECT time FROM head", [], |row| row.get(0)).unwrap()
    }

    /// The time of the last end that is written down.
    fn last_raise(&self) -> i64 {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let store = rusqlite::Connection::open_with_flags(self.path().join("data/keyfob.db"), flags).unwrap();
        store.query_row("SELECT max(at) FROM raised", [], |row| row.get(0)).unwrap()
    }
}

impl Server {
    async fn health(&self, path: &str) -> u16 {
        let mut stream = TcpStream::connect(self.health).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        exchange(&mut stream, &request).await.unwrap().status
    }

    async fn becomes(&self, ready: bool, machine: &Machine) {
        let began = now();
        while (self.health("/readyz").await == 200) != ready {
            assert!(now().duration_since(began) < PATIENCE, "ready {}: {}", !ready, machine.log());
        }
        assert_eq!(self.health("/healthz").await, 200, "nobody shall kill it for its machine's clock");
    }

    async fn post(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost:8443\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
            body.len()
        );
        let mut stream = connect(self.people, &self.client, b"").await.unwrap();
        exchange(&mut stream, &request).await.expect("an answer")
    }

    /// As the operator of the machine.
    async fn locally(&self, method: &str, path: &str, body: &str) -> Answer {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
             If-Match: *\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = UnixStream::connect(&self.socket).await.unwrap();
        exchange(&mut stream, &request).await.unwrap()
    }

    async fn make(&self, id: &str) -> Caller {
        let wanted = json!({ "client_name": id, "client_id": id, "token_endpoint_auth_method": "client_secret_post",
            "grant_types": ["client_credentials"], "scope": "devices:read" });
        let made = self.locally("POST", "/clients", &wanted.to_string()).await;
        assert_eq!(made.status, 201, "{made:?}");
        Caller { id: id.to_owned(), secret: made.json()["client_secret"].as_str().unwrap().to_owned() }
    }

    async fn token(&self, caller: &Caller) -> Answer {
        let own = [("client_id", caller.id.as_str()), ("client_secret", caller.secret.as_str())];
        self.post("/token", &[&own[..], &[("grant_type", "client_credentials")]].concat()).await
    }

    async fn introspection(&self, caller: &Caller, token: &str) -> Answer {
        let own = [("client_id", caller.id.as_str()), ("client_secret", caller.secret.as_str()), ("token", token)];
        self.post("/introspect", &own).await
    }

    /// Nothing is issued, nothing is said to be alive or dead, and it is said why.
    async fn stands_aside(&self, caller: &Caller, token: &str, machine: &Machine) {
        self.becomes(false, machine).await;
        for refused in [self.token(caller).await, self.introspection(caller, token).await] {
            assert_eq!((refused.status, &refused.json()["error"]), (503, &json!("temporarily_unavailable")));
            assert!(refused.head.contains("\r\nretry-after: "), "{refused:?}");
        }
        assert!(machine.log().contains("clock cannot be right"), "{}", machine.log());
    }

    /// All is as it was, at the right time.
    async fn works(&self, caller: &Caller, token: &str, machine: &Machine) {
        self.becomes(true, machine).await;
        let answer = self.token(caller).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let issued = answer.json()["access_token"].as_str().unwrap().to_owned();
        let claims = jws::Unverified::parse(&issued).unwrap().peek_claims().unwrap();
        let off = claims["iat"].as_i64().unwrap() - WallClock::new().now();
        assert!(off.abs() <= 60, "issued {off} s from the right time");
        for token in [token, &issued] {
            assert_eq!(self.introspection(caller, token).await.json()["active"], true);
        }
        assert!((machine.store_time() - WallClock::new().now()) <= 60, "the store was taken along");
    }
}

struct Caller {
    id: String,
    secret: String,
}

#[expect(clippy::disallowed_methods, reason = "a test measures")]
fn now() -> Instant {
    Instant::now()
}

#[tokio::test]
async fn a_clock_that_leaps_or_goes_back_stops_all_issuing_until_it_is_right_restarts_included() {
    let machine = Machine::new();
    let server = machine.start();
    server.becomes(true, &machine).await;
    let caller = server.make("app").await;
    let issued = server.token(&caller).await;
    let token = issued.json()["access_token"].as_str().unwrap().to_owned();
    server.works(&caller, &token, &machine).await;

    machine.set(DAY);
    server.stands_aside(&caller, &token, &machine).await;
    machine.set(0);
    server.works(&caller, &token, &machine).await;

    // A restart in the midst of it is no way round.
    machine.set(400 * DAY);
    server.stands_aside(&caller, &token, &machine).await;
    drop(server);
    let server = machine.start();
    server.stands_aside(&caller, &token, &machine).await;
    machine.set(0);
    server.works(&caller, &token, &machine).await;

    let ended = server.make("ended").await;
    assert_eq!(server.token(&ended).await.status, 200);
    let time = machine.store_time();
    machine.set(-2 * DAY);
    server.stands_aside(&caller, &token, &machine).await;
    // What ends meanwhile ends at no earlier time than what came before.
    let gone = server.locally("DELETE", "/clients/ended", "").await;
    assert!(gone.status < 300, "{gone:?}");
    assert!(machine.last_raise() >= time && machine.store_time() >= time);
    drop(server);
    let server = machine.start();
    server.stands_aside(&caller, &token, &machine).await;
    assert!(machine.store_time() >= time, "the store's time never goes back");
    machine.set(0);
    server.works(&caller, &token, &machine).await;
    assert_eq!(server.token(&ended).await.status, 401, "what ended meanwhile has ended");
}
