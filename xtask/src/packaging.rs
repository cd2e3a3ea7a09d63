//! What lies in `packaging/`, and what the program writes for a package of it.
//!
//! Owns: that the unit is one systemd takes, that its walls stand, that the configuration is
//! right, that pages and completions can be read. Does not own: making packages.

use std::path::Path;

use crate::check::Outcome;
use crate::workshop::{Failure, Workshop, answer, read, succeed};

const UNIT: &str = "packaging/keyfob.service";
/// `systemd-analyze security` counts from 0 (no exposure) to 100, ten times what it shows.
const MOST_EXPOSED: u32 = 20;

pub(crate) fn check(shop: &Workshop) -> Result<Outcome, Failure> {
    let keyfob = shop.keyfob()?;
    let program = keyfob.display().to_string();
    succeed(shop.command(&program, "config check").env("KEYFOB_CONFIG", shop.root.join("packaging/keyfob.toml")))?;
    let folder = shop.target.join("packaging");
    let lost = |error: std::io::Error| Failure::new(format!("{}: {error}", folder.display()));
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(lost)?;
    }
    std::fs::create_dir_all(&folder).map_err(lost)?;
    succeed(shop.command(&program, "manual").arg(folder.join("man")))?;
    let script = folder.join("keyfob.bash");
    std::fs::write(&script, answer(&mut shop.command(&program, "completions bash"))?).map_err(lost)?;
    succeed(shop.command("bash", "-n").arg(&script))?;
    unit(shop, &folder, &keyfob)
}

/// systemd judges a unit whose program is there, so it is shown the one just built.
fn unit(shop: &Workshop, folder: &Path, keyfob: &Path) -> Result<Outcome, Failure> {
    let text = read(&shop.root.join(UNIT))?.replace("/usr/bin/keyfob", &keyfob.display().to_string());
    let unit = folder.join("keyfob.service");
    std::fs::write(&unit, text).map_err(|error| Failure::new(format!("{}: {error}", unit.display())))?;
    if answer(&mut shop.command("systemd-analyze", "--version")).is_err() {
        return Ok(Outcome::Passed("the unit was not judged: no systemd-analyze on this machine".to_owned()));
    }
    succeed(shop.command("systemd-analyze", "verify --man=no").arg(&unit))?;
    let words = format!("security --no-pager --offline=true --threshold={MOST_EXPOSED}");
    let told = answer(shop.command("systemd-analyze", &words).arg(&unit))?;
    let level = told.lines().rev().find_map(|line| line.split_once("service: ")).map_or("", |(_, level)| level);
    Ok(Outcome::Passed(format!("exposure of the unit {}", level.trim())))
}
