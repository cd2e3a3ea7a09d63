//! `check`: the steps every change must pass, each timed, all of them reported.
//!
//! Owns: which steps there are, their order, the closing table.
//! Does not own: how a longer step works; each has its own file.

use std::time::{Duration, Instant};

use crate::workshop::{Failure, Workshop, package_of, succeed, watch};
use crate::{alone, crash, interop, packaging, portable, spec_map, tls, tools};

/// How a step ended when it did not fail.
pub(crate) enum Outcome {
    /// It holds; the note is shown in the closing table.
    Passed(String),
    /// There was nothing to do yet, with the cause.
    Skipped(String),
}

struct Step {
    name: &'static str,
    /// A step without which this one would only repeat the same failure.
    needs: Option<&'static str>,
    run: fn(&Workshop) -> Result<Outcome, Failure>,
}

/// Cheap ones first, so that a slip of the pen is known at once.
const STEPS: &[Step] = &[
    Step { name: "alone", needs: None, run: alone::check },
    Step { name: "spec-map", needs: None, run: spec_map::check },
    Step { name: "fmt", needs: None, run: fmt },
    Step { name: "tools", needs: None, run: tools::check },
    Step { name: "deny", needs: None, run: deny },
    Step { name: "layers", needs: None, run: layers },
    Step { name: "clippy", needs: None, run: clippy },
    Step { name: "core", needs: None, run: portable::core },
    Step { name: "portable", needs: None, run: portable::check },
    Step { name: "doc", needs: None, run: doc },
    Step { name: "build", needs: None, run: build },
    Step { name: "packaging", needs: Some("build"), run: packaging::check },
    Step { name: "test", needs: Some("build"), run: run_tests },
    Step { name: "tls", needs: Some("build"), run: tls::check },
    Step { name: "interop", needs: Some("build"), run: interop::check },
    Step { name: "crash", needs: Some("build"), run: crash::check },
    Step { name: "browser", needs: Some("build"), run: interop::check_browser },
];

pub(crate) fn step_names() -> Vec<&'static str> {
    STEPS.iter().map(|step| step.name).collect()
}

/// Runs the named steps, or all of them.
pub(crate) fn run(shop: &Workshop, wanted: &[String]) -> Result<(), Failure> {
    if let Some(unknown) = wanted.iter().find(|name| !step_names().contains(&name.as_str())) {
        return Err(Failure::new(format!("no step `{unknown}`; there are: {}", step_names().join(" "))));
    }
    let started = Instant::now();
    let mut rows: Vec<Row> = Vec::new();
    for step in STEPS {
        if !wanted.is_empty() && !wanted.iter().any(|name| name == step.name) {
            continue;
        }
        println!("\n== {}", step.name);
        let began = Instant::now();
        let broken = rows.iter().find(|row| step.needs == Some(row.name) && row.outcome.is_err());
        let outcome = match broken {
            Some(row) => Ok(Outcome::Skipped(format!("{} failed", row.name))),
            None => (step.run)(shop),
        };
        if let Err(failure) = &outcome {
            println!("{failure}");
        }
        rows.push(Row { name: step.name, time: began.elapsed(), outcome });
    }
    close(&rows, started.elapsed())
}

/// What became of a step.
struct Row {
    name: &'static str,
    time: Duration,
    outcome: Result<Outcome, Failure>,
}

impl Row {
    fn result(&self) -> String {
        match &self.outcome {
            Ok(Outcome::Passed(note)) if note.is_empty() => "ok".to_owned(),
            Ok(Outcome::Passed(note)) => format!("ok       {note}"),
            Ok(Outcome::Skipped(cause)) => format!("left out {cause}"),
            // The whole text stands with the step's own output above.
            Err(failure) => format!("FAILED   {}", failure.to_string().lines().next().unwrap_or_default()),
        }
    }
}

/// Says where the time went and what failed.
fn close(rows: &[Row], total: Duration) -> Result<(), Failure> {
    println!("\n{:<10} {:>8}  result", "step", "time");
    for row in rows {
        println!("{:<10} {:>8}  {}", row.name, minutes(row.time), row.result());
    }
    println!("{:<10} {:>8}", "all", minutes(total));
    let failed: Vec<&str> = rows.iter().filter(|row| row.outcome.is_err()).map(|row| row.name).collect();
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} of {} steps failed; again with: cargo xtask check {}",
        failed.len(),
        rows.len(),
        failed.join(" ")
    )))
}

fn minutes(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    let whole = time.as_secs();
    format!("{}:{:02} m", whole / 60, whole % 60)
}

fn fmt(shop: &Workshop) -> Result<Outcome, Failure> {
    succeed(&mut shop.cargo("fmt --all --check"))?;
    // No member of the workspace.
    let bare = format!("{}/src/lib.rs", portable::BARE);
    succeed(shop.command("rustfmt", "--check --edition 2024").arg(bare)).map(passed)
}

fn clippy(shop: &Workshop) -> Result<Outcome, Failure> {
    // With the driver the programs of the fuzz targets are checked too; nothing is linked here.
    let words = "clippy --workspace --all-targets --features keyfob-fuzz/driver --locked --keep-going -- -D warnings";
    succeed(&mut shop.cargo(words)).map(passed)
}

fn deny(shop: &Workshop) -> Result<Outcome, Failure> {
    // Duplicates are no reason to fail; `cargo deny check bans` lists them.
    cargo_deny(shop, "check -A duplicate bans licenses sources")?;
    if !tools::has_advisories() {
        let note = "advisories left out: no database on this machine";
        return Ok(Outcome::Passed(note.to_owned()));
    }
    cargo_deny(shop, "check --disable-fetch advisories").map(passed)
}

fn layers(shop: &Workshop) -> Result<Outcome, Failure> {
    cargo_deny(shop, "--config layers.toml check -A unused-wrapper bans").map(passed)
}

fn cargo_deny(shop: &Workshop, words: &str) -> Result<(), Failure> {
    let program = tools::cargo_deny(shop)?;
    let mut command = shop.command(&program, "--all-features --locked");
    succeed(command.args(words.split_whitespace()))
}

fn doc(shop: &Workshop) -> Result<Outcome, Failure> {
    succeed(shop.cargo("doc --workspace --no-deps --locked").env("RUSTDOCFLAGS", "-D warnings")).map(passed)
}

fn build(shop: &Workshop) -> Result<Outcome, Failure> {
    succeed(&mut shop.cargo("test --workspace --locked --no-run --no-fail-fast")).map(passed)
}

fn run_tests(shop: &Workshop) -> Result<Outcome, Failure> {
    let mut count = Count::default();
    let ended = watch(&mut shop.cargo("test --workspace --locked --no-fail-fast"), |line| count.read(line));
    println!("{}", count.spelled());
    ended?;
    if count.passed == 0 {
        return Err(Failure::new("not one test ran"));
    }
    Ok(Outcome::Passed(count.spelled()))
}

/// `test [crate] [filter...]`: by folder name or package name.
pub(crate) fn test(shop: &Workshop, arguments: &[String]) -> Result<(), Failure> {
    let Some((name, filter)) = arguments.split_first() else {
        return run_tests(shop).map(drop);
    };
    let mut command = shop.cargo(&format!("test --no-fail-fast -p {}", package_of(name)));
    if !filter.is_empty() {
        command.arg("--").args(filter);
    }
    succeed(&mut command)
}

/// `anchors <histories>`: the same tests, with so many histories and a deeper walk.
pub(crate) fn anchors(shop: &Workshop, arguments: &[String]) -> Result<(), Failure> {
    let [histories] = arguments else {
        return Err(Failure::new("anchors takes one number: how many histories are lived"));
    };
    let mut command = shop.cargo("test --locked --package authority --package app --test anchors -- --nocapture no_");
    succeed(command.env("KEYFOB_HISTORIES", histories))
}

fn passed((): ()) -> Outcome {
    Outcome::Passed(String::new())
}

/// The sum of the test runners' own closing lines.
#[derive(Default)]
struct Count {
    passed: usize,
    failed: usize,
    ignored: usize,
}

impl Count {
    fn read(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("test result: ") else {
            return;
        };
        let parts = rest.split(['.', ';']).map(str::trim);
        for (number, word) in parts.filter_map(|part| part.split_once(' ')) {
            let Ok(number) = number.parse::<usize>() else {
                continue;
            };
            match word {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }

    fn spelled(&self) -> String {
        format!("{} passed, {} failed, {} ignored", self.passed, self.failed, self.ignored)
    }
}

#[cfg(test)]
mod tests {
    use super::{Count, minutes};
    use std::time::Duration;

    #[test]
    fn closing_lines_of_several_runners_add_up() {
        let mut count = Count::default();
        count.read("running 3 tests");
        count.read("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s");
        count.read("test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s");
        assert_eq!(count.spelled(), "7 passed, 2 failed, 1 ignored");
    }

    #[test]
    fn time_reads_in_seconds_and_then_in_minutes() {
        assert_eq!(minutes(Duration::from_millis(1_240)), "1.2 s");
        assert_eq!(minutes(Duration::from_secs(61)), "1:01 m");
    }
}
