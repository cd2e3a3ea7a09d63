use std::sync::Arc;

use rcgen::{CertificateParams, CustomExtension, KeyPair, PublicKeyData};
use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, HandshakeKind, SignatureScheme};
use serde_json::{Value, json};
use server::config::Tls;
use server::port::{SystemEntropy, WallClock};
use server::tls::Reloaded;

use crate::stage::{Stage, ask, builder, connect, exchange, get_request};

/// Shows a chain whatever the server asks for, also one that no library would call a certificate.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesClientCert for Shows {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn signing(key: &KeyPair) -> Arc<dyn rustls::sign::SigningKey> {
    any_supported_type(&PrivateKeyDer::try_from(key.serialize_der()).unwrap()).unwrap()
}

pub(crate) fn showing(stage: &Stage, chain: Vec<Vec<u8>>, key: &KeyPair) -> ClientConfig {
    let chain = chain.into_iter().map(CertificateDer::from).collect();
    let shown = Shows(Arc::new(CertifiedKey::new(chain, signing(key))));
    builder().with_root_certificates(stage.roots()).with_client_cert_resolver(Arc::new(shown))
}

fn self_signed(key: &KeyPair) -> Vec<u8> {
    CertificateParams::new(["speaker".to_owned()]).unwrap().self_signed(key).unwrap().der().to_vec()
}

fn critical(key: &KeyPair) -> Vec<u8> {
    let mut params = CertificateParams::new(["speaker".to_owned()]).unwrap();
    let mut unknown = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 55555, 1], vec![5, 0]);
    unknown.set_criticality(true);
    params.custom_extensions.push(unknown);
    params.self_signed(key).unwrap().der().to_vec()
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut bytes = vec![tag, 0x82];
    bytes.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
    bytes.extend(content);
    bytes
}

/// X.509 version 1, whose own signature is nonsense.
fn version_one(key: &KeyPair) -> Vec<u8> {
    let algorithm = der(0x30, &[&[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]]);
    let name = der(0x30, &[]);
    let dates = der(0x30, &[b"\x17\x0d250101000000Z", b"\x17\x0d350101000000Z"]);
    let spki = key.subject_public_key_info();
    let signed = der(0x30, &[&[0x02, 0x01, 0x07], &algorithm, &name, &dates, &name, &spki]);
    der(0x30, &[&signed, &algorithm, &[0x03, 0x03, 0x00, 0x30, 0x00]])
}

async fn peer_seen(stage: &Stage, client: ClientConfig) -> Value {
    ask(stage.devices(), &Arc::new(client), "/peer", "").await.json()
}

#[tokio::test]
async fn a_device_without_a_certificate_is_let_in_without_one() {
    let stage = Stage::start(|_| {}).await;
    let seen = ask(stage.devices(), &stage.client(), "/peer", "").await.json();
    assert_eq!(seen, json!({ "address": "127.0.0.1", "local": false, "chain": null }));
}

#[tokio::test]
async fn any_chain_whose_key_is_proved_reaches_the_handler() {
    let stage = Stage::start(|_| {}).await;
    let key = KeyPair::generate().unwrap();
    for leaf in [self_signed(&key), critical(&key), version_one(&key)] {
        let chain = vec![leaf, self_signed(&KeyPair::generate().unwrap())];
        let seen = peer_seen(&stage, showing(&stage, chain.clone(), &key)).await;
        assert_eq!(seen["chain"], json!(chain));
    }
}

#[tokio::test]
async fn a_certificate_without_its_key_is_no_proof() {
    let stage = Stage::start(|_| {}).await;
    let leaf = self_signed(&KeyPair::generate().unwrap());
    let client = Arc::new(showing(&stage, vec![leaf], &KeyPair::generate().unwrap()));
    let answer = match connect(stage.devices(), &client, b"").await {
        Ok(mut stream) => exchange(&mut stream, &get_request("/peer", "")).await,
        Err(_) => None,
    };
    assert!(answer.is_none(), "{answer:?}");
}

#[tokio::test]
async fn a_chain_beyond_the_limits_ends_the_handshake() {
    let stage = Stage::start(|_| {}).await;
    let key = KeyPair::generate().unwrap();
    let leaf = self_signed(&key);
    let five = vec![leaf.clone(); 5];
    assert_eq!(peer_seen(&stage, showing(&stage, five.clone(), &key)).await["chain"], json!(five));
    let large = vec![leaf.clone(), vec![0x30; server::tls::MAX_CHAIN_BYTES]];
    for chain in [vec![leaf.clone(); 6], large] {
        let client = Arc::new(showing(&stage, chain, &key));
        let answer = match connect(stage.devices(), &client, b"").await {
            Ok(mut stream) => exchange(&mut stream, &get_request("/peer", "")).await,
            Err(_) => None,
        };
        assert!(answer.is_none(), "{answer:?}");
    }
}

#[tokio::test]
async fn the_chain_reaches_the_handler_on_resumed_sessions_too() {
    let stage = Stage::start(|_| {}).await;
    let key = KeyPair::generate().unwrap();
    let leaf = self_signed(&key);
    // A chain too large for a ticket is shown anew instead.
    let large = vec![leaf.clone(), vec![0x30; 60 * 1024]];
    for chain in [vec![leaf], large] {
        for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
            let shown = Shows(Arc::new(CertifiedKey::new(
                chain.iter().cloned().map(CertificateDer::from).collect(),
                signing(&key),
            )));
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let client = ClientConfig::builder_with_provider(provider)
                .with_protocol_versions(&[version])
                .unwrap()
                .with_root_certificates(stage.roots())
                .with_client_cert_resolver(Arc::new(shown));
            let client = Arc::new(client);
            // TLS 1.2 resumes by session id where there is no ticket.
            let full = chain.len() > 1 && version.version == rustls::ProtocolVersion::TLSv1_3;
            let second = if full { HandshakeKind::Full } else { HandshakeKind::Resumed };
            for kind in [HandshakeKind::Full, second] {
                let mut stream = connect(stage.devices(), &client, b"").await.unwrap();
                let answer = exchange(&mut stream, &get_request("/peer", "")).await;
                let answer = answer.unwrap_or_else(|| panic!("no answer: {kind:?} {version:?} {}", chain.len()));
                let found = stream.get_ref().1.handshake_kind();
                assert!(found == Some(kind), "{found:?} instead of {kind:?} with {version:?}");
                assert_eq!(answer.json()["chain"], json!(chain), "{version:?}");
            }
        }
    }
}

#[tokio::test]
async fn no_early_data_is_offered() {
    let stage = Stage::start(|_| {}).await;
    let mut client = (*stage.client()).clone();
    client.enable_early_data = true;
    let client = Arc::new(client);
    for _ in 0..2 {
        let mut stream = connect(stage.people(), &client, b"").await.unwrap();
        assert!(stream.get_mut().1.early_data().is_none());
        exchange(&mut stream, &get_request("/peer", "")).await.unwrap();
    }
}

#[tokio::test]
async fn people_are_never_asked_for_a_certificate() {
    let stage = Stage::start(|_| {}).await;
    let key = KeyPair::generate().unwrap();
    let client = Arc::new(showing(&stage, vec![self_signed(&key)], &key));
    assert_eq!(ask(stage.people(), &client, "/peer", "").await.json()["chain"], Value::Null);
}

#[tokio::test]
async fn the_self_made_certificate_is_for_localhost_its_addresses_and_the_configured_names() {
    let stage = Stage::start(|config| config.tls = Tls::SelfMade { names: vec!["keyfob.test".to_owned()] }).await;
    let client = stage.client();
    for name in ["localhost", "keyfob.test", "127.0.0.1", "::1"] {
        let stream = tokio::net::TcpStream::connect(stage.people()).await.unwrap();
        let name = rustls::pki_types::ServerName::try_from(name).unwrap();
        tokio_rustls::TlsConnector::from(Arc::clone(&client)).connect(name, stream).await.unwrap();
    }
}

#[tokio::test]
async fn a_changed_certificate_is_shown_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (pem, key_file) = (folder.path().join("server.pem"), folder.path().join("server.key"));
    let write = |filler: &str| {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        std::fs::write(&pem, certificate.pem() + filler).unwrap();
        std::fs::write(&key_file, key.serialize_pem() + filler).unwrap();
        certificate.der().to_vec()
    };
    let first = write("");
    let files = Tls::Files { certificate: pem.clone(), key: key_file.clone() };
    let stage = Stage::start(|config| config.tls = files).await;
    let shown = async |trusted: &[u8]| {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from(trusted)).unwrap();
        let client = builder().with_root_certificates(roots).with_no_client_auth();
        let stream = connect(stage.people(), &Arc::new(client), b"").await;
        stream.ok().and_then(|stream| Some(stream.get_ref().1.peer_certificates()?.first()?.to_vec()))
    };
    let reload = || stage.running.identity().reload(&WallClock::new(), &SystemEntropy);
    assert_eq!(shown(&first).await.as_ref(), Some(&first));
    assert_eq!(reload().unwrap(), Reloaded::Same);
    let second = write("\n");
    assert_eq!(reload().unwrap(), Reloaded::Changed);
    assert_eq!(shown(&second).await.as_ref(), Some(&second));
    std::fs::write(&key_file, KeyPair::generate().unwrap().serialize_pem() + "\n\n").unwrap();
    assert!(reload().unwrap_err().to_string().contains("does not fit"));
    std::fs::write(&pem, "nothing").unwrap();
    assert!(reload().unwrap_err().to_string().contains("does not hold a certificate"));
    assert_eq!(shown(&second).await.as_ref(), Some(&second));
}

#[tokio::test]
async fn the_self_made_certificate_is_renewed_before_its_end_under_the_same_authority() {
    let stage = Stage::start(|_| {}).await;
    let authority = std::fs::read(stage.running.identity().authority_file().unwrap()).unwrap();
    let clock = WallClock::new();
    assert_eq!(stage.running.identity().reload(&clock, &SystemEntropy).unwrap(), Reloaded::Same);
    clock.shift(390 * 86_400);
    assert_eq!(stage.running.identity().reload(&clock, &SystemEntropy).unwrap(), Reloaded::Changed);
    assert_eq!(std::fs::read(stage.running.identity().authority_file().unwrap()).unwrap(), authority);
}
