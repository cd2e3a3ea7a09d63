//! TLS from a client that does not mean to speak: slow, silent, broken, oversize, old.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::stage::{HUNG, SHORT, Stage, ask, connect, exchange, get_request, read_to_close};

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
/// Alerts (RFC 8446 §6.2).
const HANDSHAKE_FAILURE: u8 = 40;
const PROTOCOL_VERSION: u8 = 70;

/// The first bytes of a real client.
fn client_hello(stage: &Stage) -> Vec<u8> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = rustls::ClientConnection::new(stage.client(), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

async fn refused(stage: &Stage, cause: &str) -> u64 {
    let mut stream = TcpStream::connect(stage.running.addresses().health).await.unwrap();
    let numbers = exchange(&mut stream, &get_request("/metrics", "")).await.unwrap().body;
    let line = format!("keyfob_connections_refused_total{{listener=\"devices\",cause=\"{cause}\"}} ");
    numbers.lines().find_map(|found| found.strip_prefix(&line)).map_or(0, |count| count.parse().unwrap())
}

#[tokio::test]
async fn half_a_handshake_ends_at_its_deadline_gives_its_place_back_and_disturbs_nobody() {
    let stage = Stage::start(|config| {
        config.limits.handshake = SHORT;
        config.limits.connections = 9;
    })
    .await;
    let hello = client_hello(&stage);
    let late = refused(&stage, "handshake_late").await;
    let half = async |sent: &[u8], dribbles: bool| {
        let mut stream = TcpStream::connect(stage.devices()).await.unwrap();
        let started = Instant::now();
        stream.write_all(sent).await.unwrap();
        let (mut reading, mut writing) = stream.split();
        let dribble = async {
            // A byte of a handshake now and then resets no deadline.
            let mut pace = tokio::time::interval(Duration::from_millis(20));
            for byte in hello[sent.len()..].chunks(1).take_while(|_| dribbles) {
                let _ = writing.write_all(byte).await;
                pace.tick().await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = read_to_close(&mut reading) => started.elapsed(),
            () = dribble => unreachable!("pending"),
        }
    };
    // After the connection, within a record's head, within the hello, after it: silent; and byte by byte.
    let (none, head, part, whole) = (&hello[..0], &hello[..3], &hello[..60], &hello[..]);
    let ways = [(none, false), (head, false), (part, false), (whole, false), (head, true), (part, true)];
    let all = futures_util::future::join_all(ways.map(|(sent, dribbles)| half(sent, dribbles)));
    let neighbours = async {
        let client = stage.client();
        for _ in 0..3 {
            assert_eq!(ask(stage.devices(), &client, "/peer", "").await.status, 200);
        }
    };
    let (waited, ()) = tokio::join!(all, neighbours);
    for waited in waited {
        assert!(waited >= SHORT && waited < HUNG, "{waited:?}");
    }
    assert!(refused(&stage, "handshake_late").await >= late + 6);
    // Nine places, and all of them free again.
    let client = stage.client();
    let nine = futures_util::future::join_all((0..9).map(|_| connect(stage.devices(), &client, b""))).await;
    assert!(nine.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_full_listener_of_silent_peers_is_free_again_after_their_deadline() {
    let stage = Stage::start(|config| {
        config.limits.handshake = SHORT;
        config.limits.connections = 3;
    })
    .await;
    let silent = futures_util::future::join_all((0..3).map(|_| TcpStream::connect(stage.people()))).await;
    let client = stage.client();
    let again = async {
        loop {
            if let Ok(mut stream) = connect(stage.people(), &client, b"").await {
                return exchange(&mut stream, &get_request("/peer", "")).await.unwrap().status;
            }
        }
    };
    assert_eq!(tokio::time::timeout(HUNG, again).await.unwrap(), 200);
    drop(silent);
}

/// What the server says first to these bytes: kind of record and, of an alert, its description.
async fn first_word(stage: &Stage, bytes: &[u8]) -> Option<(u8, u8)> {
    let mut stream = TcpStream::connect(stage.devices()).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let mut said = [0; 7];
    let read = tokio::time::timeout(HUNG, stream.read_exact(&mut said)).await.expect("an answer or an end");
    read.ok().map(|_| (said[0], said[6]))
}

fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    [&[kind, 3, 1][..], &u16::try_from(payload.len()).unwrap().to_be_bytes(), payload].concat()
}

fn vector16(parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    [&u16::try_from(content.len()).unwrap().to_be_bytes()[..], &content].concat()
}

/// A hello written by hand (RFC 5246 §7.4.1.2).
fn hello(version: [u8; 2], suites: &[[u8; 2]], extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let extensions: Vec<u8> =
        extensions.iter().flat_map(|(kind, data)| [&kind.to_be_bytes()[..], &vector16(&[data])].concat()).collect();
    let body =
        [&version[..], &[7; 32], &[0], &vector16(&[&suites.concat()]), &[1, 0], &vector16(&[&extensions])].concat();
    let [_, length @ ..] = u32::try_from(body.len()).unwrap().to_be_bytes();
    record(HANDSHAKE, &[&[1][..], &length, &body].concat())
}

/// What a client of TLS 1.2 with P-256 and ECDSA says.
fn usual() -> Vec<(u16, Vec<u8>)> {
    vec![(10, vector16(&[&[0, 23]])), (11, vec![1, 0]), (13, vector16(&[&[4, 3]])), (23, vec![])]
}

const ECDHE_ECDSA_AES128_GCM: [u8; 2] = [0xc0, 0x2b];

#[tokio::test]
async fn old_versions_and_weak_suites_are_refused() {
    let stage = Stage::start(|_| {}).await;
    let right = hello([3, 3], &[ECDHE_ECDSA_AES128_GCM], &usual());
    assert_eq!(first_word(&stage, &right).await.map(|(kind, _)| kind), Some(HANDSHAKE), "these hellos are right ones");
    for version in [[3, 0], [3, 1], [3, 2]] {
        let said = first_word(&stage, &hello(version, &[ECDHE_ECDSA_AES128_GCM, [0xc0, 0x09]], &usual())).await;
        assert_eq!(said, Some((ALERT, PROTOCOL_VERSION)), "{version:?}");
    }
    // RSA without forward secrecy, CBC, RC4, 3DES, export, anonymous, without encryption, ARIA.
    for suite in [[0, 0x9c], [0xc0, 0x09], [0, 5], [0, 0x0a], [0, 3], [0, 0x34], [0, 2], [0xc0, 0x19], [0xc0, 0x5c]] {
        assert_eq!(
            first_word(&stage, &hello([3, 3], &[suite], &usual())).await,
            Some((ALERT, HANDSHAKE_FAILURE)),
            "{suite:02x?}"
        );
    }
    // A curve or a signature that nobody should use.
    let small = vec![(10, vector16(&[&[0, 19]])), (11, vec![1, 0]), (13, vector16(&[&[4, 3]]))];
    let sha1 = vec![(10, vector16(&[&[0, 23]])), (11, vec![1, 0]), (13, vector16(&[&[2, 3]]))];
    for extensions in [small, sha1] {
        let said = first_word(&stage, &hello([3, 3], &[ECDHE_ECDSA_AES128_GCM], &extensions)).await;
        assert_eq!(said.map(|(kind, _)| kind), Some(ALERT));
    }
    // The hello of SSL 2.
    assert_ne!(
        first_word(&stage, b"\x80\x2e\x01\x03\x01\0\x15\0\0\0\x10\x01\0\x80").await.map(|(kind, _)| kind),
        Some(HANDSHAKE)
    );
}

#[tokio::test]
async fn garbage_and_records_larger_than_allowed_are_no_handshake() {
    let stage = Stage::start(|config| config.limits.handshake = SHORT).await;
    let right = client_hello(&stage);
    let mut torn = right.clone();
    torn.iter_mut().skip(9).step_by(7).for_each(|byte| *byte ^= 0x55);
    // Said to be 2^24 - 1 bytes, then as much as the limit lets in.
    let endless = [record(HANDSHAKE, &[1, 0xff, 0xff, 0xff]), record(HANDSHAKE, &[0; 16_000]).repeat(70)].concat();
    for bytes in [
        vec![0; 600],
        vec![0xff; 600],
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        [&[HANDSHAKE, 3, 1, 0xff, 0xff][..], &[1; 65_535]].concat(),
        [&[HANDSHAKE, 3, 1, 0x48, 0x01][..], &[1; 0x4801]].concat(),
        [&[23, 3, 3, 0x40, 0][..], &[1; 0x4000]].concat(),
        record(HANDSHAKE, &[]).repeat(100),
        record(ALERT, &[1, 0]).repeat(100),
        [right.clone(), right.clone()].concat(),
        torn,
        endless,
        right[..right.len() - 1].to_vec(),
    ] {
        let mut stream = TcpStream::connect(stage.devices()).await.unwrap();
        let _ = stream.write_all(&bytes).await;
        // Said or not, the connection ends, at the deadline at the latest.
        let said = read_to_close(&mut stream).await;
        assert!(said.len() < 20_000, "{} bytes for {:02x?}", said.len(), &bytes[..bytes.len().min(16)]);
    }
    assert_eq!(ask(stage.devices(), &stage.client(), "/peer", "").await.status, 200);
}

#[tokio::test]
async fn any_server_name_gets_the_one_certificate_or_an_alert() {
    let stage = Stage::start(|config| config.limits.handshake = SHORT).await;
    let name = |kind: u8, name: &[u8]| vector16(&[&[kind], &vector16(&[name])]);
    let two = vector16(&[&[0], &vector16(&[b"localhost"]), &[0], &vector16(&[b"other"])]);
    for data in [
        name(0, b"localhost"),
        name(0, b"unknown.example"),
        name(0, b"127.0.0.1"),
        name(0, b"[::1]"),
        name(0, b""),
        name(0, b"local\0host"),
        name(0, b"\xff\xfe"),
        name(0, &[b'a'; 300]),
        name(0, b"localhost."),
        name(7, b"localhost"),
        two,
        vec![],
        vec![0, 0],
        vec![0xff; 40],
    ] {
        let named = [usual(), vec![(0, data.clone())]].concat();
        let said = first_word(&stage, &hello([3, 3], &[ECDHE_ECDSA_AES128_GCM], &named)).await;
        let (kind, _) = said.expect("one of both");
        assert!(kind == HANDSHAKE || kind == ALERT, "{data:?}");
    }
    assert_eq!(ask(stage.devices(), &stage.client(), "/peer", "").await.status, 200);
}

#[tokio::test]
async fn a_handshake_is_not_begun_again_within_a_connection() {
    let stage = Stage::start(|_| {}).await;
    for address in [stage.people(), stage.devices()] {
        // `R` asks for a renegotiation (openssl-s_client, "connected commands").
        let mut client = Command::new("openssl")
            .args(["s_client", "-tls1_2", "-connect", &address.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("openssl is installed");
        std::io::Write::write_all(client.stdin.as_mut().unwrap(), b"R\nR\nR\n").unwrap();
        let output = tokio::task::spawn_blocking(move || client.wait_with_output().unwrap());
        let output = tokio::time::timeout(HUNG, output).await.expect("the server ends it").unwrap();
        let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).to_lowercase();
        assert!(told.contains("new, tlsv1.2") && told.contains("renegotiating"), "{told}");
        assert!(told.contains("no renegotiation") && !told.contains("read:errno=0"), "{told}");
    }
}

#[tokio::test]
async fn certificates_by_the_hundred_or_by_the_megabyte_end_the_handshake() {
    let stage = Stage::start(|_| {}).await;
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(["speaker".to_owned()]).unwrap().self_signed(&key).unwrap().der().to_vec();
    for chain in [vec![leaf.clone(); 100], vec![leaf.clone(), vec![0x30; 1024 * 1024]], vec![vec![0x30; 1024 * 1024]]] {
        let client = Arc::new(crate::certificates::showing(&stage, chain, &key));
        let answer = match connect(stage.devices(), &client, b"").await {
            Ok(mut stream) => exchange(&mut stream, &get_request("/peer", "")).await,
            Err(_) => None,
        };
        assert!(answer.is_none(), "{answer:?}");
    }
    assert_eq!(ask(stage.devices(), &stage.client(), "/peer", "").await.status, 200);
}
