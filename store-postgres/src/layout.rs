//! The layout of the database and its numbered migrations, the same numbers as
//! the embedded store's.
//!
//! Owns what a fresh database holds, and that one of a newer program is left as
//! it is. Applied migrations are never edited.

use base64ct::{Base64UrlUnpadded, Encoding};
use store::{Head, StoreError};
use tokio_postgres::error::SqlState;

use crate::fault::store_error;
use crate::held::Held;
use crate::postgres_store::Chance;

const MIGRATIONS: [&str; 3] =
    [include_str!("layout/0001.sql"), include_str!("layout/0002.sql"), include_str!("layout/0003.sql")];

/// Nodes that start at once on an empty database stand in one another's way.
const TRIES: u32 = 20;

fn known() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

/// Brings the database to the newest layout and answers its head.
pub(crate) async fn migrate(held: &mut Held, chance: &Chance) -> Result<Head, StoreError> {
    held.client()
        .batch_execute("SET statement_timeout = 0; SET lock_timeout = 0")
        .await
        .map_err(|e| store_error(&e))?;
    let mut tries = 0;
    loop {
        match step(held, chance).await {
            Ok(None) => return head(held).await,
            Ok(Some(())) => {}
            Err(Stopped::Other(error)) if stands_aside(&error) && tries < TRIES => {
                held.client().batch_execute("ROLLBACK").await.map_err(|error| store_error(&error))?;
                tries += 1;
            }
            Err(Stopped::Other(error)) => return Err(store_error(&error)),
            Err(Stopped::Store(error)) => return Err(error),
        }
    }
}

enum Stopped {
    Store(StoreError),
    Other(tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for Stopped {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Other(error)
    }
}

/// What two that make the same thing at once tell each other.
fn stands_aside(error: &tokio_postgres::Error) -> bool {
    let passing = [
        SqlState::UNIQUE_VIOLATION,
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_OBJECT,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
    ];
    error.code().is_some_and(|code| passing.contains(code))
}

/// One migration, whole or not at all; nothing once there is none left.
async fn step(held: &Held, chance: &Chance) -> Result<Option<()>, Stopped> {
    let db = held.client();
    // One look: another node may be making them right now.
    let tables = "SELECT count(*) FILTER (WHERE tablename = 'layout'), count(*)
                  FROM pg_catalog.pg_tables WHERE schemaname = current_schema()";
    let tables = db.query_one(tables, &[]).await?;
    if tables.get::<_, i64>(0) == 0 {
        if tables.get::<_, i64>(1) > 0 {
            return Err(Stopped::Store(StoreError::Corrupt("the database belongs to another program".to_owned())));
        }
        db.batch_execute(
            "BEGIN;
             CREATE TABLE layout (program text PRIMARY KEY, number int NOT NULL);
             INSERT INTO layout VALUES ('keyfob', 0);
             COMMIT",
        )
        .await?;
    }
    db.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    let found = db.query_opt("SELECT number FROM layout WHERE program = 'keyfob' FOR UPDATE", &[]).await?;
    let found: u32 = match found.map(|row| row.try_get::<_, i32>(0)) {
        Some(Ok(number)) => number.unsigned_abs(),
        _ => return Err(Stopped::Store(StoreError::Corrupt("the database belongs to another program".to_owned()))),
    };
    if found > known() {
        return Err(Stopped::Store(StoreError::TooNew { found, known: known() }));
    }
    let next = usize::try_from(found).ok().and_then(|done| MIGRATIONS.get(done));
    let Some(text) = next else {
        db.batch_execute("ROLLBACK").await?;
        return Ok(None);
    };
    db.batch_execute(text).await?;
    if found == 0 {
        let random = [chance(), chance()].map(u64::to_be_bytes).concat();
        db.execute("INSERT INTO head VALUES (1, $1, 0, 0, 0)", &[&Base64UrlUnpadded::encode_string(&random)]).await?;
    }
    db.execute("UPDATE layout SET number = number + 1 WHERE program = 'keyfob'", &[]).await?;
    db.batch_execute("COMMIT").await?;
    Ok(Some(()))
}

async fn head(held: &Held) -> Result<Head, StoreError> {
    let row = held.row("SELECT generation, number, horizon, time FROM head WHERE one = 1", &[]).await?;
    crate::snapshot::head(&row)
}
