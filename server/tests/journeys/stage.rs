//! A server on loopback with routes that show what reached them, and a client to ask it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use authority::{Clock, Peer};
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Extension};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{any, get, post};
use axum::{Json, Router};
use futures_util::{StreamExt, stream};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use server::config::Config;
use server::data::DataFolder;
use server::listen::Drain;
use server::port::WallClock;
use server::serve::{Bound, Doors, Running};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// No answer takes this long; a test that waits so long has hung.
pub(crate) const HUNG: Duration = Duration::from_secs(20);

/// Short enough to wait for, long enough for the work of a loaded machine.
pub(crate) const SHORT: Duration = Duration::from_millis(700);

/// A running server and what the test holds of it.
pub(crate) struct Stage {
    pub(crate) running: Running,
    _folder: TempDir,
    pub(crate) data: DataFolder,
    pub(crate) cues: Cues,
}

/// How a test and the routes talk.
#[derive(Clone, Default)]
pub(crate) struct Cues {
    /// `/slow` has begun.
    pub(crate) begun: Arc<Notify>,
    /// `/slow` may end, `/stream` may go on.
    pub(crate) release: Arc<Notify>,
    /// How often `/smuggled` was reached.
    pub(crate) smuggled: Arc<AtomicUsize>,
}

impl Stage {
    /// Starts with the defaults, changed by the test.
    pub(crate) async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::parse("", folder.path()).unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        config.listeners.people.address = any;
        config.listeners.devices.address = any;
        config.listeners.health = any;
        change(&mut config);
        let data = DataFolder::open(&folder.path().join("data")).unwrap();
        let lock = data.lock().unwrap();
        let bound = Bound::bind(&config, &data, lock).await.unwrap();
        let cues = Cues::default();
        let routes = routes(&cues);
        let doors = Doors { people: routes.clone(), devices: routes.clone(), local: routes };
        let clock: Arc<dyn Clock> = Arc::new(WallClock::new());
        let running = bound.open(&config, &data, &clock, doors, Drain::new()).unwrap();
        Self { running, _folder: folder, data, cues }
    }

    pub(crate) fn people(&self) -> SocketAddr {
        self.running.addresses().people
    }

    pub(crate) fn devices(&self) -> SocketAddr {
        self.running.addresses().devices
    }

    /// A client that trusts this server and shows no certificate.
    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        Arc::new(client(self.running.identity().authority_file().unwrap()))
    }

    pub(crate) fn roots(&self) -> RootCertStore {
        roots(self.running.identity().authority_file().unwrap())
    }
}

fn routes(cues: &Cues) -> Router {
    let (slow, streaming, smuggled) = (cues.clone(), cues.clone(), Arc::clone(&cues.smuggled));
    Router::new()
        .route("/peer", get(show_peer))
        .route("/headers", get(async |headers: HeaderMap| Json(names(&headers))))
        .route("/echo", post(async |body: Bytes| body.len().to_string()))
        .route("/upload", post(async |body: Bytes| body.len().to_string()).layer(DefaultBodyLimit::disable()))
        .route("/smuggled", any(async move || smuggled.fetch_add(1, Ordering::SeqCst).to_string()))
        .route("/stuck", get(async || std::future::pending::<()>().await))
        .route(
            "/slow",
            get(async move || {
                slow.begun.notify_one();
                slow.release.notified().await;
                "slow"
            }),
        )
        .route("/stream", get(async move || event_stream(streaming)))
        .route("/parts", get(async || Body::from_stream(stream::repeat(part()).take(1000))))
}

fn part() -> Result<Bytes, std::convert::Infallible> {
    Ok(Bytes::from_static(&[b'x'; 64 * 1024]))
}

async fn show_peer(Extension(peer): Extension<Peer>) -> Json<Value> {
    let chain = peer.certificate.as_ref().map(|certificate| certificate.chain().to_vec());
    Json(json!({ "address": peer.address, "local": peer.local, "chain": chain }))
}

fn names(headers: &HeaderMap) -> Vec<String> {
    headers.keys().map(ToString::to_string).collect()
}

/// One event at once, one when released, and no end.
fn event_stream(cues: Cues) -> Response {
    let first = stream::once(async { Ok::<_, std::convert::Infallible>("data: one\n\n") });
    let second = stream::once(async move {
        cues.release.notified().await;
        Ok("data: two\n\n")
    });
    let body = Body::from_stream(first.chain(second).chain(stream::pending()));
    Response::builder().header("content-type", "text/event-stream").body(body).unwrap()
}

pub(crate) fn roots(authority: &Path) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    roots
}

pub(crate) fn client(authority: &Path) -> ClientConfig {
    builder().with_root_certificates(roots(authority)).with_no_client_auth()
}

pub(crate) fn builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
}

/// Connects, sends what goes before TLS, and shakes hands.
pub(crate) async fn connect(
    address: SocketAddr,
    client: &Arc<ClientConfig>,
    before: &[u8],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(before).await?;
    TlsConnector::from(Arc::clone(client)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

/// An answer as it came over the wire.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }
}

/// Writes a request as it stands and reads until the server closes.
pub(crate) async fn exchange(
    stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin),
    request: &str,
) -> Option<Answer> {
    // A server that refuses early may close before all was written.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(HUNG, stream.read_to_end(&mut bytes)).await.expect("the server closes");
    Answer::parse(&String::from_utf8_lossy(&bytes))
}

/// A request with no body that closes its connection.
pub(crate) fn get_request(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}\r\n")
}

/// Asks once over a connection of its own.
pub(crate) async fn ask(address: SocketAddr, client: &Arc<ClientConfig>, path: &str, more: &str) -> Answer {
    let mut stream = connect(address, client, b"").await.unwrap();
    exchange(&mut stream, &get_request(path, more)).await.expect("an answer")
}

/// Reads until the peer closes, and what it sent.
pub(crate) async fn read_to_close(stream: &mut (impl AsyncReadExt + Unpin)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(HUNG, stream.read_to_end(&mut bytes)).await.expect("the server closes");
    bytes
}
