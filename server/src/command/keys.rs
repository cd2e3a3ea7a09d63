//! `keyfob keys`: what tokens are signed with.

use clap::Subcommand;
use http::Method;
use serde_json::Value;

use super::local::{self, Local};
use super::{Failure, Frame};

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Show the signing keys
    List,
    /// Make successors: published now, signing a little later
    Rotate,
}

pub(super) fn run(frame: &Frame, action: &Action) -> Result<(), Failure> {
    let (method, path) = match action {
        Action::List => (Method::GET, "/local/keys"),
        Action::Rotate => (Method::POST, "/local/keys/rotate"),
    };
    let answer = Local::open(frame)?.ask(method, path, None)?;
    let keys = answer.get("keys").and_then(Value::as_array).cloned().unwrap_or_default();
    let columns = ["/kid", "/alg", "/state", "/not_before", "/retire_at"];
    frame.ui.result(&answer, &local::table(&keys, &columns).join("\n"));
    Ok(())
}
