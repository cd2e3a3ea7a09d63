//! The journal of raises: what ended, written down outside the database before
//! it is committed, so that a restored backup does not undo it (anchors: restore).
//!
//! Owns an entry's form and what a store promises. Does not own the file.

use core::fmt;

use identity::{Anchor, AnchorEpoch, AnchorKind, Kind, Version};
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::feed::Raised;

/// Where a store writes raises down. One call may speak for many commits.
pub trait Journal: Send + Sync {
    /// Durable before it answers; called after the store knows the epochs and
    /// before it commits. May block for an fsync.
    ///
    /// # Errors
    /// [`StoreError::CannotWrite`]: the commits must fail.
    fn append(&self, entries: Vec<Entry>) -> Result<Noted, StoreError>;

    /// A backup begins: what is appended from now on goes to a new segment. Segments
    /// below the answered number are not needed with that backup; one more is kept
    /// than is closed now, for a commit of it may not have ended yet.
    fn turn(&self) -> u64;

    /// The commits of these entries failed. What cannot be written stands as if it
    /// had been done, which is the safe side.
    fn void(&self, noted: &Noted);
}

/// Which entries were appended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Noted(pub Vec<String>);

/// What one commit ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// The generation of the store.
    pub generation: String,
    /// The store's time, seconds.
    pub at: i64,
    /// Anchors with the epochs that the commit gives them.
    pub raised: Vec<Raised>,
    /// Records that the commit changes.
    pub changed: Vec<Changed>,
}

/// A record after the commit. What a commit makes anew is not written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Of which kind.
    pub kind: Kind,
    /// Which one.
    pub id: String,
    /// Its version afterwards, raises and touches of the commit aside.
    pub version: Version,
    /// Its content, JSON with the id; `None` where it is erased.
    pub body: Option<String>,
}

/// A line of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A commit that began, with the name of its entry.
    Entry(String, Entry),
    /// The name of one that failed.
    Void(String),
}

/// The line is none of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineError;

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the line is none of a journal of raises")
    }
}

impl core::error::Error for LineError {}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Void {
        void: String,
    },
    Entry {
        entry: String,
        generation: String,
        at: i64,
        raised: Vec<(AnchorEpoch, u64, Option<i64>)>,
        changed: Vec<(String, String, Version, Option<String>)>,
    },
}

impl Line {
    /// The line without its end.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] where something cannot be written as JSON.
    pub fn render(&self) -> Result<String, StoreError> {
        let written = match self {
            Self::Void(name) => Written::Void { void: name.clone() },
            Self::Entry(name, entry) => Written::Entry {
                entry: name.clone(),
                generation: entry.generation.clone(),
                at: entry.at,
                raised: entry
                    .raised
                    .iter()
                    .map(|it| (it.anchor.clone().at(it.epoch), it.end_epoch, it.token_expires))
                    .collect(),
                changed: entry
                    .changed
                    .iter()
                    .map(|it| (it.kind.0.to_owned(), it.id.clone(), it.version, it.body.clone()))
                    .collect(),
            },
        };
        serde_json::to_string(&written)
            .map_err(|error| StoreError::Misuse(format!("a raise cannot be written down: {error}")))
    }

    /// Reads a line back. A kind of record this program does not know is an error.
    ///
    /// # Errors
    /// [`LineError`]
    pub fn parse(text: &str) -> Result<Self, LineError> {
        let (name, generation, at, raised, changed) = match serde_json::from_str(text).map_err(|_| LineError)? {
            Written::Void { void } => return Ok(Self::Void(void)),
            Written::Entry { entry, generation, at, raised, changed } => (entry, generation, at, raised, changed),
        };
        let raised = raised.into_iter().map(|(listed, end_epoch, token_expires)| Raised {
            anchor: listed.anchor,
            epoch: listed.epoch,
            end_epoch,
            number: None,
            at,
            token_expires,
        });
        let changed = changed.into_iter().map(|(kind, id, version, body)| {
            Ok(Changed { kind: crate::kind_of(&kind).ok_or(LineError)?, id, version, body })
        });
        let entry = Entry { generation, at, raised: raised.collect(), changed: changed.collect::<Result<_, _>>()? };
        Ok(Self::Entry(name, entry))
    }
}

/// The kind of the record behind an anchor; a tenant, a ruleset and a token have
/// none.
pub fn kind_of_anchor(anchor: &Anchor) -> Option<Kind> {
    let name = match anchor.kind {
        AnchorKind::Product => "product",
        AnchorKind::TrustAnchor => "trust_anchor",
        AnchorKind::Client => "client",
        AnchorKind::User => "user",
        AnchorKind::Account => "account",
        AnchorKind::Asset => "asset",
        AnchorKind::Device => "device",
        AnchorKind::Credential => "credential",
        AnchorKind::Bond => "bond",
        AnchorKind::Consent => "consent",
        AnchorKind::Session if anchor.id.starts_with(identity::DeviceSessionId::PREFIX) => "device_session",
        AnchorKind::Session => "browser_session",
        AnchorKind::Family => "token_family",
        AnchorKind::Tenant | AnchorKind::Ruleset | AnchorKind::Token => return None,
    };
    Some(Kind(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_back_as_it_went() {
        let raised = |anchor: &str, token_expires| {
            let listed: AnchorEpoch = anchor.parse().unwrap();
            Raised { anchor: listed.anchor, epoch: listed.epoch, end_epoch: 7, number: None, at: 9, token_expires }
        };
        let entry = Entry {
            generation: "gen".to_owned(),
            at: 9,
            raised: vec![raised("b.bnd_1.9", None), raised("j.at-1.9", Some(60))],
            changed: vec![
                Changed {
                    kind: Kind("bond"),
                    id: "bnd_1".to_owned(),
                    version: 4,
                    body: Some("{\"a\":\"\\n\"}".to_owned()),
                },
                Changed { kind: Kind("passkey"), id: "pk_1".to_owned(), version: 2, body: None },
            ],
        };
        for line in [Line::Entry("n-1".to_owned(), entry), Line::Void("n-1".to_owned())] {
            let text = line.render().unwrap();
            assert!(!text.contains('\n'));
            assert_eq!(Line::parse(&text), Ok(line));
        }
    }

    #[test]
    fn a_torn_or_foreign_line_is_none() {
        let void = Line::Void("n-1".to_owned()).render().unwrap();
        for text in ["", "{}", "null", &void[..void.len() - 1], "{\"entry\":\"a\"}"] {
            assert_eq!(Line::parse(text), Err(LineError), "{text}");
        }
        let unknown = r#"{"entry":"a","generation":"g","at":1,"raised":[],"changed":[["gizmo","g_1",1,null]]}"#;
        assert_eq!(Line::parse(unknown), Err(LineError), "what it cannot apply it does not skip");
    }
}
