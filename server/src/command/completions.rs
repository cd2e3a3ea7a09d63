//! `keyfob completions`: what a shell needs to complete a line, from the definitions of the commands.

use std::io::Write;

use clap::Args;
use clap_complete::{Shell, generate};

use super::{Exit, Failure, Frame, definitions};

/// Which shell.
#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// bash, elvish, fish, powershell or zsh
    #[arg(hide_possible_values = true)]
    shell: Shell,
}

pub(super) fn run(_: &Frame, wanted: &Wanted) -> Result<(), Failure> {
    std::io::stdout()
        .lock()
        .write_all(&script(wanted.shell))
        .map_err(|error| Failure::new(Exit::Failed, format!("cannot write the completions: {error}")))
}

fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    generate(shell, &mut definitions(), "keyfob", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_is_told_every_command() {
        for shell in [Shell::Bash, Shell::Elvish, Shell::Fish, Shell::PowerShell, Shell::Zsh] {
            let script = String::from_utf8(script(shell)).unwrap();
            for command in definitions().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
        }
    }
}
