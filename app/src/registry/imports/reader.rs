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
pub struct Line {
    /// Counted from 1, the header included; of a record over several lines, the first.
    pub number: u64,
    /// Its size.
    pub bytes: usize,
    /// The device as the line says, or what is wrong with it, in words.
    pub content: Result<DeviceDraft, String>,
}

/// Reads one of the formats.
pub struct Reader(Format);

enum Format {
    Csv(Box<Csv>),
    Jsonl(Jsonl),
}

impl Reader {
    /// Stands before the first byte of a file.
    pub fn new(format: ImportFormat) -> Self {
        Self(match format {
            ImportFormat::Csv => Format::Csv(Box::default()),
            ImportFormat::Jsonl => Format::Jsonl(Jsonl::default()),
        })
    }

    pub(super) fn format(&self) -> ImportFormat {
        match self.0 {
            Format::Csv(_) => ImportFormat::Csv,
            Format::Jsonl(_) => ImportFormat::Jsonl,
        }
    }

    /// The next whole line; `None` once the bytes are used up.
    ///
    /// # Errors
    /// The file is none of ours, in words.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Line>, String> {
        match &mut self.0 {
            Format::Csv(csv) => csv.next(bytes),
            Format::Jsonl(jsonl) => Ok(jsonl.next(bytes)),
        }
    }

    /// What is left when the file has ended.
    ///
    /// # Errors
    /// As [`Reader::next`].
    pub fn end(&mut self) -> Result<Option<Line>, String> {
        match &mut self.0 {
            Format::Csv(csv) => csv.end(),
            Format::Jsonl(jsonl) => Ok(jsonl.end()),
        }
    }
}
