//! `keyfob keys` against a server of its own process, and what a crash in the middle leaves.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::command::{Serving, run, text};

fn keys(folder: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = run(folder, &[&["--json", "--config", "keyfob.toml", "--data", "data", "keys"], arguments].concat());
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}")))
}

fn listed(folder: &Path) -> Vec<Value> {
    let (code, told) = keys(folder, &["list"]);
    assert_eq!(code, Some(0), "{told}");
    told["keys"].as_array().unwrap().clone()
}

#[test]
fn a_running_server_is_sealed_anew_and_starts_with_the_new_key_alone() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let serving = Serving::start(folder);
    let before = listed(folder);
    let first = fs::read_to_string(folder.join("data/master.key")).unwrap();
    let (code, told) = keys(folder, &["reseal"]);
    assert_eq!((code, told["resealed"].as_u64()), (Some(0), Some(3)), "{told}");
    let second = fs::read_to_string(folder.join("data/master.key")).unwrap();
    assert_ne!(first, second);
    assert_eq!(fs::read_to_string(folder.join("data/master.key.old")).unwrap(), first);
    assert!(!told.to_string().contains(second.trim()), "the key itself is told nowhere");
    assert_eq!(listed(folder), before, "the same keys sign");

    let (code, told) = keys(folder, &["reseal", "--to", "data/master.key"]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.to_string().contains("that is the master key in use"), "{told}");
    fs::write(folder.join("mine.key"), &first).unwrap();
    fs::set_permissions(folder.join("mine.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let (code, told) = keys(folder, &["reseal", "--to", "mine.key"]);
    assert_eq!(code, Some(1), "others may read it");
    assert!(told.to_string().contains("chmod 600"), "{told}");
    let (_, log) = serving.terminate();
    assert!(!log.contains(second.trim()) && !log.contains(first.trim()), "no key stands in the log");

    Serving::start(folder).terminate();
    fs::write(folder.join("data/master.key"), &first).unwrap();
    let refused = run(folder, &["--config", "keyfob.toml", "--data", "data", "serve"]);
    assert_eq!(refused.status.code(), Some(4));
    let told = text(&refused.stderr);
    assert!(
        told.contains("sealed under another master key than") && told.contains("copy the file from there"),
        "{told}"
    );
}

#[test]
fn a_crash_in_the_middle_of_sealing_leaves_a_folder_that_starts() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    Serving::start(folder).terminate();
    let key = |name: &str| folder.join("data").join(name);
    let first = fs::read(key("master.key")).unwrap();

    // Before anything was sealed: the next key is there, and opens nothing.
    fs::copy(key("master.key"), key("master.key.next")).unwrap();
    fs::write(key("master.key.next"), format!("{}\n", "A".repeat(43))).unwrap();
    assert_eq!(listed(folder).len(), 3);
    assert_eq!(fs::read(key("master.key")).unwrap(), first);
    assert!(!key("master.key.next").exists());

    // After the store was sealed, before the key took over.
    assert_eq!(keys(folder, &["reseal"]).0, Some(0));
    let second = fs::read(key("master.key")).unwrap();
    fs::rename(key("master.key"), key("master.key.next")).unwrap();
    fs::rename(key("master.key.old"), key("master.key")).unwrap();
    let (code, log) = Serving::start(folder).terminate();
    assert_eq!(code, Some(0));
    assert!(log.contains("brought to its end"), "{log}");
    assert_eq!(fs::read(key("master.key")).unwrap(), second);
    assert_eq!(fs::read(key("master.key.old")).unwrap(), first);
    assert_eq!(listed(folder).len(), 3);
}

#[test]
fn the_list_of_keys_reads_like_a_page_and_a_rotation_says_what_happens_next() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let _serving = Serving::start(folder);
    let frame = ["--config", "keyfob.toml", "--data", "data", "keys"];
    let rotated = text(&run(folder, &[&frame[..], &["rotate"]].concat()).stdout);
    assert!(rotated.contains("published now and sign in an hour"), "{rotated}");
    let list = text(&run(folder, &[&frame[..], &["list"]].concat()).stdout);
    assert_eq!(list.lines().count(), 6, "{list}");
    assert!(list.lines().all(|line| line.chars().count() <= 80), "{list}");
    assert_eq!(list.lines().filter(|line| line.contains("signing") && line.contains(" to 20")).count(), 3, "{list}");
    assert_eq!(list.lines().filter(|line| line.contains("published") && line.contains("from 20")).count(), 3, "{list}");
}
