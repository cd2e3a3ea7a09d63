//! Replies kept under an `Idempotency-Key`: in the same commit as the effect,
//! sealed, since they may hold a secret that was shown once.

use serde::{Deserialize, Serialize};
use store::{Change, IdempotentReply};

use super::caller::Caller;
use crate::app::App;
use crate::draw::Draw;
use crate::fault::Fault;

/// How long a reply is kept, seconds.
const KEPT: i64 = 86_400;

/// A reply as it went out, and goes out again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptReply {
    /// Status.
    pub status: u16,
    /// Fields worth repeating, lower-case names.
    pub headers: Vec<(String, String)>,
    /// Body, JSON.
    pub body: String,
}

/// Under which key, and for which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepeatKey {
    key: String,
    request: String,
}

impl RepeatKey {
    /// For a caller, an action (method and path) and the key they sent; `body`
    /// tells another request under the same key.
    pub fn new(caller: &Caller, action: &str, key: &str, body: &[u8]) -> Self {
        let place = serde_json::json!([caller.actor().id(), action, key]).to_string();
        Self { key: crate::digest_text(place.as_bytes()), request: crate::digest_text(body) }
    }
}

/// A request that may come again: its key if it has one, and how its answer is
/// rendered.
pub struct Repeat<'a, T> {
    /// The key.
    pub key: Option<RepeatKey>,
    /// Renders what is kept.
    pub render: &'a (dyn Fn(&T) -> KeptReply + Sync),
}

/// What a request that may come again is answered with.
#[derive(Debug)]
pub enum Answer<T> {
    /// It had its effect now.
    Fresh(T),
    /// It had it before.
    Repeated(KeptReply),
}

/// What was found under a key.
pub(super) enum Found {
    Nothing,
    Reply(KeptReply),
    OtherRequest,
}

impl App {
    pub(super) async fn find_reply(&self, key: Option<&RepeatKey>, now: i64) -> Result<Found, Fault> {
        let Some(key) = key else { return Ok(Found::Nothing) };
        let Some(kept) = self.store.load_idempotent(key.key.clone(), now).await? else { return Ok(Found::Nothing) };
        if kept.request != key.request {
            return Ok(Found::OtherRequest);
        }
        let opened = self.keys.open_reply(&key.key, &kept.body).ok_or(Fault::Broken("kept_reply"))?;
        Ok(Found::Reply(serde_json::from_str(opened.expose()).map_err(|_| Fault::Broken("kept_reply"))?))
    }

    /// The change that keeps a reply.
    pub(super) fn keep_reply<T>(
        &self,
        repeat: &Repeat<'_, T>,
        reply: &T,
        draw: &Draw<'_>,
    ) -> Result<Option<Change>, Fault> {
        let Some(key) = &repeat.key else { return Ok(None) };
        let rendered = (repeat.render)(reply);
        let status = rendered.status;
        let text = serde_json::to_string(&rendered).map_err(|_| Fault::Broken("kept_reply"))?;
        let reply = IdempotentReply {
            request: key.request.clone(),
            status,
            body: self.keys.seal_reply(&key.key, &text, draw.bytes()),
            headers: Vec::new(),
            until: draw.now() + KEPT,
        };
        Ok(Some(Change::Idempotent { key: key.key.clone(), reply }))
    }
}
