//! Peers that ask for much and take little, against the server in a process of its own: others are
//! served meanwhile, and afterwards it holds no more than before.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::frames::{self, CONTINUATION, Frames, Outcome, PING, SETTINGS, field, frame, head};
use crate::stage::{HUNG, client, connect, exchange, get_request, read_to_close};

/// What a neighbour waits at most for an answer while somebody floods: far more than it takes, far
/// less than a flood that holds the listener would.
const SERVED_WITHIN: Duration = Duration::from_secs(5);
/// What the process may have grown by when a flood is over; buffers of its allocator among it.
const GROWTH: u64 = 48 * 1024 * 1024;
/// The end of a flood that the server does not end: it must have ended it long before.
const ENDLESS: usize = 200_000;

/// A server that is flooded.
struct Besieged {
    child: Child,
    ready: Value,
    client: Arc<ClientConfig>,
    memory: u64,
    _folder: TempDir,
}

impl Besieged {
    /// With short limits, and a first answer so that everything is in memory.
    async fn start(limits: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listeners =
            ["people", "devices", "health"].map(|name| format!("[listeners.{name}]\naddress = \"127.0.0.1:0\"\n"));
        let config = format!("{}[log]\nlevel = \"error\"\n[limits]\n{limits}\n", listeners.concat());
        std::fs::write(folder.path().join("keyfob.toml"), config).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_keyfob"))
            .args(["--json", "--config", "keyfob.toml", "--data", "data", "serve"])
            .env_clear()
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let client = Arc::new(client(Path::new(ready["authority"].as_str().unwrap())));
        let mut server = Self { child, ready, client, memory: 0, _folder: folder };
        for _ in 0..20 {
            server.serve_a_neighbour().await;
        }
        server.memory = server.memory_now();
        server
    }

    fn address(&self, listener: &str) -> SocketAddr {
        self.ready[listener].as_str().unwrap().parse().unwrap()
    }

    fn people(&self) -> SocketAddr {
        self.address("people")
    }

    /// Resident bytes of the process.
    fn memory_now(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Somebody else is answered, and soon.
    async fn serve_a_neighbour(&self) {
        let started = Instant::now();
        let asked = async {
            let mut stream = connect(self.people(), &self.client, b"").await.unwrap();
            exchange(&mut stream, &get_request("/jwks", "")).await.unwrap()
        };
        let answer = tokio::time::timeout(SERVED_WITHIN, asked).await.expect("a neighbour is served");
        assert_eq!(answer.status, 200);
        assert!(started.elapsed() < SERVED_WITHIN);
    }

    async fn numbers(&self) -> String {
        let mut stream = TcpStream::connect(self.address("health")).await.unwrap();
        exchange(&mut stream, &get_request("/metrics", "")).await.unwrap().body
    }

    async fn number(&self, begins: &str) -> f64 {
        let numbers = self.numbers().await;
        let lines = numbers.lines().filter(|line| line.starts_with(begins));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    /// Nobody is connected any more, and the memory is what it was.
    async fn comes_to_rest(&self) {
        let calm = async {
            while self.number("keyfob_connections_open{listener=\"people\"}").await > 0.0 {
                self.serve_a_neighbour().await;
            }
        };
        tokio::time::timeout(HUNG, calm).await.expect("every connection of the flood ends");
        let grown = self.memory_now().saturating_sub(self.memory);
        assert!(grown < GROWTH, "{grown} bytes more than before");
    }

    async fn flood(&self) -> Frames {
        Frames::open(self.people(), &self.client).await
    }
}

impl Drop for Besieged {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes parts until the server takes no more; how many it took.
async fn written_until_refused(frames: &mut Frames, mut part: impl FnMut(usize) -> Vec<u8>) -> usize {
    for count in 0..ENDLESS {
        if !frames.write(&part(count)).await {
            return count;
        }
    }
    ENDLESS
}

fn stream_id(count: usize) -> u32 {
    u32::try_from(count * 2 + 1).unwrap()
}

#[tokio::test]
async fn streams_that_are_reset_as_soon_as_they_are_opened_end_their_connection() {
    let server = Besieged::start("").await;
    let block = head("GET", "/my", "localhost");
    let mut floods = Vec::new();
    for _ in 0..3 {
        let mut frames = server.flood().await;
        let taken = written_until_refused(&mut frames, |count| {
            [frames::headers(stream_id(count), &block, true), frames::reset(stream_id(count))].concat()
        });
        let (taken, ()) = tokio::join!(taken, server.serve_a_neighbour());
        assert!(taken < ENDLESS, "a rapid reset goes on for ever");
        floods.push(frames);
    }
    drop(floods);
    server.comes_to_rest().await;
}

#[tokio::test]
async fn streams_given_up_once_the_server_works_on_them_end_their_connection_too() {
    let server = Besieged::start("").await;
    let body = "email=nobody%40example.com&password=not+the+right+one";
    let length = body.len().to_string();
    let form = [
        head("POST", "/token", "localhost"),
        field("content-type", "application/x-www-form-urlencoded"),
        field("content-length", &length),
    ]
    .concat();
    let mut frames = server.flood().await;
    // Each is begun, waits for its body, and is given up after the server has confirmed a ping that
    // came later: it was accepted, so no limit of unaccepted streams counts it.
    let mut count = 0;
    let ended = loop {
        assert!(count < 1000, "requests are begun and given up for ever");
        let begun = [frames::headers(stream_id(count), &form, false), frame(PING, 0, 0, &[0; 8])].concat();
        if !frames.write(&begun).await {
            break true;
        }
        let answered = loop {
            match frames.next().await {
                Some((PING, 1, _, _)) => break true,
                Some(_) => {}
                None => break false,
            }
        };
        if !answered || !frames.write(&frames::reset(stream_id(count))).await {
            break true;
        }
        count += 1;
    };
    assert!(ended && count >= 50, "{count}: a few may be given up");
    assert!(server.number("keyfob_connections_cut_total{listener=\"people\",cause=\"resets\"}").await >= 1.0);
    server.comes_to_rest().await;
}

#[tokio::test]
async fn a_head_that_goes_on_for_ever_is_ended() {
    let server = Besieged::start("").await;
    let block = head("GET", "/my", "localhost");
    for part in [field("x-more", &"a".repeat(1000)), vec![], vec![0x82; 1]] {
        let mut frames = server.flood().await;
        frames.write(&frames::open_headers(1, &block)).await;
        let taken = written_until_refused(&mut frames, |_| frame(CONTINUATION, 0, 1, &part));
        let (taken, ()) = tokio::join!(taken, server.serve_a_neighbour());
        assert!(taken < ENDLESS, "CONTINUATION goes on for ever");
    }
    server.comes_to_rest().await;
}

#[tokio::test]
async fn a_head_that_unpacks_to_far_more_than_it_was_is_refused() {
    let server = Besieged::start("").await;
    // An entry of nearly the whole table (RFC 7541 §4.1), named again and again with one byte each.
    let large = field("x-bomb", &"a".repeat(4000)).into_iter().skip(1);
    let block: Vec<u8> = [head("GET", "/jwks", "localhost"), std::iter::once(0x40).chain(large).collect()].concat();
    let bomb = [block, vec![0x80 | 62; 12_000]].concat();
    for _ in 0..20 {
        let mut frames = server.flood().await;
        frames.write(&frames::headers(1, &bomb, true)).await;
        let outcome = frames.outcome_of(1).await;
        assert!(outcome.is_refused(), "{outcome:?}");
    }
    server.serve_a_neighbour().await;
    server.comes_to_rest().await;
}

#[tokio::test]
async fn settings_and_pings_whose_answers_nobody_takes_are_ended() {
    let server = Besieged::start("stall_seconds = 1\nidle_seconds = 1\nheader_seconds = 1").await;
    let ping = frame(PING, 0, 0, &[0; 8]).repeat(100);
    let settings = frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]).repeat(100);
    for flood in [ping, settings] {
        let mut frames = server.flood().await;
        let taken = written_until_refused(&mut frames, |_| flood.clone());
        let (taken, ()) = tokio::join!(taken, server.serve_a_neighbour());
        assert!(taken < ENDLESS, "control frames go on for ever");
    }
    server.comes_to_rest().await;
}

#[tokio::test]
async fn windows_kept_shut_over_a_hundred_streams_are_ended() {
    let server = Besieged::start("stall_seconds = 1").await;
    // SETTINGS_INITIAL_WINDOW_SIZE 0: every answer waits for room that never comes.
    let shut = [0, 4, 0, 0, 0, 0];
    let mut frames = Frames::open_with(server.people(), &server.client, &shut).await;
    let block = head("GET", "/jwks", "localhost");
    for count in 0..100 {
        frames.write(&frames::headers(stream_id(count), &block, true)).await;
    }
    let (end, ()) = tokio::join!(frames.end(), server.serve_a_neighbour());
    assert!(matches!(end, Outcome::Closed | Outcome::GoAway(_)), "{end:?}");
    assert!(server.number("keyfob_connections_cut_total{listener=\"people\",cause=\"stalled\"}").await >= 1.0);
    server.comes_to_rest().await;
}

#[tokio::test]
async fn heads_and_bodies_that_come_byte_by_byte_hold_nobody_up_and_end_at_their_deadline() {
    let server = Besieged::start("header_seconds = 2\nrequest_seconds = 2\nidle_seconds = 2").await;
    let head = "GET /jwks HTTP/1.1\r\nHost: localhost\r\nX: ";
    let body = "POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\
                Content-Type: application/x-www-form-urlencoded\r\n\r\n";
    let slow = async |begin: &str| {
        let mut stream = connect(server.people(), &server.client, b"").await.unwrap();
        stream.write_all(begin.as_bytes()).await.unwrap();
        let (mut reading, mut writing) = tokio::io::split(stream);
        let dribble = async {
            let mut pace = tokio::time::interval(Duration::from_millis(50));
            while writing.write_all(b"a").await.is_ok() && writing.flush().await.is_ok() {
                pace.tick().await;
            }
        };
        tokio::select! {
            bytes = read_to_close(&mut reading) => bytes,
            () = dribble => read_to_close(&mut reading).await,
        }
    };
    let started = Instant::now();
    let many = futures_util::future::join_all((0..60).map(|count| slow(if count % 2 == 0 { head } else { body })));
    let (said, ()) = tokio::join!(many, server.serve_a_neighbour());
    assert!(started.elapsed() < HUNG);
    for (count, said) in said.iter().enumerate() {
        let said = String::from_utf8_lossy(said);
        assert!(!said.starts_with("HTTP/1.1 2"), "{said}");
        assert!(count % 2 == 0 || said.starts_with("HTTP/1.1 503"), "a body too slow is told so: {said}");
    }
    server.comes_to_rest().await;
}

#[tokio::test]
async fn an_http2_head_or_body_that_does_not_come_to_its_end_ends_at_a_deadline() {
    let server = Besieged::start("request_seconds = 1\nidle_seconds = 1\nheader_seconds = 1").await;
    let mut half = server.flood().await;
    half.write(&frames::open_headers(1, &head("GET", "/jwks", "localhost"))).await;
    let mut cut = server.flood().await;
    cut.write(&frames::headers(1, &head("GET", "/jwks", "localhost"), true)[..7]).await;
    let mut body = server.flood().await;
    let form =
        [head("POST", "/token", "localhost"), field("content-type", "application/x-www-form-urlencoded")].concat();
    body.write(&frames::headers(1, &form, false)).await;
    body.write(&frames::data(1, b"grant_type", false)).await;
    let (half, cut, body) = tokio::join!(half.end(), cut.end(), body.outcome_of(1));
    assert!(matches!((half, cut), (Outcome::Closed | Outcome::GoAway(_), Outcome::Closed | Outcome::GoAway(_))));
    assert_eq!(body, Outcome::Answered(503));
    server.comes_to_rest().await;
}

#[tokio::test]
async fn a_thousand_requests_at_once_on_one_connection_are_answered_in_their_order() {
    let server = Besieged::start("").await;
    let mut stream = connect(server.people(), &server.client, b"").await.unwrap();
    let requests: String = (0..1000).map(|count| format!("GET /{count} HTTP/1.1\r\nHost: localhost\r\n\r\n")).collect();
    let last = get_request("/jwks", "");
    let (mut reading, mut writing) = tokio::io::split(&mut stream);
    let write = async {
        writing.write_all((requests + &last).as_bytes()).await.unwrap();
        writing.flush().await.unwrap();
    };
    let mut bytes = Vec::new();
    let all = async { tokio::join!(write, reading.read_to_end(&mut bytes)) };
    let (all, ()) = tokio::join!(tokio::time::timeout(HUNG, all), server.serve_a_neighbour());
    all.expect("all are answered").1.unwrap();
    let said = String::from_utf8(bytes).unwrap();
    let statuses: Vec<_> = said.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses.len(), 1001);
    assert!(statuses[..1000].iter().all(|status| *status == "404") && statuses[1000] == "200");
    server.comes_to_rest().await;
}
