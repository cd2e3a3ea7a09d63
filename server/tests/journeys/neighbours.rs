use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use server::config::{Belief, Network};

use crate::stage::{SHORT, Stage, ask, connect, exchange, get_request};

fn here() -> Vec<Network> {
    vec![Network::parse("127.0.0.1").unwrap()]
}

const SAID: &str = "Forwarded: for=192.0.2.1\r\nX-Forwarded-For: 192.0.2.2\r\nClient-Cert: :AAEC:\r\n\
                    X-Real-IP: 192.0.2.3\r\nX-Forwarded-Proto: http\r\n";

#[tokio::test]
async fn a_strangers_headers_are_ignored_and_dropped() {
    let stage = Stage::start(|_| {}).await;
    let client = stage.client();
    for address in [stage.people(), stage.devices()] {
        let seen = ask(address, &client, "/peer", SAID).await.json();
        assert_eq!(seen, json!({ "address": "127.0.0.1", "local": false, "chain": null }));
        let left = ask(address, &client, "/headers", SAID).await.json();
        assert_eq!(left, json!(["host", "connection"]));
    }
}

#[tokio::test]
async fn each_listener_believes_for_itself_what_it_was_told_to() {
    let stage = Stage::start(|config| {
        config.listeners.people.belief = Belief { forwarded: here(), ..Belief::default() };
        config.listeners.devices.belief = Belief { client_cert: here(), ..Belief::default() };
    })
    .await;
    let client = stage.client();
    let people = ask(stage.people(), &client, "/peer", SAID).await.json();
    assert_eq!(people, json!({ "address": "192.0.2.1", "local": false, "chain": null }));
    let devices = ask(stage.devices(), &client, "/peer", SAID).await.json();
    assert_eq!(devices, json!({ "address": "127.0.0.1", "local": false, "chain": [[0, 1, 2]] }));
    assert_eq!(ask(stage.people(), &client, "/headers", SAID).await.json(), json!(["host", "connection"]));
    let unclear = ask(stage.people(), &client, "/peer", "Forwarded: for=\"\r\n").await;
    assert_eq!(unclear.status, 400);
}

#[tokio::test]
async fn the_certificate_of_a_believed_neighbour_is_not_taken_for_its_peers() {
    let stage = Stage::start(|config| {
        config.listeners.devices.belief = Belief { client_cert: here(), ..Belief::default() };
    })
    .await;
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["proxy".to_owned()]).unwrap().self_signed(&key).unwrap();
    let client = crate::stage::builder()
        .with_root_certificates(stage.roots())
        .with_client_auth_cert(vec![leaf.der().clone()], key.serialize_der().try_into().unwrap())
        .unwrap();
    let client = std::sync::Arc::new(client);
    assert_eq!(ask(stage.devices(), &client, "/peer", "").await.json()["chain"], Value::Null);
}

#[tokio::test]
async fn a_strangers_proxy_header_is_no_handshake() {
    let stage = Stage::start(|_| {}).await;
    let line = b"PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\n";
    assert!(connect(stage.people(), &stage.client(), line).await.is_err());
}

#[tokio::test]
async fn a_believed_proxy_header_names_the_peer_and_must_come() {
    let stage = Stage::start(|config| {
        config.limits.handshake = SHORT;
        config.limits.connections_per_address = 1;
        config.listeners.people.belief = Belief { proxy_protocol: here(), ..Belief::default() };
    })
    .await;
    let client = stage.client();
    let one = b"PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\n";
    let two = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x08\x0a\0\0\x01\0\x01\0\x02";
    let mut first = connect(stage.people(), &client, one).await.unwrap();
    assert!(connect(stage.people(), &client, one).await.is_err(), "the named address has its one connection");
    let mut second = connect(stage.people(), &client, two).await.unwrap();
    for (stream, address) in [(&mut first, "192.0.2.7"), (&mut second, "192.0.2.8")] {
        let answer = exchange(stream, &get_request("/peer", SAID)).await.unwrap();
        assert_eq!(answer.json()["address"], address);
    }
    assert!(connect(stage.people(), &client, b"").await.is_err(), "without a header nobody is known");
    let mut half = tokio::net::TcpStream::connect(stage.people()).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut half, b"PROXY TCP4 192.").await.unwrap();
    assert!(crate::stage::read_to_close(&mut half).await.is_empty());
}
