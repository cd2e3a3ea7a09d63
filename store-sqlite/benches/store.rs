//! Durable commits and point loads through the whole store: each commit is
//! acknowledged after its fsync, each load is one snapshot and one hop.
//! `cargo bench -p store-sqlite`; items per second are commits or loads.

#![allow(clippy::unwrap_used, reason = "a benchmark may end by a panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use divan::counter::ItemsCount;
use futures_util::future::join_all;
use identity::facts::DeviceKey;
use store::conformance::sample;
use store::{Commit, Store};
use store_sqlite::{SqliteStore, TenantSettings};
use tokio::runtime::Runtime;

/// Devices the store holds before anything is measured.
const DEVICES: u64 = 50_000;

fn main() {
    divan::main();
}

struct Bed {
    runtime: Runtime,
    store: Arc<SqliteStore>,
    _folder: tempfile::TempDir,
    next: AtomicU64,
}

impl Bed {
    fn new() -> Self {
        let folder = tempfile::tempdir_in(".").unwrap();
        let settings = TenantSettings {
            issuer: "https://id.example".to_owned(),
            device_url: "https://device.id.example".to_owned(),
            max_token_life: 86_400,
        };
        let store = Arc::new(SqliteStore::open(folder.path().join("store.db"), settings).unwrap());
        let bed = Self { runtime: Runtime::new().unwrap(), store, _folder: folder, next: AtomicU64::new(0) };
        bed.runtime.block_on(sample::keep(&*bed.store, [sample::new(sample::product("p"))]));
        for _ in 0..DEVICES / 1_000 {
            let changes = (0..1_000).flat_map(|_| bed.device()).collect();
            let commit = Commit { changes, now: sample::BEGAN, ..Commit::default() };
            bed.runtime.block_on(bed.store.commit(commit)).unwrap();
        }
        bed
    }

    /// A new device with its credential.
    fn device(&self) -> [store::Change; 2] {
        let name = format!("{:020}", self.next.fetch_add(1, Ordering::Relaxed));
        let mut device = sample::device(&name, "p");
        device.serial = Some(name.clone());
        [sample::new(device), sample::new(sample::credential(&name, &name))]
    }
}

/// Each of them writes one device with its credential and an event.
#[divan::bench(args = [1, 16, 256], sample_count = 20)]
fn durable_commits(bencher: divan::Bencher<'_, '_>, writers: usize) {
    let bed = Bed::new();
    bencher.counter(ItemsCount::new(writers)).bench(|| {
        let write = |_| {
            let (store, changes) = (Arc::clone(&bed.store), bed.device().to_vec());
            let events = vec![sample::event("bench")];
            let commit = Commit { changes, events, now: sample::BEGAN, ..Commit::default() };
            bed.runtime.spawn(async move { store.commit(commit).await.map(drop) })
        };
        let done = bed.runtime.block_on(join_all((0..writers).map(write)));
        assert!(done.into_iter().all(|it| it.unwrap().is_ok()));
    });
}

/// Each of them loads a device by serial number, with product and credential.
#[divan::bench(args = [1, 16, 256], sample_count = 50)]
fn device_loads(bencher: divan::Bencher<'_, '_>, readers: usize) {
    let bed = Bed::new();
    let at = AtomicU64::new(0);
    bencher.counter(ItemsCount::new(readers)).bench(|| {
        let read = |_| {
            let store = Arc::clone(&bed.store);
            let number = at.fetch_add(7_919, Ordering::Relaxed) % DEVICES;
            let key = DeviceKey::Serial { model: Some("p".to_owned()), serial: format!("{number:020}") };
            bed.runtime.spawn(async move { store.load_device(key).await.unwrap().device.is_some() })
        };
        let found = bed.runtime.block_on(join_all((0..readers).map(read)));
        assert!(found.into_iter().all(|it| it.unwrap()));
    });
}
