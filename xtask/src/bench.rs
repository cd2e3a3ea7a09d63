//! `bench <name> [--json]`: one benchmark, this server and its peers in one run.
//!
//! Owns: the list of benchmarks.
//! Does not own: what one measures; each has its own file beside this one.

use crate::workshop::Failure;

/// A benchmark: what it is called, what it measures, and how to run it.
struct Bench {
    name: &'static str,
    measures: &'static str,
    run: fn(json: bool) -> Result<(), Failure>,
}

const BENCHES: &[Bench] = &[];

pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let json = arguments.iter().any(|word| word == "--json");
    let names: Vec<&String> = arguments.iter().filter(|word| *word != "--json").collect();
    let [name] = names.as_slice() else {
        return Err(Failure::new(format!("bench takes one name; {}", known())));
    };
    match BENCHES.iter().find(|bench| bench.name == name.as_str()) {
        Some(bench) => (bench.run)(json),
        None => Err(Failure::new(format!("no benchmark `{name}`; {}", known()))),
    }
}

fn known() -> String {
    if BENCHES.is_empty() {
        return "there is none yet".to_owned();
    }
    BENCHES
        .iter()
        .fold("there are:".to_owned(), |text, bench| format!("{text}\n  {:<12} {}", bench.name, bench.measures))
}
