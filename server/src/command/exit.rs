//! How a command ends.

use std::fmt::Display;
use std::process::ExitCode;

use crate::config::Mistakes;

/// The exit codes, as the help tells them.
pub(super) const HELP: &str = "\
Exit codes:
  0  done
  1  a step failed; the message names the cause
  2  the command line is wrong
  3  the configuration is wrong; every mistake is listed
  4  the data folder or store cannot be used
  5  a server or file could not be reached";

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// A step failed.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The configuration is wrong.
    Configuration = 3,
    /// The data folder or store cannot be used.
    Store = 4,
    /// A server or file could not be reached.
    Unreachable = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command failed, in words for whoever typed it; they say what to type next where
/// typing helps. Never a secret.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// The cause, one line each.
    pub causes: Vec<String>,
    /// What to type next.
    pub next: Option<String>,
}

impl Failure {
    /// A failure with one cause.
    pub fn new(exit: Exit, cause: impl Display) -> Self {
        Self { exit, causes: vec![cause.to_string()], next: None }
    }

    /// Every mistake of a configuration.
    pub fn configuration(mistakes: &Mistakes) -> Self {
        let causes = mistakes.0.iter().map(ToString::to_string).collect();
        Self { exit: Exit::Configuration, causes, next: Some("keyfob config example".to_owned()) }
    }

    /// The same failure, with what to type next.
    #[must_use]
    pub fn then_type(self, next: impl Into<String>) -> Self {
        Self { next: Some(next.into()), ..self }
    }
}
