//! The filter grammar of docs/api.md: a subset of SCIM's (RFC 7644 §3.4.2.2).
//! Owns text to tree, and which fields may be named; comparing is the store's.

use core::fmt;

use serde_json::Value;
use store::{Condition, Filter, Operator};

const MAX_TEXT: usize = 1024;
const MAX_DEPTH: u32 = 8;
const MAX_COMPARISONS: u32 = 32;

/// Why a text is no filter, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterError {
    /// Over 1,024 bytes.
    TooLong,
    /// Parentheses nested deeper than 8.
    TooDeep,
    /// Over 32 comparisons.
    TooMany,
    /// Something else stands where a field is wanted.
    FieldWanted,
    /// A field that cannot be filtered by.
    UnknownField,
    /// None of the operators stands there.
    OperatorWanted,
    /// No JSON string, number, true, false or null stands there.
    ValueWanted,
    /// The operator does not compare a value of that type.
    ValueType,
    /// A parenthesis is not closed.
    NotClosed,
    /// Something stands behind the filter.
    Trailing,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the filter is over 1024 characters",
            Self::TooDeep => "the filter is nested deeper than 8",
            Self::TooMany => "the filter has over 32 comparisons",
            Self::FieldWanted => "the filter wants the name of a field there",
            Self::UnknownField => "the filter names a field that cannot be filtered by",
            Self::OperatorWanted => "the filter wants one of eq ne sw co gt ge lt le pr",
            Self::ValueWanted => "the filter wants a JSON string, number, true, false or null",
            Self::ValueType => "the operator does not compare a value of that type",
            Self::NotClosed => "a parenthesis of the filter is not closed",
            Self::Trailing => "something stands behind the filter",
        })
    }
}

/// Parses a filter; `fields` pairs what may be named with what the record calls it.
///
/// # Errors
/// [`FilterError`] names the first thing wrong.
pub fn parse(text: &str, fields: &[(&str, &str)]) -> Result<Filter, FilterError> {
    if text.len() > MAX_TEXT {
        return Err(FilterError::TooLong);
    }
    let mut parser = Parser { rest: text, fields, comparisons: 0 };
    let filter = parser.any(0)?;
    parser.skip_spaces();
    if parser.rest.is_empty() { Ok(filter) } else { Err(FilterError::Trailing) }
}

struct Parser<'a> {
    rest: &'a str,
    fields: &'a [(&'a str, &'a str)],
    comparisons: u32,
}

impl<'a> Parser<'a> {
    fn any(&mut self, depth: u32) -> Result<Filter, FilterError> {
        let mut parts = vec![self.all(depth)?];
        while self.takes_word("or") {
            parts.push(self.all(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Or(parts) })
    }

    fn all(&mut self, depth: u32) -> Result<Filter, FilterError> {
        let mut parts = vec![self.term(depth)?];
        while self.takes_word("and") {
            parts.push(self.term(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::And(parts) })
    }

    fn term(&mut self, depth: u32) -> Result<Filter, FilterError> {
        let before = self.rest;
        let not = self.takes_word("not");
        if self.takes('(') {
            if depth >= MAX_DEPTH {
                return Err(FilterError::TooDeep);
            }
            let inner = self.any(depth + 1)?;
            if !self.takes(')') {
                return Err(FilterError::NotClosed);
            }
            return Ok(if not { Filter::Not(Box::new(inner)) } else { inner });
        }
        // `not` is a word of the grammar only before a parenthesis.
        self.rest = before;
        self.comparison().map(Filter::Is)
    }

    fn comparison(&mut self) -> Result<Condition, FilterError> {
        self.comparisons += 1;
        if self.comparisons > MAX_COMPARISONS {
            return Err(FilterError::TooMany);
        }
        let name = self.word(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        if name.is_empty() {
            return Err(FilterError::FieldWanted);
        }
        let field = self.field(name)?;
        let operator = match self.word(|b| b.is_ascii_alphabetic()).to_ascii_lowercase().as_str() {
            "pr" => return Ok(Condition { field, operator: Operator::Present, value: Value::Null }),
            "eq" => Operator::Equal,
            "ne" => Operator::NotEqual,
            "sw" => Operator::StartsWith,
            "co" => Operator::Contains,
            "gt" => Operator::Greater,
            "ge" => Operator::GreaterOrEqual,
            "lt" => Operator::Less,
            "le" => Operator::LessOrEqual,
            _ => return Err(FilterError::OperatorWanted),
        };
        let value = self.value()?;
        let fits = match operator {
            Operator::Equal | Operator::NotEqual | Operator::Present => true,
            Operator::StartsWith | Operator::Contains => value.is_string(),
            _ => value.is_string() || value.is_number(),
        };
        if fits { Ok(Condition { field, operator, value }) } else { Err(FilterError::ValueType) }
    }

    fn field(&self, name: &str) -> Result<String, FilterError> {
        for (outer, inner) in self.fields {
            if name == *outer {
                return Ok((*inner).to_owned());
            }
            let below = outer.ends_with('.').then(|| name.strip_prefix(outer)).flatten();
            if below.is_some_and(is_plain_name) {
                return Ok(name.to_owned());
            }
        }
        Err(FilterError::UnknownField)
    }

    fn value(&mut self) -> Result<Value, FilterError> {
        self.skip_spaces();
        let length = match self.rest.strip_prefix('"') {
            Some(inner) => string_length(inner).ok_or(FilterError::ValueWanted)? + 1,
            None => self.rest.find([' ', ')']).unwrap_or(self.rest.len()),
        };
        let (text, rest) = self.rest.split_at_checked(length).ok_or(FilterError::ValueWanted)?;
        // A value ends at a space, a parenthesis or the end: `"a"and` is none.
        let ended = rest.chars().next().is_none_or(|c| c == ' ' || c == ')');
        let value: Value = serde_json::from_str(text).map_err(|_| FilterError::ValueWanted)?;
        if !ended || value.is_array() || value.is_object() {
            return Err(FilterError::ValueWanted);
        }
        self.rest = rest;
        Ok(value)
    }

    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start_matches(' ');
    }

    fn takes(&mut self, sign: char) -> bool {
        self.skip_spaces();
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes a word of the grammar where it stands alone.
    fn takes_word(&mut self, word: &str) -> bool {
        self.skip_spaces();
        let (Some(head), Some(rest)) = (self.rest.get(..word.len()), self.rest.get(word.len()..)) else { return false };
        let alone = rest.starts_with([' ', '(']);
        if alone && head.eq_ignore_ascii_case(word) {
            self.rest = rest;
            return true;
        }
        false
    }

    fn word(&mut self, belongs: impl Fn(u8) -> bool) -> &'a str {
        self.skip_spaces();
        let length = self.rest.bytes().position(|b| !belongs(b)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        word
    }
}

/// How far a JSON string reaches behind its first quote, the last included.
fn string_length(inner: &str) -> Option<usize> {
    let mut escaped = false;
    for (place, byte) in inner.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(place + 1),
            _ => {}
        }
    }
    None
}

/// What a store compares by name.
fn is_plain_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_')
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FIELDS: &[(&str, &str)] =
        &[("state", "state"), ("created_at", "created_at"), ("client_id", "id"), ("attributes.", "attributes.")];

    fn is(field: &str, operator: Operator, value: Value) -> Filter {
        Filter::Is(Condition { field: field.into(), operator, value })
    }

    fn refused(text: &str) -> FilterError {
        parse(text, FIELDS).unwrap_err()
    }

    #[test]
    fn and_binds_closer_than_or_and_parentheses_closer_still() {
        let (a, b, c) = (
            is("state", Operator::Equal, json!("active")),
            is("created_at", Operator::Greater, json!(5)),
            is("attributes.colour", Operator::Present, Value::Null),
        );
        let text = "state eq \"active\" or created_at gt 5 and attributes.colour pr";
        assert_eq!(parse(text, FIELDS), Ok(Filter::Or(vec![a.clone(), Filter::And(vec![b.clone(), c.clone()])])));
        let text = "(state eq \"active\" or created_at gt 5) and not (attributes.colour pr)";
        let not = Filter::Not(Box::new(c));
        assert_eq!(parse(text, FIELDS), Ok(Filter::And(vec![Filter::Or(vec![a, b]), not])));
    }

    #[test]
    fn words_come_in_any_case_and_strings_are_json() {
        let text = "state EQ \"a\\\" or state eq \\\"b\\u00e4\" AND NOT (created_at LE -1.5)";
        let Filter::And(parts) = parse(text, FIELDS).unwrap() else { panic!("no and") };
        assert_eq!(parts[0], is("state", Operator::Equal, json!("a\" or state eq \"b\u{e4}")));
    }

    #[test]
    fn a_field_is_compared_by_the_name_the_record_has_for_it() {
        assert_eq!(parse("client_id eq \"a\"", FIELDS), Ok(is("id", Operator::Equal, json!("a"))));
    }

    #[test]
    fn what_is_not_listed_cannot_be_asked_about() {
        for text in [
            "password sw \"$argon\"",
            "secret pr",
            "id pr",
            "state.x pr",
            "attributes pr",
            "attributes.a.b pr",
            "attributes.A pr",
            "attributes.') OR 1=1 pr",
        ] {
            assert!(matches!(refused(text), FilterError::UnknownField | FilterError::OperatorWanted), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_filters() {
        for (text, error) in [
            ("", FilterError::FieldWanted),
            ("state", FilterError::OperatorWanted),
            ("state is 1", FilterError::OperatorWanted),
            ("state eq", FilterError::ValueWanted),
            ("state eq active", FilterError::ValueWanted),
            ("state eq 'active'", FilterError::ValueWanted),
            ("state eq [1]", FilterError::ValueWanted),
            ("state eq 1or state eq 2", FilterError::ValueWanted),
            ("state sw 1", FilterError::ValueType),
            ("state gt true", FilterError::ValueType),
            ("(state pr", FilterError::NotClosed),
            ("state pr)", FilterError::Trailing),
            ("state pr state pr", FilterError::Trailing),
            ("state pr; DROP TABLE device", FilterError::Trailing),
            ("and", FilterError::UnknownField),
            ("not state pr", FilterError::UnknownField),
        ] {
            assert_eq!(refused(text), error, "{text}");
        }
    }

    #[test]
    fn length_depth_and_number_are_bounded() {
        assert_eq!(refused(&" ".repeat(1025)), FilterError::TooLong);
        let nested = |depth: usize| format!("{}state pr{}", "(".repeat(depth), ")".repeat(depth));
        assert!(parse(&nested(8), FIELDS).is_ok());
        assert_eq!(refused(&nested(9)), FilterError::TooDeep);
        let many = |count: usize| vec!["state pr"; count].join(" or ");
        assert!(parse(&many(32), FIELDS).is_ok());
        assert_eq!(refused(&many(33)), FilterError::TooMany);
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_or_reaches_beyond_the_listed_fields(text in "[a-z_.()\" \\\\0-9é-]{0,60}|(state|not|\\(|\\)| |eq|and|\"x\"|1){0,12}") {
            if let Ok(filter) = parse(&text, FIELDS) {
                let shown = format!("{filter:?}");
                let fields = shown.split("field: ").skip(1);
                for field in fields {
                    let known = ["\"state\"", "\"created_at\"", "\"id\"", "\"attributes."];
                    proptest::prop_assert!(known.iter().any(|name| field.starts_with(name)), "{shown}");
                }
            }
        }
    }
}
