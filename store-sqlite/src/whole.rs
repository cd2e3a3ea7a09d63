//! The file as a whole: read out of one read transaction by a thread of its own,
//! or filled in one write transaction.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags, Params, Row, ToSql, Transaction, params};
use serde_json::{Map, Value};
use store::plan::Shelf;
use store::{Batch, Exporting, Head, IdempotentReply, Importing, Item, StoreError, StoredEvent};
use tokio::sync::mpsc;

use crate::apply::{Place, signed};
use crate::fault::store_error;
use crate::table::{TABLES, Table};
use crate::words::{self, Words};
use crate::{feed, pack, row};

/// Items that travel together.
const BATCH: usize = 500;

/// The reading side of an export.
pub(crate) struct Reading {
    head: Head,
    journal_from: Option<u64>,
    batches: mpsc::Receiver<Result<Vec<Item>, StoreError>>,
}

impl Exporting for Reading {
    fn head(&self) -> &Head {
        &self.head
    }

    fn journal_from(&self) -> Option<u64> {
        self.journal_from
    }

    fn next(&mut self) -> Batch<'_> {
        Box::pin(async { self.batches.recv().await.unwrap_or_else(|| Ok(Vec::new())) })
    }
}

/// A connection whose snapshot is taken here, and what reads it out.
pub(crate) fn export(
    path: &Path,
    words: Arc<Words>,
    journal_from: Option<u64>,
) -> Result<(Reading, impl FnOnce() + Send + use<>), StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(store_error)?;
    db.busy_timeout(core::time::Duration::from_secs(5)).map_err(store_error)?;
    db.execute_batch("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; BEGIN").map_err(store_error)?;
    // A deferred transaction begins with its first read.
    let head = head(&db)?;
    let (sender, batches) = mpsc::channel(4);
    let read = move || {
        let mut outward = Outward { sender, batch: Vec::with_capacity(BATCH) };
        // Whoever asked has gone away, or is told.
        let _ = match read_out(&db, &words, &mut outward) {
            Ok(()) => outward.flush(),
            Err(Stop::Store(error)) => outward.sender.blocking_send(Err(error)).map_err(|_| Stop::Gone),
            Err(Stop::Gone) => Ok(()),
        };
    };
    Ok((Reading { head, journal_from, batches }, read))
}

fn head(db: &Connection) -> Result<Head, StoreError> {
    db.query_row("SELECT generation, number, horizon, time FROM head", [], |row| {
        let number: i64 = row.get(1)?;
        Ok(Head { generation: row.get(0)?, number: number.unsigned_abs(), horizon: row.get(2)?, time: row.get(3)? })
    })
    .map_err(store_error)
}

enum Stop {
    Store(StoreError),
    Gone,
}

struct Outward {
    sender: mpsc::Sender<Result<Vec<Item>, StoreError>>,
    batch: Vec<Item>,
}

impl Outward {
    fn take(&mut self, item: Item) -> Result<(), Stop> {
        self.batch.push(item);
        if self.batch.len() < BATCH { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<(), Stop> {
        let batch = core::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        self.sender.blocking_send(Ok(batch)).map_err(|_| Stop::Gone)
    }
}

/// Records come first: whoever changes them on their way knows them by then.
fn read_out(db: &Connection, words: &Words, outward: &mut Outward) -> Result<(), Stop> {
    let every = |text: &str, outward: &mut Outward, item: &dyn Fn(&Row<'_>) -> rusqlite::Result<Option<Item>>| {
        let sql = |error| Stop::Store(store_error(error));
        let mut query = db.prepare(text).map_err(sql)?;
        let mut rows = query.query([]).map_err(sql)?;
        while let Some(row) = rows.next().map_err(sql)? {
            let unknown = || Stop::Store(StoreError::Corrupt("something of an unknown kind".to_owned()));
            outward.take(item(row).map_err(sql)?.ok_or_else(unknown)?)?;
        }
        Ok::<_, Stop>(())
    };
    for table in &TABLES {
        let text = format!("SELECT {} FROM {} ORDER BY id", table.texts().columns, table.name);
        every(&text, outward, &|row| {
            let stored = row::stored(table, row)?;
            Ok(Some(Item::Record { kind: table.kind(), stored, dispensable: false }))
        })?;
    }
    every("SELECT number, era, kind, subject, time, data, raises FROM event ORDER BY number", outward, &|row| {
        feed::event(words, row)?.map(|event| Ok(Item::Event { event, raises: row.get(6)? })).transpose()
    })?;
    every(
        "SELECT kind, id, epoch, end_epoch, number, at, token_expires FROM raised ORDER BY kind, id",
        outward,
        &|row| Ok(feed::raised(row)?.map(Item::Raised)),
    )?;
    every("SELECT key, until FROM once ORDER BY key", outward, &|row| {
        Ok(Some(Item::Once { key: row.get(0)?, until: row.get(1)? }))
    })?;
    every("SELECT key, until, reply FROM idempotent ORDER BY key", outward, &|row| {
        let Ok((request, status, body, headers)) = serde_json::from_str(row.get_ref(2)?.as_str()?) else {
            return Ok(None);
        };
        let reply = IdempotentReply { request, status, body, headers, until: row.get(1)? };
        Ok(Some(Item::Idempotent { key: row.get(0)?, reply }))
    })
}

/// Fills an empty file; whoever calls commits. `place` is where the store stands
/// afterwards.
pub(crate) fn restore(
    db: &Transaction<'_>,
    words: &Words,
    place: Place,
    items: &mut dyn Importing,
) -> Result<Place, StoreError> {
    if !is_empty(db)? {
        return Err(StoreError::Misuse("a store is restored only where there is nothing yet".to_owned()));
    }
    let mut numbers = place.number;
    loop {
        let batch = items.next()?;
        if batch.is_empty() {
            break;
        }
        for item in batch {
            if let Item::Event { event, .. } = &item {
                numbers = numbers.max(event.number);
            }
            put(db, words, item)?;
        }
    }
    Ok(Place { number: numbers, ..place })
}

fn is_empty(db: &Connection) -> Result<bool, StoreError> {
    let names = TABLES.iter().map(|table| table.name).chain(["event", "raised", "once", "idempotent"]);
    for name in names {
        let text = format!("SELECT NOT EXISTS (SELECT 1 FROM {name})");
        if !db.query_row(&text, [], |row| row.get::<_, bool>(0)).map_err(store_error)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn put(db: &Connection, words: &Words, item: Item) -> Result<(), StoreError> {
    match item {
        Item::Record { kind, stored, dispensable } => {
            let table = Table::of(kind)?;
            let unfit = |why: &str| StoreError::Misuse(format!("a {} cannot be kept: {why}", table.name));
            let packed = row::Row::of(table, &object(&stored.body).ok_or_else(|| unfit("it is no JSON object"))?)
                .map_err(|error| unfit(&error.to_string()))?;
            let or = if dispensable { " OR IGNORE" } else { "" };
            let names: String = table.columns.iter().map(|column| format!(", {}", column.name)).collect();
            let values: String = (0..table.columns.len()).map(|at| format!(", ?{}", at + 6)).collect();
            let name = table.name;
            let text = format!(
                "INSERT{or} INTO {name} (id, version, epoch, end_epoch, body{names}) VALUES (?1, ?2, ?3, ?4, ?5{values})"
            );
            let key = table.key(&stored.id);
            let numbers = [stored.version, stored.epochs.epoch, stored.epochs.end_epoch].map(signed);
            let mut all: Vec<&dyn ToSql> = vec![&key];
            all.extend(numbers.iter().map(|number| number as &dyn ToSql));
            all.push(&packed.body);
            all.extend(packed.columns.iter().map(|value| value as &dyn ToSql));
            run(db, &text, all.as_slice())
        }
        Item::Event { event, raises } => put_event(db, words, &event, raises),
        Item::Raised(it) => run(
            db,
            "INSERT INTO raised (kind, id, epoch, end_epoch, number, at, token_expires)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                it.anchor.kind.code(),
                it.anchor.id,
                signed(it.epoch),
                signed(it.end_epoch),
                signed(it.number.unwrap_or(0)),
                it.at,
                it.token_expires
            ],
        ),
        Item::Once { key, until } => run(db, "INSERT INTO once (key, until) VALUES (?1, ?2)", params![key, until]),
        Item::Idempotent { key, reply } => {
            let kept = serde_json::json!([reply.request, reply.status, reply.body, reply.headers]).to_string();
            let text = "INSERT INTO idempotent (key, until, reply) VALUES (?1, ?2, ?3)";
            run(db, text, params![key, reply.until, kept])
        }
    }
}

fn put_event(db: &Connection, words: &Words, event: &StoredEvent, raises: bool) -> Result<(), StoreError> {
    let unfit = || StoreError::Misuse(format!("event {} cannot be kept", event.number));
    let data = pack::pack(&object(&event.data).ok_or_else(unfit)?);
    // An id that another store gave otherwise becomes one of this generation.
    let era = event.id.strip_prefix("evt_").and_then(|id| id.strip_suffix(&event.number.to_string()));
    if let Some(era) = era {
        words::add(db, era).map_err(store_error)?;
    }
    run(
        db,
        "INSERT INTO event (number, era, kind, subject, time, raises, data)
         VALUES (?1, ifnull((SELECT number FROM word WHERE text = ?2), ?8), ?3, ?4, ?5, ?6, ?7)",
        params![
            signed(event.number),
            era,
            words.kind(event.kind),
            pack::name(&event.subject),
            event.time,
            raises,
            data,
            words.era()
        ],
    )
}

fn object(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(text).ok()
}

fn run(db: &Connection, text: &str, values: impl Params) -> Result<(), StoreError> {
    db.prepare_cached(text).and_then(|mut insert| insert.execute(values)).map(|_| ()).map_err(store_error)
}
