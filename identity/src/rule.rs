//! The rules of the registry: one file per use case, each a pure function from
//! a request, facts and `now` to a [`Decision`](crate::Decision).
//!
//! Every raise comes with an event, so that the feed carries it. Parents of a
//! set (an account of its members and titles, a title of its bonds, a person of
//! passkeys and sessions) have their version counted up whenever the set
//! changes: two decisions from one snapshot can not both rely on it.

pub mod actor;
pub mod adoption;
pub mod attributes;
pub mod authority;
pub mod call_home;
pub mod claiming;
pub mod device_session;
pub mod end_bond;
pub mod household;
pub mod import_line;
pub mod lifecycle;
mod mailed_link;
pub mod passkey;
pub mod password;
pub mod person;
pub mod recovery;
pub mod resume_bond;
pub mod rotation;
pub mod session;
pub mod sign_in;
pub mod sign_up;
mod title;

pub use mailed_link::{MAIL_BRAKE, life as link_life};

#[cfg(test)]
pub(crate) mod fixture;
