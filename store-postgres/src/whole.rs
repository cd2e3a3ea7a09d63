//! The store as a whole: read out of one read-only transaction, or filled in one.

use std::collections::HashMap;
use std::time::Duration;

use store::plan::Shelf;
use store::{Batch, Exporting, Head, IdempotentReply, Importing, Item, StoreError, StoredEvent};
use tokio_postgres::types::ToSql;

use crate::fault::store_error;
use crate::feed;
use crate::held::Held;
use crate::postgres_store::PostgresStore;
use crate::round::id_of;
use crate::snapshot::{COLUMNS, Snapshot, get, head, stored};
use crate::table::{TABLES, Table};

/// Items that travel together.
const BATCH: usize = 500;
/// One batch may take so long, whatever is set for requests.
const FOR_A_BATCH: Duration = Duration::from_secs(60);
/// Whoever reads writes to a disk in between.
const AT_LEISURE: &str = "SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 60000;
                          SET LOCAL lock_timeout = 60000";

/// The reading side of an export.
pub(crate) struct Reading {
    head: Head,
    journal_from: Option<u64>,
    snapshot: Option<Snapshot>,
    stage: Stage,
    /// Events without a number at that moment, with those they are given here.
    fresh: Vec<(StoredEvent, bool)>,
    /// The number of what told a raise, where it has none of its own.
    links: HashMap<String, u64>,
}

/// What was read last.
enum Stage {
    Records(usize, String),
    Events(i64),
    Fresh,
    Raises(String, String),
    Once(String),
    Idempotent(String),
    Over,
}

impl PostgresStore {
    pub(crate) async fn read_out(&self) -> Result<Reading, StoreError> {
        // What is without a number afterwards was committed meanwhile.
        self.number(u64::MAX).await?;
        let journal_from = self.journal.as_ref().map(|journal| journal.turn());
        let snapshot = self.snapshot().await?;
        snapshot.held.client().batch_execute(AT_LEISURE).await.map_err(|error| store_error(&error))?;
        let mut head = snapshot.head().await?;
        let (mut fresh, mut links) = (Vec::new(), HashMap::new());
        let text = "SELECT id, kind, subject, at, data, raises FROM fresh ORDER BY place";
        for row in snapshot.query(text, &[]).await? {
            head.number += 1;
            head.time = head.time.max(get(&row, 3)?);
            links.insert(get(&row, 0)?, head.number);
            let event = StoredEvent {
                number: head.number,
                id: id_of(&head.generation, &head.number.to_string()),
                kind: feed::kind(get(&row, 1)?)?,
                subject: get(&row, 2)?,
                time: head.time,
                data: get(&row, 4)?,
            };
            fresh.push((event, get(&row, 5)?));
        }
        let stage = Stage::Records(0, String::new());
        Ok(Reading { head, journal_from, snapshot: Some(snapshot), stage, fresh, links })
    }

    pub(crate) async fn fill(&self, begins: Head, items: Box<dyn Importing>) -> Result<Head, StoreError> {
        let held = self.hold().await?;
        let begun = format!("BEGIN ISOLATION LEVEL READ COMMITTED; {AT_LEISURE}");
        held.client().batch_execute(&begun).await.map_err(|error| store_error(&error))?;
        match fill(&held, &begins, items).await {
            Ok(filled) => {
                held.client().batch_execute("COMMIT").await.map_err(|error| store_error(&error))?;
                held.give_back();
                self.learn(&filled);
                Ok(filled)
            }
            // Dropped, and undone with its connection.
            Err(error) => Err(error),
        }
    }
}

impl Exporting for Reading {
    fn head(&self) -> &Head {
        &self.head
    }

    fn journal_from(&self) -> Option<u64> {
        self.journal_from
    }

    fn next(&mut self) -> Batch<'_> {
        Box::pin(async {
            let silent = |_| StoreError::Unavailable("it did not answer in time".to_owned());
            tokio::time::timeout(FOR_A_BATCH, self.batch()).await.map_err(silent)?
        })
    }
}

impl Reading {
    /// Records come first: whoever changes them on their way knows them by then.
    async fn batch(&mut self) -> Result<Vec<Item>, StoreError> {
        loop {
            let Some(snapshot) = &self.snapshot else { return Ok(Vec::new()) };
            let stage = core::mem::replace(&mut self.stage, Stage::Over);
            let (items, next) = match stage {
                Stage::Records(at, after) => records(snapshot, at, &after).await?,
                Stage::Events(after) => events(snapshot, after).await?,
                Stage::Fresh => {
                    let fresh = core::mem::take(&mut self.fresh);
                    let told = fresh.into_iter().map(|(event, raises)| Item::Event { event, raises });
                    (told.collect(), Stage::Raises(String::new(), String::new()))
                }
                Stage::Raises(kind, id) => raises(snapshot, &self.links, &kind, &id).await?,
                Stage::Once(after) => once(snapshot, &after).await?,
                Stage::Idempotent(after) => idempotent(snapshot, &after).await?,
                Stage::Over => {
                    if let Some(snapshot) = self.snapshot.take() {
                        snapshot.end().await;
                    }
                    return Ok(Vec::new());
                }
            };
            self.stage = next;
            if !items.is_empty() {
                return Ok(items);
            }
        }
    }
}

type Step = Result<(Vec<Item>, Stage), StoreError>;

async fn records(snapshot: &Snapshot, at: usize, after: &str) -> Step {
    let Some(table) = TABLES.get(at) else { return Ok((Vec::new(), Stage::Events(0))) };
    let text = format!("SELECT {COLUMNS} FROM \"{}\" WHERE id > $1 ORDER BY id LIMIT {BATCH}", table.name);
    let rows = snapshot.query(&text, &[&after]).await?;
    let mut next = Stage::Records(at + 1, String::new());
    let mut items = Vec::with_capacity(rows.len());
    for row in &rows {
        let stored = stored(table, row)?;
        next = Stage::Records(at, stored.id.clone());
        items.push(Item::Record { kind: table.kind(), stored, dispensable: false });
    }
    Ok((items, next))
}

async fn events(snapshot: &Snapshot, after: i64) -> Step {
    let text = format!(
        "SELECT number, id, kind, subject, time, data, raises FROM event WHERE number > $1 ORDER BY number LIMIT {BATCH}"
    );
    let rows = snapshot.query(&text, &[&after]).await?;
    let mut next = Stage::Fresh;
    let mut items = Vec::with_capacity(rows.len());
    for row in &rows {
        next = Stage::Events(get(row, 0)?);
        items.push(Item::Event { event: feed::event(row)?, raises: get(row, 6)? });
    }
    Ok((items, next))
}

async fn raises(snapshot: &Snapshot, links: &HashMap<String, u64>, kind: &str, id: &str) -> Step {
    let text = format!(
        "SELECT kind, id, epoch, end_epoch, number, at, token_expires, event FROM raised
         WHERE (kind, id) > ($1, $2) ORDER BY kind, id LIMIT {BATCH}"
    );
    let rows = snapshot.query(&text, &[&kind, &id]).await?;
    let mut next = Stage::Once(String::new());
    let mut items = Vec::with_capacity(rows.len());
    for row in &rows {
        next = Stage::Raises(get(row, 0)?, get(row, 1)?);
        let mut raised = feed::raised(row)?;
        raised.number = raised.number.or_else(|| links.get(row.try_get::<_, &str>(7).ok()?).copied());
        items.push(Item::Raised(raised));
    }
    Ok((items, next))
}

async fn once(snapshot: &Snapshot, after: &str) -> Step {
    let text = format!("SELECT key, until FROM once WHERE key > $1 ORDER BY key LIMIT {BATCH}");
    let rows = snapshot.query(&text, &[&after]).await?;
    let mut next = Stage::Idempotent(String::new());
    let mut items = Vec::with_capacity(rows.len());
    for row in &rows {
        next = Stage::Once(get(row, 0)?);
        items.push(Item::Once { key: get(row, 0)?, until: get(row, 1)? });
    }
    Ok((items, next))
}

async fn idempotent(snapshot: &Snapshot, after: &str) -> Step {
    let text = format!("SELECT key, until, reply FROM idempotent WHERE key > $1 ORDER BY key LIMIT {BATCH}");
    let rows = snapshot.query(&text, &[&after]).await?;
    let mut next = Stage::Over;
    let mut items = Vec::with_capacity(rows.len());
    for row in &rows {
        next = Stage::Idempotent(get(row, 0)?);
        let (request, status, body, headers) = serde_json::from_str(get(row, 2)?)
            .map_err(|error| StoreError::Corrupt(format!("a reply kept for repetition: {error}")))?;
        let reply = IdempotentReply { request, status, body, headers, until: get(row, 1)? };
        items.push(Item::Idempotent { key: get(row, 0)?, reply });
    }
    Ok((items, next))
}

async fn fill(held: &Held, begins: &Head, mut items: Box<dyn Importing>) -> Result<Head, StoreError> {
    held.row("SELECT 1 FROM head WHERE one = 1 FOR UPDATE", &[]).await?;
    let names = TABLES.iter().map(|table| table.name).chain(["event", "fresh", "raised", "once", "idempotent"]);
    for name in names {
        if !get::<bool>(&held.row(&format!("SELECT NOT EXISTS (SELECT 1 FROM \"{name}\")"), &[]).await?, 0)? {
            return Err(StoreError::Misuse("a store is restored only where there is nothing yet".to_owned()));
        }
    }
    let mut number = begins.number;
    loop {
        let (rest, batch) = tokio::task::spawn_blocking(move || {
            let batch = items.next();
            (items, batch)
        })
        .await
        .map_err(|_| StoreError::Unavailable("the reading of what is restored ended".to_owned()))?;
        items = rest;
        let batch = batch?;
        if batch.is_empty() {
            break;
        }
        for item in batch {
            if let Item::Event { event, .. } = &item {
                number = number.max(event.number);
            }
            put(held, item).await?;
        }
    }
    let keep = "UPDATE head SET number = $1, horizon = $2, time = $3 WHERE one = 1
                RETURNING generation, number, horizon, time";
    head(&held.row(keep, &[&signed(number), &begins.horizon, &begins.time]).await?)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

async fn put(held: &Held, item: Item) -> Result<(), StoreError> {
    match item {
        Item::Record { kind, stored, dispensable } => {
            let table = Table::of(kind)?;
            let unfit = || StoreError::Misuse(format!("a {} cannot be kept: it is no JSON object", table.name));
            let mut members: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(&stored.body).map_err(|_| unfit())?;
            members.remove(table.id);
            let body = serde_json::Value::Object(members).to_string();
            let or = if dispensable { " ON CONFLICT DO NOTHING" } else { "" };
            let text = format!(
                "INSERT INTO \"{}\" (id, version, epoch, end_epoch, body) VALUES ($1, $2, $3, $4, $5::text::jsonb){or}",
                table.name
            );
            let [version, epoch, end_epoch] =
                [stored.version, stored.epochs.epoch, stored.epochs.end_epoch].map(signed);
            run(held, &text, &[&stored.id, &version, &epoch, &end_epoch, &body]).await
        }
        Item::Event { event, raises } => {
            let text = "INSERT INTO event (number, id, kind, subject, time, raises, data)
                        VALUES ($1, $2, $3, $4, $5, $6, $7)";
            let number = signed(event.number);
            let values: [&(dyn ToSql + Sync); 7] =
                [&number, &event.id, &event.kind.as_str(), &event.subject, &event.time, &raises, &event.data];
            run(held, text, &values).await
        }
        Item::Raised(it) => {
            let text = "INSERT INTO raised (kind, id, epoch, end_epoch, event, number, at, token_expires)
                        VALUES ($1, $2, $3, $4, '', $5, $6, $7)";
            let (epoch, end_epoch, number) = (signed(it.epoch), signed(it.end_epoch), signed(it.number.unwrap_or(0)));
            let values: [&(dyn ToSql + Sync); 7] =
                [&it.anchor.kind.code(), &it.anchor.id, &epoch, &end_epoch, &number, &it.at, &it.token_expires];
            run(held, text, &values).await
        }
        Item::Once { key, until } => run(held, "INSERT INTO once (key, until) VALUES ($1, $2)", &[&key, &until]).await,
        Item::Idempotent { key, reply } => {
            let kept = serde_json::json!([reply.request, reply.status, reply.body, reply.headers]).to_string();
            let text = "INSERT INTO idempotent (key, until, reply) VALUES ($1, $2, $3)";
            run(held, text, &[&key, &reply.until, &kept]).await
        }
    }
}

async fn run(held: &Held, text: &str, values: &[&(dyn ToSql + Sync)]) -> Result<(), StoreError> {
    held.query(text, values).await.map(drop).map_err(|error| store_error(&error))
}
