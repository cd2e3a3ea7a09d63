//! A database that is lost, slow, or starts anew: refused in time, nothing
//! acknowledged lost, and all well again by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use identity::{Event, EventKind};
use rig::Cluster;
use store::conformance::sample::BEGAN;
use store::{Commit, CommitError, EventQuery, Store, StoreError};
use store_postgres::{PostgresStore, Settings};

use crate::settings;

/// How long a refusal may take on a busy machine.
const IN_TIME: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(2);

async fn open(cluster: &Cluster) -> Arc<PostgresStore> {
    let patient = settings(&cluster.database());
    // The layout is made at leisure; then questions are asked in a hurry.
    PostgresStore::open(patient.clone()).await.unwrap();
    Arc::new(PostgresStore::open(Settings { patience: PATIENCE, connections: 4, ..patient }).await.unwrap())
}

fn announcing(subject: &str) -> Commit {
    Commit { events: vec![Event::new(EventKind::SecurityAnomaly, subject)], now: BEGAN, ..Commit::default() }
}

async fn assert_refused_in_time(store: &PostgresStore) {
    let asks = async {
        let commit = store.commit(announcing("lost")).await;
        assert!(matches!(commit, Err(CommitError::Store(StoreError::Unavailable(_)))), "{commit:?}");
        let head = store.head().await;
        assert!(matches!(head, Err(StoreError::Unavailable(_))), "{head:?}");
        let round = store.round(0).await;
        assert!(matches!(round, Err(StoreError::Unavailable(_))), "{round:?}");
    };
    tokio::time::timeout(IN_TIME, asks).await.expect("it hangs");
}

/// Asks until it is answered again.
async fn recovered(store: &PostgresStore) {
    let well = async {
        while store.commit(announcing("again")).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), well).await.expect("it does not recover");
}

#[tokio::test]
async fn a_lost_database_refuses_in_time_and_recovers_with_all_that_was_acknowledged() {
    let cluster = Cluster::start();
    let store = open(&cluster).await;
    store.commit(announcing("kept")).await.unwrap();
    cluster.stop();
    assert_refused_in_time(&store).await;
    cluster.start_again();
    recovered(&store).await;
    store.round(0).await.unwrap();
    let all = EventQuery { after: 0, kinds: Vec::new(), raises_only: false, subject: None, limit: 100 };
    let told = store.load_events(all).await.unwrap().events;
    assert_eq!(told.first().unwrap().subject, "kept");
    assert!(told.iter().any(|event| event.subject == "again"));
}

#[tokio::test]
async fn a_frozen_database_refuses_in_time_and_recovers() {
    let cluster = Cluster::start();
    let store = open(&cluster).await;
    store.commit(announcing("kept")).await.unwrap();
    cluster.pause();
    assert_refused_in_time(&store).await;
    cluster.resume();
    recovered(&store).await;
    cluster.pause_connections();
    assert!(store.head().await.is_err(), "its connections are frozen");
    recovered(&store).await;
}

/// Each that was acknowledged is told once; what was refused may stand or not,
/// never by half.
#[tokio::test]
async fn a_restart_under_load_loses_nothing_that_was_acknowledged() {
    let cluster = Cluster::start();
    let store = open(&cluster).await;
    let over = Arc::new(AtomicBool::new(false));
    let (acknowledged, first) = std::sync::mpsc::channel();
    let writer = |writer: u32| {
        let (store, over, acknowledged) = (Arc::clone(&store), Arc::clone(&over), acknowledged.clone());
        async move {
            let mut kept = Vec::new();
            for n in 0..u32::MAX {
                let subject = format!("{writer}-{n}");
                match store.commit(announcing(&subject)).await {
                    Ok(_) => {
                        kept.push(subject);
                        let _ = acknowledged.send(());
                    }
                    // Nothing to be had for a while.
                    Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
                if kept.len() >= 200 || over.load(Ordering::Relaxed) {
                    break;
                }
            }
            kept
        }
    };
    let trouble = tokio::task::spawn_blocking({
        let over = Arc::clone(&over);
        move || {
            for _ in 0..2 {
                // Trouble for those who had none so far; unless all are done.
                while first.try_recv().is_ok() {}
                let _ = first.recv_timeout(Duration::from_secs(10));
                cluster.stop();
                cluster.start_again();
            }
            over.store(true, Ordering::Relaxed);
            cluster
        }
    });
    let kept: Vec<String> = futures_util::future::join_all((0..4).map(writer)).await.concat();
    let _cluster = trouble.await.unwrap();
    recovered(&store).await;
    store.round(0).await.unwrap();
    let all = EventQuery { after: 0, kinds: Vec::new(), raises_only: false, subject: None, limit: 1_000 };
    let told: Vec<String> = store.load_events(all).await.unwrap().events.into_iter().map(|it| it.subject).collect();
    for subject in &kept {
        assert_eq!(told.iter().filter(|told| *told == subject).count(), 1, "{subject}");
    }
    assert!(!kept.is_empty(), "nothing was acknowledged: the case proves nothing");
}
