//! To which key a token is bound: asked for by a proof that came along, or
//! demanded by registration (RFC 9449 §5, RFC 8705 §3).

use identity::facts::DeviceFacts;

use crate::client_auth::{AuthenticatedClient, ShownCertificate};
use crate::error::{ErrorCode, OAuthRefusal};
use crate::token::Confirmation;

/// The binding of the tokens of this request; `jkt` is the thumbprint of a
/// verified DPoP proof.
///
/// # Errors
/// `invalid_dpop_proof` where the client registered that a proof is mandatory
/// and none came; `invalid_request` likewise for its certificate, also beside a
/// proof; `invalid_grant` for a device that shows a key which is not its own.
pub fn confirm(
    client: &AuthenticatedClient,
    jkt: Option<&str>,
    now: i64,
) -> Result<Option<Confirmation>, OAuthRefusal> {
    if let Some(device) = client.device() {
        return confirm_device(device, client.certificate(), jkt, now).map(Some);
    }
    let registered = client.client();
    let certificate = registered
        .filter(|client| client.tls_client_certificate_bound_access_tokens)
        .map(|_| client.certificate().ok_or(OAuthRefusal::new(ErrorCode::InvalidRequest, "certificate_mandatory")))
        .transpose()?;
    match (jkt, certificate) {
        (Some(jkt), _) => Ok(Some(key(jkt))),
        (None, _) if registered.is_some_and(|client| client.dpop_bound_access_tokens) => {
            Err(OAuthRefusal::new(ErrorCode::InvalidDpopProof, "dpop_mandatory"))
        }
        (None, shown) => Ok(shown.map(|shown| certificate_of(&shown.thumbprint))),
    }
}

/// A device's own token is never plain bearer, and bound to a key the registry
/// holds for it: who catches its assertion cannot bind a token to another.
fn confirm_device(
    device: &DeviceFacts,
    certificate: Option<&ShownCertificate>,
    jkt: Option<&str>,
    now: i64,
) -> Result<Confirmation, OAuthRefusal> {
    const ANOTHER: OAuthRefusal = OAuthRefusal::new(ErrorCode::InvalidGrant, "proof_by_another_key");
    match (jkt, certificate) {
        (Some(jkt), _) if holds(device, jkt, now) => Ok(key(jkt)),
        (None, Some(shown)) if holds(device, &shown.key_thumbprint, now) => Ok(certificate_of(&shown.thumbprint)),
        (None, None) => Err(OAuthRefusal::new(ErrorCode::InvalidDpopProof, "device_without_proof")),
        _ => Err(ANOTHER),
    }
}

/// Whether a key is one of the device's present ones.
pub fn holds(device: &DeviceFacts, key_thumbprint: &str, now: i64) -> bool {
    let is_it = |held: &identity::Credential| held.key_thumbprint == key_thumbprint && held.counts(now);
    device.credentials.iter().any(|credential| is_it(credential))
}

/// A binding to the key of a DPoP proof.
pub(crate) fn key(jkt: &str) -> Confirmation {
    Confirmation { jkt: Some(jkt.to_owned()), ..Confirmation::default() }
}

pub(crate) fn certificate_of(thumbprint: &str) -> Confirmation {
    Confirmation { x5t_s256: Some(thumbprint.to_owned()), ..Confirmation::default() }
}

/// Whether a proof or certificate of this request is by the key something was
/// bound to before. A binding that cannot be compared fits nothing.
pub fn fits(bound: &Confirmation, now: Option<&Confirmation>) -> bool {
    let same = |a: &Option<String>, b: &Option<String>| match (a, b) {
        (Some(a), Some(b)) => jose::digest::constant_time_eq(a.as_bytes(), b.as_bytes()),
        _ => false,
    };
    let Some(now) = now else { return false };
    match bound {
        Confirmation { jkt: Some(_), x5t_s256: None, .. } => same(&bound.jkt, &now.jkt),
        Confirmation { jkt: None, x5t_s256: Some(_), .. } => same(&bound.x5t_s256, &now.x5t_s256),
        _ => false,
    }
}
