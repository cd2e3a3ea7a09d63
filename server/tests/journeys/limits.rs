use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use authority::Rate;
use rustls::{ClientConfig, ClientConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use server::config::{BaseUrl, Belief, Network};

use crate::frames::{self, Frames, Outcome, field, head};
use crate::stage::{HUNG, SHORT, Stage, ask, connect, exchange, get_request, read_to_close};

/// One answer over a connection that stays open.
async fn answered(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin)) {
    stream.write_all(b"GET /headers HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut byte = [0; 15];
    stream.read_exact(&mut byte).await.unwrap();
    assert_eq!(&byte, b"HTTP/1.1 200 OK");
}

#[tokio::test]
async fn a_peer_that_never_begins_its_handshake_is_closed() {
    let stage = Stage::start(|config| config.limits.handshake = SHORT).await;
    for address in [stage.people(), stage.devices()] {
        let mut silent = TcpStream::connect(address).await.unwrap();
        assert!(read_to_close(&mut silent).await.is_empty());
        let mut half = TcpStream::connect(address).await.unwrap();
        half.write_all(&[0x16, 0x03, 0x01, 0x02]).await.unwrap();
        read_to_close(&mut half).await;
    }
}

#[tokio::test]
async fn a_head_that_does_not_end_is_closed() {
    let stage = Stage::start(|config| config.limits.header = SHORT).await;
    let mut slow = connect(stage.people(), &stage.client(), b"").await.unwrap();
    slow.write_all(b"GET /peer HTTP/1.1\r\nHost: local").await.unwrap();
    let said = read_to_close(&mut slow).await;
    assert!(!said.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let stage = Stage::start(|config| config.limits.header = SHORT).await;
    let mut idle = connect(stage.people(), &stage.client(), b"").await.unwrap();
    answered(&mut idle).await;
    read_to_close(&mut idle).await;
    let mut health = TcpStream::connect(stage.running.addresses().health).await.unwrap();
    assert!(read_to_close(&mut health).await.is_empty());
}

#[tokio::test]
async fn an_idle_http2_connection_is_closed_but_not_while_a_request_runs() {
    let stage = Stage::start(|config| {
        config.limits.idle = SHORT;
        config.limits.header = SHORT;
    })
    .await;
    let mut client = (*stage.client()).clone();
    client.alpn_protocols = vec![b"h2".to_vec()];
    let stream = connect(stage.people(), &client.into(), b"").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let executor = hyper_util::rt::TokioExecutor::new();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    let request = |path: &str| {
        let uri = format!("https://localhost{path}");
        http::Request::builder().uri(uri).body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap()
    };
    let slow = sender.send_request(request("/slow"));
    let release = async {
        stage.cues.begun.notified().await;
        // Longer than an idle connection lives: another one is closed meanwhile.
        let mut other = (*stage.client()).clone();
        other.alpn_protocols = vec![b"h2".to_vec()];
        let mut idle = connect(stage.people(), &other.into(), b"").await.unwrap();
        idle.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        read_to_close(&mut idle).await;
        stage.cues.release.notify_one();
    };
    let work = async {
        let (answer, ()) = tokio::join!(slow, release);
        assert_eq!(answer.unwrap().status(), 200);
    };
    let (ended, ()) = tokio::time::timeout(HUNG, async { tokio::join!(connection, work) }).await.unwrap();
    drop((ended, sender));
}

/// A connection from another address of this machine.
async fn from_elsewhere(to: SocketAddr, octet: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, octet), 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

/// Whether the server begins a handshake here, or closes without a byte.
async fn is_let_in(mut stream: TcpStream, client: &Arc<ClientConfig>) -> bool {
    // The beginning of a handshake; the server answers with an alert at most, but it answers.
    let mut said = Vec::new();
    let mut hello = ClientConnection::new(Arc::clone(client), "localhost".try_into().unwrap()).unwrap();
    hello.write_tls(&mut said).unwrap();
    let _ = stream.write_all(&said).await;
    let mut byte = [0; 1];
    matches!(tokio::time::timeout(HUNG, stream.read(&mut byte)).await.unwrap(), Ok(1))
}

#[tokio::test]
async fn handshakes_of_one_address_have_a_rate_and_a_flood_of_one_stops_no_other() {
    let stage = Stage::start(|config| config.limits.handshakes = Rate { per_second: 1, at_once: 5 }).await;
    let client = stage.client();
    for listener in [stage.people(), stage.devices()] {
        let mut let_in = 0;
        for _ in 0..60 {
            let_in += u32::from(is_let_in(from_elsewhere(listener, 2).await, &client).await);
        }
        // One more each second that this took.
        assert!((5..30).contains(&let_in), "{let_in} of 60");
        assert!(is_let_in(from_elsewhere(listener, 3).await, &client).await, "somebody else");
    }
}

#[tokio::test]
async fn whom_a_proxy_header_names_is_counted_and_the_neighbour_is_not() {
    let stage = Stage::start(|config| {
        config.limits.handshakes = Rate { per_second: 1, at_once: 3 };
        config.listeners.people.belief =
            Belief { proxy_protocol: vec![Network::parse("127.0.0.1").unwrap()], ..Belief::default() };
        config.listeners.devices.belief =
            Belief { forwarded: vec![Network::parse("127.0.0.1").unwrap()], ..Belief::default() };
    })
    .await;
    let client = stage.client();
    let named = async |name: &str| {
        let mut stream = TcpStream::connect(stage.people()).await.unwrap();
        let header = format!("PROXY TCP4 {name} 192.0.2.100 40000 443\r\n");
        stream.write_all(header.as_bytes()).await.unwrap();
        is_let_in(stream, &client).await
    };
    let mut let_in = 0;
    for _ in 0..40 {
        let_in += u32::from(named("192.0.2.1").await);
    }
    assert!((3..25).contains(&let_in), "{let_in} of 40");
    assert!(named("192.0.2.2").await, "another peer of the same neighbour");
    // Over Forwarded one connection carries many: the neighbour itself is not counted.
    for _ in 0..20 {
        assert!(is_let_in(TcpStream::connect(stage.devices()).await.unwrap(), &client).await);
    }
}

#[tokio::test]
async fn too_many_from_one_address_are_closed_before_the_handshake() {
    let stage = Stage::start(|config| {
        config.limits.connections_per_address = 2;
        config.limits.handshake = 2 * HUNG;
    })
    .await;
    let client = stage.client();
    let mut first = connect(stage.people(), &client, b"").await.unwrap();
    let mut second = connect(stage.people(), &client, b"").await.unwrap();
    answered(&mut first).await;
    answered(&mut second).await;
    let mut third = TcpStream::connect(stage.people()).await.unwrap();
    assert!(read_to_close(&mut third).await.is_empty(), "not a byte of a handshake");
    // Another listener counts for itself, and whoever leaves makes room.
    connect(stage.devices(), &client, b"").await.unwrap();
    drop(first);
    let again = async {
        loop {
            if let Ok(mut stream) = connect(stage.people(), &client, b"").await {
                return answered(&mut stream).await;
            }
        }
    };
    tokio::time::timeout(HUNG, again).await.unwrap();
}

#[tokio::test]
async fn a_full_listener_closes_newcomers() {
    let stage = Stage::start(|config| {
        config.limits.connections = 1;
        config.limits.handshake = 2 * HUNG;
    })
    .await;
    let mut first = connect(stage.people(), &stage.client(), b"").await.unwrap();
    answered(&mut first).await;
    let mut second = TcpStream::connect(stage.people()).await.unwrap();
    assert!(read_to_close(&mut second).await.is_empty());
}

#[tokio::test]
async fn a_head_too_large_or_with_too_many_fields_is_refused() {
    let stage = Stage::start(|_| {}).await;
    let client = stage.client();
    let large = format!("X-Large: {}\r\n", "a".repeat(64 * 1024));
    assert_eq!(ask(stage.people(), &client, "/peer", &large).await.status, 431);
    let many = (0..100).map(|number| format!("X-{number}: a\r\n")).collect::<String>();
    assert_eq!(ask(stage.people(), &client, "/peer", &many).await.status, 431);
}

#[tokio::test]
async fn fields_and_target_are_taken_up_to_their_limit_and_not_one_more() {
    let stage = Stage::start(|config| {
        config.limits.headers = 20;
        config.limits.header_bytes = 8192;
    })
    .await;
    let client = stage.client();
    // `Host` and `Connection` are among them.
    let fields = |count: usize| (2..count).map(|number| format!("X-{number}: a\r\n")).collect::<String>();
    let target = |length: usize| format!("/peer?{}", "a".repeat(length - "/peer?".len()));
    let large =
        |length: usize| format!("X-Large: {}\r\n", "a".repeat(length - get_request("/peer", "X-Large: \r\n").len()));
    let table = [
        ("/peer".to_owned(), fields(20), 200),
        ("/peer".to_owned(), fields(21), 431),
        (target(4096), String::new(), 200),
        (target(4097), String::new(), 414),
        ("/peer".to_owned(), large(8192), 200),
        ("/peer".to_owned(), large(8193), 431),
    ];
    for (path, more, status) in table {
        assert_eq!(ask(stage.people(), &client, &path, &more).await.status, status, "{} {}", path.len(), more.len());
    }
    // HTTP/2 counts for itself: 4 pseudo fields are none.
    for (count, status) in [(20, 200), (21, 431)] {
        let more = (0..count).flat_map(|number| field(&format!("x-{number}"), "a")).collect::<Vec<_>>();
        let mut frames = Frames::open(stage.people(), &client).await;
        frames.write(&frames::headers(1, &[head("GET", "/peer", "localhost"), more].concat(), true)).await;
        assert_eq!(frames.outcome_of(1).await, Outcome::Answered(status), "{count}");
    }
    for (length, status) in [(4096, 200), (4097, 414)] {
        let mut frames = Frames::open(stage.people(), &client).await;
        frames.write(&frames::headers(1, &head("GET", &target(length), "localhost"), true)).await;
        assert_eq!(frames.outcome_of(1).await, Outcome::Answered(status), "{length}");
    }
    let mut frames = Frames::open(stage.people(), &client).await;
    let large = [head("GET", "/peer", "localhost"), field("x-large", &"a".repeat(8192))].concat();
    frames.write(&frames::headers(1, &large, true)).await;
    assert_eq!(frames.outcome_of(1).await, Outcome::Answered(431));
}

#[tokio::test]
async fn browsers_are_told_to_come_by_tls_alone_where_the_host_is_of_the_world() {
    let stage = Stage::start(|_| {}).await;
    let local = ask(stage.people(), &stage.client(), "/peer", "").await;
    assert!(local.head.contains("x-content-type-options: nosniff"), "{}", local.head);
    assert!(!local.head.contains("strict-transport-security"), "it would hold for all ports of localhost");
    let stage = Stage::start(|config| config.issuer.url = BaseUrl::parse("https://id.example.com").unwrap()).await;
    for address in [stage.people(), stage.devices()] {
        for path in ["/peer", "/nowhere"] {
            let answer = ask(address, &stage.client(), path, "").await;
            assert!(answer.head.contains("strict-transport-security: max-age=63072000"), "{}", answer.head);
        }
    }
}

#[tokio::test]
async fn a_body_too_large_is_refused_whether_announced_or_not() {
    let stage = Stage::start(|config| {
        config.limits.body_bytes = 1000;
        config.limits.upload_bytes = 5000;
    })
    .await;
    let client = stage.client();
    let post = async |path: &str, head: &str, body: &str| {
        let mut stream = connect(stage.people(), &client, b"").await.unwrap();
        let request = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}\r\n\r\n{body}");
        exchange(&mut stream, &request).await.unwrap().status
    };
    let chunked = "Transfer-Encoding: chunked";
    let of = |length: usize| (format!("Content-Length: {length}"), "x".repeat(length));
    let chunk = |length: usize| format!("{length:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(length));
    assert_eq!(post("/echo", &of(1000).0, &of(1000).1).await, 200);
    assert_eq!(post("/echo", &of(1001).0, &of(1001).1).await, 413);
    assert_eq!(post("/echo", chunked, &chunk(1001)).await, 413);
    assert_eq!(post("/upload", &of(5000).0, &of(5000).1).await, 200);
    assert_eq!(post("/upload", chunked, &chunk(5001)).await, 413);
    assert_eq!(post("/upload", "Content-Length: 5001", "").await, 413, "before a byte of it came");
}

#[tokio::test]
async fn a_request_without_an_answer_in_time_is_told_so_but_a_stream_goes_on() {
    let stage = Stage::start(|config| config.limits.request = SHORT).await;
    let client = stage.client();
    let mut stream = connect(stage.people(), &client, b"").await.unwrap();
    stream.write_all(get_request("/stream", "").as_bytes()).await.unwrap();
    let late = ask(stage.people(), &client, "/stuck", "").await;
    assert_eq!(late.status, 503);
    assert!(late.head.contains("retry-after: 1") && late.head.contains("x-request-id: "), "{late:?}");
    // The stream is older than the answer that came too late.
    stage.cues.release.notify_one();
    let mut text = String::new();
    let two = async {
        let mut chunk = [0; 512];
        while !text.contains("data: two") {
            let length = stream.read(&mut chunk).await.unwrap();
            assert_ne!(length, 0, "{text}");
            text.push_str(&String::from_utf8_lossy(&chunk[..length]));
        }
    };
    tokio::time::timeout(HUNG, two).await.unwrap();
}

#[tokio::test]
async fn a_body_that_does_not_come_ends_with_its_request() {
    let stage = Stage::start(|config| config.limits.request = SHORT).await;
    let mut stream = connect(stage.people(), &stage.client(), b"").await.unwrap();
    let request = "POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 10\r\n\r\nabc";
    assert_eq!(exchange(&mut stream, request).await.unwrap().status, 503);
}

#[tokio::test]
async fn a_peer_that_does_not_take_its_answer_is_left() {
    let stage = Stage::start(|config| config.limits.stall = SHORT).await;
    let mut stream = connect(stage.people(), &stage.client(), b"").await.unwrap();
    stream.write_all(get_request("/parts", "").as_bytes()).await.unwrap();
    let mut begun = [0; 15];
    stream.read_exact(&mut begun).await.unwrap();
    // Not reading: the server cannot wait for it longer than the limit, nor can its drain.
    let stopped = tokio::time::timeout(HUNG, stage.running.stop());
    assert!(stopped.await.unwrap(), "the connection ended by itself, before the deadline of the drain");
}

#[tokio::test]
async fn a_peer_that_keeps_its_http2_window_shut_is_left() {
    let stage = Stage::start(|config| config.limits.stall = SHORT).await;
    let mut client = (*stage.client()).clone();
    client.alpn_protocols = vec![b"h2".to_vec()];
    let stream = connect(stage.people(), &client.into(), b"").await.unwrap();
    let executor = hyper_util::rt::TokioExecutor::new();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    let request = http::Request::builder().uri("https://localhost/parts");
    let asking = async {
        let body = http_body_util::Empty::<bytes::Bytes>::new();
        // Held, and never read: the window stays as shut as it gets.
        sender.send_request(request.body(body).unwrap()).await.unwrap()
    };
    let (ended, answer) = tokio::time::timeout(HUNG, async { tokio::join!(connection, asking) }).await.unwrap();
    drop((ended, answer));
}

#[tokio::test]
async fn a_request_that_names_its_host_twice_is_refused() {
    let stage = Stage::start(|_| {}).await;
    let client = stage.client();
    assert_eq!(ask(stage.people(), &client, "/peer", "Host: other\r\n").await.status, 400);
    let mut stream = connect(stage.people(), &client, b"").await.unwrap();
    let none = exchange(&mut stream, "GET /peer HTTP/1.1\r\nConnection: close\r\n\r\n").await.unwrap();
    assert_eq!(none.status, 400);
    assert!(none.head.contains("application/problem+json"));
}

#[tokio::test]
async fn bytes_that_are_no_http_are_refused() {
    let stage = Stage::start(|_| {}).await;
    let client = stage.client();
    for garbage in [
        "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\r\n\r\n",
        "GET /peer HTTP/1.1\r\nHost : localhost\r\n\r\n",
        "GET /peer HTTP/1.1\r\nHost: localhost\r\n folded: x\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: +3\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\nabc",
    ] {
        let mut stream = connect(stage.people(), &client, b"").await.unwrap();
        let answer = exchange(&mut stream, garbage).await;
        assert!(answer.is_none_or(|answer| answer.status == 400), "{garbage:?}");
    }
}

#[tokio::test]
async fn plain_http_on_a_tls_port_gets_no_answer() {
    let stage = Stage::start(|_| {}).await;
    let mut stream = TcpStream::connect(stage.people()).await.unwrap();
    assert!(exchange(&mut stream, &get_request("/peer", "")).await.is_none());
}
