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
