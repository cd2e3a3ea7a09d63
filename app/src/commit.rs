//! Decide, then commit: the loop every use case runs in.

use authority::Raised;
use store::{Commit, CommitError, Conflict, Expected};

use crate::app::App;
use crate::fault::Fault;
use crate::turn::Turn;

/// How often a decision is made anew before the request is given up. After the
/// first time a request waits its turn, so that only newcomers and other nodes
/// can still be faster than it: those of another node as often as chance has it,
/// and more often while this one gets less of a processor.
pub(crate) const TRIES: u32 = 64;

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
        let mut turn = None;
        for _ in 0..TRIES {
            let expected = expect();
            let (commit, reply) = attempt().await?;
            match self.commit_or_conflict(commit, expected).await? {
                None => return Ok(reply),
                Some(conflict) => turn = self.next_turn(turn, conflict).await,
            }
        }
        Err(contended())
    }

    /// Commits what there is to commit, at no later a time than this node may
    /// claim; raises enter its own index before anybody is answered.
    pub(crate) async fn commit_or_conflict(
        &self,
        mut commit: Commit,
        expected: Expected,
    ) -> Result<Option<Conflict>, Fault> {
        self.audit.sample(&mut commit.events, commit.now);
        commit.now = self.node.bounded(commit.now);
        if commit.changes.is_empty() && commit.events.is_empty() {
            return Ok(None);
        }
        let committed = self.store.commit(commit);
        drop(expected);
        match committed.await {
            Ok(committed) => {
                if let Some(raised) = committed.raised.first() {
                    self.clock.learn(raised.at);
                }
                self.authority.raise(committed.raised.into_iter().map(index_raise));
                Ok(None)
            }
            Err(CommitError::Conflict(conflict)) => Ok(Some(conflict)),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }

    /// Before the next try: where a record was another's, behind all who wait for
    /// it. Who had the turn already keeps it, for only a newcomer was faster.
    pub(crate) async fn next_turn<'a>(&'a self, turn: Option<Turn<'a>>, conflict: Conflict) -> Option<Turn<'a>> {
        tracing::debug!(cause = cause(&conflict), "decide_again");
        let Conflict::Version(key) = conflict else { return turn };
        if turn.as_ref().is_some_and(|turn| turn.is_for(&key)) {
            return turn;
        }
        // Two who wait for what the other holds would wait for ever.
        drop(turn);
        Some(self.turns.wait(key).await)
    }
}

/// A request that is given up.
pub(crate) fn contended() -> Fault {
    metrics::counter!("keyfob_commit_contended_total").increment(1);
    Fault::Contended
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
