//! Benchmarks of the whole server: tokens beside oidc-provider, the registry as it grows.
//!
//! Owns: building and installing what a run needs, starting it, keeping its figures.
//! Does not own: what is measured and against what; that is `bench/<name>.mjs`.

use crate::bench::picture;
use crate::tools;
use crate::workshop::{Failure, Workshop, answer, read, succeed};

/// A run of `bench/<name>.mjs`.
pub(super) struct Run {
    pub(super) name: &'static str,
    pub(super) measures: &'static str,
    /// Whether its rows are figures with targets, for the documents.
    kept: bool,
}

pub(super) const RUNS: &[Run] = &[
    Run { name: "token", measures: "tokens, introspection and asset-token exchange, beside oidc-provider", kept: true },
    Run { name: "registry", measures: "import, look-ups, growth, size, start and memory; --devices N", kept: true },
    Run { name: "nodes", measures: "what is revoked at one of two nodes, until the other knows", kept: false },
    Run {
        name: "timing",
        measures: "unknown person, client or device against a wrong password, secret or key",
        kept: false,
    },
];

/// The figures that stand in the documents, and their picture.
const FIGURES: &str = "docs/benchmarks.jsonl";
const PICTURE: &str = "docs/benchmarks.svg";

/// What is measured is what is handed out (`packaging/Containerfile`).
const PROFILE: &str = "dist";

pub(super) fn run(shop: &Workshop, run: &Run, words: &[String], json: bool) -> Result<(), Failure> {
    if json {
        // Nothing but rows on standard output.
        print!("{}", rows(shop, run, words)?);
        return Ok(());
    }
    prepare(shop, succeed)?;
    succeed(measure(shop, run)?.args(words))
}

/// All runs, kept for the documents with a picture of them.
pub(super) fn figures(shop: &Workshop, words: &[String]) -> Result<(), Failure> {
    let texts = RUNS.iter().filter(|run| run.kept).map(|run| rows(shop, run, words)).collect::<Result<Vec<_>, _>>()?;
    let text = texts.concat();
    write(shop, FIGURES, &text)?;
    picture(shop)?;
    println!("{FIGURES} and {PICTURE} are new; the table in docs/benchmarks.md is for you to write");
    Ok(())
}

/// Draws what is kept.
pub(super) fn picture(shop: &Workshop) -> Result<(), Failure> {
    let text = read(&shop.root.join(FIGURES))?;
    write(shop, PICTURE, &picture::draw(&text)?)
}

fn write(shop: &Workshop, name: &str, text: &str) -> Result<(), Failure> {
    std::fs::write(shop.root.join(name), text).map_err(|e| Failure::new(format!("writing {name}: {e}")))
}

fn rows(shop: &Workshop, run: &Run, words: &[String]) -> Result<String, Failure> {
    prepare(shop, |command| answer(command).map(drop))?;
    answer(measure(shop, run)?.args(words).arg("--json"))
}

fn prepare(shop: &Workshop, build: impl Fn(&mut std::process::Command) -> Result<(), Failure>) -> Result<(), Failure> {
    tools::install_for_bench(shop)?;
    build(&mut shop.cargo(&format!("build --profile {PROFILE} --locked --package server")))
}

fn measure(shop: &Workshop, run: &Run) -> Result<std::process::Command, Failure> {
    let mut command = tools::with_node(shop, "node", &format!("bench/{}.mjs", run.name))?;
    command.env("KEYFOB_BIN", shop.target.join(PROFILE).join("keyfob")).env("KEYFOB_TARGET", &shop.target);
    Ok(command)
}
