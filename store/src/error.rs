//! What can go wrong with a store itself.

use core::fmt;

/// A fault of the store, never of the request.
#[derive(Debug)]
pub enum StoreError {
    /// It cannot be reached, is overloaded or shutting down: try later.
    Unavailable(String),
    /// Its disk is full or read-only.
    CannotWrite(String),
    /// It was made by a newer version of the program; it was left untouched.
    TooNew {
        /// Version of its layout.
        found: u32,
        /// The newest layout this program knows.
        known: u32,
    },
    /// What is kept does not parse.
    Corrupt(String),
    /// What was asked breaks the store's contract: a fault of this program, and
    /// trying again is in vain. Nothing was applied.
    Misuse(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(why) => write!(f, "the store is not available: {why}"),
            Self::CannotWrite(why) => write!(f, "the store cannot be written: {why}"),
            Self::TooNew { found, known } => {
                write!(f, "the store has layout {found}, this program knows up to {known}; it was left untouched")
            }
            Self::Corrupt(why) => write!(f, "the store holds something unreadable: {why}"),
            Self::Misuse(why) => write!(f, "the store was asked for what it cannot do: {why}"),
        }
    }
}

impl core::error::Error for StoreError {}
