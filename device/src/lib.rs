//! What a device or an app links: call home, pairing, registration with its
//! owner, tokens kept alive, and proof of the key at every request.
//!
//! Owns: the client side of the protocols as machines without sockets, clock,
//! randomness or storage; with `std` keys and tokens in files; with `client`
//! a blocking client. Does not own: anything of the server's side.
#![no_std]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

mod actor;
mod address;
mod answer;
mod call;
mod call_home;
mod client_auth;
mod clock;
mod discovery;
mod exchange;
mod fetch;
mod jwt_bearer;
mod kept;
mod machine;
mod memory;
mod pairing;
mod refresh;
mod refusal;
mod renewal;
mod secret;
mod switch_on;
mod token;
mod wire;

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "std")]
pub mod file;
pub mod vault;

#[cfg(test)]
mod tests;

#[cfg(doctest)]
#[cfg(feature = "client")]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(doctest)]
#[cfg(feature = "client")]
#[doc = include_str!("../../docs/guide/device.md")]
struct Guide;

pub use actor::{ActorClaims, ActorError};
pub use address::{Address, AddressError};
pub use call_home::{CallHome, Called, Hello, Way};
pub use client_auth::ClientAuth;
pub use clock::AskTime;
pub use discovery::{Discovery, Endpoints};
pub use exchange::{Actor, Exchange, SubjectType};
pub use fetch::Fetch;
pub use jose::{SignError, Signer};
pub use jwt_bearer::JwtBearer;
pub use kept::Kept;
pub use machine::{Given, Input, Machine, Output};
pub use memory::Memory;
pub use pairing::{Pairing, Prompt};
pub use refresh::Refresh;
pub use refusal::{AnswerError, ErrorCode, Failure, Refused};
pub use renewal::{BackOff, Fall, Home, Outcome, Renewal, Renewed, Rung, Why};
pub use secret::Secret;
pub use switch_on::SwitchOn;
pub use token::{TokenType, Tokens};
pub use wire::{Method, Request, Response};
