//! JWT bearer (RFC 7523 §2.1): a device trades its asset token for an access
//! token. The same trade by token exchange gives the same result.

use identity::device::DeviceState;
use identity::{Anchor, AnchorKind, Fact};

use super::Drawn;
use crate::client::{Client, GrantType};
use crate::client_auth::AuthenticatedClient;
use crate::error::{ErrorCode, OAuthRefusal};
use crate::facts::TradeFacts;
use crate::issue::{self, TokenReply};
use crate::scope::Scope;
use crate::token::{Claims, TokenKind};
use crate::{Decision, binding, target};

use super::token_exchange::{ACCESS_TOKEN, Subject, check_alive};

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// A subset of the assertion's scope.
    pub scope: Option<Scope>,
    /// Receivers.
    pub targets: Vec<String>,
    /// Thumbprint of the key of a verified DPoP proof.
    pub jkt: Option<String>,
    /// Came as a token exchange: the answer names the issued type.
    pub by_exchange: bool,
}

const fn bad(reason: &'static str) -> OAuthRefusal {
    OAuthRefusal::new(ErrorCode::InvalidGrant, reason)
}

/// Decides. `client` is who authenticated, if anybody did: the assertion itself
/// names the client it was issued to.
pub fn decide(
    request: &Request,
    client: Option<&AuthenticatedClient>,
    assertion: Result<&Subject, &'static str>,
    facts: &TradeFacts,
    drawn: &Drawn,
) -> Decision<TokenReply> {
    let decision = trade(request, client, assertion, facts, drawn)
        .unwrap_or_else(|refusal| Decision::refuse(refusal.code, refusal.reason));
    match client {
        Some(client) => client.spend(decision),
        None => decision,
    }
}

fn trade(
    request: &Request,
    client: Option<&AuthenticatedClient>,
    assertion: Result<&Subject, &'static str>,
    facts: &TradeFacts,
    drawn: &Drawn,
) -> Result<Decision<TokenReply>, OAuthRefusal> {
    let assertion = assertion.map_err(bad)?;
    let (tenant, claims) = (&facts.caller.tenant, &assertion.claims);
    if assertion.kind != TokenKind::Asset {
        return Err(bad("assertion_is_no_asset_token"));
    }
    if !claims.aud.names(&tenant.issuer) {
        return Err(bad("assertion_for_another_audience"));
    }
    // Where it is read a minute is forgiven; what it yields would be born dead.
    if drawn.now >= claims.exp {
        return Err(bad("assertion_expired"));
    }
    check_alive(&claims.anc, &facts.anchors_now).map_err(|refusal| bad(refusal.reason))?;
    let issued_to = issued_to(client, claims, facts, request.by_exchange)?;
    check_proof(claims, request.jkt.as_deref())?;
    check_chain(facts, drawn.now)?;
    let scope = match &request.scope {
        None => claims.scope.clone(),
        Some(asked) if asked.is_within(&claims.scope) => asked.clone(),
        Some(_) => return Err(OAuthRefusal::new(ErrorCode::InvalidScope, "scope_beyond_assertion")),
    };
    let audience = target::resolve(&request.targets, &receivers(claims, facts, issued_to))?;

    let mut access = issue::base_claims(tenant, &claims.client_id, &claims.sub, audience, drawn.now);
    let life = issued_to.access_token_life.clamp(300, 3600).min(tenant.max_token_life);
    access.exp = issue::end_of_life(drawn.now, life, [claims.exp]);
    access.jti = drawn.jti.clone();
    access.scope = scope;
    access.did = claims.did.clone();
    access.asset_id = claims.asset_id.clone();
    access.account_id = claims.account_id.clone();
    access.contact_id = claims.contact_id.clone();
    access.act = claims.act.clone();
    access.cnf = claims.cnf.clone().or(request.jkt.as_deref().map(binding::key));
    // It inherits what the assertion hangs from, and the assertion itself.
    let mut inherited = claims.anc.clone();
    inherited.add(Anchor::new(AnchorKind::Token, claims.jti.clone()).at(0));
    let mut guards = client.map(AuthenticatedClient::guards).unwrap_or_default();
    guards.push(issued_to.guard());
    access.anc = issue::anchors(tenant, &guards, &inherited);
    let mut reply = issue::access_token(access, issue::Form::access((issued_to.token_alg, issued_to.opaque_tokens)))?;
    reply.issued_token_type = request.by_exchange.then(|| ACCESS_TOKEN.to_owned());
    Ok(Decision::reply(reply))
}

fn issued_to<'a>(
    client: Option<&'a AuthenticatedClient>,
    claims: &Claims,
    facts: &'a TradeFacts,
    by_exchange: bool,
) -> Result<&'a Fact<Client>, OAuthRefusal> {
    let grant = if by_exchange { GrantType::TokenExchange } else { GrantType::JwtBearer };
    if let Some(client) = client {
        client.require(grant)?;
        let own = client.id() == claims.client_id || claims.did.as_deref() == Some(client.id());
        if !own {
            return Err(bad("assertion_of_another_client"));
        }
    }
    let registered = facts.chain.client.as_ref().or_else(|| client.and_then(AuthenticatedClient::client));
    let issued_to = registered.filter(|known| !known.disabled && known.id.as_str() == claims.client_id);
    let issued_to = issued_to.ok_or(bad("client_gone"))?;
    if client.is_none() && !issued_to.may(grant) {
        return Err(OAuthRefusal::new(ErrorCode::UnauthorizedClient, "grant_not_registered"));
    }
    Ok(issued_to)
}

/// A bound assertion is of use with its key alone (RFC 9449 §10, §5).
fn check_proof(claims: &Claims, jkt: Option<&str>) -> Result<(), OAuthRefusal> {
    let Some(cnf) = &claims.cnf else { return Ok(()) };
    let Some(jkt) = jkt else {
        return Err(OAuthRefusal::new(ErrorCode::InvalidDpopProof, "assertion_needs_proof"));
    };
    if binding::fits(cnf, Some(&binding::key(jkt))) { Ok(()) } else { Err(bad("proof_by_another_key")) }
}

fn check_chain(facts: &TradeFacts, now: i64) -> Result<(), OAuthRefusal> {
    let chain = &facts.chain;
    let device = chain.device.as_ref().ok_or(bad("device_gone"))?;
    if device.device.state != DeviceState::Active || device.device.pending {
        return Err(bad("device_state"));
    }
    let title = chain.asset.as_ref().is_some_and(|asset| asset.closed_at.is_none());
    let bond = chain.bond.as_ref().is_none_or(|bond| bond.is_live(now));
    if title && bond { Ok(()) } else { Err(bad("bond_over")) }
}

fn receivers(claims: &Claims, facts: &TradeFacts, client: &Client) -> Vec<String> {
    let product = facts.chain.device.as_ref().map(|device| device.product.audiences.clone()).unwrap_or_default();
    let named = claims.aud.0.iter().chain(client.audiences.iter()).chain(product.iter());
    let issuer = &facts.caller.tenant.issuer;
    let mut receivers: Vec<String> = named.filter(|receiver| *receiver != issuer).cloned().collect();
    receivers.push(issuer.clone());
    receivers.dedup();
    receivers
}

#[cfg(test)]
mod tests;
