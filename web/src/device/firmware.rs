//! `GET /device/firmware`: a small built-in resource behind the token of call
//! home, with ranges, so that a broken download goes on where it stopped
//! (RFC 9110 §14).

use axum::extract::State as Extract;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::range::Range;
use crate::door::{DoorRefusal, authenticate};
use crate::state::State;

/// 256 KiB that every device of a model gets alike; what a maker's own route
/// would serve stands behind the gateway.
const SIZE: usize = 256 * 1024;

/// The firmware, whole or one range of it.
pub(super) async fn download(Extract(state): Extract<State>, parts: Parts) -> Result<Response, Response> {
    let peer = authenticate(&state, &parts).await.map_err(IntoResponse::into_response)?;
    peer.require_scope("firmware:read").map_err(|refusal| DoorRefusal::of(refusal).into_response())?;
    let model = peer.claims().model.clone().unwrap_or_default();
    Ok(serve(&image(&model), &parts.headers))
}

fn image(model: &str) -> Vec<u8> {
    let mut image = format!("keyfob demo firmware for {model}\n").into_bytes();
    let pattern = app::digest(image.as_slice());
    image.extend(pattern.iter().cycle().take(SIZE - image.len().min(SIZE)));
    image
}

fn serve(image: &[u8], headers: &HeaderMap) -> Response {
    let etag = format!("\"{}\"", app::digest_text(image));
    let current = headers.get(header::IF_RANGE).is_none_or(|known| known.as_bytes() == etag.as_bytes());
    let wanted = headers.get(header::RANGE).filter(|_| current).and_then(|range| range.to_str().ok());
    let mut response = match wanted.map(|range| Range::parse(range, image.len())) {
        None | Some(Range::Whole) => (StatusCode::OK, image.to_vec()).into_response(),
        Some(Range::Part(from, to)) => {
            let part = image.get(from..=to).unwrap_or_default().to_vec();
            let content_range = format!("bytes {from}-{to}/{}", image.len());
            (StatusCode::PARTIAL_CONTENT, [(header::CONTENT_RANGE, content_range)], part).into_response()
        }
        Some(Range::Unsatisfiable) => {
            let content_range = format!("bytes */{}", image.len());
            (StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_RANGE, content_range)]).into_response()
        }
    };
    let fields = response.headers_mut();
    fields.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        fields.insert(header::ETAG, etag);
    }
    response
}
