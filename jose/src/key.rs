//! Keys ready for use: parsed once, used often. Owns: signing and verifying
//! over aws-lc-rs, and that an algorithm fits its key (RFC 8725 §3.1).
//! Does not own: where keys are kept, or which key is trusted.

#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, ParsedPublicKey, RsaKeyPair,
};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::jwk::{self, Curve, PublicKey};
use crate::{Alg, Jwk, SignError, Signer, json, jws};

/// Why a private key is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The bytes are no private key of the algorithm asked for, the public half
    /// does not belong to it, or an RSA key is below 2048 or above 8192 bits.
    #[error("not an acceptable private key for this algorithm")]
    Rejected,
    /// A symmetric algorithm where a key pair was asked for, or the reverse.
    #[error("the algorithm has no such key")]
    WrongKind,
    /// An HMAC key below 32 bytes (RFC 7518 §3.2).
    #[error("the symmetric key is shorter than 256 bits")]
    TooShort,
}

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The algorithm does not fit the key (RFC 8725 §3.1).
    #[error("the algorithm does not fit the key")]
    AlgMismatch,
    /// The signature is wrong.
    #[error("the signature is wrong")]
    BadSignature,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

/// A private key in memory, with the public half that verifies it.
pub struct SigningKey {
    alg: Alg,
    pair: Pair,
    jwk: Jwk,
}

impl SigningKey {
    /// Makes a new key from the generator of aws-lc: P-256, P-384, Ed25519 or
    /// RSA with 2048 bits.
    ///
    /// # Errors
    /// [`KeyError::WrongKind`] for HS256; [`KeyError::Rejected`] when the
    /// generator fails.
    pub fn generate(alg: Alg) -> Result<SigningKey, KeyError> {
        let pair = match alg {
            Alg::ES256 | Alg::ES384 => EcdsaKeyPair::generate(ecdsa(alg)?).map(Pair::Ecdsa),
            Alg::EdDSA | Alg::Ed25519 => Ed25519KeyPair::generate().map(Pair::Ed25519),
            Alg::PS256 | Alg::RS256 => RsaKeyPair::generate(KeySize::Rsa2048).map(Pair::Rsa),
            Alg::HS256 => return Err(KeyError::WrongKind),
        };
        SigningKey::from_pair(alg, pair.map_err(|_| KeyError::Rejected)?)
    }

    /// Reads a PKCS#8 private key (RFC 5958) for this algorithm.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_pkcs8(alg: Alg, der: &[u8]) -> Result<SigningKey, KeyError> {
        let pair = match alg {
            Alg::ES256 | Alg::ES384 => EcdsaKeyPair::from_pkcs8(ecdsa(alg)?, der).map(Pair::Ecdsa),
            Alg::EdDSA | Alg::Ed25519 => Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(Pair::Ed25519),
            Alg::PS256 | Alg::RS256 => RsaKeyPair::from_pkcs8(der).map(Pair::Rsa),
            Alg::HS256 => return Err(KeyError::WrongKind),
        };
        SigningKey::from_pair(alg, pair.map_err(|_| KeyError::Rejected)?)
    }

    /// Reads an EC or Ed25519 private JWK (RFC 7518 §6.2.2, RFC 8037 §2), the
    /// form of a device's key file. The public half must belong to `d`.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_private_jwk(alg: Alg, bytes: &[u8]) -> Result<SigningKey, KeyError> {
        let members = json::parse_object(bytes).map_err(|_| KeyError::Rejected)?;
        let public =
            jwk::public_part(&members).and_then(|public| public.with_alg(alg)).map_err(|_| KeyError::Rejected)?;
        let d = Zeroizing::new(jwk::octets(&members, "d").map_err(|_| KeyError::Rejected)?);
        let pair = match &public.key {
            PublicKey::Ec(curve, point) if d.len() == curve.coordinate_len() => {
                EcdsaKeyPair::from_private_key_and_public_key(ecdsa(alg)?, &d, &uncompressed(point)).map(Pair::Ecdsa)
            }
            PublicKey::Ed25519(x) => Ed25519KeyPair::from_seed_and_public_key(&d, x).map(Pair::Ed25519),
            _ => return Err(KeyError::Rejected),
        };
        let mut key = SigningKey::from_pair(alg, pair.map_err(|_| KeyError::Rejected)?)?;
        if let Some(kid) = members.get("kid").and_then(Value::as_str) {
            key.jwk = key.jwk.with_kid(kid);
        }
        Ok(key)
    }

    fn from_pair(alg: Alg, pair: Pair) -> Result<SigningKey, KeyError> {
        let spki = match &pair {
            Pair::Ecdsa(pair) => pair.public_key().as_der(),
            Pair::Ed25519(pair) => pair.public_key().as_der(),
            Pair::Rsa(pair) => pair.public_key().as_der(),
        };
        let spki = spki.map_err(|_| KeyError::Rejected)?;
        let jwk = Jwk::from_spki(spki.as_ref()).and_then(|jwk| jwk.with_alg(alg)).map_err(|_| KeyError::Rejected)?;
        Ok(SigningKey { alg, pair, jwk })
    }

    /// The same key, whose public half bears this `kid`.
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> SigningKey {
        self.jwk = self.jwk.with_kid(kid);
        self
    }

    /// The private key as PKCS#8 (RFC 5958), to be sealed before it rests.
    ///
    /// # Errors
    /// [`KeyError::Rejected`] when aws-lc cannot encode it.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        // The document wipes itself when it is dropped.
        let bytes = match &self.pair {
            Pair::Ecdsa(pair) => pair.to_pkcs8v1().map(|der| der.as_ref().to_vec()),
            Pair::Ed25519(pair) => pair.to_pkcs8v1().map(|der| der.as_ref().to_vec()),
            Pair::Rsa(pair) => pair.as_der().map(|der| der.as_ref().to_vec()),
        };
        bytes.map(Zeroizing::new).map_err(|_| KeyError::Rejected)
    }
}

impl Signer for SigningKey {
    fn alg(&self) -> Alg {
        self.alg
    }

    fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    fn sign(&self, input: &[u8]) -> Result<Vec<u8>, SignError> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ecdsa(pair) => pair.sign(&random, input).map(|signature| signature.as_ref().to_vec()),
            Pair::Ed25519(pair) => pair.try_sign(input).map(|signature| signature.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let padding: &'static dyn signature::RsaEncoding =
                    if self.alg == Alg::PS256 { &signature::RSA_PSS_SHA256 } else { &signature::RSA_PKCS1_SHA256 };
                let mut bytes = alloc::vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, input, &mut bytes).map(|()| bytes)
            }
        }
        .map_err(|_| SignError::Failed)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, {})", self.alg, self.jwk.thumbprint())
    }
}

/// A symmetric key for HS256, at least 32 bytes (RFC 7518 §3.2).
pub struct HmacKey(hmac::Key);

impl HmacKey {
    /// Takes the key.
    ///
    /// # Errors
    /// [`KeyError::TooShort`] below 32 bytes.
    pub fn new(secret: &[u8]) -> Result<HmacKey, KeyError> {
        if secret.len() < 32 {
            return Err(KeyError::TooShort);
        }
        Ok(HmacKey(hmac::Key::new(hmac::HMAC_SHA256, secret)))
    }

    /// The HS256 tag of the bytes.
    pub fn sign(&self, input: &[u8]) -> Vec<u8> {
        hmac::sign(&self.0, input).as_ref().to_vec()
    }

    /// Checks a tag in constant time.
    ///
    /// # Errors
    /// [`VerifyError::BadSignature`].
    pub fn verify(&self, input: &[u8], tag: &[u8]) -> Result<(), VerifyError> {
        hmac::verify(&self.0, input, tag).map_err(|_| VerifyError::BadSignature)
    }

    /// The compact form of a payload under this key; as [`jws::sign_compact`].
    ///
    /// # Errors
    /// [`SignError`].
    pub fn sign_compact(
        &self,
        typ: Option<&str>,
        kid: Option<&str>,
        extra: &Map<String, Value>,
        payload: &[u8],
    ) -> Result<String, SignError> {
        jws::compact(typ, Alg::HS256, kid, extra, payload, |input| Ok(self.sign(input)))
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey")
    }
}

#[derive(Clone)]
enum Material {
    /// The one parsed key of a curve.
    Single(ParsedPublicKey),
    /// aws-lc binds the padding to the parsed key, so RSA is parsed for both.
    Rsa {
        pkcs1: ParsedPublicKey,
        pss: ParsedPublicKey,
    },
    Hmac(hmac::Key),
}

/// A key parsed once and used for many verifications. Cheap to share.
#[derive(Clone)]
pub struct VerifyingKey {
    material: Material,
    /// `None` for a symmetric key.
    jwk: Option<Jwk>,
}

impl VerifyingKey {
    /// Parses a public key.
    ///
    /// # Errors
    /// [`KeyError::Rejected`] when aws-lc refuses it, e.g. a point off its curve.
    pub fn from_jwk(jwk: &Jwk) -> Result<VerifyingKey, KeyError> {
        let material = match &jwk.key {
            PublicKey::Ec(curve, point) => {
                let algorithm = match curve {
                    Curve::P256 => &signature::ECDSA_P256_SHA256_FIXED,
                    Curve::P384 => &signature::ECDSA_P384_SHA384_FIXED,
                };
                ParsedPublicKey::new(algorithm, uncompressed(point)).map(Material::Single)
            }
            PublicKey::Ed25519(key) => ParsedPublicKey::new(&signature::ED25519, key).map(Material::Single),
            PublicKey::Rsa { n, e } => {
                let key = PublicKeyComponents { n, e };
                key.to_parsed_public_key(&signature::RSA_PKCS1_2048_8192_SHA256).and_then(|pkcs1| {
                    let pss = key.to_parsed_public_key(&signature::RSA_PSS_2048_8192_SHA256)?;
                    Ok(Material::Rsa { pkcs1, pss })
                })
            }
        };
        Ok(VerifyingKey { material: material.map_err(|_| KeyError::Rejected)?, jwk: Some(jwk.clone()) })
    }

    /// Takes a symmetric key for HS256.
    ///
    /// # Errors
    /// [`KeyError::TooShort`] below 32 bytes.
    pub fn hmac(secret: &[u8]) -> Result<VerifyingKey, KeyError> {
        let HmacKey(key) = HmacKey::new(secret)?;
        Ok(VerifyingKey { material: Material::Hmac(key), jwk: None })
    }

    /// The public key; `None` for a symmetric one.
    pub fn jwk(&self) -> Option<&Jwk> {
        self.jwk.as_ref()
    }

    /// Checks a signature in JOSE form.
    ///
    /// # Errors
    /// [`VerifyError::AlgMismatch`] before any cryptography when the algorithm
    /// does not fit the key's type, `alg`, `use` or `key_ops`.
    pub fn verify(&self, alg: Alg, input: &[u8], signature: &[u8]) -> Result<(), VerifyError> {
        let permitted = match &self.jwk {
            Some(jwk) => jwk.permits(alg),
            None => alg.is_symmetric(),
        };
        if !permitted {
            return Err(VerifyError::AlgMismatch);
        }
        let checked = match (&self.material, alg) {
            (Material::Hmac(key), _) => hmac::verify(key, input, signature),
            (Material::Single(key), _) => key.verify_sig(input, signature),
            (Material::Rsa { pss, .. }, Alg::PS256) => pss.verify_sig(input, signature),
            (Material::Rsa { pkcs1, .. }, _) => pkcs1.verify_sig(input, signature),
        };
        checked.map_err(|_| VerifyError::BadSignature)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.jwk {
            Some(jwk) => write!(f, "VerifyingKey({})", jwk.thumbprint()),
            None => f.write_str("VerifyingKey(symmetric)"),
        }
    }
}

fn ecdsa(alg: Alg) -> Result<&'static EcdsaSigningAlgorithm, KeyError> {
    match alg {
        Alg::ES256 => Ok(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
        Alg::ES384 => Ok(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        _ => Err(KeyError::WrongKind),
    }
}

/// SEC 1 §2.3.3: 04, then both coordinates.
fn uncompressed(point: &[u8]) -> Vec<u8> {
    [&[4], point].concat()
}
