//! `bench timing`: whether two kinds of refusal take the same time.
//!
//! Owns: building and installing what the run needs.
//! Does not own: what is measured and its bounds; that is `bench/timing.mjs`.

use crate::tools;
use crate::workshop::{Failure, Workshop, answer, succeed};

pub(super) const MEASURES: &str = "unknown person, client or device against a wrong password, secret or key";

pub(super) fn run(shop: &Workshop, json: bool) -> Result<(), Failure> {
    tools::install_for_bench(shop)?;
    let mut build = shop.cargo("build --release --locked --package server");
    let mut measure = tools::with_node(shop, "node", "bench/timing.mjs")?;
    measure.env("KEYFOB_BIN", shop.target.join("release").join("keyfob")).env("KEYFOB_TARGET", &shop.target);
    if json {
        // Nothing but rows on standard output.
        answer(&mut build)?;
        print!("{}", answer(measure.arg("--json"))?);
        return Ok(());
    }
    succeed(&mut build)?;
    succeed(&mut measure)
}
