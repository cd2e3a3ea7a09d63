//! What the world gives: time, chance, documents of others, and what nodes
//! remember together.

use core::future::Future;
use core::pin::Pin;

use crate::once::OnceError;

/// The time. Rules are given `now`; only the edge asks a clock, once per request.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;

    /// Seconds since 1970.
    fn now(&self) -> i64 {
        i64::try_from(self.now_ms() / 1000).unwrap_or(i64::MAX)
    }

    /// Milliseconds since some moment, as they pass: whoever sets the clock or
    /// moves it changes nothing here. A clock that nobody sets is its own.
    fn uptime_ms(&self) -> u64 {
        self.now_ms()
    }

    /// Seconds by which it was moved on purpose from the time of the world: a
    /// demo lives a year in a minute, and other clocks do not go along.
    fn moved_by(&self) -> i64 {
        0
    }

    /// Milliseconds that really passed since some moment in the past, whatever the
    /// time was set to meanwhile; a machine's sleep counts. `None` where nobody
    /// can say: then no leap of the time is told from its passing.
    fn passed_ms(&self) -> Option<u64> {
        None
    }
}

/// Chance fit for secrets.
pub trait Entropy: Send + Sync {
    /// Fills the buffer; a generator that fails stops the process rather than
    /// handing out something guessable.
    fn fill(&self, buffer: &mut [u8]);
}

/// A document that was fetched, or why not.
pub type Fetched<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, FetchError>> + Send + 'a>>;

/// Why a document was not fetched, in words for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchError(pub &'static str);

/// Documents of foreign servers. Whoever fetches sets the limits: time, size,
/// no redirect, nothing but TLS.
pub trait Fetch: Send + Sync {
    /// Fetches the document at an address.
    fn get<'a>(&'a self, url: &'a str) -> Fetched<'a>;
}

/// Single use among several nodes: what one has taken, no other takes.
pub trait SharedOnce: Send + Sync {
    /// Uses a key (a SHA-256) up until a time in seconds.
    ///
    /// # Errors
    /// [`OnceError::Used`], and [`OnceError::Unreachable`] where nobody can say.
    fn take(&self, key: [u8; 32], until: i64) -> Pin<Box<dyn Future<Output = Result<(), OnceError>> + Send + '_>>;
}
