//! The names of all tests, read from the sources without building them.
//!
//! Owns: walking the crates, following modules, seeing which functions are tests.
//! Does not own: running anything. Macros are not expanded: a test made by one is
//! known by the function it calls, as in the conformance suite of the stores.

use std::collections::BTreeSet;
use std::path::Path;

use crate::spec_map::plain;
use crate::workshop::{Failure, folders, read};

/// Every test of every crate at the root, as `crate::path::name`.
pub(crate) fn tests_of_workspace(root: &Path) -> Result<BTreeSet<String>, Failure> {
    let mut found = BTreeSet::new();
    for folder in folders(root)? {
        let Some(name) = folder.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if !folder.join("Cargo.toml").is_file() {
            continue;
        }
        for part in ["src", "tests"] {
            walk(&folder.join(part), name, &mut found)?;
        }
    }
    Ok(found)
}

fn walk(folder: &Path, module: &str, found: &mut BTreeSet<String>) -> Result<(), Failure> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Ok(());
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else {
            continue;
        };
        if path.is_dir() {
            walk(&path, &format!("{module}::{stem}"), found)?;
        } else if path.extension().is_some_and(|end| end == "rs") {
            // A crate root or `mod.rs` is the module of its folder.
            let own = match stem {
                "lib" | "main" | "mod" => module.to_owned(),
                other => format!("{module}::{other}"),
            };
            found.extend(tests_in(&read(&path)?, &own));
        }
    }
    Ok(())
}

/// The tests one file holds.
fn tests_in(source: &str, module: &str) -> Vec<String> {
    let mut tests = Vec::new();
    // For each open brace: the module it opened, if it did.
    let mut open: Vec<Option<String>> = Vec::new();
    let mut words = Words { rest: source };
    let mut previous = String::new();
    let mut is_test = false;
    let mut opening = None;
    while let Some(word) = words.next_word() {
        match word.as_str() {
            "{" => open.push(opening.take()),
            "}" => {
                open.pop();
                is_test = false;
            }
            ";" => {
                opening = None;
                is_test = false;
            }
            "#" => is_test |= words.attribute().is_some_and(|text| marks_a_test(&text)),
            name if previous == "mod" => opening = Some(name.to_owned()),
            name if previous == "fn" => {
                let path = open.iter().flatten().fold(module.to_owned(), |path, inner| format!("{path}::{inner}"));
                if is_test || path.split("::").any(|part| part == "conformance") {
                    tests.push(plain(&format!("{path}::{name}")));
                }
                is_test = false;
            }
            _ => {}
        }
        previous = word;
    }
    tests
}

/// `test`, `tokio::test(...)`, but not `cfg(test)`.
fn marks_a_test(attribute: &str) -> bool {
    let path = attribute.split('(').next().unwrap_or_default().trim();
    path.rsplit("::").next() == Some("test")
}

/// Names and braces of Rust source; comments and literals are passed over.
struct Words<'a> {
    rest: &'a str,
}

impl Words<'_> {
    fn next_word(&mut self) -> Option<String> {
        loop {
            self.rest = self.rest.trim_start();
            let first = self.rest.chars().next()?;
            if self.rest.starts_with("//") {
                self.skip_past("\n");
            } else if self.rest.starts_with("/*") {
                self.skip_block_comment();
            } else if let Some(hashes) = raw_string(self.rest) {
                self.skip_past("\"");
                self.skip_past(&format!("\"{}", "#".repeat(hashes)));
            } else if first == '"' || self.rest.starts_with("b\"") || self.rest.starts_with("c\"") {
                self.skip_past("\"");
                self.skip_quoted('"');
            } else if first == '\'' {
                self.skip(1);
                self.skip_character_or_lifetime();
            } else if first == '_' || first.is_alphanumeric() {
                let end = self.rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(self.rest.len());
                let word = self.rest.get(..end)?.to_owned();
                self.skip(end);
                return Some(word);
            } else {
                self.skip(first.len_utf8());
                return Some(first.to_string());
            }
        }
    }

    /// After `#`: the text between `[` and its `]`; nothing for `#!` and stray signs.
    fn attribute(&mut self) -> Option<String> {
        self.rest = self.rest.trim_start().strip_prefix('[')?;
        let mut depth = 1_usize;
        let mut text = String::new();
        while let Some(word) = self.next_word() {
            match word.as_str() {
                "[" => depth += 1,
                "]" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some(text);
            }
            text.push_str(&word);
        }
        None
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    fn skip_past(&mut self, end: &str) {
        let at = self.rest.find(end).map_or(self.rest.len(), |at| at + end.len());
        self.skip(at);
    }

    fn skip_block_comment(&mut self) {
        let mut depth = 0_usize;
        loop {
            if self.rest.starts_with("/*") {
                depth += 1;
                self.skip(2);
            } else if self.rest.starts_with("*/") {
                depth -= 1;
                self.skip(2);
                if depth == 0 {
                    return;
                }
            } else {
                let Some(next) = self.rest.chars().next() else {
                    return;
                };
                self.skip(next.len_utf8());
            }
        }
    }

    fn skip_quoted(&mut self, end: char) {
        let mut escaped = false;
        while let Some(next) = self.rest.chars().next() {
            self.skip(next.len_utf8());
            if !escaped && next == end {
                return;
            }
            escaped = !escaped && next == '\\';
        }
    }

    /// `'{'` and `'\''` are characters; `'a` is a lifetime and stays a word.
    fn skip_character_or_lifetime(&mut self) {
        let mut characters = self.rest.chars();
        let first = characters.next();
        if first == Some('\\') || characters.next() == Some('\'') {
            self.skip_quoted('\'');
        }
    }
}

/// The count of `#` if a raw string begins here.
fn raw_string(text: &str) -> Option<usize> {
    let after = ["br", "cr", "r"].iter().find_map(|start| text.strip_prefix(start))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after.get(hashes..)?.starts_with('"').then_some(hashes)
}

#[cfg(test)]
mod tests {
    use super::tests_in;

    #[test]
    fn tests_are_known_by_their_attribute_and_module() {
        let source = r##"
            /// fn in_a_comment() {
            fn helper<'a>(text: &'a str) -> char { if text == "{ #[test] fn no() {" { '{' } else { '\'' } }
            mod outer {
                #[cfg(test)]
                mod tests {
                    #[test]
                    #[should_panic(expected = "]")]
                    fn a_sentence() {}
                    #[tokio::test(flavor = "current_thread")]
                    async fn another() { let _ = r#"}}"}"#; }
                    fn not_a_test() {}
                }
            }
            #[test]
            fn at_the_top() {}
        "##;
        assert_eq!(
            tests_in(source, "web::token"),
            ["web::token::outer::a_sentence", "web::token::outer::another", "web::token::at_the_top"]
        );
    }

    #[test]
    fn properties_inside_a_macro_are_tests() {
        let source = "proptest! { #[test] fn holds_for_all(x in 0..9u8) { } }";
        assert_eq!(tests_in(source, "jose"), ["jose::holds_for_all"]);
    }

    #[test]
    fn the_conformance_suite_names_its_cases_by_function() {
        let source = "pub async fn one_of_two_wins(store: &dyn Store) {}";
        assert_eq!(tests_in(source, "store::conformance::codes"), ["store::conformance::codes::one_of_two_wins"]);
        assert!(tests_in(source, "store::codes").is_empty());
    }

    #[test]
    fn an_attribute_does_not_reach_past_the_item_it_stands_on() {
        let source = "#[test] use a::b; fn plain() {} #[cfg(test)] fn also_plain() {}";
        assert!(tests_in(source, "a").is_empty());
    }
}
