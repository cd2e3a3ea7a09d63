//! `keyfob fleet`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{Failure, Frame, serve};
use crate::config::{Level, Log};
use crate::fleet::{self, Place, Scenario};
use crate::telemetry;

/// What a fleet lives through, and where.
#[derive(Debug, Args)]
#[command(
    override_usage = "keyfob fleet SCENARIO --rehearse [OPTIONS]\n       keyfob fleet SCENARIO --server URL --roots FILE --made FOLDER"
)]
pub(super) struct Wanted {
    /// day-one, reconnect-storm or mass-renewal
    #[arg(value_enum, hide_possible_values = true)]
    scenario: Word,
    /// Against a server of its own, whose clock is moved
    #[arg(long, conflicts_with_all = ["server", "roots", "made"], required_unless_present = "server")]
    rehearse: bool,
    /// Where devices call, such as https://localhost:8444
    #[arg(long, value_name = "URL", requires_all = ["roots", "made"])]
    server: Option<String>,
    /// The roots to trust that server by (PEM)
    #[arg(long, value_name = "FILE")]
    roots: Option<PathBuf>,
    /// The devices, as `keyfob ca device` made them
    #[arg(long, value_name = "FOLDER")]
    made: Option<PathBuf>,
    /// The server may be another machine than this one
    #[arg(long, requires = "server")]
    beyond_this_machine: bool,
    /// How many devices
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    devices: u32,
    /// End each part after so many seconds
    #[arg(long, value_name = "TIME", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    duration: u64,
    /// Begin so many in a second, not all at once
    #[arg(long, value_name = "DEVICES", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    /// Connections open at once
    #[arg(long, value_name = "COUNT", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    connections: u32,
    /// Resume no TLS session
    #[arg(long)]
    full_handshakes: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Word {
    /// Import, first call home, registration with an owner
    DayOne,
    /// All connect at once after an outage
    ReconnectStorm,
    /// All asset tokens are renewed in their time
    MassRenewal,
}

pub(super) fn run(frame: &Frame, wanted: &Wanted) -> Result<(), Failure> {
    let log = frame.config()?.log;
    // Beside live figures one wants to hear of trouble alone, unless a file says otherwise.
    let log = if frame.environment.config.is_some() { log } else { Log { level: Level::Warn, ..log } };
    telemetry::start_log(&log);
    let runtime = serve::runtime()?;
    let ended = runtime.block_on(fleet::run(frame.ui, log, wanted.asked()));
    runtime.shutdown_background();
    ended
}

impl Wanted {
    fn asked(&self) -> fleet::Wanted {
        let place = match (&self.server, &self.roots, &self.made) {
            (Some(devices), Some(roots), Some(made)) => Place::Server {
                devices: devices.clone(),
                roots: roots.clone(),
                made: made.clone(),
                beyond: self.beyond_this_machine,
            },
            _ => Place::Rehearsal,
        };
        fleet::Wanted {
            scenario: match self.scenario {
                Word::DayOne => Scenario::DayOne,
                Word::ReconnectStorm => Scenario::ReconnectStorm,
                Word::MassRenewal => Scenario::MassRenewal,
            },
            devices: self.devices,
            duration: Duration::from_secs(self.duration),
            rate: self.rate,
            connections: usize::try_from(self.connections).unwrap_or(usize::MAX),
            resumes: !self.full_handshakes,
            place,
        }
    }
}
