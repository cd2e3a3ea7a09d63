//! Distinguished names: read from DER or RFC 4514 text, compared by rules and not by text.
//! Owns: attribute types, value decoding, folding, multi-valued RDNs as sets, rendering.
//! Does not own: which attribute is an identity (`identity`).

use std::fmt;

use crate::der::{self, NotDer, Reader, tag};

mod oid;
mod text;

pub use oid::{Oid, OidError};

/// Longest RFC 4514 text that is parsed, in bytes.
pub const MAX_TEXT_BYTES: usize = 4096;
/// Most RDNs in a name, and most attributes in one RDN.
const MAX_PARTS: usize = 64;

/// Why a name was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The bytes are not the DER of a Name (RFC 5280 §4.1.2.4).
    #[error("the bytes are not a DER name")]
    NotDer,
    /// The text is not an RFC 4514 string.
    #[error("the text is not a distinguished name as of RFC 4514")]
    NotText,
    /// An attribute keyword that is neither in RFC 4514 §3 nor a dotted OID.
    #[error("an attribute type of the distinguished name is unknown")]
    UnknownAttribute,
    /// Longer than the limits of this module.
    #[error("the distinguished name is too long")]
    TooLong,
}

impl From<NotDer> for NameError {
    fn from(_: NotDer) -> Self {
        Self::NotDer
    }
}

/// How a text value was written in DER.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StringKind {
    /// `UTF8String`.
    Utf8,
    /// `PrintableString`.
    Printable,
    /// `IA5String`.
    Ia5,
    /// `NumericString`.
    Numeric,
    /// `BMPString` or `UniversalString`: read for comparison, refused as an identity.
    Wide,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeValue {
    /// A text with the string type it came in.
    Text {
        /// Its string type.
        kind: StringKind,
        /// The text as it stands, without any folding.
        text: String,
    },
    /// Any other value, as its whole DER. A `TeletexString` is here too: its characters have no
    /// agreed meaning.
    Other(Vec<u8>),
}

impl AttributeValue {
    /// The text, if the value is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text { text, .. } => Some(text),
            Self::Other(_) => None,
        }
    }

    fn parse(element: der::Element<'_>) -> Result<Self, NameError> {
        let ascii = |kind| {
            element
                .content
                .is_ascii()
                .then(|| text_value(kind, String::from_utf8_lossy(element.content).into_owned()))
                .ok_or(NameError::NotDer)
        };
        match element.tag {
            tag::UTF8_STRING => {
                let text = std::str::from_utf8(element.content).map_err(|_| NameError::NotDer)?;
                Ok(text_value(StringKind::Utf8, text.to_owned()))
            }
            tag::PRINTABLE_STRING => ascii(StringKind::Printable),
            tag::IA5_STRING => ascii(StringKind::Ia5),
            tag::NUMERIC_STRING => ascii(StringKind::Numeric),
            tag::BMP_STRING => wide::<2>(element.content),
            tag::UNIVERSAL_STRING => wide::<4>(element.content),
            _ => Ok(Self::Other(element.whole.to_vec())),
        }
    }

    /// The value as it is compared: texts of every string type are one kind.
    fn folded(&self) -> Folded {
        match self {
            Self::Text { text, .. } => Folded::Text(fold(text)),
            Self::Other(der) => Folded::Other(der.clone()),
        }
    }
}

/// One attribute of an RDN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    oid: Oid,
    value: AttributeValue,
}

impl Attribute {
    /// The attribute type.
    pub fn oid(&self) -> &Oid {
        &self.oid
    }

    /// The attribute value.
    pub fn value(&self) -> &AttributeValue {
        &self.value
    }
}

/// A relative distinguished name: a set of one or more attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelativeName {
    attributes: Vec<Attribute>,
}

impl RelativeName {
    /// Its attributes, in the order they were written.
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// Sorted, so that the order of writing does not count, and a repeated attribute does.
    fn folded(&self) -> Vec<(&Oid, Folded)> {
        let mut attributes: Vec<_> =
            self.attributes.iter().map(|attribute| (&attribute.oid, attribute.value.folded())).collect();
        attributes.sort_unstable();
        attributes
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Folded {
    Text(String),
    Other(Vec<u8>),
}

/// A distinguished name (RFC 5280 §4.1.2.4), most significant RDN first, as in DER.
///
/// Two names are equal when their RDNs match one by one (RFC 5280 §7.1): same attribute types, and
/// texts equal after folding case and insignificant spaces, whatever string type carries them;
/// an RDN of several attributes is a set. Unicode normalisation is not applied: names that differ
/// in composition only are unequal, which refuses and never admits.
#[derive(Clone, Default)]
pub struct DistinguishedName {
    relative_names: Vec<RelativeName>,
}

impl DistinguishedName {
    /// Reads the DER of a `Name`; the whole input must be it.
    ///
    /// # Errors
    /// [`NameError::NotDer`], [`NameError::TooLong`] beyond 64 RDNs or attributes per RDN.
    pub fn parse_der(bytes: &[u8]) -> Result<Self, NameError> {
        let outer = der::single(bytes)?;
        if outer.tag != tag::SEQUENCE {
            return Err(NameError::NotDer);
        }
        let mut reader = Reader::new(outer.content);
        let mut relative_names = Vec::new();
        while !reader.is_empty() {
            let mut set = reader.nested(tag::SET)?;
            let mut attributes = Vec::new();
            while !set.is_empty() {
                attributes.push(parse_attribute(&mut set)?);
            }
            if attributes.is_empty() {
                return Err(NameError::NotDer);
            }
            relative_names.push(RelativeName { attributes });
        }
        Self::from_parts(relative_names)
    }

    /// Reads an RFC 4514 string, where the most significant RDN stands last.
    ///
    /// Known keywords: those of RFC 4514 §3, `serialNumber`, `emailAddress`; others as dotted OIDs.
    /// Values after `#` are the hex of their DER.
    ///
    /// # Errors
    /// [`NameError::NotText`], [`NameError::UnknownAttribute`], [`NameError::TooLong`].
    pub fn parse_text(text: &str) -> Result<Self, NameError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(NameError::TooLong);
        }
        let mut relative_names = text::parse(text)?;
        relative_names.reverse();
        Self::from_parts(relative_names)
    }

    /// The RDNs, most significant first.
    pub fn relative_names(&self) -> &[RelativeName] {
        &self.relative_names
    }

    /// Whether the name has no RDN at all.
    pub fn is_empty(&self) -> bool {
        self.relative_names.is_empty()
    }

    fn from_parts(relative_names: Vec<RelativeName>) -> Result<Self, NameError> {
        let too_long = relative_names.len() > MAX_PARTS
            || relative_names.iter().any(|relative| relative.attributes.len() > MAX_PARTS);
        if too_long {
            return Err(NameError::TooLong);
        }
        Ok(Self { relative_names })
    }
}

impl PartialEq for DistinguishedName {
    fn eq(&self, other: &Self) -> bool {
        self.relative_names.len() == other.relative_names.len()
            && self
                .relative_names
                .iter()
                .zip(&other.relative_names)
                .all(|(ours, theirs)| ours.folded() == theirs.folded())
    }
}

impl Eq for DistinguishedName {}

/// RFC 4514 text; parsing it again gives an equal name.
impl fmt::Display for DistinguishedName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::render(&self.relative_names, formatter)
    }
}

impl fmt::Debug for DistinguishedName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "DistinguishedName({self})")
    }
}

fn parse_attribute(set: &mut Reader<'_>) -> Result<Attribute, NameError> {
    let mut pair = set.nested(tag::SEQUENCE)?;
    let oid = Oid::from_der_content(pair.expect(tag::OID)?.content).map_err(|_| NotDer)?;
    let value = AttributeValue::parse(pair.element()?)?;
    pair.finish()?;
    Ok(Attribute { oid, value })
}

fn text_value(kind: StringKind, text: String) -> AttributeValue {
    AttributeValue::Text { kind, text }
}

/// Decodes big-endian code units of `WIDTH` octets (UCS-2 or UCS-4: no surrogates).
fn wide<const WIDTH: usize>(content: &[u8]) -> Result<AttributeValue, NameError> {
    let (units, rest) = content.as_chunks::<WIDTH>();
    if !rest.is_empty() {
        return Err(NameError::NotDer);
    }
    let text = units
        .iter()
        .map(|unit| {
            let point = unit.iter().fold(0_u32, |point, octet| point << 8 | u32::from(*octet));
            char::from_u32(point)
        })
        .collect::<Option<String>>()
        .ok_or(NameError::NotDer)?;
    Ok(text_value(StringKind::Wide, text))
}

/// Folds case, trims, and makes every run of spaces one (RFC 5280 §7.1, RFC 4518 §2.6.1).
fn fold(text: &str) -> String {
    text.split(' ')
        .filter(|word| !word.is_empty())
        .map(|word| word.chars().flat_map(char::to_lowercase).collect::<String>())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests;
