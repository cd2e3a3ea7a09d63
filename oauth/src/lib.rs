//! The rules of OAuth 2.0 and OpenID Connect: clients and their authentication,
//! one file per grant, tokens, introspection, revocation, metadata.
//!
//! Every rule is a pure function from facts to a decision. Never knows storage,
//! clock, randomness or HTTP types; those come in as values.

#![recursion_limit = "256"]

mod change;
#[cfg(test)]
mod fixture;

pub mod actor_token;
pub mod authorize;
pub mod binding;
pub mod client;
pub mod client_auth;
pub mod code;
pub mod consent;
pub mod device_authorization;
pub mod error;
pub mod facts;
pub mod family;
pub mod foreign_token;
pub mod form;
pub mod grant;
pub mod introspection;
pub mod issue;
pub mod metadata;
pub mod pairing;
pub mod redirect_uri;
pub mod registration;
pub mod revocation;
pub mod scope;
pub mod signing_key;
pub mod target;
pub mod tenant_secret;
pub mod token;
pub mod userinfo;

pub use change::Change;
pub use client::Client;
pub use code::AuthorizationCode;
pub use consent::Consent;
pub use error::{ErrorCode, OAuthRefusal};
pub use family::TokenFamily;
pub use pairing::Pairing;
pub use scope::Scope;
pub use signing_key::SigningKey;
pub use tenant_secret::TenantSecret;

/// What an OAuth rule decides.
pub type Decision<Reply> = identity::Decision<Reply, Change, ErrorCode>;
