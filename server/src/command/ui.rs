//! How results look: short lines with ticks and crosses, or one JSON object each.
//!
//! Results go to standard output, progress and failures to standard error. Colour only on a
//! terminal, never alone, and not where `NO_COLOR` is set; ASCII where the locale lacks UTF-8.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::exit::Failure;
use crate::config::Environment;

const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const PLAIN: &str = "\x1b[0m";
/// Where the time at the end of a line ends.
const COLUMNS: usize = 78;

/// Where results and progress go, and in which form.
#[derive(Debug, Clone, Copy)]
pub struct Ui {
    json: bool,
    signs: Signs,
    colour_out: bool,
    colour_err: bool,
    progress: bool,
}

#[derive(Debug, Clone, Copy)]
struct Signs {
    tick: &'static str,
    cross: &'static str,
    bar: &'static str,
}

const UTF8: Signs = Signs { tick: "✓", cross: "✗", bar: "━╸─" };
const ASCII: Signs = Signs { tick: "+", cross: "x", bar: "=> " };

impl Ui {
    /// By flag, environment and whether there is a terminal.
    pub fn new(json: bool, environment: &Environment) -> Self {
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let colour = !environment.no_color && !json;
        Self {
            json,
            signs: if environment.utf8 { UTF8 } else { ASCII },
            colour_out: colour && out,
            colour_err: colour && err,
            progress: err && !json,
        }
    }

    /// Whether results are JSON objects.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// A result: the object where JSON is asked for, the text otherwise.
    pub fn result(&self, object: &Value, text: &str) {
        if self.json { out(&object.to_string()) } else { out(text) }
    }

    /// A line with a tick and the time it took; nothing where JSON is asked for.
    pub fn done(&self, text: &str, took: Option<Duration>) {
        if !self.json {
            out(&self.line(self.signs.tick, GREEN, self.colour_out, text, took));
        }
    }

    /// A line with a cross and the time it took; nothing where JSON is asked for.
    pub fn failed(&self, text: &str, took: Option<Duration>) {
        if !self.json {
            out(&self.line(self.signs.cross, RED, self.colour_out, text, took));
        }
    }

    /// The end of a command that failed.
    pub fn failure(&self, failure: &Failure) {
        if self.json {
            let exit = failure.exit as u8;
            out(&json!({ "ok": false, "exit": exit, "causes": failure.causes, "next": failure.next }).to_string());
            return;
        }
        for cause in &failure.causes {
            err(&self.line(self.signs.cross, RED, self.colour_err, cause, None));
        }
        if let Some(next) = &failure.next {
            err(&format!("    type: {next}"));
        }
    }

    /// A line about work that goes on, on standard error; nothing without a terminal.
    pub fn live(&self, text: &str) {
        if self.progress {
            err(text);
        }
    }

    /// A bar for work of so many parts, on standard error; invisible without a terminal.
    pub fn progress(&self, parts: u64, text: &str) -> Progress {
        let target = if self.progress { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(parts), target);
        if let Ok(style) = ProgressStyle::with_template("  {msg} {bar:30} {human_pos}/{human_len}  {eta} left") {
            bar.set_style(style.progress_chars(self.signs.bar));
        }
        bar.set_message(text.to_owned());
        Progress(bar)
    }

    fn line(&self, sign: &str, colour: &str, coloured: bool, text: &str, took: Option<Duration>) -> String {
        let sign = if coloured { format!("{colour}{sign}{PLAIN}") } else { sign.to_owned() };
        let Some(took) = took else { return format!("  {sign} {text}") };
        let ms = format!("{} ms", took.as_millis());
        let space = COLUMNS.saturating_sub(4 + text.chars().count() + ms.chars().count()).max(1);
        format!("  {sign} {text}{}{ms}", " ".repeat(space))
    }
}

/// A bar, taken away when dropped.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// So many more parts are done.
    pub fn advance(&self, parts: u64) {
        self.0.inc(parts);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

// Whoever closed the pipe does not want to hear the rest: that is no failure of ours.
fn out(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

fn err(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ui(signs: Signs) -> Ui {
        Ui { json: false, signs, colour_out: false, colour_err: false, progress: false }
    }

    #[test]
    fn times_stand_in_one_column_within_eighty() {
        let ui = ui(UTF8);
        for text in ["short", "Speaker SPK-000123 called home and fetched its firmware"] {
            let line = ui.line(ui.signs.tick, GREEN, false, text, Some(Duration::from_millis(41)));
            assert_eq!(line.chars().count(), COLUMNS, "{line}");
            assert!(line.ends_with(" 41 ms"));
        }
    }

    #[test]
    fn without_utf8_every_sign_is_ascii() {
        let ui = ui(ASCII);
        assert!(ui.line(ui.signs.tick, GREEN, false, "done", None).is_ascii());
        assert!(ui.signs.cross.is_ascii() && ui.signs.bar.is_ascii());
    }

    #[test]
    fn colour_is_never_alone() {
        let ui = ui(UTF8);
        assert!(ui.line(ui.signs.cross, RED, true, "lost", None).contains('✗'));
    }
}
