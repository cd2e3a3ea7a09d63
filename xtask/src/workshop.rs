//! The place work happens in: paths, and running other programs.
//!
//! Owns: where things lie, how a command is started and how its failure reads.
//! Does not own: which commands are run.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why something could not be done, in words for a person at a terminal.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The folders a step may need.
pub(crate) struct Workshop {
    /// The root of the repository.
    pub(crate) root: PathBuf,
    /// Where cargo builds: `CARGO_TARGET_DIR`, or `target` under the root.
    pub(crate) target: PathBuf,
}

impl Workshop {
    pub(crate) fn open() -> Result<Self, Failure> {
        // Asked at run time, so that a build folder shared by two checkouts cannot mix them up.
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map(PathBuf::from)
            .ok_or_else(|| Failure::new("start this through cargo: `cargo xtask <command>`"))?;
        let root = manifest
            .parent()
            .map(Path::to_path_buf)
            .ok_or_else(|| Failure::new("the xtask crate must lie inside the repository"))?;
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
        Ok(Self { root, target })
    }

    /// Programs this tool installs for itself: kept with the build, gone with it.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// `cargo` with the toolchain that runs this program; `words` are divided by spaces.
    pub(crate) fn cargo(&self, words: &str) -> Command {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let mut command = self.command(&cargo, words);
        // What `cargo run` set for this program does not concern the next one.
        for (name, _) in std::env::vars_os() {
            let leaked =
                name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"));
            if leaked {
                command.env_remove(name);
            }
        }
        command
    }

    /// Builds the program under test and answers where it lies.
    ///
    /// Built as the step `test` builds it: asked for alone, its dependencies would have other
    /// features and be built a second time.
    pub(crate) fn keyfob(&self) -> Result<PathBuf, Failure> {
        succeed(&mut self.cargo("build --locked --workspace --bin keyfob --test journeys"))?;
        Ok(self.target.join("debug").join("keyfob"))
    }

    /// Any program, started at the root of the repository.
    pub(crate) fn command(&self, program: &str, words: &str) -> Command {
        let mut command = Command::new(program);
        command.args(words.split_whitespace()).current_dir(&self.root);
        command
    }
}

/// The command as a person would type it, without its environment.
pub(crate) fn spelled(command: &Command) -> String {
    let mut words = vec![
        Path::new(command.get_program())
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
    ];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}

/// Runs to the end with the terminal shared; anything but success is a failure.
pub(crate) fn succeed(command: &mut Command) -> Result<(), Failure> {
    println!("$ {}", spelled(command));
    let status = command.status().map_err(|e| not_started(command, &e))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("`{}` ended with {status}", spelled(command))))
}

/// Runs to the end, shows each line of standard output and hands it to `seen`.
pub(crate) fn watch(command: &mut Command, mut seen: impl FnMut(&str)) -> Result<(), Failure> {
    println!("$ {}", spelled(command));
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|e| not_started(command, &e))?;
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = line.map_err(|e| Failure::new(format!("reading `{}`: {e}", spelled(command))))?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            seen(&line);
        }
    }
    let status = child.wait().map_err(|e| not_started(command, &e))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("`{}` ended with {status}", spelled(command))))
}

/// Runs quietly and returns what it wrote to standard output.
pub(crate) fn answer(command: &mut Command) -> Result<String, Failure> {
    let output = command.output().map_err(|e| not_started(command, &e))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Failure::new(format!(
        "`{}` ended with {}: {}",
        spelled(command),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    )))
}

/// The text of a file of the repository.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|e| Failure::new(format!("reading {}: {e}", path.display())))
}

/// The folders directly under one.
pub(crate) fn folders(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = std::fs::read_dir(root).map_err(|e| Failure::new(format!("reading {}: {e}", root.display())))?;
    Ok(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect())
}

/// The package in a crate's folder: what is published apart bears the product's name.
pub(crate) fn package_of(folder: &str) -> String {
    match folder {
        "jose" | "device" => format!("keyfob-{folder}"),
        other => other.to_owned(),
    }
}

fn not_started(command: &Command, error: &std::io::Error) -> Failure {
    Failure::new(format!("`{}` could not be run: {error}", spelled(command)))
}
