//! Redeeming an authorization code (RFC 6749 §4.1.3, RFC 7636 §4.6). One use;
//! a second use ends what the first one made.

use identity::{
    Account, Anchor, AnchorKind, Anchors, BrowserSession, Event, EventKind, Fact, Guard, Raise, User, Write,
};
use jose::digest;

use super::Drawn;
use crate::client::{Client, GrantType};
use crate::client_auth::AuthenticatedClient;
use crate::code::AuthorizationCode;
use crate::error::{ErrorCode, OAuthRefusal};
use crate::facts::CodeFacts;
use crate::family::{Beginning, On, TokenFamily};
use crate::issue::{self, Refresh, TokenReply};
use crate::scope::Scope;
use crate::token::Confirmation;
use crate::{Change, Decision, binding, target};

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
    let granted = check(request, client, facts, drawn.now)?;
    let (code, user) = (granted.code, granted.user);
    let reply = granted.reply(facts, drawn)?;
    let used = AuthorizationCode { used_at: Some(drawn.now), ..code.record.clone() };
    let family = granted.family(drawn);
    let mut decision =
        Decision::reply(reply).change(Change::from(code.rewrite(used))).change(Change::from(Write::new(family)));
    // Signing out everywhere and a new password read the user's families: one
    // that is made meanwhile must not slip past them.
    let touched = identity::Change::Touch { key: user.key(), version: user.version };
    decision.changes.push(touched.into());
    decision.guards = granted.guards;
    Ok(decision)
}

/// What a good code yields, and all that this rests on.
struct Granted<'a> {
    client: &'a AuthenticatedClient,
    registered: &'a Fact<Client>,
    code: &'a Fact<AuthorizationCode>,
    user: &'a Fact<User>,
    session: &'a Fact<BrowserSession>,
    account: Option<&'a Fact<Account>>,
    ends_with_login: bool,
    scope: Scope,
    audience: Vec<String>,
    cnf: Option<Confirmation>,
    guards: Vec<Guard>,
    anchors: Anchors,
}

fn check<'a>(
    request: &Request,
    client: &'a AuthenticatedClient,
    facts: &'a CodeFacts,
    now: i64,
) -> Result<Granted<'a>, OAuthRefusal> {
    let code = facts.code.as_ref().ok_or(bad("code_unknown"))?;
    check_code(request, client, code, now)?;
    check_key(request, code)?;
    let chain = &facts.chain;
    let user = chain.user.as_ref().filter(|user| user.state == identity::user::UserState::Active);
    let user = user.ok_or(bad("user_gone"))?;
    let user = Some(user).filter(|user| user.id == code.user).ok_or(bad("user_gone"))?;
    // A session that ended, by signing out or by a new password, takes the code
    // along: what it would begin could not be ended with it any more.
    let lives = |session: &&Fact<BrowserSession>| session.id == code.session && session.epochs.end_epoch == 0;
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
    let cnf = binding::confirm(client, request.jkt.as_deref(), now)?;

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
    let anchors = issue::anchors(tenant, &guards, &family_anchor);
    Ok(Granted {
        client,
        registered,
        code,
        user,
        session,
        account,
        ends_with_login,
        scope,
        audience,
        cnf,
        guards,
        anchors,
    })
}

impl Granted<'_> {
    fn reply(&self, facts: &CodeFacts, drawn: &Drawn) -> Result<TokenReply, OAuthRefusal> {
        let (tenant, client, code) = (&facts.caller.tenant, self.client, self.code);
        let now = drawn.now;
        let mut claims = issue::base_claims(tenant, client.id(), self.user.id.as_str(), self.audience.clone(), now);
        claims.exp = now + client.access_token_life().min(tenant.max_token_life);
        claims.jti = drawn.jti.clone();
        claims.scope = self.scope.clone();
        claims.account_id = self.account.map(|account| account.id.to_string());
        claims.contact_id = self.user.contact_id.clone();
        claims.auth_time = Some(code.auth_time);
        claims.amr = code.methods.clone();
        claims.sid = Some(self.session.id.to_string());
        claims.cnf = self.cnf.clone();
        claims.anc = self.anchors.clone();
        let mut reply = issue::access_token(claims, issue::Form::access(client.token_form()))?;
        if self.scope.contains("openid") {
            let login = issue::IdTokenFacts {
                sub: self.user.id.as_str(),
                client_id: client.id(),
                alg: self.registered.id_token_alg,
                auth_time: Some(code.auth_time),
                methods: &code.methods,
                nonce: code.nonce.as_deref(),
                session: Some(self.session.id.as_str()),
            };
            reply.id_token = Some(issue::id_token(tenant, &login, now));
        }
        reply.refresh = self.refreshes().then(|| Refresh { family: code.family.clone(), repeated: None });
        Ok(reply)
    }

    fn refreshes(&self) -> bool {
        self.registered.may(GrantType::RefreshToken)
    }

    fn family(&self, drawn: &Drawn) -> TokenFamily {
        let (code, user) = (self.code, self.user);
        let beginning = Beginning {
            id: code.family.clone(),
            client: code.client.clone(),
            user: Some(user.id.clone()),
            session: self.ends_with_login.then(|| self.session.id.clone()),
            on: On::account(user.account.clone()),
            scope: self.scope.clone(),
            resources: code.resources.clone(),
            asset_token: false,
            // RFC 9449 §5: a public client's refresh token is bound to its key.
            confirmation: self.cnf.clone().filter(|_| self.client.is_public()),
            anchors: self.anchors.clone(),
            current: self.refreshes().then(|| drawn.refresh.clone()),
            auth_time: Some(code.auth_time),
            methods: code.methods.clone(),
        };
        TokenFamily::begin(beginning, drawn.now)
    }
}

/// Once more here (RFC 9700 §2.1.1): a public client has nothing but the
/// challenge, and others leave it out only while they may.
fn check_challenge(code: &AuthorizationCode, client: &Client) -> Result<(), OAuthRefusal> {
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
