//! Following the log of events: pages by cursor, each event as CloudEvents 1.0.

use authority::Clock as _;
use identity::EventKind;
use serde_json::{Value, json};
use store::{Cursor, EventQuery, StoredEvent, Wake};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::keep::{Outcome, invalid};
use crate::app::App;
use crate::fault::Fault;
use identity::{ProblemCode, Refusal};

const MAX_LIMIT: u32 = 1000;

/// From where to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventsAfter {
    /// The beginning of the log.
    Beginning,
    /// Only what is committed from now on.
    Head,
    /// Behind a cursor of an earlier answer.
    Cursor(String),
}

/// Which events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventsQuery {
    /// From where.
    pub after: EventsAfter,
    /// Of these kinds; empty means all.
    pub kinds: Vec<EventKind>,
    /// Only those that raised an anchor.
    pub raises_only: bool,
    /// Only about this record.
    pub subject: Option<String>,
    /// At most so many, 1 to 1,000.
    pub limit: u32,
}

/// A page of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct EventsPage {
    /// CloudEvents, in order, each with its cursor.
    pub events: Vec<(String, Value)>,
    /// How far this page has read, also where nothing matched.
    pub cursor: String,
    /// The newest event of the same snapshot.
    pub head: String,
    /// Tokens issued up to this time may have been forgotten about, seconds.
    pub horizon: i64,
    /// Milliseconds since the reading of this page began, or since the start of
    /// the last whole round where several nodes commit.
    pub age_ms: u64,
}

/// Wakes when something was committed.
pub struct Wakes(Wake);

impl Wakes {
    pub(crate) fn of(wake: Wake) -> Self {
        Self(wake)
    }

    /// Resolves once something was committed since the last call.
    pub async fn next(&mut self) {
        self.0.woken().await;
    }
}

impl App {
    /// Wakes a follower; made before the first page is read, so that nothing
    /// falls in between.
    pub fn event_wakes(&self) -> Wakes {
        Wakes(self.store.wake())
    }

    /// One page of the log.
    ///
    /// # Errors
    /// `invalid`; `cursor_gone` for a cursor of another generation.
    pub async fn events(&self, query: &EventsQuery) -> Outcome<EventsPage> {
        if !(1..=MAX_LIMIT).contains(&query.limit) {
            return Ok(Err(invalid("bad_limit", "limit is 1 to 1000")));
        }
        self.knows_enough()?;
        let began = self.clock.uptime_ms();
        let after = match &query.after {
            EventsAfter::Beginning => 0,
            EventsAfter::Head => self.store.head().await?.number,
            EventsAfter::Cursor(text) => match text.parse::<Cursor>() {
                Ok(cursor) if cursor.generation == self.tenant.generation => cursor.number,
                Ok(_) => return Ok(Err(Refusal::new(ProblemCode::CursorGone, "cursor_of_another_generation"))),
                Err(error) => return Ok(Err(invalid("bad_after", error.to_string()))),
            },
        };
        let page = self
            .store
            .load_events(EventQuery {
                after,
                kinds: query.kinds.clone(),
                raises_only: query.raises_only,
                subject: query.subject.clone(),
                limit: query.limit,
            })
            .await?;
        if after > page.head.number {
            return Ok(Err(invalid("bad_after", "the cursor is ahead of the log")));
        }
        let place = |number| Cursor { generation: page.head.generation.clone(), number }.to_string();
        let events = page.events.iter().map(|stored| Ok((place(stored.number), self.cloud_event(stored)?)));
        Ok(Ok(EventsPage {
            events: events.collect::<Result<Vec<_>, Fault>>()?,
            cursor: place(page.next),
            head: place(page.head.number),
            horizon: page.head.horizon,
            age_ms: self.clock.uptime_ms().saturating_sub(began).max(self.authority.age_ms()),
        }))
    }

    /// CloudEvents 1.0 in JSON (its JSON format §3.1). `sequence` compares as
    /// text; events of one `partitionkey` keep their order.
    fn cloud_event(&self, stored: &StoredEvent) -> Result<Value, Fault> {
        let data: Value = serde_json::from_str(&stored.data).map_err(|_| Fault::Broken("event_data"))?;
        let time = OffsetDateTime::from_unix_timestamp(stored.time).ok().and_then(|time| time.format(&Rfc3339).ok());
        Ok(json!({
            "specversion": "1.0",
            "id": stored.id,
            "source": self.tenant.issuer,
            "type": stored.kind.as_str(),
            "subject": stored.subject,
            "time": time.ok_or(Fault::Broken("event_time"))?,
            "datacontenttype": "application/json",
            "sequence": format!("{:020}", stored.number),
            "partitionkey": stored.subject,
            "data": data,
        }))
    }
}
