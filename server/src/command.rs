//! The command line: what may be typed, and the frame every command stands in.
//!
//! Owns: flags that hold everywhere, exit codes, how success and failure look. Each
//! group of commands has a file; it is given a [`Frame`] and returns a [`Failure`] or nothing.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, Environment};
use crate::data::DataFolder;

mod admin;
mod backup;
mod ca;
mod clients;
mod completions;
mod config;
mod demo;
mod device;
mod devices;
mod events;
mod exit;
mod fleet;
mod keys;
mod local;
mod manual;
mod products;
mod restore;
mod serve;
mod ui;
mod users;
mod version;

pub use admin::{Admin, AdminError};
pub use exit::{Exit, Failure};
pub use ui::{Progress, Ui};

/// Identity for the Internet of Things: devices, people, and who may do what.
#[derive(Debug, Parser)]
#[command(name = "keyfob", version, after_help = exit::HELP, arg_required_else_help = true)]
struct CommandLine {
    #[command(flatten)]
    everywhere: Everywhere,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Everywhere {
    /// Results as JSON, one object per line
    #[arg(long, global = true)]
    json: bool,
    /// The configuration file (or KEYFOB_CONFIG)
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder (or KEYFOB_DATA)
    #[arg(long, global = true, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve,
    /// Live the life of a smart speaker, from the factory to its end
    Demo(demo::Wanted),
    /// Check the configuration, or show one with every setting
    #[command(subcommand)]
    Config(config::Action),
    /// Import, show, stop and end devices
    #[command(subcommand)]
    Devices(devices::Action),
    /// Make models of devices known
    #[command(subcommand)]
    Products(products::Action),
    /// Register clients
    #[command(subcommand)]
    Clients(clients::Action),
    /// Make accounts for people, and give roles to staff
    #[command(subcommand)]
    Users(users::Action),
    /// Show and rotate the keys that tokens are signed with
    #[command(subcommand)]
    Keys(keys::Action),
    /// Write everything but the master key into one file
    Backup(backup::Wanted),
    /// Fill an empty data folder from a backup and the journals
    Restore(restore::Wanted),
    /// Follow the log of events
    #[command(subcommand)]
    Events(events::Action),
    /// Make a factory's certificate authorities and certificates
    #[command(subcommand)]
    Ca(ca::Action),
    /// Act as one device: call home, pair, exchange, prove
    #[command(subcommand)]
    Device(device::Action),
    /// Rehearse a fleet: many devices with real keys over real TLS
    Fleet(fleet::Wanted),
    /// Print what a shell needs to complete commands and flags
    Completions(completions::Wanted),
    /// Write the manual pages of every command into a folder
    Manual(manual::Wanted),
    /// Show the version
    Version,
}

/// The whole command line, as manual pages and completions describe it.
fn definitions() -> clap::Command {
    use clap::CommandFactory as _;
    CommandLine::command()
}

/// What every command is given.
#[derive(Debug)]
pub struct Frame {
    /// Where results and progress go.
    pub ui: Ui,
    /// The environment, with the flags laid over it.
    pub environment: Environment,
}

impl Frame {
    /// Loads the configuration.
    ///
    /// # Errors
    /// [`Exit::Configuration`] with every mistake.
    pub fn config(&self) -> Result<Config, Failure> {
        Config::load(&self.environment).map_err(|mistakes| Failure::configuration(&mistakes))
    }

    /// Opens the data folder of a configuration, or makes it.
    ///
    /// # Errors
    /// [`Exit::Store`].
    pub fn data(&self, config: &Config) -> Result<DataFolder, Failure> {
        DataFolder::open(&config.data.folder).map_err(|error| Failure::new(Exit::Store, error))
    }
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let environment = Environment::read();
    let CommandLine { everywhere, command } = match CommandLine::try_parse() {
        Ok(line) => line,
        Err(error) => {
            // Help and version are no failures, though clap hands them out as such.
            let code = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            let _ = error.print();
            return code.into();
        }
    };
    let ui = Ui::new(everywhere.json, &environment);
    let environment = Environment {
        config: everywhere.config.or(environment.config),
        data: everywhere.data.or(environment.data),
        ..environment
    };
    let frame = Frame { ui, environment };
    let ended = match command {
        Command::Serve => serve::run(&frame),
        Command::Demo(wanted) => demo::run(&frame, &wanted),
        Command::Config(action) => config::run(&frame, &action),
        Command::Devices(action) => devices::run(&frame, &action),
        Command::Products(action) => products::run(&frame, &action),
        Command::Clients(action) => clients::run(&frame, &action),
        Command::Users(action) => users::run(&frame, &action),
        Command::Keys(action) => keys::run(&frame, &action),
        Command::Backup(wanted) => backup::run(&frame, &wanted),
        Command::Restore(wanted) => restore::run(&frame, &wanted),
        Command::Events(action) => events::run(&frame, &action),
        Command::Ca(action) => ca::run(&frame, &action),
        Command::Device(action) => device::run(&frame, &action),
        Command::Fleet(wanted) => fleet::run(&frame, &wanted),
        Command::Completions(wanted) => completions::run(&frame, &wanted),
        Command::Manual(wanted) => manual::run(&frame, &wanted),
        Command::Version => version::run(&frame),
    };
    match ended {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            frame.ui.failure(&failure);
            failure.exit.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_hold_together() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn the_help_of_every_command_fits_eighty_columns() {
        fn look(command: &mut clap::Command) {
            let help = command.render_help().to_string();
            let long: Vec<_> = help.lines().filter(|line| line.chars().count() > 80).collect();
            assert!(long.is_empty(), "{long:#?}");
            command.get_subcommands_mut().for_each(look);
        }
        let mut command = CommandLine::command();
        command.build();
        look(&mut command);
    }

    /// The words of a line as a shell divides them: quotes hold together, `#` begins a comment.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
        for sign in line.chars() {
            match (quote, sign) {
                (Some(open), _) if sign == open => quote = None,
                (Some(_), _) => word.get_or_insert_default().push(sign),
                (None, '"' | '\'') => {
                    quote = Some(sign);
                    word.get_or_insert_default();
                }
                (None, '#' | '>' | '|') if word.is_none() => break,
                (None, ' ') => words.extend(word.take()),
                (None, _) => word.get_or_insert_default().push(sign),
            }
        }
        words.extend(word);
        words
    }

    #[test]
    fn every_command_in_the_guide_is_one_that_can_be_typed() {
        let guide = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide");
        let mut seen = 0;
        for page in std::fs::read_dir(guide).unwrap() {
            let page = page.unwrap().path();
            if page.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            let text = std::fs::read_to_string(&page).unwrap().replace("\\\n", " ");
            for line in text.lines().filter(|line| line.starts_with("keyfob ")) {
                let parsed = CommandLine::try_parse_from(words(line));
                let wrong = parsed.err().filter(clap::Error::use_stderr);
                assert!(wrong.is_none(), "{}: {line}\n{}", page.display(), wrong.unwrap());
                seen += 1;
            }
        }
        assert!(seen > 10, "only {seen} commands were found");
    }
}
