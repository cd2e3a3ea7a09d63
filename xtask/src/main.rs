//! `cargo xtask`: the front door of the workshop.
//!
//! Owns: what a check is, and how its tools get onto the machine.
//! Does not own: any behaviour of the product.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks to the terminal")]
#![allow(
    clippy::disallowed_methods,
    reason = "measuring steps and reading the environment is this tool's work; the bans guard the product"
)]

mod alone;
mod bench;
mod check;
mod crash;
mod fuzz;
mod interop;
mod languages;
mod packaging;
mod portable;
mod running;
mod spec_map;
mod tests_found;
mod tls;
mod tools;
mod workshop;

use std::process::ExitCode;

use workshop::{Failure, Workshop};

const USAGE: &str = "\
cargo xtask <command>

  check [step...]            everything that must hold before a change lands
  test [crate] [filter...]   the tests of one crate, or of all
  interop [name]             real clients in Node against the real binary
  fuzz <target> <seconds>    one fuzz target for a time, or all in turn, on the stable toolchain
  bench <name> [--json]      one benchmark, or `figures`: all of the whole server
  anchors <histories>        random histories of issue and revocation, many more than the tests live
  crash [rounds] [--store sqlite|postgres] [--seed N]
                             the server killed under load, again and again; nothing acknowledged is lost
  spec-map                   every test named in docs/spec exists

Steps of check, in order:
  ";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Failure> {
    let Some((command, rest)) = arguments.split_first() else {
        return Err(Failure::new(usage()));
    };
    if matches!(command.as_str(), "help" | "--help" | "-h") {
        println!("{}", usage());
        return Ok(());
    }
    let shop = Workshop::open()?;
    match command.as_str() {
        "check" => check::run(&shop, rest),
        "test" => check::test(&shop, rest),
        "interop" => interop::run(&shop, rest),
        "fuzz" => fuzz::run(&shop, rest),
        "bench" => bench::run(&shop, rest),
        "anchors" => check::anchors(&shop, rest),
        "crash" => crash::run(&shop, rest),
        "spec-map" => spec_map::run(&shop).map(|note| println!("{note}")),
        other => Err(Failure::new(format!("no command `{other}`\n\n{}", usage()))),
    }
}

fn usage() -> String {
    format!("{USAGE}{}", check::step_names().join(" "))
}
