use std::net::SocketAddr;

use device::client::{Client, ClientError, Tls};
use device::file::FileKey;
use device::{
    Address, AnswerError, AskTime, CallHome, ClientAuth, ErrorCode, Failure, Fetch, Hello, Input, Method, Pairing,
    Refresh, Request, Secret, TokenType, Way,
};
use jose::{Alg, SigningKey};
use rcgen::ExtendedKeyUsagePurpose;

use crate::server::{Factory, http, serve};

fn key() -> Box<SigningKey> {
    Box::new(SigningKey::generate(Alg::ES256).unwrap())
}

fn client(factory: &Factory) -> Client {
    Client::new(&Tls { roots: factory.root().into_bytes(), identity: None }, key()).unwrap()
}

fn address(server: SocketAddr, path: &str) -> Address {
    Address::parse(&format!("https://localhost:{}{path}", server.port())).unwrap()
}

fn run<M: device::Machine>(client: &mut Client, machine: &mut M) -> Result<M::Done, ClientError> {
    client.run(machine, &mut |_| {})
}

const SESSION: &str = r#"{"session":{"id":"ds_01","expires_in":86400},"did":"dev_9F3K2","state":"registered",
    "credential":{"id":"crd_1","kind":"initial"},"access_token":"at_1","token_type":"Bearer","expires_in":3600,
    "next":["pair"],"now":1750000000}"#;

#[test]
fn a_device_calls_home_with_the_key_in_its_file_as_its_certificate() {
    let factory = Factory::new();
    let (chain, certified) = factory.leaf("spk-000123", ExtendedKeyUsagePurpose::ClientAuth);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("device.key");
    std::fs::write(&path, certified.serialize_pem()).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();

    // One file is both: the key that signs and the key of the certificate.
    let signer = FileKey::open(&path).unwrap();
    let identity = Some((chain.clone().into_bytes(), std::fs::read(&path).unwrap()));
    let mut client = Client::new(&Tls { roots: factory.root().into_bytes(), identity }, Box::new(signer)).unwrap();
    let (server, told) = serve(&factory, vec![http("200 OK", "", SESSION)]);
    let way = Way::Certificate { bound_to_key: false };
    let hello = Hello { serial_number: Some("SPK-000123".into()), ..Hello::default() };
    let called = run(&mut client, &mut CallHome::new(&address(server, "/"), way, hello)).unwrap();
    assert_eq!(called.did, "dev_9F3K2");
    let seen = told.recv().unwrap();
    assert!(seen.text.starts_with("POST /device/session HTTP/1.1\r\n"), "{}", seen.text);
    assert!(seen.text.ends_with(r#"{"serial_number":"SPK-000123"}"#), "{}", seen.text);
    let x5c = device::file::x5c(chain.as_bytes()).unwrap();
    let shown = jose::base64url::encode(seen.certificate.expect("a certificate was shown"));
    assert_eq!(x5c[0].trim_end_matches('=').replace('+', "-").replace('/', "_"), shown);
}

#[test]
fn a_server_of_another_root_is_told_nothing() {
    let (ours, theirs) = (Factory::new(), Factory::new());
    let (server, told) = serve(&theirs, vec![http("200 OK", "", SESSION)]);
    let machine = &mut Refresh::new(address(server, "/token"), public(), Secret::new("rt_1"), true);
    assert!(matches!(run(&mut client(&ours), machine), Err(ClientError::Tls(_))));
    assert!(told.recv().is_err(), "a request went out");
}

#[test]
fn a_server_of_another_name_is_told_nothing() {
    let factory = Factory::new();
    let (server, told) = serve(&factory, vec![http("200 OK", "", SESSION)]);
    let url = Address::parse(&format!("https://127.0.0.1:{}/token", server.port())).unwrap();
    let machine = &mut Refresh::new(url, public(), Secret::new("rt_1"), true);
    assert!(matches!(run(&mut client(&factory), machine), Err(ClientError::Tls(_))));
    assert!(told.recv().is_err(), "a request went out");
}

#[test]
fn a_redirect_is_not_followed() {
    let factory = Factory::new();
    let (elsewhere, asked) = serve(&factory, vec![http("200 OK", "", "{}")]);
    let location = format!("location: {}\r\n", address(elsewhere, "/token"));
    let (server, _told) = serve(&factory, vec![http("307 Temporary Redirect", &location, "")]);
    let machine = &mut Refresh::new(address(server, "/token"), public(), Secret::new("rt_1"), true);
    let failed = run(&mut client(&factory), machine).unwrap_err();
    assert_eq!(failed.failure(), Some(&Failure::Answer(AnswerError::Status(307))));
    assert!(asked.try_recv().is_err());
}

#[test]
fn an_answer_too_long_to_be_one_is_not_read() {
    let factory = Factory::new();
    let (server, _told) =
        serve(&factory, vec![http("200 OK", "", &"x".repeat(70_000)), http("200 OK", "", "0123456789")]);
    let mut client = client(&factory);
    let mut request = Request::new(Method::Get, address(server, "/time"));
    assert!(matches!(client.carry(&request).unwrap(), Input::Lost));
    request.max_answer = 10;
    let Input::Answer(answer) = client.carry(&request).unwrap() else { panic!("ten bytes fit") };
    assert_eq!(answer.body, b"0123456789");
}

#[test]
fn silence_ends_after_the_patience_of_the_request() {
    let factory = Factory::new();
    let (server, _told) = serve(&factory, vec![Vec::new()]);
    let mut request = Request::new(Method::Get, address(server, "/time"));
    request.patience = 1;
    assert!(matches!(client(&factory).carry(&request).unwrap(), Input::Lost));
}

#[test]
fn a_refused_call_tells_the_servers_word_through_the_client() {
    let factory = Factory::new();
    let refusal = http("403 Forbidden", "retry-after: 600\r\n", r#"{"error":"approval_pending"}"#);
    let (server, _told) = serve(&factory, vec![refusal]);
    let way = Way::Certificate { bound_to_key: false };
    let failed = run(&mut client(&factory), &mut CallHome::new(&address(server, "/"), way, Hello::default()));
    let Err(ClientError::Failed(Failure::Refused(refused))) = failed else { panic!("no refusal") };
    assert_eq!((refused.code, refused.retry_after), (ErrorCode::ApprovalPending, Some(600)));
}

#[test]
fn a_whole_pairing_shows_its_code_and_ends_with_tokens() {
    let factory = Factory::new();
    let codes = r#"{"device_code":"dc_1","user_code":"WDJB-MJHT","verification_uri":"https://id.example.com/pair",
        "expires_in":60,"interval":1}"#;
    let tokens = r#"{"access_token":"at_1","token_type":"DPoP","refresh_token":"rt_1","expires_in":3600}"#;
    let nonce = "dpop-nonce: n-1\r\n";
    let script = vec![http("200 OK", nonce, codes), http("200 OK", "", tokens)];
    let (server, told) = serve(&factory, script);
    let mut shown = Vec::new();
    let (start, token) = (address(server, "/device_authorization"), address(server, "/token"));
    let tokens = client(&factory)
        .run(&mut Pairing::new(start, token, public(), None), &mut |prompt| shown.push(prompt.user_code.clone()))
        .unwrap();
    assert_eq!(tokens.refresh_token.unwrap().expose(), "rt_1");
    assert_eq!(shown, ["WDJB-MJHT"]);
    let poll = told.iter().nth(1).unwrap().text;
    let proof = poll.lines().find_map(|line| line.strip_prefix("dpop: ")).expect("the poll carries a proof");
    let claims = jose::jws::Unverified::parse(proof).unwrap().peek_claims().unwrap();
    assert_eq!(claims["nonce"], "n-1");
}

#[test]
fn a_resource_is_fetched_with_token_and_proof() {
    let factory = Factory::new();
    let (server, told) = serve(&factory, vec![http("200 OK", "", "firmware")]);
    let request = Request::new(Method::Get, address(server, "/device/firmware"));
    let answer = run(&mut client(&factory), &mut Fetch::new(request, Secret::new("at_1"), TokenType::Dpop)).unwrap();
    assert_eq!(answer.body, b"firmware");
    let text = told.recv().unwrap().text;
    assert!(text.starts_with("GET /device/firmware HTTP/1.1\r\n") && text.contains("\r\nauthorization: DPoP at_1\r\n"));
}

#[test]
fn the_servers_time_is_the_clients_from_then_on() {
    let factory = Factory::new();
    let (server, _told) = serve(&factory, vec![http("200 OK", "", r#"{"now":1750000000}"#)]);
    let mut client = client(&factory);
    assert_eq!(run(&mut client, &mut AskTime::new(address(server, "/time"))).unwrap(), 1_750_000_000);
    assert!((1_750_000_000..1_750_000_060).contains(&client.now()));
}

#[test]
fn a_client_without_a_root_or_with_a_broken_one_is_not_made() {
    let factory = Factory::new();
    let root = factory.root().into_bytes();
    for (roots, identity) in [
        (Vec::new(), None),
        (b"no pem".to_vec(), None),
        (root.clone(), Some((b"no pem".to_vec(), b"no pem".to_vec()))),
        (root.clone(), Some((root.clone(), b"no pem".to_vec()))),
    ] {
        assert!(matches!(Client::new(&Tls { roots, identity }, key()), Err(ClientError::Pem(_))));
    }
}

fn public() -> ClientAuth {
    ClientAuth::Public { client_id: "spk-firmware".into() }
}
