//! Encrypted messages (RFC 7516) to keys of curves, for nested tokens first.
//!
//! Owns: strict forms and headers, key agreement (RFC 7518 §4.6), encryption
//! and decryption. Does not own: which sender is trusted. Anyone can encrypt to
//! a public key, so what was decrypted proves nothing until the signature
//! inside was verified.

mod header;
mod json_form;
mod key;
#[cfg(test)]
#[cfg(feature = "crypto")]
mod tests;

#[cfg(feature = "crypto")]
mod decrypt;
#[cfg(feature = "crypto")]
mod derive;
#[cfg(feature = "crypto")]
mod encrypt;

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

#[cfg(feature = "crypto")]
pub use decrypt::{DecryptError, Decrypted, NestedError};
#[cfg(feature = "crypto")]
pub use encrypt::{Content, EncryptError, Message, Recipient, encrypt, encrypt_to_all};
pub use header::Header;
#[cfg(feature = "crypto")]
pub use key::DecryptionKey;
pub use key::{AgreementCurve, AgreementKey};

use crate::base64url;

/// The longest compact message read, in bytes: a signed token of
/// [`crate::jws::MAX_LEN`] fits, beside a header of about 1 KiB.
pub const MAX_LEN: usize = 12 * 1024;
/// The longest message in JSON form read, in bytes.
pub const MAX_JSON_LEN: usize = 32 * 1024;
/// The most recipients of one message in JSON form.
pub const MAX_RECIPIENTS: usize = 32;

const IV_LEN: usize = 12;
const TAG_LEN: usize = 16;
/// What key wrapping adds to the wrapped key (RFC 3394 §2.2.1).
const WRAP_LEN: usize = 8;

/// How sender and recipient come to the content key (RFC 7518 §4.6). What
/// rests on a password (`PBES2-*`), on padding that leaks (`RSA1_5`) or on a
/// key both sides already share (`dir`) has no variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::enum_variant_names)]
pub enum KeyAgreement {
    /// The agreed secret yields the content key itself; one recipient only.
    EcdhEs,
    /// The agreed secret wraps a content key with AES-128.
    EcdhEsA128Kw,
    /// The agreed secret wraps a content key with AES-256.
    EcdhEsA256Kw,
}

impl KeyAgreement {
    /// All of them.
    pub const ALL: [KeyAgreement; 3] = [KeyAgreement::EcdhEs, KeyAgreement::EcdhEsA128Kw, KeyAgreement::EcdhEsA256Kw];

    /// The registered name, as it stands in `alg`.
    pub const fn as_str(self) -> &'static str {
        match self {
            KeyAgreement::EcdhEs => "ECDH-ES",
            KeyAgreement::EcdhEsA128Kw => "ECDH-ES+A128KW",
            KeyAgreement::EcdhEsA256Kw => "ECDH-ES+A256KW",
        }
    }

    /// Reads a registered name; case matters (RFC 7516 §4.1.1).
    pub fn parse(name: &str) -> Option<KeyAgreement> {
        Self::ALL.into_iter().find(|alg| alg.as_str() == name)
    }

    /// True when the agreed secret is the content key, and none travels.
    pub const fn is_direct(self) -> bool {
        matches!(self, KeyAgreement::EcdhEs)
    }
}

impl fmt::Display for KeyAgreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the content is encrypted (RFC 7518 §5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Enc {
    /// AES-GCM with a key of 128 bits, for small devices.
    A128GCM,
    /// AES-GCM with a key of 256 bits.
    A256GCM,
}

impl Enc {
    /// All of them.
    pub const ALL: [Enc; 2] = [Enc::A128GCM, Enc::A256GCM];

    /// The registered name, as it stands in `enc`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Enc::A128GCM => "A128GCM",
            Enc::A256GCM => "A256GCM",
        }
    }

    /// Reads a registered name; case matters (RFC 7516 §4.1.2).
    pub fn parse(name: &str) -> Option<Enc> {
        Self::ALL.into_iter().find(|enc| enc.as_str() == name)
    }

    /// Bytes of a content key.
    pub const fn key_len(self) -> usize {
        match self {
            Enc::A128GCM => 16,
            Enc::A256GCM => 32,
        }
    }
}

impl fmt::Display for Enc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a message is not read. All of it can be seen without any key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JweError {
    /// Longer than [`MAX_LEN`] or [`MAX_JSON_LEN`].
    #[error("the message is too long")]
    TooLong,
    /// Not the parts a message has, in canonical base64url and of their length.
    #[error("not the parts of an encrypted message in canonical base64url")]
    Malformed,
    /// A header is no strict JSON object, a member has the wrong type, stands
    /// in two headers or outside the protected one where it must be inside.
    #[error("the header is malformed")]
    Header,
    /// `alg` is missing or none this product accepts.
    #[error("the key management is missing or not accepted")]
    Alg,
    /// `enc` is missing or none this product accepts.
    #[error("the content encryption is missing or not accepted")]
    Enc,
    /// `zip` is present: a short message must not become a long one
    /// (RFC 8725 §3.6).
    #[error("a compressed message is not accepted")]
    Compressed,
    /// `crit` is present: no extension is known here (RFC 7516 §4.1.13).
    #[error("a critical extension is not understood")]
    Critical,
    /// `epk` is missing or no acceptable public key, e.g. off its curve
    /// (RFC 8725 §3.4).
    #[error("the ephemeral key is missing or not acceptable")]
    Ephemeral,
    /// In JSON form: no recipient, more than [`MAX_RECIPIENTS`], or several
    /// with direct key agreement (RFC 7516 §5.1 step 4).
    #[error("the recipients are not acceptable")]
    Recipients,
    /// In JSON form: `aad` or shared unprotected members, which no message of
    /// ours has.
    #[error("a member of the JSON form is not accepted")]
    Form,
}

/// What one recipient needs beside the ciphertext.
#[derive(Clone)]
struct Addressed {
    header: Header,
    /// Empty with direct key agreement.
    encrypted_key: Vec<u8>,
}

impl Addressed {
    fn new(header: Header, encrypted_key: Vec<u8>) -> Result<Addressed, JweError> {
        let expected = if header.alg().is_direct() { 0 } else { header.enc().key_len() + WRAP_LEN };
        if encrypted_key.len() != expected {
            return Err(JweError::Malformed);
        }
        Ok(Addressed { header, encrypted_key })
    }
}

/// A message that was read and not decrypted. Nothing of it is authentic.
#[derive(Clone)]
pub struct Encrypted {
    /// At least one.
    recipients: Vec<Addressed>,
    /// The protected header as it was written, which is authenticated.
    protected: String,
    iv: [u8; IV_LEN],
    ciphertext: Vec<u8>,
    tag: [u8; TAG_LEN],
}

impl Encrypted {
    /// Reads the compact form (RFC 7516 §7.1): at most [`MAX_LEN`] bytes, five
    /// parts, strict base64url, strict header.
    ///
    /// # Errors
    /// [`JweError`].
    pub fn parse(message: &str) -> Result<Encrypted, JweError> {
        if message.len() > MAX_LEN {
            return Err(JweError::TooLong);
        }
        let mut parts = message.split('.');
        let [Some(protected), Some(key), Some(iv), Some(ciphertext), Some(tag), None] =
            core::array::from_fn(|_| parts.next())
        else {
            return Err(JweError::Malformed);
        };
        let header = Header::parse(&decode(protected)?)?;
        let recipients = vec![Addressed::new(header, decode(key)?)?];
        Encrypted::assemble(recipients, protected, iv, ciphertext, tag)
    }

    /// Reads the general JSON form (RFC 7516 §7.2.1), by which one ciphertext
    /// serves several recipients: at most [`MAX_JSON_LEN`] bytes and
    /// [`MAX_RECIPIENTS`] recipients. One that uses algorithms not accepted
    /// here makes the whole message refused.
    ///
    /// # Errors
    /// [`JweError`].
    pub fn parse_json(bytes: &[u8]) -> Result<Encrypted, JweError> {
        json_form::parse(bytes)
    }

    fn assemble(
        recipients: Vec<Addressed>,
        protected: &str,
        iv: &str,
        ciphertext: &str,
        tag: &str,
    ) -> Result<Encrypted, JweError> {
        Ok(Encrypted {
            recipients,
            protected: protected.into(),
            iv: decode(iv)?.try_into().map_err(|_| JweError::Malformed)?,
            ciphertext: decode(ciphertext)?,
            tag: decode(tag)?.try_into().map_err(|_| JweError::Malformed)?,
        })
    }

    /// The headers, one per recipient, as anyone may have written them: for
    /// choosing the key by `kid`.
    pub fn headers(&self) -> impl Iterator<Item = &Header> {
        self.recipients.iter().map(|recipient| &recipient.header)
    }

    /// The encrypted content keys, in the order of the headers; empty with
    /// direct key agreement.
    pub fn encrypted_keys(&self) -> impl Iterator<Item = &[u8]> {
        self.recipients.iter().map(|recipient| recipient.encrypted_key.as_slice())
    }

    /// What was encrypted, for builds that bring their own cryptography.
    pub fn body(&self) -> Body<'_> {
        Body { authenticated: &self.protected, iv: &self.iv, ciphertext: &self.ciphertext, tag: &self.tag }
    }
}

/// The encrypted content of a message (RFC 7516 §5.2 steps 14 to 16).
#[derive(Clone, Copy)]
pub struct Body<'a> {
    /// The additional authenticated data: the protected header as written.
    pub authenticated: &'a str,
    /// The nonce.
    pub iv: &'a [u8; 12],
    /// The encrypted content, as long as the content itself.
    pub ciphertext: &'a [u8],
    /// The tag.
    pub tag: &'a [u8; 16],
}

impl fmt::Debug for Encrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encrypted(to {})", self.recipients.len())
    }
}

fn decode(part: &str) -> Result<Vec<u8>, JweError> {
    base64url::decode(part).map_err(|_| JweError::Malformed)
}
