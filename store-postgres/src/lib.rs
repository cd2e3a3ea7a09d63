//! The store of several nodes: PostgreSQL, each commit one short serializable
//! transaction, events numbered after it by rounds.
//!
//! Owns the SQL. Knows no other store and no use case; every rule it keeps is
//! proved by `store::conformance`. Leans on nothing that databases which speak
//! PostgreSQL's protocol lack: no advisory locks, keys that spread; LISTEN only
//! makes rounds come sooner.

mod address;
mod answers;
mod apply;
mod devices;
mod due;
mod fault;
mod feed;
mod held;
mod layout;
mod list;
mod people;
mod postgres_store;
mod prune;
mod round;
mod snapshot;
mod table;
mod things;
mod tokens;
mod whole;

pub use address::{Address, AddressError, Way};
pub use postgres_store::{Chance, PostgresStore, Settings};
