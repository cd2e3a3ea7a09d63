//! What every door asks: is this token, certificate or proof good right now,
//! and whose is it? Knows neither stores nor sockets; they come in as ports.

mod peer;
mod port;

pub use peer::{Peer, UnverifiedCertificate};
pub use port::{Clock, Entropy};
