//! What kind of public key a certificate carries, as far as the floor of algorithms needs it.
//! Owns: the kind and its size, read from SubjectPublicKeyInfo. Does not own: using the key.

use crate::der::{self, NotDer, Reader, tag};

/// id-ecPublicKey, 1.2.840.10045.2.1 (RFC 5480 §2.1.1).
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// secp256r1, 1.2.840.10045.3.1.7.
const SECP256R1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// secp384r1, 1.3.132.0.34.
const SECP384R1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
/// rsaEncryption, 1.2.840.113549.1.1.1 (RFC 3279 §2.3.1).
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// id-Ed25519, 1.3.101.112 (RFC 8410 §3).
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// The kind of a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicKeyKind {
    /// Elliptic curve P-256.
    P256,
    /// Elliptic curve P-384.
    P384,
    /// Ed25519.
    Ed25519,
    /// RSA with a modulus of so many bits.
    Rsa(usize),
    /// An elliptic curve spelled out as numbers; RFC 5480 §2.1.1 forbids it, since the numbers can
    /// be chosen so that a foreign public key gets a known private key.
    ExplicitCurve,
    /// Anything else.
    Other,
}

impl PublicKeyKind {
    /// Whether the key is above the floor: P-256, P-384, Ed25519, RSA of 2048 to 8192 bits.
    pub fn is_strong(self) -> bool {
        match self {
            Self::P256 | Self::P384 | Self::Ed25519 => true,
            Self::Rsa(bits) => (2048..=8192).contains(&bits),
            Self::ExplicitCurve | Self::Other => false,
        }
    }

    /// Reads the kind from a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
    pub(crate) fn parse(spki: &[u8]) -> Result<Self, NotDer> {
        let mut outer = Reader::new(der::single(spki)?.whole).nested(tag::SEQUENCE)?;
        let mut algorithm = outer.nested(tag::SEQUENCE)?;
        let oid = algorithm.expect(tag::OID)?.content;
        let parameters = if algorithm.is_empty() { None } else { Some(algorithm.element()?) };
        algorithm.finish()?;
        let key = der::whole_bits(outer.expect(tag::BIT_STRING)?.content)?;
        outer.finish()?;
        Ok(match (oid, parameters) {
            (EC_PUBLIC_KEY, Some(curve)) if curve.tag == tag::OID => match curve.content {
                SECP256R1 => Self::P256,
                SECP384R1 => Self::P384,
                _ => Self::Other,
            },
            (EC_PUBLIC_KEY, Some(curve)) if curve.tag == tag::SEQUENCE => Self::ExplicitCurve,
            (RSA_ENCRYPTION, Some(null)) if null.tag == tag::NULL => Self::Rsa(modulus_bits(key)?),
            (ED25519, None) => Self::Ed25519,
            _ => Self::Other,
        })
    }
}

/// RSAPublicKey ::= SEQUENCE { modulus, publicExponent } (RFC 3279 §2.3.1).
fn modulus_bits(key: &[u8]) -> Result<usize, NotDer> {
    let mut sequence = Reader::new(der::single(key)?.whole).nested(tag::SEQUENCE)?;
    let modulus = der::integer(sequence.expect(tag::INTEGER)?.content)?;
    der::integer(sequence.expect(tag::INTEGER)?.content)?;
    sequence.finish()?;
    let magnitude = match modulus.split_first() {
        Some((0, rest)) => rest,
        Some((first, _)) if first & 0x80 != 0 => return Err(NotDer),
        _ => modulus,
    };
    let leading = magnitude.first().map_or(0, |first| first.leading_zeros());
    Ok(magnitude.len() * 8 - leading as usize)
}
