//! One atomic step.

use core::fmt;

use identity::{Decision, Event, Guard, RecordKey};

use crate::change::Change;
use crate::error::StoreError;
use crate::feed::{Cursor, Raised};

/// What is to be committed, whole or not at all. A write names the version its
/// decision saw, whatever raises and touches of the same commit stand before it.
/// A raise counts its record's version up, and must be announced by an event.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Commit {
    /// Must all hold.
    pub guards: Vec<Guard>,
    /// Applied in order.
    pub changes: Vec<Change>,
    /// Appended to the log, in order.
    pub events: Vec<Event>,
    /// When the decision was made, seconds.
    pub now: i64,
}

impl Commit {
    /// The writing half of a decision, with its reply aside.
    pub fn of<Reply, C: Into<Change>, Code>(
        decision: Decision<Reply, C, Code>,
        now: i64,
    ) -> (Self, Result<Reply, identity::Refusal<Code>>) {
        let changes = decision.changes.into_iter().map(Into::into).collect();
        (Self { guards: decision.guards, changes, events: decision.events, now }, decision.reply)
    }
}

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Committed {
    /// Raises with the epochs the store gave.
    pub raised: Vec<Raised>,
    /// Cursor of the last event of this commit, where numbers are given inside
    /// the commit.
    pub cursor: Option<Cursor>,
}

/// Why a commit was not applied. Nothing of it was.
#[derive(Debug)]
pub enum CommitError {
    /// A guard, a version or a uniqueness did not hold: load and decide again.
    Conflict(Conflict),
    /// The store failed; whether a later identical try succeeds is unknown.
    Store(StoreError),
}

/// What did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conflict {
    /// The record has another version than the decision saw.
    Version(RecordKey),
    /// Something unique is taken: kind of record and which of its names.
    Taken(&'static str),
    /// A once key is used up.
    Used,
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict(Conflict::Version(key)) => write!(f, "a {} has changed meanwhile", key.kind.0),
            Self::Conflict(Conflict::Taken(what)) => write!(f, "taken: {what}"),
            Self::Conflict(Conflict::Used) => f.write_str("a single-use key was used meanwhile"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for CommitError {}

impl From<StoreError> for CommitError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A commit under way, from before its facts are loaded until it was handed over
/// or given up: until this is dropped.
#[derive(Default)]
pub struct Expected(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Expected {
    /// Calls back at the end.
    pub fn new(end: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(end)))
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end();
        }
    }
}

impl core::fmt::Debug for Expected {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Expected")
    }
}
