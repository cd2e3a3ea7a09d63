//! Carries rows of layout 1 over to layout 2: JSON text becomes packed bytes.
//! One row at a time, so that a large store needs no more memory than a small one.

use identity::Record as _;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, ToSql, params};
use serde_json::{Map, Value};
use store::StoreError;
use store::plan::Shelf;

use crate::fault::store_error;
use crate::pack;
use crate::row::Row;
use crate::table::Table;
use crate::words;

/// Fills the empty tables of layout 2 from those of layout 1.
pub(super) fn repack(db: &Connection) -> Result<(), StoreError> {
    for kind in [identity::Device::KIND, identity::Credential::KIND] {
        records(db, Table::of(kind)?)?;
    }
    events(db)
}

fn records(db: &Connection, table: &'static Table) -> Result<(), StoreError> {
    let name = table.name;
    let mut old = db
        .prepare(&format!("SELECT id, body, version, epoch, end_epoch FROM {name}_1 ORDER BY id"))
        .map_err(store_error)?;
    let mut new = db.prepare(&table.texts().insert).map_err(store_error)?;
    let mut count = db
        .prepare(&format!("UPDATE {name} SET version = ?2, epoch = ?3, end_epoch = ?4 WHERE id = ?1"))
        .map_err(store_error)?;
    let mut rows = old.query([]).map_err(store_error)?;
    while let Some(row) = rows.next().map_err(store_error)? {
        let id: String = row.get(0).map_err(store_error)?;
        let members = object(row.get_ref(1).and_then(|body| Ok(body.as_str()?)).map_err(store_error)?, name)?;
        let packed = Row::of(table, &members).map_err(|error| StoreError::Corrupt(format!("a {name}: {error}")))?;
        let key = table.key(&id);
        let mut values: Vec<&dyn ToSql> = vec![&key, &packed.body];
        values.extend(packed.columns.iter().map(|value| value as &dyn ToSql));
        new.execute(values.as_slice()).map_err(store_error)?;
        let counters: (Sql, Sql, Sql) = (|| Ok((row.get(2)?, row.get(3)?, row.get(4)?)))().map_err(store_error)?;
        if counters != (Sql::Integer(1), Sql::Integer(0), Sql::Integer(0)) {
            count.execute(params![key, counters.0, counters.1, counters.2]).map_err(store_error)?;
        }
    }
    Ok(())
}

fn events(db: &Connection) -> Result<(), StoreError> {
    let mut old = db
        .prepare("SELECT number, id, kind, subject, time, raises, data FROM event_1 ORDER BY number")
        .map_err(store_error)?;
    let mut new = db
        .prepare(
            "INSERT INTO event (number, era, kind, subject, time, raises, data) VALUES
             (?1, (SELECT number FROM word WHERE text = ?2), (SELECT number FROM word WHERE text = ?3), ?4, ?5, ?6, ?7)",
        )
        .map_err(store_error)?;
    let mut rows = old.query([]).map_err(store_error)?;
    while let Some(row) = rows.next().map_err(store_error)? {
        let read = || -> rusqlite::Result<(i64, String, String, String, i64, i64, String)> {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?))
        };
        let (number, id, kind, subject, time, raises, data) = read().map_err(store_error)?;
        let era = id.strip_prefix("evt_").and_then(|id| id.strip_suffix(&number.to_string()));
        let era = era.ok_or_else(|| StoreError::Corrupt(format!("event {number} has another's id")))?;
        words::add(db, era).and_then(|_| words::add(db, &kind)).map_err(store_error)?;
        let data = pack::pack(&object(&data, "event")?);
        new.execute(params![number, era, kind, pack::name(&subject), time, raises, data]).map_err(store_error)?;
    }
    Ok(())
}

fn object(text: &str, name: &str) -> Result<Map<String, Value>, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("a {name}: {error}")))
}
