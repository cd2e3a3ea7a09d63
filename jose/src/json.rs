//! Strict JSON. Owns: duplicate members and depth.
//!
//! A header or claim named twice is read differently by different readers
//! (RFC 7515 §4, RFC 7519 §4), so it is refused at every depth.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Objects and arrays may nest this deep, the outermost counted.
pub const MAX_DEPTH: usize = 16;

/// The bytes are not one JSON object by the strict rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// No JSON, a duplicate member, or nested deeper than [`MAX_DEPTH`].
    #[error("malformed JSON, duplicate member or nested too deep")]
    Malformed,
    /// JSON, but the outermost value is no object.
    #[error("not a JSON object")]
    NotAnObject,
}

/// Reads exactly one JSON object: UTF-8, no byte order mark, nothing after it,
/// no member twice at any depth, at most [`MAX_DEPTH`] levels.
///
/// # Errors
/// [`JsonError`]; the caller bounds the length beforehand.
pub fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, JsonError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0 }.deserialize(&mut reader).map_err(|_| JsonError::Malformed)?;
    reader.end().map_err(|_| JsonError::Malformed)?;
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(JsonError::NotAnObject),
    }
}

/// Reads one value under the same rules out of any serde source.
pub(crate) fn strict_value<'de, D: Deserializer<'de>>(source: D) -> Result<Value, D::Error> {
    Strict { depth: 0 }.deserialize(source)
}

#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: de::Error>(self) -> Result<Strict, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom("nested too deep"));
        }
        Ok(Strict { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.into()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut source: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = source.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut source: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut members = Map::new();
        while let Some(name) = source.next_key::<String>()? {
            let value = source.next_value_seed(inner)?;
            if members.insert(name, value).is_some() {
                return Err(de::Error::custom("duplicate member"));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn an_ordinary_object_reads_as_written() {
        let text = br#"{"a":[1,-2,2.5,null,true,{"b":"\u00e9"}],"c":{}}"#;
        let read = parse_object(text).unwrap();
        assert_eq!(Value::Object(read), serde_json::from_slice::<Value>(text).unwrap());
    }

    #[test]
    fn a_member_named_twice_is_refused_at_every_depth() {
        for text in
            [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"{"o":{"a":1,"a":2}}"#, r#"{"o":[0,{"a":1,"b":2,"a":2}]}"#]
        {
            assert_eq!(parse_object(text.as_bytes()), Err(JsonError::Malformed), "{text}");
        }
    }

    #[test]
    fn anything_but_one_object_is_refused() {
        for text in ["[]", "1", "\"a\"", "null"] {
            assert_eq!(parse_object(text.as_bytes()), Err(JsonError::NotAnObject));
        }
        for text in ["", "{}{}", "{} x", "\u{feff}{}", "{\"a\":1,}", "{\"a\":1e999}", "{'a':1}"] {
            assert_eq!(parse_object(text.as_bytes()), Err(JsonError::Malformed));
        }
        assert_eq!(parse_object(b"{\"a\":\"\xff\"}"), Err(JsonError::Malformed));
        assert_eq!(parse_object(br#"{"a":"\ud800"}"#), Err(JsonError::Malformed));
    }

    #[test]
    fn depth_is_bounded_and_the_bound_itself_passes() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        assert!(parse_object(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(parse_object(nested(MAX_DEPTH + 1).as_bytes()), Err(JsonError::Malformed));
        assert_eq!(parse_object(nested(200_000).as_bytes()), Err(JsonError::Malformed));
    }
}
