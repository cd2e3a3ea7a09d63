//! Rounds of the feed: numbers are given after the commit, by whichever node
//! comes first, under the lock of the head row.
//!
//! What one commit saw of another has the lesser place and is visible with it,
//! so that numbers follow every dependence, and no cursor skips a late commit.
//! A round is one trip where nothing is to be numbered, else two.

use futures_util::future::{join, join5};
use store::{Head, Round, StoreError};
use tokio_postgres::{Error, Row};

use crate::due::CHANNEL;
use crate::fault::store_error;
use crate::feed::event;
use crate::held::Held;
use crate::postgres_store::PostgresStore;
use crate::snapshot::{get, head};

/// Events numbered in one step, and raises told by one round.
const BATCH: i64 = 5_000;
const RAISES: usize = 1_000;
const LIMIT: i64 = RAISES as i64 + 1;

/// The head first: whatever it numbers, the second statement sees.
const LOOK: &str = "SELECT generation, number, horizon, time, floor(extract(epoch FROM clock_timestamp()))::bigint,
    EXISTS (SELECT 1 FROM fresh), EXISTS (SELECT 1 FROM event WHERE kind = 'key.rotated' AND number > $1)
    FROM head WHERE one = 1";
const TOLD: &str = "SELECT number, id, kind, subject, time, data FROM event WHERE number > $1 AND raises
    ORDER BY number LIMIT $2";
const LOCK: &str = "SELECT 1 FROM head WHERE one = 1 FOR UPDATE";
/// Behind the lock this sees all that was committed before.
const NUMBER: &str = "WITH known AS (SELECT number, time, generation FROM head WHERE one = 1),
    batch AS (SELECT place, next.id AS link, known.number + row_number() OVER (ORDER BY place) AS number, kind,
        subject, greatest(known.time, max(at) OVER (ORDER BY place)) AS time, raises, data, known.generation
        FROM (SELECT * FROM fresh ORDER BY place LIMIT $1) AS next, known),
    gone AS (DELETE FROM fresh WHERE place IN (SELECT place FROM batch) RETURNING 1),
    told AS (INSERT INTO event (number, id, kind, subject, time, raises, data)
        SELECT number, 'evt_' || left(generation, 10) || number, kind, subject, time, raises, data
        FROM batch RETURNING 1),
    linked AS (UPDATE raised SET number = batch.number, at = batch.time FROM batch
        WHERE batch.raises AND raised.event = batch.link AND raised.number IS NULL RETURNING 1)
    UPDATE head SET number = greatest(head.number, last.number), time = greatest(head.time, last.time)
    FROM (SELECT coalesce(max(number), 0) AS number, coalesce(max(time), 0) AS time FROM batch) AS last
    WHERE head.one = 1";

/// What a look finds.
struct Found {
    head: Head,
    clock: i64,
    /// Something has no number.
    is_fresh: bool,
    rotated: bool,
    told: Vec<Row>,
}

impl PostgresStore {
    pub(crate) async fn number(&self, after: u64) -> Result<Round, StoreError> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let mut held = self.hold_for_rounds().await?;
        let mut found = self.whole_round(&held, after).await;
        // After a restart of the database it is lost, and that shows when it is used.
        if found.is_err() && held.is_lost() {
            drop(held);
            held = self.hold_for_rounds().await?;
            found = self.whole_round(&held, after).await;
        }
        let found = found?;
        held.give_back();
        if found.head.generation != self.tenant.generation {
            return Err(StoreError::Unavailable("it was restored meanwhile: start this node anew".to_owned()));
        }
        self.learn(&found.head);
        let mut raises = found.told.iter().map(event).collect::<Result<Vec<_>, _>>()?;
        let more = raises.len() > RAISES;
        raises.truncate(RAISES);
        let next = match raises.last() {
            // Not beyond the head that was read: keys rotated behind it were not seen.
            Some(last) if more => last.number.min(found.head.number),
            _ => found.head.number,
        };
        Ok(Round { head: found.head, clock: Some(found.clock), raises, next, rotated: found.rotated })
    }

    async fn whole_round(&self, held: &Held, after: i64) -> Result<Found, StoreError> {
        // Most rounds find nothing to do, and then write nothing.
        let mut found = look(held, after).await?;
        while found.is_fresh {
            let before = found.head.number;
            found = self.step(held, after).await?;
            if found.head.number.saturating_sub(before) < BATCH.unsigned_abs() {
                break;
            }
        }
        Ok(found)
    }

    /// One trip: numbers a batch, commits, looks again, and tells the other nodes.
    async fn step(&self, held: &Held, after: i64) -> Result<Found, StoreError> {
        let (lock, number) = (prepare(held, LOCK).await?, prepare(held, NUMBER).await?);
        let (looked, told) = (prepare(held, LOOK).await?, prepare(held, TOLD).await?);
        let db = held.client();
        held.send("BEGIN ISOLATION LEVEL READ COMMITTED").await;
        // The server takes one after the other: after a failure COMMIT ends it without effect.
        let (locked, numbered, ended, looked, told) = join5(
            db.query(&lock, &[]),
            db.execute(&number, &[&BATCH]),
            db.batch_execute("COMMIT"),
            db.query_one(&looked, &[&after]),
            db.query(&told, &[&after, &LIMIT]),
        )
        .await;
        locked.map(drop).and(numbered.map(drop)).and(ended).map_err(|error| store_error(&error))?;
        // Where there is no such thing, others find it at their next beat.
        held.send(&format!("NOTIFY {CHANNEL}, '{}'", self.own)).await;
        read(looked, told)
    }
}

/// One trip: head, clock and what is told behind a place.
async fn look(held: &Held, after: i64) -> Result<Found, StoreError> {
    let (looked, told) = (prepare(held, LOOK).await?, prepare(held, TOLD).await?);
    let db = held.client();
    let (looked, told) = join(db.query_one(&looked, &[&after]), db.query(&told, &[&after, &LIMIT])).await;
    read(looked, told)
}

async fn prepare(held: &Held, text: &str) -> Result<tokio_postgres::Statement, StoreError> {
    held.client().prepare_cached(text).await.map_err(|error| store_error(&error))
}

fn read(looked: Result<Row, Error>, told: Result<Vec<Row>, Error>) -> Result<Found, StoreError> {
    let (row, told) = looked.and_then(|row| Ok((row, told?))).map_err(|error| store_error(&error))?;
    let row = &row;
    Ok(Found { head: head(row)?, clock: get(row, 4)?, is_fresh: get(row, 5)?, rotated: get(row, 6)?, told })
}

/// An event is called by the beginning of its store's generation and its number.
pub(crate) fn id_of(generation: &str, number: &str) -> String {
    let era: String = generation.chars().take(10).collect();
    format!("evt_{era}{number}")
}
