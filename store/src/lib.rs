//! What the house asks of a store: load the facts of a rule in one snapshot,
//! commit a decision whole or not at all, list by cursor, follow the feed.
//!
//! Owns the sum of all changes and the conformance suite every store must
//! pass. Knows no SQL.

mod change;
mod commit;
#[cfg(feature = "conformance")]
pub mod conformance;
mod contract;
mod error;
mod feed;
pub mod journal;
mod kinds;
mod list;
mod load;
pub mod plan;
mod replay;
mod whole;

pub use change::{Change, IdempotentReply};
pub use commit::{Commit, CommitError, Committed, Conflict, Expected};
pub use contract::{Answer, Store, record};
pub use error::StoreError;
pub use feed::{Cursor, CursorError, EventPage, EventQuery, Head, Raised, Round, StoredEvent, Wake, Waking};
pub use kinds::{KINDS, kind_of};
pub use list::{Condition, Filter, ListQuery, Operator, Page, Stored, with_id};
pub use load::{CallerQuery, SecurityFacts, ThingFacts, ThingsFacts};
pub use replay::{Replay, Replayed, Since};
pub use whole::{Batch, Exporting, Importing, Item};
