//! SubjectPublicKeyInfo (RFC 5280 §4.1.2.7, RFC 5480, RFC 8410), the form of
//! keys in certificates. Owns: the one DER spelling of each of our key types;
//! any other spelling of the same key is refused.

use alloc::vec::Vec;

use super::{Curve, Jwk, JwkError, PublicKey};

// SEQUENCE { SEQUENCE { id-ecPublicKey, curve }, BIT STRING { 0 unused, 04 || x || y } }
const P256_PREFIX: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];
const P384_PREFIX: &[u8] = &[
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00,
    0x22, 0x03, 0x62, 0x00, 0x04,
];
// SEQUENCE { SEQUENCE { id-Ed25519 }, BIT STRING { 0 unused, key } }
const ED25519_PREFIX: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
// SEQUENCE { rsaEncryption, NULL }
const RSA_ALGORITHM: &[u8] =
    &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

impl Jwk {
    /// Reads the public key of a certificate or request from the DER of its
    /// SubjectPublicKeyInfo. Points are uncompressed.
    ///
    /// # Errors
    /// [`JwkError::UnknownType`] for any other key type or spelling, and
    /// whatever is wrong with the key itself.
    pub fn from_spki(der: &[u8]) -> Result<Jwk, JwkError> {
        for (curve, prefix) in [(Curve::P256, P256_PREFIX), (Curve::P384, P384_PREFIX)] {
            if let Some(point) = der.strip_prefix(prefix) {
                let (x, y) = point.split_at_checked(curve.coordinate_len()).ok_or(JwkError::Encoding)?;
                return Jwk::from_ec(curve, x, y);
            }
        }
        if let Some(key) = der.strip_prefix(ED25519_PREFIX) {
            return Jwk::from_ed25519(key);
        }
        rsa(der).ok_or(JwkError::UnknownType).and_then(|(n, e)| {
            let jwk = Jwk::from_rsa(n, e)?;
            // Reading was lenient about lengths: only the canonical DER passes.
            if jwk.to_spki() == der { Ok(jwk) } else { Err(JwkError::Encoding) }
        })
    }

    /// The key as DER SubjectPublicKeyInfo.
    pub fn to_spki(&self) -> Vec<u8> {
        match &self.key {
            PublicKey::Ec(Curve::P256, point) => [P256_PREFIX, point].concat(),
            PublicKey::Ec(Curve::P384, point) => [P384_PREFIX, point].concat(),
            PublicKey::Ed25519(key) => [ED25519_PREFIX, key].concat(),
            PublicKey::Rsa { n, e } => {
                let numbers = [integer(n), integer(e)].concat();
                let key = element(SEQUENCE, &numbers);
                let bits = element(BIT_STRING, &[&[0], key.as_slice()].concat());
                element(SEQUENCE, &[RSA_ALGORITHM, &bits].concat())
            }
        }
    }
}

/// Modulus and exponent without their sign octet.
fn rsa(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (info, rest) = read(SEQUENCE, der)?;
    let (bits, after) = read(BIT_STRING, info.strip_prefix(RSA_ALGORITHM)?)?;
    let (key, tail) = read(SEQUENCE, bits.strip_prefix(&[0])?)?;
    let (n, key) = read(INTEGER, key)?;
    let (e, key) = read(INTEGER, key)?;
    let whole = [rest, after, tail, key].iter().all(|part| part.is_empty());
    whole.then(|| (n.strip_prefix(&[0]).unwrap_or(n), e.strip_prefix(&[0]).unwrap_or(e)))
}

/// One DER element: its content and what follows it.
fn read(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, der) = der.split_first()?;
    let (length, der) = der.split_first()?;
    if *first != tag {
        return None;
    }
    let (length, der) = match length {
        0..=0x7f => (usize::from(*length), der),
        0x81 => {
            let (length, der) = der.split_first()?;
            (usize::from(*length), der)
        }
        0x82 => {
            let (length, der) = der.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), der)
        }
        _ => return None,
    };
    der.split_at_checked(length)
}

fn integer(number: &[u8]) -> Vec<u8> {
    let sign: &[u8] = match number.first() {
        Some(top) if *top >= 0x80 => &[0],
        _ => &[],
    };
    element(INTEGER, &[sign, number].concat())
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a key of 8192 bits is below 64 KiB");
    let [high, low] = length.to_be_bytes();
    let header: &[u8] = match length {
        0..=0x7f => &[tag, low],
        0x80..=0xff => &[tag, 0x81, low],
        _ => &[tag, 0x82, high, low],
    };
    [header, content].concat()
}
