//! Records out of one read transaction, as typed facts.

use std::collections::BTreeSet;
use std::sync::Arc;

use identity::{Anchor, AnchorKind, Epochs, Fact, Record, Tenant};
use rusqlite::{Connection, OptionalExtension, Params, StatementStatus, ToSql};
use serde::de::DeserializeOwned;
use store::plan::Shelf;
use store::{Head, StoreError, Stored};

use crate::apply::raised_epochs;
use crate::fault::store_error;
use crate::memo::Memo;
use crate::row::{self, epochs};
use crate::table::Table;
use crate::words::Words;

/// One moment of the store.
pub(crate) struct Snapshot<'a> {
    pub(crate) db: &'a Connection,
    pub(crate) memo: &'a Memo,
    pub(crate) tenant: &'a Arc<Tenant>,
    pub(crate) words: &'a Words,
}

type Load<T> = Result<T, StoreError>;

impl Snapshot<'_> {
    pub(crate) fn tenant(&self) -> Tenant {
        Tenant::clone(self.tenant)
    }

    pub(crate) fn head(&self) -> Load<Head> {
        let mut query =
            self.db.prepare_cached("SELECT generation, number, horizon, time FROM head").map_err(store_error)?;
        query
            .query_row([], |row| {
                let number: i64 = row.get(1)?;
                Ok(Head {
                    generation: row.get(0)?,
                    number: number.unsigned_abs(),
                    horizon: row.get(2)?,
                    time: row.get(3)?,
                })
            })
            .map_err(store_error)
    }

    /// One record as it is kept.
    pub(crate) fn stored(&self, table: &Table, id: &str) -> Load<Option<Stored>> {
        let mut query = self.db.prepare_cached(&table.texts().by_id).map_err(store_error)?;
        query.query_row([table.key(id)], |row| row::stored(table, row)).optional().map_err(store_error)
    }

    pub(crate) fn by_id<T: Record + DeserializeOwned>(&self, id: &str) -> Load<Option<Fact<T>>> {
        let table = Table::of(T::KIND)?;
        let mut query = self.db.prepare_cached(&table.texts().by_id).map_err(store_error)?;
        let mut rows = query.query([table.key(id)]).map_err(store_error)?;
        rows.next().map_err(store_error)?.map(|row| row::fact(table, row)).transpose()
    }

    pub(crate) fn by_some_id<T: Record + DeserializeOwned>(&self, id: Option<&str>) -> Load<Option<Fact<T>>> {
        id.map_or(Ok(None), |id| self.by_id(id))
    }

    /// The records for which a condition of ours holds; `condition` is text of
    /// this crate, never of a request.
    pub(crate) fn all<T: Record + DeserializeOwned>(&self, condition: &str, values: impl Params) -> Load<Vec<Fact<T>>> {
        let table = Table::of(T::KIND)?;
        let text = format!("SELECT {} FROM {} WHERE {condition}", table.texts().columns, table.name);
        let mut query = self.db.prepare_cached(&text).map_err(store_error)?;
        let found = {
            let rows = query.query_map(values, |row| Ok(row::fact(table, row))).map_err(store_error)?;
            rows.map(|row| row.map_err(store_error)?).collect()
        };
        debug_assert_eq!(query.reset_status(StatementStatus::FullscanStep), 0, "no index serves: {text}");
        found
    }

    pub(crate) fn one<T: Record + DeserializeOwned>(
        &self,
        condition: &str,
        values: impl Params,
    ) -> Load<Option<Fact<T>>> {
        Ok(self.all(condition, values)?.into_iter().next())
    }

    /// The records of these ids that are there, in the order of ids, each once.
    pub(crate) fn by_ids<'i, T: Record + DeserializeOwned>(
        &self,
        ids: impl IntoIterator<Item = &'i str>,
    ) -> Load<Vec<Fact<T>>> {
        if !Table::of(T::KIND)?.is_packed() {
            return self.all("id IN (SELECT value FROM json_each(?1)) ORDER BY id", [id_list(ids)]);
        }
        let ids: BTreeSet<&str> = ids.into_iter().collect();
        ids.into_iter().filter_map(|id| self.by_id(id).transpose()).collect()
    }

    pub(crate) fn exists(&self, query: &str, value: &dyn ToSql) -> Load<bool> {
        let mut query = self.db.prepare_cached(query).map_err(store_error)?;
        query.exists([value]).map_err(store_error)
    }

    /// Whether a once key is used up.
    pub(crate) fn used(&self, key: Option<&str>) -> Load<bool> {
        key.map_or(Ok(false), |key| self.exists("SELECT 1 FROM once WHERE key = ?1", &key))
    }

    /// Epochs of an anchor as they are now; `None` where its record is missing.
    pub(crate) fn epochs(&self, anchor: &Anchor) -> Load<Option<Epochs>> {
        if let Some(table) = Table::of_anchor(anchor) {
            let mut query = self.db.prepare_cached(&table.texts().epochs).map_err(store_error)?;
            return query.query_row([table.key(&anchor.id)], |row| epochs(row, 0)).optional().map_err(store_error);
        }
        match anchor.kind {
            AnchorKind::Tenant if anchor.id == self.tenant.generation => Ok(Some(Epochs::default())),
            AnchorKind::Token => {
                Ok(Some(raised_epochs(self.db, anchor.kind, &anchor.id).map_err(store_error)?.unwrap_or_default()))
            }
            _ => Ok(None),
        }
    }

    pub(crate) fn all_epochs<'i>(&self, anchors: impl IntoIterator<Item = &'i Anchor>) -> Load<Vec<Option<Epochs>>> {
        anchors.into_iter().map(|anchor| self.epochs(anchor)).collect()
    }
}

/// Ids as one bound value, each once.
pub(crate) fn id_list<'i>(ids: impl IntoIterator<Item = &'i str>) -> String {
    let ids: BTreeSet<&str> = ids.into_iter().collect();
    serde_json::Value::from_iter(ids).to_string()
}
