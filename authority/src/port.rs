//! What the world gives: time, chance and documents of others.

use core::future::Future;
use core::pin::Pin;

/// The time. Rules are given `now`; only the edge asks a clock, once per request.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;

    /// Seconds since 1970.
    fn now(&self) -> i64 {
        i64::try_from(self.now_ms() / 1000).unwrap_or(i64::MAX)
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
