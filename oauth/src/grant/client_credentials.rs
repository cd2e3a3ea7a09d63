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
    let cnf = binding::confirm(client, request.jkt.as_deref(), drawn.now)?;
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

#[cfg(test)]
mod tests {
    use identity::device::DeviceState;

    use super::*;
    use crate::client::Client;
    use crate::fixture::{
        API, ISSUER, NOW, app, caller, claims, drawn, family, names_every_guard, refusal, shown, shown_device, speaker,
        web,
    };

    fn asked(client: &Client, request: &Request) -> Decision<TokenReply> {
        decide(request, &shown(client), &caller(client), &drawn(NOW))
    }

    #[test]
    fn a_client_speaks_for_itself_and_nothing_is_written() {
        let decision = asked(&web(), &Request::default());
        let token = claims(&decision);
        assert_eq!(
            (token.sub.as_str(), token.client_id.as_str(), token.aud.0.as_slice()),
            ("web_shop", "web_shop", &[API.to_owned()][..])
        );
        assert!(decision.reply.as_ref().unwrap().refresh.is_none() && family(&decision).is_none());
        assert!(!decision.needs_commit() && names_every_guard(&decision, &token));
        let narrow =
            Request { scope: Some(Scope::of(["profile"])), targets: vec![ISSUER.into()], jkt: Some("k".into()) };
        let token = claims(&asked(&web(), &narrow));
        assert_eq!((token.scope.to_string().as_str(), token.aud.0.as_slice()), ("profile", &[ISSUER.to_owned()][..]));
        assert_eq!(token.cnf.unwrap().jkt.as_deref(), Some("k"));
    }

    #[test]
    fn a_public_client_has_nothing_to_say_for_itself() {
        let decision = asked(&app(), &Request::default());
        assert_eq!(refusal(&decision), (ErrorCode::UnauthorizedClient, "public_client_for_itself"));
    }

    #[test]
    fn more_than_was_registered_is_refused() {
        let wider = Request { scope: Some(Scope::of(["users:write"])), ..Request::default() };
        assert_eq!(refusal(&asked(&web(), &wider)).0, ErrorCode::InvalidScope);
        let elsewhere = Request { targets: vec!["https://evil.example".into()], ..Request::default() };
        assert_eq!(refusal(&asked(&web(), &elsewhere)).0, ErrorCode::InvalidTarget);
        let ungranted = Client { grant_types: vec![GrantType::RefreshToken], ..web() };
        assert_eq!(refusal(&asked(&ungranted, &Request::default())).0, ErrorCode::UnauthorizedClient);
    }

    #[test]
    fn a_device_gets_for_itself_what_its_state_permits_bound_to_its_key() {
        let device = speaker(DeviceState::Active);
        let facts = crate::facts::CallerFacts { client: None, device: Some(device.clone()), ..caller(&app()) };
        let decided = |request: &Request| decide(request, &shown_device(&device), &facts, &drawn(NOW));
        let token = claims(&decided(&Request::default()));
        assert_eq!((token.sub.as_str(), token.scope.to_string().as_str()), ("dev_9F3K2", "firmware:read device:pair"));
        assert_eq!(token.cnf.unwrap().x5t_s256.as_deref(), Some("x5t-1"));
        let owners = Request { scope: Some(Scope::of(["telemetry:write"])), ..Request::default() };
        assert_eq!(refusal(&decided(&owners)).0, ErrorCode::InvalidScope);
    }
}
