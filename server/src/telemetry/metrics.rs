//! Numbers, in the text form of Prometheus.

use std::collections::HashMap;
use std::sync::{OnceLock, PoisonError, RwLock};
use std::time::Duration;

use metrics::{
    Counter, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

const REQUESTS: &str = "keyfob_http_requests_total";
const SECONDS: &str = "keyfob_http_request_seconds";
const CONNECTIONS: &str = "keyfob_connections_open";
const REFUSED: &str = "keyfob_connections_refused_total";
const CUT: &str = "keyfob_connections_cut_total";

const VIEW_AGE: &str = "keyfob_nodes_view_age_seconds";
const ROUND: &str = "keyfob_nodes_round_seconds";

/// Bounds of the histograms, in seconds: from a look-up in memory to the deadline.
const BOUNDS: [f64; 12] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// The numbers of this process. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Starts counting, or joins what was started before: a process counts once.
    ///
    /// # Errors
    /// A sentence, if another recorder was installed first.
    pub fn start() -> Result<Self, String> {
        static STARTED: OnceLock<Result<Metrics, String>> = OnceLock::new();
        STARTED.get_or_init(install).clone()
    }

    /// The numbers now.
    pub fn render(&self) -> String {
        self.0.run_upkeep();
        self.0.render()
    }
}

fn install() -> Result<Metrics, String> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BOUNDS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|error| error.to_string())?;
    describe_counter!(REQUESTS, "Requests answered, by listener, route, method and status.");
    describe_histogram!(SECONDS, Unit::Seconds, "Time to the head of the answer, by listener and route.");
    describe_gauge!(CONNECTIONS, "Connections open after their handshake, by listener.");
    describe_counter!(REFUSED, "Connections closed before HTTP began, by listener and cause.");
    describe_counter!("keyfob_store_commits_total", "Commits made durable by the embedded store.");
    describe_counter!("keyfob_store_groups_total", "Groups of commits that shared one fsync.");
    describe_gauge!(
        VIEW_AGE,
        Unit::Seconds,
        "Age of what this node knows of what other nodes committed; past 5 s it introspects nothing."
    );
    describe_histogram!(ROUND, Unit::Seconds, "Time of one reading of what other nodes committed.");
    describe_counter!(CUT, "Connections cut off while they were used against us, by listener and cause.");
    Ok(Metrics(handle))
}

/// An open connection, until dropped.
pub(crate) struct OpenConnection(&'static str);

/// Counts an open connection.
pub(crate) fn connection_open(listener: &'static str) -> OpenConnection {
    gauge!(CONNECTIONS, "listener" => listener).increment(1);
    OpenConnection(listener)
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        gauge!(CONNECTIONS, "listener" => self.0).decrement(1);
    }
}

/// Counts a connection that was closed before HTTP began.
pub(crate) fn connection_refused(listener: &'static str, cause: &'static str) {
    counter!(REFUSED, "listener" => listener, "cause" => cause).increment(1);
}

/// Counts a connection that was cut off in the middle of HTTP.
pub(crate) fn connection_cut(listener: &'static str, cause: &'static str) {
    counter!(CUT, "listener" => listener, "cause" => cause).increment(1);
}

/// Tells the age of what one of several nodes knows of the others, milliseconds.
pub(crate) fn view_age(age_ms: u64) {
    gauge!(VIEW_AGE).set(age_ms as f64 / 1_000.0);
}

/// Tells how long a round took.
pub(crate) fn round_took(took: Duration) {
    histogram!(ROUND).record(took.as_secs_f64());
}

/// The answers of one listener. Numbers are looked up by their names once and then kept.
pub(crate) struct Answers {
    listener: &'static str,
    routes: RwLock<HashMap<String, Vec<Counted>>>,
}

struct Counted {
    method: &'static str,
    status: u16,
    requests: Counter,
    seconds: Histogram,
}

impl Answers {
    /// For a listener; counting was started before.
    pub(crate) fn of(listener: &'static str) -> Self {
        Self { listener, routes: RwLock::default() }
    }

    pub(super) fn listener(&self) -> &'static str {
        self.listener
    }

    /// Counts an answer. Routes are as they are registered, methods and statuses few.
    pub(super) fn count(&self, route: &str, method: &'static str, status: u16, seconds: f64) {
        let fits = |counted: &&Counted| counted.method == method && counted.status == status;
        let tell = |counted: &Counted| {
            counted.requests.increment(1);
            counted.seconds.record(seconds);
        };
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(counted) = routes.get(route).and_then(|known| known.iter().find(fits)) {
            return tell(counted);
        }
        drop(routes);
        let (listener, name, word) = (self.listener, route.to_owned(), status.to_string());
        let counted = Counted {
            method,
            status,
            requests: counter!(REQUESTS, "listener" => listener, "route" => name.clone(), "method" => method, "status" => word),
            seconds: histogram!(SECONDS, "listener" => listener, "route" => name.clone()),
        };
        tell(&counted);
        self.routes.write().unwrap_or_else(PoisonError::into_inner).entry(name).or_default().push(counted);
    }
}
