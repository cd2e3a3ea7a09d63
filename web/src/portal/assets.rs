//! `GET /static/{file}`: the address holds the content's hash, so that it never
//! changes.

use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use crate::pages::Asset;

/// One file.
pub(super) async fn file(uri: Uri) -> Response {
    let Some(asset) = Asset::at(uri.path()) else { return StatusCode::NOT_FOUND.into_response() };
    let headers = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, asset.bytes).into_response()
}
