//! `[data]`: where everything is kept.

use std::path::PathBuf;

use super::reader::Section;

/// Where everything is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data {
    /// The data folder.
    pub folder: PathBuf,
}

impl Data {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let folder = section.path(
            "folder",
            "keyfob-data",
            "The folder of the store, its keys and its certificates; made with mode 700 if it is not there.\n\
             KEYFOB_DATA and --data go before it. Without any of them: keyfob-data where keyfob is started.",
        );
        Self { folder: folder.unwrap_or_else(|| PathBuf::from("keyfob-data")) }
    }
}
