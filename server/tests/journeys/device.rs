//! `keyfob device` against a server of its own process.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use rustls::HandshakeKind;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;

use crate::command::{Serving, run, text};
use crate::stage::{builder, connect, exchange, roots};

const KEY: [&str; 2] = ["--key", "made/SPK-000001.key"];
const CERTIFICATE: [&str; 2] = ["--certificate", "made/SPK-000001.pem"];

/// A factory's device, with key and certificate.
fn factory(folder: &Path) {
    assert!(run(folder, &["ca", "root", "--name", "Factory", "--out", "root"]).status.success());
    assert!(
        run(folder, &["ca", "device", "--by", "root", "--model", "SPK-2", "--out", "made", "--count", "1"])
            .status
            .success()
    );
}

fn call_home(folder: &Path, roots: &str, server: &str, more: &[&str]) -> Output {
    let arguments = ["device", "call-home", "--roots", roots, "--server", server, "--serial", "SPK-000001"];
    run(folder, &[&arguments[..], &KEY, more].concat())
}

fn address(serving: &Serving, listener: &str) -> String {
    let (_, port) = serving.ready[listener].as_str().unwrap().rsplit_once(':').unwrap();
    format!("https://localhost:{port}")
}

#[test]
fn a_device_that_nobody_registered_is_told_so_and_keeps_no_token() {
    let folder = tempfile::tempdir().unwrap();
    factory(folder.path());
    let serving = Serving::start(folder.path());
    let roots = serving.ready["authority"].as_str().unwrap();
    let server = address(&serving, "devices");

    let tokens = ["--tokens", "tokens.json"];
    let output = call_home(folder.path(), roots, &server, &[&CERTIFICATE[..], &tokens].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("invalid_credential: the server does not accept"), "{output:?}");
    assert!(!folder.path().join("tokens.json").exists());

    let output = call_home(folder.path(), roots, &server, &[&CERTIFICATE[..], &["--json"]].concat());
    let object: Value = serde_json::from_str(&text(&output.stdout)).unwrap();
    assert_eq!((&object["ok"], &object["exit"]), (&Value::Bool(false), &Value::from(1)));

    // Without any certificate the server asks for one by name.
    let output = call_home(folder.path(), roots, &server, &[]);
    assert!(text(&output.stderr).contains("credential_required"), "{output:?}");
}

#[test]
fn a_server_that_is_not_trusted_or_not_there_ends_with_five_and_the_cause() {
    let folder = tempfile::tempdir().unwrap();
    factory(folder.path());
    let serving = Serving::start(folder.path());
    let server = address(&serving, "devices");
    let output = call_home(folder.path(), "root.pem", &server, &CERTIFICATE);
    assert_eq!(output.status.code(), Some(5));
    assert!(text(&output.stderr).contains("UnknownIssuer"), "{output:?}");
    serving.terminate();
    let output = call_home(folder.path(), "root.pem", &server, &CERTIFICATE);
    assert_eq!(output.status.code(), Some(5));
    assert!(text(&output.stderr).contains("could not be reached"), "{output:?}");
}

#[test]
fn a_key_others_may_read_is_refused_with_what_to_type() {
    let folder = tempfile::tempdir().unwrap();
    factory(folder.path());
    let key = folder.path().join("made/SPK-000001.key");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    let output = call_home(folder.path(), "root.pem", "https://localhost:1", &CERTIFICATE);
    assert_eq!(output.status.code(), Some(5));
    assert!(text(&output.stderr).contains("type: chmod 600 made/SPK-000001.key"), "{output:?}");
}

#[test]
fn an_issuer_that_calls_itself_otherwise_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    factory(folder.path());
    let serving = Serving::start(folder.path());
    let roots = serving.ready["authority"].as_str().unwrap();
    // It listens on another port than the one its name says.
    let issuer = address(&serving, "people");
    let arguments = ["device", "pair", "--roots", roots, "--issuer", &issuer, "--client", "x", "--tokens", "t.json"];
    let output = run(folder.path(), &[&arguments[..], &KEY].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("`issuer`"), "{output:?}");
}

#[test]
fn proving_without_a_token_says_where_one_was_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    factory(folder.path());
    let arguments = ["device", "prove", "--roots", "root.pem", "--tokens", "none.json", "https://localhost:1/"];
    let output = run(folder.path(), &[&arguments[..], &KEY].concat());
    assert_eq!(output.status.code(), Some(5));
    assert!(text(&output.stderr).contains("there is no token in none.json"), "{output:?}");
}

#[test]
fn the_guides_way_from_the_factory_to_the_firmware_works_as_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    factory(folder);
    let serving = Serving::start(folder);
    let roots = serving.ready["authority"].as_str().unwrap();
    let server = address(&serving, "devices");
    let registry = |arguments: &[&str]| {
        let output = run(folder, &[&["--json", "--config", "keyfob.toml", "--data", "data"], arguments].concat());
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        serde_json::from_str::<Value>(text(&output.stdout).lines().last().unwrap()).unwrap()
    };
    registry(&["products", "create", "SPK-2", "--factory-key-is-operational"]);
    registry(&["devices", "import", "made/devices.csv"]);

    let tokens = ["--tokens", "tokens.json"];
    let early = call_home(folder, roots, &server, &[&CERTIFICATE[..], &tokens].concat());
    assert!(text(&early.stderr).contains("invalid_credential"), "nobody has trusted the factory yet");
    assert_eq!(registry(&["products", "trust", "SPK-2", "root.pem"])["state"], "trusted");
    let output = call_home(folder, roots, &server, &[&CERTIFICATE[..], &tokens].concat());
    assert!(output.status.success(), "{output:?}");
    let firmware = format!("{server}/device/firmware");
    let prove = ["device", "prove", &firmware, "--roots", roots, "--out", "firmware.bin"];
    let output = run(folder, &[&prove[..], &KEY, &CERTIFICATE, &tokens].concat());
    assert!(output.status.success(), "{output:?}");
    assert_eq!(std::fs::metadata(folder.join("firmware.bin")).unwrap().len(), 256 * 1024);

    let device = registry(&["devices", "show", "SPK-000001"]);
    let way = ["--did", device["id"].as_str().unwrap(), "--issuer", serving.ready["issuer"].as_str().unwrap()];
    let output = call_home(folder, roots, &server, &[&way[..], &["--tokens", "by-key.json"]].concat());
    assert!(output.status.success(), "over a challenge: {output:?}");
}

#[test]
fn what_changes_between_two_calls_of_one_tls_session_holds_from_the_second() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    factory(folder);
    let serving = Serving::start(folder);
    let registry = |arguments: &[&str]| {
        let output = run(folder, &[&["--json", "--config", "keyfob.toml", "--data", "data"], arguments].concat());
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    };
    registry(&["products", "create", "SPK-2", "--factory-key-is-operational"]);
    registry(&["devices", "import", "made/devices.csv"]);
    registry(&["products", "trust", "SPK-2", "root.pem"]);

    let chain = CertificateDer::pem_file_iter(folder.join("made/SPK-000001.pem")).unwrap().collect::<Result<_, _>>();
    let key = PrivateKeyDer::from_pem_file(folder.join("made/SPK-000001.key")).unwrap();
    let roots = roots(Path::new(serving.ready["authority"].as_str().unwrap()));
    let client = Arc::new(builder().with_root_certificates(roots).with_client_auth_cert(chain.unwrap(), key).unwrap());
    let devices = serving.ready["devices"].as_str().unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let call = || {
        runtime.block_on(async {
            let mut stream = connect(devices, &client, b"").await.unwrap();
            let answer = exchange(
                &mut stream,
                "POST /device/session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                 Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
            );
            let answer = answer.await.unwrap();
            (answer.status, answer.json()["error"].clone(), stream.get_ref().1.handshake_kind().unwrap())
        })
    };
    assert_eq!(call(), (200, Value::Null, HandshakeKind::Full));
    assert_eq!(call(), (200, Value::Null, HandshakeKind::Resumed));
    registry(&["devices", "suspend", "SPK-000001"]);
    assert_eq!(call(), (403, Value::from("device_suspended"), HandshakeKind::Resumed));
    registry(&["devices", "resume", "SPK-000001"]);
    assert_eq!(call(), (200, Value::Null, HandshakeKind::Resumed));
    registry(&["devices", "retire", "SPK-000001"]);
    assert_eq!(call(), (403, Value::from("device_retired"), HandshakeKind::Resumed));
}
