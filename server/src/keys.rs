//! The signing keys over the local socket: what there is, and their rotation. Stands on no
//! listener that others reach, so whoever comes is the operator of the machine.

use std::sync::Arc;

use app::{App, Fault};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use oauth::SigningKey;
use serde_json::{Value, json};

/// The routes, for the local socket alone.
pub fn local_routes(app: &Arc<App>) -> Router {
    Router::new().route("/local/keys", get(list)).route("/local/keys/rotate", post(rotate)).with_state(Arc::clone(app))
}

async fn list(State(app): State<Arc<App>>) -> Response {
    answer(&app, app.known_keys().await)
}

async fn rotate(State(app): State<Arc<App>>) -> Response {
    answer(&app, app.rotate_keys().await)
}

fn answer(app: &App, keys: Result<Vec<SigningKey>, Fault>) -> Response {
    match keys {
        Ok(keys) => {
            Json(json!({ "keys": keys.iter().map(|key| told(key, app.now())).collect::<Vec<_>>() })).into_response()
        }
        Err(fault) => {
            tracing::error!(cause = %fault, "keys_not_told");
            let problem = json!({ "title": "the keys cannot be read or written now", "status": 500 });
            (StatusCode::INTERNAL_SERVER_ERROR, Json(problem)).into_response()
        }
    }
}

/// A key without its private half.
fn told(key: &SigningKey, now: i64) -> Value {
    let state = match now {
        now if now < key.not_before => "published",
        now if now < key.retire_at => "signing",
        _ => "retired",
    };
    json!({ "kid": key.kid, "alg": key.alg, "state": state, "not_before": key.not_before, "retire_at": key.retire_at })
}
