//! A person who signs in; carries the contact facts.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::anchor::AnchorKind;
use crate::decision::{Kind, Record};
use crate::id::{AccountId, UserId};
use crate::staff::Role;

/// An e-mail address: trimmed, lower-cased, one `@`, at most 254 octets. Has no
/// `Debug` or `Display` of its content, so that it does not reach a log.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

/// The text is no address we can write to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmailError;

impl fmt::Display for EmailError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an e-mail address")
    }
}

impl core::error::Error for EmailError {}

impl Email {
    /// Parses an address as people type it.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let text = text.trim().to_lowercase();
        let (local, domain) = text.rsplit_once('@').ok_or(EmailError)?;
        let plain = |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, '<' | '>' | '"' | ',' | ';' | '@');
        let domain_ok = domain.split('.').all(|label| !label.is_empty() && !label.starts_with('-'));
        let sound = !local.is_empty() && local.len() <= 64 && text.len() <= 254 && text.matches('@').count() == 1;
        if !sound || !domain_ok || !local.chars().all(plain) || !domain.chars().all(plain) {
            return Err(EmailError);
        }
        Ok(Self(text))
    }

    /// The address, for the mail that goes to it and for its own user.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(..)")
    }
}

impl TryFrom<String> for Email {
    type Error = EmailError;
    fn try_from(text: String) -> Result<Self, EmailError> {
        Self::parse(&text)
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

/// Whether a person may sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserState {
    /// Signed up, address not yet verified: cannot sign in.
    Unverified,
    /// May sign in.
    Active,
    /// Stopped by staff.
    Disabled,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Our id, the `sub` of their tokens.
    pub id: UserId,
    /// Unique among users.
    pub email: Email,
    /// What others call them.
    pub name: String,
    /// Argon2id hash in PHC form; `None` until one is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<PasswordHash>,
    /// When it was last set, seconds: links sent before cannot set it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_set_at: Option<i64>,
    /// Whether they may sign in.
    pub state: UserState,
    /// The household made at sign-up, where their new things go.
    pub account: AccountId,
    /// Their number at the customer system of the maker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<String>,
    /// What they may do as staff of the maker.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Role>,
    /// BCP 47.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// IANA name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Further standard claims (OIDC Core §5.1): given_name, family_name,
    /// phone_number, address and the like, as JSON.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub claims: serde_json::Map<String, serde_json::Value>,
    /// When they signed up, seconds.
    pub created_at: i64,
    /// When name or claims last changed, seconds.
    pub updated_at: i64,
}

/// An argon2id hash in PHC form. No `Debug` of its content.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(pub String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

impl Record for User {
    const KIND: Kind = Kind("user");
    const ANCHOR: Option<AnchorKind> = Some(AnchorKind::User);
    fn id(&self) -> &str {
        self.id.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_trimmed_and_lower_cased() {
        assert_eq!(Email::parse(" Adam@Example.COM ").unwrap().expose(), "adam@example.com");
    }

    #[test]
    fn other_texts_are_no_addresses() {
        for text in ["", "adam", "@x", "a@", "a@b@c", "a b@c.de", "a@-x.de", "a@x..de", "<a@b.de>", "a\n@b.de"] {
            assert_eq!(Email::parse(text), Err(EmailError), "{text:?}");
        }
    }

    #[test]
    fn neither_debug_shows_its_content() {
        let email = Email::parse("adam@example.com").unwrap();
        assert!(!format!("{email:?} {:?}", PasswordHash("$argon2id$x".into())).contains("adam"));
    }
}
