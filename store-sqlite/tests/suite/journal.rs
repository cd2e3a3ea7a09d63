//! What ends is written down outside the file before it is committed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use identity::bond::{BondRole, BondState};
use identity::{AnchorKind, Bond, Fact, Raise};
use store::conformance::sample::{self, BEGAN, bond, keep, kept, new, product};
use store::journal::{Entry, Journal, Noted};
use store::{Store, StoreError};
use store_sqlite::SqliteStore;

use crate::file::settings;

/// Keeps entries, fails on demand, and looks at the file while it is asked.
#[derive(Default)]
struct Kept {
    entries: Mutex<Vec<Entry>>,
    void: Mutex<Vec<Noted>>,
    full: AtomicBool,
    calls: Mutex<usize>,
}

impl Journal for Kept {
    fn append(&self, entries: Vec<Entry>) -> Result<Noted, StoreError> {
        *self.calls.lock().unwrap() += 1;
        if self.full.load(Ordering::SeqCst) {
            return Err(StoreError::CannotWrite("full".to_owned()));
        }
        let names = entries.iter().map(|entry| entry.at.to_string()).collect();
        self.entries.lock().unwrap().extend(entries);
        Ok(Noted(names))
    }

    fn turn(&self) -> u64 {
        5
    }

    fn void(&self, noted: &Noted) {
        self.void.lock().unwrap().push(noted.clone());
    }
}

fn open() -> (SqliteStore, Arc<Kept>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(Kept::default());
    let store = SqliteStore::open_with_journal(folder.path().join("store.db"), settings(), journal.clone()).unwrap();
    (store, journal, folder)
}

#[tokio::test]
async fn an_ending_is_written_down_with_the_epochs_the_commit_gives_and_the_record_it_leaves() {
    let (store, journal, _folder) = open();
    keep(&store, [new(bond("1", "1", "ast_1", BondRole::Owner)), new(product("1"))]).await;
    assert!(journal.entries.lock().unwrap().is_empty(), "nothing ended");
    let fact: Fact<Bond> = kept(&store, "bnd_1").await;
    let ended = fact.rewrite(Bond { state: BondState::Ended, ..fact.record.clone() });
    let changes = [Raise::end(AnchorKind::Bond, "bnd_1").into(), ended.into(), new(product("2"))];
    let committed = sample::commit(&store, changes, BEGAN + 10).await.unwrap();
    let entries = journal.entries.lock().unwrap().clone();
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!(entry.raised, committed.raised);
    assert_eq!((entry.at, &entry.generation), (BEGAN + 10, &store.head().await.unwrap().generation));
    let [change] = entry.changed.as_slice() else { panic!("what is new is not written down: {entry:?}") };
    let body: Bond = serde_json::from_str(change.body.as_ref().unwrap()).unwrap();
    assert_eq!((change.id.as_str(), body.state), ("bnd_1", BondState::Ended));
    let after: Fact<Bond> = kept(&store, "bnd_1").await;
    assert!(fact.version < change.version && change.version <= after.version);
    assert_eq!(after.record, body);
}

#[tokio::test]
async fn what_cannot_be_written_down_does_not_end_and_ends_once_it_can() {
    let (store, journal, _folder) = open();
    keep(&store, [new(product("1"))]).await;
    journal.full.store(true, Ordering::SeqCst);
    let raise = || [Raise::cut(AnchorKind::Product, "prd_1").into()];
    let refused = sample::commit(&store, raise(), BEGAN).await.unwrap_err();
    assert!(matches!(refused, store::CommitError::Store(StoreError::CannotWrite(_))), "{refused}");
    let before: Fact<identity::Product> = kept(&store, "prd_1").await;
    assert_eq!(before.epochs.epoch, 0);
    keep(&store, [new(product("2"))]).await;
    journal.full.store(false, Ordering::SeqCst);
    assert_eq!(sample::commit(&store, raise(), BEGAN).await.unwrap().raised.len(), 1);
}

#[tokio::test]
async fn many_endings_of_one_group_are_written_down_at_once() {
    let (store, journal, folder) = open();
    keep(&store, (0..64).map(|number| new(product(&format!("p{number}"))))).await;
    // Another program holds the file, so that all wait for one group.
    let other = rusqlite::Connection::open(folder.path().join("store.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let raise = |number: u32| vec![Raise::cut(AnchorKind::Product, format!("prd_p{number}")).into()];
    let commits: Vec<_> = (0..64)
        .map(|number| {
            let events = vec![sample::event("x")];
            store.commit(store::Commit { changes: raise(number), events, now: BEGAN, ..Default::default() })
        })
        .collect();
    other.execute_batch("ROLLBACK").unwrap();
    for commit in commits {
        commit.await.unwrap();
    }
    assert_eq!(journal.entries.lock().unwrap().len(), 64);
    assert!(*journal.calls.lock().unwrap() <= 2, "one fsync for all who wait");
}

#[tokio::test]
async fn a_backup_says_from_where_the_journal_is_needed() {
    let (store, _journal, _folder) = open();
    assert_eq!(store.export().await.unwrap().journal_from(), Some(5));
}

#[tokio::test]
async fn what_one_file_holds_is_kept_whole_by_another() {
    struct Copied(Vec<store::Item>);
    impl store::Importing for Copied {
        fn next(&mut self) -> Result<Vec<store::Item>, StoreError> {
            Ok(core::mem::take(&mut self.0))
        }
    }
    async fn all(store: &SqliteStore) -> Vec<store::Item> {
        let mut reading = store.export().await.unwrap();
        let mut items = Vec::new();
        loop {
            let batch = reading.next().await.unwrap();
            if batch.is_empty() {
                return items;
            }
            items.extend(batch);
        }
    }
    let kept = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kept/0001/store.sql");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch(&std::fs::read_to_string(kept).unwrap()).unwrap();
    let old = SqliteStore::open(&path, settings()).unwrap();
    let new = SqliteStore::open(folder.path().join("new.db"), settings()).unwrap();
    let items = all(&old).await;
    assert!(items.len() > 100);
    let head = old.head().await.unwrap();
    new.restore(head, Box::new(Copied(items.clone()))).await.unwrap();
    assert_eq!(all(&new).await, items);
}
