//! Opening messages. Owns: the one error, and the way to the token inside.

use alloc::vec::Vec;
use core::fmt;

use aws_lc_rs::aead::{Aad, Nonce};
use zeroize::Zeroizing;

use super::derive::{content_key, derive, unwrap};
use super::{Addressed, Body, DecryptionKey, Enc, Encrypted, Header, KeyAgreement};
use crate::digest::hmac_sha256;
use crate::jws::{self, JwsError};

/// The message does not open. It is not said why: not for this key, an
/// algorithm not allowed here, a key that does not unwrap and a ciphertext
/// that was changed look the same (RFC 7516 §11.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message cannot be decrypted")]
pub struct DecryptError;

/// Why there is no signed token inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NestedError {
    /// `cty` is not `JWT` in upper case (RFC 7519 §5.2), so the content does
    /// not claim to be signed.
    #[error("the content does not say that it is a signed token")]
    ContentType,
    /// The content is no signed token.
    #[error(transparent)]
    Token(#[from] JwsError),
}

impl Encrypted {
    /// Opens the message with a private key, under the algorithms the caller
    /// allows here (RFC 8725 §3.1). In JSON form every recipient counts whose
    /// curve fits and whose `kid`, if both have one, is that of the key.
    ///
    /// # Errors
    /// [`DecryptError`], whatever was wrong.
    pub fn decrypt(&self, key: &DecryptionKey, algs: &[KeyAgreement], encs: &[Enc]) -> Result<Decrypted, DecryptError> {
        self.recipients
            .iter()
            .filter(|recipient| {
                let header = &recipient.header;
                algs.contains(&header.alg())
                    && encs.contains(&header.enc())
                    && key.public().permits(header.alg())
                    && header.kid().zip(key.public().kid()).is_none_or(|(named, own)| named == own)
            })
            .find_map(|recipient| {
                let plaintext = self.open(recipient, key)?;
                Some(Decrypted { header: recipient.header.clone(), plaintext })
            })
            .ok_or(DecryptError)
    }

    fn open(&self, recipient: &Addressed, key: &DecryptionKey) -> Option<Zeroizing<Vec<u8>>> {
        let header = &recipient.header;
        let (alg, enc) = (header.alg(), header.enc());
        let agreed = key.agree(header.epk(), |secret| derive(secret, alg, enc, header.apu(), header.apv()))?;
        let (key, is_sound) = if alg.is_direct() {
            (agreed, true)
        } else {
            match unwrap(&agreed, &recipient.encrypted_key) {
                Some(key) => (key, true),
                // The work goes on with a key nobody knows, so that time does
                // not tell a wrong wrapping from a wrong ciphertext (RFC 7516 §11.5).
                None => {
                    let mut substitute = Zeroizing::new(hmac_sha256(&agreed, &recipient.encrypted_key).to_vec());
                    substitute.truncate(enc.key_len());
                    (substitute, false)
                }
            }
        };
        let Body { authenticated, iv, ciphertext, tag } = self.body();
        let (nonce, aad) = (Nonce::assume_unique_for_key(*iv), Aad::from(authenticated.as_bytes()));
        let mut plaintext = Zeroizing::new(ciphertext.to_vec());
        let opened = content_key(enc, &key).open_in_place_separate_tag(nonce, aad, tag, &mut plaintext);
        (opened.is_ok() && is_sound).then_some(plaintext)
    }
}

/// A message that was opened: whole, and meant for the key. Who wrote it is
/// not known. Only [`Encrypted::decrypt`] makes one.
pub struct Decrypted {
    header: Header,
    plaintext: Zeroizing<Vec<u8>>,
}

impl Decrypted {
    /// The header. In compact form it is authentic; in JSON form `kid` is
    /// whatever was written.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The content's bytes.
    pub fn plaintext(&self) -> &[u8] {
        &self.plaintext
    }

    /// The signed token inside (RFC 7519 §11.2: signed, then encrypted), whose
    /// signature is still to be verified: an encrypted token that nobody signed
    /// gets no further than here.
    ///
    /// # Errors
    /// [`NestedError`].
    pub fn nested(&self) -> Result<jws::Unverified, NestedError> {
        if self.header.cty() != Some("JWT") {
            return Err(NestedError::ContentType);
        }
        let token = core::str::from_utf8(&self.plaintext).map_err(|_| JwsError::Malformed)?;
        Ok(jws::Unverified::parse(token)?)
    }
}

impl fmt::Debug for Decrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decrypted({}, {})", self.header.alg(), self.header.enc())
    }
}
