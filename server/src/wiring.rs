//! What answers at each listener: the one place where the rooms meet.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use app::mailer::{FolderMailer, Mailer, SmtpMailer, SmtpSecurity};
use app::{App, Fault, MasterKey, OTHER_MASTER_KEY, Ports, Settings};
use authority::{Clock, ForeignIssuers};
use store::journal::Journal;
use store::{ListQuery, Store, StoreError};
use store_postgres::PostgresStore;
use store_sqlite::{SqliteStore, TenantSettings};
use tokio::time::{Instant, MissedTickBehavior};
use web::State;
use zeroize::Zeroizing;

use crate::command::{Exit, Failure};
use crate::config::{self, Config, Exchange, Mail, MailWay, SmtpEncryption};
use crate::data::{DataFolder, DataLock, sync_folder_of};
use crate::fetch::HttpsFetch;
use crate::health::Readiness;
use crate::journal::RaisesJournal;
use crate::listen::Drain;
use crate::port::SystemEntropy;
use crate::serve::Doors;
use crate::telemetry;

/// How often the store's time is advanced and what is dead is dropped.
const BEAT: Duration = Duration::from_secs(60);
/// How often the feed of a store of several nodes is numbered and followed, and
/// how often a round that takes long is looked at.
const ROUND: Duration = Duration::from_millis(100);
const LOOK: Duration = Duration::from_secs(1);
/// Rounds that others make due come no closer to each other: each is a commit.
const BETWEEN_ROUNDS: Duration = Duration::from_millis(20);
/// After so many looks at the clock what is known of it is kept.
const LOOKS_A_MARK: u32 = 60;
/// No token lives longer, seconds.
const MAX_TOKEN_LIFE: i64 = 86_400;

/// Opens the application on its store. Blocks while the store is migrated.
///
/// # Errors
/// [`Exit::Store`] and [`Exit::Configuration`], with what to type next.
pub async fn open_app(
    config: &Config,
    data: &DataFolder,
    lock: &DataLock,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<App>, Failure> {
    let TenantSettings { issuer, device_url, .. } = tenant(config);
    let (store, master_key) = open_store(config, data, lock).await?;
    let ports = Ports {
        store,
        clock: Arc::clone(clock),
        entropy: Arc::new(SystemEntropy),
        mailer: mailer(&config.mail, data)?,
    };
    let settings = Settings {
        max_token_life: MAX_TOKEN_LIFE,
        rotate_keys_every: i64::try_from(config.keys.rotate.as_secs()).unwrap_or(i64::MAX),
        service: config.clients.service.clone(),
        client_authorities: config.clients.authorities.clone(),
        clock_mark: data.clock_mark(),
        challenges: config.limits.challenges,
        ..Settings::new(issuer, device_url)
    };
    let opened = App::start(settings.clone(), &MasterKey::new(*master_key), ports.clone()).await;
    let app = match (opened, data.next_master_key().map_err(|error| Failure::new(Exit::Store, error))?) {
        (Ok(app), None) => app,
        (Ok(app), Some(_)) => {
            // Sealing anew was begun, and nothing was sealed.
            data.drop_next_master_key().map_err(|error| Failure::new(Exit::Store, error))?;
            app
        }
        (Err(Fault::Broken(OTHER_MASTER_KEY)), Some(next)) => {
            let app = App::start(settings, &MasterKey::new(*next), ports).await;
            let app = app.map_err(|fault| app_failure(&fault, data))?;
            data.promote_master_key().map_err(|error| Failure::new(Exit::Store, error))?;
            tracing::warn!("sealing under the new master key had been cut off; it is brought to its end");
            app
        }
        (Err(fault), _) => return Err(app_failure(&fault, data)),
    };
    Ok(Arc::new(app.trusting(foreign_issuers(&config.exchange))))
}

/// Those of the configuration; nobody is fetched from but them.
fn foreign_issuers(exchange: &Exchange) -> ForeignIssuers {
    if exchange.issuers.is_empty() {
        return ForeignIssuers::none();
    }
    let issuers = exchange.issuers.iter().map(|trust| (trust.issuer.clone(), trust.keys.source()));
    ForeignIssuers::new(issuers, Arc::new(HttpsFetch::new(&exchange.authorities)))
}

fn tenant(config: &Config) -> TenantSettings {
    TenantSettings {
        issuer: config.issuer.url.as_str().to_owned(),
        device_url: config.issuer.devices_url.as_str().to_owned(),
        max_token_life: MAX_TOKEN_LIFE,
    }
}

/// Makes the store of a folder that has none, and lets it be filled: there is a whole one
/// afterwards, or none.
///
/// # Errors
/// [`Exit::Store`] where there is one, and what `fill` returns.
pub async fn fill_store<T>(
    config: &Config,
    data: &DataFolder,
    fill: impl AsyncFnOnce(&dyn Store) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if let config::Store::Postgres(postgres) = &config.store {
        // Filled in one step, and only where there is nothing yet.
        return fill(&open_postgres(config, postgres, None).await?).await;
    }
    let path = data.store();
    if path.exists() {
        let told = format!("there is a store at {} already; a backup is restored into an empty folder", path.display());
        return Err(Failure::new(Exit::Store, told));
    }
    let draft = path.with_added_extension("restoring");
    let unusable = |error: std::io::Error| Failure::new(Exit::Store, format!("{}: {error}", draft.display()));
    // One that was cut off is begun anew.
    remove_file(&draft).map_err(unusable)?;
    let filled = {
        let store = SqliteStore::open(&draft, tenant(config)).map_err(|error| store_failure(&error))?;
        fill(&store).await
    };
    match filled {
        Ok(filled) => {
            std::fs::rename(&draft, &path).and_then(|()| sync_folder_of(&path)).map_err(unusable)?;
            Ok(filled)
        }
        Err(failure) => {
            remove_file(&draft).map_err(unusable)?;
            Err(failure)
        }
    }
}

/// Removes a database that was not finished.
fn remove_file(draft: &Path) -> std::io::Result<()> {
    let beside = |tail: &str| {
        let mut name = draft.as_os_str().to_owned();
        name.push(tail);
        std::path::PathBuf::from(name)
    };
    for path in [draft.to_owned(), beside("-wal"), beside("-shm")] {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// The doors of an application that was opened.
pub fn doors_of(app: &Arc<App>, data: &DataFolder) -> Doors {
    let at = |origin: &str| State { app: Arc::clone(app), origin: origin.into() };
    let people = at(&app.tenant().issuer);
    let devices = at(&app.tenant().device_url);
    Doors {
        local: web::people_router(people.clone())
            .merge(crate::keys::local_routes(app, data))
            .merge(crate::backup::local_routes(app)),
        people: web::people_router(people),
        devices: web::device_router(devices),
    }
}

/// Opens the store that is configured, with the key that opens what it holds.
async fn open_store(
    config: &Config,
    data: &DataFolder,
    lock: &DataLock,
) -> Result<(Arc<dyn Store>, Zeroizing<[u8; 32]>), Failure> {
    let key = || data.master_key(lock, &SystemEntropy).map_err(|error| Failure::new(Exit::Store, error));
    let journal = RaisesJournal::open(&data.journal(), &SystemEntropy);
    let journal = Arc::new(journal.map_err(|error| Failure::new(Exit::Store, error))?);
    match &config.store {
        config::Store::Embedded => {
            let key = key()?;
            let store = SqliteStore::open_with_journal(data.store(), tenant(config), journal);
            Ok((Arc::new(store.map_err(|error| store_failure(&error))?), key))
        }
        config::Store::Postgres(postgres) => {
            let store = open_postgres(config, postgres, Some(journal)).await?;
            if !data.master_key_file().exists() && is_in_use(&store).await? {
                let path = data.master_key_file();
                let missing = "is missing, and without it the database cannot be opened: copy it from another node";
                return Err(Failure::new(Exit::Store, format!("{} {missing}", path.display())));
            }
            Ok((Arc::new(store), key()?))
        }
    }
}

async fn open_postgres(
    config: &Config,
    postgres: &config::Postgres,
    journal: Option<Arc<dyn Journal>>,
) -> Result<PostgresStore, Failure> {
    let TenantSettings { issuer, device_url, max_token_life } = tenant(config);
    let address = postgres.address.clone();
    let settings = store_postgres::Settings {
        address: match &postgres.password {
            Some(password) => address.with_password(password.expose()),
            None => address,
        },
        way: postgres.way.clone(),
        connections: postgres.connections,
        patience: postgres.patience,
        issuer,
        device_url,
        max_token_life,
        chance: Arc::new(|| u64::from_be_bytes(crate::port::random(&SystemEntropy))),
        journal,
    };
    PostgresStore::open(settings).await.map_err(|error| store_failure(&error))
}

/// Sees that a database is one of its own for whoever plays: nothing real gets mixed with it.
///
/// # Errors
/// [`Exit::Store`]
pub async fn check_unused(config: &Config) -> Result<(), Failure> {
    let config::Store::Postgres(postgres) = &config.store else { return Ok(()) };
    if is_in_use(&open_postgres(config, postgres, None).await?).await? {
        return Err(Failure::new(Exit::Store, "the database is in use already: this wants an empty one of its own"));
    }
    Ok(())
}

/// Whether anything in it is sealed already.
async fn is_in_use(store: &dyn Store) -> Result<bool, Failure> {
    let kind = <oauth::SigningKey as identity::Record>::KIND;
    let keys = store.list(ListQuery { kind, filter: None, after: None, limit: 1 }).await;
    keys.map(|page| !page.items.is_empty()).map_err(|error| store_failure(&error))
}

/// Runs the rounds of a store of several nodes until the server drains, and says
/// whether requests should come here.
pub fn keep_following(app: &Arc<App>, drain: &Drain, readiness: Option<Readiness>) {
    if !app.is_one_of_several() {
        return;
    }
    let (app, stop) = (Arc::clone(app), drain.clone());
    drain.spawn(async move {
        let mut rounds = tokio::time::interval(ROUND);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut due = app.rounds_due();
        let mut was_well = true;
        let tell = |is_well: bool| {
            readiness.iter().for_each(|readiness| readiness.set(is_well));
            telemetry::view_age(app.authority().age_ms());
        };
        loop {
            tokio::select! {
                _ = rounds.tick() => {}
                () = due.next() => rounds.reset(),
                () = stop.stopping() => return,
            }
            let began = Instant::now();
            let mut round = core::pin::pin!(app.follow());
            let ended = loop {
                tokio::select! {
                    ended = &mut round => break ended,
                    () = tokio::time::sleep(LOOK) => {}
                }
                tell(app.is_well());
            };
            telemetry::round_took(began.elapsed());
            let is_well = app.is_well();
            tell(is_well);
            match &ended {
                Err(fault) if was_well => tracing::error!(cause = %fault, "the store is not followed"),
                Ok(()) if was_well && !is_well => tracing::error!(
                    "this machine's clock and the database's are more than a minute apart: nothing is issued here"
                ),
                Ok(()) if !was_well && is_well => tracing::info!("the store is followed again"),
                _ => {}
            }
            was_well = is_well && ended.is_ok();
            tokio::select! {
                () = tokio::time::sleep(BETWEEN_ROUNDS) => {}
                () = stop.stopping() => return,
            }
        }
    });
}

/// Watches this machine's clock for a store of one node until the server drains: says
/// whether requests should come here, and keeps what the next start must know.
pub fn keep_watching(app: &Arc<App>, data: &DataFolder, drain: &Drain, readiness: Readiness) {
    if app.is_one_of_several() {
        return;
    }
    let (app, data, stop) = (Arc::clone(app), data.clone(), drain.clone());
    drain.spawn(async move {
        let mut was_well = true;
        for looks in (0..LOOKS_A_MARK).cycle() {
            let complaint = app.clock_complaint();
            readiness.set(complaint.is_none());
            match &complaint {
                Some(why) if was_well => {
                    tracing::error!("this machine's clock cannot be right: {why}; nothing is issued until it is")
                }
                None if !was_well => tracing::info!("this machine's clock is believed again"),
                _ => {}
            }
            was_well = complaint.is_none();
            if looks == 0
                && let Some(mark) = app.clock_mark()
            {
                let data = data.clone();
                if let Ok(Err(error)) = tokio::task::spawn_blocking(move || data.keep_clock_mark(mark)).await {
                    tracing::warn!(%error, "a leap of the clock would not be told from a pause after a restart");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = stop.stopping() => return,
            }
        }
    });
}

/// Beats every minute until the server drains.
pub fn keep_beating(app: &Arc<App>, drain: &Drain) {
    let (app, stop) = (Arc::clone(app), drain.clone());
    drain.spawn(async move {
        loop {
            tokio::select! {
                () = tokio::time::sleep(BEAT) => {}
                () = stop.stopping() => return app.drain_mail().await,
            }
            if let Err(fault) = app.beat().await {
                tracing::error!(cause = %fault, "beat_failed");
            }
        }
    });
}

fn mailer(mail: &Mail, data: &DataFolder) -> Result<Arc<dyn Mailer>, Failure> {
    let bad = |error: app::mailer::MailError| Failure::new(Exit::Configuration, format!("mail: {}", error.0));
    match &mail.way {
        MailWay::Smtp(smtp) => {
            let security = match smtp.encryption {
                SmtpEncryption::StartTls => SmtpSecurity::StartTls,
                SmtpEncryption::Tls => SmtpSecurity::Tls,
                SmtpEncryption::None => SmtpSecurity::Plain,
            };
            let login = smtp.login.as_ref().map(|(user, password)| (user.clone(), password.expose().to_owned()));
            Ok(Arc::new(SmtpMailer::new(&smtp.host, smtp.port, security, login, &mail.from).map_err(bad)?))
        }
        MailWay::Folder(folder) => {
            let folder = folder.clone().unwrap_or_else(|| data.mail());
            std::fs::create_dir_all(&folder)
                .map_err(|error| Failure::new(Exit::Store, format!("cannot make {}: {error}", folder.display())))?;
            Ok(Arc::new(FolderMailer::new(folder, &mail.from).map_err(bad)?))
        }
    }
}

fn store_failure(error: &StoreError) -> Failure {
    let failure = Failure::new(Exit::Store, error);
    match error {
        StoreError::TooNew { .. } => failure.then_type("keyfob version, and start the newer program that made it"),
        _ => failure,
    }
}

fn app_failure(fault: &Fault, data: &DataFolder) -> Failure {
    match fault {
        Fault::Broken(OTHER_MASTER_KEY) => {
            let path = data.master_key_file();
            Failure::new(
                Exit::Store,
                format!(
                    "the store is sealed under another master key than {}: put the right one back, or, if another \
                     node has resealed the store, copy the file from there",
                    path.display()
                ),
            )
        }
        fault => Failure::new(Exit::Store, fault),
    }
}
