//! Log lines on standard error.

use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

use crate::config::{Level, Log, LogFormat};

/// Our own crates, which keep secrets out of what they say.
const OURS: [&str; 9] =
    ["server", "keyfob", "app", "web", "authority", "store", "store_sqlite", "oauth", "keyfob_device"];

/// Starts the log of this process. A second call changes nothing.
pub fn start(config: &Log) {
    // Refused only where a log was started before: that one stays.
    let _ = tracing::subscriber::set_global_default(subscriber(config, std::io::stderr));
}

/// What writes lines; apart from where they go, so that a test can look at them.
pub(super) fn subscriber<W>(config: &Log, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_target(false).with_writer(writer);
    let filtered = tracing_subscriber::registry().with(filter(config.level));
    match config.format {
        LogFormat::Json => Box::new(filtered.with(lines.json().flatten_event(true).with_span_list(false))),
        LogFormat::Text => Box::new(filtered.with(lines.with_ansi(false))),
    }
}

/// By target alone: decided once per place in the code, not once per span and poll.
fn filter(level: Level) -> Targets {
    let (ours, others) = match level {
        Level::Error => (LevelFilter::ERROR, LevelFilter::ERROR),
        Level::Warn => (LevelFilter::WARN, LevelFilter::WARN),
        Level::Info => (LevelFilter::INFO, LevelFilter::WARN),
        Level::Debug => (LevelFilter::DEBUG, LevelFilter::WARN),
        Level::Trace => (LevelFilter::TRACE, LevelFilter::WARN),
    };
    Targets::new().with_default(others).with_targets(OURS.map(|name| (name, ours)))
}
