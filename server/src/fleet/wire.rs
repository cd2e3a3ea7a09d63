//! A device's connection: TLS with its factory certificate, HTTP/1.1, one request
//! at a time. Every device of a rehearsal has a loopback address of its own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use device::{Input, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, HandshakeKind, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use url::Url;

use super::figures::Figures;
use crate::listen::Drain;

/// What all devices share on their way to the server.
pub(super) struct Net {
    pub(super) roots: Arc<RootCertStore>,
    pub(super) figures: Figures,
    pub(super) tasks: Drain,
    /// How many connections may be open at once.
    pub(super) room: Arc<Semaphore>,
}

/// One device's side.
pub(super) struct Wire {
    tls: TlsConnector,
    from: Ipv4Addr,
    open: Option<Line>,
}

struct Line {
    origin: String,
    sender: SendRequest<Full<Bytes>>,
    _room: OwnedSemaphorePermit,
    _counted: Counted,
}

/// An open connection in the figures, for as long as its line lives.
struct Counted {
    net: Arc<Net>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.net.figures.closed();
    }
}

/// Why nothing was sent.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("the address is none")]
    Address,
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Http(#[from] hyper::Error),
}

impl Lost {
    fn word(&self) -> &'static str {
        match self {
            Self::Address => "no_address",
            Self::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => "connection_refused",
            Self::Io(_) => "connection_ended",
            Self::Http(_) => "broken_off",
        }
    }
}

/// The server's word for a refusal, or the status.
fn word(response: &Response) -> String {
    let body = jose::json::parse_object(&response.body).ok();
    let word = body.as_ref().and_then(|body| body.get("error")).and_then(serde_json::Value::as_str);
    word.map_or_else(|| format!("status_{}", response.status), str::to_owned)
}

impl Wire {
    /// A wire that shows this certificate. `resumes`: TLS sessions are kept and resumed.
    ///
    /// # Errors
    /// When certificate and key do not belong together.
    pub(super) fn new(
        net: &Net,
        chain: Vec<CertificateDer<'static>>,
        key: &[u8],
        number: u32,
        resumes: bool,
    ) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_vec()));
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(Arc::clone(&net.roots))
            .with_client_auth_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = match resumes {
            true => rustls::client::Resumption::in_memory_sessions(4),
            false => rustls::client::Resumption::disabled(),
        };
        // 127.0.0.0/8 is all loopback: a limit of the server's per address counts devices, as
        // it would in the world.
        let [_, b, c, d] = number.saturating_add(2).to_be_bytes();
        let from = Ipv4Addr::new(127, b.wrapping_add(1), c, d);
        Ok(Self { tls: TlsConnector::from(Arc::new(config)), from, open: None })
    }

    /// Hangs up.
    pub(super) fn close(&mut self) {
        self.open = None;
    }

    /// Sends one request, over the open connection where there is one to that origin.
    pub(super) async fn exchange(&mut self, net: &Arc<Net>, request: &Request) -> Input {
        let began = Instant::now();
        let patience = Duration::from_secs(request.patience.into());
        let answer = timeout(patience, self.carry(net, request)).await;
        match answer {
            Ok(Ok(response)) => {
                net.figures.answered(began.elapsed());
                if response.status >= 400 {
                    net.figures.refused(&word(&response));
                }
                return Input::Answer(response);
            }
            Ok(Err(lost)) => {
                tracing::debug!(cause = %lost, "a device got no answer");
                net.figures.refused(lost.word());
            }
            Err(_) => net.figures.refused("timed_out"),
        }
        self.close();
        Input::Lost
    }

    async fn carry(&mut self, net: &Arc<Net>, request: &Request) -> Result<Response, Lost> {
        let origin = request.url.origin();
        let alive = self.open.take().filter(|line| line.origin == origin && !line.sender.is_closed());
        let mut line = match alive {
            Some(line) => line,
            None => self.connect(net, origin).await?,
        };
        let target = Url::parse(request.url.as_str()).map_err(|_| Lost::Address)?;
        let path = &target[url::Position::BeforePath..];
        let host = &target[url::Position::BeforeHost..url::Position::AfterPort];
        let mut builder = http::Request::builder().method(request.method.as_str()).uri(path).header("host", host);
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        let body = Full::new(Bytes::copy_from_slice(&request.body));
        let answer = line.sender.send_request(builder.body(body).map_err(|_| Lost::Address)?).await?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, request.max_answer).collect().await;
        let body = body.map_err(|_| Lost::Io(std::io::ErrorKind::InvalidData.into()))?.to_bytes().to_vec();
        let headers = head
            .headers
            .iter()
            .filter_map(|(name, value)| value.to_str().ok().map(|value| (name.as_str().to_owned(), value.to_owned())));
        let response = Response { status: head.status.as_u16(), headers: headers.collect(), body };
        self.open = Some(line);
        Ok(response)
    }

    async fn connect(&self, net: &Arc<Net>, origin: &str) -> Result<Line, Lost> {
        let url = Url::parse(origin).map_err(|_| Lost::Address)?;
        let (host, port) = (url.host_str().ok_or(Lost::Address)?, url.port_or_known_default().ok_or(Lost::Address)?);
        let room = Arc::clone(&net.room).acquire_owned().await.map_err(|_| Lost::Address)?;
        let stream = self.reach(host, port).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(|_| Lost::Address)?;
        let stream = self.tls.connect(name, stream).await?;
        let resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        net.figures.opened(resumed);
        // How it ends is told by the answer.
        net.tasks.spawn(async move { drop(connection.await) });
        let counted = Counted { net: Arc::clone(net) };
        Ok(Line { origin: origin.to_owned(), sender, _room: room, _counted: counted })
    }

    /// Connects; on loopback from the device's own address.
    async fn reach(&self, host: &str, port: u16) -> Result<TcpStream, Lost> {
        let mut found = lookup_host((host.trim_matches(['[', ']']), port)).await?;
        let loopback = found.find(|address| address.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST));
        if let Some(address) = loopback {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(true)?;
            if socket.bind(SocketAddr::from((self.from, 0))).is_ok() {
                return Ok(socket.connect(address).await?);
            }
        }
        Ok(TcpStream::connect((host.trim_matches(['[', ']']), port)).await?)
    }
}
