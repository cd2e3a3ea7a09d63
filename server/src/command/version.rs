//! `keyfob version`.

use serde_json::json;

use super::{Failure, Frame};

pub(super) fn run(frame: &Frame) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    frame.ui.result(&json!({ "version": version }), &format!("keyfob {version}"));
    Ok(())
}
