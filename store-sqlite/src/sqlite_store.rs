//! The store itself: opening, closing, and the hop from a task to a thread.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use identity::Tenant;
use rusqlite::Connection;
use store::journal::Journal;
use store::{Answer, Expected, StoreError, Waking};
use tokio::sync::{oneshot, watch};

use crate::fault::store_error;
use crate::known::Known;
use crate::layout;
use crate::prune::Pruner;
use crate::queue::Queue;
use crate::reader::{Moment, Question, Reader};
use crate::snapshot::Snapshot;
use crate::words::Words;
use crate::writer::{Job, Writer};

/// Beyond these, askers are refused instead of kept waiting.
const WRITES_WAITING: usize = 4_096;
const READS_WAITING: usize = 4_096;

/// What the store is told about its tenant; the generation is its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantSettings {
    /// The issuer URL.
    pub issuer: String,
    /// The URL of the host that requests client certificates.
    pub device_url: String,
    /// No token lives longer, in seconds (180 to 31,536,000): decides how long
    /// raises are kept.
    pub max_token_life: i64,
}

/// The embedded store: one file, its log beside it.
pub struct SqliteStore {
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) path: PathBuf,
    pub(crate) journal: Option<Arc<dyn Journal>>,
    writes: Arc<Queue<Job>>,
    reads: Arc<Queue<Question>>,
    pub(crate) known: Arc<Known>,
    pub(crate) words: Arc<Words>,
    woken: watch::Receiver<u64>,
    readers: Mutex<Vec<JoinHandle<()>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl SqliteStore {
    /// Opens the store at a path and makes it where there is none. Its folder
    /// must exist. Blocks for as long as migrations take.
    ///
    /// # Errors
    /// [`StoreError::TooNew`] for a file of a newer program, which stays as it
    /// is; [`StoreError::Corrupt`] for a file that is none of ours;
    /// [`StoreError::CannotWrite`] or [`StoreError::Unavailable`] where the file
    /// cannot be written or opened.
    pub fn open(path: impl AsRef<Path>, settings: TenantSettings) -> Result<Self, StoreError> {
        Self::open_with(path.as_ref(), settings, None)
    }

    /// The same, and whatever ends is written down in a journal before it is
    /// committed.
    ///
    /// # Errors
    /// Those of [`SqliteStore::open`].
    pub fn open_with_journal(
        path: impl AsRef<Path>,
        settings: TenantSettings,
        journal: Arc<dyn Journal>,
    ) -> Result<Self, StoreError> {
        Self::open_with(path.as_ref(), settings, Some(journal))
    }

    fn open_with(path: &Path, settings: TenantSettings, journal: Option<Arc<dyn Journal>>) -> Result<Self, StoreError> {
        layout::inspect(path)?;
        let mut db = Connection::open(path).map_err(store_error)?;
        db.busy_timeout(core::time::Duration::from_secs(5)).map_err(store_error)?;
        db.set_prepared_statement_cache_capacity(256);
        db.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -64000;
             PRAGMA wal_autocheckpoint = 4000; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;",
        )
        .map_err(store_error)?;
        let (words, place) = layout::migrate(&mut db)?;
        let words = Arc::new(words);
        let tenant = Arc::new(Tenant {
            issuer: settings.issuer,
            device_url: settings.device_url,
            generation: words.generation().to_owned(),
            max_token_life: settings.max_token_life,
        });
        let (sender, woken) = watch::channel(0);
        let pruner = Pruner::new(settings.max_token_life);
        let known = Arc::new(Known::default());
        let writer = Writer {
            db,
            words: Arc::clone(&words),
            place,
            pruner,
            known: Arc::clone(&known),
            woken: sender,
            journal: journal.clone(),
        };
        let store = Self {
            tenant,
            path: path.to_owned(),
            journal,
            writes: Arc::new(Queue::new(WRITES_WAITING)),
            reads: Arc::new(Queue::new(READS_WAITING)),
            known,
            words,
            woken,
            readers: Mutex::default(),
            writer: Mutex::default(),
        };
        store.start(path, writer)?;
        Ok(store)
    }

    fn start(&self, path: &Path, writer: Writer) -> Result<(), StoreError> {
        let count = thread::available_parallelism().map_or(2, usize::from).clamp(2, 8);
        for _ in 0..count {
            let reader = Reader::open(path)?;
            let reads = Arc::clone(&self.reads);
            let thread = spawn("store-reader", move || reader.run(&reads))?;
            lock(&self.readers).push(thread);
        }
        let writes = Arc::clone(&self.writes);
        *lock(&self.writer) = Some(spawn("store-writer", move || writer.run(&writes))?);
        Ok(())
    }

    /// Answers what waits, takes nothing new, folds the log into the file and
    /// ends the threads. Blocks until that is done; a second call does nothing.
    pub fn close(&self) {
        self.reads.close();
        core::mem::take(&mut *lock(&self.readers)).into_iter().for_each(join);
        // The last connection to go is the one that can fold the log.
        self.writes.close();
        lock(&self.writer).take().into_iter().for_each(join);
    }

    pub(crate) fn write(&self, job: Job) -> Result<(), StoreError> {
        self.writes.push(job)
    }

    pub(crate) fn expect_write(&self) -> Expected {
        let writes = Arc::clone(&self.writes);
        writes.expect_one_more();
        Expected::new(move || writes.expected_one_less())
    }

    pub(crate) fn waking(&self) -> Box<dyn Waking> {
        let mut woken = self.woken.clone();
        woken.mark_unchanged();
        Box::new(Follower(woken))
    }

    /// One hop to a reader and back.
    pub(crate) fn read<T: Send + 'static>(
        &self,
        load: impl FnOnce(&Snapshot<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        self.ask(false, load)
    }

    /// The same for a few look-ups by key, which share a snapshot with others.
    pub(crate) fn read_briefly<T: Send + 'static>(
        &self,
        load: impl FnOnce(&Snapshot<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        self.ask(true, load)
    }

    fn ask<T: Send + 'static>(
        &self,
        brief: bool,
        load: impl FnOnce(&Snapshot<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        let (reply, answer) = oneshot::channel();
        let (tenant, words) = (Arc::clone(&self.tenant), Arc::clone(&self.words));
        let ask = Box::new(move |moment: Result<Moment<'_>, StoreError>| {
            let result = moment.and_then(|Moment { db, memo }| {
                let now = Snapshot { db, memo, tenant: &tenant, words: &words };
                load(&now)
            });
            // Nobody waits any more: the answer is not needed.
            let _ = reply.send(result);
        });
        let asked = self.reads.push(Question { brief, ask });
        Box::pin(async move {
            asked?;
            answer.await.map_err(|_| gone())?
        })
    }
}

pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map_err(|error| StoreError::Unavailable(format!("no thread for it: {error}")))
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("a thread of the store ended by a panic");
    }
}

/// Nothing panics while these are held.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread ended before it answered.
pub(crate) fn gone() -> StoreError {
    StoreError::Unavailable("it ended before it answered".to_owned())
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.close();
    }
}

impl core::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SqliteStore").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

struct Follower(watch::Receiver<u64>);

impl Waking for Follower {
    fn woken(&mut self) -> core::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            if self.0.changed().await.is_err() {
                // The store is closed: nothing will be committed any more.
                core::future::pending::<()>().await;
            }
        })
    }
}
