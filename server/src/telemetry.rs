//! What the server tells about itself: log lines and numbers.
//!
//! Owns: the form of both, one line per request, request ids. Secrets stay out by
//! construction: a line has the route as it is registered, never the address or query
//! that was asked for, and no header. Other libraries are told at `warn` and above alone.

mod log;
mod metrics;
mod request;

pub use log::start as start_log;
pub use metrics::Metrics;

pub(crate) use metrics::{Answers, connection_cut, connection_open, connection_refused, round_took, view_age};
pub(crate) use request::{mark_routes, observe};
