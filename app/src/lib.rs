//! Use cases: load the facts, call the rule, sign, commit.
//!
//! Owns the order of those steps, the key ring and the ports for mail. Knows no
//! HTTP, no SQL and no sockets; a file here is named like its rule below and its
//! route above.

mod app;
pub mod call_home;
mod certificate;
mod commit;
mod draw;
mod fault;
mod key_ring;
mod start;

pub use app::{App, Settings};
pub use draw::Draw;
pub use fault::Fault;
pub use key_ring::{KeyRing, MasterKey};
