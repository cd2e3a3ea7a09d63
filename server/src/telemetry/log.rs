//! Log lines on standard error.

use std::error::Error;
use std::fmt;

use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing_subscriber::field::{RecordFields, VisitOutput};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{DefaultVisitor, Writer};
use tracing_subscriber::fmt::{FormatFields, MakeWriter};
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
        LogFormat::Text => Box::new(filtered.with(lines.with_ansi(false).fmt_fields(PlainFields))),
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

/// Fields as the library writes them, plain text without its way over `Debug`: nearly all is
/// plain, and there is a line for every request. No value begins a line of its own or speaks to
/// a terminal, whoever chose it.
struct PlainFields;

impl<'w> FormatFields<'w> for PlainFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = Line { writer, is_empty: true, result: Ok(()) };
        fields.record(&mut line);
        line.result
    }
}

struct Line<'w> {
    writer: Writer<'w>,
    is_empty: bool,
    result: fmt::Result,
}

impl Line<'_> {
    fn as_the_library(&mut self, record: impl FnOnce(&mut DefaultVisitor<'_>)) {
        let mut escaping = Escaping(self.writer.by_ref());
        let mut visitor = DefaultVisitor::new(Writer::new(&mut escaping), self.is_empty);
        record(&mut visitor);
        self.result = self.result.and(visitor.finish());
        self.is_empty = false;
    }

    fn quoted(&mut self, name: &str, text: &str) -> fmt::Result {
        self.writer.write_str(if self.is_empty { "" } else { " " })?;
        [name, "=\"", text, "\""].into_iter().try_for_each(|part| self.writer.write_str(part))
    }
}

/// Writes control characters as Rust would in a string.
struct Escaping<'w>(Writer<'w>);

impl fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(char::is_control) {
            match part.char_indices().next_back() {
                Some((at, last)) if last.is_control() => {
                    self.0.write_str(part.get(..at).unwrap_or_default())?;
                    write!(self.0, "{}", last.escape_default())?;
                }
                _ => self.0.write_str(part)?,
            }
        }
        Ok(())
    }
}

impl Visit for Line<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        let name = field.name();
        if name == "message" || name.starts_with("r#") || !value.bytes().all(is_plain) {
            return self.as_the_library(|line| line.record_str(field, value));
        }
        self.result = self.result.and_then(|()| self.quoted(name, value));
        self.is_empty = false;
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.as_the_library(|line| line.record_error(field, value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.as_the_library(|line| line.record_debug(field, value));
    }
}

/// What stands between quotes as it is.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

#[cfg(test)]
pub(super) mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing::field;

    use super::*;

    /// What was written, for a test to look at.
    #[derive(Clone, Default)]
    pub(in crate::telemetry) struct Lines(pub(in crate::telemetry) Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn told(apart: &str, with: impl FnOnce(Lines) -> Box<dyn Subscriber + Send + Sync>) -> String {
        let lines = Lines::default();
        tracing::subscriber::with_default(with(lines.clone()), || {
            let span = tracing::info_span!("request", id = "a-1", odd = "\u{1b}[31m\"x\\", route = field::Empty);
            span.record("route", "/thing/{id}");
            let broken = io::Error::other("a\tb".replace('\t', apart));
            span.in_scope(|| {
                tracing::info!(plain = "it's plain", ms = 3_u64, below = -1_i64, yes = true, "answered");
                tracing::warn!(error = &broken as &dyn Error, text = "line\nbreak \u{e9}", shown = %apart, ?broken);
                tracing::info!("{}message{apart} alone", "a ");
            });
        });
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn every_line_is_as_the_library_writes_it() {
        macro_rules! layer {
            ($lines:expr) => {
                tracing_subscriber::fmt::layer().without_time().with_ansi(false).with_writer(move || $lines.clone())
            };
        }
        let theirs = told(" ", |lines| Box::new(tracing_subscriber::registry().with(layer!(lines))));
        let ours =
            told(" ", |lines| Box::new(tracing_subscriber::registry().with(layer!(lines).fmt_fields(PlainFields))));
        assert_eq!(ours, theirs);
        assert!(ours.contains("id=\"a-1\"") && ours.contains("plain=\"it's plain\""), "{ours}");
    }

    #[test]
    fn no_value_breaks_a_line_or_speaks_to_a_terminal() {
        let text = told("\n2026 INFO forged\u{1b}[2J\u{9b}1m", |lines| {
            subscriber(&Log { level: Level::Info, format: LogFormat::Text }, move || lines.clone())
        });
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(!text.replace('\n', "").contains(char::is_control), "{text:?}");
        assert!(text.contains("shown=\\n2026 INFO forged\\u{1b}[2J"), "{text}");
    }
}
