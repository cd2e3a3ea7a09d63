//! To which key a token is bound: asked for by a proof that came along, or
//! demanded by registration (RFC 9449 §5, RFC 8705 §3).

use crate::client_auth::AuthenticatedClient;
use crate::error::{ErrorCode, OAuthRefusal};
use crate::token::Confirmation;

/// The binding of the tokens of this request; `jkt` is the thumbprint of a
/// verified DPoP proof.
///
/// # Errors
/// `invalid_dpop_proof` where the client registered that a proof is mandatory
/// and none came; `invalid_request` likewise for its certificate.
pub fn confirm(client: &AuthenticatedClient, jkt: Option<&str>) -> Result<Option<Confirmation>, OAuthRefusal> {
    if let Some(jkt) = jkt {
        return Ok(Some(Confirmation { jkt: Some(jkt.to_owned()), ..Confirmation::default() }));
    }
    let registered = client.client();
    if registered.is_some_and(|client| client.dpop_bound_access_tokens) {
        return Err(OAuthRefusal::new(ErrorCode::InvalidDpopProof, "dpop_mandatory"));
    }
    let by_certificate = registered.is_some_and(|client| client.tls_client_certificate_bound_access_tokens)
        || (client.device().is_some() && client.certificate().is_some());
    match (by_certificate, client.certificate()) {
        (false, _) if client.device().is_some() => {
            // A device's own token is never plain bearer.
            Err(OAuthRefusal::new(ErrorCode::InvalidDpopProof, "device_without_proof"))
        }
        (false, _) => Ok(None),
        (true, Some(shown)) => {
            Ok(Some(Confirmation { x5t_s256: Some(shown.thumbprint.clone()), ..Confirmation::default() }))
        }
        (true, None) => Err(OAuthRefusal::new(ErrorCode::InvalidRequest, "certificate_mandatory")),
    }
}

/// Whether a proof or certificate of this request is by the key something was
/// bound to before.
pub fn fits(bound: &Confirmation, now: Option<&Confirmation>) -> bool {
    let same = |a: &Option<String>, b: &Option<String>| match (a, b) {
        (None, _) => true,
        (Some(a), Some(b)) => jose::digest::constant_time_eq(a.as_bytes(), b.as_bytes()),
        (Some(_), None) => false,
    };
    now.is_some_and(|now| same(&bound.jkt, &now.jkt) && same(&bound.x5t_s256, &now.x5t_s256))
}
