//! `keyfob devices`: the registry of devices.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use clap::{Subcommand, ValueEnum};
use http::{Method, Request, StatusCode};
use http_body::Frame as Part;
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::io::{AsyncRead, ReadBuf};

use super::local::{self, Local, problem, segment};
use super::{Exit, Failure, Frame, Progress};

/// How much of a file is sent at once, bytes.
const PART: usize = 64 * 1024;
/// Most bytes of one line of the answer: a thousand bad lines with their reasons.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Import devices from a file with a line for each; may be repeated
    Import {
        /// The file: .csv, or .jsonl
        file: PathBuf,
        /// csv or jsonl, where the name does not say it
        #[arg(long, value_enum, hide_possible_values = true)]
        format: Option<Format>,
    },
    /// Show devices
    List(local::Part),
    /// Show a device: by did, serial number, external id or MAC
    Show {
        /// The did, serial number, external id or MAC
        device: String,
    },
    /// Stop a device for now: its tokens fall, its owner stays
    Suspend {
        /// The did, serial number, external id or MAC
        device: String,
    },
    /// Let a suspended device go on
    Resume {
        /// The did, serial number, external id or MAC
        device: String,
    },
    /// End a device for good
    Retire {
        /// The did, serial number, external id or MAC
        device: String,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Format {
    Csv,
    Jsonl,
}

pub(super) fn run(frame: &Frame, action: &Action) -> Result<(), Failure> {
    match action {
        Action::Import { file, format } => import(frame, file, *format),
        Action::List(part) => local::list(frame, "devices", part, &["/id", "/serial", "/state", "/name", "/place"]),
        Action::Show { device } => {
            let found = find(&Local::open(frame)?, device)?;
            local::tell_record(frame, &found);
            Ok(())
        }
        Action::Suspend { device } => act(frame, device, "suspend"),
        Action::Resume { device } => act(frame, device, "resume"),
        Action::Retire { device } => act(frame, device, "retire"),
    }
}

/// A device by whatever name it has.
fn find(local: &Local, named: &str) -> Result<Value, Failure> {
    if named.starts_with("dev_") {
        return local.ask(Method::GET, &format!("/devices/{}", segment(named)), None);
    }
    for name in ["serial", "external_id", "mac"] {
        // What cannot be a MAC is no device by that name, rather than a mistake.
        if let Ok(found) = local.ask(Method::GET, &format!("/devices?{name}={}", segment(named)), None)
            && let Some(device) = found.pointer("/items/0")
        {
            return Ok(device.clone());
        }
    }
    Err(Failure::new(Exit::Failed, format!("no device is called {named}")).then_type("keyfob devices list"))
}

fn act(frame: &Frame, device: &str, act: &str) -> Result<(), Failure> {
    let local = Local::open(frame)?;
    let found = find(&local, device)?;
    let did = found.get("id").and_then(Value::as_str).unwrap_or_default();
    let changed = local.ask(Method::POST, &format!("/devices/{}/{act}", segment(did)), None)?;
    local::tell_record(frame, &changed);
    Ok(())
}

fn import(frame: &Frame, file: &Path, format: Option<Format>) -> Result<(), Failure> {
    let unreadable = |error: std::io::Error| Failure::new(Exit::Unreachable, format!("{}: {error}", file.display()));
    let named = file.extension().and_then(|extension| extension.to_str());
    let kind = match (format, named) {
        (Some(Format::Csv), _) | (None, Some("csv")) => "text/csv",
        (Some(Format::Jsonl), _) | (None, Some("jsonl")) => "application/jsonl",
        _ => return Err(Failure::new(Exit::Usage, "is it CSV or JSONL? give --format")),
    };
    let opened = std::fs::File::open(file).map_err(unreadable)?;
    let size = opened.metadata().map_err(unreadable)?.len();
    let source = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let progress = frame.ui.progress(size, "bytes sent");
    let body = FileBody { file: tokio::fs::File::from_std(opened), progress };
    let request = Request::post(format!("/imports?source={}", segment(&source)))
        .header("content-type", kind)
        .header("accept", "application/jsonl")
        .body(Body::new(body))
        .map_err(|error| Failure::new(Exit::Usage, error))?;
    let told = Local::open(frame)?.stream(request, async |answer| {
        let (head, mut body) = answer.into_parts();
        let mut last = LastLine::default();
        while let Some(part) = body.frame().await {
            let part = part.map_err(|error| Failure::new(Exit::Unreachable, error))?;
            last.take(part.data_ref().map_or(&[], AsRef::as_ref))?;
        }
        let told = last.read();
        if head.status == StatusCode::CREATED || head.status == StatusCode::OK { Ok(told) } else { Err(problem(&told)) }
    })?;
    tell_import(frame, &source, &told)
}

fn tell_import(frame: &Frame, source: &str, told: &Value) -> Result<(), Failure> {
    let count = |name: &str| told.get(name).and_then(Value::as_u64).unwrap_or(0);
    if told.get("finished_at").is_none_or(Value::is_null) {
        return Err(Failure::new(Exit::Failed, "the import broke off; send the file again, nothing is made twice"));
    }
    let bad = told.get("bad_lines").and_then(Value::as_array).cloned().unwrap_or_default();
    for line in &bad {
        let reason = line.get("reason").and_then(Value::as_str).unwrap_or_default();
        frame.ui.failed(&format!("line {}: {reason}", line.get("line").unwrap_or(&Value::Null)), None);
    }
    let failed = count("failed");
    if failed > bad.len() as u64 {
        frame.ui.failed(&format!("and {} more", failed - bad.len() as u64), None);
    }
    let (created, updated, unchanged) = (count("created"), count("updated"), count("unchanged"));
    frame.ui.done(&format!("{source}: {created} new, {updated} changed, {unchanged} as they were"), None);
    if frame.ui.is_json() {
        frame.ui.result(told, "");
    }
    match failed {
        0 => Ok(()),
        failed => Err(Failure::new(Exit::Failed, format!("{failed} lines were not taken; the others are in"))),
    }
}

/// A file as a body, read while it is sent; the bar follows.
struct FileBody {
    file: tokio::fs::File,
    progress: Progress,
}

impl http_body::Body for FileBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Part<Bytes>, Self::Error>>> {
        let mut room = vec![0; PART];
        let mut part = ReadBuf::new(&mut room);
        match Pin::new(&mut self.file).poll_read(context, &mut part) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Some(Err(error))),
            Poll::Ready(Ok(())) if part.filled().is_empty() => Poll::Ready(None),
            Poll::Ready(Ok(())) => {
                let bytes = Bytes::copy_from_slice(part.filled());
                self.progress.advance(bytes.len() as u64);
                Poll::Ready(Some(Ok(Part::data(bytes))))
            }
        }
    }
}

/// The last whole line of a stream of them: each tells the import as it then was.
#[derive(Default)]
struct LastLine {
    last: Vec<u8>,
    rest: Vec<u8>,
}

impl LastLine {
    fn take(&mut self, part: &[u8]) -> Result<(), Failure> {
        for piece in part.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.last = std::mem::take(&mut self.rest);
            }
        }
        if self.rest.len() > MAX_ANSWER {
            return Err(Failure::new(Exit::Failed, "the answer is too large"));
        }
        Ok(())
    }

    fn read(self) -> Value {
        let text = if self.rest.is_empty() { self.last } else { self.rest };
        serde_json::from_slice(&text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_whether_it_is_ended_or_not() {
        for parts in [&[&b"{\"a\":1}\n{\"a\""[..], b":2}\n"][..], &[b"{\"a\":1}\n", b"{\"a\":2}"]] {
            let mut last = LastLine::default();
            parts.iter().for_each(|part| last.take(part).unwrap());
            assert_eq!(last.read(), serde_json::json!({ "a": 2 }));
        }
    }
}
