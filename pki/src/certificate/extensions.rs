//! The extensions the rules rely on (RFC 5280 §4.2.1). Owns: reading them, and noticing critical
//! ones that nobody enforces. Name constraints are enforced by the path library.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{AlternativeName, BasicConstraints, CertificateError, ExtendedKeyUsage};
use crate::der::{self, Element, NotDer, Reader, tag};
use crate::name::{DistinguishedName, Oid};

const MAX_EXTENSIONS: usize = 64;
/// id-ce, 2.5.29, followed by one more arc.
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 17];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 30];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
/// id-kp-serverAuth, id-kp-clientAuth, anyExtendedKeyUsage.
const SERVER_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
const CLIENT_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];
const ANY_USAGE: &[u8] = &[0x55, 0x1d, 37, 0];
/// id-on-hardwareModuleName, 1.3.6.1.5.5.7.8.4 (RFC 4108 §5).
const HARDWARE_MODULE_NAME: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x04];

#[derive(Debug, Clone, Copy)]
pub(super) struct KeyUsage {
    pub(super) digital_signature: bool,
    pub(super) certificate_sign: bool,
}

#[derive(Debug, Default)]
pub(super) struct Extensions {
    pub(super) basic_constraints: Option<BasicConstraints>,
    pub(super) key_usage: Option<KeyUsage>,
    pub(super) extended_key_usage: Option<ExtendedKeyUsage>,
    pub(super) subject_alternative_names: Vec<AlternativeName>,
    pub(super) unknown_critical: bool,
}

pub(super) fn parse(content: &[u8]) -> Result<Extensions, CertificateError> {
    let outer = der::single(content)?;
    if outer.tag != tag::SEQUENCE || outer.content.is_empty() {
        return Err(CertificateError::NotDer);
    }
    let mut list = Reader::new(outer.content);
    let mut found = Extensions::default();
    let mut seen = BTreeSet::new();
    while !list.is_empty() {
        let mut extension = list.nested(tag::SEQUENCE)?;
        let oid = extension.expect(tag::OID)?.content;
        let critical = match extension.optional(tag::BOOLEAN)? {
            Some(flag) => der::boolean(flag.content)?,
            None => false,
        };
        let value = extension.expect(tag::OCTET_STRING)?.content;
        extension.finish()?;
        if !seen.insert(oid) {
            return Err(CertificateError::DuplicateExtension);
        }
        if seen.len() > MAX_EXTENSIONS {
            return Err(CertificateError::TooLarge);
        }
        found.read(oid, critical, value).map_err(|_| CertificateError::Extension)?;
    }
    Ok(found)
}

impl Extensions {
    fn read(&mut self, oid: &[u8], critical: bool, value: &[u8]) -> Result<(), NotDer> {
        match oid {
            BASIC_CONSTRAINTS => self.basic_constraints = Some(basic_constraints(value)?),
            KEY_USAGE => self.key_usage = Some(key_usage(value)?),
            EXTENDED_KEY_USAGE => self.extended_key_usage = Some(extended_key_usage(value)?),
            SUBJECT_ALT_NAME => self.subject_alternative_names = alternative_names(value)?,
            NAME_CONSTRAINTS => {}
            _ => self.unknown_critical |= critical,
        }
        Ok(())
    }
}

fn sequence(value: &[u8]) -> Result<Reader<'_>, NotDer> {
    let element = der::single(value)?;
    if element.tag != tag::SEQUENCE {
        return Err(NotDer);
    }
    Ok(Reader::new(element.content))
}

fn basic_constraints(value: &[u8]) -> Result<BasicConstraints, NotDer> {
    let mut fields = sequence(value)?;
    let authority = match fields.optional(tag::BOOLEAN)? {
        Some(flag) => der::boolean(flag.content)?,
        None => false,
    };
    let path_length = match fields.optional(tag::INTEGER)? {
        Some(number) => Some(der::small_unsigned(number.content)?),
        None => None,
    };
    fields.finish()?;
    Ok(BasicConstraints { authority, path_length })
}

/// Bit 0 is digitalSignature, bit 5 keyCertSign; bits count from the most significant.
fn key_usage(value: &[u8]) -> Result<KeyUsage, NotDer> {
    let element = der::single(value)?;
    if element.tag != tag::BIT_STRING {
        return Err(NotDer);
    }
    let first = der::named_bits(element.content)?.first().copied().unwrap_or(0);
    Ok(KeyUsage { digital_signature: first & 0x80 != 0, certificate_sign: first & 0x04 != 0 })
}

fn extended_key_usage(value: &[u8]) -> Result<ExtendedKeyUsage, NotDer> {
    let mut purposes = sequence(value)?;
    let mut usage = ExtendedKeyUsage::default();
    if purposes.is_empty() {
        return Err(NotDer);
    }
    while !purposes.is_empty() {
        match purposes.expect(tag::OID)?.content {
            CLIENT_AUTH => usage.client = true,
            SERVER_AUTH => usage.server = true,
            ANY_USAGE => usage.any = true,
            _ => {}
        }
    }
    Ok(usage)
}

fn alternative_names(value: &[u8]) -> Result<Vec<AlternativeName>, NotDer> {
    let mut list = sequence(value)?;
    let mut names = Vec::new();
    while !list.is_empty() {
        names.push(alternative_name(list.element()?)?);
    }
    Ok(names)
}

/// GeneralName (RFC 5280 §4.2.1.6), by its context tag.
fn alternative_name(element: Element<'_>) -> Result<AlternativeName, NotDer> {
    let text = || match std::str::from_utf8(element.content) {
        Ok(text) if text.is_ascii() => Ok(text.to_owned()),
        _ => Err(NotDer),
    };
    Ok(match element.tag {
        0x81 => AlternativeName::Email(text()?),
        0x82 => AlternativeName::Dns(text()?),
        0x86 => AlternativeName::Uri(text()?),
        0x87 => AlternativeName::Ip(ip_address(element.content)?),
        0xa4 => AlternativeName::Directory(DistinguishedName::parse_der(element.content).map_err(|_| NotDer)?),
        0xa0 => other_name(element.content)?,
        _ => AlternativeName::Other,
    })
}

fn ip_address(content: &[u8]) -> Result<IpAddr, NotDer> {
    if let Ok(octets) = <[u8; 4]>::try_from(content) {
        return Ok(IpAddr::from(octets));
    }
    <[u8; 16]>::try_from(content).map(IpAddr::from).map_err(|_| NotDer)
}

/// OtherName ::= { type-id OID, value [0] EXPLICIT ANY }.
fn other_name(content: &[u8]) -> Result<AlternativeName, NotDer> {
    let mut fields = Reader::new(content);
    let kind = fields.expect(tag::OID)?.content;
    let value = fields.expect(tag::context_constructed(0))?.content;
    fields.finish()?;
    if kind != HARDWARE_MODULE_NAME {
        return Ok(AlternativeName::Other);
    }
    let mut module_name = sequence(value)?;
    let module = module_name.expect(tag::OID)?.content;
    let serial = module_name.expect(tag::OCTET_STRING)?.content.to_vec();
    module_name.finish()?;
    let module = Oid::from_der_content(module).map_err(|_| NotDer)?;
    Ok(AlternativeName::HardwareModule { module, serial })
}
