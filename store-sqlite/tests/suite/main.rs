//! The suite every store must pass, and what is SQLite's own: the file.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may end by a panic")]

mod file;
mod journal;
mod kept;

use std::sync::Arc;

use store::Store;
use store_sqlite::SqliteStore;

async fn open() -> (Arc<dyn Store>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("store.db"), file::settings()).unwrap();
    (Arc::new(store), folder)
}

store::conformance_tests!(crate::open);
