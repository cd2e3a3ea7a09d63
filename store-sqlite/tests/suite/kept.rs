//! Stores that earlier releases left behind: each is brought to the newest
//! layout, and everything in it is still read.

use std::fs;
use std::path::{Path, PathBuf};

use identity::{Record, Write};
use serde::de::DeserializeOwned;
use store::conformance::KINDS;
use store::{Change, Commit, EventQuery, ListQuery, Store};
use store_sqlite::SqliteStore;

use crate::file::settings;

/// The folders of `tests/kept`, one per release that changed the layout.
fn kept() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kept");
    let mut found: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

/// The file as that release wrote it.
fn unpack(kept: &Path, to: &Path) {
    let text = fs::read_to_string(kept.join("store.sql")).unwrap();
    rusqlite::Connection::open(to).unwrap().execute_batch(&text).unwrap();
}

/// Every record of a kind, parsed; some are written back as they are, which only
/// works where nothing of them was lost.
async fn read<T: Record + DeserializeOwned + Clone>(store: &dyn Store) -> usize
where
    Write<T>: Into<Change>,
{
    let page = store.list(ListQuery { kind: T::KIND, filter: None, after: None, limit: 1_000 }).await.unwrap();
    for stored in &page.items {
        let before = stored.clone();
        let fact = stored.clone().parse::<T>().unwrap_or_else(|error| panic!("{error}"));
        let changes = vec![fact.rewrite(fact.record.clone()).into()];
        store.commit(Commit { changes, now: 0, ..Commit::default() }).await.unwrap();
        let after = store.load_record(fact.key()).await.unwrap().unwrap();
        let members = |body: &str| serde_json::from_str::<serde_json::Value>(body).unwrap();
        assert_eq!(members(&after.body), members(&before.body), "{}", T::KIND.0);
        assert_eq!(after.epochs, before.epochs);
    }
    page.items.len()
}

macro_rules! read_all {
    ($store:expr; $($record:ty),* $(,)?) => {{
        let mut kinds = Vec::new();
        $(
            let count = read::<$record>($store).await;
            assert!(count > 0, "the kept store holds no {}", <$record>::KIND.0);
            kinds.push(<$record>::KIND);
        )*
        kinds
    }};
}

#[tokio::test]
async fn every_kept_store_is_brought_to_the_newest_layout_and_all_of_it_is_read() {
    for kept in kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        unpack(&kept, &path);
        let before: (String, i64, i64) = rusqlite::Connection::open(&path)
            .unwrap()
            .query_row("SELECT generation, number, (SELECT count(*) FROM event) FROM head", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .unwrap();
        let store = SqliteStore::open(&path, settings()).unwrap();
        let (head, raises) = store.load_raises().await.unwrap();
        assert_eq!((&head.generation, head.number), (&before.0, before.1.unsigned_abs()));
        assert!(!raises.is_empty());
        let query = EventQuery { after: 0, kinds: Vec::new(), raises_only: false, subject: None, limit: 1_000 };
        assert_eq!(store.load_events(query).await.unwrap().events.len(), usize::try_from(before.2).unwrap());
        let kinds = read_all!(
            &store;
            identity::Product, identity::TrustAnchor, identity::Device, identity::Credential, identity::Account,
            identity::User, identity::Passkey, identity::Asset, identity::Bond, identity::BrowserSession,
            identity::DeviceSession, identity::MailToken, identity::Import, oauth::Client, oauth::Consent,
            oauth::AuthorizationCode, oauth::TokenFamily, oauth::Pairing, oauth::SigningKey,
        );
        // The first release had no secret of the tenant.
        assert_eq!(kinds, KINDS.into_iter().filter(|kind| kind.0 != "tenant_secret").collect::<Vec<_>>());
        store.close();
        let again = SqliteStore::open(&path, settings()).unwrap();
        assert_eq!(again.head().await.unwrap().generation, before.0);
    }
}

#[tokio::test]
async fn what_was_used_up_and_what_was_answered_is_remembered_over_a_migration() {
    for kept in kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        unpack(&kept, &path);
        let one = |text: &str| -> (String, i64) {
            let db = rusqlite::Connection::open(&path).unwrap();
            db.query_row(text, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
        };
        let used = one("SELECT key, until FROM once ORDER BY until DESC LIMIT 1");
        let answered = one("SELECT key, until FROM idempotent LIMIT 1");
        let store = SqliteStore::open(&path, settings()).unwrap();
        let once = identity::Change::Once { key: used.0, until: used.1 };
        let refused = store.commit(Commit { changes: vec![once.into()], ..Commit::default() }).await.unwrap_err();
        assert!(matches!(refused, store::CommitError::Conflict(store::Conflict::Used)), "{refused}");
        assert!(store.load_idempotent(answered.0, answered.1 - 1).await.unwrap().is_some());
    }
}
