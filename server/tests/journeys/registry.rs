use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

const CONFIG: &str = "[listeners.people]\naddress = \"127.0.0.1:0\"\n[listeners.devices]\naddress = \"127.0.0.1:0\"\n\
                      [listeners.health]\naddress = \"127.0.0.1:0\"\n[log]\nlevel = \"error\"\n";

fn keyfob(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyfob"));
    command.args(["--json", "--config", "keyfob.toml", "--data", "data"]).args(arguments);
    command.env_clear().current_dir(folder).stdin(Stdio::null());
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    keyfob(folder, arguments).output().unwrap()
}

/// What a command that ends well tells, its last line.
fn told(folder: &Path, arguments: &[&str]) -> Value {
    let output = run(folder, arguments);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {out} {err}");
    serde_json::from_str(out.lines().last().unwrap()).unwrap()
}

fn factory(folder: &Path) {
    std::fs::write(folder.join("keyfob.toml"), CONFIG).unwrap();
    told(folder, &["ca", "root", "--name", "Root", "--out", "root"]);
    told(folder, &["ca", "intermediate", "--by", "root", "--name", "Line", "--out", "line"]);
    told(folder, &["ca", "device", "--by", "line", "--model", "SPK-2", "--count", "5", "--out", "made"]);
}

#[test]
fn the_list_that_ca_makes_is_imported_as_it_is_and_again_without_duplicates() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    factory(folder);
    let unknown = run(folder, &["devices", "import", "made/devices.csv"]);
    assert_eq!(unknown.status.code(), Some(1), "nobody told of the model");
    told(folder, &["products", "create", "SPK-2", "--name", "Speaker", "--scope", "cloud:stream"]);
    let first = told(folder, &["devices", "import", "made/devices.csv"]);
    assert_eq!((first["created"].as_u64(), first["failed"].as_u64()), (Some(5), Some(0)));
    let again = told(folder, &["devices", "import", "made/devices.csv"]);
    assert_eq!((again["created"].as_u64(), again["unchanged"].as_u64()), (Some(0), Some(5)));
    assert_eq!(told(folder, &["devices", "list"])["items"].as_array().map(Vec::len), Some(5));
}

#[test]
fn every_bad_line_is_told_by_number_and_the_good_ones_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("keyfob.toml"), CONFIG).unwrap();
    told(folder, &["products", "create", "SPK-2"]);
    let lines = "{\"model\":\"SPK-2\",\"serial\":\"A-1\"}\n{\"model\":\"SPK-9\",\"serial\":\"A-2\"}\nno json\n\
                 {\"model\":\"SPK-2\",\"serial\":\"A-3\",\"mac\":\"02:00:5e:00:00:01\"}\n";
    std::fs::write(folder.join("batch.jsonl"), lines).unwrap();
    let output = run(folder, &["devices", "import", "batch.jsonl"]);
    assert_eq!(output.status.code(), Some(1));
    let out = String::from_utf8(output.stdout).unwrap();
    let told_lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let bad: Vec<_> = told_lines[0]["bad_lines"].as_array().unwrap().iter().map(|line| line["line"].as_u64()).collect();
    assert_eq!(bad, [Some(2), Some(3)]);
    assert_eq!(told_lines[0]["created"], 2);
    for name in ["A-3", "02:00:5E:00:00:01"] {
        assert_eq!(told(folder, &["devices", "show", name])["serial"], "A-3", "{name}");
    }
    let plain = keyfob(folder, &[]).args(["devices", "show", "A-9"]).output().unwrap();
    assert_eq!(plain.status.code(), Some(1));
}

#[test]
fn a_device_is_stopped_resumed_and_ended_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    factory(folder);
    told(folder, &["products", "create", "SPK-2"]);
    told(folder, &["devices", "import", "made/devices.csv"]);
    for (act, state) in [("suspend", "suspended"), ("resume", "registered"), ("retire", "retired")] {
        assert_eq!(told(folder, &["devices", act, "SPK-000002"])["state"], state);
    }
    assert_eq!(run(folder, &["devices", "resume", "SPK-000002"]).status.code(), Some(1), "retired is for good");
}

/// A server of its own process, ended with the test.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn people_clients_keys_and_events_are_reached_while_a_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("keyfob.toml"), CONFIG).unwrap();
    let mut serving = Serving(keyfob(folder, &["serve"]).stdout(Stdio::piped()).spawn().unwrap());
    let mut ready = String::new();
    BufReader::new(serving.0.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();

    let adam = told(folder, &["users", "create", "adam@example.com", "--name", "Adam", "--role", "support"]);
    for named in [adam["id"].as_str().unwrap(), "Adam@example.com"] {
        assert_eq!(told(folder, &["users", "role", named, "auditor"])["roles"], serde_json::json!(["auditor"]));
    }
    let client = told(folder, &["clients", "create", "--name", "Ingest", "--id", "ingest", "--scope", "devices:read"]);
    let secret = client["client_secret"].as_str().unwrap();
    let listed = run(folder, &["clients", "list"]).stdout;
    assert!(!String::from_utf8(listed).unwrap().contains(secret), "a secret is shown once");

    let keys = |list: Value| list["keys"].as_array().unwrap().clone();
    let before = keys(told(folder, &["keys", "list"]));
    assert!(before.iter().all(|key| key["state"] == "signing" && key.get("sealed").is_none()));
    let fresh = keys(told(folder, &["keys", "rotate"]));
    assert!(fresh.iter().all(|key| key["state"] == "published"));
    assert_eq!(keys(told(folder, &["keys", "list"])).len(), before.len() + fresh.len());

    let mut following =
        Serving(keyfob(folder, &["events", "follow", "--after", "0"]).stdout(Stdio::piped()).spawn().unwrap());
    let events = BufReader::new(following.0.stdout.as_mut().unwrap()).lines();
    let made = events.map(Result::unwrap).find(|line| line.contains("user.created")).unwrap();
    assert!(!made.contains("adam@example.com"), "no event holds an address");
}
