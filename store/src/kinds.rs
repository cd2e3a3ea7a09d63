//! Which kinds of records there are.

use identity::{Kind, Record};

/// Every kind of record there is.
pub const KINDS: [Kind; 20] = [
    identity::Product::KIND,
    identity::TrustAnchor::KIND,
    identity::Device::KIND,
    identity::Credential::KIND,
    identity::Account::KIND,
    identity::User::KIND,
    identity::Passkey::KIND,
    identity::Asset::KIND,
    identity::Bond::KIND,
    identity::BrowserSession::KIND,
    identity::DeviceSession::KIND,
    identity::MailToken::KIND,
    identity::Import::KIND,
    oauth::Client::KIND,
    oauth::Consent::KIND,
    oauth::AuthorizationCode::KIND,
    oauth::TokenFamily::KIND,
    oauth::Pairing::KIND,
    oauth::SigningKey::KIND,
    oauth::TenantSecret::KIND,
];

/// The kind of this name.
pub fn kind_of(name: &str) -> Option<Kind> {
    KINDS.into_iter().find(|kind| kind.0 == name)
}
