//! Client credentials: a client speaks for itself (RFC 6749 §4.4). Writes
//! nothing; no refresh token; `sub` is the client.

use identity::Anchors;

use super::Drawn;
use crate::client::GrantType;
use crate::client_auth::AuthenticatedClient;
use crate::error::{ErrorCode, OAuthRefusal};
use crate::facts::CallerFacts;
use crate::issue::{self, TokenReply};
use crate::scope::Scope;
use crate::{Decision, binding, target};

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Scopes; none means all that are registered.
    pub scope: Option<Scope>,
    /// Receivers; none means the default.
    pub targets: Vec<String>,
    /// Thumbprint of the key of a verified DPoP proof.
    pub jkt: Option<String>,
}

/// Decides.
pub fn decide(
    request: &Request,
    client: &AuthenticatedClient,
    facts: &CallerFacts,
    drawn: &Drawn,
) -> Decision<TokenReply> {
    client.spend(match grant(request, client, facts, drawn) {
        Ok(decision) => decision,
        Err(refusal) => Decision::refuse(refusal.code, refusal.reason),
    })
}

fn grant(
    request: &Request,
    client: &AuthenticatedClient,
    facts: &CallerFacts,
    drawn: &Drawn,
) -> Result<Decision<TokenReply>, OAuthRefusal> {
    client.require(GrantType::ClientCredentials)?;
    if client.is_public() {
        return Err(OAuthRefusal::new(ErrorCode::UnauthorizedClient, "public_client_for_itself"));
    }
    let scope = request.scope.clone().unwrap_or_else(|| client.own_scopes());
    if !scope.is_within(&client.own_scopes()) {
        return Err(OAuthRefusal::new(ErrorCode::InvalidScope, "scope_not_registered"));
    }
    let audience = target::resolve(&request.targets, &client.audiences(&facts.tenant))?;
    let cnf = binding::confirm(client, request.jkt.as_deref())?;
    let guards = client.guards();
    let mut claims = issue::base_claims(&facts.tenant, client.id(), client.id(), audience, drawn.now);
    claims.exp = drawn.now + client.access_token_life().min(facts.tenant.max_token_life);
    claims.jti = drawn.jti.clone();
    claims.scope = scope;
    claims.did = client.device().map(|device| device.device.id.to_string());
    claims.cnf = cnf;
    claims.anc = issue::anchors(&facts.tenant, &guards, &Anchors::default());
    let mut decision = Decision::reply(issue::access_token(claims, issue::Form::access(client.token_form()))?);
    decision.guards = guards;
    Ok(decision)
}
