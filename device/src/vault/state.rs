//! What a vault holds, and its form as JSON: keys, a rotation begun, tokens.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use jose::{base64url, json};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::frame::SlotError;
use crate::kept::Kept;

/// The longest key kept, in bytes.
const MAX_KEY: usize = 4096;

/// A private key as bytes (PKCS#8), or what names it in a secure element.
/// Wiped when dropped, and in no debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyMaterial(Zeroizing<Vec<u8>>);

/// Not 1 to 4096 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key is 1 to 4096 bytes")]
pub struct KeyLength;

impl KeyMaterial {
    /// Takes 1 to 4096 bytes.
    ///
    /// # Errors
    /// [`KeyLength`].
    pub fn new(bytes: Vec<u8>) -> Result<KeyMaterial, KeyLength> {
        let bytes = Zeroizing::new(bytes);
        if (1..=MAX_KEY).contains(&bytes.len()) { Ok(KeyMaterial(bytes)) } else { Err(KeyLength) }
    }

    /// Shows the bytes to whatever signs with them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyMaterial")
    }
}

/// The key that is to take the present one's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextKey {
    /// The key.
    pub key: KeyMaterial,
    /// The server knows it. Until then it may or may not: the answer may have
    /// been lost, so tell it again.
    pub staged: bool,
}

/// What a device keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The key the device proves itself by.
    pub key: Option<KeyMaterial>,
    /// Its successor while a rotation is under way. Both prove the device: a
    /// server takes the new one at its first use and the old one for some time
    /// after.
    pub next: Option<NextKey>,
    /// The asset token.
    pub asset: Option<Kept>,
    /// The tokens of a pairing, with its refresh token.
    pub paired: Option<Kept>,
}

impl State {
    /// Reads the content of a record. Members it does not know are refused: a
    /// later form has a version of its own.
    ///
    /// # Errors
    /// [`SlotError::Content`].
    pub fn parse(content: &[u8]) -> Result<State, SlotError> {
        let mut members = json::parse_object(content).map_err(|_| SlotError::Content)?;
        let mut state = State { key: take_key(&mut members, "key")?, ..State::default() };
        if let Some(mut next) = take_object(&mut members, "next")? {
            let key = take_key(&mut next, "key")?.ok_or(SlotError::Content)?;
            let staged = next.remove("staged").as_ref().and_then(Value::as_bool).ok_or(SlotError::Content)?;
            state.next = Some(NextKey { key, staged });
            none_left(&next)?;
        }
        for (name, place) in [("asset", &mut state.asset), ("paired", &mut state.paired)] {
            let kept = take_object(&mut members, name)?;
            *place = kept.map(|kept| Kept::read(&kept)).transpose().map_err(|_| SlotError::Content)?;
        }
        none_left(&members)?;
        // A successor without a predecessor, or of itself, was never written.
        let sound = state.next.as_ref().is_none_or(|next| state.key.as_ref().is_some_and(|key| *key != next.key));
        if sound { Ok(state) } else { Err(SlotError::Content) }
    }

    /// The content of a record.
    pub fn render(&self) -> Zeroizing<Vec<u8>> {
        let key = |key: &KeyMaterial| Value::from(base64url::encode(key.expose()));
        let next = self.next.as_ref().map(|next| {
            let members = [("key", key(&next.key)), ("staged", next.staged.into())];
            Value::Object(members.into_iter().map(|(name, value)| (name.to_string(), value)).collect())
        });
        let kept = |kept: &Option<Kept>| kept.as_ref().map(|kept| Value::Object(kept.to_members()));
        let members = [
            ("key", self.key.as_ref().map(key)),
            ("next", next),
            ("asset", kept(&self.asset)),
            ("paired", kept(&self.paired)),
        ];
        let members: Map<String, Value> =
            members.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?))).collect();
        Zeroizing::new(Value::Object(members).to_string().into_bytes())
    }
}

fn take_key(members: &mut Map<String, Value>, name: &str) -> Result<Option<KeyMaterial>, SlotError> {
    let Some(value) = members.remove(name) else {
        return Ok(None);
    };
    let bytes = value.as_str().and_then(|text| base64url::decode(text.as_bytes()).ok());
    let key = bytes.and_then(|bytes| KeyMaterial::new(bytes).ok());
    key.map(Some).ok_or(SlotError::Content)
}

fn take_object(members: &mut Map<String, Value>, name: &str) -> Result<Option<Map<String, Value>>, SlotError> {
    match members.remove(name) {
        None => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(SlotError::Content),
    }
}

fn none_left(members: &Map<String, Value>) -> Result<(), SlotError> {
    if members.is_empty() { Ok(()) } else { Err(SlotError::Content) }
}
