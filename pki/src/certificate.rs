//! A certificate, read once and strictly (RFC 5280 §4.1, §4.2), with the facts the rules need.
//! Owns: the DER, its facts, thumbprints, PEM. Does not own: whether it is trusted (`path`).

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::digest;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::der::NotDer;
use crate::key::PublicKeyKind;
use crate::name::{DistinguishedName, NameError, Oid};

mod extensions;
mod fields;

/// Most bytes of a certificate, and of a chain of them together.
pub const MAX_CHAIN_BYTES: usize = 64 * 1024;
/// Most certificates in one PEM bundle.
const MAX_BUNDLE: usize = 64;
/// Most bytes of one PEM bundle.
const MAX_BUNDLE_BYTES: usize = 1024 * 1024;

/// Why a certificate was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// More than [`MAX_CHAIN_BYTES`].
    #[error("the certificate is too large")]
    TooLarge,
    /// Not the DER of a certificate, or something follows it.
    #[error("the bytes are not one DER certificate")]
    NotDer,
    /// The subject or issuer is not a name.
    #[error("a name in the certificate is malformed")]
    Name,
    /// The public key information is not well formed.
    #[error("the public key in the certificate is malformed")]
    PublicKey,
    /// A date is not a UTCTime or GeneralizedTime of RFC 5280 §4.1.2.5.
    #[error("a date in the certificate is malformed")]
    Date,
    /// An extension stands twice (RFC 5280 §4.2).
    #[error("an extension stands twice in the certificate")]
    DuplicateExtension,
    /// An extension that the rules rely on is not well formed.
    #[error("an extension of the certificate is malformed")]
    Extension,
    /// The algorithm inside the signed part differs from the one outside (RFC 5280 §4.1.1.2).
    #[error("the certificate names two signature algorithms")]
    AlgorithmMismatch,
}

impl From<NotDer> for CertificateError {
    fn from(_: NotDer) -> Self {
        Self::NotDer
    }
}

impl From<NameError> for CertificateError {
    fn from(_: NameError) -> Self {
        Self::Name
    }
}

/// Why a PEM bundle was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// More than 1 MiB, or more than 64 certificates.
    #[error("the PEM bundle is too large")]
    TooLarge,
    /// The PEM armour or its base64 is broken.
    #[error("the text is not PEM")]
    NotPem,
    /// There is no certificate in it.
    #[error("the PEM text holds no certificate")]
    Empty,
    /// The certificate at this position, counted from 0, was not read.
    #[error("certificate {} of the bundle: {cause}", position + 1)]
    Certificate {
        /// Position in the bundle.
        position: usize,
        /// What is wrong with it.
        cause: CertificateError,
    },
}

/// The signature algorithm a certificate was signed with, as far as the floor needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// ECDSA, Ed25519 or RSA with SHA-256, SHA-384 or SHA-512 (RSA-PSS included).
    Strong,
    /// Anything else: SHA-1, MD5, DSA, or unknown to us.
    Weak,
}

/// basicConstraints (RFC 5280 §4.2.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BasicConstraints {
    /// Whether the subject may issue certificates.
    pub authority: bool,
    /// Most non-self-issued intermediates below it.
    pub path_length: Option<u32>,
}

/// extendedKeyUsage (RFC 5280 §4.2.1.12), as far as the rules need it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExtendedKeyUsage {
    /// clientAuth, 1.3.6.1.5.5.7.3.2.
    pub client: bool,
    /// serverAuth, 1.3.6.1.5.5.7.3.1.
    pub server: bool,
    /// anyExtendedKeyUsage, 2.5.29.37.0.
    pub any: bool,
}

/// One entry of subjectAltName (RFC 5280 §4.2.1.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlternativeName {
    /// A URI, ASCII as it stands.
    Uri(String),
    /// A DNS name, ASCII as it stands.
    Dns(String),
    /// A mail address, ASCII as it stands.
    Email(String),
    /// An IP address.
    Ip(IpAddr),
    /// hardwareModuleName (RFC 4108 §5).
    HardwareModule {
        /// What kind of module the serial counts.
        module: Oid,
        /// The module's serial, as octets.
        serial: Vec<u8>,
    },
    /// A directory name.
    Directory(DistinguishedName),
    /// Any other form.
    Other,
}

/// A certificate, read but not trusted. Cheap to clone.
#[derive(Clone)]
pub struct Certificate {
    inner: Arc<Inner>,
}

struct Inner {
    der: Vec<u8>,
    thumbprint: [u8; 32],
    fields: fields::Fields,
    extensions: extensions::Extensions,
}

impl Certificate {
    /// Reads one DER certificate and keeps a copy of it. The whole input must be it.
    ///
    /// # Errors
    /// [`CertificateError`]; the size is checked before anything else.
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > MAX_CHAIN_BYTES {
            return Err(CertificateError::TooLarge);
        }
        let (fields, extensions) = fields::parse(der)?;
        let inner = Inner { der: der.to_vec(), thumbprint: sha256(der), fields, extensions };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Reads every certificate of a PEM text, in its order; other sections are passed over.
    ///
    /// # Errors
    /// [`PemError`]; a text without any certificate is one.
    pub fn parse_pem(pem: &[u8]) -> Result<Vec<Self>, PemError> {
        if pem.len() > MAX_BUNDLE_BYTES {
            return Err(PemError::TooLarge);
        }
        let mut certificates = Vec::new();
        for (position, section) in CertificateDer::pem_slice_iter(pem).enumerate() {
            if position == MAX_BUNDLE {
                return Err(PemError::TooLarge);
            }
            let section = section.map_err(|_| PemError::NotPem)?;
            let certificate = Self::parse(&section).map_err(|cause| PemError::Certificate { position, cause })?;
            certificates.push(certificate);
        }
        if certificates.is_empty() {
            return Err(PemError::Empty);
        }
        Ok(certificates)
    }

    /// The whole DER.
    pub fn der(&self) -> &[u8] {
        &self.inner.der
    }

    /// The certificate as one PEM section (RFC 7468 §5).
    pub fn pem(&self) -> String {
        crate::issue::pem_section("CERTIFICATE", self.der()).to_string()
    }

    /// SHA-256 over the whole DER: `x5t#S256` before base64url (RFC 8705 §3).
    pub fn thumbprint(&self) -> [u8; 32] {
        self.inner.thumbprint
    }

    /// The DER of SubjectPublicKeyInfo.
    pub fn spki_der(&self) -> &[u8] {
        &self.inner.fields.spki
    }

    /// SHA-256 over SubjectPublicKeyInfo: what a record of the registry is bound to.
    pub fn spki_sha256(&self) -> [u8; 32] {
        sha256(self.spki_der())
    }

    /// The content octets of the serial number, big endian, with a leading zero where DER needs one.
    pub fn serial(&self) -> &[u8] {
        &self.inner.fields.serial
    }

    /// The serial number as lower-case hex of [`Self::serial`].
    pub fn serial_hex(&self) -> String {
        self.serial().iter().map(|octet| format!("{octet:02x}")).collect()
    }

    /// Who signed it, by name.
    pub fn issuer(&self) -> &DistinguishedName {
        &self.inner.fields.issuer
    }

    /// Whom it speaks of.
    pub fn subject(&self) -> &DistinguishedName {
        &self.inner.fields.subject
    }

    /// First second of validity, Unix time.
    pub fn not_before(&self) -> i64 {
        self.inner.fields.not_before
    }

    /// Last second of validity, Unix time; 253402300799 for the year 9999 of devices without end.
    pub fn not_after(&self) -> i64 {
        self.inner.fields.not_after
    }

    /// X.509 version, 1 to 3.
    pub fn version(&self) -> u8 {
        self.inner.fields.version
    }

    /// The kind of the subject's key.
    pub fn key_kind(&self) -> PublicKeyKind {
        self.inner.fields.key_kind
    }

    /// What it was signed with.
    pub fn signature_algorithm(&self) -> SignatureAlgorithm {
        self.inner.fields.signature_algorithm
    }

    /// basicConstraints, if present.
    pub fn basic_constraints(&self) -> Option<BasicConstraints> {
        self.inner.extensions.basic_constraints
    }

    /// extendedKeyUsage, if present.
    pub fn extended_key_usage(&self) -> Option<ExtendedKeyUsage> {
        self.inner.extensions.extended_key_usage
    }

    /// The entries of subjectAltName, none if it is absent.
    pub fn subject_alternative_names(&self) -> &[AlternativeName] {
        &self.inner.extensions.subject_alternative_names
    }

    /// Whether keyUsage, if present, has digitalSignature (RFC 5280 §4.2.1.3).
    pub fn may_sign(&self) -> bool {
        self.inner.extensions.key_usage.is_none_or(|usage| usage.digital_signature)
    }

    /// Whether keyUsage, if present, has keyCertSign (RFC 5280 §4.2.1.3).
    pub fn may_sign_certificates(&self) -> bool {
        self.inner.extensions.key_usage.is_none_or(|usage| usage.certificate_sign)
    }

    /// Whether it has a critical extension that this crate does not enforce (RFC 5280 §4.2).
    pub fn has_unknown_critical_extension(&self) -> bool {
        self.inner.extensions.unknown_critical
    }

    /// The DER of the issuer's name, for comparing byte by byte.
    pub fn issuer_der(&self) -> &[u8] {
        &self.inner.fields.issuer_der
    }

    /// The DER of the subject's name, for comparing byte by byte.
    pub fn subject_der(&self) -> &[u8] {
        &self.inner.fields.subject_der
    }
}

/// Equal when the DER is, byte by byte.
impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der() == other.der()
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Certificate")
            .field("subject", self.subject())
            .field("serial", &self.serial_hex())
            .finish_non_exhaustive()
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut octets = [0; 32];
    octets.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    octets
}

#[cfg(test)]
mod tests;
