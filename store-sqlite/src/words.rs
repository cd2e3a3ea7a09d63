//! Texts that stand in every row of the log, kept once: types of events, and the
//! beginning of their ids, which a restored store changes.
//!
//! Owns the table `word`. Words are only added, and only while a store is opened
//! or filled.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use identity::EventKind;
use rusqlite::Connection;

/// The words of an open store.
pub(crate) struct Words {
    generation: String,
    era: i64,
    numbers: HashMap<EventKind, i64>,
    kinds: HashMap<i64, EventKind>,
    /// A store that is filled from a backup learns beginnings of another.
    texts: RwLock<HashMap<i64, String>>,
}

impl Words {
    /// Reads them, after adding what is new.
    pub(crate) fn load(db: &Connection, generation: String) -> rusqlite::Result<Self> {
        let era = era_of(&generation);
        for text in EventKind::ALL.iter().map(|kind| kind.as_str()).chain([era.as_str()]) {
            add(db, text)?;
        }
        let rows: Vec<(i64, String)> = db
            .prepare("SELECT number, text FROM word")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let kinds: HashMap<i64, EventKind> =
            rows.iter().filter_map(|(number, text)| Some((*number, EventKind::parse(text)?))).collect();
        let era = rows.iter().find(|(_, text)| *text == era).map(|(number, _)| *number);
        Ok(Self {
            era: era.ok_or(rusqlite::Error::QueryReturnedNoRows)?,
            generation,
            numbers: kinds.iter().map(|(number, kind)| (*kind, *number)).collect(),
            kinds,
            texts: RwLock::new(rows.into_iter().collect()),
        })
    }

    pub(crate) fn generation(&self) -> &str {
        &self.generation
    }

    /// What ids of events that are made now begin with.
    pub(crate) fn era(&self) -> i64 {
        self.era
    }

    /// Every kind has its number since the store was opened.
    pub(crate) fn kind(&self, kind: EventKind) -> i64 {
        self.numbers.get(&kind).copied().unwrap_or_default()
    }

    pub(crate) fn event_kind(&self, number: i64) -> Option<EventKind> {
        self.kinds.get(&number).copied()
    }

    pub(crate) fn event_id(&self, era: i64, number: u64) -> Option<String> {
        let texts = self.texts.read().unwrap_or_else(PoisonError::into_inner);
        Some(format!("evt_{}{number}", texts.get(&era)?))
    }

    /// Reads them anew, after others were added.
    pub(crate) fn learn(&self, db: &Connection) -> rusqlite::Result<()> {
        let rows: HashMap<i64, String> = db
            .prepare("SELECT number, text FROM word")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        *self.texts.write().unwrap_or_else(PoisonError::into_inner) = rows;
        Ok(())
    }
}

/// The beginning of a generation tells its events from those of another.
fn era_of(generation: &str) -> String {
    generation.chars().take(10).collect()
}

/// Adds a word, unless it is there.
pub(crate) fn add(db: &Connection, text: &str) -> rusqlite::Result<usize> {
    db.prepare_cached("INSERT INTO word (text) VALUES (?1) ON CONFLICT DO NOTHING")?.execute([text])
}
