//! `bench <name> [--json]`: one benchmark, by the name of its file or from the list here.
//!
//! Owns: the list of benchmarks, of the whole server and of one crate.
//! Does not own: what one measures. A crate's own benchmarks lie in its folder `benches`
//! and are found there.

use crate::workshop::{Failure, Workshop, folders, package_of, succeed};

mod picture;
mod server;

/// All benchmarks of the whole server, with what is kept of them for the documents.
const FIGURES: &str = "figures";
/// What is kept, drawn anew.
const PICTURE: &str = "picture";

pub(crate) fn run(shop: &Workshop, arguments: &[String]) -> Result<(), Failure> {
    let of_crates = of_crates(shop)?;
    let Some((name, words)) = arguments.split_first() else {
        return Err(Failure::new(format!("bench takes a name; {}", known(&of_crates))));
    };
    let (json, words): (Vec<_>, Vec<_>) = words.iter().cloned().partition(|word| word == "--json");
    let json = !json.is_empty();
    if name == FIGURES {
        return server::figures(shop, &words);
    }
    if name == PICTURE {
        return server::picture(shop);
    }
    if let Some(run) = server::RUNS.iter().find(|run| run.name == name) {
        return server::run(shop, run, &words, json);
    }
    match of_crates.iter().find(|(_, bench)| bench == name) {
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
    let servers = server::RUNS.iter().map(|run| format!("\n  {:<12} {}", run.name, run.measures));
    let servers = servers.chain([
        format!("\n  {FIGURES:<12} all of them, for docs/benchmarks.md and its picture"),
        format!("\n  {PICTURE:<12} the picture of the figures that are kept, drawn anew"),
    ]);
    let crates = of_crates.iter().map(|(package, bench)| format!("\n  {bench:<12} of {package}"));
    format!("there are:{}", servers.chain(crates).collect::<String>())
}
