//! Several nodes on one database, and what comes late.

use std::sync::Arc;
use std::time::Duration;

use identity::{Account, AnchorKind, Event, EventKind, Raise};
use rig::{Cluster, Database};
use store::conformance::sample::{BEGAN, account, kept, new};
use store::{Commit, EventQuery, Store, StoreError};
use store_postgres::PostgresStore;

use crate::settings;

async fn node(database: &Database) -> Arc<PostgresStore> {
    Arc::new(PostgresStore::open(settings(database)).await.unwrap())
}

fn announcing(subject: &str) -> Commit {
    Commit { events: vec![Event::new(EventKind::SecurityAnomaly, subject)], now: BEGAN, ..Commit::default() }
}

fn after(number: u64) -> EventQuery {
    EventQuery { after: number, kinds: Vec::new(), raises_only: false, subject: None, limit: 1_000 }
}

/// A connection beside the store's.
async fn connect(
    database: &Database,
) -> (tokio_postgres::Client, tokio_postgres::Connection<tokio_postgres::Socket, tokio_postgres::tls::NoTlsStream>) {
    let mut config: tokio_postgres::Config = database.url.parse().unwrap();
    config.password(&database.password).connect(tokio_postgres::NoTls).await.unwrap()
}

/// Until so many wait for a lock. A transaction sees the same of others until it asks to see more.
async fn waiting_for_a_lock(other: &tokio_postgres::Client, count: i64) {
    let locks = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    let wait = async {
        while other.query_one(locks, &[]).await.unwrap().get::<_, i64>(0) < count {
            other.query("SELECT pg_stat_clear_snapshot()", &[]).await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("nobody waits");
}

async fn subjects(store: &dyn Store, from: u64) -> Vec<String> {
    store.load_events(after(from)).await.unwrap().events.into_iter().map(|event| event.subject).collect()
}

#[tokio::test]
async fn nodes_that_start_at_once_on_an_empty_database_make_one_store() {
    for _ in 0..5 {
        let database = Cluster::shared().database();
        let nodes = futures_util::future::join_all((0..6).map(|_| node(&database))).await;
        let mut generations = Vec::new();
        for node in &nodes {
            generations.push(node.head().await.unwrap().generation);
        }
        generations.dedup();
        assert_eq!(generations.len(), 1);
        assert_eq!(Cluster::shared().sql(&database.name, "SELECT number FROM layout"), "3");
    }
}

#[tokio::test]
async fn what_one_node_commits_another_is_told_by_its_own_round() {
    let database = Cluster::shared().database();
    let (here, there) = (node(&database).await, node(&database).await);
    let mut wake = there.wake();
    here.commit(Commit { changes: vec![new(account("1"))], ..announcing("1") }).await.unwrap();
    let raise = Commit { changes: vec![Raise::end(AnchorKind::Account, "acc_1").into()], ..announcing("2") };
    let raised = here.commit(raise).await.unwrap().raised;
    assert_eq!(raised[0].number, None, "the commit does not know it");
    let (head, raises) = there.load_raises().await.unwrap();
    assert_eq!((head.number, raises.len(), raises[0].number), (0, 1, None), "a start sees those without a number");
    assert_eq!(there.round(0).await.unwrap().head.number, 2);
    wake.woken().await;
    assert_eq!(subjects(&*there, 0).await, ["1", "2"]);
    assert_eq!(there.load_raises().await.unwrap().1[0].number, Some(2));
    assert_eq!(here.round(0).await.unwrap().head.number, 2, "each is numbered once");
    assert_eq!(kept::<Account>(&*there, "acc_1").await.epochs.end_epoch, BEGAN.unsigned_abs());
}

/// Commits and numbers here until another hears of it.
async fn speak(here: &PostgresStore, hears: impl Future<Output = ()>) {
    let mut hears = core::pin::pin!(hears);
    let spoken = async {
        loop {
            here.commit(announcing("word")).await.unwrap();
            here.round(u64::MAX).await.unwrap();
            if tokio::time::timeout(Duration::from_millis(100), &mut hears).await.is_ok() {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), spoken).await.expect("nobody hears");
}

#[tokio::test]
async fn the_word_of_another_node_makes_a_round_due_and_ones_own_does_not() {
    let database = Cluster::shared().database();
    let (here, there) = (node(&database).await, node(&database).await);
    let (mut due_here, mut due_there) = (here.round_due(), there.round_due());
    speak(&here, due_there.woken()).await;
    speak(&there, due_here.woken()).await;
    // From here on both listen. What another committed is numbered here.
    for due in [&mut due_here, &mut due_there] {
        while tokio::time::timeout(Duration::from_millis(100), due.woken()).await.is_ok() {}
    }
    let (other, connection) = connect(&database).await;
    let connection = tokio::spawn(connection);
    let fresh = "INSERT INTO fresh (id, kind, subject, at, raises, data)
                 VALUES ('evt_other', 'security.anomaly', 'other', 0, false, '{}')";
    other.batch_execute(fresh).await.unwrap();
    here.round(0).await.unwrap();
    tokio::time::timeout(Duration::from_secs(30), due_there.woken()).await.expect("the word reaches the other");
    let own = tokio::time::timeout(Duration::from_millis(300), due_here.woken()).await;
    assert!(own.is_err(), "nobody needs to be told what they said");
    // A lost ear grows again.
    let deaf = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    other.query(deaf, &[]).await.unwrap();
    speak(&here, due_there.woken()).await;
    drop(other);
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_crowd_of_requests_does_not_keep_rounds_waiting() {
    let database = Cluster::shared().database();
    node(&database).await.commit(Commit { changes: vec![new(account("1"))], ..announcing("made") }).await.unwrap();
    let few = store_postgres::Settings { connections: 2, patience: Duration::from_secs(60), ..settings(&database) };
    let store = Arc::new(PostgresStore::open(few).await.unwrap());
    let (other, connection) = connect(&database).await;
    let connection = tokio::spawn(connection);
    other.batch_execute("BEGIN; SELECT 1 FROM account WHERE id = 'acc_1' FOR UPDATE").await.unwrap();
    let raise = || {
        let store = Arc::clone(&store);
        let changes = vec![Raise::cut(AnchorKind::Account, "acc_1").into()];
        tokio::spawn(async move { store.commit(Commit { changes, ..announcing("waits") }).await })
    };
    let waiting = [raise(), raise()];
    waiting_for_a_lock(&other, 2).await;
    let asked = tokio::time::timeout(Duration::from_millis(300), store.head()).await;
    assert!(asked.is_err(), "all connections are taken");
    assert_eq!(store.round(0).await.unwrap().head.number, 1, "the rounds go on");
    other.batch_execute("ROLLBACK").await.unwrap();
    for commit in waiting {
        let _ = commit.await.unwrap();
    }
    drop(other);
    connection.await.unwrap().unwrap();
}

/// Commit order against cursor order: what began early and ends late has no
/// number before it is committed, so that no cursor has passed it.
#[tokio::test]
async fn a_late_commit_is_not_skipped_by_a_cursor() {
    let database = Cluster::shared().database();
    let store = node(&database).await;
    let (late, connection) = connect(&database).await;
    let connection = tokio::spawn(connection);
    let begin = "BEGIN; INSERT INTO fresh (id, kind, subject, at, raises, data)
                 VALUES ('evt_late', 'security.anomaly', 'late', 0, false, '{}')";
    late.batch_execute(begin).await.unwrap();
    store.commit(announcing("early")).await.unwrap();
    let read = store.round(0).await.unwrap().head.number;
    assert_eq!(subjects(&*store, 0).await, ["early"]);
    late.batch_execute("COMMIT").await.unwrap();
    store.commit(announcing("next")).await.unwrap();
    store.round(0).await.unwrap();
    assert_eq!(subjects(&*store, read).await, ["late", "next"]);
    drop(late);
    connection.await.unwrap().unwrap();
}

/// 40001, forced: another transaction has read what this commit writes and
/// writes what it reads, and is not done before the commit is under way.
#[tokio::test]
async fn a_commit_that_only_collides_is_tried_again_and_succeeds() {
    let database = Cluster::shared().database();
    let store = node(&database).await;
    store.commit(Commit { changes: vec![new(account("1"))], ..announcing("made") }).await.unwrap();
    let fact = kept::<Account>(&*store, "acc_1").await;
    let (other, connection) = connect(&database).await;
    let connection = tokio::spawn(connection);
    // Holds the row without changing its version in the end.
    other.batch_execute("BEGIN; UPDATE account SET version = version WHERE id = 'acc_1'").await.unwrap();
    let renamed = Account { name: "renamed".to_owned(), ..fact.record.clone() };
    let commit = Commit { changes: vec![fact.rewrite(renamed).into()], ..announcing("renamed") };
    let committing = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.commit(commit).await }
    });
    waiting_for_a_lock(&other, 1).await;
    other.batch_execute("COMMIT").await.unwrap();
    committing.await.unwrap().unwrap();
    assert!(store.retried() > 0, "it did not collide: the case proves nothing");
    assert_eq!(kept::<Account>(&*store, "acc_1").await.name, "renamed");
    store.round(0).await.unwrap();
    assert_eq!(subjects(&*store, 0).await, ["made", "renamed"], "told once");
    drop(other);
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_database_of_a_newer_program_or_of_another_is_refused_and_left_as_it_is() {
    let cluster = Cluster::shared();
    let newer = cluster.database();
    node(&newer).await;
    cluster.sql(&newer.name, "UPDATE layout SET number = 99");
    let refused = PostgresStore::open(settings(&newer)).await.unwrap_err();
    assert!(matches!(refused, StoreError::TooNew { found: 99, known: 3 }), "{refused}");
    assert_eq!(cluster.sql(&newer.name, "SELECT number FROM layout"), "99");
    let others = cluster.database();
    cluster.sql(&others.name, "CREATE TABLE notes (text text)");
    assert!(matches!(PostgresStore::open(settings(&others)).await, Err(StoreError::Corrupt(_))));
    assert_eq!(cluster.sql(&others.name, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "1");
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_not_shown() {
    let database = Database { password: "wrong-password".to_owned(), ..Cluster::shared().database() };
    let refused = PostgresStore::open(settings(&database)).await.unwrap_err().to_string();
    assert!(refused.contains("password authentication failed") && !refused.contains("wrong-password"), "{refused}");
}

/// Text with a NUL cannot stand in `jsonb`.
#[tokio::test]
async fn what_the_database_cannot_keep_is_misuse_and_leaves_nothing() {
    let database = Cluster::shared().database();
    let store = node(&database).await;
    let odd = Account { name: "a\0b".to_owned(), ..account("1") };
    let refused = store.commit(Commit { changes: vec![new(odd)], ..announcing("odd") }).await;
    assert!(matches!(refused, Err(store::CommitError::Store(StoreError::Misuse(_)))), "{refused:?}");
    assert_eq!(store.round(0).await.unwrap().head.number, 0);
}
