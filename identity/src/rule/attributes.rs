//! Attributes by the schema of their product: a small part of JSON Schema.
//! Knows `type` (`string number integer boolean`), `enum`, `minimum`, `maximum`,
//! `maxLength`; at the top `properties`, `required`, `additionalProperties`
//! (true, the default, or false). Whatever else a schema says is refused when
//! the schema is set, so that nothing is silently not checked. No patterns:
//! foreign patterns cost foreign time.

use core::fmt;

use serde_json::{Map, Value};

/// At most so many attributes.
pub const MAX_COUNT: usize = 32;
/// At most so many bytes, as compact JSON.
pub const MAX_BYTES: usize = 4096;

/// What is wrong, in words.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Violation(String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn violation<T>(text: impl Into<String>) -> Result<T, Violation> {
    Err(Violation(text.into()))
}

/// Checks that a schema stays within the part that is understood.
///
/// # Errors
/// [`Violation`] names the first word that is not.
pub fn check_schema(schema: &Value) -> Result<(), Violation> {
    let Some(top) = schema.as_object() else { return violation("the schema must be an object") };
    for (word, value) in top {
        match word.as_str() {
            "$schema" | "title" | "description" => {}
            "type" if value == "object" => {}
            "additionalProperties" if value.is_boolean() => {}
            "required" if value.as_array().is_some_and(|names| names.iter().all(Value::is_string)) => {}
            "properties" => check_properties(value)?,
            _ => return violation(format!("the schema's \"{}\" is not understood", shorten(word))),
        }
    }
    Ok(())
}

fn check_properties(value: &Value) -> Result<(), Violation> {
    let Some(properties) = value.as_object() else { return violation("\"properties\" must be an object") };
    for (name, rules) in properties {
        let Some(rules) = rules.as_object() else {
            return violation(format!("\"{}\" must be an object", shorten(name)));
        };
        for (word, value) in rules {
            let sound = match word.as_str() {
                "title" | "description" => true,
                "type" => matches!(value.as_str(), Some("string" | "number" | "integer" | "boolean")),
                "enum" => value.as_array().is_some_and(|allowed| !allowed.is_empty()),
                "minimum" | "maximum" => value.is_number(),
                "maxLength" => value.is_u64(),
                _ => false,
            };
            if !sound {
                return violation(format!("\"{}\" of \"{}\" is not understood", shorten(word), shorten(name)));
            }
        }
    }
    Ok(())
}

/// Checks attributes against sizes, and against the schema if there is one.
///
/// # Errors
/// [`Violation`] names the attribute and what is wrong with it.
pub fn check(schema: Option<&Value>, attributes: &Map<String, Value>) -> Result<(), Violation> {
    if attributes.len() > MAX_COUNT {
        return violation(format!("more than {MAX_COUNT} attributes"));
    }
    if serde_json::to_string(attributes).map_or(usize::MAX, |text| text.len()) > MAX_BYTES {
        return violation(format!("attributes over {MAX_BYTES} bytes"));
    }
    if let Some(name) = attributes.keys().find(|name| !well_named(name)) {
        return violation(format!("\"{}\" is no name for an attribute", shorten(name)));
    }
    if let Some((name, _)) = attributes.iter().find(|(_, value)| holds_nul(value)) {
        return violation(format!("attribute \"{}\" holds the character U+0000", shorten(name)));
    }
    let Some(schema) = schema.and_then(Value::as_object) else { return Ok(()) };
    let empty = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    if let Some(name) = required.filter_map(Value::as_str).find(|name| !attributes.contains_key(*name)) {
        return violation(format!("attribute \"{}\" is missing", shorten(name)));
    }
    let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    for (name, value) in attributes {
        match properties.get(name).and_then(Value::as_object) {
            Some(rules) => check_value(name, value, rules)?,
            None if closed => return violation(format!("attribute \"{}\" is not foreseen", shorten(name))),
            None => {}
        }
    }
    Ok(())
}

fn check_value(name: &str, value: &Value, rules: &Map<String, Value>) -> Result<(), Violation> {
    let name = shorten(name);
    if let Some(wanted) = rules.get("type").and_then(Value::as_str) {
        let fits = match wanted {
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "number" => value.is_number(),
            "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0),
            _ => false,
        };
        if !fits {
            return violation(format!("attribute \"{name}\" must be of type {wanted}"));
        }
    }
    if let Some(allowed) = rules.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        return violation(format!("attribute \"{name}\" is none of the allowed values"));
    }
    if let Some(number) = value.as_f64() {
        if rules.get("minimum").and_then(Value::as_f64).is_some_and(|least| number < least) {
            return violation(format!("attribute \"{name}\" is too small"));
        }
        if rules.get("maximum").and_then(Value::as_f64).is_some_and(|most| number > most) {
            return violation(format!("attribute \"{name}\" is too great"));
        }
    }
    let too_long = |text: &str| {
        rules.get("maxLength").and_then(Value::as_u64).is_some_and(|most| text.chars().count() as u64 > most)
    };
    if value.as_str().is_some_and(too_long) {
        return violation(format!("attribute \"{name}\" is too long"));
    }
    Ok(())
}

/// Names stand in filters (`attributes.colour`) and events.
fn well_named(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// Not every store can keep U+0000 in a text.
fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Foreign text in our sentence: short, and without control characters.
fn shorten(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "colour": {"type": "string", "enum": ["red", "black"], "maxLength": 5},
                "watts": {"type": "integer", "minimum": 5, "maximum": 50},
                "loud": {"type": "boolean"},
                "gain": {"type": "number"},
                "note": {"type": "string", "maxLength": 3}
            },
            "required": ["colour"],
            "additionalProperties": false
        })
    }

    fn checked(attributes: Value) -> Result<(), String> {
        check(Some(&schema()), attributes.as_object().unwrap()).map_err(|violation| violation.to_string())
    }

    #[test]
    fn attributes_that_fit_pass() {
        check_schema(&schema()).unwrap();
        checked(json!({"colour": "red", "watts": 50, "loud": true, "gain": 0.5, "note": "äöü"})).unwrap();
        checked(json!({"colour": "black", "watts": 5.0})).unwrap();
    }

    #[test]
    fn each_word_of_the_schema_refuses_what_breaks_it() {
        for (attributes, why) in [
            (json!({}), "attribute \"colour\" is missing"),
            (json!({"colour": 1}), "attribute \"colour\" must be of type string"),
            (json!({"colour": "green"}), "attribute \"colour\" is none of the allowed values"),
            (json!({"colour": "red", "watts": 4}), "attribute \"watts\" is too small"),
            (json!({"colour": "red", "watts": 51}), "attribute \"watts\" is too great"),
            (json!({"colour": "red", "watts": 5.5}), "attribute \"watts\" must be of type integer"),
            (json!({"colour": "red", "loud": "yes"}), "attribute \"loud\" must be of type boolean"),
            (json!({"colour": "red", "gain": null}), "attribute \"gain\" must be of type number"),
            (json!({"colour": "red", "note": "four"}), "attribute \"note\" is too long"),
            (json!({"colour": "red", "size": 1}), "attribute \"size\" is not foreseen"),
        ] {
            assert_eq!(checked(attributes.clone()), Err(why.into()), "{attributes}");
        }
    }

    #[test]
    fn without_a_schema_sizes_and_names_still_count() {
        let many: Map<String, Value> = (0..33).map(|n| (format!("a{n}"), json!(1))).collect();
        assert!(check(None, &many).is_err());
        assert!(check(None, json!({"a": "x".repeat(MAX_BYTES)}).as_object().unwrap()).is_err());
        for name in ["", "a b", "a\n", "a'", &"a".repeat(65)] {
            assert!(check(None, json!({name: 1}).as_object().unwrap()).is_err(), "{name:?}");
        }
        for value in [json!("\0"), json!(["a", "b\0"]), json!({"b\0": 1}), json!({"b": [{"c": "\0"}]})] {
            assert!(check(None, json!({"a": value}).as_object().unwrap()).is_err(), "{value}");
        }
        assert!(check(None, json!({"a.b-c_1": {"free": []}}).as_object().unwrap()).is_ok());
    }

    #[test]
    fn a_schema_beyond_what_is_understood_is_refused_when_it_is_set() {
        for schema in [
            json!([]),
            json!({"type": "array"}),
            json!({"patternProperties": {}}),
            json!({"additionalProperties": {}}),
            json!({"properties": {"a": {"pattern": "(a+)+$"}}}),
            json!({"properties": {"a": {"type": "object"}}}),
            json!({"properties": {"a": {"enum": []}}}),
            json!({"properties": {"a": true}}),
            json!({"required": [1]}),
        ] {
            assert!(check_schema(&schema).is_err(), "{schema}");
        }
    }
}
