//! Decide, then commit: the loop every use case runs in.

use authority::Raised;
use store::{Commit, CommitError, Conflict, Expected};

use crate::app::App;
use crate::fault::Fault;

/// How often a decision is made anew before the request is given up.
const TRIES: u32 = 16;

impl App {
    /// Loads, decides and signs by `attempt`, then commits; on conflict from
    /// the start, with the same drawn values. Raises enter this node's own index
    /// before anybody is answered.
    pub(crate) async fn decide<R, F>(&self, attempt: impl FnMut() -> F) -> Result<R, Fault>
    where
        F: Future<Output = Result<(Commit, R), Fault>>,
    {
        self.decide_with(Expected::default, attempt).await
    }

    /// The same for what devices do in great numbers and what always writes: the
    /// store is told before it is loaded for, so that many share one fsync.
    pub(crate) async fn decide_in_company<R, F>(&self, attempt: impl FnMut() -> F) -> Result<R, Fault>
    where
        F: Future<Output = Result<(Commit, R), Fault>>,
    {
        self.decide_with(|| self.store.expect(), attempt).await
    }

    async fn decide_with<R, F>(&self, expect: impl Fn() -> Expected, mut attempt: impl FnMut() -> F) -> Result<R, Fault>
    where
        F: Future<Output = Result<(Commit, R), Fault>>,
    {
        for _ in 0..TRIES {
            let expected = expect();
            let (mut commit, reply) = attempt().await?;
            self.audit.sample(&mut commit.events, commit.now);
            commit.now = self.node.bounded(commit.now);
            if commit.changes.is_empty() && commit.events.is_empty() {
                return Ok(reply);
            }
            let committed = self.store.commit(commit);
            drop(expected);
            match committed.await {
                Ok(committed) => {
                    if let Some(raised) = committed.raised.first() {
                        self.clock.learn(raised.at);
                    }
                    self.authority.raise(committed.raised.into_iter().map(index_raise));
                    return Ok(reply);
                }
                Err(CommitError::Conflict(conflict)) => tracing::debug!(cause = cause(&conflict), "decide_again"),
                Err(CommitError::Store(error)) => return Err(error.into()),
            }
        }
        metrics::counter!("keyfob_commit_contended_total").increment(1);
        Err(Fault::Contended)
    }
}

fn cause(conflict: &Conflict) -> &'static str {
    match conflict {
        Conflict::Version(key) => key.kind.0,
        Conflict::Taken(what) => what,
        Conflict::Used => "once",
    }
}

/// A raise of the store as a door enters it.
pub(crate) fn index_raise(raised: store::Raised) -> Raised {
    let epochs = identity::Epochs { epoch: raised.epoch, end_epoch: raised.end_epoch };
    Raised { anchor: raised.anchor, epochs, numbered_at: raised.number.map(|_| raised.at) }
}
