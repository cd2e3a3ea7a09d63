//! Who may read a file.

use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt;

/// Whether anybody but the owner may read or write the file.
pub(crate) fn readable_by_others(facts: &Metadata) -> bool {
    facts.permissions().mode() & 0o077 != 0
}
