//! `bench <name> [--json]`: one benchmark, by the name of its file or from the list here.
//!
//! Owns: the list of benchmarks that start a whole server, with its peers, in one run.
//! Does not own: what one measures; each has its own file beside this one. A crate's
//! own benchmarks lie in its folder `benches` and are found there.

use crate::workshop::{Failure, Workshop, folders, package_of, succeed};

mod timing;
mod token;

/// A benchmark of the whole server: what it is called, what it measures, how to run it.
struct Bench {
    name: &'static str,
    measures: &'static str,
    run: fn(&Workshop, json: bool) -> Result<(), Failure>,
}

const BENCHES: &[Bench] = &[
    Bench { name: "token", measures: token::MEASURES, run: token::run },
    Bench { name: "timing", measures: timing::MEASURES, run: timing::run },
];

pub(crate) fn run(shop: &Workshop, arguments: &[String]) -> Result<(), Failure> {
    let json = arguments.iter().any(|word| word == "--json");
    let names: Vec<&String> = arguments.iter().filter(|word| *word != "--json").collect();
    let of_crates = of_crates(shop)?;
    let [name] = names.as_slice() else {
        return Err(Failure::new(format!("bench takes one name; {}", known(&of_crates))));
    };
    if let Some(bench) = BENCHES.iter().find(|bench| bench.name == name.as_str()) {
        return (bench.run)(shop, json);
    }
    match of_crates.iter().find(|(_, bench)| bench == *name) {
        Some(_) if json => Err(Failure::new(format!("`{name}` measures one crate and has no JSON form"))),
        Some((package, _)) => succeed(&mut shop.cargo(&format!("bench --locked -p {package} --bench {name}"))),
        None => Err(Failure::new(format!("no benchmark `{name}`; {}", known(&of_crates)))),
    }
}

/// Package and name of every `<crate>/benches/<name>.rs`.
fn of_crates(shop: &Workshop) -> Result<Vec<(String, String)>, Failure> {
    let mut found = Vec::new();
    for folder in folders(&shop.root)? {
        let Some(name) = folder.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let Ok(files) = std::fs::read_dir(folder.join("benches")) else {
            continue;
        };
        let names = files.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let benches = names.filter_map(|file| file.strip_suffix(".rs").map(str::to_owned));
        found.extend(benches.map(|bench| (package_of(name), bench)));
    }
    found.sort();
    Ok(found)
}

fn known(of_crates: &[(String, String)]) -> String {
    let servers = BENCHES.iter().map(|bench| format!("\n  {:<12} {}", bench.name, bench.measures));
    let crates = of_crates.iter().map(|(package, bench)| format!("\n  {bench:<12} of {package}"));
    format!("there are:{}", servers.chain(crates).collect::<String>())
}
