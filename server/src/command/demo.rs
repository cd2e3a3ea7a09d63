//! `keyfob demo`.

use clap::Args;

use super::{Failure, Frame, serve};
use crate::config::{Level, Log};
use crate::{demo, telemetry};

#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// Leave everything running, and say where it is
    #[arg(long)]
    stay: bool,
}

pub(super) fn run(frame: &Frame, wanted: &Wanted) -> Result<(), Failure> {
    let log = frame.config()?.log;
    // Beside a story one wants to hear of trouble alone, unless a file says otherwise.
    let log = if frame.environment.config.is_some() { log } else { Log { level: Level::Warn, ..log } };
    telemetry::start_log(&log);
    let runtime = serve::runtime()?;
    let ended = runtime.block_on(demo::run(frame.ui, log, wanted.stay));
    // A story that was interrupted may still wait for an answer; nobody waits for it.
    runtime.shutdown_background();
    ended
}
