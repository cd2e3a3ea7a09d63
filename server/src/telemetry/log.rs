//! Log lines on standard error.

use tracing::Subscriber;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::fmt::MakeWriter;

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
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter(config.level)).with_target(false).with_writer(writer);
    match config.format {
        LogFormat::Json => Box::new(builder.json().flatten_event(true).with_span_list(false).finish()),
        LogFormat::Text => Box::new(builder.with_ansi(false).finish()),
    }
}

fn filter(level: Level) -> EnvFilter {
    let (ours, others) = match level {
        Level::Error => (LevelFilter::ERROR, LevelFilter::ERROR),
        Level::Warn => (LevelFilter::WARN, LevelFilter::WARN),
        Level::Info => (LevelFilter::INFO, LevelFilter::WARN),
        Level::Debug => (LevelFilter::DEBUG, LevelFilter::WARN),
        Level::Trace => (LevelFilter::TRACE, LevelFilter::WARN),
    };
    let directives = OURS.iter().map(|name| format!("{name}={ours}")).collect::<Vec<_>>().join(",");
    EnvFilter::builder().parse_lossy(format!("{others},{directives}"))
}
