//! The file: made, found again, refused.

use identity::{Event, EventKind};
use store::{Commit, Store, StoreError};
use store_sqlite::{SqliteStore, TenantSettings};

pub(crate) fn settings() -> TenantSettings {
    TenantSettings {
        issuer: "https://id.example".to_owned(),
        device_url: "https://device.id.example".to_owned(),
        max_token_life: store::conformance::MAX_TOKEN_LIFE,
    }
}

fn announcing(now: i64) -> Commit {
    let event = Event::new(EventKind::SecurityAnomaly, "dev_1");
    Commit { events: vec![event], now, ..Commit::default() }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_closing_and_opening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let first = SqliteStore::open(&path, settings()).unwrap();
    first.commit(announcing(1_000)).await.unwrap();
    let head = first.head().await.unwrap();
    first.close();
    drop(first);
    let second = SqliteStore::open(&path, settings()).unwrap();
    assert_eq!(second.head().await.unwrap(), head);
    assert_eq!((head.number, head.time), (1, 1_000));
}

#[tokio::test]
async fn a_closed_store_refuses_instead_of_hanging() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("store.db"), settings()).unwrap();
    store.close();
    store.close();
    assert!(matches!(store.head().await, Err(StoreError::Unavailable(_))));
    assert!(store.commit(announcing(1)).await.is_err());
}

#[test]
fn a_file_of_a_newer_program_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    SqliteStore::open(&path, settings()).unwrap().close();
    let db = rusqlite::Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let before = std::fs::read(&path).unwrap();
    let refused = SqliteStore::open(&path, settings()).unwrap_err();
    assert!(matches!(refused, StoreError::TooNew { found: 99, known: 1 }), "{refused}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_newer_layout_that_still_stands_in_the_log_is_refused_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    SqliteStore::open(&path, settings()).unwrap().close();
    // A crash leaves the log beside the file: copied while a connection is open.
    let db = rusqlite::Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    let copy = folder.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    std::fs::copy(folder.path().join("store.db-wal"), folder.path().join("copy.db-wal")).unwrap();
    drop(db);
    let before = std::fs::read(&copy).unwrap();
    assert!(matches!(SqliteStore::open(&copy, settings()), Err(StoreError::TooNew { found: 99, .. })));
    assert_eq!(std::fs::read(&copy).unwrap(), before);
}

#[test]
fn a_file_of_another_program_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch("CREATE TABLE notes (text TEXT)").unwrap();
    drop(db);
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(SqliteStore::open(&path, settings()), Err(StoreError::Corrupt(_))));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    std::fs::write(&path, b"this is a letter and no database, however long it may go on").unwrap();
    assert!(matches!(SqliteStore::open(&path, settings()), Err(StoreError::Corrupt(_))));
}

#[test]
fn a_folder_that_is_not_there_is_an_error_and_not_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    assert!(SqliteStore::open(folder.path().join("missing/store.db"), settings()).is_err());
}

#[tokio::test]
async fn a_full_queue_refuses_and_what_was_taken_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = SqliteStore::open(&path, settings()).unwrap();
    // Another program holds the file, so that nothing is written meanwhile.
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting: Vec<_> = (0..6_000).map(|_| store.commit(announcing(1))).collect();
    other.execute_batch("ROLLBACK").unwrap();
    let (mut kept, mut refused) = (0, 0);
    for answer in waiting {
        match answer.await {
            Ok(_) => kept += 1,
            Err(store::CommitError::Store(StoreError::Unavailable(_))) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(kept >= 4_096 && refused > 0, "{kept} kept, {refused} refused");
    assert_eq!(store.head().await.unwrap().number, kept);
}

#[tokio::test]
async fn a_copy_of_the_log_after_a_crash_holds_every_acknowledged_commit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = SqliteStore::open(&path, settings()).unwrap();
    for _ in 0..20 {
        store.commit(announcing(1_000)).await.unwrap();
    }
    let copy = folder.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    std::fs::copy(folder.path().join("store.db-wal"), folder.path().join("copy.db-wal")).unwrap();
    let found = SqliteStore::open(&copy, settings()).unwrap();
    assert_eq!(found.head().await.unwrap(), store.head().await.unwrap());
}

#[tokio::test]
async fn each_store_has_a_generation_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name| SqliteStore::open(folder.path().join(name), settings()).unwrap();
    let (first, second) = (open("first.db"), open("second.db"));
    assert_ne!(first.head().await.unwrap().generation, second.head().await.unwrap().generation);
}
