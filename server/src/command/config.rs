//! `keyfob config`.

use clap::Subcommand;
use serde_json::json;

use super::{Failure, Frame};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Say whether the configuration is right, or all that is wrong with it
    Check,
    /// Show a configuration with every setting, its default and its meaning
    Example,
}

pub(super) fn run(frame: &Frame, action: &Action) -> Result<(), Failure> {
    match action {
        Action::Check => {
            let config = frame.config()?;
            let file = frame.environment.config.as_ref().map(|path| path.display().to_string());
            let what = file.as_deref().unwrap_or("no file named: the defaults");
            let folder = config.data.folder.display().to_string();
            frame.ui.done(&format!("The configuration is right ({what})"), None);
            if frame.ui.is_json() {
                frame.ui.result(&json!({ "ok": true, "file": file, "data": folder }), "");
            }
        }
        Action::Example => {
            let example = Config::example();
            frame.ui.result(&json!({ "example": example }), example.trim_end());
        }
    }
    Ok(())
}
