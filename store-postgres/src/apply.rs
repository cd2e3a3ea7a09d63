//! One commit as one serializable transaction: guards, changes, raises, events.
//! It is tried again for as long as another is merely in the way.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::poll;
use identity::{AnchorKind, Epoch, Event, Raise, RaiseKind, RecordKey};
use store::journal::{Entry, Journal, Noted};
use store::plan::{Counted, Plan, Shelf, Step};
use store::{CommitError, Committed, Conflict, Raised, StoreError};
use tokio_postgres::error::{DbError, Severity, SqlState};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};

use crate::fault::{Failure, store_error};
use crate::held::Held;
use crate::postgres_store::{Chance, PostgresStore};
use crate::table::{Table, unique_name};

/// Tries of one commit. Each fails only because another succeeded.
const TRIES: u32 = 24;
/// The longest pause before the second try; it doubles up to the last.
const FIRST_PAUSE: u64 = 2_000;
const LAST_PAUSE: u64 = 128_000;

impl PostgresStore {
    pub(crate) async fn apply(&self, plan: &Plan<Table>) -> Result<Committed, CommitError> {
        let ids: Vec<String> = plan.events.iter().map(|_| event_id(&self.chance)).collect();
        let mut pause = FIRST_PAUSE;
        for _ in 0..TRIES {
            let time = self.time.load(Ordering::Relaxed).max(plan.now);
            match self.try_once(plan, &ids, time).await {
                Ok(committed) => {
                    self.time.fetch_max(time, Ordering::Relaxed);
                    if !plan.events.is_empty() {
                        self.committed.notify_one();
                    }
                    return Ok(committed);
                }
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Again) => {
                    self.retried.fetch_add(1, Ordering::Relaxed);
                    let micros = (self.chance)() % pause;
                    tokio::time::sleep(Duration::from_micros(micros)).await;
                    pause = (pause * 2).min(LAST_PAUSE);
                }
            }
        }
        Err(CommitError::Store(StoreError::Unavailable("too many commits stood in each other's way".to_owned())))
    }

    async fn try_once(&self, plan: &Plan<Table>, ids: &[String], time: i64) -> Result<Committed, Failure> {
        let held = self.hold().await?;
        held.send("BEGIN ISOLATION LEVEL SERIALIZABLE").await;
        let done = self.whole(&held, plan, ids, time).await;
        if done.is_err() && !held.is_lost() {
            held.send("ROLLBACK").await;
        }
        held.give_back();
        done
    }

    /// Guards and changes go out together and are judged together; then what ends
    /// is written down; then the events, which tell it, go out with the end of the
    /// transaction behind them.
    async fn whole(&self, held: &Held, plan: &Plan<Table>, ids: &[String], time: i64) -> Result<Committed, Failure> {
        let last = ids.last().map(String::as_str).unwrap_or_default();
        let asks = asks(plan, last, time);
        let statements = prepare(held, &asks).await?;
        let raised = judge(&asks, run(held, &asks, &statements).await, time)?;
        let ends = match plan.events.is_empty() {
            true => Vec::new(),
            false => vec![announce(&plan.events, ids, &raised, time)?],
        };
        let statements = prepare(held, &ends).await?;
        let noted = self.note(plan, &raised, time).await?;
        // The server takes one after the other: after a failed announcement this
        // ends the transaction without effect.
        let end = async { held.client().batch_execute("COMMIT").await };
        let (told, ended) = futures_util::future::join(run(held, &ends, &statements), end).await;
        let ended = told.into_iter().map(|rows| rows.map(drop)).chain([ended]).collect::<Result<Vec<()>, _>>();
        if let (Err(error), Some((journal, noted))) = (&ended, noted)
            && undone(error)
        {
            let _ = tokio::task::spawn_blocking(move || journal.void(&noted)).await;
        }
        ended?;
        Ok(Committed { raised, cursor: None })
    }

    /// Writes down what a commit ends, outside the database and before it.
    async fn note(
        &self,
        plan: &Plan<Table>,
        raised: &[Raised],
        at: i64,
    ) -> Result<Option<(Arc<dyn Journal>, Noted)>, Failure> {
        let Some(journal) = self.journal.clone().filter(|_| !raised.is_empty()) else { return Ok(None) };
        let generation = self.tenant.generation.clone();
        let entry = Entry { generation, at, raised: raised.to_vec(), changed: plan.changed() };
        let append = move || journal.append(vec![entry]).map(|noted| Some((journal, noted)));
        let appended = tokio::task::spawn_blocking(append).await;
        Ok(appended.map_err(|_| StoreError::CannotWrite("the journal of raises ended".to_owned()))??)
    }
}

/// Whether the server itself says that the transaction was undone. A server that
/// ends the session (`FATAL`) may have committed before.
fn undone(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().and_then(DbError::parsed_severity) == Some(Severity::Error)
}

async fn prepare(held: &Held, asks: &[Ask<'_>]) -> Result<Vec<Statement>, tokio_postgres::Error> {
    let mut statements = Vec::with_capacity(asks.len());
    for ask in asks {
        statements.push(held.client().prepare_cached(&ask.text).await?);
    }
    Ok(statements)
}

/// A statement with its values, and what its answer must be.
struct Ask<'a> {
    text: String,
    values: Vec<Box<dyn ToSql + Sync + Send + 'a>>,
    expect: Expect<'a>,
}

enum Expect<'a> {
    /// The record's version, absence being 0.
    Version(&'static Table, &'a str, u64),
    /// A row written, or the record has another version.
    Written(&'static Table, &'a str),
    /// Nothing: a statement that inserts many inserts all of them or fails.
    AllWritten(&'static Table, &'a str),
    /// No other living pairing has this user code.
    NotTaken,
    /// A row, or the key is used up.
    Unused,
    /// The epochs after a raise.
    Raised(&'a Raise, Option<&'static Table>),
    /// Nothing.
    Nothing,
}

/// Sends all in order before the first answer is waited for.
async fn run(held: &Held, asks: &[Ask<'_>], statements: &[Statement]) -> Vec<Result<Vec<Row>, tokio_postgres::Error>> {
    let values: Vec<Vec<&(dyn ToSql + Sync)>> =
        asks.iter().map(|ask| ask.values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()).collect();
    let mut waiting: Vec<BoxFuture<'_, Result<Vec<Row>, tokio_postgres::Error>>> = Vec::with_capacity(asks.len());
    for (statement, values) in statements.iter().zip(&values) {
        let mut sent = held.client().query(statement, values).boxed();
        waiting.push(match poll!(&mut sent) {
            core::task::Poll::Ready(answer) => core::future::ready(answer).boxed(),
            core::task::Poll::Pending => sent,
        });
    }
    let mut answers = Vec::with_capacity(waiting.len());
    for answer in waiting {
        answers.push(answer.await);
    }
    answers
}

fn judge(
    asks: &[Ask<'_>],
    answers: Vec<Result<Vec<Row>, tokio_postgres::Error>>,
    time: i64,
) -> Result<Vec<Raised>, Failure> {
    let mut raised: Vec<Raised> = Vec::new();
    for (ask, answer) in asks.iter().zip(answers) {
        let rows = match answer {
            Ok(rows) => rows,
            Err(error) => return Err(refused(error, &ask.expect)),
        };
        let row = rows.first();
        match &ask.expect {
            Expect::Version(table, id, version) => {
                let found = row.map_or(Ok(0), |row| row.try_get::<_, i64>(0).map(i64::unsigned_abs))?;
                if found != *version {
                    return Err(conflict(table, id));
                }
            }
            Expect::Written(table, id) => {
                row.ok_or_else(|| conflict(table, id))?;
            }
            Expect::NotTaken => {
                if row.is_some() {
                    return Err(CommitError::Conflict(Conflict::Taken("pairing.user_code")).into());
                }
            }
            Expect::Unused => {
                row.ok_or(CommitError::Conflict(Conflict::Used))?;
            }
            Expect::Raised(raise, table) => {
                let Some(row) = row else {
                    return Err(table.map_or_else(nothing_raised, |table| conflict(table, &raise.anchor.id)));
                };
                raised.retain(|known| known.anchor != raise.anchor);
                raised.push(Raised {
                    anchor: raise.anchor.clone(),
                    epoch: epoch(row, 0)?,
                    end_epoch: epoch(row, 1)?,
                    number: None,
                    at: time,
                    token_expires: raise.token_expires,
                });
            }
            Expect::Nothing | Expect::AllWritten(..) => {}
        }
    }
    Ok(raised)
}

fn nothing_raised() -> Failure {
    StoreError::Corrupt("a raise left no row".to_owned()).into()
}

fn epoch(row: &Row, column: usize) -> Result<Epoch, tokio_postgres::Error> {
    row.try_get::<_, i64>(column).map(i64::unsigned_abs)
}

fn conflict(table: &Table, id: &str) -> Failure {
    CommitError::Conflict(Conflict::Version(RecordKey { kind: table.kind(), id: id.to_owned() })).into()
}

/// Why PostgreSQL would not take a record.
fn refused(error: tokio_postgres::Error, expect: &Expect<'_>) -> Failure {
    let told = error.as_db_error().filter(|told| *told.code() == SqlState::UNIQUE_VIOLATION);
    let (Some(index), Expect::Written(table, id) | Expect::AllWritten(table, id)) =
        (told.and_then(|told| told.constraint()), expect)
    else {
        return error.into();
    };
    match unique_name(index) {
        Some(name) => CommitError::Conflict(Conflict::Taken(name)).into(),
        // The key of the table itself.
        None if index.ends_with("_pkey") => conflict(table, id),
        None => CommitError::Store(store_error(&error)).into(),
    }
}

/// Versions and epochs fit 63 bits for longer than seconds can count.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn asks<'a>(plan: &'a Plan<Table>, event: &'a str, time: i64) -> Vec<Ask<'a>> {
    let mut asks: Vec<Ask<'a>> = Vec::with_capacity(plan.guards.len() + plan.steps.len());
    for (guard, table) in &plan.guards {
        asks.push(Ask {
            text: format!("SELECT version FROM \"{}\" WHERE id = $1", table.name),
            values: vec![Box::new(guard.key.id.as_str())],
            expect: Expect::Version(table, &guard.key.id, guard.version),
        });
    }
    let mut counted = Counted::default();
    let mut fresh: Vec<Fresh<'a>> = Vec::new();
    for step in &plan.steps {
        if let Step::Write { shelf, id, version: 0, row } = step
            && shelf.name != "pairing"
        {
            put(&mut fresh, shelf, id, row);
            continue;
        }
        asks.extend(fresh.drain(..).map(Fresh::ask));
        let mut of_version = |text, shelf: &'static Table, id, version| {
            asks.push(of_version(text, shelf, id, signed(counted.now(shelf.kind(), id, version))));
        };
        match step {
            Step::Write { shelf, id, version: 0, row } => {
                asks.extend([insert(shelf, id, row), live_user_code(id, plan.now)]);
            }
            Step::Write { shelf, id, version, row } => {
                asks.push(update(shelf, id, signed(counted.now(shelf.kind(), id, *version)), row));
                if shelf.name == "pairing" {
                    asks.push(live_user_code(id, plan.now));
                }
            }
            Step::Touch { shelf, id, version } => {
                of_version(
                    "UPDATE \"{}\" SET version = version + 1 WHERE id = $1 AND version = $2 RETURNING 1",
                    shelf,
                    id,
                    *version,
                );
                counted.up(shelf.kind(), id);
            }
            Step::Erase { shelf, id, version } => {
                of_version("DELETE FROM \"{}\" WHERE id = $1 AND version = $2 RETURNING 1", shelf, id, *version);
            }
            Step::Raise(raise) => {
                let table = Table::of_anchor(&raise.anchor);
                asks.push(match table {
                    Some(table) => raise_record(table, raise, event, time),
                    None => raise_token(raise, event, time),
                });
                if let Some(table) = table {
                    counted.up(table.kind(), &raise.anchor.id);
                }
            }
            Step::Once { key, until } => asks.push(Ask {
                text: "INSERT INTO once (key, until) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING 1".to_owned(),
                values: vec![Box::new(key.as_str()), Box::new(*until)],
                expect: Expect::Unused,
            }),
            Step::Idempotent { key, until, reply } => asks.push(idempotent(key, *until, reply, plan.now)),
        }
    }
    asks.extend(fresh.drain(..).map(Fresh::ask));
    asks
}

/// New records of one kind that nothing else of the commit stands between: they
/// are written by one statement, in whatever order.
struct Fresh<'a> {
    table: &'static Table,
    ids: Vec<&'a str>,
    bodies: Vec<&'a str>,
}

fn put<'a>(fresh: &mut Vec<Fresh<'a>>, table: &'static Table, id: &'a str, body: &'a str) {
    match fresh.iter_mut().find(|known| known.table == table) {
        Some(known) => {
            known.ids.push(id);
            known.bodies.push(body);
        }
        None => fresh.push(Fresh { table, ids: vec![id], bodies: vec![body] }),
    }
}

impl<'a> Fresh<'a> {
    fn ask(self) -> Ask<'a> {
        let Self { table, ids, bodies } = self;
        if let ([id], [body]) = (ids.as_slice(), bodies.as_slice()) {
            return insert(table, id, body);
        }
        let text = format!(
            "INSERT INTO \"{}\" (id, body) SELECT id, body::jsonb
             FROM unnest($1::text[], $2::text[]) AS told (id, body)",
            table.name
        );
        // Which of them is there already makes no difference to who decides again.
        let first = ids.first().copied().unwrap_or_default();
        Ask { text, values: vec![Box::new(ids), Box::new(bodies)], expect: Expect::AllWritten(table, first) }
    }
}

fn of_version<'a>(text: &str, table: &'static Table, id: &'a str, version: i64) -> Ask<'a> {
    Ask {
        text: text.replace("{}", table.name),
        values: vec![Box::new(id), Box::new(version)],
        expect: Expect::Written(table, id),
    }
}

fn insert<'a>(table: &'static Table, id: &'a str, body: &'a str) -> Ask<'a> {
    let text = format!("INSERT INTO \"{}\" (id, body) VALUES ($1, $2::text::jsonb) RETURNING 1", table.name);
    Ask { text, values: vec![Box::new(id), Box::new(body)], expect: Expect::Written(table, id) }
}

fn update<'a>(table: &'static Table, id: &'a str, version: i64, body: &'a str) -> Ask<'a> {
    let text = format!(
        "UPDATE \"{}\" SET version = version + 1, body = $2::text::jsonb
         WHERE id = $1 AND version = $3 RETURNING 1",
        table.name
    );
    Ask { text, values: vec![Box::new(id), Box::new(body), Box::new(version)], expect: Expect::Written(table, id) }
}

/// A user code is unique among pairings that wait and have not expired; a dead
/// one does not block, so that no index can say it.
fn live_user_code(id: &str, now: i64) -> Ask<'_> {
    let text = "SELECT 1 FROM pairing mine JOIN pairing other ON other.body ->> 'user_code' = mine.body ->> 'user_code'
                WHERE mine.id = $1 AND other.id <> $1
                AND mine.body #>> '{state,state}' = 'pending' AND (mine.body ->> 'expires_at')::bigint > $2
                AND other.body #>> '{state,state}' = 'pending' AND (other.body ->> 'expires_at')::bigint > $2 LIMIT 1";
    Ask { text: text.to_owned(), values: vec![Box::new(id), Box::new(now)], expect: Expect::NotTaken }
}

const KEEP_RAISE: &str = "ON CONFLICT (kind, id) DO UPDATE SET epoch = excluded.epoch,
     end_epoch = excluded.end_epoch, event = excluded.event, number = NULL, at = excluded.at";

fn raise_record<'a>(table: &'static Table, raise: &'a Raise, event: &'a str, time: i64) -> Ask<'a> {
    let text = format!(
        "WITH after AS (UPDATE \"{}\" SET version = version + 1, epoch = greatest(epoch + 1, $2),
         end_epoch = CASE WHEN $3 THEN greatest(epoch + 1, $2) ELSE end_epoch END
         WHERE id = $1 RETURNING epoch, end_epoch)
         INSERT INTO raised (kind, id, epoch, end_epoch, event, at)
         SELECT $4::text, $1, epoch, end_epoch, $5::text, $6::bigint FROM after
         {KEEP_RAISE} RETURNING epoch, end_epoch",
        table.name
    );
    Ask { text, values: raise_values(raise, event, time), expect: Expect::Raised(raise, Some(table)) }
}

/// A token has no record: its raise is all there is of it, and what it was
/// before follows from that.
fn raise_token<'a>(raise: &'a Raise, event: &'a str, time: i64) -> Ask<'a> {
    let text = "INSERT INTO raised AS known (kind, id, epoch, end_epoch, event, at, token_expires)
        VALUES ($4, $1, greatest(1, $2::bigint), CASE WHEN $3 THEN greatest(1, $2::bigint) ELSE 0 END, $5, $6, $7)
        ON CONFLICT (kind, id) DO UPDATE SET epoch = greatest(known.epoch + 1, $2),
        end_epoch = CASE WHEN $3 THEN greatest(known.epoch + 1, $2) ELSE known.end_epoch END,
        event = excluded.event, number = NULL, at = excluded.at,
        token_expires = greatest(known.token_expires, excluded.token_expires) RETURNING epoch, end_epoch";
    let mut values = raise_values(raise, event, time);
    values.push(Box::new(raise.token_expires));
    Ask { text: text.to_owned(), values, expect: Expect::Raised(raise, None) }
}

fn raise_values<'a>(raise: &'a Raise, event: &'a str, time: i64) -> Vec<Box<dyn ToSql + Sync + Send + 'a>> {
    let kind: AnchorKind = raise.anchor.kind;
    vec![
        Box::new(raise.anchor.id.as_str()),
        Box::new(time.max(0)),
        Box::new(raise.kind == RaiseKind::End),
        Box::new(kind.code()),
        Box::new(event),
        Box::new(time),
    ]
}

/// Two requests under one key: the later loads again and finds the reply.
fn idempotent<'a>(key: &'a str, until: i64, reply: &'a str, now: i64) -> Ask<'a> {
    let text = "INSERT INTO idempotent AS known (key, until, reply) VALUES ($1, $2, $3) ON CONFLICT (key) DO UPDATE
                SET until = excluded.until, reply = excluded.reply WHERE known.until <= $4 RETURNING 1";
    let values: Vec<Box<dyn ToSql + Sync + Send + 'a>> =
        vec![Box::new(key), Box::new(until), Box::new(reply), Box::new(now)];
    Ask { text: text.to_owned(), values, expect: Expect::Unused }
}

fn event_id(chance: &Chance) -> String {
    format!("evt_{:016x}{:016x}", chance(), chance())
}

/// The last event tells all that was raised.
fn announce<'a>(events: &'a [Event], ids: &'a [String], raised: &[Raised], time: i64) -> Result<Ask<'a>, Failure> {
    let mut data = Vec::with_capacity(events.len());
    for (index, event) in events.iter().enumerate() {
        let mut facts = event.data.clone();
        facts.remove("raised");
        if index + 1 == events.len() && !raised.is_empty() {
            let list = raised.iter().map(|it| it.anchor.clone().at(it.epoch).to_string());
            facts.insert("raised".to_owned(), list.collect());
        }
        let text = serde_json::to_string(&facts);
        data.push(text.map_err(|error| StoreError::Misuse(format!("an event cannot be kept: {error}")))?);
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    let subjects: Vec<&str> = events.iter().map(|event| event.subject.as_str()).collect();
    let text = "INSERT INTO fresh (id, kind, subject, at, raises, data)
        SELECT id, kind, subject, $5::bigint, $6::boolean AND nth = cardinality($1::text[]), data
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
        WITH ORDINALITY AS told (id, kind, subject, data, nth) ORDER BY nth";
    let values: Vec<Box<dyn ToSql + Sync + Send + 'a>> = vec![
        Box::new(ids),
        Box::new(kinds),
        Box::new(subjects),
        Box::new(data),
        Box::new(time),
        Box::new(!raised.is_empty()),
    ];
    Ok(Ask { text: text.to_owned(), values, expect: Expect::Nothing })
}
