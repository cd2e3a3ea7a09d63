//! The embedded store: one SQLite file, one thread that writes in groups, a
//! pool of threads that read snapshots.
//!
//! Owns the SQL. Knows no other store and no use case; every rule it keeps is
//! proved by `store::conformance`.

mod answers;
mod apply;
mod devices;
mod fault;
mod feed;
mod known;
mod layout;
mod list;
mod memo;
mod pack;
mod people;
mod prune;
mod queue;
mod reader;
mod row;
mod snapshot;
mod sqlite_store;
mod table;
mod things;
mod tokens;
mod whole;
mod words;
mod writer;

pub use sqlite_store::{SqliteStore, TenantSettings};
