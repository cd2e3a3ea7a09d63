//! The threads that read. Each answer is one deferred read transaction on a
//! connection that cannot write, so that it is one snapshot and never waits for
//! the writer.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use store::StoreError;

use crate::fault::store_error;
use crate::memo::Memo;
use crate::queue::Queue;

/// Steps of SQLite's machine between two looks at the counter, and how many such
/// spans one answer may take: some seconds. A longer reader would keep the log
/// from being folded into the file.
const SPAN: i32 = 100_000;
const SPANS: u32 = 2_000;

/// How many brief questions share a snapshot at most.
const RUN: usize = 8;

/// What a reader is asked.
pub(crate) struct Question {
    /// A few look-ups by key: it may stand in line behind others of its kind.
    pub(crate) brief: bool,
    pub(crate) ask: Box<Ask>,
}

/// It sends its answer by itself.
type Ask = dyn FnOnce(Result<Moment<'_>, StoreError>) + Send;

/// One snapshot, and what was read in it before.
pub(crate) struct Moment<'a> {
    pub(crate) db: &'a Connection,
    pub(crate) memo: &'a Memo,
}

pub(crate) struct Reader {
    db: Connection,
    spans: Arc<AtomicU32>,
}

impl Reader {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut db = Connection::open_with_flags(path, flags).map_err(store_error)?;
        db.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -8000; PRAGMA trusted_schema = OFF;")
            .map_err(store_error)?;
        db.busy_timeout(core::time::Duration::from_secs(5)).map_err(store_error)?;
        db.set_prepared_statement_cache_capacity(128);
        // Statements are planned once, never again for the values bound to them.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(store_error)?;
        crate::list::teach(&db).map_err(store_error)?;
        let spans = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&spans);
        let too_long = move || counter.fetch_add(1, Ordering::Relaxed) >= SPANS;
        db.progress_handler(SPAN, Some(too_long)).map_err(store_error)?;
        Ok(Self { db, spans })
    }

    /// Answers until the queue is closed and empty. Brief questions that waited
    /// together share a snapshot: it begins after each of them was asked.
    pub(crate) fn run(self, queue: &Arc<Queue<Question>>) {
        loop {
            let run = queue.pop_run(RUN, |question| question.brief);
            if run.is_empty() {
                return;
            }
            let mut memo = Memo::default();
            for question in run {
                self.spans.store(0, Ordering::Relaxed);
                if self.db.is_autocommit() {
                    memo = Memo::default();
                    if let Err(error) = self.turn("BEGIN DEFERRED") {
                        (question.ask)(Err(store_error(error)));
                        continue;
                    }
                }
                (question.ask)(Ok(Moment { db: &self.db, memo: &memo }));
            }
            // Where it did not begin there is nothing to end.
            if !self.db.is_autocommit()
                && let Err(error) = self.turn("ROLLBACK")
            {
                tracing::error!(%error, "a snapshot of the store was not given back");
            }
        }
    }

    /// The statement is kept: parsing it anew took longer than what it does.
    fn turn(&self, text: &str) -> rusqlite::Result<()> {
        self.db.prepare_cached(text)?.execute([]).map(drop)
    }
}
