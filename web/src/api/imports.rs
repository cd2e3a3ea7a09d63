//! `/imports`: devices from a file, streamed through.

use app::registry::{ImportFormat, ImportRun, Listing, Versioned};
use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::{Path, Request, State as Extract};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use identity::Import;
use serde_json::{Value, json};

use super::extract::{Query, media_type};
use super::openapi::{a_time, a_version, an_id};
use super::render::{self, Shown};
use crate::problem::Problem;
use crate::state::State;

impl Shown for Import {
    const PATH: &'static str = "/imports";
    const MEMBERS: &'static [&'static str] =
        &["id", "source", "created", "updated", "unchanged", "failed", "bad_lines", "started_at", "finished_at"];
    const PATCHED: &'static [&'static str] = &[];
}

pub(super) async fn list(Extract(state): Extract<State>, listing: Listing) -> Result<Response, Problem> {
    render::page(state.app.list::<Import>(&listing).await)
}

pub(super) async fn read(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Ok(render::one(&state.app.read::<Import>(&id).await??, &headers))
}

pub(super) async fn create(
    Extract(state): Extract<State>,
    mut query: Query,
    request: Request,
) -> Result<Response, Problem> {
    let source = query.take("source").unwrap_or_else(|| "upload".to_owned());
    query.end()?;
    let format = match media_type(request.headers()).as_str() {
        "text/csv" => ImportFormat::Csv,
        "application/jsonl" | "application/x-ndjson" => ImportFormat::Jsonl,
        _ => {
            let word = "unsupported_media_type";
            let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, word, "media_type");
            return Err(problem.with_detail("Send text/csv or application/jsonl."));
        }
    };
    let tells = accepts_jsonl(request.headers());
    let run = state.app.begin_import(&source, format)?;
    let body = request.into_body().into_data_stream();
    if tells { Ok(told(run, body)) } else { Ok(render::written(render::made(&whole(run, body).await?))) }
}

fn accepts_jsonl(headers: &HeaderMap) -> bool {
    let wanted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    wanted.split(',').any(|kind| {
        matches!(kind.split(';').next().unwrap_or_default().trim(), "application/jsonl" | "application/x-ndjson")
    })
}

/// Reads the file to its end, then answers.
async fn whole(mut run: ImportRun, mut body: BodyDataStream) -> Result<Versioned<Import>, Problem> {
    while let Some(part) = body.next().await {
        let Ok(part) = part else {
            run.stop().await?;
            return Err(cut());
        };
        run.feed(&part).await??;
    }
    Ok(run.finish().await??)
}

/// What was committed stays; sending the file again goes on.
fn cut() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "upload_too_large_or_cut")
}

/// Answers at once, with a line for each batch.
fn told(run: ImportRun, body: BodyDataStream) -> Response {
    let lines = progress(run, body).map(|line| Ok::<_, core::convert::Infallible>(Bytes::from(format!("{line}\n"))));
    let mut response = Body::from_stream(lines).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/jsonl"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn progress(run: ImportRun, body: BodyDataStream) -> impl Stream<Item = Value> {
    stream::unfold(Some((run, body)), |under_way| async {
        let (mut run, mut body) = under_way?;
        loop {
            let committed = match body.next().await {
                Some(Ok(part)) => run.feed(&part).await,
                Some(Err(_)) => {
                    let problem = run.stop().await.map_or_else(Problem::from, |()| cut());
                    return Some((failed(&problem), None));
                }
                None => {
                    let ended = run.finish().await;
                    return Some((ended_line(ended), None));
                }
            };
            match committed {
                Ok(Ok(false)) => {}
                Ok(Ok(true)) => return Some((render::show(&run.so_far()), Some((run, body)))),
                Ok(Err(refused)) => return Some((failed(&refused.into()), None)),
                Err(fault) => return Some((failed(&fault.into()), None)),
            }
        }
    })
}

fn ended_line(ended: app::registry::Outcome<Versioned<Import>>) -> Value {
    match ended {
        Ok(Ok(import)) => render::show(&import),
        Ok(Err(refused)) => failed(&refused.into()),
        Err(fault) => failed(&fault.into()),
    }
}

/// The answer has begun: a problem is its last line.
fn failed(problem: &Problem) -> Value {
    json!({ "problem": problem.summary() })
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let count = json!({"type": "integer", "minimum": 0});
    vec![
        (
            "Import",
            json!({
                "type": "object",
                "properties": {
                    "id": an_id(), "version": a_version(), "source": {"type": "string"},
                    "created": count, "updated": count, "unchanged": count, "failed": count,
                    "bad_lines": {
                        "type": "array",
                        "maxItems": 1000,
                        "items": {
                            "type": "object",
                            "properties": {"line": {"type": "integer"}, "reason": {"type": "string"}},
                            "additionalProperties": false,
                            "required": ["line", "reason"],
                        },
                    },
                    "started_at": a_time(), "finished_at": a_time(),
                },
                "additionalProperties": false,
                "required": [
                    "id", "version", "source", "created", "updated", "unchanged", "failed", "bad_lines", "started_at"
                ],
            }),
        ),
        ("ImportFile", json!({"type": "string", "description": "text/csv or application/jsonl"})),
    ]
}
