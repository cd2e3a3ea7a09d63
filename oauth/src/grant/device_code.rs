//! Polling with a device code (RFC 8628 §3.4, §3.5): the first timely poll after
//! the owner's yes consumes the code, claims the device and issues, in one commit.

use identity::asset::Possession;
use identity::bond::BondOrigin;
use identity::rule::claiming::{self, Claim, Holding, ShownKey};
use identity::user::UserState;
use identity::{Account, Anchor, AnchorKind, Anchors, Event, EventKind, Fact, Guard, Raise, User, Write};

use super::Drawn;
use super::token_exchange::NewIds;
use crate::client::GrantType;
use crate::client_auth::AuthenticatedClient;
use crate::error::{ErrorCode, OAuthRefusal};
use crate::facts::PairingFacts;
use crate::family::{Beginning, On, TokenFamily};
use crate::issue::{self, Refresh, TokenReply};
use crate::pairing::{Pairing, PairingState};
use crate::scope::Scope;
use crate::token::{Act, Confirmation};
use crate::{Change, Decision, binding, target};

/// The interval never grows beyond, seconds.
const SLOWEST: i64 = 60;
/// A poll may be early by so much, seconds.
const GRACE: i64 = 1;

/// What is presented.
pub struct Request<'a> {
    /// A verified DPoP proof's key, or why there is none that counts.
    pub proof: Result<Option<ShownKey>, (ErrorCode, &'static str)>,
    /// A subset of the resources of the pairing.
    pub targets: Vec<String>,
    /// Ids drawn for what the claim may make.
    pub ids: &'a NewIds,
}

const fn bad(reason: &'static str) -> OAuthRefusal {
    OAuthRefusal::new(ErrorCode::InvalidGrant, reason)
}

/// Decides.
pub fn decide(
    request: &Request<'_>,
    client: &AuthenticatedClient,
    facts: &PairingFacts,
    drawn: &Drawn,
) -> Decision<TokenReply> {
    client.spend(
        poll(request, client, facts, drawn).unwrap_or_else(|refusal| Decision::refuse(refusal.code, refusal.reason)),
    )
}

fn poll(
    request: &Request<'_>,
    client: &AuthenticatedClient,
    facts: &PairingFacts,
    drawn: &Drawn,
) -> Result<Decision<TokenReply>, OAuthRefusal> {
    client.require(GrantType::DeviceCode)?;
    let pairing = facts.pairing.as_ref().filter(|pairing| pairing.client.as_str() == client.id());
    let pairing = pairing.ok_or(bad("device_code_unknown"))?;
    if let PairingState::Consumed { family } = &pairing.state {
        return Ok(replayed(family.as_str(), pairing, drawn.now));
    }
    let cnf = match check_proof(request, client, pairing, drawn.now) {
        Ok(cnf) => cnf,
        // Asked for a nonce, a device sends the same poll again at once (RFC 9449 §8).
        Err(refusal) if refusal.code == ErrorCode::UseDpopNonce => return Err(refusal),
        // A bad proof counts for the interval and consumes nothing.
        Err(refusal) => return Ok(polled(refusal, pairing, pairing.interval, drawn.now)),
    };
    if drawn.now >= pairing.expires_at {
        return Err(OAuthRefusal::new(ErrorCode::ExpiredToken, "device_code_expired"));
    }
    if pairing.state == PairingState::Denied {
        return Err(OAuthRefusal::new(ErrorCode::AccessDenied, "pairing_denied"));
    }
    if pairing.polled_at.is_some_and(|last| drawn.now < last + pairing.interval - GRACE) {
        let slower = (pairing.interval + 5).min(SLOWEST);
        let refusal = OAuthRefusal::new(ErrorCode::SlowDown, "polled_too_early");
        return Ok(polled(refusal, pairing, slower, drawn.now));
    }
    let PairingState::Approved { .. } = &pairing.state else {
        let refusal = OAuthRefusal::new(ErrorCode::AuthorizationPending, "not_decided");
        return Ok(polled(refusal, pairing, pairing.interval, drawn.now));
    };
    consume(request, client, facts, pairing, cnf, drawn)
}

/// A refusal that remembers the poll.
fn polled(refusal: OAuthRefusal, pairing: &Fact<Pairing>, interval: i64, now: i64) -> Decision<TokenReply> {
    let next = Pairing { polled_at: Some(now), interval, ..pairing.record.clone() };
    Decision::refuse(refusal.code, refusal.reason).change(Change::from(pairing.rewrite(next)))
}

/// In the spirit of RFC 6749 §4.1.2: a consumed code seen again within its life
/// ends what it made. Polls that were under way when the first was served are
/// not replays: a device polls once per interval.
fn replayed(family: &str, pairing: &Pairing, now: i64) -> Decision<TokenReply> {
    let refusal = Decision::refuse(ErrorCode::InvalidGrant, "device_code_replayed");
    let under_way = pairing.polled_at.is_some_and(|served| now < served + pairing.interval - GRACE);
    if now >= pairing.expires_at || under_way {
        return refusal;
    }
    let event = Event::new(EventKind::FamilyRevoked, family)
        .with("client_id", pairing.client.as_str())
        .with("cause", "device_code_replayed");
    refusal.change(Raise::end(AnchorKind::Family, family)).event(event)
}

fn check_proof(
    request: &Request<'_>,
    client: &AuthenticatedClient,
    pairing: &Pairing,
    now: i64,
) -> Result<Option<Confirmation>, OAuthRefusal> {
    let shown = match &request.proof {
        Ok(shown) => shown,
        Err((code, reason)) => return Err(OAuthRefusal::new(*code, reason)),
    };
    let jkt = shown.as_ref().map(|key| key.thumbprint.as_str());
    match (&pairing.dpop_jkt, jkt) {
        (Some(_), None) => Err(OAuthRefusal::new(ErrorCode::InvalidDpopProof, "poll_needs_proof")),
        (Some(bound), Some(jkt)) if bound != jkt => Err(bad("proof_by_another_key")),
        _ => binding::confirm(client, jkt, now),
    }
}

fn consume(
    request: &Request<'_>,
    client: &AuthenticatedClient,
    facts: &PairingFacts,
    pairing: &Fact<Pairing>,
    cnf: Option<Confirmation>,
    drawn: &Drawn,
) -> Result<Decision<TokenReply>, OAuthRefusal> {
    let granted = grant(request, client, facts, pairing, cnf, drawn)?;
    let reply = granted.reply(facts, drawn)?;
    let family = granted.family(drawn);
    let Granted { user, holding, guards, .. } = granted;
    let consumed = PairingState::Consumed { family: drawn.family.clone() };
    let consumed = Pairing { state: consumed, polled_at: Some(drawn.now), ..pairing.record.clone() };
    let mut decision = Decision::reply(reply);
    decision.guards = guards;
    decision.changes.push(Change::from(pairing.rewrite(consumed)));
    if let Some(holding) = holding {
        let event = paired(&holding, user.id.as_str(), pairing, &family);
        decision.changes.extend(holding.changes.into_iter().map(Change::from));
        decision.events = holding.events;
        decision.events.push(event);
    } else {
        // Signing out everywhere and a new password read the user's families:
        // one that is made meanwhile must not slip past them.
        decision.changes.push(identity::Change::Touch { key: user.key(), version: user.version }.into());
    }
    decision.changes.push(Change::from(Write::new(family)));
    Ok(decision)
}

/// What a yes yields, and all that this rests on.
struct Granted<'a> {
    client: &'a AuthenticatedClient,
    pairing: &'a Pairing,
    user: &'a Fact<User>,
    /// When and how the owner proved who they are.
    login: (i64, &'a [String]),
    holding: Option<Holding>,
    household: Option<&'a Fact<Account>>,
    scope: Scope,
    audience: Vec<String>,
    cnf: Option<Confirmation>,
    guards: Vec<Guard>,
    anchors: Anchors,
}

fn grant<'a>(
    request: &Request<'_>,
    client: &'a AuthenticatedClient,
    facts: &'a PairingFacts,
    pairing: &'a Pairing,
    cnf: Option<Confirmation>,
    drawn: &Drawn,
) -> Result<Granted<'a>, OAuthRefusal> {
    let PairingState::Approved { user: approver, account, at, auth_time, methods } = &pairing.state else {
        return Err(bad("not_approved"));
    };
    let active = |user: &&Fact<User>| user.state == UserState::Active && user.id == *approver;
    let user = facts.user.as_ref().filter(active).ok_or(bad("user_gone"))?;
    if pairing.device.is_none() && user.password_set_at.is_some_and(|set| set >= *at) {
        // What a new password ends, a yes from before it does not bring back.
        return Err(OAuthRefusal::new(ErrorCode::AccessDenied, "password_set_since"));
    }
    let holding = match &pairing.device {
        Some(did) => Some(claim(request, client, facts, (user, account, did), drawn)?),
        None => None,
    };
    let product = facts.owned.device.as_ref().filter(|_| holding.is_some()).map(|known| &known.product.record);
    let bond = holding.as_ref().and_then(|holding| holding.bond.as_ref());
    let scope = issue::within(&pairing.scope.intersection(&client.scopes()), product, bond);
    if scope.is_empty() && !pairing.scope.is_empty() {
        return Err(OAuthRefusal::new(ErrorCode::InvalidScope, "scope_now_forbidden"));
    }
    let tenant = &facts.caller.tenant;
    let openid = scope.contains("openid").then_some(tenant.issuer.as_str());
    let audience = target::of_grant(&request.targets, &pairing.resources, &client.audiences(tenant), openid)?;
    let household = facts.account.as_ref().filter(|account| holding.is_none() && !account.closed);
    let mut guards = client.guards();
    guards.push(user.guard());
    guards.extend(household.map(Fact::guard));
    let family_anchor = Anchor::new(AnchorKind::Family, drawn.family.as_str()).at(0);
    let mut inherited: Anchors = core::iter::once(family_anchor).collect();
    if let Some(holding) = &holding {
        holding.anchors.iter().cloned().for_each(|anchor| inherited.add(anchor));
        guards.extend(holding.guards.iter().cloned());
    }
    let anchors = issue::anchors(tenant, &guards, &inherited);
    let login = (*auth_time, methods.as_slice());
    Ok(Granted { client, pairing, user, login, holding, household, scope, audience, cnf, guards, anchors })
}

impl Granted<'_> {
    fn reply(&self, facts: &PairingFacts, drawn: &Drawn) -> Result<TokenReply, OAuthRefusal> {
        let (tenant, client, now) = (&facts.caller.tenant, self.client, drawn.now);
        let (auth_time, methods) = self.login;
        let mut claims = issue::base_claims(tenant, client.id(), self.user.id.as_str(), self.audience.clone(), now);
        let bond = self.holding.as_ref().and_then(|holding| holding.bond.as_ref());
        let bond_end = bond.and_then(|bond| bond.not_after);
        claims.exp = issue::end_of_life(now, client.access_token_life().min(tenant.max_token_life), bond_end);
        claims.jti = drawn.jti.clone();
        claims.scope = self.scope.clone();
        claims.auth_time = Some(auth_time);
        claims.amr = methods.to_vec();
        claims.cnf = self.cnf.clone();
        claims.anc = self.anchors.clone();
        claims.account_id = self.household.map(|account| account.id.to_string());
        claims.contact_id = self.user.contact_id.clone();
        if let Some(holding) = &self.holding {
            let did = holding.device.id.to_string();
            claims.account_id = Some(holding.asset.account.to_string());
            claims.asset_id = Some(holding.asset.id.to_string());
            claims.act = Some(Act { sub: did.clone(), iss: Some(tenant.issuer.clone()), act: None });
            claims.did = Some(did.clone());
            if self.pairing.detailed {
                claims.authorization_details = Some(serde_json::json!([{ "type": "device_pairing", "did": did }]));
            }
        }
        let mut reply = issue::access_token(claims, issue::Form::access(client.token_form()))?;
        if let Some(registered) = client.client().filter(|_| self.scope.contains("openid")) {
            let login = issue::IdTokenFacts {
                sub: self.user.id.as_str(),
                client_id: client.id(),
                alg: registered.id_token_alg,
                auth_time: Some(auth_time),
                methods,
                nonce: None,
                session: None,
            };
            reply.id_token = Some(issue::id_token(tenant, &login, now));
        }
        reply.refresh = self.refreshes().then(|| Refresh { family: drawn.family.clone(), repeated: None });
        Ok(reply)
    }

    fn refreshes(&self) -> bool {
        self.client.require(GrantType::RefreshToken).is_ok()
    }

    fn family(&self, drawn: &Drawn) -> TokenFamily {
        let household = || On::account(self.user.account.clone());
        let beginning = Beginning {
            id: drawn.family.clone(),
            client: self.pairing.client.clone(),
            user: Some(self.user.id.clone()),
            session: None,
            on: self.holding.as_ref().map_or_else(household, On::title),
            scope: self.scope.clone(),
            resources: self.pairing.resources.clone(),
            asset_token: false,
            confirmation: self.cnf.clone().filter(|_| self.client.is_public()),
            anchors: self.anchors.clone(),
            current: self.refreshes().then(|| drawn.refresh.clone()),
            auth_time: Some(self.login.0),
            methods: self.login.1.to_vec(),
        };
        TokenFamily::begin(beginning, drawn.now)
    }
}

fn claim(
    request: &Request<'_>,
    client: &AuthenticatedClient,
    facts: &PairingFacts,
    (user, approved, did): (&Fact<User>, &identity::AccountId, &identity::DeviceId),
    drawn: &Drawn,
) -> Result<Holding, OAuthRefusal> {
    let proved = request.proof.as_ref().ok().and_then(Clone::clone);
    let own = client
        .credential()
        .map(|credential| ShownKey { thumbprint: credential.key_thumbprint.clone(), jwk: credential.jwk.clone() });
    const CHANGED: OAuthRefusal = OAuthRefusal::new(ErrorCode::AccessDenied, "not_what_was_approved");
    if facts.owned.device.as_ref().is_none_or(|known| known.device.id != *did) {
        return Err(CHANGED);
    }
    let account = facts.owned.account.as_ref().or(facts.account.as_ref()).ok_or(bad("account_gone"))?;
    if account.id != *approved {
        return Err(CHANGED);
    }
    let claim = Claim {
        user: Some(user),
        account,
        bonds: &facts.bonds,
        owned: &facts.owned,
        product: None,
        possession: Possession::Proved,
        key: own.or(proved),
        new_device: None,
        asset: request.ids.asset.clone(),
        bond: request.ids.bond.clone(),
        credential: request.ids.credential.clone(),
        origin: BondOrigin::Pairing,
        client: client.id().parse().ok(),
        name: None,
        attributes: None,
    };
    claiming::decide(&claim, drawn.now).map_err(|refusal| OAuthRefusal::new(ErrorCode::AccessDenied, refusal.reason()))
}

fn paired(holding: &Holding, user: &str, pairing: &Pairing, family: &TokenFamily) -> Event {
    Event::new(EventKind::DevicePaired, holding.device.id.as_str())
        .with("device_id", holding.device.id.as_str())
        .with("asset_id", holding.asset.id.as_str())
        .with("bond_id", holding.bond.as_ref().map(|bond| bond.id.to_string()))
        .with("user_id", user)
        .with("client_id", pairing.client.as_str())
        .with("family_id", family.id.as_str())
        .with("scope", family.scope.to_string())
}

#[cfg(test)]
mod tests;
