//! `keyfob keys`: what tokens are signed with, and what everything at rest is sealed under.

use std::path::PathBuf;

use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

use super::local::{self, Local};
use super::{Exit, Failure, Frame};

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Show the signing keys
    List,
    /// Make successors: published now, signing an hour later
    Rotate,
    /// Seal the store under another master key
    Reseal {
        /// A file with the new key: 32 bytes in base64url, mode 600
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
}

pub(super) fn run(frame: &Frame, action: &Action) -> Result<(), Failure> {
    match action {
        Action::List => {
            let answer = Local::open(frame)?.ask(Method::GET, "/local/keys", None)?;
            frame.ui.result(&answer, &lines(&answer).join("\n"));
        }
        Action::Rotate => {
            let answer = Local::open(frame)?.ask(Method::POST, "/local/keys/rotate", None)?;
            let mut told = lines(&answer);
            told.push("They are published now and sign in an hour; the old ones go on verifying.".to_owned());
            frame.ui.result(&answer, &told.join("\n"));
        }
        Action::Reseal { to } => reseal(frame, to.as_ref())?,
    }
    Ok(())
}

fn reseal(frame: &Frame, to: Option<&PathBuf>) -> Result<(), Failure> {
    let unreadable = |path: &PathBuf, error| Failure::new(Exit::Unreachable, format!("{}: {error}", path.display()));
    // A server has another working folder than whoever types.
    let file = to.map(|path| path.canonicalize().map_err(|error| unreadable(path, error))).transpose()?;
    let answer = Local::open(frame)?.ask(Method::POST, "/local/keys/reseal", Some(&json!({ "key_file": file })))?;
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let told = format!(
        "The store is sealed under the master key {}, in {}.\n\
         Keep a copy of it apart from the backups. The one before is in\n{}: backups made until\n\
         now want it; destroy it with the last of them. Other nodes go on with what they have open;\n\
         give them the new file before their next start.",
        text("master_key"),
        text("master_key_file"),
        text("old_master_key_file"),
    );
    frame.ui.result(&answer, &told);
    Ok(())
}

fn lines(answer: &Value) -> Vec<String> {
    let keys = answer.get("keys").and_then(Value::as_array).cloned().unwrap_or_default();
    let dated = |key: Value| {
        let date = |name: &str| key.get(name).and_then(Value::as_i64).and_then(shown);
        let signs = match (date("not_before"), date("retire_at")) {
            (Some(from), Some(until)) => format!("{from} to {until}"),
            (from, _) => format!("from {}", from.unwrap_or_default()),
        };
        let mut key = key;
        if let Some(members) = key.as_object_mut() {
            members.insert("signs".to_owned(), signs.into());
        }
        key
    };
    let keys: Vec<_> = keys.into_iter().map(dated).collect();
    local::table(&keys, &["/kid", "/alg", "/state", "/signs"])
}

/// A moment as people read it, in UTC.
pub(super) fn shown(seconds: i64) -> Option<String> {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]Z");
    OffsetDateTime::from_unix_timestamp(seconds).ok()?.format(format).ok()
}
