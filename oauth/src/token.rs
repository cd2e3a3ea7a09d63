//! The claims of our tokens, before they are signed or sealed and after they
//! were opened (RFC 9068, asset token, RFC 7519).

use identity::Anchors;
use jose::Alg;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::scope::Scope;

/// The key a token is bound to (`cnf`: RFC 7800, 8705 §3.1, 9449 §6.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// RFC 7638 thumbprint of the key of the DPoP proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jkt: Option<String>,
    /// SHA-256 of the DER certificate.
    #[serde(default, rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    pub x5t_s256: Option<String>,
    /// The public key itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwk: Option<Value>,
}

/// Who acts (RFC 8693 §4.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// The actor.
    pub sub: String,
    /// Who names it so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// Who acted before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<Act>>,
}

/// One or several receivers; a single one is a string on the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "OneOrMany")]
pub struct Audience(pub Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl From<OneOrMany> for Audience {
    fn from(value: OneOrMany) -> Self {
        match value {
            OneOrMany::One(one) => Self(vec![one]),
            OneOrMany::Many(many) => Self(many),
        }
    }
}

impl Serialize for Audience {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => serializer.serialize_str(one),
            many => serializer.collect_seq(many),
        }
    }
}

impl Audience {
    /// Whether it names a receiver, exactly.
    pub fn names(&self, receiver: &str) -> bool {
        self.0.iter().any(|a| a == receiver)
    }
}

/// Claims of an access or asset token of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The issuer.
    pub iss: String,
    /// Whom it speaks of: user, account, device or client.
    pub sub: String,
    /// Who must accept it.
    pub aud: Audience,
    /// To whom it was issued.
    pub client_id: String,
    /// Seconds.
    pub iat: i64,
    /// Seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// Seconds.
    pub exp: i64,
    /// Unique.
    pub jti: String,
    /// What it allows.
    #[serde(default, skip_serializing_if = "Scope::is_empty")]
    pub scope: Scope,
    /// Which device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub did: Option<String>,
    /// Which title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset_id: Option<String>,
    /// The title's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The device's serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
    /// The device's model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The owner: household or organisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// The contact at the customer system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<String>,
    /// Who acts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Act>,
    /// The key it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
    /// The session it was issued in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// When the person proved who they are, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// How (RFC 8176).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// Rich authorization (RFC 9396).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_details: Option<Value>,
    /// All it hangs from.
    #[serde(default, skip_serializing_if = "Anchors::is_empty")]
    pub anc: Anchors,
}

/// The kinds of tokens we sign; the `typ` of each keeps one from posing as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// `at+jwt` (RFC 9068 §2.1).
    Access,
    /// `asset+jwt`.
    Asset,
    /// `JWT`, an ID token (OIDC Core §2).
    Id,
}

impl TokenKind {
    /// The `typ` header.
    pub fn typ(self) -> &'static str {
        match self {
            Self::Access => "at+jwt",
            Self::Asset => "asset+jwt",
            Self::Id => "JWT",
        }
    }
}

/// A token decided on but not yet signed: the key ring signs it before anything
/// is consumed, outside any transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Unsigned {
    /// What it is.
    pub kind: TokenKind,
    /// The `typ` header, where a client wants another.
    pub typ: &'static str,
    /// What to sign with.
    pub alg: Alg,
    /// Sealed instead of signed: an opaque token.
    pub opaque: bool,
    /// All claims, as the JSON text that is signed or sealed.
    pub claims: Vec<u8>,
}
