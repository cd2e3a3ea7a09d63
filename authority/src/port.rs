//! What the world gives: time and chance.

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
