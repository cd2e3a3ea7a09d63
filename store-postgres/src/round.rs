//! Rounds of the feed: numbers are given after the commit, by whichever node
//! comes first, under the lock of the head row.
//!
//! What one commit saw of another has the lesser place and is visible with it,
//! so that numbers follow every dependence, and no cursor skips a late commit.

use store::{Head, Round, StoreError};

use crate::fault::store_error;
use crate::held::Held;
use crate::postgres_store::PostgresStore;
use crate::snapshot::head;

/// Events numbered in one step.
const BATCH: i64 = 5_000;

impl PostgresStore {
    pub(crate) async fn number(&self) -> Result<Round, StoreError> {
        let held = self.hold().await?;
        // Most rounds find nothing to do, and then write nothing.
        let look = "SELECT generation, number, horizon, time, floor(extract(epoch FROM clock_timestamp()))::bigint,
                    EXISTS (SELECT 1 FROM fresh) FROM head";
        let row = held.row(look, &[]).await?;
        let clock: i64 = row.try_get(4).map_err(|error| store_error(&error))?;
        let mut more: bool = row.try_get(5).map_err(|error| store_error(&error))?;
        let mut found = head(&row)?;
        while more {
            (found, more) = step(&held).await?;
        }
        held.give_back();
        if found.generation != self.tenant.generation {
            return Err(StoreError::Unavailable("it was restored meanwhile: start this node anew".to_owned()));
        }
        self.learn(&found);
        Ok(Round { head: found, clock: Some(clock) })
    }
}

/// Numbers a batch; whether there may be more.
async fn step(held: &Held) -> Result<(Head, bool), StoreError> {
    held.send("BEGIN ISOLATION LEVEL READ COMMITTED").await;
    let numbered = batch(held).await;
    match numbered {
        Ok((head, count)) => {
            held.client().batch_execute("COMMIT").await.map_err(|error| store_error(&error))?;
            Ok((head, count >= BATCH))
        }
        Err(error) => {
            held.send("ROLLBACK").await;
            Err(error)
        }
    }
}

async fn batch(held: &Held) -> Result<(Head, i64), StoreError> {
    // Behind this lock the next statement sees all that was committed before it.
    let locked = held.row("SELECT number, time, generation FROM head WHERE one = 1 FOR UPDATE", &[]).await?;
    let (number, time): (i64, i64) = (get(&locked, 0)?, get(&locked, 1)?);
    let ids = id_of(locked.try_get(2).map_err(|error| store_error(&error))?, "");
    let tell = "WITH batch AS (SELECT place, id AS link, $1 + row_number() OVER (ORDER BY place) AS number, kind,
            subject, greatest($2, max(at) OVER (ORDER BY place)) AS time, raises, data
            FROM (SELECT * FROM fresh ORDER BY place LIMIT $3) AS next),
        gone AS (DELETE FROM fresh WHERE place IN (SELECT place FROM batch) RETURNING 1),
        told AS (INSERT INTO event (number, id, kind, subject, time, raises, data)
            SELECT number, $4::text || number, kind, subject, time, raises, data FROM batch RETURNING 1),
        linked AS (UPDATE raised SET number = batch.number, at = batch.time FROM batch
            WHERE batch.raises AND raised.event = batch.link AND raised.number IS NULL RETURNING 1)
        SELECT count(*), coalesce(max(number), $1), coalesce(max(time), $2) FROM batch";
    let told = held.row(tell, &[&number, &time, &BATCH, &ids]).await?;
    let (count, number, time): (i64, i64, i64) = (get(&told, 0)?, get(&told, 1)?, get(&told, 2)?);
    let keep = "UPDATE head SET number = $1, time = greatest(time, $2) WHERE one = 1
                RETURNING generation, number, horizon, time";
    Ok((head(&held.row(keep, &[&number, &time]).await?)?, count))
}

/// An event is called by the beginning of its store's generation and its number.
pub(crate) fn id_of(generation: &str, number: &str) -> String {
    let era: String = generation.chars().take(10).collect();
    format!("evt_{era}{number}")
}

fn get(row: &tokio_postgres::Row, column: usize) -> Result<i64, StoreError> {
    row.try_get(column).map_err(|error| store_error(&error))
}
