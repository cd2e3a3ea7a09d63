//! The store itself: opening, the pool, and how long anything may take.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime, Timeouts};
use identity::Tenant;
use rustls::{ClientConfig, RootCertStore};
use store::journal::Journal;
use store::{Head, StoreError, Waking};
use tokio::sync::{Notify, watch};
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::address::{Address, Way};
use crate::due::Due;
use crate::fault::store_error;
use crate::held::Held;
use crate::layout;
use crate::prune::Walk;
use crate::snapshot::Snapshot;

/// Migrations may take longer than anything a door waits for.
const FOR_THE_LAYOUT: Duration = Duration::from_secs(600);
/// Every look-up has its index, so that small tables are not read whole; that
/// would also make serializable transactions collide. What has no index costs
/// more than anything then, and would be worth a compiler's tenth of a second to
/// the planner: nothing here is long enough for one (`jit`).
const SESSION: &str = "-c enable_seqscan=off -c jit=off -c plan_cache_mode=force_generic_plan -c timezone=UTC \
                       -c default_transaction_isolation=read\\ committed -c client_min_messages=error";

/// Random numbers: for pauses between tries and the ids of events.
pub type Chance = Arc<dyn Fn() -> u64 + Send + Sync>;

/// What the store is told about its tenant and its database; the generation is
/// its own.
#[derive(Clone)]
pub struct Settings {
    /// Where the database is.
    pub address: Address,
    /// How the way to it is protected.
    pub way: Way,
    /// Most connections of this node, 2 to 1,000, besides the two by which it
    /// follows the others.
    pub connections: usize,
    /// Whoever asks is answered or refused within this time, whatever the
    /// database does; half of it for a connection.
    pub patience: Duration,
    /// The issuer URL.
    pub issuer: String,
    /// The URL of the host that requests client certificates.
    pub device_url: String,
    /// No token lives longer, in seconds (180 to 31,536,000): decides how long
    /// raises are kept.
    pub max_token_life: i64,
    /// Where chance comes from.
    pub chance: Chance,
    /// Where this node writes down what ends, before it is committed.
    pub journal: Option<Arc<dyn Journal>>,
}

/// The store of several nodes.
pub struct PostgresStore {
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) pool: Pool,
    /// One connection for rounds alone: no crowd of requests keeps them waiting.
    rounds: Pool,
    /// By what it knows its own word to other nodes.
    pub(crate) own: String,
    /// How a connection beside the pools is made.
    config: Config,
    way: Way,
    pub(crate) chance: Chance,
    patience: Duration,
    pub(crate) journal: Option<Arc<dyn Journal>>,
    /// The greatest time of the store this node knows of, seconds.
    pub(crate) time: AtomicI64,
    /// The greatest number this node knows of, and who waits for more.
    pub(crate) numbered: watch::Sender<u64>,
    /// This process committed what has no number yet.
    pub(crate) committed: Arc<Notify>,
    pub(crate) walk: Mutex<Walk>,
    /// How often a commit was tried again because another was in the way.
    pub(crate) retried: AtomicU64,
}

impl PostgresStore {
    /// Opens the store and makes its layout where there is none. Several nodes
    /// may open it at once.
    ///
    /// # Errors
    /// [`StoreError::TooNew`] for a database of a newer program, which stays as
    /// it is; [`StoreError::Corrupt`] for one that is none of ours;
    /// [`StoreError::Unavailable`] where it cannot be reached or does not let us in.
    pub async fn open(settings: Settings) -> Result<Self, StoreError> {
        let config = settings.address.config(&settings.way);
        let held = connect(&config, &settings.way, 1, settings.patience)?;
        let migrated = async {
            let mut held = Held::new(hold(&held).await?);
            let head = layout::migrate(&mut held, &settings.chance).await?;
            held.give_back();
            Ok::<Head, StoreError>(head)
        };
        let head = tokio::time::timeout(FOR_THE_LAYOUT, migrated).await.map_err(|_| silent())??;
        let pool = connect(&config, &settings.way, settings.connections.clamp(2, 1_000), settings.patience)?;
        let rounds = connect(&config, &settings.way, 1, settings.patience)?;
        let tenant = Arc::new(Tenant {
            issuer: settings.issuer,
            device_url: settings.device_url,
            generation: head.generation,
            max_token_life: settings.max_token_life,
        });
        Ok(Self {
            tenant,
            pool,
            rounds,
            own: format!("{:016x}", (settings.chance)()),
            config: within(&config, settings.patience),
            way: settings.way,
            chance: settings.chance,
            patience: settings.patience,
            journal: settings.journal,
            time: AtomicI64::new(head.time),
            numbered: watch::Sender::new(head.number),
            committed: Arc::new(Notify::new()),
            walk: Mutex::default(),
            retried: AtomicU64::new(0),
        })
    }

    /// Ends all connections once they are given back; whoever asks later is refused.
    pub fn close(&self) {
        self.pool.close();
        self.rounds.close();
    }

    /// How often a commit was tried again because another was in the way.
    pub fn retried(&self) -> u64 {
        self.retried.load(Ordering::Relaxed)
    }

    /// Ends what takes too long; its connection is cut.
    pub(crate) async fn within<T, E: From<StoreError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        tokio::time::timeout(self.patience, work).await.unwrap_or_else(|_| Err(silent().into()))
    }

    pub(crate) async fn hold(&self) -> Result<Held, StoreError> {
        Ok(Held::new(hold(&self.pool).await?))
    }

    /// The connection of the rounds.
    pub(crate) async fn hold_for_rounds(&self) -> Result<Held, StoreError> {
        Ok(Held::new(hold(&self.rounds).await?))
    }

    /// What makes a round due.
    pub(crate) fn due(&self) -> Due {
        Due::new(Arc::clone(&self.committed), self.own.clone(), self.config.clone(), self.way.clone())
    }

    /// A moment of the store; nothing in it changes until it is let go.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let held = self.hold().await?;
        held.send("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await;
        Ok(Snapshot { held, tenant: Arc::clone(&self.tenant) })
    }

    /// Learns a head of the store, and wakes who waits for what it tells.
    pub(crate) fn learn(&self, head: &Head) {
        self.time.fetch_max(head.time, Ordering::Relaxed);
        self.numbered.send_if_modified(|number| {
            let grown = head.number > *number;
            *number = head.number.max(*number);
            grown
        });
    }

    pub(crate) fn waking(&self) -> Box<dyn Waking> {
        let mut numbered = self.numbered.subscribe();
        numbered.mark_unchanged();
        Box::new(Follower(numbered))
    }
}

fn silent() -> StoreError {
    StoreError::Unavailable("it did not answer in time".to_owned())
}

fn connect(config: &Config, way: &Way, connections: usize, patience: Duration) -> Result<Pool, StoreError> {
    let for_a_connection = patience / 2;
    let config = within(config, patience);
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = match way {
        Way::Plain => Manager::from_config(config, NoTls, recycling),
        Way::Tls(authorities) => Manager::from_config(config, MakeRustlsConnect::new(tls(authorities)?), recycling),
    };
    let timeouts =
        Timeouts { wait: Some(for_a_connection), create: Some(for_a_connection), recycle: Some(for_a_connection) };
    let pool = Pool::builder(manager).max_size(connections).timeouts(timeouts).runtime(Runtime::Tokio1).build();
    pool.map_err(|error| StoreError::Unavailable(error.to_string()))
}

/// A connection that answers within this time or is given up.
fn within(config: &Config, patience: Duration) -> Config {
    let mut config = config.clone();
    config
        .options(session(patience))
        .connect_timeout(patience / 2)
        .tcp_user_timeout(patience)
        .keepalives_idle(Duration::from_secs(10))
        .keepalives_interval(Duration::from_secs(5));
    config
}

/// The server gives up before we do: a statement, a lock, a transaction left open.
fn session(patience: Duration) -> String {
    let patience = patience.as_millis();
    let (statement, lock, idle) = (patience * 4 / 5, patience * 3 / 5, patience * 2);
    format!(
        "{SESSION} -c statement_timeout={statement} -c lock_timeout={lock} \
         -c idle_in_transaction_session_timeout={idle}"
    )
}

pub(crate) fn tls(authorities: &[Vec<u8>]) -> Result<ClientConfig, StoreError> {
    let bad = |error: rustls::Error| StoreError::Unavailable(format!("TLS to it cannot be set up: {error}"));
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority.clone().into()).map_err(bad)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(bad)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

async fn hold(pool: &Pool) -> Result<deadpool_postgres::Object, StoreError> {
    pool.get().await.map_err(|error| match error {
        PoolError::Backend(error) => store_error(&error),
        PoolError::Timeout(_) => StoreError::Unavailable("no connection to it was free in time".to_owned()),
        PoolError::Closed => StoreError::Unavailable("it is shut down".to_owned()),
        PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
            StoreError::Unavailable("no connection to it can be made".to_owned())
        }
    })
}

impl core::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PostgresStore").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

struct Follower(watch::Receiver<u64>);

impl Waking for Follower {
    fn woken(&mut self) -> core::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            if self.0.changed().await.is_err() {
                // The store is gone: nothing will be numbered any more.
                core::future::pending::<()>().await;
            }
        })
    }
}
