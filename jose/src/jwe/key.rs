//! Keys for key agreement (RFC 7518 §6.2, RFC 8037 §2). Owns: which keys may
//! agree. Does not own: signing keys, which are [`Jwk`].

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde_json::{Map, Value};

use super::KeyAgreement;
use crate::jwk::{self, JwkError, PublicKey};
use crate::{Curve, Jwk, base64url, json};

#[cfg(feature = "crypto")]
pub use private::DecryptionKey;

/// A curve for key agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AgreementCurve {
    /// NIST P-256 (RFC 7518 §6.2.1.1).
    P256,
    /// NIST P-384 (RFC 7518 §6.2.1.1).
    P384,
    /// X25519 (RFC 7748, RFC 8037 §3.2).
    X25519,
}

impl AgreementCurve {
    /// The registered name, as in `crv`.
    pub const fn as_str(self) -> &'static str {
        match self {
            AgreementCurve::P256 => "P-256",
            AgreementCurve::P384 => "P-384",
            AgreementCurve::X25519 => "X25519",
        }
    }

    /// Bytes of a private key, and of one coordinate.
    pub(super) const fn len(self) -> usize {
        match self {
            AgreementCurve::P256 | AgreementCurve::X25519 => 32,
            AgreementCurve::P384 => 48,
        }
    }
}

/// A public key to which one can encrypt: a recipient's, or the sender's
/// ephemeral one. Its point is on its curve (checked with the feature
/// `crypto`). Equal when the key itself is equal.
#[derive(Clone)]
pub struct AgreementKey {
    curve: AgreementCurve,
    /// x and y at full length, one after the other; for X25519 the 32 bytes.
    bytes: Vec<u8>,
    kid: Option<String>,
    alg: Option<KeyAgreement>,
}

impl AgreementKey {
    /// Reads a public JWK from strict JSON.
    ///
    /// # Errors
    /// [`JwkError`] names the first thing wrong; [`JwkError::Usage`] for a key
    /// whose `use` or `key_ops` speaks against key agreement.
    pub fn parse(bytes: &[u8]) -> Result<AgreementKey, JwkError> {
        AgreementKey::from_members(&json::parse_object(bytes).map_err(|_| JwkError::Malformed)?)
    }

    /// Reads a JWK that is a member of a document already read strictly.
    ///
    /// # Errors
    /// As [`AgreementKey::parse`].
    pub fn from_json(value: &Value) -> Result<AgreementKey, JwkError> {
        AgreementKey::from_members(value.as_object().ok_or(JwkError::Malformed)?)
    }

    /// The same key for agreement as for signatures, where a device has but
    /// one: only of P-256 or P-384, and only if the key does not say that it
    /// is for signatures (RFC 7517 §4.2-4.4).
    ///
    /// # Errors
    /// [`JwkError::UnknownType`], [`JwkError::Usage`], [`JwkError::Alg`].
    pub fn from_jwk(key: &Jwk) -> Result<AgreementKey, JwkError> {
        AgreementKey::from_json(&key.to_json())
    }

    pub(super) fn from_members(members: &Map<String, Value>) -> Result<AgreementKey, JwkError> {
        if jwk::PRIVATE_MEMBERS.iter().any(|name| members.contains_key(*name)) {
            return Err(JwkError::PrivateMember);
        }
        AgreementKey::public_part(members)
    }

    fn public_part(members: &Map<String, Value>) -> Result<AgreementKey, JwkError> {
        if jwk::optional_text(members, "use")?.is_some_and(|usage| usage != "enc") {
            return Err(JwkError::Usage);
        }
        if let Some(operations) = members.get("key_ops") {
            let operations = jwk::key_operations(operations)?;
            if !operations.iter().any(|name| name == "deriveKey" || name == "deriveBits") {
                return Err(JwkError::Usage);
            }
        }
        let alg = match jwk::optional_text(members, "alg")? {
            None => None,
            Some(name) => Some(KeyAgreement::parse(&name).ok_or(JwkError::Alg)?),
        };
        let (curve, bytes) = match (jwk::text(members, "kty")?, jwk::text(members, "crv")?) {
            ("OKP", "X25519") => (AgreementCurve::X25519, jwk::octets(members, "x")?),
            // The point is judged where those of signature keys are.
            ("EC", _) => match jwk::public_part(members)?.key {
                PublicKey::Ec(Curve::P256, point) => (AgreementCurve::P256, point),
                PublicKey::Ec(Curve::P384, point) => (AgreementCurve::P384, point),
                _ => return Err(JwkError::UnknownType),
            },
            _ => return Err(JwkError::UnknownType),
        };
        if curve == AgreementCurve::X25519 && bytes.len() != curve.len() {
            return Err(JwkError::Encoding);
        }
        Ok(AgreementKey { curve, bytes, kid: jwk::optional_text(members, "kid")?, alg })
    }

    /// The same key with this `kid`, which messages to it will bear.
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> AgreementKey {
        self.kid = Some(kid.into());
        self
    }

    /// The curve.
    pub fn curve(&self) -> AgreementCurve {
        self.curve
    }

    /// `kid`, if the key has one.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// True unless the key says that it is meant for another `alg`.
    pub fn permits(&self, alg: KeyAgreement) -> bool {
        self.alg.is_none_or(|meant| meant == alg)
    }

    /// The key and nothing else, as `epk` carries it.
    pub fn to_bare_json(&self) -> Value {
        Value::Object(self.members().map(|(name, value)| (name.to_string(), Value::from(value))).collect())
    }

    /// The public members in the order in which they are written.
    pub(super) fn members(&self) -> impl Iterator<Item = (&'static str, String)> {
        let kty = if self.curve == AgreementCurve::X25519 { "OKP" } else { "EC" };
        let coordinates = ["x", "y"].into_iter().zip(self.bytes.chunks(self.curve.len()));
        [("kty", kty.to_string()), ("crv", self.curve.as_str().to_string())]
            .into_iter()
            .chain(coordinates.map(|(name, bytes)| (name, base64url::encode(bytes))))
    }
}

impl PartialEq for AgreementKey {
    fn eq(&self, other: &AgreementKey) -> bool {
        (self.curve, &self.bytes) == (other.curve, &other.bytes)
    }
}

impl Eq for AgreementKey {}

impl fmt::Debug for AgreementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgreementKey({})", self.to_bare_json())
    }
}

#[cfg(feature = "crypto")]
mod private {
    use aws_lc_rs::agreement::{self, Algorithm, PrivateKey, UnparsedPublicKey};
    use aws_lc_rs::encoding::{AsBigEndian, Curve25519SeedBin, EcPrivateKeyBin};
    use zeroize::Zeroizing;

    use super::*;
    use crate::KeyError;

    impl AgreementCurve {
        fn algorithm(self) -> &'static Algorithm {
            match self {
                AgreementCurve::P256 => &agreement::ECDH_P256,
                AgreementCurve::P384 => &agreement::ECDH_P384,
                AgreementCurve::X25519 => &agreement::X25519,
            }
        }
    }

    /// A private key that opens messages, with its public half.
    pub struct DecryptionKey {
        private: PrivateKey,
        public: AgreementKey,
    }

    impl DecryptionKey {
        /// Makes a new key from the generator of aws-lc.
        ///
        /// # Errors
        /// [`KeyError::Rejected`] when the generator fails.
        pub fn generate(curve: AgreementCurve) -> Result<DecryptionKey, KeyError> {
            let private = PrivateKey::generate(curve.algorithm()).map_err(|_| KeyError::Rejected)?;
            DecryptionKey::from_private(curve, private)
        }

        /// Takes the private number of a curve, big-endian at full length, or
        /// the 32 bytes of an X25519 key.
        ///
        /// # Errors
        /// [`KeyError::Rejected`] for another length, zero, or a number
        /// beyond the order of the curve.
        pub fn from_bytes(curve: AgreementCurve, bytes: &[u8]) -> Result<DecryptionKey, KeyError> {
            let private = PrivateKey::from_private_key(curve.algorithm(), bytes).map_err(|_| KeyError::Rejected)?;
            DecryptionKey::from_private(curve, private)
        }

        /// Reads a private JWK (RFC 7518 §6.2.2, RFC 8037 §2). The public half
        /// must belong to `d`.
        ///
        /// # Errors
        /// [`KeyError::Rejected`].
        pub fn from_private_jwk(bytes: &[u8]) -> Result<DecryptionKey, KeyError> {
            let members = json::parse_object(bytes).map_err(|_| KeyError::Rejected)?;
            let public = AgreementKey::public_part(&members).map_err(|_| KeyError::Rejected)?;
            let d = Zeroizing::new(jwk::octets(&members, "d").map_err(|_| KeyError::Rejected)?);
            let mut key = DecryptionKey::from_bytes(public.curve, &d)?;
            if key.public != public {
                return Err(KeyError::Rejected);
            }
            key.public = public;
            Ok(key)
        }

        fn from_private(curve: AgreementCurve, private: PrivateKey) -> Result<DecryptionKey, KeyError> {
            let public = private.compute_public_key().map_err(|_| KeyError::Rejected)?;
            let bytes = match curve {
                AgreementCurve::X25519 => public.as_ref(),
                // SEC 1 §2.3.3: 04, then both coordinates.
                _ => public.as_ref().strip_prefix(&[4]).ok_or(KeyError::Rejected)?,
            };
            let public = AgreementKey { curve, bytes: bytes.into(), kid: None, alg: None };
            Ok(DecryptionKey { private, public })
        }

        /// The same key, whose public half bears this `kid`.
        #[must_use]
        pub fn with_kid(mut self, kid: impl Into<String>) -> DecryptionKey {
            self.public = self.public.with_kid(kid);
            self
        }

        /// The public half, to encrypt to.
        pub fn public(&self) -> &AgreementKey {
            &self.public
        }

        /// The private JWK, to be kept where no one else reads it.
        ///
        /// # Errors
        /// [`KeyError::Rejected`] when aws-lc cannot encode it.
        pub fn to_private_jwk(&self) -> Result<Zeroizing<String>, KeyError> {
            let d = match self.public.curve {
                AgreementCurve::X25519 => {
                    let seed: Curve25519SeedBin<'_> = self.private.as_be_bytes().map_err(|_| KeyError::Rejected)?;
                    Zeroizing::new(base64url::encode(seed.as_ref()))
                }
                _ => {
                    let number: EcPrivateKeyBin<'_> = self.private.as_be_bytes().map_err(|_| KeyError::Rejected)?;
                    Zeroizing::new(base64url::encode(number.as_ref()))
                }
            };
            let mut text = Zeroizing::new(String::from("{"));
            for (name, value) in self.public.members() {
                text.push_str(&alloc::format!("\"{name}\":\"{value}\","));
            }
            if let Some(kid) = self.public.kid() {
                text.push_str(&alloc::format!("\"kid\":{},", Value::from(kid)));
            }
            text.push_str("\"d\":\"");
            text.push_str(&d);
            text.push_str("\"}");
            Ok(text)
        }

        /// Agrees with a public key of the same curve and hands the secret to
        /// `derive`; `None` for another curve or an all-zero secret
        /// (RFC 7748 §6.1).
        pub(in crate::jwe) fn agree<T>(&self, with: &AgreementKey, derive: impl FnOnce(&[u8]) -> T) -> Option<T> {
            if with.curve != self.public.curve {
                return None;
            }
            let algorithm = with.curve.algorithm();
            let point = match with.curve {
                AgreementCurve::X25519 => with.bytes.clone(),
                _ => [&[4], with.bytes.as_slice()].concat(),
            };
            agreement::agree(&self.private, UnparsedPublicKey::new(algorithm, point), (), |secret| Ok(derive(secret)))
                .ok()
        }
    }

    impl fmt::Debug for DecryptionKey {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "DecryptionKey({})", self.public.curve.as_str())
        }
    }
}
