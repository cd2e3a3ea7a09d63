//! A backup over the local socket, streamed as it is read. Stands on no listener that others
//! reach: it holds everything but the master key.

use std::sync::Arc;

use app::App;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;

/// Names the first segment of this node's journal that the backup needs.
pub(crate) const JOURNAL_FROM: HeaderName = HeaderName::from_static("keyfob-journal-from");

/// The route, for the local socket alone.
pub fn local_routes(app: &Arc<App>) -> Router {
    Router::new().route("/local/backup", get(backup)).with_state(Arc::clone(app))
}

async fn backup(State(app): State<Arc<App>>) -> Response {
    let backup = match app.backup().await {
        Ok(backup) => backup,
        Err(fault) => {
            tracing::error!(cause = %fault, "backup_failed");
            return (StatusCode::SERVICE_UNAVAILABLE, "the store cannot be read now").into_response();
        }
    };
    let from = backup.journal_from();
    // A stream that breaks off has no last line, so nobody takes it for a backup.
    let lines = stream::try_unfold(backup, async |mut backup| {
        let lines = backup.next().await.inspect_err(|fault| tracing::error!(cause = %fault, "backup_broke_off"))?;
        Ok::<_, app::Fault>(lines.map(|lines| (lines, backup)))
    });
    let mut answer = Body::from_stream(lines).into_response();
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/jsonl"));
    answer.headers_mut().extend(from.map(|from| (JOURNAL_FROM, HeaderValue::from(from))));
    answer
}
