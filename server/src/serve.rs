//! A running server: sockets bound, doors open, one signal to stop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use authority::Clock;
use axum::Router;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::{Belief, Config, Limits};
use crate::data::{DataFolder, DataLock};
use crate::health::{self, Readiness};
use crate::listen::{self, Door, Drain, Socket};
use crate::port::SystemEntropy;
use crate::telemetry::Metrics;
use crate::tls::{self, Asks, Reloaded, ServerIdentity, TlsError};

/// How often the certificate's files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener cannot be bound.
    #[error("listeners.{listener}.address: cannot listen on {address}: {error}")]
    Bind {
        /// Which listener.
        listener: &'static str,
        /// Where it should listen.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The local socket cannot be bound.
    #[error("cannot make the socket {path}: {error}", path = path.display())]
    Local {
        /// Where it should be.
        path: std::path::PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The certificate or TLS itself.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The numbers.
    #[error("cannot count: {0}")]
    Metrics(String),
    /// The system does not let signals be awaited.
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
}

/// What answers at each listener.
pub struct Doors {
    /// Browsers, clients, staff.
    pub people: Router,
    /// Devices.
    pub devices: Router,
    /// The command line over the local socket (`Peer.local` is true there).
    pub local: Router,
}

/// Sockets that are bound: real ports are known, nobody is answered yet.
pub struct Bound {
    people: Socket,
    devices: Socket,
    health: Socket,
    local: Socket,
    addresses: Addresses,
    lock: DataLock,
}

/// Where the server listens, real ports in place of 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// Browsers, clients, staff.
    pub people: SocketAddr,
    /// Devices.
    pub devices: SocketAddr,
    /// Health and metrics.
    pub health: SocketAddr,
}

/// A server that answers.
pub struct Running {
    drain: Drain,
    readiness: Readiness,
    identity: Arc<ServerIdentity>,
    addresses: Addresses,
    deadline: Duration,
    terminate: Signal,
    interrupt: Signal,
    _lock: DataLock,
}

impl Bound {
    /// Binds every listener, and the local socket in the folder that the lock holds.
    ///
    /// # Errors
    /// [`StartError::Bind`] and [`StartError::Local`].
    pub async fn bind(config: &Config, data: &DataFolder, lock: DataLock) -> Result<Self, StartError> {
        let listeners = &config.listeners;
        let (people, people_address) = bind("people", listeners.people.address).await?;
        let (devices, devices_address) = bind("devices", listeners.devices.address).await?;
        let (health, health_address) = bind("health", listeners.health).await?;
        let path = data.socket();
        let local = Socket::bind_local(&path).map_err(|error| StartError::Local { path, error })?;
        let addresses = Addresses { people: people_address, devices: devices_address, health: health_address };
        Ok(Self { people, devices, health, local, addresses, lock })
    }

    /// Where the listeners are.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// The hold on the data folder.
    pub fn lock(&self) -> &DataLock {
        &self.lock
    }

    /// Opens the doors. Tasks of the wiring belong on the same drain.
    ///
    /// # Errors
    /// [`StartError::Tls`], [`StartError::Metrics`] and [`StartError::Signals`].
    pub fn open(
        self,
        config: &Config,
        data: &DataFolder,
        clock: &Arc<dyn Clock>,
        doors: Doors,
        drain: Drain,
    ) -> Result<Running, StartError> {
        // Before anybody hears that it is ready: who stops it then stops it in order.
        let terminate = signal(SignalKind::terminate()).map_err(StartError::Signals)?;
        let interrupt = signal(SignalKind::interrupt()).map_err(StartError::Signals)?;
        let metrics = Metrics::start().map_err(StartError::Metrics)?;
        let identity = ServerIdentity::load(config, data, clock.as_ref(), &SystemEntropy)?;
        let readiness = Readiness::new();
        let people_tls = tls::server_config(&identity, Asks::Nothing)?;
        let devices_tls = tls::server_config(&identity, Asks::Certificate)?;
        let health = health::router(readiness.clone(), metrics, drain.clone());
        let (listeners, limits) = (&config.listeners, &config.limits);
        let open = |name, socket, tls: Option<_>, belief: &Belief, limits: &Limits, router| {
            let (belief, limits) = (belief.clone(), limits.clone());
            let strict_transport = tls.is_some() && config.issuer.url.is_of_the_world();
            listen::open(Door { name, socket, tls, belief, limits, strict_transport, router }, &drain);
        };
        open("people", self.people, Some(people_tls), &listeners.people.belief, limits, doors.people);
        open("devices", self.devices, Some(devices_tls), &listeners.devices.belief, limits, doors.devices);
        open("health", self.health, None, &Belief::default(), limits, health);
        open("local", self.local, None, &Belief::default(), limits, doors.local);
        follow_certificate(&drain, Arc::clone(&identity), Arc::clone(clock));
        let (addresses, deadline) = (self.addresses, limits.drain);
        Ok(Running { drain, readiness, identity, addresses, deadline, terminate, interrupt, _lock: self.lock })
    }
}

impl Running {
    /// Where the listeners are.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// What `/readyz` says.
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// The server's certificate.
    pub fn identity(&self) -> &Arc<ServerIdentity> {
        &self.identity
    }

    /// Waits for SIGTERM or SIGINT, then stops. Whether everything ended by itself.
    pub async fn until_signal(self) -> bool {
        let Self { drain, deadline, mut terminate, mut interrupt, _lock, .. } = self;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        tokio::select! {
            in_time = drain.finish(deadline) => in_time,
            // Whoever signals twice does not want to wait.
            _ = terminate.recv() => false,
            _ = interrupt.recv() => false,
        }
    }

    /// Stops: no new connections, running requests end, what is left at the deadline is dropped.
    /// Whether everything ended by itself.
    pub async fn stop(self) -> bool {
        self.drain.finish(self.deadline).await
    }
}

async fn bind(listener: &'static str, address: SocketAddr) -> Result<(Socket, SocketAddr), StartError> {
    let bound = Socket::bind(address).await;
    let socket = bound.map_err(|error| StartError::Bind { listener, address, error })?;
    let address = socket.address().unwrap_or(address);
    Ok((socket, address))
}

/// Takes a changed certificate on SIGHUP, and by itself soon after its files changed.
fn follow_certificate(drain: &Drain, identity: Arc<ServerIdentity>, clock: Arc<dyn Clock>) {
    let own = drain.clone();
    drain.spawn(async move {
        let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.tick().await;
        loop {
            tokio::select! {
                () = own.stopping() => return,
                _ = hangup.recv() => {}
                _ = look.tick() => {}
            }
            let (identity, clock) = (Arc::clone(&identity), Arc::clone(&clock));
            let reloaded = tokio::task::spawn_blocking(move || identity.reload(clock.as_ref(), &SystemEntropy));
            match reloaded.await {
                Ok(Ok(Reloaded::Changed)) => tracing::info!("another server certificate is shown from now on"),
                Ok(Ok(Reloaded::Same)) => {}
                Ok(Err(error)) => tracing::error!(%error, "the server certificate stays as it was"),
                Err(error) => tracing::error!(%error, "the server certificate could not be looked at"),
            }
        }
    });
}
