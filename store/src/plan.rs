//! A commit made ready for a store: records become rows on the way of whoever
//! asks, so that what writes only writes, however often it is tried.
//!
//! Owns what every store refuses before it writes. Does not own how a record is
//! kept; that is the [`Shelf`] of each store.

use std::collections::HashMap;

use identity::{AnchorKind, Event, Guard, Kind, Raise, Record, RecordKey, Version, Write};
use serde::Serialize;

use crate::change::Change;
use crate::commit::Commit;
use crate::error::StoreError;
use crate::journal::{Changed, kind_of_anchor};

/// Where a store keeps records of one kind.
pub trait Shelf: Sized + 'static {
    /// A record as it is written, its id aside.
    type Row;

    /// The one of a kind.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] where there is none.
    fn of(kind: Kind) -> Result<&'static Self, StoreError>;

    /// The kind of its records.
    fn kind(&self) -> Kind;

    /// A record in its form.
    ///
    /// # Errors
    /// That of `serde` for a record that is no JSON object.
    fn row<T: Record + Serialize>(&'static self, record: &T) -> Result<Self::Row, serde_json::Error>;

    /// The JSON of a row again, its id in it.
    fn whole(&self, id: &str, row: &Self::Row) -> Option<String>;
}

/// A commit whose records are rows.
pub struct Plan<S: Shelf> {
    /// Must all hold.
    pub guards: Vec<(Guard, &'static S)>,
    /// Applied in order.
    pub steps: Vec<Step<S>>,
    /// Appended to the log, in order.
    pub events: Vec<Event>,
    /// When the decision was made, seconds.
    pub now: i64,
}

/// One write.
#[allow(missing_docs, reason = "the fields are those of the changes they come from")]
pub enum Step<S: Shelf> {
    /// A whole record, if it has this version now (0: if there is none).
    Write { shelf: &'static S, id: String, version: Version, row: S::Row },
    /// Counts a version up.
    Touch { shelf: &'static S, id: String, version: Version },
    /// Removes a record.
    Erase { shelf: &'static S, id: String, version: Version },
    /// Raises an anchor.
    Raise(Raise),
    /// Uses a key up.
    Once { key: String, until: i64 },
    /// Keeps a reply; `reply` is the JSON it is kept as.
    Idempotent { key: String, until: i64, reply: String },
}

impl<S: Shelf> Plan<S> {
    /// Makes a commit ready.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] for what no store takes.
    pub fn of(commit: Commit) -> Result<Self, StoreError> {
        let raises = |change: &Change| matches!(change, Change::Identity(identity::Change::Raise(_)));
        if commit.events.is_empty() && commit.changes.iter().any(raises) {
            return Err(StoreError::Misuse("a commit that raises must announce it by an event".to_owned()));
        }
        let guards = commit.guards.into_iter().map(|guard| S::of(guard.key.kind).map(|shelf| (guard, shelf)));
        let guards = guards.collect::<Result<_, _>>()?;
        let steps = commit.changes.into_iter().map(step).collect::<Result<_, _>>()?;
        Ok(Self { guards, steps, events: commit.events, now: commit.now })
    }

    /// Records as they are after the commit, for the journal; what it makes anew
    /// is not written down.
    pub fn changed(&self) -> Vec<Changed> {
        let after = |shelf: &S, id: &str, version: Version, body| {
            Some(Changed { kind: shelf.kind(), id: id.to_owned(), version: version + 1, body })
        };
        let changed = self.steps.iter().filter_map(|step| match step {
            Step::Write { shelf, id, version, row } if *version > 0 => {
                after(shelf, id, *version, Some(shelf.whole(id, row)?))
            }
            Step::Erase { shelf, id, version } => after(shelf, id, *version, None),
            _ => None,
        });
        changed.collect()
    }
}

fn step<S: Shelf>(change: Change) -> Result<Step<S>, StoreError> {
    use identity::Change as I;
    use oauth::Change as O;
    match change {
        Change::Identity(change) | Change::OAuth(O::Identity(change)) => match change {
            I::Product(it) => write(&it),
            I::TrustAnchor(it) => write(&it),
            I::Device(it) => write(&it),
            I::Credential(it) => write(&it),
            I::Account(it) => write(&it),
            I::User(it) => write(&it),
            I::Passkey(it) => write(&it),
            I::Asset(it) => write(&it),
            I::Bond(it) => write(&it),
            I::BrowserSession(it) => write(&it),
            I::DeviceSession(it) => write(&it),
            I::MailToken(it) => write(&it),
            I::Import(it) => write(&it),
            I::Raise(it) => raise(it),
            I::Once { key, until } => Ok(Step::Once { key, until }),
            I::Touch { key: RecordKey { kind, id }, version } => Ok(Step::Touch { shelf: S::of(kind)?, id, version }),
            I::Erase { key: RecordKey { kind, id }, version } => Ok(Step::Erase { shelf: S::of(kind)?, id, version }),
        },
        Change::OAuth(O::Client(it)) => write(&it),
        Change::OAuth(O::Consent(it)) => write(&it),
        Change::OAuth(O::AuthorizationCode(it)) => write(&it),
        Change::OAuth(O::TokenFamily(it)) => write(&it),
        Change::OAuth(O::Pairing(it)) => write(&it),
        Change::OAuth(O::SigningKey(it)) => write(&it),
        Change::OAuth(O::TenantSecret(it)) => write(&it),
        Change::Idempotent { key, reply } => {
            let kept = serde_json::json!([reply.request, reply.status, reply.body, reply.headers]);
            Ok(Step::Idempotent { key, until: reply.until, reply: kept.to_string() })
        }
    }
}

fn raise<S: Shelf>(raise: Raise) -> Result<Step<S>, StoreError> {
    let token = raise.anchor.kind == AnchorKind::Token;
    if token != raise.token_expires.is_some() {
        return Err(StoreError::Misuse("a token is raised with its `exp`, nothing else is".to_owned()));
    }
    if !token && kind_of_anchor(&raise.anchor).is_none() {
        return Err(StoreError::Misuse(format!("an anchor `{}` is not raised here", raise.anchor.kind.code())));
    }
    Ok(Step::Raise(raise))
}

fn write<S: Shelf, T: Record + Serialize>(write: &Write<T>) -> Result<Step<S>, StoreError> {
    let shelf = S::of(T::KIND)?;
    let unfit = |error| StoreError::Misuse(format!("a {} cannot be kept: {error}", T::KIND.0));
    let row = shelf.row(&write.record).map_err(unfit)?;
    Ok(Step::Write { shelf, id: write.record.id().to_owned(), version: write.version, row })
}

/// How often raises and touches of one commit counted a record up: a write beside
/// them still names the version that the decision saw.
#[derive(Debug, Default)]
pub struct Counted<'a>(HashMap<(Kind, &'a str), Version>);

impl<'a> Counted<'a> {
    /// One more.
    pub fn up(&mut self, kind: Kind, id: &'a str) {
        *self.0.entry((kind, id)).or_default() += 1;
    }

    /// The version a record has by now that had this one when it was decided.
    pub fn now(&self, kind: Kind, id: &str, seen: Version) -> Version {
        if self.0.is_empty() { seen } else { seen + self.0.get(&(kind, id)).copied().unwrap_or(0) }
    }
}
