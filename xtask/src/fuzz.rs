//! `fuzz <target>|all <seconds>`: a coverage-guided search for an input that breaks a parser.
//!
//! Owns: how a fuzz target is run on the stable toolchain.
//! Does not own: the targets, which live in `fuzz/fuzz_targets`.

use crate::tools;
use crate::workshop::{Failure, Workshop, succeed};

pub(crate) fn run(shop: &Workshop, arguments: &[String]) -> Result<(), Failure> {
    let targets = targets(shop);
    let [target, seconds] = arguments else {
        return Err(Failure::new(format!("fuzz takes a target, or all, and a number of seconds; {}", known(&targets))));
    };
    if target != "all" && !targets.contains(target) {
        return Err(Failure::new(format!("no fuzz target `{target}`; {}", known(&targets))));
    }
    let seconds: u32 = seconds.parse().map_err(|_| Failure::new(format!("`{seconds}` is not a number of seconds")))?;
    let fuzz = tools::cargo_fuzz(shop)?;
    let chosen = targets.iter().filter(|known| target == "all" || *known == target);
    // A find of one must not hide what the next would find.
    let broken: Vec<&str> =
        chosen.filter(|target| search(shop, &fuzz, target, seconds).is_err()).map(String::as_str).collect();
    if broken.is_empty() { Ok(()) } else { Err(Failure::new(format!("broken: {}", broken.join(" ")))) }
}

/// Searches one target for so many seconds.
fn search(shop: &Workshop, fuzz: &str, target: &str, seconds: u32) -> Result<(), Failure> {
    // What the search finds on its way is kept beside the build: of the corpus a person decides.
    let found = shop.target.join("fuzz").join(target);
    std::fs::create_dir_all(&found).map_err(|e| Failure::new(format!("cannot make {}: {e}", found.display())))?;
    // Without a sanitizer the stable compiler is enough: our code has no `unsafe`, a panic is the find.
    let mut command = shop.command(fuzz, "run --fuzz-dir fuzz --sanitizer none --features libfuzzer");
    command.arg(target).arg(found).arg(format!("fuzz/corpus/{target}"));
    succeed(command.args(["--", &format!("-max_total_time={seconds}"), "-max_len=16384", "-timeout=10"]))
}

/// The names of all targets, sorted.
pub(crate) fn targets(shop: &Workshop) -> Vec<String> {
    let Ok(folder) = std::fs::read_dir(shop.root.join("fuzz").join("fuzz_targets")) else {
        return Vec::new();
    };
    let mut names: Vec<String> = folder
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            Some(name.strip_suffix(".rs")?.to_owned())
        })
        .collect();
    names.sort();
    names
}

fn known(targets: &[String]) -> String {
    if targets.is_empty() {
        return "there is none yet".to_owned();
    }
    format!("there are: {}", targets.join(" "))
}
