//! The closed list of writes an OAuth rule may ask for. What it needs of the
//! registry goes through `identity::Change`.

use identity::{Raise, Write};

use crate::{AuthorizationCode, Client, Consent, Pairing, SigningKey, TenantSecret, TokenFamily};

/// One write.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A client.
    Client(Write<Client>),
    /// A remembered yes.
    Consent(Write<Consent>),
    /// An authorization code.
    AuthorizationCode(Write<AuthorizationCode>),
    /// A token family with its refresh token.
    TokenFamily(Write<TokenFamily>),
    /// A device code with its user code.
    Pairing(Write<Pairing>),
    /// A signing key.
    SigningKey(Write<SigningKey>),
    /// The secret of the tenant.
    TenantSecret(Write<TenantSecret>),
    /// A write of the registry.
    Identity(identity::Change),
}

macro_rules! from_write {
    ($($name:ident),*) => {
        $(impl From<Write<$name>> for Change {
            fn from(write: Write<$name>) -> Self {
                Self::$name(write)
            }
        })*
    };
}

from_write!(Client, Consent, AuthorizationCode, TokenFamily, Pairing, SigningKey, TenantSecret);

macro_rules! from_identity {
    ($($name:ty),* $(,)?) => {
        $(impl From<$name> for Change {
            fn from(change: $name) -> Self {
                Self::Identity(change.into())
            }
        })*
    };
}

from_identity!(
    identity::Change,
    Raise,
    Write<identity::Account>,
    Write<identity::Asset>,
    Write<identity::Bond>,
    Write<identity::Credential>,
    Write<identity::Device>,
    Write<identity::DeviceSession>,
);

impl Change {
    /// Uses a key up until a time in seconds.
    pub fn once(key: impl Into<String>, until: i64) -> Self {
        Self::Identity(identity::Change::Once { key: key.into(), until })
    }
}
