//! What every door asks: is this token, certificate or proof good right now,
//! and whose is it?
//!
//! Owns the anchor index, the cache of tokens seen, nonces, single use and rates
//! in memory; makes [`AuthenticatedPeer`]. Knows neither stores nor sockets: time,
//! chance and what was raised come in from outside.

mod authenticate;
mod authority;
mod cache;
mod challenge;
mod dpop;
mod foreign;
mod freshness;
mod index;
mod nonce;
mod once;
mod peer;
mod port;
mod rate;
mod token;

#[cfg(test)]
mod tests;

pub use authenticate::{AuthenticatedPeer, Presented, Scheme};
pub use authority::{Authority, Shared, Start};
pub use challenge::{CHALLENGE_LIFE, ChallengeRefusal, Challenges};
pub use dpop::{DpopDoor, ProofRefusal};
pub use foreign::{ForeignIssuers, KeySource};
pub use freshness::RoundBegan;
pub use index::{AnchorIndex, Dead, Raised, SKEW};
pub use nonce::Nonces;
pub use once::{Once, OnceError};
pub use peer::{Peer, UnverifiedCertificate};
pub use port::{Clock, Entropy, Fetch, FetchError, Fetched, SharedOnce};
pub use rate::{Rate, Rates, TooOften};
pub use token::{CLOCK_SKEW, KeySet, OPAQUE_PREFIX, SoundToken, TokenRefusal};
