//! Signed compact tokens (RFC 7515 §7.1) under the rules of RFC 8725.
//!
//! Owns: strict parts and headers, verification under an allow-list, the type
//! comparison, signing. Does not own: claims' meaning, or which key is trusted.

#[cfg(test)]
#[cfg(feature = "crypto")]
mod tests;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde_json::{Map, Value};

use crate::json::{self, JsonError};
use crate::{Alg, Jwk, SignError, Signer, base64url};

/// The longest token read, in bytes.
pub const MAX_LEN: usize = 8 * 1024;

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// Longer than [`MAX_LEN`].
    #[error("the token is too long")]
    TooLong,
    /// Not three parts of canonical base64url.
    #[error("not three parts of canonical base64url")]
    Malformed,
    /// The header is no strict JSON object, or a member has the wrong type.
    #[error("the header is malformed")]
    Header,
    /// `alg` is missing or none this product accepts; `none` ends here.
    #[error("the algorithm is missing or not accepted")]
    Alg,
    /// `crit` is present: no extension is known here, and an empty list is
    /// forbidden (RFC 7515 §4.1.11).
    #[error("a critical extension is not understood")]
    Critical,
    /// `b64` other than true (RFC 7797 §7: not in a JWT).
    #[error("an unencoded payload is not accepted")]
    Unencoded,
    /// The `jwk` of the header is not an acceptable public key.
    #[error("the key in the header is not acceptable")]
    Jwk,
    /// The algorithm is not in the caller's allow-list (RFC 8725 §3.1).
    #[error("the algorithm is not allowed here")]
    AlgNotAllowed,
    /// The algorithm does not fit the key.
    #[error("the algorithm does not fit the key")]
    AlgMismatch,
    /// The signature is wrong.
    #[error("the signature is wrong")]
    BadSignature,
    /// The payload is no strict JSON object.
    #[error("the payload is not a strict JSON object")]
    Claims,
}

impl From<JsonError> for JwsError {
    fn from(_: JsonError) -> Self {
        JwsError::Header
    }
}

/// The protected header (RFC 7515 §4).
#[derive(Clone, Debug)]
pub struct Header {
    alg: Alg,
    typ: Option<String>,
    kid: Option<String>,
    jwk: Option<Jwk>,
    x5c: Vec<Vec<u8>>,
    rest: Map<String, Value>,
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Header, JwsError> {
        let mut members = json::parse_object(bytes)?;
        // What the reader must understand comes first: everything else is
        // read under the rules of the base standard alone.
        if members.contains_key("crit") {
            return Err(JwsError::Critical);
        }
        if !matches!(members.remove("b64"), None | Some(Value::Bool(true))) {
            return Err(JwsError::Unencoded);
        }
        let alg = text(&mut members, "alg")?.as_deref().and_then(Alg::parse).ok_or(JwsError::Alg)?;
        let jwk = match members.remove("jwk") {
            None => None,
            Some(value) => Some(Jwk::from_json(&value).map_err(|_| JwsError::Jwk)?),
        };
        Ok(Header {
            alg,
            typ: text(&mut members, "typ")?,
            kid: text(&mut members, "kid")?,
            jwk,
            x5c: certificates(members.remove("x5c"))?,
            rest: members,
        })
    }

    /// The algorithm the token claims.
    pub fn alg(&self) -> Alg {
        self.alg
    }

    /// `typ` exactly as written; compare it with [`Header::has_typ`].
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// `kid`: a hint for choosing among keys already trusted, nothing more.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// `jwk`: a key that is merely shown. It proves possession, not identity.
    pub fn jwk(&self) -> Option<&Jwk> {
        self.jwk.as_ref()
    }

    /// `x5c`: DER certificates, leaf first, unverified; empty when absent.
    pub fn x5c(&self) -> &[Vec<u8>] {
        &self.x5c
    }

    /// Any other member. `jku` and `x5u` are among them: nothing follows them.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.rest.get(name)
    }

    /// True when `typ` is this media type, by [`same_typ`]. Explicit typing
    /// keeps one kind of token from passing as another (RFC 8725 §3.11).
    pub fn has_typ(&self, expected: &str) -> bool {
        self.typ.as_deref().is_some_and(|typ| same_typ(typ, expected))
    }
}

/// Compares media types as RFC 7515 §4.1.9 says: without regard to case, and
/// with `application/` understood where there is no slash.
pub fn same_typ(a: &str, b: &str) -> bool {
    fn short(typ: &str) -> &str {
        const PREFIX: &str = "application/";
        match typ.split_at_checked(PREFIX.len()) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) && !rest.contains('/') => rest,
            _ => typ,
        }
    }
    short(a).eq_ignore_ascii_case(short(b))
}

/// A token that was read but not verified: anyone may have written it.
#[derive(Clone)]
pub struct Unverified {
    header: Header,
    payload: Vec<u8>,
    /// Header and payload as they were written, which is what was signed.
    input: String,
    signature: Vec<u8>,
}

impl Unverified {
    /// Reads the compact form: at most [`MAX_LEN`] bytes, three parts, strict
    /// base64url, strict header. The payload need not be JSON.
    ///
    /// # Errors
    /// [`JwsError`].
    pub fn parse(token: &str) -> Result<Unverified, JwsError> {
        if token.len() > MAX_LEN {
            return Err(JwsError::TooLong);
        }
        let (input, signature) = token.rsplit_once('.').ok_or(JwsError::Malformed)?;
        let (header, payload) = input.split_once('.').ok_or(JwsError::Malformed)?;
        let decode = |part| base64url::decode(part).map_err(|_| JwsError::Malformed);
        // A dot is no base64url, so a fourth part fails to decode.
        let (header, payload, signature) = (decode(header)?, decode(payload)?, decode(signature)?);
        Ok(Unverified { header: Header::parse(&header)?, payload, input: input.into(), signature })
    }

    /// The header, unverified like everything here.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What was signed (RFC 7515 §5.2 step 8), for builds that bring their own
    /// verification.
    pub fn signing_input(&self) -> &str {
        &self.input
    }

    /// The signature, for builds that bring their own verification.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The claims as anyone may have written them, only for choosing the key
    /// by issuer; every decision waits for [`Verified::claims`].
    ///
    /// # Errors
    /// [`JwsError::Claims`] when the payload is no strict JSON object.
    pub fn peek_claims(&self) -> Result<Map<String, Value>, JwsError> {
        json::parse_object(&self.payload).map_err(|_| JwsError::Claims)
    }

    /// Verifies with a key the caller trusts, under the algorithms the caller
    /// allows here. The token's own `alg` chooses nothing: it must be allowed
    /// *and* fit the key (RFC 8725 §3.1).
    ///
    /// # Errors
    /// [`JwsError::AlgNotAllowed`], [`JwsError::AlgMismatch`],
    /// [`JwsError::BadSignature`].
    #[cfg(feature = "crypto")]
    pub fn verify(&self, key: &crate::VerifyingKey, allowed: &[Alg]) -> Result<Verified, JwsError> {
        if !allowed.contains(&self.header.alg) {
            return Err(JwsError::AlgNotAllowed);
        }
        key.verify(self.header.alg, self.input.as_bytes(), &self.signature).map_err(|error| match error {
            crate::VerifyError::AlgMismatch => JwsError::AlgMismatch,
            crate::VerifyError::BadSignature => JwsError::BadSignature,
        })?;
        Ok(Verified { header: self.header.clone(), payload: self.payload.clone() })
    }
}

impl fmt::Debug for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither claims nor signature: a token is a secret.
        write!(f, "Unverified({})", self.header.alg)
    }
}

/// A token whose signature was right. Only [`Unverified::verify`] makes one.
#[cfg(feature = "crypto")]
#[derive(Clone)]
pub struct Verified {
    header: Header,
    payload: Vec<u8>,
}

#[cfg(feature = "crypto")]
impl Verified {
    /// The header, which the signature covers.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The payload's bytes.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The payload as strict JSON. Times and audience are the caller's.
    ///
    /// # Errors
    /// [`JwsError::Claims`].
    pub fn claims(&self) -> Result<Map<String, Value>, JwsError> {
        json::parse_object(&self.payload).map_err(|_| JwsError::Claims)
    }
}

#[cfg(feature = "crypto")]
impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verified({})", self.header.alg)
    }
}

/// The header of compact tokens that one key signs under one `typ`, written once.
#[derive(Clone, Debug)]
pub struct Head {
    alg: Alg,
    /// In base64url, with the dot behind it.
    text: Vec<u8>,
}

impl Head {
    /// `typ`, `alg`, `kid`.
    pub fn new(typ: Option<&str>, alg: Alg, kid: Option<&str>) -> Head {
        Head { alg, text: encoded(&header(typ, alg, kid, &Map::new())) }
    }
}

/// Signs a payload under a header that is written already; otherwise as
/// [`sign_compact`].
///
/// # Errors
/// Those of [`sign_compact`]; [`SignError::AlgMismatch`] also for a header of
/// another algorithm.
pub fn sign_under(head: &Head, payload: &[u8], signer: &dyn Signer) -> Result<String, SignError> {
    if head.alg != signer.alg() || !signer.jwk().permits(signer.alg()) {
        return Err(SignError::AlgMismatch);
    }
    finish(&head.text, payload, |input| signer.sign(input))
}

/// Signs a payload and returns the compact form. The header is `typ`, `alg`,
/// `kid`, then the extra members.
///
/// # Errors
/// [`SignError::ReservedHeader`] for an extra member the signer owns,
/// [`SignError::AlgMismatch`] for a signer that contradicts itself,
/// [`SignError::TooLong`] beyond [`MAX_LEN`], or what the signer says.
pub fn sign_compact(
    typ: Option<&str>,
    kid: Option<&str>,
    extra: &Map<String, Value>,
    payload: &[u8],
    signer: &dyn Signer,
) -> Result<String, SignError> {
    if !signer.jwk().permits(signer.alg()) {
        return Err(SignError::AlgMismatch);
    }
    compact(typ, signer.alg(), kid, extra, payload, |input| signer.sign(input))
}

pub(crate) fn compact(
    typ: Option<&str>,
    alg: Alg,
    kid: Option<&str>,
    extra: &Map<String, Value>,
    payload: &[u8],
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, SignError>,
) -> Result<String, SignError> {
    const RESERVED: [&str; 5] = ["typ", "alg", "kid", "crit", "b64"];
    if RESERVED.iter().any(|name| extra.contains_key(*name)) {
        return Err(SignError::ReservedHeader);
    }
    finish(&encoded(&header(typ, alg, kid, extra)), payload, sign)
}

/// Written member by member: the order is ours, not that of a map.
fn header(typ: Option<&str>, alg: Alg, kid: Option<&str>, extra: &Map<String, Value>) -> String {
    let mut header = String::from("{");
    let own = [("typ", typ), ("alg", Some(alg.as_str())), ("kid", kid)];
    let own = own.into_iter().filter_map(|(name, value)| Some((name, Value::from(value?))));
    let extra = extra.iter().map(|(name, value)| (name.as_str(), value.clone()));
    for (name, value) in own.chain(extra) {
        if header.len() > 1 {
            header.push(',');
        }
        header.push_str(&alloc::format!("{}:{value}", Value::from(name)));
    }
    header.push('}');
    header
}

fn encoded(header: &str) -> Vec<u8> {
    let mut text = Vec::new();
    base64url::encode_after(&mut text, header.as_bytes());
    text.push(b'.');
    text
}

/// Longer than the signature of any key but a very long one of RSA.
const SIGNATURE_ROOM: usize = 512;

fn finish(
    head: &[u8],
    payload: &[u8],
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, SignError>,
) -> Result<String, SignError> {
    let room = head.len() + base64url::encoded_len(payload.len()) + SIGNATURE_ROOM;
    let mut token = Vec::with_capacity(room);
    token.extend_from_slice(head);
    base64url::encode_after(&mut token, payload);
    let signature = sign(&token)?;
    token.push(b'.');
    base64url::encode_after(&mut token, &signature);
    if token.len() > MAX_LEN {
        return Err(SignError::TooLong);
    }
    Ok(String::from_utf8(token).expect("the alphabet is ASCII"))
}

fn text(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, JwsError> {
    match members.remove(name) {
        None => Ok(None),
        Some(Value::String(value)) => Ok(Some(value)),
        Some(_) => Err(JwsError::Header),
    }
}

/// `x5c` is a non-empty array of base64 (not base64url) DER (RFC 7515 §4.1.6).
fn certificates(value: Option<Value>) -> Result<Vec<Vec<u8>>, JwsError> {
    let listed = match value {
        None => return Ok(Vec::new()),
        Some(Value::Array(listed)) if !listed.is_empty() => listed,
        Some(_) => return Err(JwsError::Header),
    };
    listed
        .iter()
        .map(|value| {
            let text = value.as_str().ok_or(JwsError::Header)?;
            base64url::decode_standard(text).map_err(|_| JwsError::Header)
        })
        .collect()
}
