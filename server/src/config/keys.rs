//! `[keys]`: how long what tokens are signed with is used.

use std::time::Duration;

use super::reader::Section;

/// How long keys are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// A signing key signs so long before its successor does.
    pub rotate: Duration,
}

impl Keys {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let days = section.number(
            "rotate_days",
            90,
            1..=3_650,
            "A signing key signs for so many days. Its successor is made and published in time by itself,\n\
             and what the old one signed goes on to verify.",
        );
        Self { rotate: Duration::from_secs(u64::from(days) * 86_400) }
    }
}
