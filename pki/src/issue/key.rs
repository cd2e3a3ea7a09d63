//! P-256 key pairs for authorities, devices and servers. Owns: making, loading, PKCS#8.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use zeroize::{Zeroize, Zeroizing};

use super::{IssueError, pem_section};

/// A P-256 key pair. Its PKCS#8 bytes are wiped when it is dropped.
pub struct KeyPair {
    pair: EcdsaKeyPair,
    pkcs8: Zeroizing<Vec<u8>>,
    spki: Vec<u8>,
}

impl KeyPair {
    /// Makes a new key with the generator of the cryptographic library.
    ///
    /// # Errors
    /// [`IssueError::PrivateKey`] if the library fails.
    pub fn generate() -> Result<Self, IssueError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(|_| IssueError::PrivateKey)?;
        let document = pair.to_pkcs8v1().map_err(|_| IssueError::PrivateKey)?;
        Self::assemble(pair, Zeroizing::new(document.as_ref().to_vec()))
    }

    /// Loads a PKCS#8 key (RFC 5958), the whole input.
    ///
    /// # Errors
    /// [`IssueError::PrivateKey`] for anything but a P-256 key.
    pub fn load_der(pkcs8: &[u8]) -> Result<Self, IssueError> {
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8).map_err(|_| IssueError::PrivateKey)?;
        Self::assemble(pair, Zeroizing::new(pkcs8.to_vec()))
    }

    /// Loads the first `PRIVATE KEY` section of a PEM text.
    ///
    /// # Errors
    /// [`IssueError::PrivateKey`] for anything but a P-256 key in PKCS#8.
    pub fn load_pem(pem: &[u8]) -> Result<Self, IssueError> {
        let mut section = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| IssueError::PrivateKey)?;
        let loaded = Self::load_der(section.secret_pkcs8_der());
        section.zeroize();
        loaded
    }

    /// The private key as PKCS#8 DER. It is a secret.
    pub fn pkcs8_der(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The private key as a `PRIVATE KEY` PEM section. It is a secret.
    pub fn pkcs8_pem(&self) -> Zeroizing<String> {
        pem_section("PRIVATE KEY", &self.pkcs8)
    }

    /// The public key as the DER of SubjectPublicKeyInfo.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    fn assemble(pair: EcdsaKeyPair, pkcs8: Zeroizing<Vec<u8>>) -> Result<Self, IssueError> {
        let spki: PublicKeyX509Der<'static> = pair.public_key().as_der().map_err(|_| IssueError::PrivateKey)?;
        let spki = spki.as_ref().to_vec();
        Ok(Self { pair, pkcs8, spki })
    }
}

impl rcgen::PublicKeyData for KeyPair {
    fn der_bytes(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for KeyPair {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.pair
            .sign(&SystemRandom::new(), message)
            .map(|signature| signature.as_ref().to_vec())
            .map_err(|_| rcgen::Error::RingUnspecified)
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeyPair(..)")
    }
}
