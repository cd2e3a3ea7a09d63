//! What small devices link: a core without the standard library, other processors,
//! other operating systems.
//!
//! Owns: how each of these is proved on a machine that has none of them.
//! Does not own: the crates.

use std::path::{Path, PathBuf};

use crate::check::Outcome;
use crate::workshop::{Failure, Workshop, answer, package_of, read, succeed};

/// A library without the standard library that links the SDK's core, no member of the workspace.
pub(crate) const BARE: &str = "device/bare";

/// The only file of the SDK that may know its operating system.
const OS_FILE: &str = "device/src/file/private.rs";

/// What a file that knows its operating system says.
const OS_WORDS: &[&str] = &[
    "std::os::",
    "cfg(unix",
    "cfg(windows",
    "cfg(not(unix",
    "cfg(not(windows",
    "target_os",
    "target_family",
    "target_env",
];

/// Linux devices, with the C compiler that builds their cryptography.
const TARGETS: &[(&str, &str)] = &[
    ("aarch64-unknown-linux-gnu", "aarch64-linux-gnu-gcc"),
    ("armv7-unknown-linux-gnueabihf", "arm-linux-gnueabihf-gcc"),
];

/// The parts meant for small devices build and link without the standard library.
pub(crate) fn core(shop: &Workshop) -> Result<Outcome, Failure> {
    let mut checked = Vec::new();
    for name in ["jose", "device"] {
        let (package, folder) = (package_of(name), shop.root.join(name));
        if !read(&folder.join("src").join("lib.rs"))?.contains("no_std") {
            return Err(Failure::new(format!("{package} offers features, but its lib.rs does not say no_std")));
        }
        succeed(&mut shop.cargo(&format!("check --locked -p {package} --lib --no-default-features")))?;
        let tree = answer(&mut shop.cargo(&format!(
            "tree --locked -p {package} --no-default-features -e normal,features,no-proc-macro --prefix none"
        )))?;
        if let Some(line) = tree.lines().find(|line| line.contains("feature \"std\"")) {
            return Err(Failure::new(format!("the core of {package} depends on {line}")));
        }
        checked.push(package);
    }
    // With a panic handler of its own it cannot be built once anything in it links `std`,
    // which brings another: the compiler refuses the second.
    let target = shop.root.join("target").join("bare");
    succeed(
        shop.cargo("build --locked --manifest-path").arg(format!("{BARE}/Cargo.toml")).arg("--target-dir").arg(target),
    )?;
    checked.push("a library that links no std".to_owned());
    Ok(Outcome::Passed(checked.join(", ")))
}

/// One file of the SDK knows its operating system, and the SDK builds for other processors.
pub(crate) fn check(shop: &Workshop) -> Result<Outcome, Failure> {
    one_file_knows_the_system(shop)?;
    let (mut built, mut left_out) = (Vec::new(), Vec::new());
    for (target, compiler) in TARGETS {
        if !has_target(shop, target)? {
            println!("left out: {target}, because this toolchain has no standard library for it");
            left_out.push(*target);
            continue;
        }
        let package = package_of("device");
        succeed(
            &mut shop.cargo(&format!("check --locked -p {package} --lib --no-default-features --target {target}")),
        )?;
        if answer(&mut shop.command(compiler, "--version")).is_err() {
            println!("left out: the client for {target}, because there is no {compiler}");
            built.push(format!("{target} (core)"));
            continue;
        }
        let variable = format!("CC_{}", target.replace('-', "_"));
        succeed(shop.cargo(&format!("check --locked -p {package} --lib --target {target}")).env(variable, compiler))?;
        built.push((*target).to_owned());
    }
    let mut note = vec!["one file knows its system".to_owned()];
    note.extend(built);
    if !left_out.is_empty() {
        note.push(format!("no target here for {}", left_out.join(" and ")));
    }
    Ok(Outcome::Passed(note.join(", ")))
}

fn has_target(shop: &Workshop, target: &str) -> Result<bool, Failure> {
    // The one that cargo would take.
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let libraries = answer(&mut shop.command(&compiler, &format!("--print target-libdir --target {target}")))?;
    Ok(Path::new(libraries.trim()).join("").read_dir().is_ok_and(|mut files| files.next().is_some()))
}

fn one_file_knows_the_system(shop: &Workshop) -> Result<(), Failure> {
    let mut files = Vec::new();
    collect(&shop.root.join("device").join("src"), &mut files)?;
    let mut wrong = Vec::new();
    for file in files {
        let name = file.strip_prefix(&shop.root).unwrap_or(&file).display().to_string();
        // A test may look at what the one file did.
        let in_tests = name.contains("/tests/");
        if name == OS_FILE || in_tests {
            continue;
        }
        wrong.extend(knowing(&read(&file)?).into_iter().map(|(line, word)| format!("{name}:{line}: {word}")));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} lines of the SDK outside {OS_FILE} know their operating system\n  {}",
        wrong.len(),
        wrong.join("\n  ")
    )))
}

/// Lines that know the system; a whole test behind `#[cfg(unix)]` is none of them.
fn knowing(text: &str) -> Vec<(usize, &'static str)> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(word) = OS_WORDS.iter().find(|word| line.contains(**word)) else {
            continue;
        };
        let follows = lines.iter().skip(at + 1).find(|next| !next.starts_with("#[cfg("));
        let of_a_test =
            line.starts_with("#[cfg(") && follows.is_some_and(|next| *next == "#[test]" || *next == "mod tests {");
        if !of_a_test {
            found.push((at + 1, *word));
        }
    }
    found
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let entries = std::fs::read_dir(folder).map_err(|error| Failure::new(format!("{}: {error}", folder.display())))?;
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::knowing;

    #[test]
    fn code_that_knows_its_system_is_found_and_a_test_for_one_system_is_let_be() {
        assert_eq!(knowing("use std::os::unix::fs::PermissionsExt;"), [(1, "std::os::")]);
        assert_eq!(knowing("fn a() {}\n#[cfg(unix)]\nfn b() {}"), [(2, "cfg(unix")]);
        assert_eq!(knowing("#[cfg(target_os = \"linux\")]\nfn b() {}"), [(1, "target_os")]);
        assert_eq!(knowing("    #[cfg(unix)]\n    #[test]\n    fn b() {}"), []);
        assert_eq!(knowing("#[cfg(test)]\n#[cfg(unix)]\nmod tests {"), []);
        assert_eq!(knowing("#[cfg(feature = \"std\")]\nmod file;"), []);
    }
}
