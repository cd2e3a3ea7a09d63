//! A record between its JSON and its row.
//!
//! Owns both ways, for tables that keep JSON and for packed ones. Does not own
//! which kinds are packed; that is `table`.

mod straight;

use identity::{Epochs, Fact, Record};
use rusqlite::Row as Found;
use rusqlite::types::{Type, Value as Sql, ValueRef};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::ser::Error as _;
use serde_json::{Map, Value};
use store::{StoreError, Stored, with_id};

use crate::pack;
use crate::table::{Column, Table};

/// What of a record is written beside its id and counters.
pub(crate) struct Row {
    pub(crate) body: Sql,
    /// In the order of the table's columns.
    pub(crate) columns: Vec<Sql>,
}

impl Row {
    /// The row of a record or its JSON; the id stands in a column of its own.
    pub(crate) fn of(table: &'static Table, record: &impl Serialize) -> Result<Self, serde_json::Error> {
        if table.is_packed() {
            return straight::row(table, record);
        }
        let Value::Object(mut members) = serde_json::to_value(record)? else {
            return Err(serde_json::Error::custom("it is no JSON object"));
        };
        members.remove(table.id);
        Ok(Self { body: Sql::Text(serde_json::to_string(&members)?), columns: Vec::new() })
    }

    /// The record's JSON again, its id in it.
    pub(crate) fn whole(&self, table: &Table, id: &str) -> Option<String> {
        if let Sql::Text(kept) = &self.body {
            return Some(with_id(table.id, id, kept));
        }
        let key = table.key(id);
        let column = |at: usize| Ok(self.columns.get(at).map_or(ValueRef::Null, ValueRef::from));
        let members = members(table, ValueRef::from(&key), ValueRef::from(&self.body), column).ok()?;
        Some(Value::Object(members).to_string())
    }
}

impl Column {
    fn put_back(&self, members: &mut Map<String, Value>, value: ValueRef<'_>) -> Option<()> {
        if value == ValueRef::Null {
            return Some(());
        }
        let text = pack::name_text(value)?;
        let place = match self.within {
            Some(outer) => members.get_mut(outer)?.as_object_mut()?,
            None => members,
        };
        place.insert(self.member.to_owned(), Value::String(text));
        Some(())
    }
}

/// A row of [`Table::read`] as a typed fact.
pub(crate) fn fact<T: Record + DeserializeOwned>(table: &Table, row: &Found<'_>) -> Result<Fact<T>, StoreError> {
    if !table.is_packed() {
        return stored(table, row).map_err(crate::fault::store_error)?.parse();
    }
    let read = || -> rusqlite::Result<_> { Ok((packed_members(table, row)?, row.get::<_, i64>(1)?, epochs(row, 2)?)) };
    let (members, version, epochs) = read().map_err(crate::fault::store_error)?;
    let record = serde_json::from_value(Value::Object(members))
        .map_err(|error| StoreError::Corrupt(format!("a {}: {error}", T::KIND.0)))?;
    Ok(Fact { record, version: version.unsigned_abs(), epochs })
}

/// A row of [`Table::read`] as it goes to lists; the id goes back to where the
/// writer took it out.
pub(crate) fn stored(table: &Table, row: &Found<'_>) -> rusqlite::Result<Stored> {
    let version = row.get::<_, i64>(1)?.unsigned_abs();
    let epochs = epochs(row, 2)?;
    if table.is_packed() {
        let members = packed_members(table, row)?;
        let id = members.get(table.id).and_then(Value::as_str).unwrap_or_default().to_owned();
        return Ok(Stored { id, version, epochs, body: Value::Object(members).to_string() });
    }
    let id: String = row.get(0)?;
    let kept = row.get_ref(4)?.as_str()?;
    let body = with_id(table.id, &id, kept);
    Ok(Stored { id, version, epochs, body })
}

fn packed_members(table: &Table, row: &Found<'_>) -> rusqlite::Result<Map<String, Value>> {
    members(table, row.get_ref(0)?, row.get_ref(4)?, |at| row.get_ref(5 + at))
}

/// The whole record out of a packed row.
pub(crate) fn members<'r>(
    table: &Table,
    id: ValueRef<'r>,
    body: ValueRef<'r>,
    column: impl Fn(usize) -> rusqlite::Result<ValueRef<'r>>,
) -> rusqlite::Result<Map<String, Value>> {
    let broken = |at: usize| rusqlite::Error::InvalidColumnType(at, table.name.to_owned(), Type::Blob);
    let mut members = body.as_blob().ok().and_then(pack::unpack).ok_or_else(|| broken(4))?;
    for (at, own) in table.columns.iter().enumerate() {
        own.put_back(&mut members, column(at)?).ok_or_else(|| broken(5 + at))?;
    }
    let id = pack::name_text(id).ok_or_else(|| broken(0))?;
    members.insert(table.id.to_owned(), Value::String(id));
    Ok(members)
}

pub(crate) fn epochs(row: &Found<'_>, first: usize) -> rusqlite::Result<Epochs> {
    let number = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
    Ok(Epochs { epoch: number(first)?, end_epoch: number(first + 1)? })
}
