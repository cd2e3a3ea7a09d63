//! Reading the log of events and the raises that are kept.

use identity::{Anchor, AnchorKind};
use rusqlite::{Row, params};
use serde_json::Value;
use store::{EventPage, EventQuery, Head, Raised, StoreError, StoredEvent};

use crate::fault::store_error;
use crate::pack;
use crate::snapshot::Snapshot;
use crate::words::Words;

impl Snapshot<'_> {
    pub(crate) fn raises(&self) -> Result<(Head, Vec<Raised>), StoreError> {
        let mut query = self
            .db
            .prepare_cached("SELECT kind, id, epoch, end_epoch, number, at, token_expires FROM raised ORDER BY number")
            .map_err(store_error)?;
        let rows = query.query_map([], raised).map_err(store_error)?;
        let raises = rows
            .map(|row| {
                row.map_err(store_error)?.ok_or_else(|| StoreError::Corrupt("a raise of an unknown kind".to_owned()))
            })
            .collect::<Result<_, _>>()?;
        Ok((self.head()?, raises))
    }

    pub(crate) fn events(&self, query: &EventQuery) -> Result<EventPage, StoreError> {
        let head = self.head()?;
        let limit = query.limit.clamp(1, 1_000);
        let kinds = (!query.kinds.is_empty())
            .then(|| query.kinds.iter().map(|kind| self.words.kind(*kind)).collect::<serde_json::Value>().to_string());
        let mut text = "SELECT number, era, kind, subject, time, data FROM event WHERE number > ?1".to_owned();
        text.push_str(if kinds.is_some() {
            " AND kind IN (SELECT value FROM json_each(?2))"
        } else {
            " AND ?2 IS NULL"
        });
        text.push_str(if query.subject.is_some() { " AND subject = ?3" } else { " AND ?3 IS NULL" });
        if query.raises_only {
            text.push_str(" AND raises = 1");
        }
        text.push_str(" ORDER BY number LIMIT ?4");
        let subject = query.subject.as_deref().map(pack::name);
        let after = i64::try_from(query.after).unwrap_or(i64::MAX);
        let mut select = self.db.prepare_cached(&text).map_err(store_error)?;
        let rows = select
            .query_map(params![after, kinds, subject, limit + 1], |row| event(self.words, row))
            .map_err(store_error)?;
        let mut events: Vec<StoredEvent> = rows
            .map(|row| {
                row.map_err(store_error)?.ok_or_else(|| StoreError::Corrupt("an event that cannot be read".to_owned()))
            })
            .collect::<Result<_, _>>()?;
        let limit = usize::try_from(limit).unwrap_or(1_000);
        let more = events.len() > limit;
        events.truncate(limit);
        // With nothing left that matches, the follower has seen all up to the head.
        let next = match events.last() {
            Some(last) if more => last.number,
            _ => head.number,
        };
        Ok(EventPage { events, next, head })
    }
}

pub(crate) fn raised(row: &Row<'_>) -> rusqlite::Result<Option<Raised>> {
    let number = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
    let Some(kind) = AnchorKind::parse(row.get_ref(0)?.as_str()?) else { return Ok(None) };
    Ok(Some(Raised {
        anchor: Anchor { kind, id: row.get(1)? },
        epoch: number(2)?,
        end_epoch: number(3)?,
        number: Some(number(4)?),
        at: row.get(5)?,
        token_expires: row.get(6)?,
    }))
}

/// `None` for what was never written so.
pub(crate) fn event(words: &Words, row: &Row<'_>) -> rusqlite::Result<Option<StoredEvent>> {
    let number = row.get::<_, i64>(0)?.unsigned_abs();
    let read = || {
        Some(StoredEvent {
            number,
            id: words.event_id(row.get(1).ok()?, number)?,
            kind: words.event_kind(row.get(2).ok()?)?,
            subject: pack::name_text(row.get_ref(3).ok()?)?,
            time: row.get(4).ok()?,
            data: Value::Object(pack::unpack(row.get_ref(5).ok()?.as_blob().ok()?)?).to_string(),
        })
    };
    Ok(read())
}
