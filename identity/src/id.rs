//! Typed ids. The server makes every id of its own records; the prefix names
//! the kind. Owns their form, never where the randomness comes from.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is no id of the wanted kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdError {
    /// Empty, longer than 64 characters, or a character outside `[A-Za-z0-9_-]`.
    Form,
    /// The prefix belongs to another kind.
    Prefix,
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "an id is 1 to 64 characters of A-Z a-z 0-9 _ -",
            Self::Prefix => "the id is of another kind",
        })
    }
}

impl core::error::Error for IdError {}

/// Prefixes that belong to one kind each: no client id, user name or imported
/// value may pose as one.
const RESERVED: [&str; 5] = ["dev_", "u_", "acc_", "ast_", "bnd_"];

/// Whether a text starts with a prefix that belongs to one of our kinds.
pub fn is_reserved_prefix(text: &str) -> bool {
    RESERVED.iter().any(|prefix| text.starts_with(prefix))
}

/// A device is its own client, under its did; nothing else of ours is one.
fn poses_as_another(client_id: &str) -> bool {
    is_reserved_prefix(client_id) && !client_id.starts_with(DeviceId::PREFIX)
}

fn well_formed(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Sortable by time, so that inserts stay cheap: 48 bits of milliseconds and
/// 52 bits of chance in 20 characters of an alphabet without look-alikes.
fn encode(now_ms: u64, random: [u8; 8]) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let bits = (u128::from(now_ms & 0xffff_ffff_ffff) << 52) | u128::from(u64::from_be_bytes(random) >> 12);
    (0..20)
        .rev()
        .filter_map(|group| ALPHABET.get(((bits >> (group * 5)) & 31) as usize))
        .map(|&b| char::from(b))
        .collect()
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The prefix of this kind.
            pub const PREFIX: &'static str = $prefix;

            /// Makes an id from the time in milliseconds and eight random bytes.
            pub fn mint(now_ms: u64, random: [u8; 8]) -> Self {
                Self(format!("{}{}", $prefix, encode(now_ms, random)))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                if !well_formed(text) {
                    return Err(IdError::Form);
                }
                if !text.starts_with($prefix) || ($prefix.is_empty() && poses_as_another(text)) {
                    return Err(IdError::Prefix);
                }
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(/// A device (did), `dev_…`.
    DeviceId, "dev_");
id!(/// A person who signs in, `u_…`.
    UserId, "u_");
id!(/// A household or an organisation, `acc_…`.
    AccountId, "acc_");
id!(/// A device as owned by an account over a span of time, `ast_…`.
    AssetId, "ast_");
id!(/// What ties a holder to a target, `bnd_…`.
    BondId, "bnd_");
id!(/// A device model, `prd_…`.
    ProductId, "prd_");
id!(/// A certificate, key or symmetric key of a device, `crd_…`.
    CredentialId, "crd_");
id!(/// A certificate authority whose devices we admit, `ca_…`.
    TrustAnchorId, "ca_");
id!(/// A person's login in a browser, `ses_…`.
    SessionId, "ses_");
id!(/// A device's session after call home, `ds_…`.
    DeviceSessionId, "ds_");
id!(/// A passkey of a user, `pk_…`.
    PasskeyId, "pk_");
id!(/// One run of an import, `imp_…`.
    ImportId, "imp_");
id!(/// All tokens descending from one grant, `fam_…`.
    FamilyId, "fam_");
id!(/// Software registered to ask for tokens, or a device under its did. Clients
    /// never choose it (RFC 9700 §4.15.1), staff may; registration refuses every
    /// prefix of ours ([`is_reserved_prefix`]).
    ClientId, "");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_keep_their_prefix() {
        let earlier = DeviceId::mint(1_750_000_000_000, [255; 8]);
        let later = DeviceId::mint(1_750_000_000_001, [0; 8]);
        assert!(earlier < later);
        assert!(earlier.as_str().starts_with("dev_"));
        assert_eq!(earlier.as_str().len(), 24);
        assert_eq!(earlier.as_str().parse::<DeviceId>(), Ok(earlier));
    }

    #[test]
    fn a_client_id_never_poses_as_another_kind() {
        for text in ["u_adam", "acc_1", "ast_1", "bnd_1"] {
            assert_eq!(text.parse::<ClientId>(), Err(IdError::Prefix), "{text}");
        }
        assert!("app_mobile".parse::<ClientId>().is_ok());
        assert!("dev_1".parse::<ClientId>().is_ok(), "a device is its own client");
    }

    #[test]
    fn paths_newlines_and_look_alikes_are_no_ids() {
        for text in ["", "dev_../x", "dev_a\n", "dev_a\0", "dev_\u{0430}", &format!("dev_{}", "a".repeat(61))] {
            assert!(text.parse::<DeviceId>().is_err(), "{text:?}");
        }
    }
}
