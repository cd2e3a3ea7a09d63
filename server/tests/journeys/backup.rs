//! `keyfob backup` and `restore` with servers of their own processes: what ended after a backup
//! stays ended, and nothing of before is alive that should not be.

use std::fs;
use std::path::{Path, PathBuf};

use http::Method;
use serde_json::{Value, json};
use server::command::{Admin, AdminError};
use server::data::DataFolder;

use crate::command::{Serving, run, text};
use crate::nodes::{Node, configure};

/// A command on a data folder; its exit code and last object.
fn keyfob(folder: &Path, data: &str, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = run(folder, &[&["--json", "--config", "keyfob.toml", "--data", data], arguments].concat());
    let told = text(&output.stdout);
    let last = told.lines().last().unwrap_or_else(|| panic!("{output:?}"));
    (output.status.code(), serde_json::from_str(last).unwrap_or_else(|_| panic!("{output:?}")))
}

fn done(folder: &Path, data: &str, arguments: &[&str]) -> Value {
    let (code, told) = keyfob(folder, data, arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {told}");
    told
}

/// The store that the first release left: a person with a speaker, and much more.
fn moved_in(folder: &Path) {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../store-sqlite/tests/kept/0001");
    let data = DataFolder::open(&folder.join("data")).unwrap();
    let store = rusqlite::Connection::open(data.store()).unwrap();
    store.execute_batch(&fs::read_to_string(kept.join("store.sql")).unwrap()).unwrap();
    key(folder, "data");
}

/// Puts the master key of that store into a data folder.
fn key(folder: &Path, data: &str) {
    use std::os::unix::fs::PermissionsExt;
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../store-sqlite/tests/kept/0001/master.key");
    let data = DataFolder::open(&folder.join(data)).unwrap();
    fs::copy(kept, data.master_key_file()).unwrap();
    fs::set_permissions(data.master_key_file(), fs::Permissions::from_mode(0o600)).unwrap();
}

/// Asks the server of a data folder as its operator.
fn ask(folder: &Path, data: &str, method: Method, path: &str) -> Value {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let data = DataFolder::open(&folder.join(data)).unwrap();
    runtime.block_on(async {
        let admin = Admin::connect(&data, async |_| -> Result<axum::Router, AdminError> { panic!("a server runs") });
        let (status, told) = admin.await.unwrap().json(method, path, None).await.unwrap();
        assert!(status.is_success(), "{path}: {told}");
        told
    })
}

fn live_bond(folder: &Path, data: &str) -> String {
    let bonds = ask(folder, data, Method::GET, "/bonds?filter=state%20eq%20%22active%22&limit=100");
    let bonds = bonds["items"].as_array().unwrap().clone();
    let on_asset = bonds.iter().find(|bond| bond["target"]["kind"] == "asset").unwrap_or_else(|| panic!("{bonds:?}"));
    on_asset["id"].as_str().unwrap().to_owned()
}

fn state(folder: &Path, data: &str, path: &str) -> String {
    ask(folder, data, Method::GET, path)["state"].as_str().unwrap().to_owned()
}

/// A server with a person's bond and a device; backed up; then both ended; then killed.
struct Lost {
    folder: tempfile::TempDir,
    bond: String,
    device: String,
    generation: String,
}

impl Lost {
    fn new() -> Self {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path();
        moved_in(folder);
        let serving = Serving::start(folder);
        let bond = live_bond(folder, "data");
        let device = done(folder, "data", &["devices", "show", "SPK-900001"])["id"].as_str().unwrap().to_owned();
        // What ended before the backup stands in it already.
        done(folder, "data", &["devices", "suspend", "SPK-900002"]);
        let told = done(folder, "data", &["backup", "kept.backup"]);
        assert_eq!(told["counts"]["device"], 8, "{told}");
        let generation = told["generation"].as_str().unwrap().to_owned();
        assert_eq!(ask(folder, "data", Method::POST, &format!("/bonds/{bond}/end"))["state"], "ended");
        done(folder, "data", &["devices", "retire", "SPK-900001"]);
        serving.kill();
        Self { folder: outer, bond, device, generation }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What bond and device are once the restored folder is served.
    fn seen(&self) -> (String, String) {
        let serving = Serving::start_on(self.path(), "again");
        let bond = state(self.path(), "again", &format!("/bonds/{}", self.bond));
        let device = state(self.path(), "again", &format!("/devices/{}", self.device));
        let (code, log) = serving.terminate();
        assert_eq!(code, Some(0), "{log}");
        (bond, device)
    }
}

#[test]
fn what_ended_after_the_backup_stays_ended_with_the_journal() {
    let lost = Lost::new();
    key(lost.path(), "again");
    let told = done(lost.path(), "again", &["restore", "kept.backup", "--journal", "data/raises.journal"]);
    assert_ne!(told["generation"], json!(lost.generation), "a new generation");
    assert!(told["raises"].as_u64().unwrap() >= 2, "{told}");
    assert_eq!(lost.seen(), ("ended".to_owned(), "retired".to_owned()));
}

#[test]
fn without_the_journal_what_ended_lives_again_only_where_that_was_accepted() {
    let lost = Lost::new();
    key(lost.path(), "again");
    let output = run(lost.path(), &["--config", "keyfob.toml", "--data", "again", "restore", "kept.backup"]);
    assert_eq!(output.status.code(), Some(2), "it wants to know what to do: {output:?}");
    done(lost.path(), "again", &["restore", "kept.backup", "--accept-lost-revocations"]);
    assert_eq!(lost.seen(), ("active".to_owned(), "registered".to_owned()));
}

#[test]
fn without_the_journal_bonds_wait_for_their_owner() {
    let lost = Lost::new();
    key(lost.path(), "again");
    let told = done(lost.path(), "again", &["restore", "kept.backup", "--suspend"]);
    assert!(told["suspended"].as_u64().unwrap() >= 1, "{told}");
    assert_eq!(lost.seen().0, "suspended");
}

#[test]
fn a_damaged_backup_a_wrong_key_and_a_full_folder_are_refused_and_nothing_is_written() {
    let lost = Lost::new();
    let folder = lost.path();
    let restore = |data: &str, file: &str, more: &[&str]| {
        let (code, told) = keyfob(folder, data, &[&["restore", file, "--accept-lost-revocations"], more].concat());
        (code, told["causes"].to_string())
    };
    let files = |data: &str| -> Vec<PathBuf> {
        let mut found: Vec<_> = fs::read_dir(folder.join(data)).unwrap().map(|file| file.unwrap().path()).collect();
        found.retain(|path| path.file_name().is_some_and(|name| name != "lock"));
        found
    };
    let whole = fs::read(folder.join("kept.backup")).unwrap();

    let (code, cause) = restore("data", "kept.backup", &[]);
    assert_eq!(code, Some(4));
    assert!(cause.contains("there is a store at"), "{cause}");
    let (code, cause) = restore("again", "kept.backup", &[]);
    assert_eq!(code, Some(4));
    assert!(cause.contains("is missing, and without it the backup cannot be used"), "{cause}");

    fs::write(folder.join("short.backup"), &whole[..whole.len() / 2]).unwrap();
    let mut bytes = whole.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(folder.join("damaged.backup"), bytes).unwrap();
    let newer = String::from_utf8(whole).unwrap().replacen("{\"keyfob_backup\":1,", "{\"keyfob_backup\":2,", 1);
    fs::write(folder.join("newer.backup"), newer).unwrap();
    fs::write(folder.join("foreign.backup"), "a letter\n").unwrap();
    for (file, words) in [
        ("short.backup", "breaks off before its end"),
        ("damaged.backup", "its digest does not fit"),
        ("newer.backup", "was made by the newer keyfob"),
        ("foreign.backup", "is no backup of Keyfob"),
    ] {
        let (code, cause) = restore("again", file, &["--master-key", "data/master.key"]);
        assert_eq!(code, Some(1), "{cause}");
        assert!(cause.contains(words), "{cause}");
        assert_eq!(files("again"), Vec::<PathBuf>::new(), "{file}");
    }
    Serving::start_on(folder, "other").terminate();
    let (code, cause) = restore("again", "kept.backup", &["--master-key", "other/master.key"]);
    assert_eq!(code, Some(4));
    assert!(cause.contains("sealed under the master key"), "{cause}");
    assert_eq!(files("again"), Vec::<PathBuf>::new());

    let (code, told) = keyfob(folder, "again", &["backup", "kept.backup"]);
    assert_eq!(code, Some(2), "no backup is overwritten: {told}");
    let (code, told) =
        keyfob(folder, "again", &["restore", "kept.backup", "--journal", "missing", "--master-key", "data/master.key"]);
    assert_eq!(code, Some(5), "{told}");
    assert_eq!(restore("again", "kept.backup", &["--master-key", "data/master.key"]).0, Some(0), "the key comes along");
    assert!(DataFolder::open(&folder.join("again")).unwrap().master_key_file().exists());
}

#[test]
fn a_backup_while_nobody_serves_is_the_same_and_says_which_journals_it_does_not_need() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    moved_in(folder);
    for _ in 0..2 {
        let serving = Serving::start(folder);
        done(folder, "data", &["devices", "suspend", "SPK-900001"]);
        done(folder, "data", &["devices", "resume", "SPK-900001"]);
        serving.terminate();
    }
    let told = done(folder, "data", &["backup", "first.backup"]);
    let not_needed = told["journal_not_needed"].as_array().unwrap();
    assert_eq!(not_needed.len(), 1, "the newest is kept: {told}");
    assert!(not_needed[0].as_str().unwrap().ends_with("raises.journal/000001.jsonl"), "{told}");
    let again = done(folder, "data", &["backup", "second.backup"]);
    assert_eq!(again["counts"], told["counts"]);
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(folder.join("first.backup")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let key = fs::read_to_string(folder.join("data/master.key")).unwrap();
    assert!(!fs::read_to_string(folder.join("first.backup")).unwrap().contains(key.trim()), "the key is not in it");
}

/// What the embedded store kept goes into PostgreSQL, lives on there, and back again; what ended
/// after a backup stays ended on either side.
#[test]
fn a_backup_moves_from_one_kind_of_store_to_the_other_and_back() {
    let lost = Lost::new();
    let folder = lost.path();
    let bond = |data: &str| state(folder, data, &format!("/bonds/{}", lost.bond));
    let device = |data: &str| state(folder, data, &format!("/devices/{}", lost.device));
    let restored = |backup: &str, data: &str, more: &[&str]| {
        let key = ["--master-key", "data/master.key"];
        done(folder, data, &[&["restore", backup], &key[..], more].concat())
    };
    // A database each: one is filled only while it is empty.
    let cluster = rig::Cluster::shared();
    let [accepted, journalled, again] = [(); 3].map(|()| cluster.database());

    configure(folder, &accepted, "");
    let told = restored("kept.backup", "there", &["--accept-lost-revocations"]);
    assert_eq!(told["counts"]["device"], 8, "{told}");
    let node = Node::start(folder, "there");
    assert_eq!((bond("there").as_str(), device("there").as_str()), ("active", "registered"));
    let told = done(folder, "there", &["backup", "of-postgres.backup"]);
    assert_eq!(told["counts"]["device"], 8, "{told}");
    // It ends there, after that backup.
    assert_eq!(ask(folder, "there", Method::POST, &format!("/bonds/{}/end", lost.bond))["state"], "ended");
    done(folder, "there", &["devices", "retire", "SPK-900001"]);
    drop(node);

    configure(folder, &journalled, "");
    restored("kept.backup", "with-journal", &["--journal", "data/raises.journal"]);
    let node = Node::start(folder, "with-journal");
    assert_eq!((bond("with-journal").as_str(), device("with-journal").as_str()), ("ended", "retired"));
    drop(node);
    let (code, told) =
        keyfob(folder, "full", &["restore", "kept.backup", "--suspend", "--master-key", "data/master.key"]);
    assert_eq!(code, Some(4), "a database in which something is takes no backup: {told}");

    configure(folder, &again, "");
    restored("of-postgres.backup", "pg-again", &["--journal", "there/raises.journal"]);
    let node = Node::start(folder, "pg-again");
    assert_eq!((bond("pg-again").as_str(), device("pg-again").as_str()), ("ended", "retired"));
    drop(node);

    // And back into one file.
    let config = fs::read_to_string(folder.join("keyfob.toml")).unwrap();
    let (_, listeners) = config.split_once("[listeners.people]").unwrap();
    fs::write(folder.join("keyfob.toml"), format!("[listeners.people]{listeners}")).unwrap();
    let told = restored("of-postgres.backup", "again", &["--journal", "there/raises.journal"]);
    assert!(told["raises"].as_u64().unwrap() >= 2, "{told}");
    assert_eq!(lost.seen(), ("ended".to_owned(), "retired".to_owned()));
}
