//! From an agreed secret to a key (RFC 7518 §4.6.2), and the wrapping of
//! content keys (RFC 7518 §4.4).

use alloc::vec;
use alloc::vec::Vec;

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, LessSafeKey, UnboundKey};
use aws_lc_rs::key_wrap::{AES_128, AES_256, AesKek, KeyWrap};
use zeroize::Zeroizing;

use super::{Enc, KeyAgreement, WRAP_LEN};
use crate::digest::sha256;

/// Key bytes that wipe themselves.
pub(super) type KeyBytes = Zeroizing<Vec<u8>>;

/// The key that the secret yields: the content key itself, or the one that
/// wraps it. One round of the Concat KDF gives 32 bytes, which is enough for
/// every algorithm here.
pub(super) fn derive(secret: &[u8], alg: KeyAgreement, enc: Enc, apu: &[u8], apv: &[u8]) -> KeyBytes {
    let (name, len) = match alg {
        KeyAgreement::EcdhEs => (enc.as_str(), enc.key_len()),
        KeyAgreement::EcdhEsA128Kw => (alg.as_str(), 16),
        KeyAgreement::EcdhEsA256Kw => (alg.as_str(), 32),
    };
    let mut input = Zeroizing::new(vec![0, 0, 0, 1]);
    // The secret is no part of a log, and neither is what it was hashed with:
    // one allocation that wipes itself, never grown.
    input.reserve_exact(secret.len() + 3 * 4 + name.len() + apu.len() + apv.len() + 4);
    input.extend_from_slice(secret);
    for field in [name.as_bytes(), apu, apv] {
        input.extend_from_slice(&length(field.len()));
        input.extend_from_slice(field);
    }
    input.extend_from_slice(&length(len * 8));
    let mut key = Zeroizing::new(sha256(&input).to_vec());
    key.truncate(len);
    key
}

fn length(len: usize) -> [u8; 4] {
    u32::try_from(len).expect("a header is shorter than 4 GiB").to_be_bytes()
}

/// Wraps a content key of 16 or 32 bytes.
pub(super) fn wrap(kek: &[u8], key: &[u8]) -> Vec<u8> {
    let mut wrapped = vec![0; key.len() + WRAP_LEN];
    kek_of(kek).wrap(key, &mut wrapped).expect("a content key has a length that wraps");
    wrapped
}

/// Unwraps a content key; `None` when it was not wrapped with this key.
pub(super) fn unwrap(kek: &[u8], wrapped: &[u8]) -> Option<KeyBytes> {
    let mut key = Zeroizing::new(vec![0; wrapped.len().checked_sub(WRAP_LEN)?]);
    kek_of(kek).unwrap(wrapped, &mut key).ok()?;
    Some(key)
}

fn kek_of(kek: &[u8]) -> AesKek {
    let cipher = if kek.len() == 16 { &AES_128 } else { &AES_256 };
    AesKek::new(cipher, kek).expect("a derived key has the length of its cipher")
}

/// The content key, ready for use.
pub(super) fn content_key(enc: Enc, key: &[u8]) -> LessSafeKey {
    let algorithm = match enc {
        Enc::A128GCM => &AES_128_GCM,
        Enc::A256GCM => &AES_256_GCM,
    };
    LessSafeKey::new(UnboundKey::new(algorithm, key).expect("a content key has the length of its cipher"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base64url;
    use crate::jwe::{AgreementCurve, DecryptionKey};

    const ALICE: &str = r#"{"kty":"EC","crv":"P-256","x":"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0","y":"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps","d":"0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo"}"#;
    const BOB: &str = r#"{"kty":"EC","crv":"P-256","x":"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ","y":"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck","d":"VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"}"#;

    #[test]
    fn the_derivation_of_the_standard_is_reproduced_from_both_sides() {
        // RFC 7518 appendix C.
        let [alice, bob] = [ALICE, BOB].map(|key| DecryptionKey::from_private_jwk(key.as_bytes()).unwrap());
        for (own, peer) in [(&alice, &bob), (&bob, &alice)] {
            let derived = own.agree(peer.public(), |secret| {
                assert_eq!(secret[..4], [158, 86, 217, 29]);
                derive(secret, KeyAgreement::EcdhEs, Enc::A128GCM, b"Alice", b"Bob")
            });
            assert_eq!(base64url::encode(derived.unwrap()), "VqqN6vgjbSBcIijNcacQGg");
        }
    }

    #[test]
    fn x25519_agrees_on_the_secret_of_its_standard_from_both_sides() {
        // RFC 7748 §6.1; RFC 8037 appendix A.6 has the same keys.
        let pair = |d: &str| DecryptionKey::from_bytes(AgreementCurve::X25519, &base64url::decode(d).unwrap()).unwrap();
        let alice = pair("dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo");
        let bob = pair("XasIfmJKikt54X-Lg4AO5m87sSkmGLb9HC-LJ_-I4Os");
        for (own, peer) in [(&alice, &bob), (&bob, &alice)] {
            let secret = own.agree(peer.public(), |secret| base64url::encode(secret));
            assert_eq!(secret.unwrap(), "Sl2dW6TOLeFyjjv0gDUPJeB-IclH0Z4zdvCbPB4WF0I");
        }
    }

    #[test]
    fn every_field_of_the_derivation_changes_the_key() {
        let of = |alg, enc, apu: &[u8], apv: &[u8]| derive(&[7; 32], alg, enc, apu, apv).to_vec();
        let keys = [
            of(KeyAgreement::EcdhEs, Enc::A256GCM, b"a", b"b"),
            of(KeyAgreement::EcdhEs, Enc::A256GCM, b"ab", b""),
            of(KeyAgreement::EcdhEs, Enc::A256GCM, b"", b"ab"),
            of(KeyAgreement::EcdhEs, Enc::A128GCM, b"a", b"b"),
            of(KeyAgreement::EcdhEsA256Kw, Enc::A256GCM, b"a", b"b"),
            of(KeyAgreement::EcdhEsA128Kw, Enc::A256GCM, b"a", b"b"),
        ];
        for (at, key) in keys.iter().enumerate() {
            assert!(keys[..at].iter().all(|other| other[..16] != key[..16]), "{at}");
        }
        // What wraps does not depend on what it wraps for.
        assert_eq!(keys[4], of(KeyAgreement::EcdhEsA256Kw, Enc::A128GCM, b"a", b"b"));
    }

    #[test]
    fn wrapping_gives_the_example_of_its_standard() {
        // RFC 3394 §4.1 and §4.6.
        let bytes = |from: u8, len: usize| -> Vec<u8> { (0..len).map(|at| from.wrapping_add(at as u8)).collect() };
        let data: Vec<u8> = (0..16).map(|at: u8| at << 4 | at).collect();
        let wrapped = wrap(&bytes(0, 16), &data);
        assert_eq!(wrapped[..8], [0x1f, 0xa6, 0x8b, 0x0a, 0x81, 0x12, 0xb4, 0x47]);
        let long = [data.as_slice(), &bytes(0, 16)].concat();
        let wrapped = wrap(&bytes(0, 32), &long);
        assert_eq!(wrapped[..8], [0x28, 0xc9, 0xf4, 0x04, 0xc4, 0xb8, 0x10, 0xf4]);
        assert_eq!(unwrap(&bytes(0, 32), &wrapped).unwrap().as_slice(), long);
        assert!(unwrap(&bytes(1, 32), &wrapped).is_none());
        assert!(unwrap(&bytes(0, 32), &wrapped[..4]).is_none());
    }
}
