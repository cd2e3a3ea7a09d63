//! Authenticated sealing under a 256-bit key: opaque tokens, keys at rest.
//!
//! Owns: the form and its cryptography. Does not own: the key's keeping, the
//! random nonce (handed in), or which key id is current.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf;
use zeroize::Zeroizing;

use crate::digest;

// version | length of kid | kid | nonce of 24 | ciphertext and tag of 16
const VERSION: u8 = 1;
const NONCE_LEN: usize = 24;
const TAG_LEN: usize = 16;

/// Why something could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// A key id is empty, longer than 255 bytes or no UTF-8.
    #[error("not a usable key id")]
    KeyId,
    /// The bytes are no sealed form.
    #[error("not a sealed value")]
    Malformed,
    /// Sealed under another key id.
    #[error("sealed under another key")]
    OtherKey,
    /// The key, the bytes or the associated data are not those of sealing.
    #[error("the sealed value is not authentic")]
    NotAuthentic,
}

/// A key that seals and opens, under its id.
///
/// Every message has its own AES-256-GCM key: HKDF of the sealing key with the
/// first 12 bytes of the nonce, while the last 12 are GCM's own nonce. Random
/// 96-bit nonces under one key would have to stop near 2^32 messages (NIST SP
/// 800-38D §8.3); with 192 random bits a repetition is out of reach, so a key
/// may live as long as its keeper likes.
pub struct SealingKey {
    kid: String,
    key: hkdf::Prk,
}

impl SealingKey {
    /// Takes a uniformly random key and its id.
    ///
    /// # Errors
    /// [`SealError::KeyId`] for an empty id or one longer than 255 bytes.
    pub fn new(kid: &str, key: [u8; 32]) -> Result<SealingKey, SealError> {
        if kid.is_empty() || kid.len() > usize::from(u8::MAX) {
            return Err(SealError::KeyId);
        }
        let key = Zeroizing::new(key);
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"keyfob seal 1 aes-256-gcm");
        Ok(SealingKey { kid: kid.into(), key: salt.extract(key.as_slice()) })
    }

    /// The id under which this key is named in what it seals.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Seals. The nonce is 24 fresh random bytes; the associated data says what
    /// the value is and where it belongs, and must be the same when opening.
    pub fn seal(&self, nonce: [u8; NONCE_LEN], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let kid_len = u8::try_from(self.kid.len()).expect("an id was bounded when taken");
        let prefix = [&[VERSION, kid_len], self.kid.as_bytes(), &nonce].concat();
        let (key, gcm_nonce) = self.message_key(&nonce);
        let mut sealed = Vec::with_capacity(prefix.len() + plaintext.len() + TAG_LEN);
        sealed.extend_from_slice(&prefix);
        let mut body = Zeroizing::new(plaintext.to_vec());
        let tag = key
            .seal_in_place_separate_tag(gcm_nonce, authenticated(&prefix, aad), &mut body)
            .expect("AES-256-GCM seals any length memory can hold");
        sealed.extend_from_slice(&body);
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    /// Opens what [`SealingKey::seal`] made under this key and data.
    ///
    /// # Errors
    /// [`SealError`]; never more than that it is not authentic.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let parts = Parts::parse(sealed)?;
        if parts.kid != self.kid {
            return Err(SealError::OtherKey);
        }
        let (key, gcm_nonce) = self.message_key(parts.nonce);
        let mut body = Zeroizing::new(parts.body.to_vec());
        let len = key
            .open_in_place(gcm_nonce, authenticated(parts.prefix, aad), &mut body)
            .map_err(|_| SealError::NotAuthentic)?
            .len();
        body.truncate(len);
        Ok(body)
    }

    fn message_key(&self, nonce: &[u8; NONCE_LEN]) -> (LessSafeKey, Nonce) {
        let (own, gcm) = nonce.split_at(NONCE_LEN / 2);
        let key: Zeroizing<[u8; 32]> = digest::expand(&self.key, &[b"message key", own]);
        let key = UnboundKey::new(&AES_256_GCM, key.as_slice()).expect("the key has 32 bytes");
        let nonce = Nonce::try_assume_unique_for_key(gcm).expect("half of 24 bytes is 12");
        (LessSafeKey::new(key), nonce)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.kid)
    }
}

/// The id of the key that sealed these bytes, unverified: for choosing the key.
///
/// # Errors
/// [`SealError::Malformed`].
pub fn peek_kid(sealed: &[u8]) -> Result<&str, SealError> {
    Parts::parse(sealed).map(|parts| parts.kid)
}

struct Parts<'a> {
    prefix: &'a [u8],
    kid: &'a str,
    nonce: &'a [u8; NONCE_LEN],
    body: &'a [u8],
}

impl<'a> Parts<'a> {
    fn parse(sealed: &'a [u8]) -> Result<Parts<'a>, SealError> {
        Parts::split(sealed).ok_or(SealError::Malformed)
    }

    fn split(sealed: &'a [u8]) -> Option<Parts<'a>> {
        let ([version, kid_len], rest) = sealed.split_first_chunk::<2>()?;
        let (kid, rest) = rest.split_at_checked(usize::from(*kid_len))?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>()?;
        let prefix = sealed.split_at_checked(sealed.len() - body.len())?.0;
        let kid = core::str::from_utf8(kid).ok()?;
        (*version == VERSION && !kid.is_empty() && body.len() >= TAG_LEN).then_some(Parts { prefix, kid, nonce, body })
    }
}

/// The prefix tells its own length, so it cannot run into the caller's data.
fn authenticated(prefix: &[u8], aad: &[u8]) -> Aad<Vec<u8>> {
    Aad::from([prefix, aad].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SealingKey {
        SealingKey::new("s-1", [7; 32]).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_and_names_its_key() {
        for plaintext in [&b""[..], b"a refresh token", &[0; 5000]] {
            let sealed = key().seal([9; 24], b"refresh", plaintext);
            assert_eq!(peek_kid(&sealed), Ok("s-1"));
            assert_eq!(key().open(b"refresh", &sealed).unwrap().as_slice(), plaintext);
        }
    }

    #[test]
    fn every_byte_is_authenticated() {
        let sealed = key().seal([9; 24], b"refresh", b"secret");
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(key().open(b"refresh", &altered).is_err(), "byte {at}");
        }
        for len in 0..sealed.len() {
            assert!(key().open(b"refresh", &sealed[..len]).is_err(), "{len}");
        }
    }

    #[test]
    fn another_key_another_id_or_other_data_do_not_open() {
        let sealed = key().seal([9; 24], b"refresh", b"secret");
        let opened = |key: SealingKey, aad: &[u8]| key.open(aad, &sealed).map(|_| ());
        let same_id = SealingKey::new("s-1", [8; 32]).unwrap();
        assert_eq!(opened(same_id, b"refresh"), Err(SealError::NotAuthentic));
        let same_key = SealingKey::new("s-2", [7; 32]).unwrap();
        assert_eq!(opened(same_key, b"refresh"), Err(SealError::OtherKey));
        assert_eq!(opened(key(), b"code"), Err(SealError::NotAuthentic));
    }

    #[test]
    fn both_halves_of_the_nonce_change_the_ciphertext() {
        let body = |nonce: [u8; 24]| key().seal(nonce, b"", &[0; 32]).split_off(2 + 3 + 24);
        let mut first_half = [9; 24];
        first_half[0] = 1;
        let mut second_half = [9; 24];
        second_half[23] = 1;
        assert_ne!(body([9; 24]), body(first_half));
        assert_ne!(body([9; 24]), body(second_half));
    }

    #[test]
    fn key_ids_are_bounded_and_not_empty() {
        let long = "k".repeat(256);
        for kid in ["", &long] {
            assert_eq!(SealingKey::new(kid, [7; 32]).err(), Some(SealError::KeyId));
        }
    }
}
