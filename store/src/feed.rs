//! The append-only log of events, its cursors, and the raises among them.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::str::FromStr;

use identity::{Anchor, Epoch, EventKind};

/// A place in the feed: `generation.number`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// The store's generation; a cursor of another one means nothing here.
    pub generation: String,
    /// The number of an event; 0 is before the first.
    pub number: u64,
}

/// The text is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CursorError;

impl fmt::Display for CursorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a cursor is generation.number as an earlier answer gave it")
    }
}

impl core::error::Error for CursorError {}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.generation, self.number)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;
    fn from_str(text: &str) -> Result<Self, CursorError> {
        let (generation, number) = text.rsplit_once('.').ok_or(CursorError)?;
        let digits = !number.is_empty() && number.len() <= 19 && number.bytes().all(|b| b.is_ascii_digit());
        if generation.is_empty() || generation.len() > 64 || !digits {
            return Err(CursorError);
        }
        Ok(Self { generation: generation.to_owned(), number: number.parse().map_err(|_| CursorError)? })
    }
}

/// The head row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// 128 random bits, base64url.
    pub generation: String,
    /// The greatest number given.
    pub number: u64,
    /// The greatest time of any raise ever dropped, seconds.
    pub horizon: i64,
    /// The store's time: never goes back, seconds.
    pub time: i64,
}

impl Head {
    /// The cursor of the newest event.
    pub fn cursor(&self) -> Cursor {
        Cursor { generation: self.generation.clone(), number: self.number }
    }
}

/// What a round of the feed found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// The head, once all that was committed before the round has its number.
    pub head: Head,
    /// The clock of a shared store, seconds: the judge between its nodes'.
    pub clock: Option<i64>,
    /// Events behind the place asked for that raised something, in order, at
    /// most 1,000.
    pub raises: Vec<StoredEvent>,
    /// How far they were read: to the head, unless there are more.
    pub next: u64,
    /// Whether an event behind that place tells of another signing key.
    pub rotated: bool,
}

/// A raise as the store made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// What was raised.
    pub anchor: Anchor,
    /// To which epoch.
    pub epoch: Epoch,
    /// Its `end_epoch` afterwards.
    pub end_epoch: Epoch,
    /// The number of the event that told it; `None` where none was given yet.
    pub number: Option<u64>,
    /// The store's time of the raise, seconds.
    pub at: i64,
    /// For a token's own `jti`: its `exp`; kept longer for its sake.
    pub token_expires: Option<i64>,
}

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its place.
    pub number: u64,
    /// Unique for ever, `evt_…`; the CloudEvents `id`.
    pub id: String,
    /// What happened.
    pub kind: EventKind,
    /// The record it speaks of.
    pub subject: String,
    /// When, seconds.
    pub time: i64,
    /// Facts, JSON object as text; `raised` lists anchors with their new epochs.
    pub data: String,
}

/// Which events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventQuery {
    /// After this number.
    pub after: u64,
    /// Only these kinds; empty means all.
    pub kinds: Vec<EventKind>,
    /// Only those that raised an anchor.
    pub raises_only: bool,
    /// Only about this record.
    pub subject: Option<String>,
    /// At most so many, 1 to 1,000.
    pub limit: u32,
}

/// A page of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    /// In order.
    pub events: Vec<StoredEvent>,
    /// Where to go on: greater than the last event's number when later ones did
    /// not match.
    pub next: u64,
    /// The head of the same snapshot.
    pub head: Head,
}

/// Waits for the next commit of this process.
pub trait Waking: Send {
    /// Resolves once something was committed since the last call.
    fn woken(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// Nothing to wait for.
pub(crate) struct Never;

impl Waking for Never {
    fn woken(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(core::future::pending())
    }
}

/// A follower's wake-up.
pub type Wake = Box<dyn Waking>;
