//! Requests that two readers could cut apart differently, written byte by byte.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustls::ClientConfig;
use tokio::io::AsyncWriteExt;

use crate::frames::{self, Frames, Outcome, field, head};
use crate::stage::{Stage, connect, read_to_close};

/// What an attacker would like to have answered.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Everything the server said to these bytes until it closed.
async fn said(stage: &Stage, client: &Arc<ClientConfig>, bytes: &str) -> String {
    let mut stream = connect(stage.people(), client, b"").await.unwrap();
    // A server that refuses early may close before all was written.
    let _ = stream.write_all(bytes.as_bytes()).await;
    String::from_utf8(read_to_close(&mut stream).await).unwrap()
}

fn statuses(said: &str) -> Vec<&str> {
    said.split("HTTP/1.1 ").skip(1).map(|answer| answer.get(..3).unwrap()).collect()
}

fn post(fields: &str, body: &str) -> String {
    format!("POST /echo HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n\r\n{body}")
}

#[tokio::test]
async fn clear_requests_are_answered_one_after_the_other() {
    let stage = Stage::start(|_| {}).await;
    let requests = [
        post("Content-Length: 3", "abc"),
        post("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\nX-Trailer: a\r\n\r\n"),
        SMUGGLED.to_owned(),
        "GET /smuggled HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_owned(),
    ];
    assert_eq!(statuses(&said(&stage, &stage.client(), &requests.concat()).await), ["200"; 4]);
    assert_eq!(stage.cues.smuggled.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_request_that_could_be_read_in_two_ways_is_refused_and_ends_its_connection() {
    let stage = Stage::start(|_| {}).await;
    let client = stage.client();
    let chunked = |body: &str| post("Transfer-Encoding: chunked", body);
    let hidden = format!("0\r\n\r\n{SMUGGLED}");
    let whole = SMUGGLED.len();
    let table = [
        // Length and chunks (RFC 9112 §6.3).
        post(&format!("Content-Length: {}\r\nTransfer-Encoding: chunked", hidden.len()), &hidden),
        post("Transfer-Encoding: chunked\r\nContent-Length: 3", &hidden),
        // Several lengths, or what is none.
        post(&format!("Content-Length: 0\r\nContent-Length: {whole}"), SMUGGLED),
        post(&format!("Content-Length: {whole}\r\nContent-Length: 0"), SMUGGLED),
        post("Content-Length: 0\r\nContent-Length: 0", SMUGGLED),
        post("Content-Length: 0, 0", SMUGGLED),
        post("Content-Length: +0", SMUGGLED),
        post("Content-Length: -1", SMUGGLED),
        post("Content-Length: 0x0", SMUGGLED),
        post("Content-Length: 0 0", SMUGGLED),
        post("Content-Length: 18446744073709551616", SMUGGLED),
        // Encodings other than exactly one `chunked` (§6.1).
        post("Transfer-Encoding: gzip, chunked", &hidden),
        post("Transfer-Encoding: chunked, identity", &hidden),
        post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", &hidden),
        post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", &hidden),
        post("Transfer-Encoding: xchunked", &hidden),
        post("Transfer-Encoding:\u{b}chunked", &hidden),
        post("Transfer-Encoding : chunked", &hidden),
        post("Transfer-Encoding\t: chunked", &hidden),
        post("X: a\nTransfer-Encoding: chunked", &hidden),
        post("X: a\rTransfer-Encoding: chunked", &hidden),
        format!("POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n{hidden}"),
        // Lines (§2.2, §5).
        "GET /peer HTTP/1.1\nHost: localhost\n\n".to_owned() + SMUGGLED,
        format!("GET /peer HTTP/1.1\r\nHost: localhost\r\n folded: a\r\n\r\n{SMUGGLED}"),
        format!("GET /peer HTTP/1.1\r\n Host: localhost\r\n\r\n{SMUGGLED}"),
        format!("GET /peer HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n{SMUGGLED}"),
        format!("GET /peer HTTP/1.1\r\nHost: localhost\r\nX\0: a\r\n\r\n{SMUGGLED}"),
        format!("GET /peer\0 HTTP/1.1\r\nHost: localhost\r\n\r\n{SMUGGLED}"),
        format!("GET /peer HTTP/1.1 \r\nHost: localhost\r\n\r\n{SMUGGLED}"),
        format!("GET  /peer HTTP/1.1\r\nHost: localhost\r\n\r\n{SMUGGLED}"),
        format!("GET /peer HTTP/1.2\r\nHost: localhost\r\n\r\n{SMUGGLED}"),
        format!("GET /peer\r\nHost: localhost\r\n\r\n{SMUGGLED}"),
        // Chunks (§7.1).
        chunked(&format!("\r\n{hidden}")),
        chunked(&format!("-1\r\n{hidden}")),
        chunked(&format!("0x0\r\n\r\n{SMUGGLED}")),
        chunked(&format!("0 \r\n\r\n{SMUGGLED}")),
        chunked(&format!("0\n\r\n{SMUGGLED}")),
        chunked(&format!("0\r\n\n{SMUGGLED}")),
        chunked(&format!("1\r\naX{hidden}")),
        chunked(&format!("1;a\n{hidden}")),
        chunked(&format!("1;{}\r\na\r\n{hidden}", "a".repeat(257))),
        chunked(&format!("10000000000000000\r\n{hidden}")),
        chunked(&format!("ffffffffffffffff\r\n{hidden}")),
        chunked(&format!("0\r\nX : a\r\n\r\n{SMUGGLED}")),
        // Hosts (§3.2).
        format!("GET /peer HTTP/1.1\r\n\r\n{SMUGGLED}"),
        format!("GET /peer HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n{SMUGGLED}"),
        format!("GET /peer HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n\r\n{SMUGGLED}"),
        format!("GET https://other/peer HTTP/1.1\r\nHost: localhost\r\n\r\n{SMUGGLED}"),
        format!("GET https://localhost@other/peer HTTP/1.1\r\nHost: localhost\r\n\r\n{SMUGGLED}"),
        format!("GET https://localhost:1/peer HTTP/1.1\r\nHost: localhost\r\n\r\n{SMUGGLED}"),
        // Another protocol in the middle.
        format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{SMUGGLED}"),
    ];
    for request in table {
        let said = said(&stage, &client, &request).await;
        assert_eq!(statuses(&said), ["400"], "{request:?} was told {said}");
        assert_eq!(stage.cues.smuggled.load(Ordering::SeqCst), 0, "{request:?}");
    }
}

#[tokio::test]
async fn an_upgrade_is_not_taken_and_the_connection_stays_what_it_was() {
    let stage = Stage::start(|_| {}).await;
    for protocol in ["h2c", "websocket", "TLS/1.3"] {
        let fields = "Connection: Upgrade, HTTP2-Settings, close\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA";
        let request = format!("GET /peer HTTP/1.1\r\nHost: localhost\r\nUpgrade: {protocol}\r\n{fields}\r\n\r\n");
        assert_eq!(statuses(&said(&stage, &stage.client(), &request).await), ["200"], "{protocol}");
    }
    let tunnel = format!("CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n{SMUGGLED}");
    let said = said(&stage, &stage.client(), &(tunnel + "\0")).await;
    assert!(statuses(&said).first().is_some_and(|status| status.starts_with('4')), "{said}");
}

#[tokio::test]
async fn a_request_within_a_body_that_nobody_reads_is_not_answered() {
    let stage = Stage::start(|config| config.limits.upload_bytes = 1000).await;
    // Refused by its length alone, before the body: what follows must not be taken for a request.
    for path in ["/echo", "/nowhere"] {
        let request = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1001\r\n\r\n{SMUGGLED}");
        assert_eq!(statuses(&said(&stage, &stage.client(), &request).await), ["413"], "{path}");
    }
    assert_eq!(stage.cues.smuggled.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn http2_takes_no_field_of_connections_no_trick_with_pseudo_fields_and_no_wrong_length() {
    let stage = Stage::start(|_| {}).await;
    let good = || head("GET", "/peer", "localhost");
    let raw = |names: &[(&str, &str)]| names.iter().flat_map(|(name, value)| field(name, value)).collect::<Vec<_>>();
    let heads = [
        [good(), field("connection", "keep-alive")].concat(),
        [good(), field("transfer-encoding", "chunked")].concat(),
        [good(), field("keep-alive", "1")].concat(),
        [good(), field("proxy-connection", "a")].concat(),
        [good(), field("upgrade", "h2c")].concat(),
        [good(), field("te", "gzip")].concat(),
        [good(), field("X-Upper", "a")].concat(),
        [good(), field("x-feed", "a\r\nhost: b")].concat(),
        [good(), field("x-feed", "a\nb")].concat(),
        [good(), field("x-null", "a\0b")].concat(),
        [good(), field("x space", "a")].concat(),
        [good(), field("x:colon", "a")].concat(),
        [good(), field("", "a")].concat(),
        [good(), field(":path", "/smuggled")].concat(),
        [good(), field(":method", "POST")].concat(),
        [good(), field(":other", "a")].concat(),
        [good(), field(":status", "200")].concat(),
        [good(), field("host", "other")].concat(),
        [good(), field("host", "localhost"), field("host", "localhost")].concat(),
        [field("x-first", "a"), good()].concat(),
        raw(&[(":method", "GET"), (":scheme", "https"), (":authority", "localhost")]),
        raw(&[(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "")]),
        raw(&[(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "peer")]),
        raw(&[
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "localhost"),
            (":path", "/peer HTTP/1.1\r\nX: a"),
        ]),
        raw(&[(":method", "GET\r\n"), (":scheme", "https"), (":authority", "localhost"), (":path", "/peer")]),
        raw(&[(":method", "GET"), (":authority", "localhost"), (":path", "/peer")]),
        raw(&[(":scheme", "https"), (":authority", "localhost"), (":path", "/peer")]),
        raw(&[(":method", "GET"), (":scheme", "https"), (":path", "/peer")]),
    ];
    for block in heads {
        let mut frames = Frames::open(stage.people(), &stage.client()).await;
        frames.write(&frames::headers(1, &block, true)).await;
        let outcome = frames.outcome_of(1).await;
        assert!(outcome.is_refused(), "{:?} was told {outcome:?}", String::from_utf8_lossy(&block));
    }
    let echo = |length: &str| [head("POST", "/echo", "localhost"), field("content-length", length)].concat();
    for (length, body) in [("2", "abc"), ("4", "abc"), ("x", "abc"), ("-1", "abc"), ("3, 4", "abc")] {
        let mut frames = Frames::open(stage.people(), &stage.client()).await;
        frames.write(&frames::headers(1, &echo(length), false)).await;
        frames.write(&frames::data(1, body.as_bytes(), true)).await;
        let outcome = frames.outcome_of(1).await;
        assert!(outcome.is_refused(), "a length of {length} was told {outcome:?}");
    }
    let mut frames = Frames::open(stage.people(), &stage.client()).await;
    frames.write(&frames::headers(1, &echo("3"), false)).await;
    frames.write(&frames::data(1, b"abc", true)).await;
    assert_eq!(frames.outcome_of(1).await, Outcome::Answered(200), "the frames of these tests are right ones");
    assert_eq!(stage.cues.smuggled.load(Ordering::SeqCst), 0);
}
