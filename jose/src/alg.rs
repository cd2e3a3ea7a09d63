//! Signature algorithms. Owns: the closed list this product accepts.
//! `none` has no variant, so no code path can allow it (RFC 8725 §3.2).

use core::fmt;

/// A JWS signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Alg {
    /// ECDSA over P-256 with SHA-256 (RFC 7518 §3.4).
    ES256,
    /// ECDSA over P-384 with SHA-384 (RFC 7518 §3.4).
    ES384,
    /// The older, polymorphic name of Ed25519 (RFC 8037 §3.1); Ed448 is not done.
    EdDSA,
    /// Ed25519 by its exact name (RFC 9864 §2.2).
    Ed25519,
    /// RSASSA-PSS with SHA-256 (RFC 7518 §3.5).
    PS256,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3).
    RS256,
    /// HMAC with SHA-256 (RFC 7518 §3.2); symmetric, never beside a public key.
    HS256,
}

impl Alg {
    /// The asymmetric algorithms, in the order they are offered to clients.
    pub const ASYMMETRIC: [Alg; 6] = [Alg::ES256, Alg::EdDSA, Alg::Ed25519, Alg::ES384, Alg::PS256, Alg::RS256];

    /// The registered name, as it stands in `alg`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Alg::ES256 => "ES256",
            Alg::ES384 => "ES384",
            Alg::EdDSA => "EdDSA",
            Alg::Ed25519 => "Ed25519",
            Alg::PS256 => "PS256",
            Alg::RS256 => "RS256",
            Alg::HS256 => "HS256",
        }
    }

    /// Reads a registered name; case matters (RFC 7515 §4.1.1). `None` for
    /// everything this product does not accept, `none` first of all.
    pub fn parse(name: &str) -> Option<Alg> {
        Self::ASYMMETRIC.into_iter().chain([Alg::HS256]).find(|alg| alg.as_str() == name)
    }

    /// True for HS256 alone.
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Alg::HS256)
    }

    /// True when both names mean the same operation: `EdDSA` with an Ed25519
    /// key is `Ed25519` (RFC 9864 §2.2).
    pub(crate) fn same_operation(self, other: Alg) -> bool {
        let exact = |alg| match alg {
            Alg::EdDSA => Alg::Ed25519,
            alg => alg,
        };
        exact(self) == exact(other)
    }
}

impl fmt::Display for Alg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Alg {
    fn serialize<S: serde::Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
        sink.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Alg {
    fn deserialize<D: serde::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = <alloc::borrow::Cow<'de, str>>::deserialize(source)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("unknown algorithm"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_and_none_is_no_algorithm() {
        for alg in Alg::ASYMMETRIC.into_iter().chain([Alg::HS256]) {
            assert_eq!(Alg::parse(alg.as_str()), Some(alg));
        }
        for name in ["none", "None", "NONE", "", "es256", "ES256K", "HS512", "RS1", "ES256 "] {
            assert_eq!(Alg::parse(name), None, "{name}");
        }
    }
}
