//! Public keys as JWK (RFC 7517, RFC 7518 §6, RFC 8037 §2). Owns: which keys
//! are acceptable at all, and their canonical spelling.
//! Does not own: private keys; a JWK that carries one is refused.

mod set;
mod spki;
#[cfg(test)]
#[cfg(feature = "crypto")]
mod tests;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};

pub use set::JwkSet;

use crate::{Alg, base64url, json};

/// Members that hold private or symmetric key material (RFC 7518 §6).
pub(crate) const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// An elliptic curve for ECDSA (RFC 7518 §6.2.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    /// NIST P-256, for ES256.
    P256,
    /// NIST P-384, for ES384.
    P384,
}

impl Curve {
    /// The registered name, as in `crv`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Curve::P256 => "P-256",
            Curve::P384 => "P-384",
        }
    }

    /// Octets of one coordinate; always all of them (RFC 7518 §6.2.1.2).
    pub const fn coordinate_len(self) -> usize {
        match self {
            Curve::P256 => 32,
            Curve::P384 => 48,
        }
    }
}

/// Why a key is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// Not strict JSON, or no object.
    #[error("the key is not a strict JSON object")]
    Malformed,
    /// Private or symmetric material where a public key belongs.
    #[error("the key carries private material")]
    PrivateMember,
    /// A member is missing or has the wrong JSON type.
    #[error("a member of the key is missing or of the wrong type")]
    Member,
    /// A value is no canonical base64url or has the wrong length.
    #[error("a value of the key is wrongly encoded or of the wrong length")]
    Encoding,
    /// `kty` or `crv` is none we know.
    #[error("unknown key type or curve")]
    UnknownType,
    /// The point is not on its curve.
    #[error("the point is not on the curve")]
    OffCurve,
    /// An RSA modulus below 2048 or above 8192 bits (RFC 7518 §3.3), or an
    /// even modulus, or a public exponent that is even, below 3 or above 32 bits.
    #[error("the RSA key is too weak, too long or malformed")]
    RsaParameters,
    /// `alg` is none we know or does not fit the key type (RFC 7517 §4.4).
    #[error("the algorithm of the key is unknown or does not fit")]
    Alg,
    /// `use` or `key_ops` speaks against what the key is asked for.
    #[error("the key is meant for another use")]
    Usage,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum PublicKey {
    /// x and y at full length, one after the other.
    Ec(Curve, Vec<u8>),
    Ed25519([u8; 32]),
    /// Big-endian, without leading zeros.
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
}

/// A public key, already judged: of a known type, strong enough, on its curve
/// (the last is checked with the feature `crypto`, without which nothing can be
/// verified with it either). Equal when the key itself is equal, whatever
/// `kid`, `use` and `alg` say.
#[derive(Clone)]
pub struct Jwk {
    pub(crate) key: PublicKey,
    kid: Option<String>,
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<Alg>,
}

impl Jwk {
    /// Reads a JWK from strict JSON.
    ///
    /// # Errors
    /// [`JwkError`] names the first thing wrong.
    pub fn parse(bytes: &[u8]) -> Result<Jwk, JwkError> {
        let members = json::parse_object(bytes).map_err(|_| JwkError::Malformed)?;
        Jwk::from_members(&members)
    }

    /// Reads a JWK that is a member of a document already read strictly
    /// (a header, a claim, a registration).
    ///
    /// # Errors
    /// As [`Jwk::parse`].
    pub fn from_json(value: &Value) -> Result<Jwk, JwkError> {
        Jwk::from_members(value.as_object().ok_or(JwkError::Malformed)?)
    }

    pub(crate) fn from_members(members: &Map<String, Value>) -> Result<Jwk, JwkError> {
        if PRIVATE_MEMBERS.iter().any(|name| members.contains_key(*name)) {
            return Err(JwkError::PrivateMember);
        }
        let mut jwk = public_part(members)?;
        jwk.kid = optional_text(members, "kid")?;
        jwk.usage = optional_text(members, "use")?;
        jwk.key_ops = match members.get("key_ops") {
            None => None,
            Some(operations) => Some(key_operations(operations)?),
        };
        if let Some(name) = optional_text(members, "alg")? {
            let alg = Alg::parse(&name).ok_or(JwkError::Alg)?;
            jwk = jwk.with_alg(alg)?;
        }
        Ok(jwk)
    }

    /// An EC key from its coordinates, big-endian at full length.
    ///
    /// # Errors
    /// [`JwkError::Encoding`] for another length, [`JwkError::OffCurve`].
    pub fn from_ec(curve: Curve, x: &[u8], y: &[u8]) -> Result<Jwk, JwkError> {
        if x.len() != curve.coordinate_len() || y.len() != curve.coordinate_len() {
            return Err(JwkError::Encoding);
        }
        Jwk::judged(PublicKey::Ec(curve, [x, y].concat()))
    }

    /// An Ed25519 key from its 32 bytes (RFC 8037 §2).
    ///
    /// # Errors
    /// [`JwkError::Encoding`] for another length, [`JwkError::OffCurve`].
    pub fn from_ed25519(x: &[u8]) -> Result<Jwk, JwkError> {
        let x = x.try_into().map_err(|_| JwkError::Encoding)?;
        Jwk::judged(PublicKey::Ed25519(x))
    }

    /// An RSA key from modulus and exponent, big-endian without leading zeros
    /// (RFC 7518 §6.3.1).
    ///
    /// # Errors
    /// [`JwkError::Encoding`] for leading zeros, [`JwkError::RsaParameters`].
    pub fn from_rsa(n: &[u8], e: &[u8]) -> Result<Jwk, JwkError> {
        let (Some(top), Some(last)) = (n.first(), n.last()) else {
            return Err(JwkError::Encoding);
        };
        let (Some(e_top), Some(e_last)) = (e.first(), e.last()) else {
            return Err(JwkError::Encoding);
        };
        if *top == 0 || *e_top == 0 {
            return Err(JwkError::Encoding);
        }
        let bits = u64::try_from(n.len()).unwrap_or(u64::MAX / 8) * 8 - u64::from(top.leading_zeros());
        let sane_exponent = e.len() <= 4 && e_last % 2 == 1 && e != [1];
        if !(2048..=8192).contains(&bits) || last % 2 == 0 || !sane_exponent {
            return Err(JwkError::RsaParameters);
        }
        Jwk::judged(PublicKey::Rsa { n: n.into(), e: e.into() })
    }

    fn judged(key: PublicKey) -> Result<Jwk, JwkError> {
        let jwk = Jwk { key, kid: None, usage: None, key_ops: None, alg: None };
        #[cfg(feature = "crypto")]
        crate::VerifyingKey::from_jwk(&jwk).map_err(|_| JwkError::OffCurve)?;
        Ok(jwk)
    }

    /// The same key with this `kid`.
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Jwk {
        self.kid = Some(kid.into());
        self
    }

    /// The same key with this `use`; `sig` is the one that may verify.
    #[must_use]
    pub fn with_use(mut self, usage: impl Into<String>) -> Jwk {
        self.usage = Some(usage.into());
        self
    }

    /// The same key, meant for this algorithm alone.
    ///
    /// # Errors
    /// [`JwkError::Alg`] when it does not fit the key type.
    pub fn with_alg(mut self, alg: Alg) -> Result<Jwk, JwkError> {
        if !self.fits_type(alg) {
            return Err(JwkError::Alg);
        }
        self.alg = Some(alg);
        Ok(self)
    }

    /// `kid`, if the key has one.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// `use`, if the key says one.
    pub fn usage(&self) -> Option<&str> {
        self.usage.as_deref()
    }

    /// `alg`, if the key says one.
    pub fn alg(&self) -> Option<Alg> {
        self.alg
    }

    /// True when a signature of this algorithm may be checked with this key:
    /// the type fits, and `use`, `key_ops` and `alg` do not speak against it
    /// (RFC 7517 §4.2-4.4, RFC 8725 §3.1).
    pub fn permits(&self, alg: Alg) -> bool {
        self.fits_type(alg)
            && self.alg.is_none_or(|meant| meant.same_operation(alg))
            && self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|name| name == "verify"))
    }

    fn fits_type(&self, alg: Alg) -> bool {
        match self.key {
            PublicKey::Ec(Curve::P256, _) => alg == Alg::ES256,
            PublicKey::Ec(Curve::P384, _) => alg == Alg::ES384,
            PublicKey::Ed25519(_) => matches!(alg, Alg::EdDSA | Alg::Ed25519),
            PublicKey::Rsa { .. } => matches!(alg, Alg::RS256 | Alg::PS256),
        }
    }

    /// The key with `kid`, `use`, `key_ops` and `alg`, as a key set shows it.
    pub fn to_json(&self) -> Value {
        let mut members = self.bare_members();
        let mut told = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                members.insert(name.into(), value);
            }
        };
        told("kid", self.kid.as_deref().map(Value::from));
        told("use", self.usage.as_deref().map(Value::from));
        told("key_ops", self.key_ops.clone().map(Value::from));
        told("alg", self.alg.map(|alg| Value::from(alg.as_str())));
        Value::Object(members)
    }

    /// The key and nothing else, as `cnf.jwk` and the header of a proof carry it.
    pub fn to_bare_json(&self) -> Value {
        Value::Object(self.bare_members())
    }

    fn bare_members(&self) -> Map<String, Value> {
        self.required_members().into_iter().map(|(name, value)| (name.to_string(), Value::String(value))).collect()
    }

    /// Required members in lexical order, as the thumbprint wants them.
    fn required_members(&self) -> Vec<(&'static str, String)> {
        match &self.key {
            PublicKey::Ec(curve, point) => {
                let (x, y) = point.split_at(curve.coordinate_len());
                [
                    ("crv", curve.as_str().to_string()),
                    ("kty", "EC".to_string()),
                    ("x", base64url::encode(x)),
                    ("y", base64url::encode(y)),
                ]
                .into()
            }
            PublicKey::Ed25519(x) => {
                [("crv", "Ed25519".to_string()), ("kty", "OKP".to_string()), ("x", base64url::encode(x))].into()
            }
            PublicKey::Rsa { n, e } => {
                [("e", base64url::encode(e)), ("kty", "RSA".to_string()), ("n", base64url::encode(n))].into()
            }
        }
    }

    /// The bytes a thumbprint is taken of (RFC 7638 §3): the required members
    /// in lexical order, without spaces. For builds that bring their own SHA-256.
    pub fn thumbprint_input(&self) -> String {
        let members: Vec<String> =
            self.required_members().into_iter().map(|(name, value)| format!("\"{name}\":\"{value}\"")).collect();
        format!("{{{}}}", members.join(","))
    }

    /// The key's SHA-256 thumbprint (RFC 7638 §3).
    #[cfg(feature = "crypto")]
    pub fn thumbprint(&self) -> crate::Thumbprint {
        crate::Thumbprint(crate::digest::sha256(self.thumbprint_input().as_bytes()))
    }
}

/// The key itself, whatever else stands beside it; private members are read
/// by the caller that wants them.
pub(crate) fn public_part(members: &Map<String, Value>) -> Result<Jwk, JwkError> {
    match text(members, "kty")? {
        "EC" => {
            let curve = match text(members, "crv")? {
                "P-256" => Curve::P256,
                "P-384" => Curve::P384,
                _ => return Err(JwkError::UnknownType),
            };
            Jwk::from_ec(curve, &octets(members, "x")?, &octets(members, "y")?)
        }
        "OKP" => match text(members, "crv")? {
            "Ed25519" => Jwk::from_ed25519(&octets(members, "x")?),
            _ => Err(JwkError::UnknownType),
        },
        "RSA" => Jwk::from_rsa(&octets(members, "n")?, &octets(members, "e")?),
        _ => Err(JwkError::UnknownType),
    }
}

pub(crate) fn octets(members: &Map<String, Value>, name: &str) -> Result<Vec<u8>, JwkError> {
    base64url::decode(text(members, name)?).map_err(|_| JwkError::Encoding)
}

pub(crate) fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Result<&'a str, JwkError> {
    members.get(name).and_then(Value::as_str).ok_or(JwkError::Member)
}

pub(crate) fn optional_text(members: &Map<String, Value>, name: &str) -> Result<Option<String>, JwkError> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(value)) => Ok(Some(value.clone())),
        Some(_) => Err(JwkError::Member),
    }
}

/// `key_ops` is an array of different names (RFC 7517 §4.3).
pub(crate) fn key_operations(value: &Value) -> Result<Vec<String>, JwkError> {
    let mut operations: Vec<String> = Vec::new();
    for name in value.as_array().ok_or(JwkError::Member)? {
        let name = name.as_str().ok_or(JwkError::Member)?;
        if operations.iter().any(|known| known == name) {
            return Err(JwkError::Member);
        }
        operations.push(name.into());
    }
    Ok(operations)
}

impl PartialEq for Jwk {
    fn eq(&self, other: &Jwk) -> bool {
        self.key == other.key
    }
}

impl Eq for Jwk {}

impl Hash for Jwk {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jwk({})", self.to_json())
    }
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(sink)
    }
}

impl<'de> Deserialize<'de> for Jwk {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let value = json::strict_value(source)?;
        Jwk::from_json(&value).map_err(de::Error::custom)
    }
}
