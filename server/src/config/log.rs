//! `[log]`: what is told on standard error, and how.

use super::reader::{Section, words};

/// What is told, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// The least important thing that is told.
    pub level: Level,
    /// How a line looks.
    pub format: LogFormat,
}

/// How important a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Something failed that should not.
    Error,
    /// Something is odd, the server goes on.
    Warn,
    /// One line per request.
    Info,
    /// More about our own work.
    Debug,
    /// Everything we say. Other libraries stay at `warn`: they know no secrets of ours to keep.
    Trace,
}

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For eyes.
    Text,
    /// One JSON object per line.
    Json,
}

words!(
    Level,
    "one of \"error\", \"warn\", \"info\", \"debug\", \"trace\"",
    "error" => Level::Error,
    "warn" => Level::Warn,
    "info" => Level::Info,
    "debug" => Level::Debug,
    "trace" => Level::Trace,
);
words!(LogFormat, "one of \"text\", \"json\"", "text" => LogFormat::Text, "json" => LogFormat::Json);

impl Log {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            level: section.setting("level", Level::Info, "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"."),
            format: section.setting("format", LogFormat::Text, "\"text\" for eyes, \"json\" for machines."),
        }
    }
}
