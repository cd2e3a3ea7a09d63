//! The test rig: real servers of others, started for a test run and gone with it.
//!
//! Owns PostgreSQL as Debian packages it. Never linked into the binary.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a rig that cannot stand ends its test")]

mod postgres;

pub use postgres::{Cluster, Database, Identity, Setup};
