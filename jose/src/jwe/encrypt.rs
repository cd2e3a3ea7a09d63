//! Writing messages. Owns: fresh keys per message, and sign before encrypt.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce};
use serde_json::Value;
use zeroize::Zeroizing;

use super::derive::{KeyBytes, content_key, derive, wrap};
use super::{
    AgreementCurve, AgreementKey, DecryptionKey, Enc, IV_LEN, KeyAgreement, MAX_JSON_LEN, MAX_LEN, MAX_RECIPIENTS,
};
use crate::{base64url, jws};

/// How often a number beyond the order of a curve is drawn again. For P-256
/// that is one draw in four billion; sixteen in a row are no chance.
const DRAWS: usize = 16;

/// Why nothing was encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncryptError {
    /// The content should be a signed token and is none.
    #[error("the content is no signed token")]
    NotSigned,
    /// `cty` says `JWT` where bytes are given; a token goes as [`Content::Signed`].
    #[error("the content type is that of a signed token")]
    ContentType,
    /// The key is meant for another algorithm, or the secret would be zero.
    #[error("the key does not fit the algorithm")]
    Key,
    /// No recipient, more than [`MAX_RECIPIENTS`], or several with direct key
    /// agreement.
    #[error("the recipients are not acceptable")]
    Recipients,
    /// The result would be longer than a reader accepts.
    #[error("the message would be too long")]
    TooLong,
    /// What was drawn is not random: every number was beyond the curve's order.
    #[error("the random numbers are not random")]
    Randomness,
}

/// What is encrypted.
#[derive(Clone, Copy)]
pub enum Content<'a> {
    /// A signed token; `cty` becomes `JWT` (RFC 7519 §5.2, §11.2).
    Signed(&'a str),
    /// Anything else, with its content type.
    Bytes {
        /// `cty`, never `JWT`.
        cty: Option<&'a str>,
        /// The content.
        bytes: &'a [u8],
    },
}

/// A message before it is encrypted.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    /// How the content is encrypted.
    pub enc: Enc,
    /// `typ` of the message itself; usually none.
    pub typ: Option<&'a str>,
    /// Who sends it (`apu`); left out when empty.
    pub apu: &'a [u8],
    /// The content.
    pub content: Content<'a>,
}

/// One to whom a message goes.
#[derive(Clone, Copy)]
pub struct Recipient<'a> {
    /// The key. Its `kid` is told in the header.
    pub key: &'a AgreementKey,
    /// Who receives it (`apv`), e.g. a device's did; left out when empty.
    pub apv: &'a [u8],
}

/// Encrypts to one recipient, in compact form. `draw` fills its argument with
/// fresh random bytes; it is asked for an ephemeral key first, then for a
/// content key unless agreement is direct, then for 12 bytes of nonce.
///
/// # Errors
/// [`EncryptError`].
pub fn encrypt(
    alg: KeyAgreement,
    to: Recipient<'_>,
    message: Message<'_>,
    draw: &mut dyn FnMut(&mut [u8]),
) -> Result<String, EncryptError> {
    let (cty, plaintext) = message.content.judged()?;
    let agreed = agree(alg, to, message, draw)?;
    let (content, encrypted_key) = agreed.content_key(alg, message.enc, draw);
    let mut header = Members::new();
    header.text("alg", Some(alg.as_str()));
    header.text("enc", Some(message.enc.as_str()));
    header.text("typ", message.typ);
    header.text("cty", cty);
    agreed.describe(&mut header, to, message);
    let protected = base64url::encode(header.closed());
    let sealed = Sealed::new(&content_key(message.enc, &content), &protected, plaintext, draw);
    let token = format!(
        "{protected}.{}.{}.{}.{}",
        base64url::encode(encrypted_key),
        base64url::encode(sealed.iv),
        base64url::encode(sealed.ciphertext),
        base64url::encode(sealed.tag)
    );
    if token.len() > MAX_LEN { Err(EncryptError::TooLong) } else { Ok(token) }
}

/// Encrypts once for several recipients, in the general JSON form
/// (RFC 7516 §7.2.1). Each has an ephemeral key of its own. `draw` is asked for
/// the content key first, then for the ephemeral keys, then for the nonce.
///
/// # Errors
/// [`EncryptError`]; [`EncryptError::Recipients`] with direct key agreement,
/// which has no content key to share.
pub fn encrypt_to_all(
    alg: KeyAgreement,
    to: &[Recipient<'_>],
    message: Message<'_>,
    draw: &mut dyn FnMut(&mut [u8]),
) -> Result<String, EncryptError> {
    if alg.is_direct() || to.is_empty() || to.len() > MAX_RECIPIENTS {
        return Err(EncryptError::Recipients);
    }
    let (cty, plaintext) = message.content.judged()?;
    let content = drawn(message.enc.key_len(), draw);
    let mut protected = Members::new();
    protected.text("enc", Some(message.enc.as_str()));
    protected.text("typ", message.typ);
    protected.text("cty", cty);
    let protected = base64url::encode(protected.closed());
    let mut recipients = Vec::new();
    for to in to {
        let agreed = agree(alg, *to, message, draw)?;
        let mut header = Members::new();
        header.text("alg", Some(alg.as_str()));
        agreed.describe(&mut header, *to, message);
        let encrypted_key = base64url::encode(wrap(&agreed.key, &content));
        recipients.push(format!("{{\"header\":{},\"encrypted_key\":\"{encrypted_key}\"}}", header.closed()));
    }
    let sealed = Sealed::new(&content_key(message.enc, &content), &protected, plaintext, draw);
    let text = format!(
        "{{\"protected\":\"{protected}\",\"recipients\":[{}],\"iv\":\"{}\",\"ciphertext\":\"{}\",\"tag\":\"{}\"}}",
        recipients.join(","),
        base64url::encode(sealed.iv),
        base64url::encode(sealed.ciphertext),
        base64url::encode(sealed.tag)
    );
    if text.len() > MAX_JSON_LEN { Err(EncryptError::TooLong) } else { Ok(text) }
}

impl<'a> Content<'a> {
    fn judged(self) -> Result<(Option<&'a str>, &'a [u8]), EncryptError> {
        match self {
            Content::Signed(token) => {
                jws::Unverified::parse(token).map_err(|_| EncryptError::NotSigned)?;
                Ok((Some("JWT"), token.as_bytes()))
            }
            Content::Bytes { cty: Some(cty), .. } if jws::same_typ(cty, "JWT") => Err(EncryptError::ContentType),
            Content::Bytes { cty, bytes } => Ok((cty, bytes)),
        }
    }
}

/// What an ephemeral key and a recipient have in common.
struct Agreed {
    epk: AgreementKey,
    key: KeyBytes,
}

impl Agreed {
    fn content_key(self: &Agreed, alg: KeyAgreement, enc: Enc, draw: &mut dyn FnMut(&mut [u8])) -> (KeyBytes, Vec<u8>) {
        if alg.is_direct() {
            return (self.key.clone(), Vec::new());
        }
        let content = drawn(enc.key_len(), draw);
        let wrapped = wrap(&self.key, &content);
        (content, wrapped)
    }

    fn describe(&self, header: &mut Members, to: Recipient<'_>, message: Message<'_>) {
        header.text("kid", to.key.kid());
        let mut epk = Members::new();
        for (name, value) in self.epk.members() {
            epk.text(name, Some(&value));
        }
        header.member("epk", &epk.closed());
        for (name, value) in [("apu", message.apu), ("apv", to.apv)] {
            header.text(name, (!value.is_empty()).then(|| base64url::encode(value)).as_deref());
        }
    }
}

fn agree(
    alg: KeyAgreement,
    to: Recipient<'_>,
    message: Message<'_>,
    draw: &mut dyn FnMut(&mut [u8]),
) -> Result<Agreed, EncryptError> {
    if !to.key.permits(alg) {
        return Err(EncryptError::Key);
    }
    let ephemeral = ephemeral(to.key.curve(), draw)?;
    let key = ephemeral.agree(to.key, |secret| derive(secret, alg, message.enc, message.apu, to.apv));
    Ok(Agreed { epk: ephemeral.public().clone(), key: key.ok_or(EncryptError::Key)? })
}

/// A key for one message: a number drawn until it is below the curve's order,
/// so that every key is equally likely (FIPS 186-5 §A.2.2).
fn ephemeral(curve: AgreementCurve, draw: &mut dyn FnMut(&mut [u8])) -> Result<DecryptionKey, EncryptError> {
    (0..DRAWS)
        .find_map(|_| DecryptionKey::from_bytes(curve, &drawn(curve.len(), draw)).ok())
        .ok_or(EncryptError::Randomness)
}

fn drawn(len: usize, draw: &mut dyn FnMut(&mut [u8])) -> KeyBytes {
    let mut bytes = Zeroizing::new(vec![0; len]);
    draw(&mut bytes);
    bytes
}

struct Sealed {
    iv: [u8; IV_LEN],
    ciphertext: Vec<u8>,
    tag: Vec<u8>,
}

impl Sealed {
    fn new(key: &LessSafeKey, protected: &str, plaintext: &[u8], draw: &mut dyn FnMut(&mut [u8])) -> Sealed {
        let mut iv = [0; IV_LEN];
        draw(&mut iv);
        let mut body = plaintext.to_vec();
        let tag = key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(iv), Aad::from(protected.as_bytes()), &mut body)
            .expect("AES-GCM seals any length memory can hold");
        Sealed { iv, ciphertext: body, tag: tag.as_ref().to_vec() }
    }
}

/// A JSON object written member by member: the order is ours, not that of a map.
struct Members(String);

impl Members {
    fn new() -> Members {
        Members(String::from("{"))
    }

    fn text(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.member(name, &format!("{}", Value::from(value)));
        }
    }

    /// `json` is the value as JSON.
    fn member(&mut self, name: &str, json: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&format!("\"{name}\":{json}"));
    }

    fn closed(mut self) -> String {
        self.0.push('}');
        self.0
    }
}
