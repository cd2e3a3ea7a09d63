//! Introspection (RFC 7662): who may ask about which token, and what is told.

use identity::Anchors;
use serde::Serialize;

use crate::client_auth::AuthenticatedClient;
use crate::error::{ErrorCode, OAuthRefusal};
use crate::token::Claims;

/// What is told (RFC 7662 §2.2).
#[derive(Debug, Serialize)]
pub struct Reply {
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    #[serde(flatten)]
    claims: Option<Claims>,
}

/// Exactly this and nothing more for whatever is unknown, dead, or not for the
/// one who asks (RFC 7662 §2.2).
const INACTIVE: Reply = Reply { active: false, token_type: None, claims: None };

/// Whether a client may ask at all: a bare client id is nobody.
///
/// # Errors
/// `invalid_client` (RFC 7662 §2.1).
pub fn admit(client: &AuthenticatedClient) -> Result<(), OAuthRefusal> {
    if client.is_public() {
        Err(OAuthRefusal::new(ErrorCode::InvalidClient, "public_client_introspects"))
    } else {
        Ok(())
    }
}

/// What is told about a token that is sound and alive. `issuer` may be in the
/// audience of tokens for our own API.
pub fn reply(client: &AuthenticatedClient, token: Option<&Claims>, issuer: &str) -> Reply {
    let Some(claims) = token else { return INACTIVE };
    let receivers = client.client().map(|client| client.audiences.as_slice()).unwrap_or_default();
    let entitled = receivers.iter().any(|receiver| receiver != issuer && claims.aud.names(receiver))
        || claims.client_id == client.id()
        || client.may_ask("tokens:introspect");
    if !entitled {
        return INACTIVE;
    }
    let mut told = claims.clone();
    if !client.may_ask("authority:follow") {
        told.anc = Anchors::default();
    }
    let bound_by_key = claims.cnf.as_ref().is_some_and(|cnf| cnf.jkt.is_some());
    Reply { active: true, token_type: Some(if bound_by_key { "DPoP" } else { "Bearer" }), claims: Some(told) }
}

#[cfg(test)]
mod tests;
