//! Whether a connection is at work: how many of its requests are under way, and since when none is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// The requests under way on one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Activity(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    under_way: AtomicUsize,
    changed: Notify,
}

/// A request under way, until its answer is sent or given up.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<Inner>);

impl Activity {
    pub(super) fn begin(&self) -> UnderWay {
        self.0.under_way.fetch_add(1, Ordering::AcqRel);
        self.0.changed.notify_one();
        UnderWay(Arc::clone(&self.0))
    }

    /// Completes when no request has been under way for so long.
    pub(super) async fn idle_for(&self, limit: Duration) {
        loop {
            if self.0.under_way.load(Ordering::Acquire) > 0 {
                self.0.changed.notified().await;
            } else if tokio::time::timeout(limit, self.0.changed.notified()).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
        self.0.changed.notify_one();
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
}
