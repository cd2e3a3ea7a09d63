//! The actor token: what a device says about itself, signed by its own key,
//! when an app registers it with a customer (RFC 8693 §2.1, RFC 7800 §3.2).

use alloc::string::{String, ToString};

use serde_json::{Map, Value, json};

use crate::client_auth;
use crate::machine::{Given, Part};
use crate::refusal::Failure;

/// Life of an actor token in seconds; servers accept at most 600.
const LIFE: i64 = 300;

/// The longest text of an attribute, in characters.
const MAX_TEXT: usize = 255;

/// The most attributes of one's own, and their size as JSON.
const MAX_OWN: usize = 32;
const MAX_OWN_BYTES: usize = 4 * 1024;

/// Names an attribute of one's own cannot have.
const RESERVED: [&str; 16] = [
    "iss",
    "sub",
    "aud",
    "iat",
    "exp",
    "nbf",
    "jti",
    "did",
    "cnf",
    "name",
    "serial_number",
    "model",
    "manufacturer",
    "account_id",
    "contact_id",
    "asset_id",
];

/// What a device says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActorClaims {
    /// The device's did, or the maker's own id: 1 to 128 of `A-Za-z0-9._:-`.
    pub did: String,
    /// The registry's issuer URL.
    pub audience: String,
    /// The name people shall see. Texts are at most 255 characters, without
    /// control characters.
    pub name: Option<String>,
    /// The serial number.
    pub serial_number: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// The maker.
    pub manufacturer: Option<String>,
    /// The account to link to; honoured where the customer may act for it.
    pub account_id: Option<String>,
    /// The contact to link to.
    pub contact_id: Option<String>,
    /// The asset to match.
    pub asset_id: Option<String>,
    /// Attributes of one's own: at most 32 and 4 KiB.
    pub own: Map<String, Value>,
}

/// Why no actor token was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActorError {
    /// The did is empty, too long, or has other characters.
    #[error("the did is not 1 to 128 letters, digits, dots, underscores, colons or hyphens")]
    Did,
    /// A text is too long or holds control characters.
    #[error("`{0}` is longer than 255 characters or holds control characters")]
    Text(&'static str),
    /// An own attribute takes a name that has a meaning, or there are too many.
    #[error("own attributes are more than 32, longer than 4 KiB, or take a reserved name")]
    Own,
}

impl ActorClaims {
    /// Signs the claims, valid for 300 s from the server's present time. The
    /// key that signs is the key named in `cnf`: that is what proves
    /// possession.
    ///
    /// # Errors
    /// [`Failure::Actor`] or [`Failure::Sign`].
    pub fn sign(&self, given: &Given<'_>) -> Result<String, Failure> {
        let now = given.server_now();
        let mut claims = self.own()?;
        for (name, value) in self.texts()? {
            claims.insert(name.into(), value.into());
        }
        for (name, value) in [
            ("iss", json!(self.did)),
            ("sub", json!(self.did)),
            ("did", json!(self.did)),
            ("aud", json!(self.audience)),
            ("iat", json!(now)),
            ("exp", json!(now.saturating_add(LIFE))),
            ("jti", json!(given.id(Part::Actor))),
            ("cnf", json!({ "jwk": given.signer.jwk().to_bare_json() })),
        ] {
            claims.insert(name.into(), value);
        }
        client_auth::sign("actor+jwt", None, &Map::new(), &Value::Object(claims), given)
    }

    fn texts(&self) -> Result<impl Iterator<Item = (&'static str, &str)>, ActorError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-');
        if !(1..=128).contains(&self.did.len()) || !self.did.bytes().all(allowed) {
            return Err(ActorError::Did);
        }
        let texts = [
            ("name", &self.name),
            ("serial_number", &self.serial_number),
            ("model", &self.model),
            ("manufacturer", &self.manufacturer),
            ("account_id", &self.account_id),
            ("contact_id", &self.contact_id),
            ("asset_id", &self.asset_id),
        ];
        let texts = texts.map(|(name, text)| (name, text.as_deref()));
        for (name, text) in texts {
            if text.is_some_and(|text| text.chars().count() > MAX_TEXT || text.chars().any(char::is_control)) {
                return Err(ActorError::Text(name));
            }
        }
        Ok(texts.into_iter().filter_map(|(name, text)| Some((name, text?))))
    }

    fn own(&self) -> Result<Map<String, Value>, ActorError> {
        let reserved = self.own.keys().any(|name| RESERVED.contains(&name.as_str()));
        let size = Value::Object(self.own.clone()).to_string().len();
        if reserved || self.own.len() > MAX_OWN || size > MAX_OWN_BYTES {
            return Err(ActorError::Own);
        }
        Ok(self.own.clone())
    }
}
