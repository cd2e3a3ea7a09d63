//! The rules of the registry: one file per use case, each a pure function from
//! a request, facts and `now` to a [`Decision`](crate::Decision).
//!
//! Every raise comes with an event, so that the feed carries it. Parents of a
//! set (an account of its members and titles, a title of its bonds, a person of
//! passkeys and sessions) have their version counted up whenever the set
//! changes: two decisions from one snapshot can not both rely on it.

pub mod actor;
pub mod attributes;
pub mod call_home;
pub mod claiming;
pub mod device_session;
pub mod end_bond;
pub mod import_line;
pub mod lifecycle;
mod title;

#[cfg(test)]
pub(crate) mod fixture;
