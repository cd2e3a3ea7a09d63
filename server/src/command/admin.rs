//! How commands reach the data of a server: over its local socket while one runs, in this
//! process otherwise. The store has one writer either way.

use std::path::PathBuf;

use authority::Peer;
use axum::Router;
use axum::body::Body;
use axum::extract::Extension;
use http::header::{CONTENT_TYPE, HOST, IF_MATCH};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;
use tower::ServiceExt;

use super::{Exit, Failure};
use crate::data::{DataError, DataFolder, DataLock};
use crate::listen::Drain;

/// Most bytes of an answer that is read as a whole.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// A way to the local routes of a server.
pub struct Admin {
    way: Way,
    tasks: Drain,
}

enum Way {
    /// A server holds the folder.
    Socket(PathBuf),
    /// This process holds it.
    Here { router: Router, _lock: DataLock },
}

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The folder cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Somebody holds the folder, but does not answer.
    #[error("another keyfob holds the data folder, but does not answer at {path}: {cause}", path = path.display())]
    Silent {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// The connection broke, or the answer is no HTTP.
    #[error("the answer broke off: {0}")]
    Broken(String),
    /// The answer is not JSON, or too large.
    #[error("the answer is not understood")]
    NotJson,
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        let exit = match error {
            AdminError::Data(_) => Exit::Store,
            AdminError::Silent { .. } => Exit::Unreachable,
            AdminError::Broken(_) | AdminError::NotJson => Exit::Failed,
        };
        Self::new(exit, error)
    }
}

impl Admin {
    /// Finds the way: takes the folder and starts the local routes with it, or, where a server
    /// holds it, goes by its socket.
    ///
    /// # Errors
    /// [`AdminError`], or what `start` returns.
    pub async fn connect<E: From<AdminError>>(
        data: &DataFolder,
        start: impl AsyncFnOnce(&DataLock) -> Result<Router, E>,
    ) -> Result<Self, E> {
        let way = match data.lock() {
            Ok(lock) => {
                let peer = Peer { address: std::net::Ipv4Addr::LOCALHOST.into(), certificate: None, local: true };
                let router = start(&lock).await?.layer(Extension(peer));
                Way::Here { router, _lock: lock }
            }
            Err(DataError::InUse { .. }) => Way::Socket(data.socket()),
            Err(error) => return Err(AdminError::from(error).into()),
        };
        Ok(Self { way, tasks: Drain::new() })
    }

    /// Sends a request; the target is a path with its query. The answer's body may be a stream.
    ///
    /// # Errors
    /// [`AdminError::Silent`] and [`AdminError::Broken`].
    pub async fn send(&self, mut request: Request<Body>) -> Result<Response<Body>, AdminError> {
        request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
        let path = match &self.way {
            Way::Here { router, .. } => {
                return router.clone().oneshot(request).await.map_err(|never| match never {});
            }
            Way::Socket(path) => path,
        };
        let silent = |cause: String| AdminError::Silent { path: path.clone(), cause };
        let stream = UnixStream::connect(path).await.map_err(|error| silent(error.to_string()))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| silent(error.to_string()))?;
        // How it ends is told by the answer.
        self.tasks.spawn(async move { drop(connection.await) });
        let answered = sender.send_request(request).await;
        answered.map(|response| response.map(Body::new)).map_err(|error| AdminError::Broken(error.to_string()))
    }

    /// Sends JSON, or nothing, and reads a JSON answer; an empty one is `null`.
    ///
    /// # Errors
    /// [`AdminError`]; a status of refusal is an answer, not an error.
    pub async fn json(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), AdminError> {
        let mut request = Request::new(body.map_or_else(Body::empty, |body| Body::from(body.to_string())));
        if method == Method::PUT {
            // Whoever types it means it, whatever stood there before.
            request.headers_mut().insert(IF_MATCH, HeaderValue::from_static("*"));
        }
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().map_err(|_| AdminError::Broken(format!("{path} is not a path")))?;
        if body.is_some() {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let (head, body) = self.send(request).await?.into_parts();
        let bytes =
            Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| AdminError::Broken(error.to_string()))?;
        let bytes = bytes.to_bytes();
        if bytes.is_empty() {
            return Ok((head.status, Value::Null));
        }
        serde_json::from_slice(&bytes).map(|value| (head.status, value)).map_err(|_| AdminError::NotJson)
    }
}
