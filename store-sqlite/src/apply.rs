//! One commit inside the writer's transaction: guards, changes, raises, events.
//! Whoever calls it undoes the savepoint when it fails.

use identity::{AnchorKind, Epoch, Epochs, Event, Raise, RecordKey};
use rusqlite::{Connection, ErrorCode, OptionalExtension, ToSql, params};
use serde_json::Value;
use store::plan::{Counted, Plan, Shelf, Step};
use store::{CommitError, Committed, Conflict, Cursor, Raised};

use crate::fault::store_error;
use crate::pack;
use crate::row::Row;
use crate::table::{Table, unique_name};
use crate::words::Words;

/// What of the head row a commit moves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) number: u64,
    pub(crate) time: i64,
    pub(crate) horizon: i64,
}

/// Applies one commit. `place` is moved; on an error it is for the caller to
/// put it back.
pub(crate) fn apply(
    db: &Connection,
    words: &Words,
    place: &mut Place,
    plan: &Plan<Table>,
) -> Result<Committed, CommitError> {
    for (guard, table) in &plan.guards {
        if version(db, table, &guard.key.id)? != guard.version {
            return Err(conflict(table, &guard.key.id));
        }
    }
    place.time = place.time.max(plan.now);
    let number = place.number + plan.events.len() as u64;
    let mut step =
        Stepper { db, now: plan.now, time: place.time, number, raised: Vec::new(), counted: Counted::default() };
    for change in &plan.steps {
        step.take(change)?;
    }
    let raised = step.raised;
    append(db, words, place, &plan.events, &raised)?;
    let cursor = (!plan.events.is_empty()).then(|| Cursor { generation: words.generation().to_owned(), number });
    Ok(Committed { raised, cursor })
}

fn sql(error: rusqlite::Error) -> CommitError {
    CommitError::Store(store_error(error))
}

fn conflict(table: &Table, id: &str) -> CommitError {
    CommitError::Conflict(Conflict::Version(RecordKey { kind: table.kind(), id: id.to_owned() }))
}

/// Versions and epochs fit SQLite's signed 64 bits for longer than seconds can count.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn version(db: &Connection, table: &Table, id: &str) -> Result<u64, CommitError> {
    let mut query = db.prepare_cached(&table.texts().version).map_err(sql)?;
    let found: Option<i64> = query.query_row([table.key(id)], |row| row.get(0)).optional().map_err(sql)?;
    Ok(found.map_or(0, i64::unsigned_abs))
}

struct Stepper<'a> {
    db: &'a Connection,
    now: i64,
    time: i64,
    /// Of the last event of this commit, which tells what was raised.
    number: u64,
    raised: Vec<Raised>,
    counted: Counted<'a>,
}

impl<'a> Stepper<'a> {
    fn take(&mut self, step: &'a Step<Table>) -> Result<(), CommitError> {
        match step {
            Step::Write { shelf, id, version, row } => self.write(shelf, id, *version, row),
            Step::Touch { shelf, id, version } => {
                self.one(&shelf.texts().touch, shelf, id, *version)?;
                self.counted.up(shelf.kind(), id);
                Ok(())
            }
            Step::Erase { shelf, id, version } => self.one(&shelf.texts().erase, shelf, id, *version),
            Step::Raise(raise) => self.raise(raise),
            Step::Once { key, until } => self.once(key, *until),
            Step::Idempotent { key, until, reply } => self.idempotent(key, *until, reply),
        }
    }

    fn expected(&self, table: &Table, id: &str, version: u64) -> i64 {
        signed(self.counted.now(table.kind(), id, version))
    }

    fn one(&self, text: &str, table: &Table, id: &str, version: u64) -> Result<(), CommitError> {
        let values = params![table.key(id), self.expected(table, id, version)];
        let changed = self.db.prepare_cached(text).map_err(sql)?.execute(values).map_err(sql)?;
        if changed == 1 { Ok(()) } else { Err(conflict(table, id)) }
    }

    fn write(&self, table: &Table, id: &str, version: u64, row: &Row) -> Result<(), CommitError> {
        let (key, expected) = (table.key(id), self.expected(table, id, version));
        let mut values: Vec<&dyn ToSql> = vec![&key, &row.body];
        values.extend(row.columns.iter().map(|value| value as &dyn ToSql));
        let texts = table.texts();
        let text = if version == 0 {
            &texts.insert
        } else {
            values.push(&expected);
            &texts.update
        };
        let written = self.db.prepare_cached(text).map_err(sql)?.execute(values.as_slice());
        match written {
            Ok(1) => self.live_user_code(table, id),
            Ok(_) => Err(conflict(table, id)),
            Err(error) => match refused(error, table, id) {
                // The record stands against itself: what matters is that it exists.
                CommitError::Conflict(Conflict::Taken(_)) if version == 0 && self::version(self.db, table, id)? > 0 => {
                    Err(conflict(table, id))
                }
                refusal => Err(refusal),
            },
        }
    }

    /// A user code is unique among pairings that wait and have not expired; a
    /// dead one does not block, so that no index can say it.
    fn live_user_code(&self, table: &Table, id: &str) -> Result<(), CommitError> {
        if table.name != "pairing" {
            return Ok(());
        }
        let mut query = self
            .db
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM pairing mine JOIN pairing other ON other.user_code = mine.user_code
                 WHERE mine.id = ?1 AND other.id <> ?1 AND mine.state = 'pending' AND mine.expires_at > ?2
                 AND other.state = 'pending' AND other.expires_at > ?2)",
            )
            .map_err(sql)?;
        let taken: bool = query.query_row(params![id, self.now], |row| row.get(0)).map_err(sql)?;
        if taken { Err(CommitError::Conflict(Conflict::Taken("pairing.user_code"))) } else { Ok(()) }
    }

    fn raise(&mut self, raise: &'a Raise) -> Result<(), CommitError> {
        let before = match Table::of_anchor(&raise.anchor) {
            Some(table) => {
                record_epochs(self.db, table, &raise.anchor.id)?.ok_or_else(|| conflict(table, &raise.anchor.id))?
            }
            None => raised_epochs(self.db, AnchorKind::Token, &raise.anchor.id).map_err(sql)?.unwrap_or_default(),
        };
        let after = before.raised(raise.kind, u64::try_from(self.time).unwrap_or(0));
        let (epoch, end_epoch) = (signed(after.epoch), signed(after.end_epoch));
        if let Some(table) = Table::of_anchor(&raise.anchor) {
            let mut update = self.db.prepare_cached(&table.texts().raise).map_err(sql)?;
            update.execute(params![table.key(&raise.anchor.id), epoch, end_epoch]).map_err(sql)?;
            self.counted.up(table.kind(), &raise.anchor.id);
        }
        self.db
            .prepare_cached(
                "INSERT INTO raised (kind, id, epoch, end_epoch, number, at, token_expires)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT DO UPDATE SET epoch = excluded.epoch, end_epoch = excluded.end_epoch,
                 number = excluded.number, at = excluded.at,
                 token_expires = max(ifnull(token_expires, excluded.token_expires), excluded.token_expires)",
            )
            .map_err(sql)?
            .execute(params![
                raise.anchor.kind.code(),
                raise.anchor.id,
                epoch,
                end_epoch,
                signed(self.number),
                self.time,
                raise.token_expires
            ])
            .map_err(sql)?;
        self.raised.retain(|known| known.anchor != raise.anchor);
        self.raised.push(Raised {
            anchor: raise.anchor.clone(),
            epoch: after.epoch,
            end_epoch: after.end_epoch,
            number: Some(self.number),
            at: self.time,
            token_expires: raise.token_expires,
        });
        Ok(())
    }

    fn once(&self, key: &str, until: i64) -> Result<(), CommitError> {
        let mut insert = self
            .db
            .prepare_cached("INSERT INTO once (key, until) VALUES (?1, ?2) ON CONFLICT DO NOTHING")
            .map_err(sql)?;
        match insert.execute(params![key, until]).map_err(sql)? {
            1 => Ok(()),
            _ => Err(CommitError::Conflict(Conflict::Used)),
        }
    }

    /// Two requests under one key: the later loads again and finds the reply.
    fn idempotent(&self, key: &str, until: i64, reply: &str) -> Result<(), CommitError> {
        let mut insert = self
            .db
            .prepare_cached(
                "INSERT INTO idempotent (key, until, reply) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE
                 SET until = excluded.until, reply = excluded.reply WHERE idempotent.until <= ?4",
            )
            .map_err(sql)?;
        match insert.execute(params![key, until, reply, self.now]).map_err(sql)? {
            1 => Ok(()),
            _ => Err(CommitError::Conflict(Conflict::Used)),
        }
    }
}

/// Why SQLite would not take a record.
fn refused(error: rusqlite::Error, table: &Table, id: &str) -> CommitError {
    let unique = match &error {
        rusqlite::Error::SqliteFailure(code, message) if code.code == ErrorCode::ConstraintViolation => {
            match code.extended_code {
                rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY => return conflict(table, id),
                rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE => message.as_deref().and_then(unique_name),
                _ => None,
            }
        }
        _ => None,
    };
    unique.map_or_else(|| sql(error), |name| CommitError::Conflict(Conflict::Taken(name)))
}

fn record_epochs(db: &Connection, table: &Table, id: &str) -> Result<Option<Epochs>, CommitError> {
    db.prepare_cached(&table.texts().epochs)
        .and_then(|mut query| query.query_row([table.key(id)], epochs_of).optional())
        .map_err(sql)
}

/// The newest raise that is kept of an anchor.
pub(crate) fn raised_epochs(db: &Connection, kind: AnchorKind, id: &str) -> rusqlite::Result<Option<Epochs>> {
    db.prepare_cached("SELECT epoch, end_epoch FROM raised WHERE kind = ?1 AND id = ?2")?
        .query_row([kind.code(), id], epochs_of)
        .optional()
}

fn epochs_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Epochs> {
    let number = |column| row.get::<_, i64>(column).map(|number| Epoch::try_from(number).unwrap_or(0));
    Ok(Epochs { epoch: number(0)?, end_epoch: number(1)? })
}

/// The member of an event that is the store's own word.
const RAISED: &str = "raised";

/// Numbers are given inside the commit; the last event tells all that was raised.
fn append(
    db: &Connection,
    words: &Words,
    place: &mut Place,
    events: &[Event],
    raised: &[Raised],
) -> Result<(), CommitError> {
    let last = events.len();
    for (index, event) in events.iter().enumerate() {
        place.number += 1;
        let tells = index + 1 == last && !raised.is_empty();
        let list = tells.then(|| raised.iter().map(|it| it.anchor.clone().at(it.epoch).to_string()).collect::<Value>());
        let told = event.data.iter().map(|(name, value)| (name.as_str(), value)).filter(|(name, _)| *name != RAISED);
        let data = pack::pack(told.chain(list.iter().map(|list| (RAISED, list))));
        db.prepare_cached(
            "INSERT INTO event (number, era, kind, subject, time, raises, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )
        .map_err(sql)?
        .execute(params![
            signed(place.number),
            words.era(),
            words.kind(event.kind),
            pack::name(&event.subject),
            place.time,
            tells,
            data
        ])
        .map_err(sql)?;
    }
    Ok(())
}
