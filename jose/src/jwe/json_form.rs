//! The general JSON form (RFC 7516 §7.2.1): one ciphertext, several recipients.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::{Addressed, Encrypted, Header, JweError, MAX_JSON_LEN, MAX_RECIPIENTS, decode};
use crate::json;

pub(super) fn parse(bytes: &[u8]) -> Result<Encrypted, JweError> {
    if bytes.len() > MAX_JSON_LEN {
        return Err(JweError::TooLong);
    }
    let message = json::parse_object(bytes).map_err(|_| JweError::Malformed)?;
    if ["unprotected", "aad"].iter().any(|name| message.contains_key(*name)) {
        return Err(JweError::Form);
    }
    let protected = part(&message, "protected")?;
    let shared = json::parse_object(&decode(protected)?).map_err(|_| JweError::Header)?;
    let listed = message.get("recipients").and_then(Value::as_array).ok_or(JweError::Malformed)?;
    if listed.is_empty() || listed.len() > MAX_RECIPIENTS {
        return Err(JweError::Recipients);
    }
    let recipients = listed.iter().map(|value| recipient(&shared, value)).collect::<Result<Vec<_>, _>>()?;
    // With direct agreement the one secret is the content key, which two
    // recipients cannot have in common.
    if recipients.len() > 1 && recipients.iter().any(|recipient| recipient.header.alg().is_direct()) {
        return Err(JweError::Recipients);
    }
    Encrypted::assemble(
        recipients,
        protected,
        part(&message, "iv")?,
        part(&message, "ciphertext")?,
        part(&message, "tag")?,
    )
}

fn recipient(shared: &Map<String, Value>, value: &Value) -> Result<Addressed, JweError> {
    let members = value.as_object().ok_or(JweError::Malformed)?;
    let none = Map::new();
    let own = match members.get("header") {
        None => &none,
        Some(own) => own.as_object().ok_or(JweError::Header)?,
    };
    let key = match members.get("encrypted_key") {
        None => Vec::new(),
        Some(key) => decode(key.as_str().ok_or(JweError::Malformed)?)?,
    };
    Addressed::new(Header::join(shared, own)?, key)
}

fn part<'a>(message: &'a Map<String, Value>, name: &str) -> Result<&'a str, JweError> {
    message.get(name).and_then(Value::as_str).ok_or(JweError::Malformed)
}
