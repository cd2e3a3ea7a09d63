//! `keyfob fleet` in processes of its own: rehearsed, and against a server that runs.

use std::path::Path;

use serde_json::Value;

use crate::command::{Serving, run, text};

fn told(folder: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = run(folder, &[&["--json", "fleet"], arguments].concat());
    let shown = text(&output.stdout);
    let first = shown.lines().next().unwrap_or_default();
    let object = serde_json::from_str(first).unwrap_or_else(|_| panic!("{shown} {}", text(&output.stderr)));
    (output.status.code(), object)
}

#[test]
fn a_rehearsed_fleet_is_imported_calls_home_and_is_registered_with_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    // Fewer connections than devices: whoever waits for its owner's app holds none.
    let day_one = ["day-one", "--rehearse", "--devices", "24", "--rate", "200", "--connections", "3"];
    let (code, told) = told(folder.path(), &day_one);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(
        (told["ok"].as_bool(), told["devices"].as_u64(), told["done"].as_u64()),
        (Some(true), Some(24), Some(24))
    );
    assert_eq!(told["handshakes"]["full"], 48, "each device at both listeners");
    assert!(told["most_connections"].as_u64().unwrap() <= 3, "{told}");
    assert!(told["p50_ms"].as_f64().unwrap() > 0.0);
    assert!(!folder.path().join("keyfob-data").exists(), "a rehearsal leaves nothing behind");
}

#[test]
fn every_token_of_a_rehearsed_fleet_is_renewed_in_its_window_and_by_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let (code, told) = told(folder.path(), &["mass-renewal", "--rehearse", "--devices", "40"]);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(told["done"], 40);
    let renewals = &told["renewals"];
    let (first, last) =
        (renewals["first_after_seconds"].as_i64().unwrap(), renewals["last_after_seconds"].as_i64().unwrap());
    // Two thirds of a day, and up to a tenth of it earlier; what registering took on top.
    let third = 86_400 * 2 / 3;
    assert!(first >= third - 8_640, "{renewals}");
    assert!(last <= third + 300, "{renewals}");
    assert!(last - first > 3_600, "forty devices spread over hours: {renewals}");
    assert!(renewals["most_in_a_minute"].as_u64().unwrap() <= 8, "{renewals}");
}

#[test]
fn a_rehearsed_fleet_comes_back_at_once_by_its_sessions_or_by_full_handshakes() {
    let folder = tempfile::tempdir().unwrap();
    let storm = ["reconnect-storm", "--rehearse", "--devices", "30"];
    let (code, resumed) = told(folder.path(), &storm);
    assert_eq!((code, resumed["done"].as_u64()), (Some(0), Some(30)), "{resumed}");
    assert_eq!(
        (resumed["handshakes"]["resumed"].as_u64(), resumed["handshakes"]["full"].as_u64()),
        (Some(30), Some(0))
    );
    let (code, full) = told(folder.path(), &[&storm[..], &["--full-handshakes"]].concat());
    assert_eq!((code, full["handshakes"]["full"].as_u64()), (Some(0), Some(30)), "{full}");
}

#[test]
fn a_fleet_against_a_server_that_runs_is_real_and_tells_who_is_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let serving = Serving::start(at);
    let registry = |arguments: &[&str]| {
        let output = run(at, &[&["--config", "keyfob.toml", "--data", "data"], arguments].concat());
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    };
    registry(&["products", "create", "SPK-2", "--name", "Speaker", "--factory-key-is-operational"]);
    registry(&["ca", "root", "--name", "Root", "--out", "root"]);
    registry(&["products", "trust", "SPK-2", "root.pem"]);
    registry(&["ca", "device", "--by", "root", "--model", "SPK-2", "--count", "8", "--out", "made"]);
    registry(&["devices", "import", "made/devices.csv"]);
    let port = serving.ready["devices"].as_str().unwrap().rsplit(':').next().unwrap();
    let server = format!("https://localhost:{port}");
    let against = ["--server", &server, "--roots", "data/tls/ca.pem", "--made", "made", "--duration", "60"];
    let (code, known) = told(at, &[&["reconnect-storm"], &against[..]].concat());
    assert_eq!(
        (code, known["done"].as_u64(), known["rehearsed"].as_bool()),
        (Some(0), Some(8), Some(false)),
        "{known}"
    );

    // Of the same serial number, from another factory.
    registry(&["ca", "root", "--name", "Stranger", "--out", "stranger"]);
    registry(&["ca", "device", "--by", "stranger", "--model", "SPK-2", "--count", "1", "--out", "other"]);
    let against = ["--server", &server, "--roots", "data/tls/ca.pem", "--made", "other", "--duration", "60"];
    let (code, unknown) = told(at, &[&["day-one"], &against[..]].concat());
    assert_eq!((code, unknown["ok"].as_bool(), unknown["done"].as_u64()), (Some(1), Some(false), Some(0)), "{unknown}");
    assert_eq!(unknown["refused"], serde_json::json!({ "invalid_credential": 1 }));
    let (code, _) = serving.terminate();
    assert_eq!(code, Some(0));
}

#[test]
fn what_cannot_be_wanted_is_said_before_anything_happens() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let beyond = ["day-one", "--server", "https://device.id.example.com", "--roots", "r.pem", "--made", "made"];
    let (code, told_of) = told(at, &beyond);
    assert_eq!(code, Some(2), "{told_of}");
    assert!(told_of["causes"][0].as_str().unwrap().contains("--beyond-this-machine"), "{told_of}");
    let renewal = ["mass-renewal", "--server", "https://localhost:1", "--roots", "r.pem", "--made", "made"];
    let (code, told_of) = told(at, &renewal);
    assert_eq!(code, Some(2), "{told_of}");
    assert_eq!(told_of["next"], "keyfob fleet mass-renewal --rehearse");
}
