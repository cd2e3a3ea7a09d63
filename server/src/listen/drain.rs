//! The tasks of the server, and how they end: one signal, then a deadline.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Every task of the server is spawned here, so that none outlives it unseen.
/// Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Drain {
    tasks: TaskTracker,
    /// No new work; what runs may end.
    stopping: CancellationToken,
    /// The deadline passed: what still runs is dropped.
    over: CancellationToken,
}

impl Drain {
    /// No task, no signal.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task. It should end by itself soon after [`Self::stopping`]; at the deadline it is dropped.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let over = self.over.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = task => {}
                () = over.cancelled() => {}
            }
        });
    }

    /// Completes when the server has begun to stop.
    pub async fn stopping(&self) {
        self.stopping.cancelled().await;
    }

    /// Whether the server has begun to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// The one signal: listeners close, connections end after the request they are at.
    pub fn begin(&self) {
        self.stopping.cancel();
        self.tasks.close();
    }

    /// Waits for all tasks; those that still run at the deadline are dropped. Whether all ended by themselves.
    pub async fn finish(&self, deadline: Duration) -> bool {
        self.begin();
        let in_time = tokio::time::timeout(deadline, self.tasks.wait()).await.is_ok();
        self.over.cancel();
        self.tasks.wait().await;
        in_time
    }
}

/// HTTP/2 runs its streams as tasks of their own.
impl<F> hyper::rt::Executor<F> for Drain
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.spawn(task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_ends_by_itself_is_waited_for() {
        let drain = Drain::new();
        let own = drain.clone();
        drain.spawn(async move {
            own.stopping().await;
            tokio::time::sleep(Duration::from_secs(5)).await;
        });
        assert!(drain.finish(Duration::from_secs(10)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_end_is_dropped_at_the_deadline() {
        let drain = Drain::new();
        drain.spawn(std::future::pending());
        assert!(!drain.finish(Duration::from_secs(10)).await);
    }
}
