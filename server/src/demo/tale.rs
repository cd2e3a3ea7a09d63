//! How the story is told: one line per step with a tick and its time, or one
//! object. Owns measuring. A step that fails ends the story.

use std::time::Duration;

use jose::jws::Unverified;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::trouble::Lived;
use crate::command::{Exit, Failure, Ui};

/// Tells step after step.
pub(super) struct Tale {
    ui: Option<Ui>,
}

/// What a step has to tell, and what the next ones go on with.
pub(super) struct Told<T> {
    /// One plain line.
    pub(super) line: String,
    /// The facts, as an object. Tokens only as [`decoded`].
    pub(super) facts: Value,
    /// What came of it.
    pub(super) yields: T,
}

impl Tale {
    pub(super) fn begin(ui: Ui) -> Self {
        if !ui.is_json() {
            ui.result(&Value::Null, "Keyfob demo: the life of a smart speaker");
        }
        Self { ui: Some(ui) }
    }

    /// Tells nobody.
    pub(super) fn silent() -> Self {
        Self { ui: None }
    }

    /// Lives one step and tells it.
    pub(super) fn step<T>(&self, name: &str, live: impl FnOnce() -> Lived<Told<T>>) -> Result<T, Failure> {
        let began = Instant::now();
        let lived = live();
        let took = began.elapsed();
        match lived {
            Ok(told) => {
                self.ui.iter().for_each(|ui| ui.done(&told.line, Some(took)));
                self.tell(name, true, took, told.facts);
                Ok(told.yields)
            }
            Err(trouble) => {
                self.ui.iter().for_each(|ui| ui.failed(&format!("{name}: {}", trouble.0), Some(took)));
                self.tell(name, false, took, json!({ "cause": trouble.0 }));
                Err(Failure::new(Exit::Failed, format!("the step {name} failed: {}", trouble.0)))
            }
        }
    }

    fn tell(&self, name: &str, ok: bool, took: Duration, facts: Value) {
        if let Some(ui) = self.ui.filter(Ui::is_json) {
            let mut object = Map::new();
            object.insert("step".to_owned(), name.into());
            object.insert("ok".to_owned(), ok.into());
            object.insert("ms".to_owned(), json!(took.as_millis()));
            object.extend(facts.as_object().cloned().unwrap_or_default());
            ui.result(&Value::Object(object), "");
        }
    }
}

/// A token as it may be shown: header and payload, without its signature.
pub(super) fn decoded(token: &str) -> Value {
    let part = |at: usize| -> Option<Value> {
        let bytes = jose::base64url::decode(token.split('.').nth(at)?).ok()?;
        serde_json::from_slice(&bytes).ok()
    };
    match Unverified::parse(token) {
        Ok(_) => json!({ "header": part(0), "payload": part(1) }),
        Err(_) => json!("opaque"),
    }
}

/// A claim of a token that is a text.
pub(super) fn claim<'a>(decoded: &'a Value, name: &str) -> &'a str {
    decoded.pointer(&format!("/payload/{name}")).and_then(Value::as_str).unwrap_or_default()
}
