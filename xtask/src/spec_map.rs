//! `spec-map`: what `docs/spec` claims to be proven is proven by a test that exists.
//!
//! Owns: reading the tables whose last column is headed `Proof`.
//! Does not own: finding the tests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::check::Outcome;
use crate::tests_found::tests_of_workspace;
use crate::workshop::{Failure, Workshop, read};

/// What a proof cell says.
#[derive(Debug, PartialEq)]
enum Proof<'a> {
    /// Names of tests, `crate::path::name`.
    Tests(Vec<&'a str>),
    /// `later`, or `not done, because …`.
    Open,
}

pub(crate) fn check(shop: &Workshop) -> Result<Outcome, Failure> {
    run(shop).map(Outcome::Passed)
}

/// Checks every map and returns the count of rows.
pub(crate) fn run(shop: &Workshop) -> Result<String, Failure> {
    let folder = shop.root.join("docs").join("spec");
    let mut files = maps(&folder)?;
    files.sort();
    let tests = tests_of_workspace(&shop.root)?;
    let mut wrong = Vec::new();
    let (mut proven, mut open) = (0_usize, 0_usize);
    for file in &files {
        let text = read(file)?;
        let name = file.strip_prefix(&shop.root).unwrap_or(file).display();
        let rows = proof_cells(&text);
        if rows.is_empty() {
            wrong.push(format!("{name}: no table whose last column is headed `Proof`"));
        }
        for (line, cell) in rows {
            match parse_proof(cell) {
                Ok(Proof::Open) => open += 1,
                Ok(Proof::Tests(names)) => {
                    proven += 1;
                    let missing = names.iter().filter(|test| !tests.contains(&plain(test)));
                    wrong.extend(
                        missing.map(|test| format!("{name}:{line}: no test `{test}`{}", nearest(&tests, test))),
                    );
                }
                Err(cause) => wrong.push(format!("{name}:{line}: {cause}")),
            }
        }
    }
    if wrong.is_empty() {
        return Ok(format!("{proven} clauses proven, {open} open, in {} files", files.len()));
    }
    Err(Failure::new(format!("{} wrong rows in docs/spec\n  {}", wrong.len(), wrong.join("\n  "))))
}

fn maps(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = std::fs::read_dir(folder).map_err(|e| Failure::new(format!("reading {}: {e}", folder.display())))?;
    Ok(entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .filter(|path| path.file_name().is_none_or(|name| name != "README.md"))
        .collect())
}

/// The last cell of every row of every `Proof` table, with its line number.
fn proof_cells(text: &str) -> Vec<(usize, &str)> {
    let mut cells = Vec::new();
    let mut in_map = false;
    let mut in_table = false;
    for (number, line) in text.lines().enumerate() {
        let Some(last) = last_cell(line) else {
            in_table = false;
            continue;
        };
        if !in_table {
            in_table = true;
            in_map = last == "Proof";
        } else if in_map && !last.chars().all(|c| matches!(c, '-' | ':')) {
            cells.push((number + 1, last));
        }
    }
    cells
}

fn last_cell(line: &str) -> Option<&str> {
    let row = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    // A bar inside a cell is written `\|`.
    let cut = row.match_indices('|').rfind(|(at, _)| !row.get(..*at).is_some_and(|before| before.ends_with('\\')));
    let last = cut.map_or(Some(row), |(at, bar)| row.get(at + bar.len()..))?;
    Some(last.trim())
}

fn parse_proof(cell: &str) -> Result<Proof<'_>, String> {
    if cell == "later" || cell.starts_with("later:") || cell.starts_with("later,") {
        return Ok(Proof::Open);
    }
    if let Some(cause) = cell.strip_prefix("not done, because") {
        if cause.trim().is_empty() {
            return Err("`not done, because` lacks its cause".to_owned());
        }
        return Ok(Proof::Open);
    }
    let names: Vec<&str> = cell.split('`').skip(1).step_by(2).filter(|name| name.contains("::")).collect();
    if names.is_empty() {
        return Err(format!("`{cell}` is neither a test (`crate::path::name`) nor `later` nor `not done, because …`"));
    }
    Ok(Proof::Tests(names))
}

/// The name without the modules that only hold tests, so that moving them breaks nothing.
pub(crate) fn plain(name: &str) -> String {
    let parts: Vec<&str> = name.split("::").filter(|part| *part != "tests").collect();
    parts.join("::").replace('-', "_")
}

fn nearest(tests: &BTreeSet<String>, wanted: &str) -> String {
    let last = wanted.rsplit("::").next().unwrap_or(wanted);
    tests
        .iter()
        .find(|test| test.rsplit("::").next() == Some(last))
        .map_or_else(String::new, |found| format!("; there is `{found}`"))
}

#[cfg(test)]
mod tests {
    use super::{Proof, parse_proof, plain, proof_cells};

    #[test]
    fn only_tables_headed_proof_are_maps() {
        let text = "\
# RFC 1
| Name | Value |
|---|---|
| a | b |

| Clause | Demand | Proof |
|---|---|:--|
| §1 | a `x \\| y` | `jose::a::b` |
| §2 | c | later |
";
        assert_eq!(proof_cells(text), vec![(8, "`jose::a::b`"), (9, "later")]);
    }

    #[test]
    fn a_cell_names_tests_or_says_why_there_is_none() {
        assert_eq!(
            parse_proof("`jose::a::b`, `web::c::d` with `DPoP`"),
            Ok(Proof::Tests(vec!["jose::a::b", "web::c::d"]))
        );
        assert_eq!(parse_proof("later"), Ok(Proof::Open));
        assert_eq!(parse_proof("not done, because no client asks for it"), Ok(Proof::Open));
    }

    #[test]
    fn an_empty_cell_or_a_bare_excuse_is_refused() {
        for cell in ["", "yes", "`name_without_a_path`", "not done, because", "laterally"] {
            assert!(parse_proof(cell).is_err(), "{cell:?} was taken");
        }
    }

    #[test]
    fn modules_that_only_hold_tests_may_be_left_out() {
        assert_eq!(plain("store-sqlite::commit::tests::one_wins"), "store_sqlite::commit::one_wins");
    }
}
