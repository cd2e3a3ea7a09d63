//! The file: made, found again, refused.

use identity::facts::DeviceKey;
use identity::{Epochs, Event, EventKind};
use store::{Commit, EventQuery, Store, StoreError};
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
    assert!(matches!(refused, StoreError::TooNew { found: 99, known: 3 }), "{refused}");
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

/// A store as layout 1 kept it: rows as its program wrote them.
fn layout_1(path: &std::path::Path) {
    let db = rusqlite::Connection::open(path).unwrap();
    db.execute_batch(include_str!("../../src/layout/0001.sql")).unwrap();
    db.execute_batch(
        r#"INSERT INTO head VALUES (1, 'abcdefghijklmnopqrstuv', 2, 0, 1750000000);
        INSERT INTO product (id, body) VALUES
            ('prd_0123456789abcdefghjk', '{"model":"S-1","name":"Speaker"}');
        INSERT INTO device (id, version, epoch, end_epoch, body) VALUES
            ('dev_0123456789abcdefghjk', 3, 1750000000, 1749999999, '{"attributes":{"weight":0.1},"created_at":1750000000,
              "external_id":"maker:7","product":"prd_0123456789abcdefghjk","serial":"S 7","state":"suspended"}');
        INSERT INTO credential (id, body) VALUES
            ('crd_0123456789abcdefghjk', '{"certificate":{"issuer":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE",
              "not_after":1790000000,"serial":"0a1b2c3d4e","thumbprint":"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI"},
              "created_at":1750000000,"device":"dev_0123456789abcdefghjk",
              "jwk":{"crv":"Ed25519","kty":"OKP","x":"BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ"},
              "key_thumbprint":"AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM","kind":"initial","state":"current"}');
        INSERT INTO event VALUES
            (1, 'evt_abcdefghij1', 'device.provisioned', 'dev_0123456789abcdefghjk', 1750000000, 0, '{"serial":"S 7"}'),
            (2, 'evt_oldergener2', 'bond.ended', 'bnd_1', 1750000000, 1, '{"raised":["b.bnd_1.1750000000"]}');
        PRAGMA application_id = 0x4b455946; PRAGMA user_version = 1;"#,
    )
    .unwrap();
}

fn events_after(after: u64) -> EventQuery {
    EventQuery { after, kinds: Vec::new(), raises_only: false, subject: None, limit: 10 }
}

#[tokio::test]
async fn a_store_of_layout_1_is_carried_over_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    layout_1(&path);
    let store = SqliteStore::open(&path, settings()).unwrap();
    let by = |key| store.load_device(key);
    let did = "dev_0123456789abcdefghjk";
    let keys = [
        DeviceKey::Did(did.parse().unwrap()),
        DeviceKey::ExternalId("maker:7".to_owned()),
        DeviceKey::Serial { model: Some("S-1".to_owned()), serial: "S 7".to_owned() },
        DeviceKey::CertificateThumbprint("AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI".to_owned()),
        DeviceKey::KeyThumbprint("AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM".to_owned()),
    ];
    for key in keys {
        let found = by(key.clone()).await.unwrap().device;
        let found = found.unwrap_or_else(|| panic!("{key:?}"));
        assert_eq!((found.device.id.as_str(), found.device.version), (did, 3));
        assert_eq!(found.device.epochs, Epochs { epoch: 1_750_000_000, end_epoch: 1_749_999_999 });
        assert_eq!(found.device.attributes["weight"], 0.1);
        let credential = found.credentials.first().unwrap();
        let certificate = credential.certificate.as_ref().unwrap();
        assert_eq!((certificate.serial.as_str(), certificate.not_after), ("0a1b2c3d4e", 1_790_000_000));
        assert_eq!(certificate.issuer, "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE");
        assert_eq!(credential.jwk["x"], "BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ");
    }
    let events = store.load_events(events_after(0)).await.unwrap().events;
    let told: Vec<_> =
        events.iter().map(|it| (it.id.as_str(), it.kind, it.subject.as_str(), it.data.as_str())).collect();
    assert_eq!(
        told,
        [
            ("evt_abcdefghij1", EventKind::DeviceProvisioned, did, r#"{"serial":"S 7"}"#),
            ("evt_oldergener2", EventKind::BondEnded, "bnd_1", r#"{"raised":["b.bnd_1.1750000000"]}"#),
        ]
    );
    store.commit(announcing(1_750_000_001)).await.unwrap();
    let made = store.load_events(events_after(2)).await.unwrap().events;
    assert_eq!(made.first().unwrap().id, "evt_abcdefghij3");
}
