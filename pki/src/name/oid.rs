//! Object identifiers. Owns: their DER content, dotted text, comparison.

use std::fmt;

/// The bytes or text are not an object identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an object identifier")]
pub struct OidError;

/// Octets of an arc of 128 bits: nineteen groups of seven, of which the first has two bits.
const MAX_ARC_OCTETS: usize = 19;
const MAX_ARC_FIRST_OCTET: u8 = 0x83;
/// Octets of a whole identifier.
const MAX_OCTETS: usize = 128;

/// An object identifier, held as the content of its DER (X.690 §8.19).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(Box<[u8]>);

impl Oid {
    /// Takes the content octets of a DER `OBJECT IDENTIFIER`.
    ///
    /// # Errors
    /// [`OidError`] if an arc is not minimal, is cut off, or the whole exceeds 128 octets.
    pub fn from_der_content(content: &[u8]) -> Result<Self, OidError> {
        let ends = content.last().is_some_and(|last| last & 0x80 == 0);
        if !ends || content.len() > MAX_OCTETS {
            return Err(OidError);
        }
        let arcs_are_sound = content.split_inclusive(|octet| octet & 0x80 == 0).all(|arc| match arc.first() {
            Some(0x80) | None => false,
            Some(first) => arc.len() < MAX_ARC_OCTETS || (arc.len() == MAX_ARC_OCTETS && *first <= MAX_ARC_FIRST_OCTET),
        });
        arcs_are_sound.then(|| Self(content.into())).ok_or(OidError)
    }

    /// Reads dotted decimal text such as `2.5.4.3`.
    ///
    /// # Errors
    /// [`OidError`] if it is not at least two arcs of plain decimal numbers without leading zeros.
    pub fn parse_text(text: &str) -> Result<Self, OidError> {
        let arcs = text.split('.').map(parse_arc).collect::<Result<Vec<_>, _>>()?;
        let [first, second, rest @ ..] = arcs.as_slice() else {
            return Err(OidError);
        };
        if *first > 2 || (*first < 2 && *second > 39) {
            return Err(OidError);
        }
        let head = second.checked_add(first * 40).ok_or(OidError)?;
        let mut content = Vec::new();
        push_arc(head, &mut content);
        for arc in rest {
            push_arc(*arc, &mut content);
        }
        Self::from_der_content(&content)
    }

    /// The content octets of the DER.
    pub fn as_der_content(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut arcs = self
            .0
            .split_inclusive(|octet| octet & 0x80 == 0)
            .map(|arc| arc.iter().fold(0_u128, |value, octet| value << 7 | u128::from(octet & 0x7f)));
        if let Some(head) = arcs.next() {
            let first = (head / 40).min(2);
            write!(formatter, "{first}.{}", head - first * 40)?;
        }
        arcs.try_for_each(|arc| write!(formatter, ".{arc}"))
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

fn parse_arc(text: &str) -> Result<u128, OidError> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let padded = text.len() > 1 && text.starts_with('0');
    if !plain || padded {
        return Err(OidError);
    }
    text.parse().map_err(|_| OidError)
}

fn push_arc(arc: u128, content: &mut Vec<u8>) {
    let groups = (128 - arc.leading_zeros()).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let bits = (arc >> (7 * group) & 0x7f) as u8;
        content.push(if group == 0 { bits } else { bits | 0x80 });
    }
}
