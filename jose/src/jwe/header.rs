//! Headers of encrypted messages (RFC 7516 §4). Owns: which members there are,
//! and which of them must be protected.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::{AgreementKey, Enc, JweError, KeyAgreement};
use crate::{base64url, json};

/// Members that decide how the content is read. Outside the protected header
/// whoever passes the message on could change them, so they may not stand there.
const PROTECTED_ONLY: [&str; 3] = ["enc", "typ", "cty"];

/// What a message says to one recipient.
#[derive(Clone, Debug)]
pub struct Header {
    alg: KeyAgreement,
    enc: Enc,
    typ: Option<String>,
    cty: Option<String>,
    kid: Option<String>,
    epk: AgreementKey,
    apu: Vec<u8>,
    apv: Vec<u8>,
}

impl Header {
    /// Reads the one header of the compact form.
    pub(super) fn parse(bytes: &[u8]) -> Result<Header, JweError> {
        Header::from_members(json::parse_object(bytes).map_err(|_| JweError::Header)?)
    }

    /// Joins the protected header with that of one recipient: no member may
    /// stand in both (RFC 7516 §7.2.1).
    pub(super) fn join(protected: &Map<String, Value>, own: &Map<String, Value>) -> Result<Header, JweError> {
        if own.keys().any(|name| protected.contains_key(name) || PROTECTED_ONLY.contains(&name.as_str())) {
            return Err(JweError::Header);
        }
        let mut members = protected.clone();
        members.extend(own.iter().map(|(name, value)| (name.clone(), value.clone())));
        Header::from_members(members)
    }

    fn from_members(mut members: Map<String, Value>) -> Result<Header, JweError> {
        // What the reader must understand comes first.
        if members.contains_key("crit") {
            return Err(JweError::Critical);
        }
        if members.contains_key("zip") {
            return Err(JweError::Compressed);
        }
        let alg = text(&mut members, "alg")?.as_deref().and_then(KeyAgreement::parse).ok_or(JweError::Alg)?;
        let enc = text(&mut members, "enc")?.as_deref().and_then(Enc::parse).ok_or(JweError::Enc)?;
        let epk = members.remove("epk").ok_or(JweError::Ephemeral)?;
        Ok(Header {
            alg,
            enc,
            typ: text(&mut members, "typ")?,
            cty: text(&mut members, "cty")?,
            kid: text(&mut members, "kid")?,
            epk: AgreementKey::from_json(&epk).map_err(|_| JweError::Ephemeral)?,
            apu: octets(&mut members, "apu")?,
            apv: octets(&mut members, "apv")?,
        })
    }

    /// How the content key comes about.
    pub fn alg(&self) -> KeyAgreement {
        self.alg
    }

    /// How the content is encrypted.
    pub fn enc(&self) -> Enc {
        self.enc
    }

    /// `typ` exactly as written.
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// `cty` exactly as written: what the content is.
    pub fn cty(&self) -> Option<&str> {
        self.cty.as_deref()
    }

    /// `kid` of the recipient's key: a hint, nothing more.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The sender's key, made for this message alone.
    pub fn epk(&self) -> &AgreementKey {
        &self.epk
    }

    /// `apu`, decoded: who the sender says to be (RFC 7518 §4.6.1.2). Empty
    /// when absent. It goes into the key, and proves nothing about the sender.
    pub fn apu(&self) -> &[u8] {
        &self.apu
    }

    /// `apv`, decoded: for whom it is (RFC 7518 §4.6.1.3). Empty when absent.
    pub fn apv(&self) -> &[u8] {
        &self.apv
    }
}

fn text(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, JweError> {
    match members.remove(name) {
        None => Ok(None),
        Some(Value::String(value)) => Ok(Some(value)),
        Some(_) => Err(JweError::Header),
    }
}

fn octets(members: &mut Map<String, Value>, name: &str) -> Result<Vec<u8>, JweError> {
    match text(members, name)? {
        None => Ok(Vec::new()),
        Some(value) => base64url::decode(value).map_err(|_| JweError::Header),
    }
}
