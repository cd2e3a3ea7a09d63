//! A store as a whole: read out as of one moment, or filled from what was read
//! out. The same things in every store, so that one can be filled from another.

use core::future::Future;
use core::pin::Pin;

use identity::Kind;

use crate::change::IdempotentReply;
use crate::error::StoreError;
use crate::feed::{Head, Raised, StoredEvent};
use crate::list::Stored;

/// One thing that is kept.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A record with its version and epochs.
    Record {
        /// Of which kind.
        kind: Kind,
        /// As it is kept.
        stored: Stored,
        /// Left out, instead of failing all, where something unique of it is taken.
        dispensable: bool,
    },
    /// An event.
    Event {
        /// As it is kept.
        event: StoredEvent,
        /// Whether it told of raises.
        raises: bool,
    },
    /// A raise that is not forgotten yet.
    Raised(Raised),
    /// A key that is used up.
    Once {
        /// The key.
        key: String,
        /// Until when it is remembered, seconds.
        until: i64,
    },
    /// A reply kept for repetition.
    Idempotent {
        /// Its key.
        key: String,
        /// The reply.
        reply: IdempotentReply,
    },
}

/// A batch on its way.
pub type Batch<'a> = Pin<Box<dyn Future<Output = Result<Vec<Item>, StoreError>> + Send + 'a>>;

/// Everything a store keeps, as of one moment, batch by batch.
pub trait Exporting: Send {
    /// The head of that moment.
    fn head(&self) -> &Head;
    /// The first segment of this node's journal that is needed beside it.
    fn journal_from(&self) -> Option<u64>;
    /// The next items, some hundred; none at the end.
    fn next(&mut self) -> Batch<'_>;
}

/// Everything a store is to keep, batch by batch. Called from a thread that may
/// wait.
pub trait Importing: Send {
    /// The next items; none at the end.
    ///
    /// # Errors
    /// [`StoreError`]: nothing of all that came before is kept.
    fn next(&mut self) -> Result<Vec<Item>, StoreError>;
}
