//! The environment, read once and here alone. Of the configuration it may name
//! the file and the data folder, nothing else: a setting has one place.

use std::ffi::OsString;
use std::path::PathBuf;

/// What the environment says.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `KEYFOB_CONFIG`: the configuration file.
    pub config: Option<PathBuf>,
    /// `KEYFOB_DATA`: the data folder, before the file's.
    pub data: Option<PathBuf>,
    /// `NO_COLOR` is set to something: no colour.
    pub no_color: bool,
    /// The locale speaks UTF-8 (`LC_ALL`, else `LC_CTYPE`, else `LANG`).
    pub utf8: bool,
}

impl Environment {
    /// Reads the variables of this process.
    pub fn read() -> Self {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable);
        let locale = locale.map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        Self {
            config: variable("KEYFOB_CONFIG").map(PathBuf::from),
            data: variable("KEYFOB_DATA").map(PathBuf::from),
            no_color: variable("NO_COLOR").is_some(),
            utf8: locale.ends_with("utf-8") || locale.ends_with("utf8"),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place where the environment is read")]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
