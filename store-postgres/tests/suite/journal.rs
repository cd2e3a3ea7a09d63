//! What ends is written down outside the database before it is committed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use identity::bond::{BondRole, BondState};
use identity::{AnchorKind, Bond, Event, EventKind, Fact, Product, Raise};
use rig::Cluster;
use store::conformance::sample::{self, BEGAN, bond, keep, kept, new, product};
use store::journal::{Entry, Journal, Noted};
use store::{Commit, CommitError, Store, StoreError};
use store_postgres::{PostgresStore, Settings};

use crate::settings;

/// Keeps entries, fails on demand, and may do something to the database meanwhile.
#[derive(Default)]
struct Kept {
    entries: Mutex<Vec<Entry>>,
    void: Mutex<Vec<Noted>>,
    full: AtomicBool,
    meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Journal for Kept {
    fn append(&self, entries: Vec<Entry>) -> Result<Noted, StoreError> {
        if self.full.load(Ordering::SeqCst) {
            return Err(StoreError::CannotWrite("full".to_owned()));
        }
        if let Some(act) = self.meanwhile.lock().unwrap().take() {
            act();
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

async fn open(cluster: &Cluster) -> (PostgresStore, Arc<Kept>) {
    let journal = Arc::new(Kept::default());
    let settings = Settings { journal: Some(Arc::clone(&journal) as _), ..settings(&cluster.database()) };
    (PostgresStore::open(settings).await.unwrap(), journal)
}

fn cut(subject: &str) -> Commit {
    let changes = vec![Raise::cut(AnchorKind::Product, "prd_1").into()];
    Commit { changes, events: vec![Event::new(EventKind::SecurityAnomaly, subject)], now: BEGAN, ..Commit::default() }
}

#[tokio::test]
async fn an_ending_is_written_down_with_the_epochs_the_commit_gives_and_the_record_it_leaves() {
    let (store, journal) = open(Cluster::shared()).await;
    keep(&store, [new(bond("1", "1", "ast_1", BondRole::Owner)), new(product("1"))]).await;
    assert!(journal.entries.lock().unwrap().is_empty(), "nothing ended");
    let fact: Fact<Bond> = kept(&store, "bnd_1").await;
    let ended = fact.rewrite(Bond { state: BondState::Ended, ..fact.record.clone() });
    let changes = [Raise::end(AnchorKind::Bond, "bnd_1").into(), ended.into(), new(product("2"))];
    let committed = sample::commit(&store, changes, BEGAN + 10).await.unwrap();
    let entries = journal.entries.lock().unwrap().clone();
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!((entry.at, &entry.generation), (BEGAN + 10, &store.head().await.unwrap().generation));
    let epochs = |raised: &[store::Raised]| raised.iter().map(|it| (it.epoch, it.end_epoch)).collect::<Vec<_>>();
    assert_eq!(epochs(&entry.raised), epochs(&committed.raised));
    let [change] = entry.changed.as_slice() else { panic!("what is new is not written down: {entry:?}") };
    let body: Bond = serde_json::from_str(change.body.as_ref().unwrap()).unwrap();
    assert_eq!((change.id.as_str(), body.state), ("bnd_1", BondState::Ended));
    let after: Fact<Bond> = kept(&store, "bnd_1").await;
    assert!(fact.version < change.version && change.version <= after.version);
    assert_eq!(after.record, body);
    assert!(journal.void.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_cannot_be_written_down_does_not_end_and_ends_once_it_can() {
    let (store, journal) = open(Cluster::shared()).await;
    keep(&store, [new(product("1"))]).await;
    journal.full.store(true, Ordering::SeqCst);
    let refused = store.commit(cut("x")).await.unwrap_err();
    assert!(matches!(refused, CommitError::Store(StoreError::CannotWrite(_))), "{refused}");
    assert_eq!(kept::<Product>(&store, "prd_1").await.epochs.epoch, 0);
    keep(&store, [new(product("2"))]).await;
    journal.full.store(false, Ordering::SeqCst);
    assert_eq!(store.commit(cut("x")).await.unwrap().raised.len(), 1);
}

/// Text with a NUL is refused by the very last statement, after the ending was written down.
#[tokio::test]
async fn what_the_server_undoes_is_voided() {
    let (store, journal) = open(Cluster::shared()).await;
    keep(&store, [new(product("1"))]).await;
    store.commit(cut("a\0b")).await.unwrap_err();
    assert_eq!(kept::<Product>(&store, "prd_1").await.epochs.epoch, 0);
    assert_eq!((journal.entries.lock().unwrap().len(), journal.void.lock().unwrap().len()), (1, 1));
}

#[tokio::test]
async fn what_may_have_been_committed_stands_in_the_journal() {
    let cluster = Arc::new(Cluster::start());
    let (store, journal) = open(&cluster).await;
    keep(&store, [new(product("1"))]).await;
    let lost = Arc::clone(&cluster);
    *journal.meanwhile.lock().unwrap() = Some(Box::new(move || lost.stop()));
    let refused = store.commit(cut("x")).await.unwrap_err();
    assert!(matches!(refused, CommitError::Store(StoreError::Unavailable(_))), "{refused}");
    assert_eq!(journal.entries.lock().unwrap().len(), 1);
    assert!(journal.void.lock().unwrap().is_empty(), "nobody said that it was undone");
}
