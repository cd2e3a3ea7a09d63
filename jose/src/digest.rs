//! Digests and comparison. Owns: SHA-256, HMAC, HKDF, PKCE's transform and
//! comparison in constant time. Without `crypto` only the comparison is here.

use subtle::ConstantTimeEq;

/// Compares secrets without telling by its duration where they differ. The
/// length is not hidden.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(feature = "crypto")]
pub use hashing::{hkdf_sha256, hmac_sha256, pkce_s256, sha256};

#[cfg(feature = "crypto")]
mod hashing {
    use alloc::string::String;

    use aws_lc_rs::{digest, hkdf, hmac};
    use zeroize::Zeroizing;

    use crate::base64url;

    /// SHA-256 (FIPS 180-4).
    pub fn sha256(input: &[u8]) -> [u8; 32] {
        fixed(digest::digest(&digest::SHA256, input).as_ref())
    }

    /// HMAC-SHA-256 (RFC 2104) with a key of any length.
    pub fn hmac_sha256(key: &[u8], input: &[u8]) -> [u8; 32] {
        fixed(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), input).as_ref())
    }

    /// The `S256` challenge of a verifier (RFC 7636 §4.2). The verifier's own
    /// form (43 to 128 unreserved characters) is the caller's to check.
    pub fn pkce_s256(verifier: &str) -> String {
        base64url::encode(sha256(verifier.as_bytes()))
    }

    /// HKDF-SHA-256 (RFC 5869) with at most 255 * 32 bytes of output.
    pub fn hkdf_sha256<const N: usize>(salt: &[u8], secret: &[u8], info: &[u8]) -> Zeroizing<[u8; N]> {
        const { assert!(N <= 255 * 32, "RFC 5869 §2.3 bounds the output") };
        let key = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
        expand(&key, &[info])
    }

    pub(crate) fn expand<const N: usize>(key: &hkdf::Prk, info: &[&[u8]]) -> Zeroizing<[u8; N]> {
        let mut output = Zeroizing::new([0; N]);
        key.expand(info, Length(N))
            .and_then(|material| material.fill(output.as_mut_slice()))
            .expect("the output is short and as long as announced");
        output
    }

    struct Length(usize);

    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }

    fn fixed(output: &[u8]) -> [u8; 32] {
        output.try_into().expect("SHA-256 gives 32 bytes")
    }
}

#[cfg(feature = "crypto")]
pub(crate) use hashing::expand;

#[cfg(test)]
#[cfg(feature = "crypto")]
mod tests {
    use super::*;
    use crate::base64url;

    #[test]
    fn the_pkce_challenge_of_a_known_verifier_is_known() {
        let verifier = "M25iVXpKU3puUjFaYWg3T1NDTDQtcW1ROUY5YXlwalNoc0hhakxifmZHag";
        assert_eq!(pkce_s256(verifier), "qjrzSW9gMiUgpUvqgEPE4_-8swvyCtfOVvg55o5S_es");
        assert_ne!(pkce_s256(&verifier[1..]), pkce_s256(verifier));
    }

    #[test]
    fn hkdf_gives_the_first_case_of_its_standard() {
        // RFC 5869 appendix A.1.
        let salt: [u8; 13] = core::array::from_fn(|at| at as u8);
        let info: [u8; 10] = core::array::from_fn(|at| 0xf0 + at as u8);
        let output = hkdf_sha256::<42>(&salt, &[0x0b; 22], &info);
        assert_eq!(output[..8], [0x3c, 0xb2, 0x5f, 0x25, 0xfa, 0xac, 0xd5, 0x7a]);
        assert_eq!(output[38..], [0x87, 0x18, 0x58, 0x65]);
    }

    #[test]
    fn hmac_gives_the_second_case_of_its_standard() {
        // RFC 4231 §4.3.
        let tag = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(base64url::encode(tag), "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM");
    }

    #[test]
    fn comparison_sees_every_difference() {
        assert!(constant_time_eq(b"same", b"same"));
        assert!(!constant_time_eq(b"same", b"sane"));
        assert!(!constant_time_eq(b"same", b"samey"));
        assert!(!constant_time_eq(b"", b"a"));
    }
}
