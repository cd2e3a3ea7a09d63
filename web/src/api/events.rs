//! `/events`: the log, polled or followed as server-sent events.

use std::sync::Arc;
use std::time::Duration;

use app::App;
use app::registry::{Caller, EventsAfter, EventsPage, EventsQuery, Wakes};
use axum::body::{Body, Bytes};
use axum::extract::{Extension, State as Extract};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use identity::EventKind;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::extract::Query;
use super::guard::Standing;
use super::openapi::also;
use super::render;
use crate::problem::Problem;
use crate::state::State;

/// How many may follow at once.
const FOLLOWERS: usize = 256;
/// A heartbeat each second.
const BEAT: Duration = Duration::from_secs(1);
/// No heartbeat on a reading that took longer, milliseconds.
const STALE: u64 = 5000;

/// Room for followers, of one listener.
#[derive(Clone)]
pub(super) struct Followers(Arc<Semaphore>);

impl Default for Followers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(FOLLOWERS)))
    }
}

pub(super) async fn read(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Extension(followers): Extension<Followers>,
    Extension(standing): Extension<Standing>,
    headers: HeaderMap,
    mut query: Query,
) -> Result<Response, Problem> {
    let wanted = events_query(&mut query, &headers)?;
    query.end()?;
    if !caller.holds("events:read") && !wanted.raises_only {
        let problem = Problem::new(StatusCode::FORBIDDEN, "insufficient_scope", "raises_alone");
        return Err(problem.with_detail("authority:follow reads type=raise alone."));
    }
    if !wants_stream(&headers) {
        return Ok(render::json_answer(&polled(&state.app.events(&wanted).await??)));
    }
    let busy = || {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "too_many_followers")
            .with_header(header::RETRY_AFTER, HeaderValue::from_static("10"))
    };
    let room = followers.0.try_acquire_owned().map_err(|_| busy())?;
    follow(state.app, wanted, standing, room).await
}

/// Which events are asked for.
///
/// # Errors
/// [`Problem`] `invalid`.
pub fn events_query(query: &mut Query, headers: &HeaderMap) -> Result<EventsQuery, Problem> {
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let after = match last.or_else(|| query.take("after")).as_deref() {
        None => EventsAfter::Beginning,
        Some("head") => EventsAfter::Head,
        Some(cursor) => EventsAfter::Cursor(cursor.to_owned()),
    };
    // Named twice on a reconnection: the newer one counts.
    let _ = query.take("after");
    let kinds = query.take("type");
    let raises_only = kinds.as_deref() == Some("raise");
    let kinds = kinds.filter(|_| !raises_only).map(|text| parse_kinds(&text)).transpose()?.unwrap_or_default();
    let limit = query.take_number("limit")?.unwrap_or(100);
    Ok(EventsQuery { after, kinds, raises_only, subject: query.take("subject"), limit })
}

fn parse_kinds(text: &str) -> Result<Vec<EventKind>, Problem> {
    let unknown = || Problem::invalid("type", "raise, or types of events with commas between");
    text.split(',').map(|kind| EventKind::parse(kind).ok_or_else(unknown)).collect()
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let wanted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    wanted.split(',').any(|kind| kind.split(';').next().unwrap_or_default().trim() == "text/event-stream")
}

fn place(page: &EventsPage) -> Value {
    json!({
        "cursor": page.cursor, "head": page.head, "horizon": page.horizon,
        "age": page.age_ms / 1000,
    })
}

fn polled(page: &EventsPage) -> Value {
    let events: Vec<&Value> = page.events.iter().map(|(_, event)| event).collect();
    also(&place(page), json!({ "events": events }))
}

/// One follower's stream.
struct Follow {
    app: Arc<App>,
    query: EventsQuery,
    wakes: Wakes,
    beat: Interval,
    standing: Standing,
    first: Option<EventsPage>,
    _room: OwnedSemaphorePermit,
}

async fn follow(
    app: Arc<App>,
    query: EventsQuery,
    standing: Standing,
    room: OwnedSemaphorePermit,
) -> Result<Response, Problem> {
    // Waking is asked for before the first page, so that nothing falls between.
    let wakes = app.event_wakes();
    let first = app.events(&query).await??;
    let mut beat = tokio::time::interval_at(Instant::now() + BEAT, BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let follow = Follow { app, query, wakes, beat, standing, first: Some(first), _room: room };
    let parts = stream::unfold(follow, |mut follow| async {
        let part = follow.next().await?;
        Some((Ok::<_, core::convert::Infallible>(Bytes::from(part)), follow))
    });
    let mut response = Body::from_stream(parts.fuse()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

impl Follow {
    /// The next part of the stream; `None` ends it: the token is over, or the
    /// store cannot be read and the follower had better notice.
    async fn next(&mut self) -> Option<String> {
        loop {
            let (page, beats) = match self.first.take() {
                Some(page) => (page, true),
                None => {
                    let beats = tokio::select! {
                        _ = self.beat.tick() => true,
                        () = self.wakes.next() => false,
                    };
                    (self.app.events(&self.query).await.ok()?.ok()?, beats)
                }
            };
            if !self.stands() {
                return None;
            }
            self.query.after = EventsAfter::Cursor(page.cursor.clone());
            let full = page.cursor != page.head;
            if full {
                // More is waiting: go on without being woken.
                self.beat.reset_immediately();
            }
            let text = written(&page, beats);
            if !text.is_empty() {
                return Some(text);
            }
        }
    }

    /// Whether the token, and all it hangs from, still stands.
    fn stands(&self) -> bool {
        let Standing(Some(peer)) = &self.standing else { return true };
        self.app.authority().still_stands(peer, self.app.now()).is_ok()
    }
}

fn written(page: &EventsPage, beats: bool) -> String {
    let mut text = String::new();
    for (cursor, event) in &page.events {
        text.push_str(&format!("id: {cursor}\ndata: {event}\n\n"));
    }
    if beats && page.age_ms <= STALE {
        text.push_str(&format!("id: {}\nevent: heartbeat\ndata: {}\n\n", page.cursor, place(page)));
    }
    text
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let text = json!({"type": "string"});
    vec![
        (
            "Event",
            json!({
                "type": "object",
                "description": "CloudEvents 1.0",
                "properties": {
                    "specversion": {"enum": ["1.0"]}, "id": text, "source": text, "type": text, "subject": text,
                    "time": {"type": "string", "format": "date-time"}, "datacontenttype": text,
                    "sequence": text, "partitionkey": text, "data": {"type": "object"},
                },
                "additionalProperties": false,
                "required": ["specversion", "id", "source", "type", "subject", "time", "data"],
            }),
        ),
        (
            "Events",
            json!({
                "type": "object",
                "properties": {
                    "events": {"type": "array", "items": {"$ref": "#/components/schemas/Event"}},
                    "cursor": text, "head": text,
                    "horizon": {"type": "integer"}, "age": {"type": "integer"},
                },
                "additionalProperties": false,
                "required": ["events", "cursor", "head", "horizon", "age"],
            }),
        ),
    ]
}
