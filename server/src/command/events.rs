//! `keyfob events`: the log as it grows.

use axum::body::Body;
use clap::Subcommand;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use url::form_urlencoded;

use super::local::{Local, problem, table};
use super::{Exit, Failure, Frame};

/// Most bytes of one line of the stream.
const MAX_LINE: usize = 1024 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Show events as they happen, until stopped
    Follow {
        /// From behind this cursor, or "0": the beginning
        #[arg(long, value_name = "CURSOR")]
        after: Option<String>,
        /// Only these types, with commas between
        #[arg(long = "type", value_name = "TYPES")]
        kind: Option<String>,
        /// Only about this record
        #[arg(long, value_name = "ID")]
        subject: Option<String>,
    },
}

pub(super) fn run(frame: &Frame, action: &Action) -> Result<(), Failure> {
    let Action::Follow { after, kind, subject } = action;
    let mut query = form_urlencoded::Serializer::new(String::new());
    match after.as_deref() {
        None => drop(query.append_pair("after", "head")),
        Some("0") => {}
        Some(cursor) => drop(query.append_pair("after", cursor)),
    }
    query.extend_pairs(kind.iter().map(|kind| ("type", kind)));
    query.extend_pairs(subject.iter().map(|subject| ("subject", subject)));
    let request = Request::get(format!("/events?{}", query.finish())).header("accept", "text/event-stream");
    let request = request.body(Body::empty()).map_err(|error| Failure::new(Exit::Usage, error))?;
    Local::open(frame)?.stream(request, async |answer| {
        let (head, mut body) = answer.into_parts();
        if head.status != StatusCode::OK {
            let bytes = body.collect().await.map_err(|error| Failure::new(Exit::Failed, error))?.to_bytes();
            return Err(problem(&serde_json::from_slice(&bytes).unwrap_or_default()));
        }
        let mut lines = Lines::default();
        while let Some(frame_of_body) = body.frame().await {
            let part = frame_of_body.map_err(|error| Failure::new(Exit::Unreachable, error))?;
            for line in lines.take(part.data_ref().map_or(&[], |data| data.as_ref()))? {
                tell(frame, &line);
            }
        }
        Err(Failure::new(Exit::Unreachable, "the server ended the stream"))
    })
}

/// Whole lines out of parts.
#[derive(Default)]
struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    fn take(&mut self, part: &[u8]) -> Result<Vec<String>, Failure> {
        self.rest.extend_from_slice(part);
        let end = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let whole: Vec<u8> = self.rest.drain(..end).collect();
        if self.rest.len() > MAX_LINE {
            return Err(Failure::new(Exit::Failed, "an event is too large"));
        }
        Ok(String::from_utf8_lossy(&whole).lines().map(str::to_owned).collect())
    }
}

/// One event; heartbeats are no CloudEvents and are left out.
fn tell(frame: &Frame, line: &str) {
    let event: Option<Value> = line.strip_prefix("data:").and_then(|data| serde_json::from_str(data.trim()).ok());
    if let Some(event) = event.filter(|event| event.get("specversion").is_some()) {
        let columns = ["/time", "/type", "/subject"];
        frame.ui.result(&event, &table(std::slice::from_ref(&event), &columns).join("\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_however_they_were_cut() {
        let mut lines = Lines::default();
        assert!(lines.take(b"data: {\"a\"").unwrap().is_empty());
        assert_eq!(lines.take(b":1}\n\nid: 2").unwrap(), ["data: {\"a\":1}", ""]);
        assert_eq!(lines.take(b"\n").unwrap(), ["id: 2"]);
    }
}
