//! One run of an import of devices: what came in, what was refused and why.

use serde::{Deserialize, Serialize};

use crate::anchor::AnchorKind;
use crate::decision::{Kind, Record};
use crate::id::ImportId;

/// A line that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadLine {
    /// Its number, counted from 1, the header of a CSV included.
    pub line: u64,
    /// Why, for people.
    pub reason: String,
}

/// A run of an import. Keeps the first 1,000 bad lines; counts all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// Our id.
    pub id: ImportId,
    /// The file's name, without folders.
    pub source: String,
    /// New devices.
    pub created: u64,
    /// Devices known already and changed by their line.
    pub updated: u64,
    /// Devices known already, exactly so.
    pub unchanged: u64,
    /// Lines refused.
    pub failed: u64,
    /// Which, the first of them.
    pub bad_lines: Vec<BadLine>,
    /// When it began, seconds.
    pub started_at: i64,
    /// When it was through, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<i64>,
}

impl Record for Import {
    const KIND: Kind = Kind("import");
    const ANCHOR: Option<AnchorKind> = None;
    fn id(&self) -> &str {
        self.id.as_str()
    }
}
