//! One idea carries the house: decide, then commit. A rule is a pure function
//! from facts to a [`Decision`]; the store checks its guards and applies the
//! rest in one atomic step, also when the reply is a refusal.

use crate::anchor::{Anchor, AnchorEpoch, AnchorKind, Epochs};
use crate::change::Write;
use crate::event::Event;

/// How often a record was written; 0 means that there is none.
pub type Version = u64;

/// The name of a kind of record, one table each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kind(pub &'static str);

/// Which record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RecordKey {
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: String,
}

/// Something that is kept: it has a kind, an id, and perhaps an anchor.
pub trait Record {
    /// Its kind.
    const KIND: Kind;
    /// The kind of anchor it is, if tokens can hang from it.
    const ANCHOR: Option<AnchorKind>;
    /// Its id, never used twice.
    fn id(&self) -> &str;
}

/// A record as it was read, with the version and epochs it had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact<T> {
    /// What was read.
    pub record: T,
    /// Its version.
    pub version: Version,
    /// Its epochs.
    pub epochs: Epochs,
}

impl<T> core::ops::Deref for Fact<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.record
    }
}

impl<T: Record> Fact<T> {
    /// Where it is kept.
    pub fn key(&self) -> RecordKey {
        RecordKey { kind: T::KIND, id: self.record.id().to_owned() }
    }

    /// "I relied on this": the commit fails if it has changed since.
    pub fn guard(&self) -> Guard {
        Guard { key: self.key(), version: self.version, anchor: self.anchor() }
    }

    /// What a token made from it lists in `anc`.
    pub fn anchor(&self) -> Option<AnchorEpoch> {
        T::ANCHOR.map(|kind| Anchor::new(kind, self.record.id()).at(self.epochs.epoch))
    }

    /// The same record written anew; fails if it has changed since.
    pub fn rewrite(&self, record: T) -> Write<T> {
        Write { record, version: self.version }
    }
}

/// A fact a decision relied on, absence (version 0) included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// Which record.
    pub key: RecordKey,
    /// The version it was read with.
    pub version: Version,
    /// What a token made by this decision hangs from.
    pub anchor: Option<AnchorEpoch>,
}

impl Guard {
    /// "I relied on there being no such record."
    pub fn absent<T: Record>(id: impl Into<String>) -> Self {
        Self { key: RecordKey { kind: T::KIND, id: id.into() }, version: 0, anchor: None }
    }
}

/// A negative decision: the protocol's word for outside, our precise named
/// cause for log and test. Neither holds a secret, a token or an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal<Code> {
    /// What the peer is told.
    pub code: Code,
    /// What we know, in `snake_case`, stable for logs and tests.
    pub reason: &'static str,
}

impl<Code> Refusal<Code> {
    /// A refusal with its cause.
    pub const fn new(code: Code, reason: &'static str) -> Self {
        Self { code, reason }
    }
}

/// What a rule says: committed whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision<Reply, Change, Code> {
    /// Every fact it relied on.
    pub guards: Vec<Guard>,
    /// What is to be written.
    pub changes: Vec<Change>,
    /// What is to be announced once it is written.
    pub events: Vec<Event>,
    /// The answer.
    pub reply: Result<Reply, Refusal<Code>>,
}

impl<Reply, Change, Code> Decision<Reply, Change, Code> {
    /// A no that writes nothing.
    pub fn refuse(code: Code, reason: &'static str) -> Self {
        Self { guards: Vec::new(), changes: Vec::new(), events: Vec::new(), reply: Err(Refusal::new(code, reason)) }
    }

    /// A yes that writes nothing yet.
    pub fn reply(reply: Reply) -> Self {
        Self { guards: Vec::new(), changes: Vec::new(), events: Vec::new(), reply: Ok(reply) }
    }

    /// Adds a guard.
    #[must_use]
    pub fn guard(mut self, guard: Guard) -> Self {
        self.guards.push(guard);
        self
    }

    /// Adds a change.
    #[must_use]
    pub fn change(mut self, change: impl Into<Change>) -> Self {
        self.changes.push(change.into());
        self
    }

    /// Adds an event.
    #[must_use]
    pub fn event(mut self, event: Event) -> Self {
        self.events.push(event);
        self
    }

    /// Whether there is anything to commit: a decision without changes and
    /// events needs none, its anchors are its guard.
    pub fn needs_commit(&self) -> bool {
        !self.changes.is_empty() || !self.events.is_empty()
    }
}
