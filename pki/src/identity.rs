//! The identity in a certificate: exactly one value of one configured field.
//! Owns: which values count as an identity. Does not own: looking it up in a registry, or trust:
//! a name alone proves nothing, the record is bound to the key or to (issuer, serial) as well.

use crate::certificate::{AlternativeName, Certificate};
use crate::name::{AttributeValue, StringKind};

/// Longest identity, in bytes.
pub const MAX_IDENTITY_BYTES: usize = 256;

/// id-at-serialNumber, 2.5.4.5.
const SERIAL_NUMBER: &[u8] = &[0x55, 0x04, 5];
/// id-at-commonName, 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 3];

/// The field that a product's certificates carry their identity in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityField {
    /// `serialNumber` (2.5.4.5) of the subject, the place of IEEE 802.1AR.
    SubjectSerialNumber,
    /// `commonName` (2.5.4.3) of the subject.
    CommonName,
    /// A URI of subjectAltName.
    SanUri,
    /// A DNS name of subjectAltName.
    SanDns,
    /// A mail address of subjectAltName.
    SanEmail,
    /// An IP address of subjectAltName, in its canonical text.
    SanIp,
    /// hardwareModuleName of subjectAltName (RFC 4108 §5), as `type:serial`, the type a dotted OID,
    /// the serial lower-case hex.
    HardwareModule,
}

/// Why a certificate has no identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The field is absent.
    #[error("the certificate lacks the identity field")]
    Absent,
    /// The field stands more than once.
    #[error("the identity field stands more than once")]
    NotUnique,
    /// The field shares its RDN with another attribute, so that readers may disagree on it.
    #[error("the identity field shares its place with another attribute")]
    MultiValuedName,
    /// The value is not UTF8String, PrintableString or (in subjectAltName) IA5String.
    #[error("the identity is not written in an accepted string type")]
    Encoding,
    /// Empty, longer than [`MAX_IDENTITY_BYTES`], or with spaces at an end.
    #[error("the identity is empty, too long, or padded with spaces")]
    Length,
    /// NUL, another control character, or an invisible or direction-changing one.
    #[error("the identity holds a control or invisible character")]
    ControlCharacter,
}

impl IdentityError {
    /// The named cause, stable for logs and tests.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Absent => "identity_absent",
            Self::NotUnique => "identity_not_unique",
            Self::MultiValuedName => "identity_multi_valued_name",
            Self::Encoding => "identity_encoding",
            Self::Length => "identity_length",
            Self::ControlCharacter => "identity_control_character",
        }
    }
}

/// Reads the one value of `field`, exactly as it was written: nothing is folded or trimmed.
///
/// # Errors
/// [`IdentityError`]; whatever two readers could read differently is refused.
pub fn identity_field(certificate: &Certificate, field: IdentityField) -> Result<String, IdentityError> {
    let value = match field {
        IdentityField::SubjectSerialNumber => subject_attribute(certificate, SERIAL_NUMBER),
        IdentityField::CommonName => subject_attribute(certificate, COMMON_NAME),
        _ => alternative_name(certificate, field),
    }?;
    check_characters(&value)?;
    Ok(value)
}

fn subject_attribute(certificate: &Certificate, oid: &[u8]) -> Result<String, IdentityError> {
    let mut found = None;
    for relative in certificate.subject().relative_names() {
        for attribute in relative.attributes() {
            if attribute.oid().as_der_content() != oid {
                continue;
            }
            if found.is_some() {
                return Err(IdentityError::NotUnique);
            }
            found = Some((attribute.value(), relative.attributes().len()));
        }
    }
    let (value, neighbours) = found.ok_or(IdentityError::Absent)?;
    if neighbours > 1 {
        return Err(IdentityError::MultiValuedName);
    }
    match value {
        AttributeValue::Text { kind: StringKind::Utf8 | StringKind::Printable, text } => Ok(text.clone()),
        _ => Err(IdentityError::Encoding),
    }
}

fn alternative_name(certificate: &Certificate, field: IdentityField) -> Result<String, IdentityError> {
    let mut values = certificate.subject_alternative_names().iter().filter_map(|name| render(name, field));
    let value = values.next().ok_or(IdentityError::Absent)?;
    if values.next().is_some() {
        return Err(IdentityError::NotUnique);
    }
    Ok(value)
}

/// The text of an entry, if it is of the field asked for.
fn render(name: &AlternativeName, field: IdentityField) -> Option<String> {
    match (name, field) {
        (AlternativeName::Uri(text), IdentityField::SanUri)
        | (AlternativeName::Dns(text), IdentityField::SanDns)
        | (AlternativeName::Email(text), IdentityField::SanEmail) => Some(text.clone()),
        (AlternativeName::Ip(address), IdentityField::SanIp) => Some(address.to_string()),
        (AlternativeName::HardwareModule { module, serial }, IdentityField::HardwareModule) => {
            let serial: String = serial.iter().map(|octet| format!("{octet:02x}")).collect();
            Some(format!("{module}:{serial}"))
        }
        _ => None,
    }
}

fn check_characters(value: &str) -> Result<(), IdentityError> {
    if value.chars().any(|character| character.is_control() || is_invisible(character)) {
        return Err(IdentityError::ControlCharacter);
    }
    if value.is_empty() || value.len() > MAX_IDENTITY_BYTES || value.trim() != value {
        return Err(IdentityError::Length);
    }
    Ok(())
}

/// Characters without a shape, or that turn the direction of what follows: two identities that
/// differ in them look the same to staff.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests;
