//! Lines out of a file that arrives in pieces.

use super::ImportFormat;
use super::csv::Csv;
use super::jsonl::Jsonl;
use crate::registry::devices::DeviceDraft;

/// The longest line, bytes.
pub(super) const MAX_LINE: usize = 64 * 1024;

/// What a line that is too long is reported with.
pub(super) const TOO_LONG: &str = "the line is over 64 KiB";

/// A line: what it says, or why it says nothing.
pub(super) struct Line {
    /// Counted from 1, the header included; of a record over several lines, the first.
    pub(super) number: u64,
    /// Its size.
    pub(super) bytes: usize,
    pub(super) content: Result<DeviceDraft, String>,
}

/// Reads one of the formats.
pub(super) enum Reader {
    Csv(Box<Csv>),
    Jsonl(Jsonl),
}

impl Reader {
    pub(super) fn new(format: ImportFormat) -> Self {
        match format {
            ImportFormat::Csv => Self::Csv(Box::default()),
            ImportFormat::Jsonl => Self::Jsonl(Jsonl::default()),
        }
    }

    pub(super) fn format(&self) -> ImportFormat {
        match self {
            Self::Csv(_) => ImportFormat::Csv,
            Self::Jsonl(_) => ImportFormat::Jsonl,
        }
    }

    /// The next whole line; `None` once the bytes are used up. An error means
    /// that the file is none of ours.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Line>, String> {
        match self {
            Self::Csv(csv) => csv.next(bytes),
            Self::Jsonl(jsonl) => Ok(jsonl.next(bytes)),
        }
    }

    /// What is left when the file has ended.
    pub(super) fn end(&mut self) -> Result<Option<Line>, String> {
        match self {
            Self::Csv(csv) => csv.end(),
            Self::Jsonl(jsonl) => Ok(jsonl.end()),
        }
    }
}
