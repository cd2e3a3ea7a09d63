//! Key sets (RFC 7517 §5). Owns: which members of a set are usable.

use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::{Jwk, JwkError};
use crate::json;

/// The most keys read out of one set.
const MAX_KEYS: usize = 64;

/// The usable public keys of a set, in its order.
#[derive(Clone, Debug, Default)]
pub struct JwkSet {
    keys: Vec<Jwk>,
}

impl JwkSet {
    /// A set of these keys, for rendering.
    pub fn new(keys: Vec<Jwk>) -> JwkSet {
        JwkSet { keys }
    }

    /// Reads a set from strict JSON. A key of a type or algorithm we do not
    /// know is left out, as RFC 7517 §5 asks; one with private material, a
    /// malformed or a weak one makes the whole set refused, because its
    /// publisher should hear of it.
    ///
    /// # Errors
    /// [`JwkError`] of the set or of the first key that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<JwkSet, JwkError> {
        JwkSet::from_members(&json::parse_object(bytes).map_err(|_| JwkError::Malformed)?)
    }

    /// Reads a set that is a member of a document already read strictly.
    ///
    /// # Errors
    /// As [`JwkSet::parse`].
    pub fn from_json(value: &Value) -> Result<JwkSet, JwkError> {
        JwkSet::from_members(value.as_object().ok_or(JwkError::Malformed)?)
    }

    fn from_members(members: &Map<alloc::string::String, Value>) -> Result<JwkSet, JwkError> {
        let listed = members.get("keys").and_then(Value::as_array).ok_or(JwkError::Member)?;
        if listed.len() > MAX_KEYS {
            return Err(JwkError::Malformed);
        }
        let mut keys = Vec::new();
        for value in listed {
            match Jwk::from_json(value) {
                Ok(key) => keys.push(key),
                Err(JwkError::UnknownType | JwkError::Alg) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(JwkSet { keys })
    }

    /// The keys, in the order of the set.
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// The first key with this `kid`.
    pub fn find(&self, kid: &str) -> Option<&Jwk> {
        self.keys.iter().find(|key| key.kid() == Some(kid))
    }

    /// The set as `{"keys":[...]}`.
    pub fn to_json(&self) -> Value {
        let keys = self.keys.iter().map(Jwk::to_json).collect();
        Value::Object(Map::from_iter([("keys".into(), Value::Array(keys))]))
    }
}
