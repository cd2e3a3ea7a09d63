//! Records out of one read-only transaction, as typed facts.

use std::collections::BTreeSet;
use std::sync::Arc;

use identity::{Anchor, AnchorKind, Epochs, Fact, Record, Tenant};
use serde::de::DeserializeOwned;
use store::plan::Shelf;
use store::{Head, StoreError, Stored, with_id};
use tokio_postgres::Row;

use crate::fault::store_error;
use crate::held::{Held, Values};
use crate::table::Table;

pub(crate) const COLUMNS: &str = "id, version, epoch, end_epoch, body::text";

/// One moment of the store.
pub(crate) struct Snapshot {
    pub(crate) held: Held,
    pub(crate) tenant: Arc<Tenant>,
}

type Load<T> = Result<T, StoreError>;

impl Snapshot {
    /// Lets the moment go.
    pub(crate) async fn end(self) {
        self.held.send("COMMIT").await;
        self.held.give_back();
    }

    pub(crate) fn tenant(&self) -> Tenant {
        Tenant::clone(&self.tenant)
    }

    pub(crate) async fn query(&self, text: &str, values: Values<'_>) -> Load<Vec<Row>> {
        self.held.query(text, values).await.map_err(|error| store_error(&error))
    }

    pub(crate) async fn head(&self) -> Load<Head> {
        head(&self.held.row("SELECT generation, number, horizon, time FROM head WHERE one = 1", &[]).await?)
    }

    /// One record as it is kept.
    pub(crate) async fn stored(&self, table: &Table, id: &str) -> Load<Option<Stored>> {
        let text = format!("SELECT {COLUMNS} FROM \"{}\" WHERE id = $1", table.name);
        self.query(&text, &[&id]).await?.first().map(|row| stored(table, row)).transpose()
    }

    pub(crate) async fn by_id<T: Record + DeserializeOwned>(&self, id: &str) -> Load<Option<Fact<T>>> {
        self.stored(Table::of(T::KIND)?, id).await?.map(Stored::parse).transpose()
    }

    pub(crate) async fn by_some_id<T: Record + DeserializeOwned>(&self, id: Option<&str>) -> Load<Option<Fact<T>>> {
        match id {
            Some(id) => self.by_id(id).await,
            None => Ok(None),
        }
    }

    /// The records for which a condition of ours holds; `condition` is text of
    /// this crate, never of a request.
    pub(crate) async fn all<T: Record + DeserializeOwned>(
        &self,
        condition: &str,
        values: Values<'_>,
    ) -> Load<Vec<Fact<T>>> {
        let table = Table::of(T::KIND)?;
        let text = format!("SELECT {COLUMNS} FROM \"{}\" WHERE {condition}", table.name);
        self.query(&text, values).await?.iter().map(|row| stored(table, row)?.parse()).collect()
    }

    pub(crate) async fn one<T: Record + DeserializeOwned>(
        &self,
        condition: &str,
        values: Values<'_>,
    ) -> Load<Option<Fact<T>>> {
        Ok(self.all(condition, values).await?.into_iter().next())
    }

    /// By one member of text that stands in an index.
    pub(crate) async fn by_member<T: Record + DeserializeOwned>(
        &self,
        member: &str,
        value: Option<&str>,
    ) -> Load<Option<Fact<T>>> {
        match value {
            Some(value) => self.one(&format!("body ->> '{member}' = $1"), &[&value]).await,
            None => Ok(None),
        }
    }

    /// The records of these ids that are there, in the order of ids, each once.
    pub(crate) async fn by_ids<T: Record + DeserializeOwned>(&self, ids: &[&str]) -> Load<Vec<Fact<T>>> {
        self.all("id = ANY($1) ORDER BY id", &[&ids]).await
    }

    /// Whether a once key is used up.
    pub(crate) async fn used(&self, key: Option<&str>) -> Load<bool> {
        let Some(key) = key else { return Ok(false) };
        Ok(!self.query("SELECT 1 FROM once WHERE key = $1", &[&key]).await?.is_empty())
    }

    /// Epochs of an anchor as they are now; `None` where its record is missing.
    pub(crate) async fn epochs(&self, anchor: &Anchor) -> Load<Option<Epochs>> {
        if let Some(table) = Table::of_anchor(anchor) {
            let text = format!("SELECT epoch, end_epoch FROM \"{}\" WHERE id = $1", table.name);
            return self.query(&text, &[&anchor.id]).await?.first().map(|row| epochs(row, 0)).transpose();
        }
        match anchor.kind {
            AnchorKind::Tenant if anchor.id == self.tenant.generation => Ok(Some(Epochs::default())),
            AnchorKind::Token => {
                let text = "SELECT epoch, end_epoch FROM raised WHERE kind = $1 AND id = $2";
                let rows = self.query(text, &[&anchor.kind.code(), &anchor.id]).await?;
                let known = rows.first().map(|row| epochs(row, 0)).transpose()?;
                Ok(Some(known.unwrap_or_default()))
            }
            _ => Ok(None),
        }
    }

    pub(crate) async fn all_epochs(&self, anchors: &[&Anchor]) -> Load<Vec<Option<Epochs>>> {
        let mut all = Vec::with_capacity(anchors.len());
        for anchor in anchors {
            all.push(self.epochs(anchor).await?);
        }
        Ok(all)
    }
}

/// Ids as one bound value, each once.
pub(crate) fn id_list<'i>(ids: impl IntoIterator<Item = &'i str>) -> Vec<&'i str> {
    ids.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}

/// A row of generation, number, horizon and time.
pub(crate) fn head(row: &Row) -> Load<Head> {
    let number: i64 = get(row, 1)?;
    Ok(Head { generation: get(row, 0)?, number: number.unsigned_abs(), horizon: get(row, 2)?, time: get(row, 3)? })
}

fn epochs(row: &Row, first: usize) -> Load<Epochs> {
    let number = |column| get::<i64>(row, column).map(i64::unsigned_abs);
    Ok(Epochs { epoch: number(first)?, end_epoch: number(first + 1)? })
}

pub(crate) fn get<'r, T: tokio_postgres::types::FromSql<'r>>(row: &'r Row, column: usize) -> Load<T> {
    row.try_get(column).map_err(|error| store_error(&error))
}

/// A row of [`COLUMNS`]; the id goes back to where the writer took it out.
pub(crate) fn stored(table: &Table, row: &Row) -> Load<Stored> {
    let id: String = get(row, 0)?;
    let version: i64 = get(row, 1)?;
    let body = with_id(table.id, &id, get(row, 4)?);
    Ok(Stored { id, version: version.unsigned_abs(), epochs: epochs(row, 2)?, body })
}
