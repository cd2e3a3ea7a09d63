//! Whether a connection is at work: how many of its requests are under way, since when none is,
//! and whether its peer takes what it asked for, or only asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Requests given up by their peer before they were answered, on one connection. A person who
/// clicks through pages gives up a few; whoever gives up this many, and more than were answered,
/// makes us work for nobody (rapid reset, CVE-2023-44487).
const MOST_GIVEN_UP: u64 = 100;

/// The requests under way on one connection.
#[derive(Debug, Clone)]
pub(super) struct Activity(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    began: Instant,
    under_way: AtomicUsize,
    /// When the last request ended, in microseconds since the connection began: written once per
    /// request, looked at once per idle limit.
    ended_us: AtomicU64,
    /// Answers of which a part is handed out and the next was not asked for: the peer's turn.
    handed_out: AtomicUsize,
    handed_out_begun: Notify,
    /// Counts every turn, so that two looks can tell whether anything moved in between.
    turns: AtomicU64,
    answered: AtomicU64,
    given_up: AtomicU64,
    too_many_given_up: Notify,
}

/// A request under way, until its answer is sent or given up.
#[derive(Debug)]
pub(super) struct UnderWay {
    connection: Arc<Inner>,
    handed_out: bool,
    answered: bool,
}

impl Default for Activity {
    fn default() -> Self {
        Self(Arc::new(Inner {
            began: Instant::now(),
            under_way: AtomicUsize::new(0),
            ended_us: AtomicU64::new(0),
            handed_out: AtomicUsize::new(0),
            handed_out_begun: Notify::new(),
            turns: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
            too_many_given_up: Notify::new(),
        }))
    }
}

impl Activity {
    pub(super) fn begin(&self) -> UnderWay {
        self.0.under_way.fetch_add(1, Ordering::AcqRel);
        UnderWay { connection: Arc::clone(&self.0), handed_out: false, answered: false }
    }

    /// Completes when no request has been under way for so long.
    pub(super) async fn idle_for(&self, limit: Duration) {
        loop {
            let ended = Duration::from_micros(self.0.ended_us.load(Ordering::Acquire));
            let (now, busy) = (Instant::now(), self.0.under_way.load(Ordering::Acquire) > 0);
            let due = if busy { now + limit } else { self.0.began + ended + limit };
            if !busy && due <= now {
                return;
            }
            sleep_until(due).await;
        }
    }

    /// Completes when it has been the peer's turn for so long, up to twice as long, and no part
    /// of any answer was taken.
    pub(super) async fn stalled_for(&self, limit: Duration) {
        loop {
            if self.0.handed_out.load(Ordering::Acquire) == 0 {
                self.0.handed_out_begun.notified().await;
                continue;
            }
            let turns = self.0.turns.load(Ordering::Acquire);
            tokio::time::sleep(limit).await;
            if self.0.handed_out.load(Ordering::Acquire) > 0 && self.0.turns.load(Ordering::Acquire) == turns {
                return;
            }
        }
    }

    /// Completes when the peer has given up too many of its requests.
    pub(super) async fn flooded(&self) {
        self.0.too_many_given_up.notified().await;
    }
}

impl UnderWay {
    /// A part of the answer is ready for the peer.
    pub(super) fn hand_out(&mut self) {
        if !std::mem::replace(&mut self.handed_out, true) {
            self.connection.turns.fetch_add(1, Ordering::AcqRel);
            self.connection.handed_out.fetch_add(1, Ordering::AcqRel);
            self.connection.handed_out_begun.notify_one();
        }
    }

    /// The head of the answer went out to a peer that still wants it.
    pub(super) fn count_answered(&mut self) {
        if !std::mem::replace(&mut self.answered, true) {
            self.connection.answered.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// The peer has room for the next part.
    pub(super) fn take_back(&mut self) {
        if std::mem::replace(&mut self.handed_out, false) {
            self.connection.turns.fetch_add(1, Ordering::AcqRel);
            self.connection.handed_out.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.take_back();
        if !self.answered {
            let given_up = self.connection.given_up.fetch_add(1, Ordering::AcqRel) + 1;
            if given_up >= MOST_GIVEN_UP && given_up > self.connection.answered.load(Ordering::Acquire) {
                self.connection.too_many_given_up.notify_one();
            }
        }
        let ended = u64::try_from(self.connection.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.connection.ended_us.fetch_max(ended, Ordering::AcqRel);
        self.connection.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_only_after_its_last_request_ended() {
        let activity = Activity::default();
        let limit = Duration::from_secs(60);
        let start = tokio::time::Instant::now();
        let request = activity.begin();
        let own = activity.clone();
        let waiting = async { own.idle_for(limit).await };
        let ending = async {
            tokio::time::sleep(Duration::from_secs(100)).await;
            drop(request);
        };
        tokio::join!(waiting, ending);
        assert_eq!(start.elapsed(), Duration::from_secs(160));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_part_after_part_is_not_stalled_one_that_stops_is() {
        let activity = Activity::default();
        let start = tokio::time::Instant::now();
        let mut answer = activity.begin();
        let taking = async {
            // The rule takes its time, then parts are taken slowly, then no more.
            tokio::time::sleep(Duration::from_secs(200)).await;
            answer.hand_out();
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_secs(20)).await;
                answer.take_back();
                answer.hand_out();
            }
        };
        tokio::join!(activity.stalled_for(Duration::from_secs(30)), taking);
        let stalled = start.elapsed() - Duration::from_secs(400);
        assert!((30..=60).contains(&stalled.as_secs()), "{stalled:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_gives_up_most_of_its_requests_floods_one_that_gives_up_some_does_not() {
        let answer = |activity: &Activity| activity.begin().count_answered();
        let within = Duration::from_secs(1);
        let some = Activity::default();
        (0..1000).for_each(|_| answer(&some));
        (0..1000).for_each(|_| drop(some.begin()));
        assert!(tokio::time::timeout(within, some.flooded()).await.is_err(), "as many were answered");
        drop(some.begin());
        some.flooded().await;
        let few = Activity::default();
        (1..MOST_GIVEN_UP).for_each(|_| drop(few.begin()));
        assert!(tokio::time::timeout(within, few.flooded()).await.is_err(), "few may be given up");
        drop(few.begin());
        few.flooded().await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_whose_source_is_silent_is_not_stalled() {
        let activity = Activity::default();
        let mut stream = activity.begin();
        stream.hand_out();
        stream.take_back();
        let waited = tokio::time::timeout(Duration::from_secs(3600), activity.stalled_for(Duration::from_secs(30)));
        assert!(waited.await.is_err());
    }
}
