//! The one accept loop, for every listener of the process.
//!
//! Owns: binding, counting connections before the handshake, TLS, HTTP/1.1 and
//! HTTP/2 with their limits and deadlines, whom a neighbour speaks for, drain.
//! Does not own: what is answered (a `Router` is handed in).

mod accept;
mod activity;
mod admission;
mod connection;
mod drain;
pub mod framing;
pub mod neighbour;
pub mod proxy_protocol;
mod request;
mod strict;
mod wire;

pub use accept::{Door, Socket, open};
pub use drain::Drain;
