//! Reading the log of events and the raises that are kept.

use identity::{Anchor, AnchorKind, EventKind};
use store::{EventPage, EventQuery, Head, Raised, StoreError, StoredEvent};
use tokio_postgres::Row;

use crate::snapshot::{Snapshot, get};

impl Snapshot {
    /// All of them, with a number or without.
    pub(crate) async fn raises(&self) -> Result<(Head, Vec<Raised>), StoreError> {
        let text = "SELECT kind, id, epoch, end_epoch, number, at, token_expires FROM raised ORDER BY number";
        let raises = self.query(text, &[]).await?.iter().map(raised).collect::<Result<_, _>>()?;
        Ok((self.head().await?, raises))
    }

    pub(crate) async fn events(&self, query: &EventQuery) -> Result<EventPage, StoreError> {
        let head = self.head().await?;
        let limit = query.limit.clamp(1, 1_000);
        let kinds: Vec<&str> = query.kinds.iter().map(|kind| kind.as_str()).collect();
        let mut text = "SELECT number, id, kind, subject, time, data FROM event WHERE number > $1".to_owned();
        text.push_str(if kinds.is_empty() {
            " AND cardinality($2::text[]) = 0"
        } else {
            " AND kind = ANY($2::text[])"
        });
        text.push_str(if query.subject.is_some() { " AND subject = $3::text" } else { " AND $3::text IS NULL" });
        if query.raises_only {
            text.push_str(" AND raises");
        }
        text.push_str(" ORDER BY number LIMIT $4");
        let after = i64::try_from(query.after).unwrap_or(i64::MAX);
        let rows = self.query(&text, &[&after, &kinds, &query.subject, &(i64::from(limit) + 1)]).await?;
        let mut events: Vec<StoredEvent> = rows.iter().map(event).collect::<Result<_, _>>()?;
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

pub(crate) fn raised(row: &Row) -> Result<Raised, StoreError> {
    let number = |column| get::<i64>(row, column).map(i64::unsigned_abs);
    let kind = AnchorKind::parse(get(row, 0)?);
    Ok(Raised {
        anchor: Anchor {
            kind: kind.ok_or_else(|| StoreError::Corrupt("a raise of an unknown kind".to_owned()))?,
            id: get(row, 1)?,
        },
        epoch: number(2)?,
        end_epoch: number(3)?,
        number: get::<Option<i64>>(row, 4)?.map(i64::unsigned_abs),
        at: get(row, 5)?,
        token_expires: get(row, 6)?,
    })
}

pub(crate) fn kind(word: &str) -> Result<EventKind, StoreError> {
    EventKind::parse(word).ok_or_else(|| StoreError::Corrupt("an event of an unknown kind".to_owned()))
}

pub(crate) fn event(row: &Row) -> Result<StoredEvent, StoreError> {
    Ok(StoredEvent {
        number: get::<i64>(row, 0)?.unsigned_abs(),
        id: get(row, 1)?,
        kind: kind(get(row, 2)?)?,
        subject: get(row, 3)?,
        time: get(row, 4)?,
        data: get(row, 5)?,
    })
}
