//! The routes, over a real store, through the real router.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may end by a panic")]

mod people;
