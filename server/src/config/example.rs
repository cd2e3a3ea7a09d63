//! The example file, from what was asked for while reading.

use std::fmt::Write;

use super::reader::Entry;

/// Renders every section and key with its words; keys without a default stand as comments.
pub(super) fn render(entries: &[Entry]) -> String {
    let mut text = String::from("# Keyfob: every setting with its default. All of them may be left out.\n");
    for entry in entries {
        let written = match entry {
            Entry::Section { path, doc } => {
                text.push('\n');
                comment(&mut text, doc);
                writeln!(text, "[{path}]")
            }
            Entry::List { path, doc, entries } => {
                text.push('\n');
                comment(&mut text, doc);
                for line in sample(path, entries).lines() {
                    text.push_str("# ");
                    text.push_str(line);
                    text.push('\n');
                }
                Ok(())
            }
            Entry::Key { key, doc, value, set } => {
                comment(&mut text, doc);
                writeln!(text, "{}{key} = {value}", if *set { "" } else { "# " })
            }
        };
        written.expect("a String takes every byte");
    }
    text
}

/// One section of a list, whole.
fn sample(path: &str, entries: &[Entry]) -> String {
    let mut text = format!("[[{path}]]\n");
    for entry in entries {
        if let Entry::Key { key, doc, value, .. } = entry {
            comment(&mut text, doc);
            text.push_str(&format!("{key} = {value}\n"));
        }
    }
    text
}

fn comment(text: &mut String, doc: &str) {
    for line in doc.lines() {
        text.push_str("# ");
        text.push_str(line);
        text.push('\n');
    }
}
