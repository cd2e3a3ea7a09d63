//! What fails here, never in the request: outside it is a 503 or a 500, inside
//! a named cause.

use core::fmt;

use store::{CommitError, StoreError};

/// A fault of ours.
#[derive(Debug)]
pub enum Fault {
    /// The store failed.
    Store(StoreError),
    /// Too many others wanted the same record at once: try again.
    Contended,
    /// Too much of this kind of work is waiting: try later.
    Busy(&'static str),
    /// This node stands aside until it is well again; another may answer.
    Aside(&'static str),
    /// Something of ours is not as it must be.
    Broken(&'static str),
}

impl Fault {
    /// Whether the same request may work later.
    pub fn is_passing(&self) -> bool {
        // A disk that is full now may have room later.
        let store = matches!(self, Self::Store(StoreError::Unavailable(_) | StoreError::CannotWrite(_)));
        store || matches!(self, Self::Contended | Self::Busy(_) | Self::Aside(_))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Contended => f.write_str("too many changes of one record at once"),
            Self::Busy(what) => write!(f, "too much waiting: {what}"),
            Self::Aside(why) => write!(f, "this node stands aside: {why}"),
            Self::Broken(what) => write!(f, "broken: {what}"),
        }
    }
}

impl core::error::Error for Fault {}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<CommitError> for Fault {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict(_) => Self::Contended,
            CommitError::Store(error) => Self::Store(error),
        }
    }
}
