//! `crash [ROUNDS] [--store sqlite|postgres] [--seed N] [--moments]`: the server killed without
//! warning, again and again: under load, or in the midst of what runs seldom.
//!
//! Owns: building and installing what the run needs, and how long it is in the check.
//! Does not own: what is done and what must hold; that is `crash/main.mjs`.

use crate::check::Outcome;
use crate::tools;
use crate::workshop::{Failure, Workshop, succeed};

/// Kills in the check, with the embedded store and with PostgreSQL.
const ROUNDS: &str = "100";
const ROUNDS_WITH_POSTGRES: &str = "20";
/// Kills in the midst of each: a migration, forgetting, a backup, a restore.
const AIMED: &str = "4";
const AIMED_WITH_POSTGRES: &str = "2";

pub(crate) fn run(shop: &Workshop, arguments: &[String]) -> Result<(), Failure> {
    tools::install_for_crash(shop)?;
    harness(shop, arguments)
}

pub(crate) fn check(shop: &Workshop) -> Result<Outcome, Failure> {
    // First that a lost row, a missing event or a second use would be noticed at all.
    run(shop, &["--spoilt".to_owned()])?;
    harness(shop, &[ROUNDS.to_owned()])?;
    harness(shop, &[ROUNDS_WITH_POSTGRES, "--store", "postgres"].map(str::to_owned))?;
    harness(shop, &[AIMED, "--moments"].map(str::to_owned))?;
    harness(shop, &[AIMED_WITH_POSTGRES, "--moments", "--store", "postgres"].map(str::to_owned))?;
    Ok(Outcome::Passed(format!(
        "{ROUNDS} kills, {ROUNDS_WITH_POSTGRES} with PostgreSQL, and some in the midst of what runs seldom: nothing lost"
    )))
}

fn harness(shop: &Workshop, arguments: &[String]) -> Result<(), Failure> {
    let mut command = tools::with_node(shop, "node", "crash/main.mjs")?;
    command.args(arguments);
    command.env("KEYFOB_BIN", shop.keyfob()?).env("KEYFOB_TARGET", &shop.target);
    succeed(&mut command)
}
