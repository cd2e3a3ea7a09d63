//! One connection: from the first byte to the last.

use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use authority::{Peer, UnverifiedCertificate};
use bytes::BytesMut;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use tokio::io::AsyncReadExt;
use tokio_rustls::TlsAcceptor;

use super::activity::Activity;
use super::admission::Admission;
use super::drain::Drain;
use super::framing::Framing;
use super::neighbour;
use super::proxy_protocol;
use super::request::{self, Dressed};
use super::strict::Strict;
use super::wire::{Stream, Transport, Wire};
use crate::config::{Belief, Limits};
use crate::telemetry;

/// Streams a peer may reset before they were answered (rapid reset), and streams we had to reset
/// because of it.
const MAX_RESETS: usize = 32;
/// How often a silent HTTP/2 peer is asked whether it is still there, and how long it may take.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_ANSWER: Duration = Duration::from_secs(20);

/// What the connections of one listener share.
pub(super) struct Serving {
    pub(super) name: &'static str,
    pub(super) belief: Belief,
    pub(super) limits: Limits,
    tls: Option<TlsAcceptor>,
    dressed: Arc<Dressed>,
    drain: Drain,
    http1: auto::Builder<Drain>,
    http2: auto::Builder<Drain>,
}

/// A connection ready for HTTP.
struct Opened {
    transport: Transport,
    peer: Peer,
    http2: bool,
}

/// Why a connection ended before HTTP began.
enum Failed {
    /// Not in time.
    Late,
    /// A believed neighbour did not begin with a PROXY header.
    ProxyHeader,
    /// Too many from the address that the PROXY header names.
    Full(&'static str),
    /// The TLS handshake failed, or the socket.
    Broken(io::Error),
}

impl Serving {
    pub(super) fn new(
        name: &'static str,
        tls: Option<Arc<ServerConfig>>,
        belief: Belief,
        limits: Limits,
        dressed: Dressed,
        drain: Drain,
    ) -> Self {
        // Beyond these the parsers answer 431; `request` sees to what they count in another way.
        let mut builder = auto::Builder::new(drain.clone());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header)
            .max_buf_size(usize::try_from(limits.header_bytes).unwrap_or(usize::MAX))
            .max_headers(limits.headers);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(limits.header_bytes)
            .max_concurrent_streams(limits.streams)
            .max_pending_accept_reset_streams(MAX_RESETS)
            .max_local_error_reset_streams(MAX_RESETS)
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_ANSWER);
        Self {
            name,
            dressed: Arc::new(dressed),
            belief,
            tls: tls.map(TlsAcceptor::from),
            http1: builder.clone().http1_only(),
            http2: builder.http2_only(),
            limits,
            drain,
        }
    }

    /// Serves a connection to its end.
    pub(super) async fn connection(&self, stream: Stream, from: IpAddr, local: bool, mut admission: Admission) {
        let opening = self.open(stream, from, local, &mut admission);
        let opened = tokio::select! {
            () = self.drain.stopping() => return,
            opened = tokio::time::timeout(self.limits.handshake, opening) => opened.unwrap_or(Err(Failed::Late)),
        };
        match opened {
            Ok(opened) => {
                let _open = telemetry::connection_open(self.name);
                self.serve(opened).await;
            }
            Err(failed) => {
                let cause = failed.cause();
                if let Failed::Broken(error) = &failed {
                    tracing::debug!(listener = self.name, peer = %from, %error, "handshake failed");
                }
                telemetry::connection_refused(self.name, cause);
            }
        }
    }

    /// PROXY header where one is due, then TLS.
    async fn open(
        &self,
        mut stream: Stream,
        from: IpAddr,
        local: bool,
        admission: &mut Admission,
    ) -> Result<Opened, Failed> {
        let mut address = from;
        let mut read_before = BytesMut::new();
        if !local
            && neighbour::sends_proxy_header(&self.belief, from)
            && let Some(named) = read_proxy_header(&mut stream, &mut read_before).await?
        {
            address = named.to_canonical();
            if !neighbour::speaks_for_others(&self.belief, address) {
                admission.count_under(address).map_err(|full| Failed::Full(full.cause()))?;
            }
        }
        let wire = Wire::new(stream, read_before.freeze(), self.limits.stall);
        let Some(tls) = &self.tls else {
            let peer = Peer { address, certificate: None, local };
            return Ok(Opened { transport: Transport::Bare(wire), peer, http2: false });
        };
        let stream = tls.accept(wire).await.map_err(Failed::Broken)?;
        let session = stream.get_ref().1;
        let http2 = session.alpn_protocol() == Some(b"h2");
        let chain = session.peer_certificates().unwrap_or_default();
        let certificate = UnverifiedCertificate::new(chain.iter().map(|der| der.to_vec()).collect());
        let peer = Peer { address, certificate, local };
        Ok(Opened { transport: Transport::Tls(Box::new(stream)), peer, http2 })
    }

    /// HTTP until the peer leaves, is idle for too long, or the server stops.
    async fn serve(&self, opened: Opened) {
        let Opened { transport, peer, http2 } = opened;
        let activity = Activity::default();
        let peer = Arc::new(peer);
        let service = service_fn(|request: Request<Incoming>| {
            request::answer(Arc::clone(&self.dressed), Arc::clone(&peer), activity.begin(), request)
        });
        // HTTP/2 has frames of its own.
        let (builder, framing) = if http2 { (&self.http2, None) } else { (&self.http1, Some(Framing::default())) };
        let io = Strict::new(transport, framing);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(io), service));
        let cut = |cause| {
            telemetry::connection_cut(self.name, cause);
            Ok(())
        };
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.drain.stopping() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
            // Over HTTP/1.1 the wire sees it; here a peer can keep its window shut behind pings.
            () = activity.stalled_for(self.limits.stall), if http2 => cut("stalled"),
            () = activity.flooded(), if http2 => cut("resets"),
            () = activity.idle_for(self.limits.idle) => {
                connection.as_mut().graceful_shutdown();
                // A peer that does not even take the farewell is left.
                tokio::time::timeout(self.limits.header, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(listener = self.name, peer = %peer.address, error = %error, "connection ended early");
        }
    }
}

/// Reads until the header is whole; what was read behind it stays in the buffer.
async fn read_proxy_header(stream: &mut Stream, buffer: &mut BytesMut) -> Result<Option<IpAddr>, Failed> {
    loop {
        match proxy_protocol::parse(buffer) {
            Ok(Some(header)) => {
                let _ = buffer.split_to(header.length);
                return Ok(header.source);
            }
            Ok(None) => {}
            Err(_) => return Err(Failed::ProxyHeader),
        }
        let read = match stream {
            Stream::Tcp(stream) => stream.read_buf(buffer).await,
            Stream::Unix(stream) => stream.read_buf(buffer).await,
        };
        if read.map_err(Failed::Broken)? == 0 {
            return Err(Failed::ProxyHeader);
        }
    }
}

impl Failed {
    /// The word for metrics.
    fn cause(&self) -> &'static str {
        match self {
            Self::Late => "handshake_late",
            Self::ProxyHeader => "proxy_header",
            Self::Full(cause) => cause,
            Self::Broken(_) => "handshake_failed",
        }
    }
}
