//! `keyfob manual`: one page for `man` for every command, from the definitions of the commands.

use std::path::{Path, PathBuf};

use clap::Args;
use clap_mangen::Man;
use serde_json::json;

use super::{Exit, Failure, Frame, definitions};

/// Where the pages go.
#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// The folder, made if it is not there; its pages are replaced
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

pub(super) fn run(frame: &Frame, wanted: &Wanted) -> Result<(), Failure> {
    let folder = &wanted.folder;
    let lost = |error| Failure::new(Exit::Failed, format!("cannot write to {}: {error}", folder.display()));
    let pages = pages();
    std::fs::create_dir_all(folder).map_err(lost)?;
    for (name, page) in &pages {
        std::fs::write(folder.join(name), page).map_err(lost)?;
    }
    let first = folder.join("keyfob.1");
    let text = format!("{} pages are in {}; look with: man {}", pages.len(), folder.display(), look(&first));
    frame.ui.result(&json!({ "folder": folder, "pages": pages.len() }), &text);
    Ok(())
}

/// A name without a slash would be looked for among the installed pages.
fn look(page: &Path) -> String {
    if page.is_absolute() { page.display().to_string() } else { format!("./{}", page.display()) }
}

/// Every page with the name of its file: `keyfob.1`, `keyfob-devices-import.1`.
fn pages() -> Vec<(String, Vec<u8>)> {
    let mut top = definitions().disable_help_subcommand(true);
    top.build();
    let mut pages = Vec::new();
    collect(&top, &mut pages);
    pages
}

fn collect(command: &clap::Command, pages: &mut Vec<(String, Vec<u8>)>) {
    // A built command knows its whole name, `keyfob-devices-import`.
    let full = command.get_display_name().unwrap_or_else(|| command.get_name());
    let mut page = Vec::new();
    // A Vec takes every byte; a page that failed would be missed by its test.
    if Man::new(command.clone()).render(&mut page).is_ok() {
        pages.push((format!("{full}.1"), page));
    }
    for child in command.get_subcommands().filter(|child| !child.is_hide_set()) {
        collect(child, pages);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(command: &clap::Command) -> usize {
        1 + command.get_subcommands().map(count).sum::<usize>()
    }

    #[test]
    fn every_command_has_a_page_under_its_whole_name() {
        let pages = pages();
        let mut top = definitions().disable_help_subcommand(true);
        top.build();
        assert_eq!(pages.len(), count(&top));
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        for name in ["keyfob.1", "keyfob-serve.1", "keyfob-devices-import.1", "keyfob-config-example.1"] {
            assert!(names.contains(&name), "{name} is missing in {names:?}");
        }
    }

    #[test]
    fn a_page_names_its_flags_and_the_exit_codes_stand_on_the_first() {
        let pages = pages();
        let text = |wanted: &str| {
            let (_, page) = pages.iter().find(|(name, _)| name == wanted).unwrap();
            String::from_utf8(page.clone()).unwrap()
        };
        assert!(text("keyfob.1").contains("Exit codes"));
        assert!(text("keyfob-devices-import.1").contains("\\-\\-json"));
        assert!(text("keyfob-devices-import.1").contains("keyfob devices import"), "the synopsis is what is typed");
    }
}
