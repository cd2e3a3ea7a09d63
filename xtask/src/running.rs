//! A server under test: started, waited for until it says it is ready, stopped.
//!
//! Owns: the ready line and what of it the tests are told, the end of its own process.
//! Does not own: which program is started.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::workshop::{Failure, spelled};

/// A debug build hashes passwords and makes a thousand certificates before it is ready.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// Longer than any drain a test leaves behind.
const GONE_WITHIN: Duration = Duration::from_secs(15);
/// How much of what it said is shown when it fails.
const LINES_SHOWN: usize = 20;

/// A process that is stopped when this value goes.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    facts: Vec<(String, String)>,
}

impl Running {
    /// Starts the program and waits for its line `{"step":"ready", ...}`, or `{"ready":true, ...}`.
    pub(crate) fn start(command: &mut Command) -> Result<Self, Failure> {
        Self::start_within(command, READY_WITHIN)
    }

    fn start_within(command: &mut Command, limit: Duration) -> Result<Self, Failure> {
        let name = spelled(command);
        println!("$ {name} &");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| Failure::new(format!("`{name}` could not be run: {e}")))?;
        let lines = child.stdout.take().map(lines_of).ok_or_else(|| Failure::new("a process without an output"))?;
        // From here on a failure stops the process too.
        let mut running = Self { child, lines, facts: Vec::new() };
        let deadline = Instant::now() + limit;
        let mut said = VecDeque::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let cause = match running.lines.recv_timeout(left) {
                Ok(line) => {
                    if let Some(facts) = ready_facts(&line) {
                        running.facts = facts;
                        return Ok(running);
                    }
                    said.push_back(line);
                    if said.len() > LINES_SHOWN {
                        said.pop_front();
                    }
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => format!("was not ready within {} s", limit.as_secs()),
                Err(RecvTimeoutError::Disconnected) => "ended before it was ready".to_owned(),
            };
            let said: Vec<String> = said.into();
            return Err(Failure::new(format!("`{name}` {cause}; it said last:\n  {}", said.join("\n  "))));
        }
    }

    /// What the ready line told, as names and values of environment variables.
    pub(crate) fn facts(&self) -> &[(String, String)] {
        &self.facts
    }
}

impl Drop for Running {
    /// Asks first, so that it can take its folders with it.
    fn drop(&mut self) {
        let asked = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status();
        let deadline = Instant::now() + GONE_WITHIN;
        // Its output closes when it ends.
        while asked.is_ok() {
            let left = deadline.saturating_duration_since(Instant::now());
            if self.lines.recv_timeout(left).is_err() {
                break;
            }
        }
        // Harmless to a process that is gone: its id is ours until `wait`.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads to the end even when nobody listens, so that the process never waits on a full pipe.
fn lines_of(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    receiver
}

/// `issuer` becomes `KEYFOB_ISSUER`; anything but text and numbers is left out.
fn ready_facts(line: &str) -> Option<Vec<(String, String)>> {
    let Ok(Value::Object(line)) = serde_json::from_str(line) else {
        return None;
    };
    let is_ready = line.get("step").and_then(Value::as_str) == Some("ready")
        || line.get("ready").and_then(Value::as_bool) == Some(true);
    if !is_ready {
        return None;
    }
    let facts = line.iter().filter(|(name, _)| !matches!(name.as_str(), "step" | "ok" | "ms"));
    let variables = facts.filter_map(|(name, value)| {
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        Some((format!("KEYFOB_{}", name.to_uppercase()), value))
    });
    Some(variables.collect())
}

#[cfg(test)]
mod tests {
    use super::{Running, ready_facts};
    use std::process::Command;
    use std::time::Duration;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn the_ready_line_is_told_as_variables() {
        let line =
            r#"{"step":"ready","ok":true,"ms":412,"issuer":"https://localhost:8443","device_port":8444,"users":[]}"#;
        let mut facts = ready_facts(line).expect("a ready line");
        facts.sort();
        assert_eq!(
            facts,
            [
                ("KEYFOB_DEVICE_PORT".to_owned(), "8444".to_owned()),
                ("KEYFOB_ISSUER".to_owned(), "https://localhost:8443".to_owned()),
            ]
        );
    }

    #[test]
    fn a_server_says_that_it_is_ready_in_its_own_way() {
        let facts = ready_facts(r#"{"ready":true,"people":"127.0.0.1:1"}"#).expect("a ready line");
        assert_eq!(facts, [("KEYFOB_PEOPLE".to_owned(), "127.0.0.1:1".to_owned())]);
    }

    #[test]
    fn other_lines_are_not_ready() {
        for line in ["", "ready", "[]", r#"{"step":"factory","ok":true}"#, r#"{"ready":false}"#] {
            assert_eq!(ready_facts(line), None, "{line}");
        }
    }

    #[test]
    fn lines_before_the_ready_one_are_passed_over_and_the_process_is_stopped() {
        let folder = std::env::temp_dir().join(format!("xtask-running-{}", std::process::id()));
        let mark = folder.display();
        let running = Running::start(&mut shell(&format!(
            r#"trap 'echo gone > {mark}; exit' TERM
               echo '{{"step":"factory"}}'; echo '{{"step":"ready","ca":"ca.pem"}}'
               while :; do sleep 0.01; done"#
        )))
        .expect("it says that it is ready");
        assert_eq!(running.facts(), [("KEYFOB_CA".to_owned(), "ca.pem".to_owned())]);
        drop(running);
        let left = std::fs::read_to_string(&folder).expect("it was asked to end and had the time to");
        std::fs::remove_file(&folder).expect("the mark is ours");
        assert_eq!(left, "gone\n");
    }

    #[test]
    fn an_early_end_shows_what_was_said() {
        let failure = Running::start(&mut shell("echo port taken; exit 3")).err().expect("no ready line");
        assert!(failure.to_string().contains("ended before it was ready"), "{failure}");
        assert!(failure.to_string().contains("port taken"), "{failure}");
    }

    #[test]
    fn silence_ends_at_the_limit() {
        let started = Running::start_within(&mut shell("exec tail -f /dev/null"), Duration::from_millis(50));
        let failure = started.err().expect("it says nothing");
        assert!(failure.to_string().contains("was not ready"), "{failure}");
    }
}
