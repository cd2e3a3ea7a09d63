//! Redeeming an authorization code (RFC 6749 §4.1.3, RFC 7636 §4.6). One use;
//! a second use ends what the first one made.

use identity::{Anchor, AnchorKind, Anchors, Event, EventKind, Fact, Guard, Raise, Write};
use jose::digest;

use super::Drawn;
use crate::client::GrantType;
use crate::client_auth::AuthenticatedClient;
use crate::code::AuthorizationCode;
use crate::error::{ErrorCode, OAuthRefusal};
use crate::facts::CodeFacts;
use crate::family::TokenFamily;
use crate::issue::{self, Refresh, TokenReply};
use crate::{Change, Decision, binding, target};

/// Refresh tokens of apps: absolute life, seconds.
const FAMILY_LIFE: i64 = 180 * 86_400;

/// What is presented.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// As in the authorization request, if it stood there.
    pub redirect_uri: Option<String>,
    /// RFC 7636 §4.5.
    pub verifier: Option<String>,
    /// A subset of what was granted.
    pub targets: Vec<String>,
    /// Thumbprint of the key of a verified DPoP proof.
    pub jkt: Option<String>,
}

const fn bad(reason: &'static str) -> OAuthRefusal {
    OAuthRefusal::new(ErrorCode::InvalidGrant, reason)
}

/// Decides.
pub fn decide(
    request: &Request,
    client: &AuthenticatedClient,
    facts: &CodeFacts,
    drawn: &Drawn,
) -> Decision<TokenReply> {
    let used = |code: &&Fact<AuthorizationCode>| code.used_at.is_some() && code.client.as_str() == client.id();
    client.spend(match facts.code.as_ref().filter(used) {
        Some(code) => replayed(code),
        None => redeem(request, client, facts, drawn)
            .unwrap_or_else(|refusal| Decision::refuse(refusal.code, refusal.reason)),
    })
}

/// RFC 6749 §4.1.2: the tokens of a code that is shown again are ended, in the
/// same commit as the refusal.
fn replayed(code: &Fact<AuthorizationCode>) -> Decision<TokenReply> {
    let event = Event::new(EventKind::FamilyRevoked, code.family.as_str())
        .with("client_id", code.client.as_str())
        .with("cause", "code_replayed");
    Decision::refuse(ErrorCode::InvalidGrant, "code_replayed")
        .change(Raise::end(AnchorKind::Family, code.family.as_str()))
        .event(event)
}

fn redeem(
    request: &Request,
    client: &AuthenticatedClient,
    facts: &CodeFacts,
    drawn: &Drawn,
) -> Result<Decision<TokenReply>, OAuthRefusal> {
    client.require(GrantType::AuthorizationCode)?;
    let code = facts.code.as_ref().ok_or(bad("code_unknown"))?;
    check_code(request, client, code, drawn.now)?;
    check_key(request, code)?;
    let chain = &facts.chain;
    let user = chain.user.as_ref().filter(|user| user.state == identity::user::UserState::Active);
    let user = user.ok_or(bad("user_gone"))?;
    let user = Some(user).filter(|user| user.id == code.user).ok_or(bad("user_gone"))?;
    // A session that ended, by signing out or by a new password, takes the code
    // along: what it would begin could not be ended with it any more.
    let lives = |session: &&Fact<identity::BrowserSession>| session.id == code.session && session.epochs.end_epoch == 0;
    let session = chain.session.as_ref().filter(lives).ok_or(bad("session_gone"))?;
    let registered = client.client().ok_or(bad("not_a_client"))?;
    check_challenge(code, registered)?;
    if chain.consent.is_none() && !registered.rights.first_party {
        return Err(bad("consent_withdrawn"));
    }
    let scope = code.scope.intersection(&registered.scopes);
    let tenant = &facts.caller.tenant;
    let openid = scope.contains("openid").then_some(tenant.issuer.as_str());
    let audience = target::of_grant(&request.targets, &code.resources, &client.audiences(tenant), openid)?;
    let account = chain.account.as_ref().filter(|account| !account.closed);
    let cnf = binding::confirm(client, request.jkt.as_deref())?;

    let mut guards = client.guards();
    guards.push(user.guard());
    // A web application's tokens end with the login they came from; those of a
    // native app, and what was granted for offline use, do not.
    let ends_with_login = !client.is_public() && !scope.contains("offline_access");
    let login = session.guard();
    guards.push(if ends_with_login { login } else { Guard { anchor: None, ..login } });
    guards.extend(chain.consent.as_ref().map(Fact::guard));
    guards.extend(account.map(Fact::guard));
    let family_anchor: Anchors =
        core::iter::once(Anchor::new(AnchorKind::Family, code.family.as_str()).at(0)).collect();
    let anchors = issue::anchors(&facts.caller.tenant, &guards, &family_anchor);
    let now = drawn.now;
    let mut claims = issue::base_claims(&facts.caller.tenant, client.id(), user.id.as_str(), audience, now);
    claims.exp = now + client.access_token_life().min(facts.caller.tenant.max_token_life);
    claims.jti = drawn.jti.clone();
    claims.scope = scope.clone();
    claims.account_id = account.map(|account| account.id.to_string());
    claims.contact_id = user.contact_id.clone();
    claims.auth_time = Some(code.auth_time);
    claims.amr = code.methods.clone();
    claims.sid = Some(session.id.to_string());
    claims.cnf = cnf.clone();
    claims.anc = anchors.clone();
    let mut reply = issue::access_token(claims, issue::Form::access(client.token_form()))?;
    if scope.contains("openid") {
        let facts_of_login = issue::IdTokenFacts {
            sub: user.id.as_str(),
            client_id: client.id(),
            alg: registered.id_token_alg,
            auth_time: Some(code.auth_time),
            methods: &code.methods,
            nonce: code.nonce.as_deref(),
            session: Some(session.id.as_str()),
        };
        reply.id_token = Some(issue::id_token(&facts.caller.tenant, &facts_of_login, now));
    }
    let refreshes = registered.may(GrantType::RefreshToken);
    reply.refresh = refreshes.then(|| Refresh { family: code.family.clone(), repeated: None });
    let used = AuthorizationCode { used_at: Some(now), ..code.record.clone() };
    let family = TokenFamily {
        id: code.family.clone(),
        client: code.client.clone(),
        user: Some(user.id.clone()),
        session: ends_with_login.then(|| session.id.clone()),
        device: None,
        asset: None,
        account: Some(user.account.clone()),
        bond: None,
        scope,
        resources: code.resources.clone(),
        // RFC 9449 §5: a public client's refresh token is bound to its key.
        confirmation: if client.is_public() { cnf } else { None },
        anchors: issue::lasting(&anchors),
        current: refreshes.then(|| drawn.refresh.clone()),
        turn: 1,
        previous: None,
        auth_time: Some(code.auth_time),
        methods: code.methods.clone(),
        created_at: now,
        used_at: now,
        expires_at: now + FAMILY_LIFE,
    };
    let mut decision =
        Decision::reply(reply).change(Change::from(code.rewrite(used))).change(Change::from(Write::new(family)));
    // Signing out everywhere and a new password read the user's families: one
    // that is made meanwhile must not slip past them.
    let touched = identity::Change::Touch { key: user.key(), version: user.version };
    decision.changes.push(touched.into());
    decision.guards = guards;
    Ok(decision)
}

/// Once more here (RFC 9700 §2.1.1): a public client has nothing but the
/// challenge, and others leave it out only while they may.
fn check_challenge(code: &AuthorizationCode, client: &crate::Client) -> Result<(), OAuthRefusal> {
    let may_leave_out = !client.is_public() && client.rights.without_pkce;
    if code.challenge.is_none() && !may_leave_out { Err(bad("code_without_challenge")) } else { Ok(()) }
}

fn check_code(
    request: &Request,
    client: &AuthenticatedClient,
    code: &AuthorizationCode,
    now: i64,
) -> Result<(), OAuthRefusal> {
    if code.client.as_str() != client.id() {
        return Err(bad("code_of_another_client"));
    }
    if now > code.expires_at {
        return Err(bad("code_expired"));
    }
    match &request.redirect_uri {
        Some(uri) if *uri != code.redirect_uri => return Err(bad("redirect_uri_differs")),
        None if code.redirect_uri_named => return Err(bad("redirect_uri_missing")),
        _ => {}
    }
    match (&code.challenge, &request.verifier) {
        (Some(challenge), Some(verifier)) => check_verifier(challenge, verifier),
        (Some(_), None) => Err(bad("verifier_missing")),
        // A downgrade: somebody stripped the challenge (RFC 9700 §4.8.2).
        (None, Some(_)) => Err(bad("verifier_without_challenge")),
        (None, None) => Ok(()),
    }
}

fn check_verifier(challenge: &str, verifier: &str) -> Result<(), OAuthRefusal> {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(unreserved) {
        return Err(bad("verifier_malformed"));
    }
    let computed = digest::pkce_s256(verifier);
    if digest::constant_time_eq(computed.as_bytes(), challenge.as_bytes()) {
        Ok(())
    } else {
        Err(bad("verifier_wrong"))
    }
}

/// RFC 9449 §10: a code bound to a key is redeemed by that key alone.
fn check_key(request: &Request, code: &AuthorizationCode) -> Result<(), OAuthRefusal> {
    let Some(bound) = &code.dpop_jkt else { return Ok(()) };
    let Some(jkt) = &request.jkt else {
        return Err(OAuthRefusal::new(ErrorCode::InvalidDpopProof, "code_needs_proof"));
    };
    let (bound, shown) = (binding::key(bound), binding::key(jkt));
    if binding::fits(&bound, Some(&shown)) { Ok(()) } else { Err(bad("proof_by_another_key")) }
}

#[cfg(test)]
mod tests;
