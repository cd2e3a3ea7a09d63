//! The `cnf` claim (RFC 7800 §3): which key a token is bound to. Owns: reading
//! and writing it. Does not own: the proof that fits it.
//!
//! Whatever cannot be checked here is refused, so that a bound token never
//! becomes a bearer token.

use alloc::string::String;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};

use crate::{Jwk, Thumbprint, json};

/// The one key or certificate a token is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// `jkt`: thumbprint of the key that proves itself by DPoP (RFC 9449 §6.1).
    Key(Thumbprint),
    /// `jwk`: the key itself (RFC 7800 §3.2); its thumbprint is what a DPoP
    /// proof is compared with.
    FullKey(Jwk),
    /// `x5t#S256`: SHA-256 of the DER of the TLS client certificate
    /// (RFC 8705 §3.1).
    Certificate(Thumbprint),
}

/// Why a `cnf` cannot be relied on; the token that holds it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfirmationError {
    /// No object, or a member of the wrong type or form.
    #[error("the confirmation is malformed")]
    Malformed,
    /// `jku` or `jwe` (RFC 7800 §3.3, §3.5): following an address a token names
    /// is request forgery, and no key is shared to open an encrypted one.
    #[error("the confirmation names its key in a way that is not accepted")]
    NotAccepted,
    /// No member we can check, `kid` alone included.
    #[error("the confirmation holds nothing that can be checked")]
    Nothing,
    /// A key and a certificate, or `jwk` and `jkt` of different keys
    /// (RFC 7800 §3.1: one token, one key).
    #[error("the confirmation speaks of two keys")]
    TwoKeys,
}

impl Confirmation {
    /// Reads the value of a `cnf` claim that was read strictly. Members we do
    /// not know are ignored beside one we do (RFC 7800 §3.1).
    ///
    /// # Errors
    /// [`ConfirmationError`].
    pub fn from_json(value: &Value) -> Result<Confirmation, ConfirmationError> {
        let members = value.as_object().ok_or(ConfirmationError::Malformed)?;
        if members.contains_key("jku") || members.contains_key("jwe") {
            return Err(ConfirmationError::NotAccepted);
        }
        let jwk = match members.get("jwk") {
            None => None,
            Some(value) => Some(Jwk::from_json(value).map_err(|_| ConfirmationError::Malformed)?),
        };
        let jkt = thumbprint(members, "jkt")?;
        let certificate = thumbprint(members, "x5t#S256")?;
        match (jwk, jkt, certificate) {
            (None, None, None) => Err(ConfirmationError::Nothing),
            (None, None, Some(certificate)) => Ok(Confirmation::Certificate(certificate)),
            (None, Some(jkt), None) => Ok(Confirmation::Key(jkt)),
            (Some(jwk), None, None) => Ok(Confirmation::FullKey(jwk)),
            (Some(jwk), Some(jkt), None) if jwk.thumbprint() == jkt => Ok(Confirmation::FullKey(jwk)),
            _ => Err(ConfirmationError::TwoKeys),
        }
    }

    /// The value for a `cnf` claim.
    pub fn to_json(&self) -> Value {
        let (name, value) = match self {
            Confirmation::Key(jkt) => ("jkt", Value::String(alloc::format!("{jkt}"))),
            Confirmation::FullKey(jwk) => ("jwk", jwk.to_bare_json()),
            Confirmation::Certificate(digest) => ("x5t#S256", Value::String(alloc::format!("{digest}"))),
        };
        Value::Object(Map::from_iter([(String::from(name), value)]))
    }

    /// The thumbprint of the bound key; `None` for a certificate.
    pub fn key_thumbprint(&self) -> Option<Thumbprint> {
        match self {
            Confirmation::Key(jkt) => Some(*jkt),
            Confirmation::FullKey(jwk) => Some(jwk.thumbprint()),
            Confirmation::Certificate(_) => None,
        }
    }

    /// The digest of the bound certificate; `None` for a key.
    pub fn certificate_digest(&self) -> Option<Thumbprint> {
        match self {
            Confirmation::Certificate(digest) => Some(*digest),
            Confirmation::Key(_) | Confirmation::FullKey(_) => None,
        }
    }
}

fn thumbprint(members: &Map<String, Value>, name: &str) -> Result<Option<Thumbprint>, ConfirmationError> {
    match members.get(name) {
        None => Ok(None),
        Some(value) => {
            let text = value.as_str().ok_or(ConfirmationError::Malformed)?;
            text.parse().map(Some).map_err(|_| ConfirmationError::Malformed)
        }
    }
}

impl Serialize for Confirmation {
    fn serialize<S: Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(sink)
    }
}

impl<'de> Deserialize<'de> for Confirmation {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let value = json::strict_value(source)?;
        Confirmation::from_json(&value).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const JKT: &str = "jq-Abjit1KD2Wx0wdYwfnPJdS-lzqzP6XK4JMrJiI7M";
    const OTHER: &str = "6X4npvP8WF-D5MPVERN0APMxE2gsRqWhYQv8R6I3cqo";

    fn jwk() -> Value {
        json!({
            "kty": "EC", "crv": "P-256",
            "x": "uRRUKBtvceMuVvyDFf59-nfP3C1SnegNWgSTTjKtuAI",
            "y": "JzSXBo4QmecYtIjYzVDFVMbLhvMJGVR6IWknNcwXSPQ"
        })
    }

    #[test]
    fn every_binding_reads_and_writes_the_same() {
        for value in [json!({"jkt": JKT}), json!({"x5t#S256": OTHER}), json!({"jwk": jwk()})] {
            let read = Confirmation::from_json(&value).unwrap();
            assert_eq!(read.to_json(), value);
            let text = serde_json::to_string(&read).unwrap();
            assert_eq!(serde_json::from_str::<Confirmation>(&text).unwrap(), read);
            assert_ne!(read.key_thumbprint().is_some(), read.certificate_digest().is_some());
        }
    }

    #[test]
    fn a_full_key_is_compared_by_its_thumbprint() {
        for value in [json!({"jwk": jwk()}), json!({"jwk": jwk(), "jkt": JKT}), json!({"jkt": JKT, "unknown": 1})] {
            let read = Confirmation::from_json(&value).unwrap();
            assert_eq!(read.key_thumbprint(), JKT.parse().ok(), "{value}");
        }
    }

    #[test]
    fn two_keys_in_one_token_are_refused() {
        for value in [
            json!({"jwk": jwk(), "jkt": OTHER}),
            json!({"jkt": JKT, "x5t#S256": OTHER}),
            json!({"jwk": jwk(), "x5t#S256": OTHER}),
        ] {
            assert_eq!(Confirmation::from_json(&value), Err(ConfirmationError::TwoKeys), "{value}");
        }
    }

    #[test]
    fn an_address_an_encrypted_key_or_nothing_known_is_refused() {
        for value in [
            json!({"jku": "https://evil.example/keys", "kid": "a"}),
            json!({"jku": "https://evil.example/keys", "jkt": JKT}),
            json!({"jwe": "a.b.c.d.e"}),
        ] {
            assert_eq!(Confirmation::from_json(&value), Err(ConfirmationError::NotAccepted), "{value}");
        }
        for value in [json!({}), json!({"kid": "a"}), json!({"unknown": JKT}), json!({"x5t": JKT})] {
            assert_eq!(Confirmation::from_json(&value), Err(ConfirmationError::Nothing), "{value}");
        }
    }

    #[test]
    fn a_private_a_broken_or_a_mistyped_binding_is_refused() {
        let mut private = jwk();
        private.as_object_mut().unwrap().insert("d".into(), json!("AQ"));
        for value in [
            json!(JKT),
            json!(null),
            json!({"jkt": 1}),
            json!({"jkt": null, "x5t#S256": OTHER}),
            json!({"jkt": &JKT[1..]}),
            json!({"x5t#S256": "AA=="}),
            json!({"jwk": private}),
        ] {
            assert_eq!(Confirmation::from_json(&value), Err(ConfirmationError::Malformed), "{value}");
        }
    }
}
