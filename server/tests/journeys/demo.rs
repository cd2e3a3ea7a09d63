use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// The demo with a log that tells everything, stopped once it is ready: its code, what it told,
/// and its log.
fn live(folder: &Path, more: &[&str]) -> (Option<i32>, Vec<Value>, String) {
    std::fs::write(folder.join("keyfob.toml"), "[log]\nlevel = \"trace\"\n").unwrap();
    let log = std::fs::File::create(folder.join("log")).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_keyfob"))
        .args(["demo", "--stay", "--json", "--config", "keyfob.toml"])
        .args(more)
        .env_clear()
        .env("TMPDIR", folder)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut told = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let object: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if object["step"] == "ready" {
            let terminate = format!("kill -TERM {}", child.id());
            assert!(Command::new("sh").args(["-c", &terminate]).status().unwrap().success());
        }
        told.push(object);
    }
    let code = child.wait().unwrap().code();
    (code, told, std::fs::read_to_string(folder.join("log")).unwrap())
}

#[test]
fn a_smart_speaker_lives_its_whole_life_and_no_log_line_gives_it_away() {
    let folder = tempfile::tempdir().unwrap();
    let (code, steps, log) = live(folder.path(), &[]);
    assert_eq!(code, Some(0), "{}", steps.last().unwrap_or(&Value::Null));
    let names: Vec<_> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    let wanted = [
        "factory",
        "registry",
        "product",
        "import",
        "call_home",
        "sign_up",
        "pair",
        "press_on",
        "app",
        "asset_token",
        "backend",
        "renewal",
        "jwt_bearer",
        "introspection",
        "stolen",
        "revoke",
        "refused",
        "events",
        "offers",
        "ready",
    ];
    assert_eq!(names, wanted);
    assert!(steps.iter().all(|step| step["ok"] == true && (step["ms"].is_number() || step["step"] == "ready")));

    let step = |name: &str| steps.iter().find(|step| step["step"] == name).unwrap();
    assert_eq!(step("import")["first"]["created"], 1000);
    let asset = &step("asset_token")["asset_token"]["payload"];
    assert_eq!(asset["did"], step("call_home")["did"]);
    assert_eq!(asset["asset_id"], step("pair")["asset_id"]);
    assert_eq!(step("refused")["refresh"], "invalid_grant");
    // A day later, by its key alone: the same title, bound to the same key, for longer.
    let renewed = &step("renewal")["asset_token"]["payload"];
    for same in ["asset_id", "did", "sub", "cnf", "scope"] {
        assert_eq!(renewed[same], asset[same], "{same}");
    }
    assert!(renewed["iat"].as_i64().unwrap() > asset["exp"].as_i64().unwrap(), "the first one had run out");
    assert_ne!(renewed["jti"], asset["jti"]);
    let falls = step("refused")["renewal"].as_array().unwrap();
    let [by_key, by_call] = &falls[..] else { panic!("{falls:?}") };
    assert!(by_key.as_str().unwrap().starts_with("renewal by key: invalid_"), "{by_key}");
    assert_eq!(by_call, "call home: nobody owns this device");

    assert!(log.lines().count() > 50, "the log tells what happens");
    let ready = step("ready").as_object().unwrap();
    let secrets =
        ready.iter().filter(|(name, _)| name.ends_with("secret") || ["email", "password"].contains(&name.as_str()));
    let mut secrets: Vec<_> = secrets.map(|(_, value)| value.as_str().unwrap()).collect();
    assert_eq!(secrets.len(), 5, "three clients, an address, a password");
    secrets.push(step("pair")["user_code"].as_str().unwrap());
    for secret in secrets {
        assert!(!log.contains(secret), "{secret}");
    }
    // The beginning of every token, of every header that carries one, and of every key.
    for sign in ["eyJ", "Bearer ", "DPoP eyJ", "client_secret", "password=", "code_verifier", "BEGIN PRIVATE"] {
        let line = log.lines().find(|line| line.contains(sign));
        assert_eq!(line, None, "{sign}");
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name == "keyfob.toml" || name == "log"), "left behind: {left:?}");
}

/// Pairing begun at one ends at the other, a token of one is traded and looked at by the other.
#[test]
fn the_same_life_is_lived_on_two_nodes_of_one_database_with_chance_between_them() {
    let folder = tempfile::tempdir().unwrap();
    let database = rig::Cluster::shared().database();
    let password = folder.path().join("password");
    std::fs::write(&password, &database.password).unwrap();
    std::fs::set_permissions(&password, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let more = ["--database", database.url.as_str(), "--password-file", "password"];
    let (code, steps, log) = live(folder.path(), &more);
    assert_eq!(code, Some(0), "{} {log}", steps.last().unwrap_or(&Value::Null));
    assert!(steps.iter().all(|step| step["ok"] == true) && steps.last().unwrap()["step"] == "ready");
    let again = live(folder.path(), &more);
    assert!(again.0 != Some(0) && !again.1.iter().any(|step| step["step"] == "ready"), "it plays with nothing real");
}
