//! Use cases: load the facts, call the rule, sign, commit.
//!
//! Owns the order of those steps, the key ring and the ports for mail. Knows no
//! HTTP, no SQL and no sockets; a file here is named like its rule below and its
//! route above.

mod app;
mod audit;
pub mod authorize;
mod backup;
mod brake;
pub mod call_home;
mod certificate;
mod client_certificate;
mod commit;
pub mod device_authorization;
mod device_keys;
mod device_self;
mod draw;
mod fault;
mod follow;
mod introspection;
mod key_ring;
mod keys;
pub mod mailer;
mod pairing_brake;
pub mod passkey;
pub mod password;
pub mod people;
mod pulse;
pub mod registry;
mod restore;
mod revocation;
mod start;
pub mod token;
mod turn;
mod userinfo;

pub use app::{App, Ports, Settings};
pub use backup::{Backup, BackupError, BackupHead, Verified, parse_item, render_item, verify_backup};
pub use draw::Draw;
pub use fault::Fault;
pub use key_ring::{KeyRing, MasterKey, OTHER_MASTER_KEY};
pub use keys::Resealed;
pub use pulse::ClockMark;
pub use restore::{JournalError, Journals, Restored, restore};

/// An external target as proofs name it; `None` where it is no http URI.
pub fn http_uri(text: &str) -> Option<jose::dpop::HttpUri> {
    jose::dpop::HttpUri::parse(text).ok()
}

/// SHA-256.
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    jose::digest::sha256(bytes)
}

/// SHA-256 as base64url, for entity tags and keys.
pub fn digest_text(bytes: &[u8]) -> String {
    jose::base64url::encode(digest(bytes))
}
