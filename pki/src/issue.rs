//! Issuing: a factory's root and intermediate, device certificates, and self-made server ones.
//! Owns: profiles of what we issue (RFC 5280 §4.1.2, §4.2.1), keys as PKCS#8, PEM.
//! Does not own: where keys are kept, and randomness of serial numbers, which is handed in.

use std::fmt;
use std::net::IpAddr;

use base64ct::{Base64, Encoding};
use rcgen::string::{Ia5String, PrintableString};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose,
    SanType, SerialNumber, SubjectPublicKeyInfo,
};
use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::certificate::{Certificate, PemError};

mod key;

pub use key::KeyPair;

/// 9999-12-31T23:59:59Z, the `notAfter` of a certificate without an end (RFC 5280 §4.1.2.5).
pub const NO_END: i64 = 253_402_300_799;
/// Longest life of a server certificate, in seconds: 397 days.
pub const MAX_SERVER_LIFE: i64 = 397 * 86_400;
/// Longest common name and serial number (RFC 5280 §A.1, ub-common-name, ub-serial-number).
const MAX_NAME_CHARACTERS: usize = 64;

/// Why nothing was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// A name is empty, longer than 64 characters, or has characters its field does not allow.
    #[error("a name does not fit its field")]
    Name,
    /// `notAfter` before `notBefore`, a date outside the years 1 to 9999, or a server certificate
    /// of more than 397 days.
    #[error("the validity is not possible")]
    Validity,
    /// The public key is not a SubjectPublicKeyInfo we can certify, or below the floor.
    #[error("the public key cannot be certified")]
    PublicKey,
    /// The private key is not a PKCS#8 P-256 key, or could not be made.
    #[error("the private key is not a PKCS#8 key on P-256")]
    PrivateKey,
    /// The private key is not that of the authority's certificate.
    #[error("the private key does not belong to the certificate")]
    KeyMismatch,
    /// The authority's certificate is not that of an authority, or has a name we cannot repeat
    /// byte by byte.
    #[error("the certificate is not that of a usable authority")]
    NotAuthority,
    /// The PEM text was not read.
    #[error(transparent)]
    Pem(PemError),
    /// The authority's path length leaves no room for another authority.
    #[error("the authority may not have another authority below it")]
    PathLength,
    /// The encoder or signer failed.
    #[error("signing failed")]
    Signing,
}

/// What an authority's certificate says.
#[derive(Debug, Clone, Copy)]
pub struct AuthorityCertificate<'a> {
    /// Its common name, 1 to 64 characters.
    pub common_name: &'a str,
    /// Sixteen random bytes, of which 126 bits become the serial number.
    pub serial: [u8; 16],
    /// First second of validity, Unix time.
    pub not_before: i64,
    /// Last second of validity, Unix time.
    pub not_after: i64,
}

/// What a device's certificate says.
#[derive(Debug, Clone, Copy)]
pub struct DeviceCertificate<'a> {
    /// `serialNumber` of the subject: the device's serial, characters of PrintableString.
    pub serial_number: Option<&'a str>,
    /// `commonName` of the subject, 1 to 64 characters.
    pub common_name: Option<&'a str>,
    /// DER of the device's SubjectPublicKeyInfo.
    pub spki: &'a [u8],
    /// Sixteen random bytes, of which 126 bits become the serial number.
    pub serial: [u8; 16],
    /// First second of validity, Unix time.
    pub not_before: i64,
    /// Last second of validity, Unix time; [`NO_END`] for the maker's identity of a device.
    pub not_after: i64,
    /// A URI for subjectAltName.
    pub san_uri: Option<&'a str>,
    /// Whether extendedKeyUsage clientAuth is written, as operational certificates have it.
    pub client_auth: bool,
}

/// What a self-made server certificate says.
#[derive(Debug, Clone, Copy)]
pub struct ServerCertificate<'a> {
    /// Host names; the first is the common name too, where it fits.
    pub dns_names: &'a [&'a str],
    /// Addresses.
    pub addresses: &'a [IpAddr],
    /// DER of the server's SubjectPublicKeyInfo.
    pub spki: &'a [u8],
    /// Sixteen random bytes, of which 126 bits become the serial number.
    pub serial: [u8; 16],
    /// First second of validity, Unix time.
    pub not_before: i64,
    /// Last second of validity, Unix time; at most [`MAX_SERVER_LIFE`] after `not_before`.
    pub not_after: i64,
}

/// An authority with its private key, read once: issuing does not parse it again.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
}

impl Authority {
    /// Makes a root with a new P-256 key; one authority may stand between it and devices.
    /// Its key belongs offline.
    ///
    /// # Errors
    /// [`IssueError`] for names and dates.
    pub fn create_root(wanted: &AuthorityCertificate<'_>) -> Result<Self, IssueError> {
        let key = KeyPair::generate()?;
        let params = authority_params(wanted, 1)?;
        let issued = params.self_signed(&key).map_err(|_| IssueError::Signing)?;
        Self::from_issued(params, key, issued.der())
    }

    /// Makes an authority below this one, with a new P-256 key, that may issue to devices only.
    ///
    /// # Errors
    /// [`IssueError`] for names and dates; [`IssueError::PathLength`] if this one may not.
    pub fn create_intermediate(&self, wanted: &AuthorityCertificate<'_>) -> Result<Self, IssueError> {
        let constraints = self.certificate.basic_constraints();
        if constraints.is_some_and(|found| found.path_length == Some(0)) {
            return Err(IssueError::PathLength);
        }
        let key = KeyPair::generate()?;
        let mut params = authority_params(wanted, 0)?;
        params.use_authority_key_identifier_extension = true;
        let issued = params.signed_by(&key, &self.issuer).map_err(|_| IssueError::Signing)?;
        Self::from_issued(params, key, issued.der())
    }

    /// Loads an authority from the first certificate of a PEM text and a PKCS#8 PEM key (P-256).
    ///
    /// # Errors
    /// [`IssueError`]; key and certificate must belong together.
    pub fn load_pem(certificate_pem: &[u8], key_pem: &[u8]) -> Result<Self, IssueError> {
        let certificates = Certificate::parse_pem(certificate_pem).map_err(IssueError::Pem)?;
        let certificate = certificates.into_iter().next().ok_or(IssueError::NotAuthority)?;
        let key = KeyPair::load_pem(key_pem)?;
        if key.spki_der() != certificate.spki_der() {
            return Err(IssueError::KeyMismatch);
        }
        let authority = certificate.basic_constraints().is_some_and(|found| found.authority);
        if !authority || !certificate.may_sign_certificates() {
            return Err(IssueError::NotAuthority);
        }
        let issuer = Issuer::from_ca_cert_der(&CertificateDer::from(certificate.der()), key)
            .map_err(|_| IssueError::NotAuthority)?;
        Ok(Self { issuer, certificate })
    }

    /// Its certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Its private key as a PEM section, for the file it is kept in.
    pub fn key_pem(&self) -> Zeroizing<String> {
        self.issuer.key().pkcs8_pem()
    }

    /// Issues a device certificate: version 3, positive serial number, keyUsage digitalSignature,
    /// not an authority, authorityKeyIdentifier, dates as RFC 5280 §4.1.2.5 wants them.
    ///
    /// # Errors
    /// [`IssueError`] for names, dates and the key.
    pub fn issue_device(&self, wanted: &DeviceCertificate<'_>) -> Result<Certificate, IssueError> {
        let mut params = leaf_params(wanted.serial, wanted.not_before, wanted.not_after)?;
        if let Some(serial_number) = wanted.serial_number {
            let text = PrintableString::try_from(checked_name(serial_number)?).map_err(|_| IssueError::Name)?;
            let kind = DnType::CustomDnType(vec![2, 5, 4, 5]);
            let value = DnValue::PrintableString(text);
            params.distinguished_name.push(kind, value);
        }
        if let Some(common_name) = wanted.common_name {
            let text = checked_name(common_name)?;
            params.distinguished_name.push(DnType::CommonName, text);
        }
        // Without a subject, subjectAltName would have to be critical (RFC 5280 §4.1.2.6).
        if wanted.serial_number.is_none() && wanted.common_name.is_none() {
            return Err(IssueError::Name);
        }
        if let Some(uri) = wanted.san_uri {
            params.subject_alt_names.push(SanType::URI(ia5(uri)?));
        }
        if wanted.client_auth {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        }
        self.sign_leaf(&params, wanted.spki)
    }

    /// Issues a server certificate for host names and addresses, with extendedKeyUsage serverAuth.
    ///
    /// # Errors
    /// [`IssueError`]; a life of more than 397 days is [`IssueError::Validity`].
    pub fn issue_server(&self, wanted: &ServerCertificate<'_>) -> Result<Certificate, IssueError> {
        let mut params = leaf_params(wanted.serial, wanted.not_before, wanted.not_after)?;
        if wanted.not_after - wanted.not_before > MAX_SERVER_LIFE {
            return Err(IssueError::Validity);
        }
        for name in wanted.dns_names {
            params.subject_alt_names.push(SanType::DnsName(ia5(name)?));
        }
        let addresses = wanted.addresses.iter().copied().map(SanType::IpAddress);
        params.subject_alt_names.extend(addresses);
        if params.subject_alt_names.is_empty() {
            return Err(IssueError::Name);
        }
        let fitting = wanted.dns_names.iter().find(|name| name.len() <= MAX_NAME_CHARACTERS);
        let common_name = fitting.copied().unwrap_or("server");
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign_leaf(&params, wanted.spki)
    }

    fn from_issued(params: CertificateParams, key: KeyPair, der: &[u8]) -> Result<Self, IssueError> {
        Ok(Self {
            issuer: Issuer::new(params, key),
            certificate: Certificate::parse(der).map_err(|_| IssueError::Signing)?,
        })
    }

    fn sign_leaf(&self, params: &CertificateParams, spki: &[u8]) -> Result<Certificate, IssueError> {
        let key = SubjectPublicKeyInfo::from_der(spki).map_err(|_| IssueError::PublicKey)?;
        let issued = params.signed_by(&key, &self.issuer).map_err(|_| IssueError::Signing)?;
        let certificate = Certificate::parse(issued.der()).map_err(|_| IssueError::Signing)?;
        // The encoder writes key and issuer anew: both must come out as they went in, or the
        // certificate would speak of another key, or hang from nobody.
        if certificate.spki_der() != spki || !certificate.key_kind().is_strong() {
            return Err(IssueError::PublicKey);
        }
        if certificate.issuer_der() != self.certificate.subject_der() {
            return Err(IssueError::NotAuthority);
        }
        Ok(certificate)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Authority").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

fn authority_params(wanted: &AuthorityCertificate<'_>, path_length: u8) -> Result<CertificateParams, IssueError> {
    let mut params = base_params(wanted.serial, wanted.not_before, wanted.not_after)?;
    let common_name = checked_name(wanted.common_name)?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn leaf_params(serial: [u8; 16], not_before: i64, not_after: i64) -> Result<CertificateParams, IssueError> {
    let mut params = base_params(serial, not_before, not_after)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn base_params(serial: [u8; 16], not_before: i64, not_after: i64) -> Result<CertificateParams, IssueError> {
    if not_after < not_before {
        return Err(IssueError::Validity);
    }
    let mut params = CertificateParams::default();
    params.not_before = date(not_before)?;
    params.not_after = date(not_after)?;
    params.serial_number = Some(positive_serial(serial));
    params.distinguished_name = rcgen::DistinguishedName::new();
    Ok(params)
}

/// Positive, never zero, always sixteen octets (RFC 5280 §4.1.2.2).
fn positive_serial(mut random: [u8; 16]) -> SerialNumber {
    let [first, ..] = &mut random;
    *first = *first & 0x7f | 0x40;
    SerialNumber::from_slice(&random)
}

fn date(seconds: i64) -> Result<OffsetDateTime, IssueError> {
    let date = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| IssueError::Validity)?;
    if date.year() < 1 {
        return Err(IssueError::Validity);
    }
    Ok(date)
}

fn checked_name(text: &str) -> Result<&str, IssueError> {
    let characters = text.chars().count();
    let fits = (1..=MAX_NAME_CHARACTERS).contains(&characters);
    let plain = !text.chars().any(char::is_control) && text.trim() == text;
    if fits && plain { Ok(text) } else { Err(IssueError::Name) }
}

fn ia5(text: &str) -> Result<Ia5String, IssueError> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !plain {
        return Err(IssueError::Name);
    }
    Ia5String::try_from(text).map_err(|_| IssueError::Name)
}

/// One PEM section with lines of 64 characters (RFC 7468 §2). Wiped when dropped, since keys pass
/// here too.
pub(crate) fn pem_section(label: &str, der: &[u8]) -> Zeroizing<String> {
    let encoded = Zeroizing::new(Base64::encode_string(der));
    let (lines, last) = encoded.as_bytes().as_chunks::<64>();
    // Reserved at once: growing would leave copies of a key behind.
    let capacity = encoded.len() + lines.len() + 2 * label.len() + 40;
    let mut text = Zeroizing::new(String::with_capacity(capacity));
    let line = |text: &mut String, octets: &[u8]| {
        text.extend(octets.iter().copied().map(char::from));
        text.push('\n');
    };
    line(&mut text, format!("-----BEGIN {label}-----").as_bytes());
    for octets in lines {
        line(&mut text, octets);
    }
    if !last.is_empty() {
        line(&mut text, last);
    }
    line(&mut text, format!("-----END {label}-----").as_bytes());
    text
}

#[cfg(test)]
mod tests;
