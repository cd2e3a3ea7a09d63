//! RFC 4514 strings. Owns: parsing and rendering the text of names.

use std::fmt;

use super::{Attribute, AttributeValue, NameError, Oid, RelativeName, StringKind, text_value};
use crate::der;

/// Keywords of RFC 4514 §3, and two that devices use.
const KEYWORDS: &[(&str, &str)] = &[
    ("CN", "2.5.4.3"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("C", "2.5.4.6"),
    ("STREET", "2.5.4.9"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("serialNumber", "2.5.4.5"),
    ("emailAddress", "1.2.840.113549.1.9.1"),
];

/// Parses into RDNs in the order of the text.
pub(super) fn parse(text: &str) -> Result<Vec<RelativeName>, NameError> {
    let mut relative_names = Vec::new();
    if text.is_empty() {
        return Ok(relative_names);
    }
    let mut rest = text;
    loop {
        let mut attributes = Vec::new();
        let end = loop {
            let (attribute, after) = parse_attribute(rest)?;
            attributes.push(attribute);
            let mut characters = after.chars();
            let separator = characters.next();
            rest = characters.as_str();
            if separator != Some('+') {
                break separator;
            }
        };
        relative_names.push(RelativeName { attributes });
        if end.is_none() {
            return Ok(relative_names);
        }
    }
}

/// One `type=value`; gives what follows it, beginning with `+`, `,` or nothing.
fn parse_attribute(text: &str) -> Result<(Attribute, &str), NameError> {
    let (keyword, rest) = text.split_once('=').ok_or(NameError::NotText)?;
    let oid = parse_type(keyword.trim_matches(' '))?;
    let rest = rest.trim_start_matches(' ');
    let (value, rest) = match rest.strip_prefix('#') {
        Some(hex) => parse_hex_value(hex)?,
        None => parse_string_value(rest)?,
    };
    Ok((Attribute { oid, value }, rest))
}

fn parse_type(keyword: &str) -> Result<Oid, NameError> {
    let known = KEYWORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(keyword));
    let dotted = match known {
        Some((_, dotted)) => dotted,
        None => keyword,
    };
    Oid::parse_text(dotted).map_err(|_| NameError::UnknownAttribute)
}

fn parse_hex_value(text: &str) -> Result<(AttributeValue, &str), NameError> {
    let end = text.find([',', '+']).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let digits = digits.trim_end_matches(' ').as_bytes();
    let (pairs, odd) = digits.as_chunks::<2>();
    if !odd.is_empty() {
        return Err(NameError::NotText);
    }
    let bytes = pairs
        .iter()
        .map(|[high, low]| hex_octet(*high, *low))
        .collect::<Option<Vec<u8>>>()
        .ok_or(NameError::NotText)?;
    let element = der::single(&bytes).map_err(|_| NameError::NotText)?;
    let value = AttributeValue::parse(element).map_err(|_| NameError::NotText)?;
    Ok((value, rest))
}

/// A string with its escapes undone (RFC 4514 §2.4, §3).
fn parse_string_value(text: &str) -> Result<(AttributeValue, &str), NameError> {
    let mut bytes = Vec::new();
    // Spaces at the end do not count unless escaped.
    let mut kept = 0;
    let mut rest = text;
    loop {
        let mut characters = rest.chars();
        match characters.next() {
            None | Some(',' | '+') => break,
            Some('"' | ';' | '<' | '>' | '\0') => return Err(NameError::NotText),
            Some('\\') => {
                rest = unescape(characters.as_str(), &mut bytes)?;
                kept = bytes.len();
            }
            Some(character) => {
                let mut buffer = [0; 4];
                bytes.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
                if character != ' ' {
                    kept = bytes.len();
                }
                rest = characters.as_str();
            }
        }
    }
    bytes.truncate(kept);
    let value = String::from_utf8(bytes).map_err(|_| NameError::NotText)?;
    Ok((text_value(StringKind::Utf8, value), rest))
}

/// What follows a backslash: one special character, or two hex digits of an octet.
fn unescape<'a>(text: &'a str, bytes: &mut Vec<u8>) -> Result<&'a str, NameError> {
    let mut characters = text.chars();
    match characters.next() {
        Some(special @ (' ' | '"' | '#' | '+' | ',' | ';' | '<' | '=' | '>' | '\\')) => {
            bytes.push(special as u8);
            Ok(characters.as_str())
        }
        _ => {
            let (digits, rest) = text.split_at_checked(2).ok_or(NameError::NotText)?;
            let &[high, low] = digits.as_bytes() else {
                return Err(NameError::NotText);
            };
            bytes.push(hex_octet(high, low).ok_or(NameError::NotText)?);
            Ok(rest)
        }
    }
}

fn hex_octet(high: u8, low: u8) -> Option<u8> {
    let high = char::from(high).to_digit(16)?;
    let low = char::from(low).to_digit(16)?;
    u8::try_from(high << 4 | low).ok()
}

/// Writes RDNs held most significant first as RFC 4514 text, most significant last.
pub(super) fn render(relative_names: &[RelativeName], formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (position, relative) in relative_names.iter().rev().enumerate() {
        if position > 0 {
            formatter.write_str(",")?;
        }
        for (position, attribute) in relative.attributes.iter().enumerate() {
            if position > 0 {
                formatter.write_str("+")?;
            }
            render_attribute(attribute, formatter)?;
        }
    }
    Ok(())
}

fn render_attribute(attribute: &Attribute, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    let dotted = attribute.oid.to_string();
    match KEYWORDS.iter().find(|(_, known)| *known == dotted) {
        Some((keyword, _)) => write!(formatter, "{keyword}=")?,
        None => write!(formatter, "{dotted}=")?,
    }
    match &attribute.value {
        AttributeValue::Text { text, .. } => render_text(text, formatter),
        AttributeValue::Other(bytes) => {
            formatter.write_str("#")?;
            bytes.iter().try_for_each(|octet| write!(formatter, "{octet:02x}"))
        }
    }
}

fn render_text(text: &str, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    let last = text.chars().count().saturating_sub(1);
    for (position, character) in text.chars().enumerate() {
        let at_edge = position == 0 || position == last;
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=' => write!(formatter, "\\{character}")?,
            '#' if position == 0 => formatter.write_str("\\#")?,
            ' ' if at_edge => formatter.write_str("\\ ")?,
            // Control characters would let a name break a line of a log.
            control if control.is_control() => {
                let mut buffer = [0; 4];
                for octet in control.encode_utf8(&mut buffer).bytes() {
                    write!(formatter, "\\{octet:02x}")?;
                }
            }
            plain => write!(formatter, "{plain}")?,
        }
    }
    Ok(())
}
