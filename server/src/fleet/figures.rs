//! What is counted while a fleet is at work: requests and their times, refusals
//! by cause, handshakes, connections.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

/// Times from 1 us to over an hour, each bucket an eighth wider than the one before at most.
const BUCKETS: usize = 32 * 8;

/// Times in buckets.
struct Times(Vec<AtomicU64>);

impl Default for Times {
    fn default() -> Self {
        Self((0..BUCKETS).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Times {
    fn add(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(8);
        let exponent = usize::try_from(micros.ilog2()).unwrap_or(0);
        let eighth = usize::try_from((micros >> (exponent - 3)) & 7).unwrap_or(0);
        let at = ((exponent - 3) * 8 + eighth).min(BUCKETS - 1);
        if let Some(bucket) = self.0.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn take(&self, and_clear: bool) -> Vec<u64> {
        let read = |bucket: &AtomicU64| match and_clear {
            true => bucket.swap(0, Ordering::Relaxed),
            false => bucket.load(Ordering::Relaxed),
        };
        self.0.iter().map(read).collect()
    }
}

/// The upper end of the bucket below which this share of all times lies, in milliseconds.
fn quantile(counts: &[u64], share: f64) -> Option<f64> {
    let all: u64 = counts.iter().sum();
    let wanted = (all as f64 * share).ceil() as u64;
    let mut seen = 0;
    let at = counts.iter().position(|count| {
        seen += count;
        *count > 0 && seen >= wanted
    })?;
    let (exponent, eighth) = (at / 8 + 3, at % 8 + 1);
    let micros = (1_u64 << exponent) + ((1_u64 << exponent) / 8) * eighth as u64;
    Some(micros as f64 / 1000.0)
}

/// All of it; shared by every device.
#[derive(Default)]
pub(super) struct Figures {
    second: Times,
    whole: Times,
    requests: AtomicU64,
    done: AtomicU64,
    full: AtomicU64,
    resumed: AtomicU64,
    open: AtomicUsize,
    most_open: AtomicUsize,
    causes: Mutex<BTreeMap<String, u64>>,
}

impl Figures {
    /// An answer came after this time.
    pub(super) fn answered(&self, time: Duration) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.second.add(time);
        self.whole.add(time);
    }

    /// A device reached what it wanted.
    pub(super) fn done(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn done_count(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// A device was refused, or not answered; by the server's word or ours.
    pub(super) fn refused(&self, cause: &str) {
        *self.causes().entry(cause.to_owned()).or_default() += 1;
    }

    /// A handshake was done, and a connection is open.
    pub(super) fn opened(&self, resumed: bool) {
        if resumed { &self.resumed } else { &self.full }.fetch_add(1, Ordering::Relaxed);
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_open.fetch_max(open, Ordering::Relaxed);
    }

    /// A connection is open no more.
    pub(super) fn closed(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// One line about the last second.
    pub(super) fn line(&self, second: u64) -> String {
        let times = self.second.take(true);
        let rate: u64 = times.iter().sum();
        let shown = |share| quantile(&times, share).map_or("-".to_owned(), |ms| format!("{ms:.1} ms"));
        let refused: u64 = self.causes().values().sum();
        format!(
            "  {second:>4} s  {rate:>6}/s  done {:>7}  refused {refused:>5}  p50 {:>9}  p99 {:>9}  open {:>5}",
            self.done_count(),
            shown(0.5),
            shown(0.99),
            self.open.load(Ordering::Relaxed),
        )
    }

    /// The whole as an object.
    pub(super) fn object(&self, took: Duration) -> Value {
        let times = self.whole.take(false);
        let requests = self.requests.load(Ordering::Relaxed);
        let shown = |share| quantile(&times, share).map(|ms| (ms * 100.0).round() / 100.0);
        json!({
            "seconds": (took.as_secs_f64() * 100.0).round() / 100.0,
            "done": self.done_count(),
            "requests": requests,
            "requests_per_second": (requests as f64 / took.as_secs_f64().max(0.001)).round(),
            "refused": *self.causes(),
            "p50_ms": shown(0.5), "p99_ms": shown(0.99), "slowest_ms": shown(1.0),
            "handshakes": {
                "full": self.full.load(Ordering::Relaxed), "resumed": self.resumed.load(Ordering::Relaxed),
            },
            "most_connections": self.most_open.load(Ordering::Relaxed),
        })
    }

    fn causes(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.causes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_never_below_the_truth_and_an_eighth_above_it_at_most() {
        for truth in [9_u64, 100, 1_000, 12_345, 3_000_000] {
            let times = Times::default();
            (0..99).for_each(|_| times.add(Duration::from_micros(8)));
            times.add(Duration::from_micros(truth));
            let told = quantile(&times.take(false), 1.0).unwrap() * 1000.0;
            assert!(told >= truth as f64 && told <= truth as f64 * 1.126 + 1.0, "{truth} told as {told}");
            assert!(quantile(&times.take(false), 0.5).unwrap() < 0.0101);
        }
        assert_eq!(quantile(&Times::default().take(false), 0.5), None);
    }

    #[test]
    fn a_second_begins_anew_and_the_whole_goes_on() {
        let figures = Figures::default();
        figures.answered(Duration::from_millis(2));
        figures.opened(true);
        figures.closed();
        figures.opened(false);
        figures.refused("invalid_credential");
        assert!(figures.line(1).contains("     1/s"));
        assert!(figures.line(2).contains("     0/s"));
        figures.closed();
        let object = figures.object(Duration::from_secs(2));
        assert_eq!((object["requests"].as_u64(), object["refused"]["invalid_credential"].as_u64()), (Some(1), Some(1)));
        assert_eq!(object["handshakes"], json!({ "full": 1, "resumed": 1 }));
        assert_eq!(object["most_connections"], 1);
    }
}
