//! Who brings the device: steps 2 to 5 of a registration, client, subject token
//! and customer.

use identity::Fact;
use identity::user::UserState;
use jose::Jwk;

use super::{ACCESS_TOKEN, REGISTER, Registration, bad, check_alive, rests_on};
use crate::client::{Client, GrantType};
use crate::error::{ErrorCode, OAuthRefusal};
use crate::facts::RegistrationFacts;
use crate::token::{Claims, TokenKind};

pub(super) struct Customer<'a> {
    pub(super) client: &'a Fact<Client>,
    pub(super) user: &'a Fact<identity::User>,
}

/// Checks them in the order in which the refusals are told.
pub(super) fn check_customer<'a>(
    registration: &Registration<'a>,
    facts: &'a RegistrationFacts,
) -> Result<Customer<'a>, OAuthRefusal> {
    let client = registration.client;
    client.require(GrantType::TokenExchange)?;
    let registered = client.client().filter(|client| client.rights.asset_tokens);
    let registered = registered.ok_or(OAuthRefusal::new(ErrorCode::UnauthorizedClient, "no_asset_tokens_right"))?;
    let subject = registration.subject.map_err(bad)?;
    if subject.kind != TokenKind::Access {
        return Err(bad("subject_is_no_access_token"));
    }
    let claims = &subject.claims;
    if claims.act.is_some() || claims.did.is_some() {
        return Err(bad("subject_is_delegated"));
    }
    if registration.request.requested.as_deref() == Some(ACCESS_TOKEN) {
        return Err(bad("requested_type_is_no_asset_token"));
    }
    check_alive(&rests_on(claims), &facts.anchors_now)?;
    check_subject_proof(claims, registration.proof)?;
    if claims.client_id != client.id() && !registered.rights.exchange_others {
        return Err(bad("subject_of_another_client"));
    }
    if !claims.scope.contains(REGISTER) {
        return Err(bad("subject_without_register_scope"));
    }
    let user = facts.user.as_ref().filter(|user| user.id.as_str() == claims.sub && user.state == UserState::Active);
    Ok(Customer { client: registered, user: user.ok_or(bad("subject_is_no_active_user"))? })
}

/// A bound subject token needs its own key's proof in this request.
fn check_subject_proof(claims: &Claims, proof: Option<&Jwk>) -> Result<(), OAuthRefusal> {
    let Some(cnf) = &claims.cnf else { return Ok(()) };
    let Some(jkt) = &cnf.jkt else { return Err(bad("subject_bound_otherwise")) };
    match proof {
        None => Err(OAuthRefusal::new(ErrorCode::InvalidDpopProof, "subject_needs_proof")),
        Some(key) if key.thumbprint().to_string() == *jkt => Ok(()),
        Some(_) => Err(bad("subject_proof_by_another_key")),
    }
}
