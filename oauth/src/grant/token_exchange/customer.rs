//! Who brings the device: client, subject token and customer. That is a person of
//! ours, one of a trusted foreign issuer, or for a service nobody but an account.

use identity::user::UserState;
use identity::{Fact, User};
use jose::Jwk;

use super::{ACCESS_TOKEN, REGISTER, REGISTER_FOR, Registration, Shown, Subject, bad, check_alive, rests_on};
use crate::client::{Client, GrantType};
use crate::client_auth::AuthenticatedClient;
use crate::error::{ErrorCode, OAuthRefusal};
use crate::facts::RegistrationFacts;
use crate::foreign_token::ForeignSubject;
use crate::token::{Confirmation, TokenKind};

/// A token of a foreign issuer is refused where it was made not later than so
/// many seconds after the last end of whom it speaks of (anchors §2).
const AFTER_AN_END: i64 = 60;

pub(super) struct Customer<'a> {
    pub(super) client: &'a Fact<Client>,
    /// The person; nobody where a service registers for an account.
    pub(super) user: Option<&'a Fact<User>>,
}

impl Customer<'_> {
    /// The id under which a refusal is announced.
    pub(super) fn id(&self) -> &str {
        self.user.map_or(self.client.id.as_str(), |user| user.id.as_str())
    }
}

/// Checks them in the order in which the refusals are told.
pub(super) fn check_customer<'a>(
    registration: &Registration<'a>,
    facts: &'a RegistrationFacts,
) -> Result<Customer<'a>, OAuthRefusal> {
    let registered = registered(registration.client)?;
    let user = match registration.subject.map_err(bad)? {
        Shown::Ours(subject) => check_ours(subject, registration, registered, facts)?,
        Shown::Foreign(subject) => Some(check_foreign(subject, registration, registered, facts)?),
    };
    Ok(Customer { client: registered, user })
}

fn registered(client: &AuthenticatedClient) -> Result<&Fact<Client>, OAuthRefusal> {
    client.require(GrantType::TokenExchange)?;
    let registered = client.client().filter(|client| client.rights.asset_tokens);
    registered.ok_or(OAuthRefusal::new(ErrorCode::UnauthorizedClient, "no_asset_tokens_right"))
}

fn check_ours<'a>(
    subject: &Subject,
    registration: &Registration<'_>,
    registered: &Client,
    facts: &'a RegistrationFacts,
) -> Result<Option<&'a Fact<User>>, OAuthRefusal> {
    if subject.kind != TokenKind::Access {
        return Err(bad("subject_is_no_access_token"));
    }
    let claims = &subject.claims;
    if claims.act.is_some() || claims.did.is_some() {
        return Err(bad("subject_is_delegated"));
    }
    check_requested(registration)?;
    check_alive(&rests_on(claims), &facts.anchors_now)?;
    check_subject_proof(claims.cnf.as_ref(), registration.proof)?;
    let own = claims.client_id == registration.client.id();
    if claims.sub == claims.client_id {
        // A service speaks for itself alone, and only a proved one has a say.
        return match claims.scope.contains(REGISTER_FOR) && own && !registration.client.is_public() {
            true => Ok(None),
            false => Err(bad("subject_may_not_register_for_others")),
        };
    }
    if !own && !registered.rights.exchange_others {
        return Err(bad("subject_of_another_client"));
    }
    if !claims.scope.contains(REGISTER) {
        return Err(bad("subject_without_register_scope"));
    }
    active(facts, &claims.sub).map(Some)
}

/// Whether a client may register devices with tokens of this foreign issuer, and
/// shows this one as it must be shown.
///
/// # Errors
/// `unauthorized_client`, `invalid_request`, `invalid_dpop_proof`.
pub fn may_bring(
    client: &AuthenticatedClient,
    subject: &ForeignSubject,
    proof: Option<&Jwk>,
) -> Result<(), OAuthRefusal> {
    let registered = registered(client)?;
    if !subject.issuer.clients.contains(&registered.id) {
        return Err(bad("client_may_not_bring_foreign_tokens"));
    }
    check_subject_proof(subject.cnf.as_ref(), proof)
}

/// Signature, issuer, audience and times were checked before.
fn check_foreign<'a>(
    subject: &ForeignSubject,
    registration: &Registration<'_>,
    registered: &Fact<Client>,
    facts: &'a RegistrationFacts,
) -> Result<&'a Fact<User>, OAuthRefusal> {
    check_requested(registration)?;
    may_bring(registration.client, subject, registration.proof)?;
    let user = active(facts, subject.user.as_str())?;
    let outlived =
        |end: u64| end > 0 && subject.iat <= i64::try_from(end).unwrap_or(i64::MAX - AFTER_AN_END) + AFTER_AN_END;
    if outlived(user.epochs.end_epoch) || outlived(registered.epochs.end_epoch) {
        return Err(bad("foreign_token_before_an_end"));
    }
    Ok(user)
}

fn active<'a>(facts: &'a RegistrationFacts, id: &str) -> Result<&'a Fact<User>, OAuthRefusal> {
    let user = facts.user.as_ref().filter(|user| user.id.as_str() == id && user.state == UserState::Active);
    user.ok_or(bad("subject_is_no_active_user"))
}

fn check_requested(registration: &Registration<'_>) -> Result<(), OAuthRefusal> {
    match registration.request.requested.as_deref() {
        Some(ACCESS_TOKEN) => Err(bad("requested_type_is_no_asset_token")),
        _ => Ok(()),
    }
}

/// A bound subject token needs its own key's proof in this request.
fn check_subject_proof(cnf: Option<&Confirmation>, proof: Option<&Jwk>) -> Result<(), OAuthRefusal> {
    let Some(cnf) = cnf else { return Ok(()) };
    let Some(jkt) = &cnf.jkt else { return Err(bad("subject_bound_otherwise")) };
    match proof {
        None => Err(OAuthRefusal::new(ErrorCode::InvalidDpopProof, "subject_needs_proof")),
        Some(key) if key.thumbprint().to_string() == *jkt => Ok(()),
        Some(_) => Err(bad("subject_proof_by_another_key")),
    }
}
