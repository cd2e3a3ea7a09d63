//! What is forgotten, and when (every 60 s by the store's time). Every node does
//! it; what one has dropped the others do not find.

use std::sync::PoisonError;

use store::{Head, StoreError};

use crate::fault::store_error;
use crate::held::{Held, Values};
use crate::postgres_store::PostgresStore;
use crate::snapshot::head;

const DAY: i64 = 86_400;
/// A token is renewed at most so long after its end, and its row stays a little longer.
const TOKEN_MEMORY: i64 = 30 * DAY + 120;
/// Rows of one kind dropped in one step, so that others wait little, and steps
/// of one time.
const ROUND: i64 = 5_000;
const ROUNDS: u32 = 100;

/// Where the walk over ended browser sessions stands.
#[derive(Debug)]
pub(crate) struct Walk(i64, String);

impl Default for Walk {
    fn default() -> Self {
        Self(i64::MIN, String::new())
    }
}

impl PostgresStore {
    pub(crate) async fn forget(&self, now: i64) -> Result<Head, StoreError> {
        let window = self.tenant.max_token_life + 120;
        let found = self.within(self.raises(now, 2 * window)).await?;
        self.learn(&found);
        let time = found.time;
        let after = |table: &str, column: &str| {
            format!(
                "DELETE FROM {table} WHERE {column} IN (SELECT {column} FROM {table} WHERE {column} < $1
                 ORDER BY {column} LIMIT $2) RETURNING 1"
            )
        };
        let expired = |table: &str| {
            format!(
                "DELETE FROM {table} WHERE id IN (SELECT id FROM {table}
                 WHERE (body ->> 'expires_at')::bigint < $1 ORDER BY (body ->> 'expires_at')::bigint LIMIT $2) RETURNING 1"
            )
        };
        self.drop_all(&after("once", "until"), time).await?;
        self.drop_all(&after("idempotent", "until"), time).await?;
        self.drop_all(&expired("mail_token"), time - DAY).await?;
        self.drop_all(&expired("pairing"), time - DAY).await?;
        // What hangs from a session or family is dead once its row is gone, so
        // the row outlives the last token.
        self.drop_all(&expired("device_session"), time - window).await?;
        // A code used a second time ends the family its use began (RFC 6749
        // §4.1.2), so a spent code is remembered exactly as long as that family.
        let families = "WITH dead AS (DELETE FROM token_family WHERE id IN (SELECT id FROM token_family
            WHERE (body ->> 'expires_at')::bigint < $1 ORDER BY (body ->> 'expires_at')::bigint LIMIT $2) RETURNING id),
            codes AS (DELETE FROM authorization_code WHERE body ->> 'family' IN (SELECT id FROM dead)
            AND body ->> 'used_at' IS NOT NULL RETURNING 1) SELECT 1 FROM dead";
        self.drop_all(families, time - window).await?;
        // They ended nothing and began nothing.
        let unused = "DELETE FROM authorization_code WHERE id IN (SELECT id FROM authorization_code
            WHERE body ->> 'used_at' IS NULL AND (body ->> 'expires_at')::bigint < $1
            ORDER BY (body ->> 'expires_at')::bigint LIMIT $2) RETURNING 1";
        self.drop_all(unused, time - DAY).await?;
        self.within(self.browser_sessions(time - window)).await?;
        Ok(found)
    }

    /// Step by step until nothing is left; each step is whole by itself.
    async fn drop_all(&self, text: &str, before: i64) -> Result<(), StoreError> {
        for _ in 0..ROUNDS {
            let step = async {
                let held = self.hold().await?;
                let rows = query(&held, text, &[&before, &ROUND]).await?;
                held.give_back();
                Ok::<usize, StoreError>(rows.len())
            };
            if (self.within(step).await? as u64) < ROUND.unsigned_abs() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Forgetting a raise moves the horizon: no token made before it is believed.
    /// A token's own row stays as long as the token could be renewed; a raise
    /// that came late stays as long as any other, or the horizon would kill what
    /// is young. One without a number is never dropped.
    async fn raises(&self, now: i64, age: i64) -> Result<Head, StoreError> {
        let held = self.hold().await?;
        held.send("BEGIN ISOLATION LEVEL READ COMMITTED").await;
        let row = held.row("UPDATE head SET time = greatest(time, $1) WHERE one = 1 RETURNING time", &[&now]).await?;
        let time: i64 = row.try_get(0).map_err(|error| store_error(&error))?;
        let forget = "WITH gone AS (DELETE FROM raised WHERE at < $1 AND number IS NOT NULL
            AND (token_expires IS NULL OR token_expires < $2) RETURNING at)
            UPDATE head SET horizon = greatest(horizon, (SELECT max(at) FROM gone)) WHERE one = 1
            RETURNING generation, number, horizon, time";
        let found = head(&held.row(forget, &[&(time - age), &(time - TOKEN_MEMORY)]).await?)?;
        held.client().batch_execute("COMMIT").await.map_err(|error| store_error(&error))?;
        held.give_back();
        Ok(found)
    }

    /// An ended login stays while a family that began in it lives. The walk goes
    /// on where the last round stopped, so that those that stay cost each round
    /// little.
    async fn browser_sessions(&self, before: i64) -> Result<(), StoreError> {
        let Walk(expires, id) = core::mem::take(&mut *self.walk.lock().unwrap_or_else(PoisonError::into_inner));
        let held = self.hold().await?;
        let candidates = "SELECT (body ->> 'expires_at')::bigint, id FROM browser_session
            WHERE ((body ->> 'expires_at')::bigint, id) > ($1, $2) AND (body ->> 'expires_at')::bigint < $3
            ORDER BY (body ->> 'expires_at')::bigint, id LIMIT $4";
        let rows = query(&held, candidates, &[&expires, &id, &before, &ROUND]).await?;
        let ids: Vec<&str> = rows.iter().filter_map(|row| row.try_get(1).ok()).collect();
        let drop = "DELETE FROM browser_session WHERE id = ANY($1) AND NOT EXISTS (SELECT 1 FROM token_family
            WHERE token_family.body ->> 'session' = browser_session.id
            AND (token_family.body ->> 'expires_at')::bigint > $2)";
        query(&held, drop, &[&ids, &before]).await?;
        if let Some(last) = rows.last() {
            let place = Walk(
                last.try_get(0).map_err(|error| store_error(&error))?,
                last.try_get(1).map_err(|error| store_error(&error))?,
            );
            *self.walk.lock().unwrap_or_else(PoisonError::into_inner) = place;
        }
        held.give_back();
        Ok(())
    }
}

async fn query(held: &Held, text: &str, values: Values<'_>) -> Result<Vec<tokio_postgres::Row>, StoreError> {
    held.query(text, values).await.map_err(|error| store_error(&error))
}
