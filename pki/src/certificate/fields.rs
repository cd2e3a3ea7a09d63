//! The basic fields of a certificate (RFC 5280 §4.1). Owns: walking TBSCertificate.

use time::{Date, Month, PrimitiveDateTime, Time};

use super::extensions::{self, Extensions};
use super::{CertificateError, SignatureAlgorithm};
use crate::der::{self, Element, Reader, tag};
use crate::key::PublicKeyKind;
use crate::name::DistinguishedName;

/// Octets of a serial number (RFC 5280 §4.1.2.2), and one more for a leading zero.
const MAX_SERIAL_OCTETS: usize = 21;

/// ecdsa-with-SHA256, -SHA384, -SHA512 (RFC 5758 §3.2).
const ECDSA_SHA2: [&[u8]; 3] = [
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03],
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04],
];
/// sha256-, sha384-, sha512WithRSAEncryption, id-RSASSA-PSS (RFC 4055 §3, §5).
const RSA_SHA2: [&[u8]; 4] = [
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a],
];
/// id-Ed25519 (RFC 8410 §3).
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

pub(super) struct Fields {
    pub(super) version: u8,
    pub(super) serial: Vec<u8>,
    pub(super) signature_algorithm: SignatureAlgorithm,
    pub(super) issuer: DistinguishedName,
    pub(super) issuer_der: Vec<u8>,
    pub(super) subject: DistinguishedName,
    pub(super) subject_der: Vec<u8>,
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    pub(super) spki: Vec<u8>,
    pub(super) key_kind: PublicKeyKind,
}

pub(super) fn parse(bytes: &[u8]) -> Result<(Fields, Extensions), CertificateError> {
    let mut outer = Reader::new(der::single(bytes)?.whole).nested(tag::SEQUENCE)?;
    let mut tbs = outer.nested(tag::SEQUENCE)?;
    let outer_algorithm = outer.expect(tag::SEQUENCE)?;
    der::whole_bits(outer.expect(tag::BIT_STRING)?.content)?;
    outer.finish()?;

    let version = parse_version(&mut tbs)?;
    let serial = der::integer(tbs.expect(tag::INTEGER)?.content)?;
    if serial.len() > MAX_SERIAL_OCTETS {
        return Err(CertificateError::NotDer);
    }
    let inner_algorithm = tbs.expect(tag::SEQUENCE)?;
    if inner_algorithm.whole != outer_algorithm.whole {
        return Err(CertificateError::AlgorithmMismatch);
    }
    let issuer_der = tbs.expect(tag::SEQUENCE)?.whole;
    let (not_before, not_after) = parse_validity(tbs.nested(tag::SEQUENCE)?)?;
    let subject_der = tbs.expect(tag::SEQUENCE)?.whole;
    let spki = tbs.expect(tag::SEQUENCE)?.whole;
    let key_kind = PublicKeyKind::parse(spki).map_err(|_| CertificateError::PublicKey)?;
    // issuerUniqueID and subjectUniqueID: obsolete, read and left (RFC 5280 §4.1.2.8).
    tbs.optional(tag::context(1))?;
    tbs.optional(tag::context(2))?;
    let extensions = match tbs.optional(tag::context_constructed(3))? {
        Some(explicit) if version == 3 => extensions::parse(explicit.content)?,
        Some(_) => return Err(CertificateError::NotDer),
        None => Extensions::default(),
    };
    tbs.finish()?;

    let fields = Fields {
        version,
        serial: serial.to_vec(),
        signature_algorithm: parse_algorithm(inner_algorithm)?,
        issuer: DistinguishedName::parse_der(issuer_der)?,
        issuer_der: issuer_der.to_vec(),
        subject: DistinguishedName::parse_der(subject_der)?,
        subject_der: subject_der.to_vec(),
        not_before,
        not_after,
        spki: spki.to_vec(),
        key_kind,
    };
    Ok((fields, extensions))
}

/// Version ::= [0] EXPLICIT INTEGER DEFAULT v1 (RFC 5280 §4.1.2.1); a default is not written.
fn parse_version(tbs: &mut Reader<'_>) -> Result<u8, CertificateError> {
    let Some(explicit) = tbs.optional(tag::context_constructed(0))? else {
        return Ok(1);
    };
    let number = der::single(explicit.content)?;
    match (number.tag, number.content) {
        (tag::INTEGER, [1]) => Ok(2),
        (tag::INTEGER, [2]) => Ok(3),
        _ => Err(CertificateError::NotDer),
    }
}

fn parse_algorithm(identifier: Element<'_>) -> Result<SignatureAlgorithm, CertificateError> {
    let oid = Reader::new(identifier.content).expect(tag::OID)?.content;
    let strong = ECDSA_SHA2.contains(&oid) || RSA_SHA2.contains(&oid) || oid == ED25519;
    Ok(if strong { SignatureAlgorithm::Strong } else { SignatureAlgorithm::Weak })
}

fn parse_validity(mut validity: Reader<'_>) -> Result<(i64, i64), CertificateError> {
    let not_before = parse_time(validity.element()?)?;
    let not_after = parse_time(validity.element()?)?;
    validity.finish()?;
    Ok((not_before, not_after))
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`: seconds present, UTC, no fraction (RFC 5280 §4.1.2.5).
fn parse_time(element: Element<'_>) -> Result<i64, CertificateError> {
    let digits = element
        .content
        .strip_suffix(b"Z")
        .filter(|digits| digits.iter().all(u8::is_ascii_digit))
        .ok_or(CertificateError::Date)?;
    let (pairs, odd) = digits.as_chunks::<2>();
    let numbers: Vec<u8> = pairs.iter().map(|[tens, units]| (tens - b'0') * 10 + (units - b'0')).collect();
    if !odd.is_empty() {
        return Err(CertificateError::Date);
    }
    let (year, rest) = match (element.tag, numbers.as_slice()) {
        (tag::UTC_TIME, [year, rest @ ..]) if *year >= 50 => (1900 + i32::from(*year), rest),
        (tag::UTC_TIME, [year, rest @ ..]) => (2000 + i32::from(*year), rest),
        (tag::GENERALIZED_TIME, [century, year, rest @ ..]) => (i32::from(*century) * 100 + i32::from(*year), rest),
        _ => return Err(CertificateError::Date),
    };
    let &[month, day, hour, minute, second] = rest else {
        return Err(CertificateError::Date);
    };
    let month = Month::try_from(month).map_err(|_| CertificateError::Date)?;
    let date = Date::from_calendar_date(year, month, day).map_err(|_| CertificateError::Date)?;
    let time = Time::from_hms(hour, minute, second).map_err(|_| CertificateError::Date)?;
    Ok(PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp())
}
