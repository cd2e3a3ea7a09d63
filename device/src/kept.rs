//! Tokens with the time they came: what a device keeps over a loss of power.

use alloc::string::{String, ToString};

use serde_json::{Map, Value};

use crate::refusal::AnswerError;
use crate::secret::Secret;
use crate::token::Tokens;

/// Tokens with the time they came, Unix seconds by the server's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The tokens.
    pub tokens: Tokens,
    /// When they came.
    pub received_at: i64,
}

impl Kept {
    /// True while the access token lives for at least `margin` more seconds.
    /// One of unknown life counts as dead: refresh it.
    pub fn is_fresh(&self, now: i64, margin: u32) -> bool {
        let life = self.tokens.expires_in.map_or(0, i64::from);
        now.saturating_add(i64::from(margin)) < self.received_at.saturating_add(life)
    }

    /// When the access token ends, Unix seconds; `None` when its life is
    /// unknown.
    pub fn expires_at(&self) -> Option<i64> {
        Some(self.received_at.saturating_add(i64::from(self.tokens.expires_in?)))
    }

    /// The members of a JSON object that [`Kept::read`] reads.
    pub(crate) fn to_members(&self) -> Map<String, Value> {
        let Tokens { access_token, token_type, expires_in, refresh_token, scope, issued_token_type } = &self.tokens;
        let members = [
            ("access_token", Some(Value::from(access_token.expose()))),
            ("token_type", Some(token_type.scheme().into())),
            ("expires_in", expires_in.map(Value::from)),
            ("refresh_token", refresh_token.as_ref().map(Secret::expose).map(Value::from)),
            ("scope", scope.clone().map(Value::from)),
            ("issued_token_type", issued_token_type.clone().map(Value::from)),
            ("received_at", Some(self.received_at.into())),
        ];
        members.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?))).collect()
    }

    pub(crate) fn read(members: &Map<String, Value>) -> Result<Kept, AnswerError> {
        let received_at = members.get("received_at").and_then(Value::as_i64);
        let received_at = received_at.ok_or(AnswerError::Member("received_at"))?;
        Ok(Kept { tokens: Tokens::read(members)?, received_at })
    }
}
