//! Every route through the real router on a real store, files named like the
//! URL. Each answer of the REST API is held to its own description.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may end by a panic")]

mod accounts;
mod assets;
mod bonds;
mod clients;
mod clock;
mod confidential;
mod conventions;
mod device;
mod device_cas;
mod device_keys;
mod devices;
mod events;
mod exchange;
mod imports;
mod kept;
mod keys;
mod oauth;
mod openapi;
mod pair;
mod people;
mod products;
mod users;
mod world;
