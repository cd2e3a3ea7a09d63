//! The one thread that writes. It takes what waits, puts each commit into a
//! savepoint of its own, and pays one fsync for all of them.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use store::journal::{Entry, Journal};
use store::plan::Plan;
use store::{CommitError, Committed, Head, Importing, StoreError};
use tokio::sync::{oneshot, watch};

use crate::apply::{Place, apply};
use crate::fault::{ends_group, store_error};
use crate::known::{self, Known};
use crate::prune::{Pruner, prune};
use crate::queue::{Patience, Queue};
use crate::table::Table;
use crate::whole;
use crate::words::Words;

/// More in one group would only make the first of them wait.
const GROUP: usize = 512;

/// While other commits are being prepared, a group waits for them: an fsync costs
/// as much as several commits. It is begun with so many, or when the next one takes
/// longer to come than an fsync is worth. Nobody waits where nothing else is under way.
const PATIENCE: Patience = Patience { enough: 64, next: Duration::from_millis(4), looks: 4 };

pub(crate) enum Job {
    Commit(Plan<Table>, oneshot::Sender<Result<Committed, CommitError>>),
    Prune(i64, oneshot::Sender<Result<Head, StoreError>>),
    Restore(Head, Box<dyn Importing>, oneshot::Sender<Result<Head, StoreError>>),
}

pub(crate) struct Writer {
    pub(crate) db: Connection,
    pub(crate) words: Arc<Words>,
    pub(crate) place: Place,
    pub(crate) pruner: Pruner,
    pub(crate) known: Arc<Known>,
    pub(crate) woken: watch::Sender<u64>,
    pub(crate) journal: Option<Arc<dyn Journal>>,
}

/// What will be answered once the group is durable.
enum Outcome {
    Commit(oneshot::Sender<Result<Committed, CommitError>>, Result<Committed, CommitError>),
    Prune(oneshot::Sender<Result<Head, StoreError>>),
}

impl Writer {
    /// Works until the queue is closed and empty; what was taken is in the file
    /// itself afterwards, so that it can be copied as one.
    pub(crate) fn run(mut self, queue: &Arc<Queue<Job>>) {
        loop {
            let jobs = queue.gather(GROUP, &PATIENCE);
            if jobs.is_empty() {
                break;
            }
            let jobs = self.restores(jobs);
            if !jobs.is_empty() {
                self.group(jobs);
            }
        }
        if let Err(error) = self.checkpoint() {
            tracing::warn!(%error, "the log of the store was not folded into its file; the next start does it");
        }
    }

    pub(crate) fn checkpoint(&self) -> Result<(), StoreError> {
        self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(store_error)
    }

    fn group(&mut self, jobs: Vec<Job>) {
        let pruned = jobs.iter().any(|job| matches!(job, Job::Prune(..)));
        let before = self.place;
        let mut outcomes = Vec::with_capacity(jobs.len());
        match self.write(jobs, &mut outcomes) {
            Ok(()) => {
                count(&outcomes);
                let head = self.head();
                for outcome in outcomes {
                    // A caller that has gone away lost its answer, not its commit.
                    let _ = match outcome {
                        Outcome::Commit(reply, result) => reply.send(result).is_ok(),
                        Outcome::Prune(reply) => reply.send(Ok(head.clone())).is_ok(),
                    };
                }
                self.woken.send_modify(|count| *count = count.wrapping_add(1));
            }
            Err(error) => {
                self.place = before;
                for outcome in outcomes {
                    let _ = match outcome {
                        Outcome::Commit(reply, _) => reply.send(Err(CommitError::Store(again(&error)))).is_ok(),
                        Outcome::Prune(reply) => reply.send(Err(again(&error))).is_ok(),
                    };
                }
            }
        }
        if pruned && let Err(error) = self.checkpoint() {
            tracing::warn!(%error, "the log of the store was not folded into its file; it is tried again");
        }
    }

    /// Fills the store where that is asked for, and hands back what else waits.
    fn restores(&mut self, jobs: Vec<Job>) -> Vec<Job> {
        let mut others = Vec::with_capacity(jobs.len());
        for job in jobs {
            match job {
                Job::Restore(begins, items, reply) => {
                    let _ = reply.send(self.restore(&begins, items)).is_ok();
                }
                other => others.push(other),
            }
        }
        others
    }

    fn restore(&mut self, begins: &Head, mut items: Box<dyn Importing>) -> Result<Head, StoreError> {
        let place = Place { number: begins.number, time: begins.time, horizon: begins.horizon };
        let all = self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(store_error)?;
        let place = whole::restore(&all, &self.words, place, &mut *items)?;
        self.words.learn(&all).map_err(store_error)?;
        self.known.shut();
        let done = write_head(&all, place).and_then(|()| all.commit());
        self.known.open();
        done.map_err(store_error)?;
        self.place = place;
        self.woken.send_modify(|count| *count = count.wrapping_add(1));
        Ok(self.head())
    }

    fn head(&self) -> Head {
        let Place { number, time, horizon } = self.place;
        Head { generation: self.words.generation().to_owned(), number, horizon, time }
    }

    /// On an error the whole group is undone; every job has its outcome, so that
    /// each can be told.
    fn write(&mut self, jobs: Vec<Job>, outcomes: &mut Vec<Outcome>) -> Result<(), StoreError> {
        let group = self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(store_error);
        let mut failure = group.as_ref().err().map(again);
        let (mut dirty, mut clients, mut entries) = (false, false, Vec::new());
        let alone = jobs.len() == 1;
        for job in jobs {
            match job {
                Job::Commit(plan, reply) => {
                    let result = match (&group, &failure) {
                        (Ok(group), None) => commit_one(group, &self.words, &mut self.place, &plan, alone),
                        _ => Ok(Committed::default()),
                    };
                    match &result {
                        Err(CommitError::Store(error)) if ends_group(error) => failure = Some(again(error)),
                        Ok(committed) => {
                            dirty = true;
                            entries.extend(self.journal.as_ref().and_then(|_| entry(&self.words, &plan, committed)));
                            clients |= plan.steps.iter().any(known::concerns);
                        }
                        Err(_) => {}
                    }
                    outcomes.push(Outcome::Commit(reply, result));
                }
                Job::Prune(now, reply) => {
                    if let (Ok(group), None) = (&group, &failure) {
                        failure = prune(group, &mut self.pruner, &mut self.place, now).err().map(store_error);
                        dirty = true;
                    }
                    outcomes.push(Outcome::Prune(reply));
                }
                // Taken out before.
                Job::Restore(_, _, reply) => drop(reply),
            }
        }
        match (group, failure) {
            (_, Some(error)) | (Err(error), None) => Err(error),
            (Ok(group), None) if !dirty => group.rollback().map_err(store_error),
            (Ok(group), None) => {
                // Outside the file first: what ended must not be undone by an old copy of it.
                let noted = match self.journal.as_ref().filter(|_| !entries.is_empty()) {
                    Some(journal) => Some((journal, journal.append(entries)?)),
                    None => None,
                };
                if clients {
                    self.known.shut();
                }
                let done = write_head(&group, self.place).and_then(|()| group.commit());
                if clients {
                    self.known.open();
                }
                if let (Err(_), Some((journal, noted))) = (&done, &noted) {
                    journal.void(noted);
                }
                done.map_err(store_error)
            }
        }
    }
}

fn write_head(db: &Connection, place: Place) -> rusqlite::Result<()> {
    let number = i64::try_from(place.number).unwrap_or(i64::MAX);
    db.prepare_cached("UPDATE head SET number = ?1, horizon = ?2, time = ?3")?
        .execute((number, place.horizon, place.time))
        .map(|_| ())
}

/// What of a commit is written down outside the file: what it ended.
fn entry(words: &Words, plan: &Plan<Table>, committed: &Committed) -> Option<Entry> {
    let at = committed.raised.first()?.at;
    let generation = words.generation().to_owned();
    Some(Entry { generation, at, raised: committed.raised.clone(), changed: plan.changed() })
}

/// How many commits shared how many fsyncs.
fn count(outcomes: &[Outcome]) {
    let kept = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Commit(_, Ok(_)))).count();
    if kept > 0 {
        metrics::counter!("keyfob_store_groups_total").increment(1);
        metrics::counter!("keyfob_store_commits_total").increment(kept as u64);
    }
}

/// One commit: whole, or as if it had never been asked for. In a savepoint of its
/// own, unless it is `alone`: then a failure undoes the group, which costs less than
/// keeping each page as it was before.
fn commit_one(
    group: &Connection,
    words: &Words,
    place: &mut Place,
    plan: &Plan<Table>,
    alone: bool,
) -> Result<Committed, CommitError> {
    let savepoint = |text: &str| {
        if alone {
            return Ok(());
        }
        let done = group.prepare_cached(text).and_then(|mut statement| statement.execute([]));
        done.map(drop).map_err(|error| CommitError::Store(store_error(error)))
    };
    let before = *place;
    savepoint("SAVEPOINT one")?;
    let result = apply(group, words, place, plan);
    if result.is_err() {
        *place = before;
        // A full disk ends the transaction by itself: nothing to return to, and
        // the group falls with it.
        if group.is_autocommit() {
            return result;
        }
        savepoint("ROLLBACK TO one")?;
    }
    savepoint("RELEASE one")?;
    result
}

/// The same failure for each who waits.
fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(why) => StoreError::Unavailable(why.clone()),
        StoreError::CannotWrite(why) => StoreError::CannotWrite(why.clone()),
        StoreError::TooNew { found, known } => StoreError::TooNew { found: *found, known: *known },
        StoreError::Corrupt(why) => StoreError::Corrupt(why.clone()),
        StoreError::Misuse(why) => StoreError::Misuse(why.clone()),
    }
}
