//! The layout of the file and its numbered migrations.
//!
//! Owns what a fresh file holds, and that a file of a newer program is left as
//! it is. Applied migrations are never edited.

mod repack;

use std::path::Path;

use base64ct::{Base64UrlUnpadded, Encoding};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use store::StoreError;

use crate::apply::Place;
use crate::fault::store_error;
use crate::words::Words;

const MIGRATIONS: [&str; 3] =
    [include_str!("layout/0001.sql"), include_str!("layout/0002.sql"), include_str!("layout/0003.sql")];

/// "KEYF": tells our files from those of others.
const APPLICATION: i32 = 0x4b45_5946;

fn known() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

/// Refuses a file of a newer program or of another one, before anything opens
/// it for writing: even closing such a connection could move pages.
pub(crate) fn inspect(path: &Path) -> Result<(), StoreError> {
    if !path.metadata().is_ok_and(|file| file.len() > 0) {
        return Ok(());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(store_error)?;
    let found = layout_of(&db)?;
    if found > known() {
        return Err(StoreError::TooNew { found, known: known() });
    }
    let application: i32 = db.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(store_error)?;
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(store_error)?;
    if tables > 0 && application != APPLICATION {
        return Err(StoreError::Corrupt("the file belongs to another program".to_owned()));
    }
    Ok(())
}

fn layout_of(db: &Connection) -> Result<u32, StoreError> {
    db.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(store_error)
}

/// Brings the file to the newest layout, each step whole or not at all, and
/// answers its words with the place it stands at.
pub(crate) fn migrate(db: &mut Connection) -> Result<(Words, Place), StoreError> {
    let found = layout_of(db)?;
    for (number, text) in (1..).zip(MIGRATIONS).skip_while(|(number, _)| *number <= found) {
        let step = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(store_error)?;
        if layout_of(&step)? >= number {
            continue;
        }
        step.execute_batch(text).map_err(store_error)?;
        if number == 1 {
            let random: [u8; 16] =
                step.query_row("SELECT randomblob(16)", [], |row| row.get(0)).map_err(store_error)?;
            step.execute(
                "INSERT INTO head (one, generation, number, horizon, time) VALUES (1, ?1, 0, 0, 0)",
                [Base64UrlUnpadded::encode_string(&random)],
            )
            .map_err(store_error)?;
        }
        if number == 2 {
            repack::repack(&step)?;
            step.execute_batch(include_str!("layout/0002_after.sql")).map_err(store_error)?;
        }
        step.pragma_update(None, "application_id", APPLICATION).map_err(store_error)?;
        step.pragma_update(None, "user_version", number).map_err(store_error)?;
        step.commit().map_err(store_error)?;
    }
    let read = |row: &rusqlite::Row<'_>| {
        let number: i64 = row.get(1)?;
        Ok((row.get(0)?, Place { number: number.unsigned_abs(), horizon: row.get(2)?, time: row.get(3)? }))
    };
    let head = db.query_row("SELECT generation, number, horizon, time FROM head", [], read);
    let (generation, place) = head.map_err(store_error)?;
    let adding = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(store_error)?;
    let words = Words::load(&adding, generation).map_err(store_error)?;
    adding.commit().map_err(store_error)?;
    Ok((words, place))
}
