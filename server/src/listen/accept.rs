//! Binding and accepting.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use rustls::ServerConfig;
use tokio::net::{TcpListener, UnixListener};

use super::admission::{Admissions, Full};
use super::connection::Serving;
use super::drain::Drain;
use super::neighbour;
use super::request::Dressed;
use super::wire::Stream;
use crate::config::{Belief, Limits};
use crate::telemetry;

/// How long to wait when the system has no descriptor left for another connection.
const BREATH: Duration = Duration::from_millis(100);

/// A bound socket; connections wait in it until a door is opened on it.
#[derive(Debug)]
pub enum Socket {
    /// For the world, or a part of it.
    Tcp(TcpListener),
    /// For the owner of the data folder.
    Local(UnixListener),
}

/// A listener with all that is asked of those who come.
pub struct Door {
    /// Its name in logs and metrics: `people`, `devices`, `health`, `local`.
    pub name: &'static str,
    /// Where they come in.
    pub socket: Socket,
    /// TLS; nothing for a plain one.
    pub tls: Option<Arc<ServerConfig>>,
    /// Which neighbours are believed.
    pub belief: Belief,
    /// Its limits.
    pub limits: Limits,
    /// Whether browsers are told to come to this host by TLS alone from now on (RFC 6797).
    pub strict_transport: bool,
    /// Who answers.
    pub router: Router,
}

impl Socket {
    /// Binds an address.
    ///
    /// # Errors
    /// What the system says, the address being in use among it.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        TcpListener::bind(address).await.map(Self::Tcp)
    }

    /// Binds a local socket with mode 600. What an earlier process left there is removed: the
    /// caller holds the lock of the folder, and the folder is closed to others meanwhile.
    ///
    /// # Errors
    /// What the system says; paths of more than about 100 bytes are too long for it.
    pub fn bind_local(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self::Local(listener))
    }

    /// The address it is bound to, its real port also where port 0 was asked for.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Local(_) => None,
        }
    }

    /// The next connection; those over the local socket have no address of their own.
    async fn accept(&self) -> io::Result<(Stream, Option<IpAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, from) = listener.accept().await?;
                // Answers are written whole: waiting for more to send only delays them.
                stream.set_nodelay(true)?;
                Ok((Stream::Tcp(stream), Some(from.ip().to_canonical())))
            }
            Self::Local(listener) => Ok((Stream::Unix(listener.accept().await?.0), None)),
        }
    }
}

/// Opens the door: accepts until the server stops.
pub fn open(door: Door, drain: &Drain) {
    let Door { name, socket, tls, belief, limits, strict_transport, router } = door;
    let handshakes = tls.is_some().then_some(limits.handshakes);
    let admissions = Admissions::new(limits.connections, limits.connections_per_address, handshakes);
    let dressed = Dressed::new(name, router, belief.clone(), &limits, strict_transport, drain.clone());
    let serving = Arc::new(Serving::new(name, tls, belief, limits, dressed, drain.clone()));
    let own = drain.clone();
    drain.spawn(async move {
        loop {
            let accepted = tokio::select! {
                biased;
                () = own.stopping() => return,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, from)) => let_in(&serving, &admissions, &own, stream, from),
                Err(error) => {
                    tracing::warn!(listener = name, %error, "cannot accept a connection");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    });
}

/// Counts the connection and gives it a task of its own, or closes it: nothing has been read or
/// computed for it yet.
fn let_in(serving: &Arc<Serving>, admissions: &Arc<Admissions>, drain: &Drain, stream: Stream, from: Option<IpAddr>) {
    let admitted = admissions.admit().and_then(|mut admission| {
        if let Some(address) = from
            && !neighbour::sends_proxy_header(&serving.belief, address)
            && !neighbour::speaks_for_others(&serving.belief, address)
        {
            admission.count_under(address)?;
        }
        Ok(admission)
    });
    match admitted {
        Ok(admission) => {
            let serving = Arc::clone(serving);
            let local = from.is_none();
            let address = from.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
            drain.spawn(async move { serving.connection(stream, address, local, admission).await });
        }
        Err(full) => telemetry::connection_refused(serving.name, full.cause()),
    }
}

impl Full {
    /// The word for metrics.
    pub(super) fn cause(self) -> &'static str {
        match self {
            Self::Listener => "listener_full",
            Self::Address => "address_full",
            Self::Rate => "address_rate",
        }
    }
}
