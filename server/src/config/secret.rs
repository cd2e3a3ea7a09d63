//! Secrets of the configuration: named by file, never written in it.

use std::fs;
use std::path::Path;

use super::file;
use super::permissions::readable_by_others;

/// Most bytes a secret file may have.
const MAX_BYTES: u64 = 4096;

/// A secret text. It shows itself to nobody: no `Debug` of its content, no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Reads a file that its owner alone may read. Line ends at the end are not part of the secret.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the file, and what to type; it never holds its content.
    pub fn load(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let facts = fs::metadata(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
        if readable_by_others(&facts) {
            return Err(format!("{shown} is readable by others; type: chmod 600 {shown}"));
        }
        let text = file::text(path, MAX_BYTES).map_err(|why| format!("{why}; it should hold the secret alone"))?;
        let secret = text.trim_end_matches(['\r', '\n']);
        if secret.is_empty() { Err(format!("{shown} is empty")) } else { Ok(Self(secret.to_owned())) }
    }

    /// The text, for the one place that sends or compares it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}
