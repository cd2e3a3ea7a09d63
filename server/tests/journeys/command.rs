use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use pki::Certificate;
use serde_json::Value;

use crate::stage::{ask, client};

fn keyfob(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyfob"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    keyfob(arguments).current_dir(folder).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A server of its own process, ended with the test.
pub(crate) struct Serving {
    child: Child,
    pub(crate) ready: Value,
}

impl Serving {
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_on(folder, "data")
    }

    /// The same on another data folder.
    pub(crate) fn start_on(folder: &Path, data: &str) -> Self {
        let config = "[listeners.people]\naddress = \"127.0.0.1:0\"\n[listeners.devices]\naddress = \"127.0.0.1:0\"\n\
                      [listeners.health]\naddress = \"127.0.0.1:0\"\n[log]\nlevel = \"trace\"\n";
        std::fs::write(folder.join("keyfob.toml"), config).unwrap();
        let mut child = keyfob(&["--json", "--config", "keyfob.toml", "--data", data, "serve"])
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        Self { child, ready }
    }

    /// Ends it as a loss of power does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it as an operator does; its exit code and log.
    pub(crate) fn terminate(mut self) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("sh").args(["-c", &format!("kill -TERM {pid}")]).status().unwrap().success());
        let code = self.child.wait().unwrap().code();
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (code, log)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

#[test]
fn a_wrong_configuration_tells_all_its_mistakes_and_exits_with_three() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[listeners.people]\naddress = \"x\"\n[limits]\nstreams = 0\n[colour]\n";
    std::fs::write(folder.path().join("keyfob.toml"), config).unwrap();
    for command in [&["config", "check"][..], &["serve"]] {
        let output = run(folder.path(), &[&["--config", "keyfob.toml"], command].concat());
        assert_eq!(output.status.code(), Some(3));
        let told = text(&output.stderr);
        for mistake in
            ["listeners.people.address: \"x\" is not an address", "limits.streams: 0 is not", "colour: unknown key"]
        {
            assert!(told.contains(mistake), "{mistake} is missing in {told}");
        }
        assert!(output.stdout.is_empty() && told.is_ascii());
    }
    let output = run(folder.path(), &["--config", "keyfob.toml", "--json", "config", "check"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((told["exit"].as_u64(), told["causes"].as_array().map(Vec::len)), (Some(3), Some(3)));
    assert!(!folder.path().join("keyfob-data").exists(), "nothing was begun");
}

#[test]
fn the_example_is_a_right_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let example = run(folder.path(), &["config", "example"]);
    assert_eq!(example.status.code(), Some(0));
    std::fs::write(folder.path().join("keyfob.toml"), &example.stdout).unwrap();
    let check = run(folder.path(), &["config", "check", "--config", "keyfob.toml"]);
    assert_eq!(check.status.code(), Some(0), "{}", text(&check.stderr));
}

#[test]
fn the_command_line_ends_with_the_codes_its_help_tells() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(folder.path(), &["no-such-command"]).status.code(), Some(2));
    let help = run(folder.path(), &["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(text(&help.stdout).contains("Exit codes:"));
    let version = run(folder.path(), &["version", "--json"]);
    let told: Value = serde_json::from_slice(&version.stdout).unwrap();
    assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_server_makes_its_folder_keeps_others_out_answers_and_stops_on_the_signal() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(folder.path());
    let key = folder.path().join("data/master.key");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);

    let second = run(folder.path(), &["--config", "keyfob.toml", "--data", "data", "serve"]);
    assert_eq!(second.status.code(), Some(4));
    assert!(text(&second.stderr).contains("is in use by another keyfob"), "{}", text(&second.stderr));

    let people = serving.ready["people"].as_str().unwrap().parse().unwrap();
    let authority = serving.ready["authority"].as_str().unwrap();
    let client = Arc::new(client(Path::new(authority)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(ask(people, &client, "/?code=topsecret", "Authorization: Bearer topsecret\r\n"));
    let id = answer.head.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap().to_owned();

    let (code, log) = serving.terminate();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.to_ascii_lowercase().contains(&id), "{log}");
    assert!(!log.contains("topsecret"), "{log}");
}

#[test]
fn a_master_key_that_others_may_read_keeps_the_server_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    Serving::start(folder.path()).terminate();
    let key = folder.path().join("data/master.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let output = run(folder.path(), &["--config", "keyfob.toml", "--data", "data", "serve"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stderr).contains("chmod 600"), "{}", text(&output.stderr));
}

#[test]
fn an_address_in_use_is_told_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = format!("[listeners.people]\naddress = \"{}\"\n", taken.local_addr().unwrap());
    std::fs::write(folder.path().join("keyfob.toml"), config).unwrap();
    let output = run(folder.path(), &["--config", "keyfob.toml", "serve"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("listeners.people.address: cannot listen on"), "{}", text(&output.stderr));
}

#[test]
fn a_factory_makes_its_authorities_and_devices() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let made = |arguments: &[&str]| {
        let output = run(path, arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    };
    made(&["ca", "root", "--name", "Speakers Root", "--out", "root"]);
    made(&["ca", "intermediate", "--by", "root", "--name", "Speakers Line 1", "--out", "line1"]);
    made(&["ca", "device", "--by", "line1", "--model", "SPK-2", "--count", "3", "--out", "devices"]);
    let read = |name: &str| Certificate::parse_pem(&std::fs::read(path.join(name)).unwrap()).unwrap();
    let (root, line) = (read("root.pem").remove(0), read("line1.pem").remove(0));
    let chain = read("devices/SPK-000003.pem");
    assert_eq!(chain.len(), 2, "the leaf and the line's, not the root");
    assert_eq!((chain[0].issuer(), chain[1].issuer()), (line.subject(), root.subject()));
    for key in ["root.key", "line1.key", "devices/SPK-000001.key"] {
        assert_eq!(std::fs::metadata(path.join(key)).unwrap().permissions().mode() & 0o777, 0o600, "{key}");
    }
    let list = std::fs::read_to_string(path.join("devices/devices.csv")).unwrap();
    assert!(list.starts_with("model,serial,certificate\nSPK-2,SPK-000001,MII"), "{list}");
    assert_eq!(list.lines().count(), 4);

    let again = run(path, &["ca", "root", "--name", "Another", "--out", "root"]);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(read("root.pem").remove(0).thumbprint(), root.thumbprint());
    let below = run(path, &["ca", "intermediate", "--by", "line1", "--name", "Too deep", "--out", "line2"]);
    assert_eq!(below.status.code(), Some(1), "a line may not make lines");
    for serial in ["../escape", ".hidden", "", "a b"] {
        let output =
            run(path, &["ca", "device", "--by", "line1", "--model", "SPK-2", "--serial", serial, "--out", "more"]);
        assert_eq!(output.status.code(), Some(2), "{serial}");
    }
}
