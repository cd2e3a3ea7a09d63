//! The keys over the local socket: what there is, successors, another master key. Stands on no
//! listener that others reach, so whoever comes is the operator of the machine.

use std::path::PathBuf;
use std::sync::Arc;

use app::{App, Fault, MasterKey, OTHER_MASTER_KEY};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use oauth::SigningKey;
use oauth::signing_key::KeyState;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::data::{DataError, DataFolder, read_key};
use crate::port::{self, SystemEntropy};

/// What the routes need: the application, and the folder of its master key.
#[derive(Clone)]
struct Keys {
    app: Arc<App>,
    data: DataFolder,
    /// Two at once would leave a key behind that nobody has.
    resealing: Arc<Mutex<()>>,
}

/// The routes, for the local socket alone.
pub fn local_routes(app: &Arc<App>, data: &DataFolder) -> Router {
    let keys = Keys { app: Arc::clone(app), data: data.clone(), resealing: Arc::default() };
    Router::new()
        .route("/local/keys", get(list))
        .route("/local/keys/rotate", post(rotate))
        .route("/local/keys/reseal", post(reseal))
        .with_state(keys)
}

async fn list(State(keys): State<Keys>) -> Response {
    answer(&keys.app, keys.app.known_keys().await)
}

async fn rotate(State(keys): State<Keys>) -> Response {
    answer(&keys.app, keys.app.rotate_keys().await)
}

fn answer(app: &App, keys: Result<Vec<SigningKey>, Fault>) -> Response {
    match keys {
        Ok(keys) => Json(json!({ "keys": keys.iter().map(|key| told(key, app)).collect::<Vec<_>>() })).into_response(),
        Err(fault) => failed(&fault),
    }
}

fn problem(status: StatusCode, title: &str) -> Response {
    (status, Json(json!({ "title": title, "status": status.as_u16() }))).into_response()
}

fn failed(fault: &Fault) -> Response {
    tracing::error!(cause = %fault, "keys_failed");
    match fault {
        Fault::Broken(OTHER_MASTER_KEY) => problem(
            StatusCode::CONFLICT,
            "the store was sealed under another master key meanwhile; bring it to this node and start it again",
        ),
        _ => problem(StatusCode::INTERNAL_SERVER_ERROR, "the keys cannot be read or written now; the log says why"),
    }
}

/// A key without its private half.
fn told(key: &SigningKey, app: &App) -> Value {
    let life = app.tenant().max_token_life;
    let state = match key.state(app.now(), life) {
        KeyState::Published => "published",
        KeyState::Signing => "signing",
        KeyState::Retired => "retired",
        KeyState::Over => "over",
    };
    let ends = key.retire_at != i64::MAX;
    json!({
        "kid": key.kid, "alg": key.alg, "state": state, "not_before": key.not_before,
        "retire_at": ends.then_some(key.retire_at), "verifies_until": ends.then(|| key.verifies_until(life)),
    })
}

#[derive(Deserialize)]
struct Wanted {
    /// A file with the new key; without it one is made.
    key_file: Option<PathBuf>,
}

/// First the new key is kept, then the store is sealed under it in one commit, then it takes
/// over: whenever this process ends, the folder holds the key that opens the store.
async fn reseal(State(keys): State<Keys>, Json(wanted): Json<Wanted>) -> Response {
    let _alone = keys.resealing.lock().await;
    let new = match new_key(wanted) {
        Ok(new) => new,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &error),
    };
    let unusable = |error: DataError| problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string());
    let data = &keys.data;
    match read_key(&data.master_key_file()) {
        Ok(Some(old)) if old == new => return problem(StatusCode::CONFLICT, "that is the master key in use"),
        Ok(_) => {}
        Err(error) => return unusable(error),
    }
    if let Err(error) = data.keep_next_master_key(&new) {
        return unusable(error);
    }
    let resealed = match keys.app.reseal_keys(&MasterKey::new(*new)).await {
        Ok(resealed) => resealed,
        Err(fault) => {
            // A store that failed may have taken it all the same: the next start finds out.
            if !matches!(fault, Fault::Store(_)) {
                let _ = data.drop_next_master_key();
            }
            return failed(&fault);
        }
    };
    if let Err(error) = data.promote_master_key() {
        return unusable(error);
    }
    tracing::warn!(keys = resealed.keys, master = resealed.master, "the store is sealed under another master key");
    Json(json!({
        "resealed": resealed.keys, "master_key": resealed.master, "master_key_file": data.master_key_file(),
        "old_master_key_file": data.old_master_key_file(),
    }))
    .into_response()
}

fn new_key(wanted: Wanted) -> Result<Zeroizing<[u8; 32]>, String> {
    let Some(path) = wanted.key_file else { return Ok(Zeroizing::new(port::random::<32>(&SystemEntropy))) };
    match read_key(&path) {
        Ok(Some(key)) => Ok(key),
        Ok(None) => Err(format!("there is no file {}", path.display())),
        Err(error) => Err(error.to_string()),
    }
}
