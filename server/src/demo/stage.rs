//! Where the story happens: a whole server on loopback in a temporary folder,
//! and a backend of the maker beside it. Owns both until they are struck.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use authority::Clock;
use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use http::Method;
use serde_json::Value;
use tempfile::TempDir;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

use super::backend::Backend;
use super::http::Http;
use super::nodes::{self, Chance};
use super::trouble::{Lived, Trouble};
use crate::command::{Admin, AdminError, Exit, Failure};
use crate::config::{self, BaseUrl, Belief, Config, Log, MailWay};
use crate::data::DataFolder;
use crate::listen::{self, Door, Drain, Socket};
use crate::port::{self, SystemEntropy, WallClock};
use crate::serve::{Bound, Doors, Running};
use crate::tls::{self, Asks, ServerIdentity};
use crate::wiring;

/// RFC 9110 §5.6.7.
const HTTP_DATE: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// A server that runs, and everything around it.
pub(super) struct Stage {
    /// The issuer, where people and clients come.
    pub(super) issuer: String,
    /// Where devices come.
    pub(super) devices: String,
    /// The maker's backend, which takes asset tokens.
    pub(super) backend: String,
    /// The demo's own authority, PEM, and its file.
    pub(super) ca: Vec<u8>,
    pub(super) ca_file: PathBuf,
    /// The server's data folder, and that of its mails.
    pub(super) data: PathBuf,
    pub(super) mail: PathBuf,
    /// The server's clock, which may be moved.
    pub(super) clock: Arc<WallClock>,
    /// When it began.
    begins: Begins,
    /// Whether two nodes serve, one of them by chance.
    several: bool,
    local: Admin,
    handle: Handle,
    folder: PathBuf,
}

/// How long before the present the story of the demo begins, seconds: an asset token lives a day,
/// and the story shows its end and its renewal.
const EARLIER: i64 = 25 * 3600;

/// When a stage begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Begins {
    /// So that [`Stage::catch_up`] brings it to the present.
    Yesterday,
    /// Now.
    Now,
}

/// What keeps the stage standing.
pub(super) struct Standing {
    running: Running,
    others: Vec<Running>,
    door: Drain,
    backend: Drain,
    /// Removed with everything in it when dropped.
    _folder: TempDir,
}

/// Sets the stage: ports are the system's choice.
///
/// # Errors
/// [`Failure`] of the server's start.
pub(super) async fn set(log: Log, begins: Begins, store: config::Store) -> Result<(Stage, Standing), Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::Store, error);
    let folder = tempfile::Builder::new().prefix("keyfob-demo-").tempdir().map_err(failed)?;
    let mut config = Config::parse("", folder.path()).map_err(|mistakes| Failure::configuration(&mistakes))?;
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.data.folder = folder.path().join("data");
    config.mail.way = MailWay::Folder(Some(folder.path().join("mail")));
    (config.listeners.people.address, config.listeners.devices.address, config.listeners.health) = (any, any, any);
    (config.log, config.store) = (log, store);
    let several = matches!(config.store, config::Store::Postgres(_));
    wiring::check_unused(&config).await?;
    let moved = Arc::new(WallClock::new());
    if begins == Begins::Yesterday {
        moved.shift(-EARLIER);
    }
    let clock: Arc<dyn Clock> = Arc::clone(&moved) as _;
    let (bound, data) = bind(&config, &config.data.folder).await?;
    let doors = match several {
        true => Some((nodes::door().await.map_err(failed)?, nodes::door().await.map_err(failed)?)),
        false => None,
    };
    let own = bound.addresses();
    let ports = doors
        .as_ref()
        .map_or((own.people.port(), own.devices.port()), |((_, people), (_, devices))| (*people, *devices));
    config.issuer.url = BaseUrl::local(ports.0);
    config.issuer.devices_url = BaseUrl::local(ports.1);
    let running = open(&config, bound, &data, &moved).await?;
    let mut others = Vec::new();
    let door = Drain::new();
    if let Some(((people, _), (devices, _))) = doors {
        let (bound, second) = bind(&config, &folder.path().join("second")).await?;
        nodes::share(&data, &second).map_err(failed)?;
        let other = open(&config, bound, &second, &moved).await?;
        let (one, two) = (running.addresses(), other.addresses());
        let chance = || Chance::of(u64::from_be_bytes(port::random(&SystemEntropy)));
        nodes::choose(people, [one.people, two.people], chance(), &door);
        nodes::choose(devices, [one.devices, two.devices], chance(), &door);
        others.push(other);
    }

    let ca_file = running.identity().authority_file().map(Path::to_owned);
    let ca_file = ca_file.ok_or_else(|| Failure::new(Exit::Failed, "the server made no authority"))?;
    let ca = fs::read(&ca_file).map_err(failed)?;
    let (issuer, devices) = (config.issuer.url.to_string(), config.issuer.devices_url.to_string());
    let (backend, backend_url) = open_backend(&config, running.identity(), &issuer, &ca, &clock).await?;
    // The folder is held by this very process, so this goes by the socket, as other commands do.
    let local = Admin::connect(&data, async |_| Err::<Router, _>(Failure::new(Exit::Failed, "nobody serves"))).await?;
    let stage = Stage {
        issuer,
        devices,
        backend: backend_url,
        ca,
        ca_file,
        data: data.path().to_owned(),
        mail: folder.path().join("mail"),
        clock: moved,
        begins,
        several,
        local,
        handle: Handle::current(),
        folder: folder.path().to_owned(),
    };
    Ok((stage, Standing { running, others, door, backend, _folder: folder }))
}

/// A stage beside servers that run elsewhere, by the folder of one of them: the clock is that of
/// the machine, and stays.
///
/// # Errors
/// [`Failure`] where the folder has no authority, or its server does not answer.
pub(super) async fn beside(
    issuer: &str,
    devices: &str,
    data: &DataFolder,
    mail: &Path,
    folder: &Path,
) -> Result<(Stage, Drain), Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::Store, error);
    let mut config = Config::parse("", folder).map_err(|mistakes| Failure::configuration(&mistakes))?;
    let wrong = || Failure::new(Exit::Configuration, "no address of a server");
    config.issuer.url = BaseUrl::parse(issuer).ok_or_else(wrong)?;
    config.issuer.devices_url = BaseUrl::parse(devices).ok_or_else(wrong)?;
    let machine = Arc::new(WallClock::new());
    let clock: Arc<dyn Clock> = Arc::clone(&machine) as _;
    let identity = ServerIdentity::load(&config, data, clock.as_ref(), &SystemEntropy);
    let identity = identity.map_err(|error| Failure::new(Exit::Store, error))?;
    let ca_file = identity.authority_file().map(Path::to_owned);
    let ca_file = ca_file.ok_or_else(|| Failure::new(Exit::Failed, "the server made no authority"))?;
    let ca = fs::read(&ca_file).map_err(failed)?;
    let (backend, backend_url) = open_backend(&config, &identity, issuer, &ca, &clock).await?;
    let local = Admin::connect(data, async |_| Err::<Router, _>(Failure::new(Exit::Failed, "nobody serves"))).await?;
    let stage = Stage {
        issuer: issuer.to_owned(),
        devices: devices.to_owned(),
        backend: backend_url,
        ca,
        ca_file,
        data: data.path().to_owned(),
        mail: mail.to_owned(),
        clock: machine,
        begins: Begins::Now,
        several: true,
        local,
        handle: Handle::current(),
        folder: folder.to_owned(),
    };
    Ok((stage, backend))
}

async fn bind(config: &Config, folder: &Path) -> Result<(Bound, DataFolder), Failure> {
    let data = DataFolder::open(folder).map_err(|error| Failure::new(Exit::Store, error))?;
    let lock = data.lock().map_err(|error| Failure::new(Exit::Store, error))?;
    Ok((Bound::bind(config, &data, lock).await?, data))
}

async fn open(config: &Config, bound: Bound, data: &DataFolder, moved: &Arc<WallClock>) -> Result<Running, Failure> {
    let (drain, clock): (_, Arc<dyn Clock>) = (Drain::new(), Arc::clone(moved) as _);
    let app = wiring::open_app(config, data, bound.lock(), &clock).await?;
    wiring::keep_beating(&app, &drain);
    wiring::keep_following(&app, &drain, None);
    let doors = wiring::doors_of(&app, data);
    let dated = |router| dated(router, moved);
    let doors = Doors { people: dated(doors.people), devices: dated(doors.devices), local: doors.local };
    let running = bound.open(config, data, &clock, doors, drain)?;
    running.readiness().set(true);
    Ok(running)
}

/// Dates answers by the clock that was moved; otherwise it would be the system's, and devices that
/// set their own by it would be wrong by a day.
fn dated(router: Router, clock: &Arc<WallClock>) -> Router {
    let clock = Arc::clone(clock);
    router.layer(axum::middleware::map_response(move |mut response: Response| {
        let date = OffsetDateTime::from_unix_timestamp(clock.now()).ok().and_then(|now| now.format(HTTP_DATE).ok());
        if let Some(date) = date.and_then(|date| HeaderValue::from_str(&date).ok()) {
            response.headers_mut().insert(header::DATE, date);
        }
        std::future::ready(response)
    }))
}

async fn open_backend(
    config: &Config,
    identity: &Arc<ServerIdentity>,
    issuer: &str,
    ca: &[u8],
    clock: &Arc<dyn Clock>,
) -> Result<(Drain, String), Failure> {
    let failed =
        |what: &dyn std::fmt::Display| Failure::new(Exit::Failed, format!("the backend does not start: {what}"));
    let socket = Socket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.map_err(|error| failed(&error))?;
    let port = socket.address().ok_or_else(|| failed(&"it has no address"))?.port();
    let url = BaseUrl::local(port).to_string();
    let backend =
        Backend::new(issuer, &url, Http::trusting(ca).map_err(|trouble| failed(&trouble.0))?, Arc::clone(clock));
    let tls = tls::server_config(identity, Asks::Nothing).map_err(|error| failed(&error))?;
    let drain = Drain::new();
    let door = Door {
        name: "backend",
        socket,
        tls: Some(tls),
        belief: Belief::default(),
        limits: config.limits.clone(),
        strict_transport: false,
        router: backend.router(),
    };
    listen::open(door, &drain);
    Ok((drain, url))
}

impl Stage {
    /// When it began.
    pub(super) fn begins(&self) -> Begins {
        self.begins
    }

    /// Brings the clock of a stage that began yesterday to the present.
    pub(super) fn catch_up(&self) {
        self.clock.shift(EARLIER);
        self.let_all_hear();
    }

    /// Now, by the server's clock.
    pub(super) fn now(&self) -> i64 {
        self.clock.now()
    }

    /// The folder of everything.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A client of its own, with a cookie jar of its own.
    pub(super) fn http(&self) -> Lived<Http> {
        Http::trusting(&self.ca)
    }

    /// Lets others go on for a moment. Must not be called by a task.
    pub(super) fn pause(&self, time: Duration) {
        self.handle.block_on(tokio::time::sleep(time));
    }

    /// What one node has ended the other knows within a second; one alone at once.
    pub(super) fn let_all_hear(&self) {
        if self.several {
            self.pause(Duration::from_secs(1));
        }
    }

    /// Asks over the local socket, as the operator of the machine. Must not be called by a task.
    pub(super) fn local(&self, method: Method, path: &str, body: Option<&Value>) -> Lived<Value> {
        let (status, answer) = self
            .handle
            .block_on(self.local.json(method, path, body))
            .map_err(|error: AdminError| Trouble::new(error))?;
        if status.is_success() {
            Ok(answer)
        } else {
            Err(Trouble::new(format!("{path}: the answer was {status} {answer}")))
        }
    }
}

impl Standing {
    /// Waits for a signal that ends the story before its end.
    pub(super) async fn signalled(&self) -> Failure {
        let (terminate, interrupt) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
        let (Ok(mut terminate), Ok(mut interrupt)) = (terminate, interrupt) else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Failure::new(Exit::Failed, "it was told to end")
    }

    /// Waits until the process is told to end.
    pub(super) async fn until_signal(self) {
        self.running.until_signal().await;
        self.door.finish(Duration::ZERO).await;
        self.backend.finish(Duration::ZERO).await;
    }

    /// Strikes the stage.
    pub(super) async fn strike(self) {
        self.door.finish(Duration::from_secs(1)).await;
        self.backend.finish(Duration::from_secs(1)).await;
        self.running.stop().await;
        for other in self.others {
            other.stop().await;
        }
    }
}
