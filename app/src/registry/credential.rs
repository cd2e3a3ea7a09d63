//! Certificates and keys as people hand them in: read, judged strong enough,
//! and put into the form the registry compares.

use base64ct::{Base64, Encoding};
use identity::product::IdentityField;
use identity::rule::import_line::LineCredential;
use jose::Jwk;
use pki::{Certificate, IdentityError};
use serde_json::Value;

use crate::certificate;

/// A certificate or public key that was read.
pub(super) struct Shown {
    key: Jwk,
    certificate: Option<Certificate>,
}

impl Shown {
    /// Reads a certificate: PEM, or DER in base64. Of several, the first.
    pub(super) fn from_certificate(text: &str) -> Result<Self, &'static str> {
        let certificate = read_certificate(text)?;
        if !certificate.key_kind().is_strong() {
            return Err("the key of the certificate is too weak: P-256, P-384, Ed25519 or RSA of 2048 bits");
        }
        if certificate.basic_constraints().is_some_and(|constraints| constraints.authority) {
            return Err("the certificate is that of an authority, not of a device");
        }
        let key = Jwk::from_spki(certificate.spki_der()).map_err(|_| "the key of the certificate is not usable")?;
        Ok(Self { key, certificate: Some(certificate) })
    }

    /// Reads a public key.
    pub(super) fn from_jwk(jwk: &Value) -> Result<Self, &'static str> {
        let key = Jwk::from_json(jwk).map_err(|error| match error {
            jose::JwkError::PrivateMember => "the key holds its private half, which must stay with the device",
            _ => "the key is no usable public JWK: P-256, P-384, Ed25519 or RSA of 2048 bits",
        })?;
        Ok(Self { key, certificate: None })
    }

    /// In the registry's form; the certificate's identity stands where the
    /// product says.
    pub(super) fn line(&self, field: IdentityField) -> Result<LineCredential, &'static str> {
        let identity =
            match self.certificate.as_ref().map(|shown| pki::identity_field(shown, certificate::field(field))) {
                None | Some(Err(IdentityError::Absent)) => None,
                Some(Ok(identity)) => Some(identity),
                Some(Err(_)) => return Err("the certificate does not name its device clearly"),
            };
        Ok(LineCredential {
            key_thumbprint: self.key.thumbprint().to_string(),
            jwk: self.key.to_bare_json(),
            certificate: self.certificate.as_ref().map(certificate::facts),
            identity,
        })
    }
}

/// Reads the first certificate of a text.
pub(super) fn read_certificate(text: &str) -> Result<Certificate, &'static str> {
    const MALFORMED: &str = "the certificate is neither PEM nor DER in base64";
    if text.len() > pki::MAX_CHAIN_BYTES {
        return Err("the certificate is over 64 KiB");
    }
    if text.contains("-----BEGIN") {
        let chain = Certificate::parse_pem(text.as_bytes()).map_err(|_| MALFORMED)?;
        return chain.into_iter().next().ok_or(MALFORMED);
    }
    let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let der = Base64::decode_vec(&plain).map_err(|_| MALFORMED)?;
    Certificate::parse(&der).map_err(|_| MALFORMED)
}
