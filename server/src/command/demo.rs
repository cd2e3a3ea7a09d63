//! `keyfob demo`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Failure, Frame, serve};
use crate::config::{Config, Level, Log, Store};
use crate::{demo, telemetry};

#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// Leave everything running, and say where it is
    #[arg(long)]
    stay: bool,
    /// Two nodes on this empty PostgreSQL database
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// A file with its password, mode 600
    #[arg(long, value_name = "FILE", requires = "database")]
    password_file: Option<PathBuf>,
}

impl Wanted {
    /// The store as a configuration would name it.
    fn store(&self) -> Result<Store, Failure> {
        let Some(url) = &self.database else { return Ok(Store::Embedded) };
        let mut section = toml::Table::new();
        section.insert("url".to_owned(), url.clone().into());
        if let Some(file) = &self.password_file {
            section.insert("password_file".to_owned(), file.display().to_string().into());
        }
        let text = toml::Table::from_iter([("store".to_owned(), section.into())]).to_string();
        let config = Config::parse(&text, Path::new(""));
        config.map(|config| config.store).map_err(|mistakes| Failure::configuration(&mistakes))
    }
}

pub(super) fn run(frame: &Frame, wanted: &Wanted) -> Result<(), Failure> {
    let log = frame.config()?.log;
    // Beside a story one wants to hear of trouble alone, unless a file says otherwise.
    let log = if frame.environment.config.is_some() { log } else { Log { level: Level::Warn, ..log } };
    let store = wanted.store()?;
    telemetry::start_log(&log);
    let runtime = serve::runtime()?;
    let ended = runtime.block_on(demo::run(frame.ui, log, store, wanted.stay));
    // A story that was interrupted may still wait for an answer; nobody waits for it.
    runtime.shutdown_background();
    ended
}
