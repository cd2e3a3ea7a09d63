//! The project speaks of itself alone: nothing tracked names the machine it was made on.
//!
//! Owns: the list of traces and the search for them.
//! Does not own: `Cargo.lock`, which cargo writes.

use crate::check::Outcome;
use crate::workshop::{Failure, Workshop, answer};

/// Hosts that packages come from. Split, so that this file does not name them itself.
const HOSTS: &[&str] = &[
    concat!("registry.", "npmjs.org"),
    concat!("registry.", "yarnpkg.com"),
    concat!("static.", "crates.io"),
    concat!("index.", "crates.io"),
    concat!("files.", "pythonhosted.org"),
    concat!("deb.", "debian.org"),
    concat!("security.", "debian.org"),
    concat!("proxy.", "golang.org"),
];

/// Folders people and their machines work in; only where a path begins there.
const FOLDERS: &[&str] = &[concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/"), concat!("/wo", "rk/")];

/// Looks through every tracked text file.
pub(crate) fn check(shop: &Workshop) -> Result<Outcome, Failure> {
    // New files count before they are added: the slip is cheapest to mend then.
    let listed = answer(&mut shop.command("git", "ls-files -z --cached --others --exclude-standard"))?;
    let mut wrong = Vec::new();
    let mut count = 0_usize;
    for name in listed.split('\0').filter(|name| !name.is_empty() && *name != "Cargo.lock") {
        // Pictures and other binary files have no lines; a deleted file has no text.
        let Ok(text) = std::fs::read_to_string(shop.root.join(name)) else {
            continue;
        };
        count += 1;
        for (number, line) in text.lines().enumerate() {
            if let Some(trace) = trace_in(line) {
                wrong.push(format!("{name}:{}: {trace}", number + 1));
            }
        }
    }
    if wrong.is_empty() {
        return Ok(Outcome::Passed(format!("{count} files")));
    }
    Err(Failure::new(format!(
        "{} lines name a package host or a folder of one machine\n  {}",
        wrong.len(),
        wrong.join("\n  ")
    )))
}

fn trace_in(line: &str) -> Option<&'static str> {
    let host = HOSTS.iter().find(|host| line.contains(*host));
    let folder = FOLDERS.iter().find(|folder| {
        line.match_indices(*folder).any(|(at, found)| {
            let before = line.get(..at).and_then(|text| text.chars().next_back());
            let after = line.get(at + found.len()..).and_then(|text| text.chars().next());
            before.is_none_or(|c| !c.is_alphanumeric() && !"/._-}".contains(c))
                && after.is_some_and(char::is_alphanumeric)
        })
    });
    host.or(folder).copied()
}

#[cfg(test)]
mod tests {
    use super::{FOLDERS, HOSTS, trace_in};

    #[test]
    fn a_package_host_is_a_trace() {
        for host in HOSTS {
            assert_eq!(trace_in(&format!("see https://{host}/serde")), Some(*host));
        }
    }

    #[test]
    fn a_path_that_begins_in_a_persons_folder_is_a_trace() {
        for folder in FOLDERS {
            assert_eq!(trace_in(&format!("key = \"{folder}adam/key.pem\"")), Some(*folder));
            assert_eq!(trace_in(&format!("{folder}adam")), Some(*folder));
        }
    }

    #[test]
    fn a_route_or_a_longer_path_is_none() {
        for folder in FOLDERS {
            assert_eq!(trace_in(&format!("GET /my{folder}edit")), None);
            assert_eq!(trace_in(&format!("`{folder}`")), None);
        }
    }
}
