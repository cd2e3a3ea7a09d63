//! `interop [name]`: clients other people wrote, against the real binary.
//!
//! Owns: finding the tests in `interop/` and running them with Node against a demo.
//! Does not own: what they prove.

use crate::check::Outcome;
use crate::running::Running;
use crate::workshop::{Failure, Workshop, succeed};
use crate::{languages, tools};

/// Clients without a browser.
const CLIENTS: &str = "interop";
/// Runs the programs of the guide, in the languages they are written in.
const GUIDE: &str = "/guide.test.mjs";
/// Journeys of a person, in Chromium.
const BROWSER: &str = "interop/browser";

/// `interop [name]`: all tests, or those whose file name begins with `name`.
pub(crate) fn run(shop: &Workshop, arguments: &[String]) -> Result<(), Failure> {
    let begin = match arguments {
        [] => "",
        [name] => name,
        _ => return Err(Failure::new("interop takes at most one name")),
    };
    let mut files = found(shop, CLIENTS, begin);
    files.extend(found(shop, BROWSER, begin));
    if files.is_empty() {
        return Err(Failure::new(format!(
            "no interop/**/{begin}*.test.mjs; interop/README.md says what such a test is"
        )));
    }
    tools::install(shop)?;
    node_tests(shop, &files)
}

pub(crate) fn check(shop: &Workshop) -> Result<Outcome, Failure> {
    check_folder(shop, CLIENTS)
}

pub(crate) fn check_browser(shop: &Workshop) -> Result<Outcome, Failure> {
    check_folder(shop, BROWSER)
}

fn check_folder(shop: &Workshop, folder: &str) -> Result<Outcome, Failure> {
    let files = found(shop, folder, "");
    if files.is_empty() {
        return Ok(Outcome::Skipped(format!("no {folder}/*.test.mjs yet")));
    }
    node_tests(shop, &files)?;
    Ok(Outcome::Passed(format!("{} files", files.len())))
}

fn found(shop: &Workshop, folder: &str, begin: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(shop.root.join(folder)) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".test.mjs") && name.starts_with(begin))
        .map(|name| format!("{folder}/{name}"))
        .collect();
    names.sort();
    names
}

/// One file after another: two cores, and a browser in some of them.
fn node_tests(shop: &Workshop, files: &[String]) -> Result<(), Failure> {
    let keyfob = shop.keyfob()?.display().to_string();
    succeed(&mut shop.cargo("build --locked --workspace --example exchange"))?;
    let exchange = shop.target.join("debug/examples/exchange");
    let running = Running::start(&mut shop.command(&keyfob, "demo --stay --json"))?;
    let mut command = tools::with_node(shop, "node", "--test --test-concurrency=1")?;
    command.args(files).env("KEYFOB_BIN", &keyfob).env("KEYFOB_CHROMIUM", tools::CHROMIUM).env("KEYFOB_JOSE", exchange);
    if files.iter().any(|file| file.ends_with(GUIDE)) {
        command.env("KEYFOB_PYTHON", languages::python(shop)?).env("KEYFOB_GO", languages::go(shop)?);
    }
    for (name, value) in running.facts() {
        command.env(name, value);
        if name == "KEYFOB_CA" {
            // Node then trusts it everywhere, also inside libraries that take no such option.
            command.env("NODE_EXTRA_CA_CERTS", value);
        }
    }
    succeed(&mut command)
}
