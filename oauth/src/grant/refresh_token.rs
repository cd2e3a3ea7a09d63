//! Refresh: rotation at every use, reuse ends the family, a lost reply is
//! answered once more (RFC 6749 §6, RFC 9700 §4.14).

use identity::device::DeviceState;
use identity::{AnchorKind, Anchors, Event, EventKind, Fact, Guard, Raise, Secret};

use super::Drawn;
use super::token_exchange::asset_token::{AssetToken, Form, receivers};
use crate::client::GrantType;
use crate::client_auth::AuthenticatedClient;
use crate::error::{ErrorCode, OAuthRefusal};
use crate::facts::RefreshFacts;
use crate::family::{PreviousRefresh, TokenFamily};
use crate::issue::{self, Refresh, TokenReply};
use crate::scope::Scope;
use crate::token::{Act, Confirmation};
use crate::{Change, Decision, binding, target};

/// A lost reply is answered again within so many seconds, once.
pub const GRACE: i64 = 10;
/// Not used for so long, it is over: seconds.
const IDLE: i64 = 30 * 86_400;

/// What is presented: opened before the load, so that family and turn are known
/// to be ours.
#[derive(Debug, Clone)]
pub struct Request {
    /// Digest of the presented token.
    pub digest: identity::Digest,
    /// The turn that stood in it.
    pub turn: u64,
    /// The successor, sealed under the presented token.
    pub sealed_successor: String,
    /// The successor handed out before, where the sealed one of the family opens
    /// with the presented token.
    pub repeated: Option<Secret<String>>,
    /// A subset of the family's scope.
    pub scope: Option<Scope>,
    /// A subset of the family's resources.
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
    facts: &RefreshFacts,
    drawn: &Drawn,
) -> Decision<TokenReply> {
    client.spend(decide_unspent(request, client, facts, drawn))
}

fn decide_unspent(
    request: &Request,
    client: &AuthenticatedClient,
    facts: &RefreshFacts,
    drawn: &Drawn,
) -> Decision<TokenReply> {
    let Some(family) = facts.chain.family.as_ref() else {
        return Decision::refuse(ErrorCode::InvalidGrant, "family_unknown");
    };
    if family.client_id() != client.id() {
        return Decision::refuse(ErrorCode::InvalidGrant, "refresh_of_another_client");
    }
    if let Err(refusal) = check_alive(family, facts, drawn.now) {
        return Decision::refuse(refusal.code, refusal.reason);
    }
    match place(request, family, drawn.now) {
        Place::Reused => reused(family),
        Place::Current => answer(refresh(request, client, facts, family, drawn, false)),
        Place::LostReply => answer(refresh(request, client, facts, family, drawn, true)),
    }
}

fn answer(result: Result<Decision<TokenReply>, OAuthRefusal>) -> Decision<TokenReply> {
    result.unwrap_or_else(|refusal| Decision::refuse(refusal.code, refusal.reason))
}

enum Place {
    Current,
    LostReply,
    Reused,
}

fn place(request: &Request, family: &TokenFamily, now: i64) -> Place {
    if family.current.as_ref() == Some(&request.digest) && family.turn == request.turn {
        return Place::Current;
    }
    let lost = family.previous.as_ref().is_some_and(|previous| {
        previous.digest == request.digest && !previous.repeated && now - previous.replaced_at <= GRACE
    });
    if lost && request.repeated.is_some() { Place::LostReply } else { Place::Reused }
}

/// What opened was ours once; what is not the current one was replayed.
fn reused(family: &Fact<TokenFamily>) -> Decision<TokenReply> {
    let event = Event::new(EventKind::FamilyRevoked, family.id.as_str())
        .with("client_id", family.client_id())
        .with("cause", "refresh_token_reused");
    Decision::refuse(ErrorCode::InvalidGrant, "refresh_token_reused")
        .change(Raise::end(AnchorKind::Family, family.id.as_str()))
        .event(event)
}

/// A grant lives while no epoch it lists is below `end_epoch` (anchors §1).
fn check_alive(family: &Fact<TokenFamily>, facts: &RefreshFacts, now: i64) -> Result<(), OAuthRefusal> {
    if family.epochs.end_epoch > 0 {
        return Err(bad("family_ended"));
    }
    if now >= family.expires_at || now - family.used_at > IDLE {
        return Err(bad("family_expired"));
    }
    if family.anchors.iter().count() != facts.anchors_now.len() {
        return Err(bad("anchor_missing"));
    }
    for (listed, epochs) in family.anchors.iter().zip(&facts.anchors_now) {
        // Its own row may not have been written when the list was made.
        if listed.anchor.kind == AnchorKind::Family {
            continue;
        }
        match epochs {
            Some(epochs) if listed.epoch >= epochs.end_epoch => {}
            Some(_) => return Err(bad("anchor_ended")),
            None => return Err(bad("anchor_missing")),
        }
    }
    Ok(())
}

fn refresh(
    request: &Request,
    client: &AuthenticatedClient,
    facts: &RefreshFacts,
    family: &Fact<TokenFamily>,
    drawn: &Drawn,
    lost_reply: bool,
) -> Result<Decision<TokenReply>, OAuthRefusal> {
    client.require(GrantType::RefreshToken)?;
    let chain = &facts.chain;
    // A device that proved no key has none to be bound to; the app's is another.
    let bindable = !family.asset_token;
    let cnf = if bindable { binding::confirm(client, request.jkt.as_deref(), drawn.now)? } else { None };
    check_binding(client, facts, family, cnf.as_ref(), drawn.now)?;
    let guards = guards(client, facts, drawn.now)?;
    let scope = narrowed(request.scope.as_ref(), family)?.intersection(&client.scopes());
    let product = chain.device.as_ref().filter(|_| family.device.is_some()).map(|device| &device.product.record);
    let scope = issue::within(&scope, product, chain.bond.as_ref().map(|bond| &bond.record));
    let turn = Turn { request, client, facts, family, scope, cnf: cnf.clone(), guards: &guards, drawn };
    let mut reply = if family.asset_token { turn.asset_token()? } else { turn.access_token()? };
    let repeated = if lost_reply { request.repeated.clone() } else { None };
    reply.refresh = Some(Refresh { family: family.id.clone(), repeated });
    let mut next = turned(request, family, drawn, lost_reply);
    // A device with a new key carries on by that one, and by that one alone.
    next.confirmation = family.confirmation.as_ref().and(cnf);
    let mut decision = Decision::reply(reply).change(Change::from(family.rewrite(next)));
    decision.guards = guards;
    Ok(decision)
}

/// A turn of a family that was found good, and what it rests on.
struct Turn<'a> {
    request: &'a Request,
    client: &'a AuthenticatedClient,
    facts: &'a RefreshFacts,
    family: &'a Fact<TokenFamily>,
    scope: Scope,
    cnf: Option<Confirmation>,
    guards: &'a [Guard],
    drawn: &'a Drawn,
}

impl Turn<'_> {
    /// Whom its token speaks of.
    fn sub(&self) -> Result<&str, OAuthRefusal> {
        match (&self.facts.chain.user, &self.facts.chain.account) {
            (Some(user), _) => Ok(user.id.as_str()),
            (None, Some(account)) => Ok(account.id.as_str()),
            (None, None) => Err(bad("nobody_left")),
        }
    }

    fn anchors(&self) -> Anchors {
        let own = self.family.anchor().into_iter().collect();
        issue::anchors(&self.facts.caller.tenant, self.guards, &own)
    }

    fn ends(&self) -> impl Iterator<Item = i64> {
        let bond = self.facts.chain.bond.as_ref().and_then(|bond| bond.not_after);
        bond.into_iter().chain([self.family.expires_at])
    }

    fn access_token(self) -> Result<TokenReply, OAuthRefusal> {
        let (client, family, chain) = (self.client, self.family, &self.facts.chain);
        let (tenant, now) = (&self.facts.caller.tenant, self.drawn.now);
        let openid = self.scope.contains("openid").then_some(tenant.issuer.as_str());
        let allowed = client.audiences(tenant);
        let audience = target::of_grant(&self.request.targets, &family.resources, &allowed, openid)?;
        let mut claims = issue::base_claims(tenant, client.id(), self.sub()?, audience, now);
        claims.exp = issue::end_of_life(now, client.access_token_life().min(tenant.max_token_life), self.ends());
        claims.jti = self.drawn.jti.clone();
        claims.scope = self.scope.clone();
        let account = chain.account.as_ref().filter(|account| Some(&account.id) == family.account.as_ref());
        claims.account_id = account.filter(|account| !account.closed).map(|account| account.id.to_string());
        claims.sid = family.session.as_ref().map(ToString::to_string);
        claims.contact_id = chain.user.as_ref().and_then(|user| user.contact_id.clone());
        claims.asset_id = family.asset.as_ref().map(ToString::to_string);
        claims.did = family.device.as_ref().map(ToString::to_string);
        claims.act =
            family.device.as_ref().map(|did| Act { sub: did.to_string(), iss: Some(tenant.issuer.clone()), act: None });
        claims.auth_time = family.auth_time;
        claims.amr = family.methods.clone();
        claims.anc = self.anchors();
        claims.cnf = self.cnf;
        let mut reply = issue::access_token(claims, issue::Form::access(client.token_form()))?;
        reply.id_token = id_token(client, self.facts, family, &self.scope, now);
        Ok(reply)
    }

    /// Another asset token for a device that proved no key, as things stand now.
    fn asset_token(self) -> Result<TokenReply, OAuthRefusal> {
        let (chain, tenant) = (&self.facts.chain, &self.facts.caller.tenant);
        let registered = self.client.client().ok_or(bad("not_a_client"))?;
        if !registered.rights.asset_tokens {
            return Err(OAuthRefusal::new(ErrorCode::UnauthorizedClient, "no_asset_tokens_right"));
        }
        let device = chain.device.as_ref().ok_or(bad("device_gone"))?;
        let asset = chain.asset.as_ref().ok_or(bad("title_closed"))?;
        let allowed = receivers(Some(registered), &device.product, &tenant.issuer);
        let remaining = self.family.resources.iter().filter(|target| allowed.contains(target));
        let remaining: Vec<String> = remaining.cloned().collect();
        let targets = &self.request.targets;
        let token = AssetToken {
            tenant,
            client_id: self.client.id(),
            form: Form::of(registered),
            sub: self.sub()?,
            asset,
            device: &device.device,
            product: &device.product,
            ends: self.ends().collect(),
            audience: target::resolve(if targets.is_empty() { &remaining } else { targets }, &remaining)?,
            cnf: None,
            anchors: self.anchors(),
            scope: self.scope.clone(),
        };
        let reply = token.reply(false, self.drawn)?;
        Ok(TokenReply { issued_token_type: None, ..reply })
    }
}

fn turned(request: &Request, family: &Fact<TokenFamily>, drawn: &Drawn, lost_reply: bool) -> TokenFamily {
    let mut next = family.record.clone();
    next.used_at = drawn.now;
    if lost_reply {
        next.previous.iter_mut().for_each(|previous| previous.repeated = true);
        return next;
    }
    next.previous = Some(PreviousRefresh {
        digest: request.digest.clone(),
        sealed_successor: request.sealed_successor.clone(),
        replaced_at: drawn.now,
        repeated: false,
    });
    next.current = Some(drawn.refresh.clone());
    next.turn = family.turn + 1;
    next
}

/// RFC 9449 §5: a public client's refresh token is of use with its key alone. A
/// device's family follows the device's present keys (anchors §5).
fn check_binding(
    client: &AuthenticatedClient,
    facts: &RefreshFacts,
    family: &TokenFamily,
    shown: Option<&Confirmation>,
    now: i64,
) -> Result<(), OAuthRefusal> {
    let Some(bound) = &family.confirmation else { return Ok(()) };
    let device = facts.chain.device.as_ref().filter(|_| family.device.is_some());
    let keys = device.map(|device| device.credentials.as_slice()).unwrap_or_default();
    let mut held = keys.iter().filter(|credential| is_by(credential, shown)).peekable();
    let is_known = held.peek().is_some();
    if held.any(|credential| credential.counts(now)) {
        return Ok(());
    }
    if is_known {
        return Err(bad("proof_by_revoked_key"));
    }
    match shown {
        shown if binding::fits(bound, shown) => Ok(()),
        None if client.is_public() => Err(OAuthRefusal::new(ErrorCode::InvalidDpopProof, "refresh_needs_proof")),
        _ => Err(bad("proof_by_another_key")),
    }
}

/// Whether what was shown is this credential's key or certificate.
fn is_by(credential: &identity::Credential, shown: Option<&Confirmation>) -> bool {
    let Some(shown) = shown else { return false };
    let certificate = credential.certificate.as_ref().map(|certificate| certificate.thumbprint.as_str());
    shown.jkt.as_deref() == Some(credential.key_thumbprint.as_str())
        || (shown.x5t_s256.is_some() && shown.x5t_s256.as_deref() == certificate)
}

fn narrowed(asked: Option<&Scope>, family: &TokenFamily) -> Result<Scope, OAuthRefusal> {
    match asked {
        None => Ok(family.scope.clone()),
        Some(asked) if asked.is_within(&family.scope) => Ok(asked.clone()),
        Some(_) => Err(OAuthRefusal::new(ErrorCode::InvalidScope, "scope_widened")),
    }
}

/// What the new token rests on now; a suspended device or user yields nothing,
/// and loses nothing for good.
fn guards(client: &AuthenticatedClient, facts: &RefreshFacts, now: i64) -> Result<Vec<Guard>, OAuthRefusal> {
    let chain = &facts.chain;
    let family = chain.family.as_ref().ok_or(bad("family_unknown"))?;
    let mut guards = client.guards();
    if family.user.is_some() {
        let user = chain.user.as_ref().filter(|user| user.state == identity::user::UserState::Active);
        guards.push(user.ok_or(bad("user_gone"))?.guard());
    }
    if family.asset.is_some() {
        let account = chain.account.as_ref().filter(|account| !account.closed);
        guards.push(account.ok_or(bad("account_gone"))?.guard());
        let asset = chain.asset.as_ref().filter(|asset| asset.closed_at.is_none());
        guards.push(asset.ok_or(bad("title_closed"))?.guard());
    }
    if family.bond.is_some() {
        let bond = chain.bond.as_ref().filter(|bond| bond.is_live(now));
        guards.push(bond.ok_or(bad("bond_over"))?.guard());
    }
    if family.device.is_some() {
        let device = chain.device.as_ref().ok_or(bad("device_gone"))?;
        let stopped = matches!(device.device.state, DeviceState::Suspended | DeviceState::Retired);
        if stopped || device.device.pending {
            return Err(bad("device_state"));
        }
        guards.push(device.device.guard());
        guards.push(device.product.guard());
    }
    if family.asset.is_none() {
        guards.extend(chain.account.as_ref().filter(|account| !account.closed).map(Fact::guard));
    }
    guards.extend(chain.session.as_ref().map(Fact::guard));
    guards.extend(chain.consent.as_ref().map(Fact::guard));
    Ok(guards)
}

/// OIDC Core §12.2: same `sub` and `auth_time`, new `iat`, no `nonce`.
fn id_token(
    client: &AuthenticatedClient,
    facts: &RefreshFacts,
    family: &TokenFamily,
    scope: &Scope,
    now: i64,
) -> Option<crate::token::Unsigned> {
    let registered = client.client().filter(|_| scope.contains("openid"))?;
    let facts_of_login = issue::IdTokenFacts {
        sub: family.user.as_ref()?.as_str(),
        client_id: client.id(),
        alg: registered.id_token_alg,
        auth_time: family.auth_time,
        methods: &family.methods,
        nonce: None,
        session: family.session.as_ref().map(identity::SessionId::as_str),
    };
    Some(issue::id_token(&facts.caller.tenant, &facts_of_login, now))
}

#[cfg(test)]
mod tests;
