//! The suite every store must pass, and what is PostgreSQL's own.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may end by a panic, and has tasks of its own"
)]

mod journal;
mod moved;
mod nodes;
mod trouble;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rig::{Cluster, Database};
use store::Store;
use store_postgres::{Address, PostgresStore, Settings, Way};

/// Numbers that look random enough: each another, from one seed (splitmix64).
fn chance() -> u64 {
    static STATE: AtomicU64 = AtomicU64::new(0x5eed);
    let mut z = STATE.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

pub(crate) fn settings(database: &Database) -> Settings {
    Settings {
        address: Address::parse(&database.url).unwrap().with_password(&database.password),
        way: Way::Plain,
        connections: 8,
        patience: std::time::Duration::from_secs(30),
        issuer: "https://id.example".to_owned(),
        device_url: "https://device.id.example".to_owned(),
        max_token_life: store::conformance::MAX_TOKEN_LIFE,
        chance: Arc::new(chance),
        journal: None,
    }
}

async fn open() -> (Arc<dyn Store>, ()) {
    let database = Cluster::shared().database();
    let store = PostgresStore::open(settings(&database)).await.unwrap();
    (Arc::new(store), ())
}

store::conformance_tests!(crate::open);
