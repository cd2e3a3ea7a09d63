//! Back from a backup, into a store in which nothing is yet: a new generation, and
//! all that ended since (anchors: restore).
//!
//! Owns reading journals and the order of the steps. What a journal means for a
//! record is `store::Replay`'s.

use std::collections::HashSet;
use std::fmt;
use std::io::{self, BufRead};
use std::sync::{Arc, Mutex, PoisonError};

use identity::EventKind;
use serde_json::json;
use store::journal::{Entry, Line};
use store::{Head, Importing, Item, Replay, Replayed, Since, Store, StoreError, StoredEvent};

use crate::backup::{BackupError, BackupHead, Items};
use crate::fault::Fault;

/// Items that are handed over together.
const BATCH: usize = 500;

/// Why a journal does not count. Nothing was written.
#[derive(Debug)]
pub enum JournalError {
    /// It cannot be read.
    Unreadable(io::Error),
    /// A line in its middle is none of a journal.
    Damaged(u64),
    /// It speaks of another store than the backup.
    OtherStore(String),
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "it cannot be read: {error}"),
            Self::Damaged(line) => write!(f, "line {line} is not understood"),
            Self::OtherStore(generation) => {
                write!(f, "it was written after another restore (generation {generation}) and does not fit this backup")
            }
        }
    }
}

impl std::error::Error for JournalError {}

/// What journals say, read one after the other.
#[derive(Debug, Default)]
pub struct Journals {
    /// As they were read: those of one node in the order in which they were written.
    entries: Vec<(String, Entry)>,
    void: HashSet<String>,
}

impl Journals {
    /// Reads one. Its last line may be cut off: what it would have told was never
    /// committed, for a commit waits for its entry.
    ///
    /// # Errors
    /// [`JournalError`]
    pub fn read(&mut self, input: &mut dyn BufRead, generation: &str) -> Result<(), JournalError> {
        let (mut line, mut number) = (Vec::new(), 0);
        loop {
            line.clear();
            input.read_until(b'\n', &mut line).map_err(JournalError::Unreadable)?;
            number += 1;
            let Some(whole) = line.strip_suffix(b"\n") else { return Ok(()) };
            let parsed = core::str::from_utf8(whole).ok().and_then(|text| Line::parse(text).ok());
            match parsed.ok_or(JournalError::Damaged(number))? {
                Line::Void(name) => drop(self.void.insert(name)),
                Line::Entry(_, entry) if entry.generation != generation => {
                    return Err(JournalError::OtherStore(entry.generation));
                }
                Line::Entry(name, entry) => self.entries.push((name, entry)),
            }
        }
    }

    /// Those that were not voided: one without an outcome counts as done.
    fn entries(self) -> impl Iterator<Item = Entry> {
        let (void, mut entries) = (self.void, self.entries);
        entries.sort_by_key(|(_, entry)| entry.at);
        entries.into_iter().filter(move |(name, _)| !void.contains(name)).map(|(_, entry)| entry)
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The head of the store.
    pub head: Head,
    /// What was done on the way.
    pub replayed: Replayed,
}

/// Fills an empty store from a backup that was verified, in one atomic step.
///
/// # Errors
/// [`Fault::Store`]: nothing was written, and the store is as empty as before.
pub async fn restore(
    store: &dyn Store,
    backup: Box<dyn BufRead + Send>,
    head: &BackupHead,
    since: Since,
    journals: Journals,
    now: i64,
) -> Result<Restored, Fault> {
    let items = Items::begin(backup).map_err(|error| broken(&error))?;
    let replay = Replay::new(since, head.head(), journals.entries());
    let begins = Head { number: head.number + 1, time: replay.time(now), ..head.head() };
    let generation = store.head().await?.generation;
    let told = told(head, &generation, begins.time, since);
    let done = Arc::new(Mutex::new(Replayed::default()));
    let way = Way { items: Some(items), replay, told: Some(told), done: Arc::clone(&done) };
    let head = store.restore(begins, Box::new(way)).await?;
    let replayed = done.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(Restored { head, replayed })
}

/// Whoever reads the log shall see that time was turned back here.
fn told(head: &BackupHead, generation: &str, time: i64, since: Since) -> StoredEvent {
    let since = match since {
        Since::Journals => "journals",
        Since::Suspend => "suspend",
        Since::Accepted => "accepted",
    };
    let number = head.number + 1;
    let era: String = generation.chars().take(10).collect();
    StoredEvent {
        number,
        id: format!("evt_{era}{number}"),
        kind: EventKind::SecurityAnomaly,
        subject: generation.to_owned(),
        time,
        data: json!({ "cause": "restored", "from_generation": head.generation, "since": since }).to_string(),
    }
}

fn broken(error: &BackupError) -> StoreError {
    StoreError::Corrupt(error.to_string())
}

/// The items on their way into the store.
struct Way {
    items: Option<Items>,
    replay: Replay,
    told: Option<StoredEvent>,
    done: Arc<Mutex<Replayed>>,
}

impl Importing for Way {
    fn next(&mut self) -> Result<Vec<Item>, StoreError> {
        let mut batch = Vec::with_capacity(BATCH);
        while let Some(items) = &mut self.items {
            match items.next().map_err(|error| broken(&error))? {
                Some(item) => batch.extend(self.replay.item(item)),
                None => {
                    self.items = None;
                    batch.extend(self.replay.rest());
                    batch.extend(self.told.take().map(|event| Item::Event { event, raises: false }));
                    *self.done.lock().unwrap_or_else(PoisonError::into_inner) = self.replay.done().clone();
                }
            }
            if batch.len() >= BATCH {
                break;
            }
        }
        Ok(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, generation: &str) -> String {
        let entry = Entry { generation: generation.to_owned(), at: 1, ..Entry::default() };
        Line::Entry(name.to_owned(), entry).render().unwrap() + "\n"
    }

    fn void(name: &str) -> String {
        Line::Void(name.to_owned()).render().unwrap() + "\n"
    }

    fn read(texts: &[String]) -> Result<Vec<Entry>, JournalError> {
        let mut journals = Journals::default();
        for text in texts {
            journals.read(&mut text.as_bytes(), "g")?;
        }
        Ok(journals.entries().collect())
    }

    #[test]
    fn an_entry_counts_unless_it_was_voided_wherever_that_is_written() {
        let all = [entry("a", "g") + &entry("b", "g"), void("a")];
        assert_eq!(read(&all).unwrap().len(), 1);
        assert_eq!(read(&all[..1]).unwrap().len(), 2, "without an outcome it counts as done");
    }

    #[test]
    fn a_last_line_that_was_cut_off_is_nothing_and_one_in_the_middle_is_damage() {
        let whole = entry("a", "g") + &entry("b", "g");
        for end in 0..whole.len() {
            let cut = whole[..end].to_owned();
            let expected = cut.matches('\n').count();
            assert_eq!(read(std::slice::from_ref(&cut)).unwrap().len(), expected, "{end}");
        }
        let middle = entry("a", "g").replace("generation", "gen") + &entry("b", "g");
        assert!(matches!(read(&[middle]), Err(JournalError::Damaged(1))));
    }

    #[test]
    fn the_journal_of_another_generation_is_refused() {
        assert!(matches!(read(&[entry("a", "h")]), Err(JournalError::OtherStore(other)) if other == "h"));
    }
}
