//! Introspection (RFC 7662): who may ask about which token, and what is told.

use serde_json::{Value, json};

use crate::client_auth::AuthenticatedClient;
use crate::error::{ErrorCode, OAuthRefusal};
use crate::grant::token_exchange::Subject;

/// Exactly this and nothing more for whatever is unknown, dead, or not for the
/// one who asks (RFC 7662 §2.2).
pub fn inactive() -> Value {
    json!({ "active": false })
}

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
pub fn reply(client: &AuthenticatedClient, token: Option<&Subject>, issuer: &str) -> Value {
    let Some(token) = token else { return inactive() };
    let claims = &token.claims;
    let receivers = client.client().map(|client| client.audiences.as_slice()).unwrap_or_default();
    let entitled = receivers.iter().any(|receiver| receiver != issuer && claims.aud.names(receiver))
        || claims.client_id == client.id()
        || client.scopes().contains("tokens:introspect");
    if !entitled {
        return inactive();
    }
    let Ok(Value::Object(mut members)) = serde_json::to_value(claims) else { return inactive() };
    if !client.scopes().contains("authority:follow") {
        members.remove("anc");
    }
    let bound_by_key = claims.cnf.as_ref().is_some_and(|cnf| cnf.jkt.is_some());
    members.insert("active".to_owned(), true.into());
    members.insert("token_type".to_owned(), if bound_by_key { "DPoP" } else { "Bearer" }.into());
    Value::Object(members)
}

#[cfg(test)]
mod tests;
