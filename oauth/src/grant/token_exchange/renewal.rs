//! Renewing an asset token by proof of the device's key, without app or user: a
//! device lives on its own for years. Writes nothing; what it yields rests on the
//! bond that is there, as everything stands now (ADR 10).

use identity::bond::{Holder, Target};
use identity::device::DeviceState;
use identity::facts::DeviceFacts;
use identity::user::UserState;
use identity::{
    Account, AnchorKind, Anchors, Asset, Bond, Credential, Epochs, Event, EventKind, Fact, Guard, Tenant, User,
};

use super::asset_token::{AssetToken, Form, receivers};
use super::{ACCESS_TOKEN, Request, Subject, asset_token_type, bad, check_alive, rests_on};
use crate::client::{Client, GrantType};
use crate::client_auth::{AuthenticatedClient, DeviceAuthority, ShownCertificate, authorities_of};
use crate::error::{ErrorCode, OAuthRefusal};
use crate::facts::{RenewalFacts, RenewalQuery};
use crate::grant::Drawn;
use crate::issue::{self, TokenReply};
use crate::scope::Scope;
use crate::token::{Claims, Confirmation, TokenKind};
use crate::{Decision, binding, target};

/// An asset token is renewed until so long after its end, seconds.
pub const LATEST: i64 = 30 * 86_400;
/// How far ahead an `iat` may be, seconds (anchors: the horizon).
const SKEW: i64 = 120;

/// All that a renewal is decided from.
pub struct Renewal<'a> {
    /// The request.
    pub request: &'a Request,
    /// Who authenticated, if anybody did: the proof of the key is enough.
    pub client: Option<&'a AuthenticatedClient>,
    /// An asset token, whatever its times; or a token of a call home, alive.
    pub subject: &'a Subject,
    /// Thumbprint of the key of a verified DPoP proof.
    pub jkt: Option<&'a str>,
    /// The certificate of the connection.
    pub certificate: Option<&'a ShownCertificate>,
    /// Authorities of the device's product.
    pub authorities: &'a [DeviceAuthority],
}

/// What renews.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// An asset token: another one like it.
    AssetToken,
    /// A token of a call home: one for the live bond it names.
    CallHome,
}

/// Whether a request renews, by what its subject token is.
pub fn renews(request: &Request, subject: &Subject) -> bool {
    let private = asset_token_type(&subject.claims.iss);
    let fits = match by(subject) {
        Some(By::AssetToken) => request.subject_type != ACCESS_TOKEN,
        Some(By::CallHome) => request.subject_type != private,
        None => false,
    };
    fits && request.actor_token.is_none() && request.requested.as_deref() != Some(ACCESS_TOKEN)
}

fn by(subject: &Subject) -> Option<By> {
    let claims = &subject.claims;
    let did = claims.did.as_ref();
    match subject.kind {
        TokenKind::Asset => Some(By::AssetToken),
        TokenKind::Access
            if did == Some(&claims.sub) && did == Some(&claims.client_id) && claims.asset_id.is_some() =>
        {
            Some(By::CallHome)
        }
        TokenKind::Access | TokenKind::Id => None,
    }
}

/// The query for the load, out of the subject token.
pub fn query(subject: &Subject) -> RenewalQuery {
    let claims = &subject.claims;
    RenewalQuery {
        asset: claims.asset_id.clone().unwrap_or_default(),
        client: Some(claims.client_id.clone()).filter(|client| Some(client) != claims.did.as_ref()),
        anchors: rests_on(claims).iter().map(|listed| listed.anchor.clone()).collect(),
    }
}

/// Decides. A refusal is announced.
pub fn decide(renewal: &Renewal<'_>, facts: &RenewalFacts, drawn: &Drawn) -> Decision<TokenReply> {
    let decision = renew(renewal, facts, drawn).unwrap_or_else(|refusal| refused(renewal, refusal));
    match renewal.client {
        Some(client) => client.spend(decision),
        None => decision,
    }
}

fn refused(renewal: &Renewal<'_>, refusal: OAuthRefusal) -> Decision<TokenReply> {
    let claims = &renewal.subject.claims;
    let event = Event::new(EventKind::AccessRefused, claims.did.as_deref().unwrap_or("unknown"))
        .with("door", "renewal")
        .with("code", refusal.code.as_str())
        .with("reason", refusal.reason)
        .with("asset_id", claims.asset_id.clone())
        .with("client_id", claims.client_id.as_str());
    Decision::refuse(refusal.code, refusal.reason).event(event)
}

fn renew(renewal: &Renewal<'_>, facts: &RenewalFacts, drawn: &Drawn) -> Result<Decision<TokenReply>, OAuthRefusal> {
    let by = by(renewal.subject).ok_or(bad("subject_renews_nothing"))?;
    let (tenant, claims) = (&facts.caller.tenant, &renewal.subject.claims);
    check_subject(by, claims, facts, drawn.now)?;
    let title = check_title(claims, facts)?;
    let issued_to = issued_to(by, renewal, facts, &title)?;
    let (cnf, credential) = present_key(renewal, title.device, drawn.now)?;
    let authorities = match credential {
        Some(credential) => authorities_of(credential, renewal.authorities).map_err(bad)?,
        None => Vec::new(),
    };
    let holder = holder(by, claims, facts, &title, drawn.now)?;
    let scope = scope(by, renewal, &issued_to, &title, &holder)?;
    let audience = audience(by, renewal, &issued_to, &title, tenant)?;

    let mut guards = renewal.client.map(AuthenticatedClient::guards).unwrap_or_default();
    guards.extend(issued_to.registered().map(Fact::guard));
    guards.extend(title.guards());
    guards.extend(credential.map(Fact::guard));
    guards.extend(authorities.iter().map(|authority| authority.guard()));
    guards.extend(holder.guards());
    let certificate_end = credential.and_then(|credential| credential.certificate.as_ref());
    let token = AssetToken {
        tenant,
        client_id: issued_to.id(&title),
        form: issued_to.form(),
        sub: holder.sub,
        asset: title.asset,
        device: &title.device.device,
        product: &title.device.product,
        ends: holder
            .ends()
            .chain(certificate_end.map(|certificate| certificate.not_after))
            .chain(credential.and_then(|credential| credential.until))
            .collect(),
        scope,
        audience,
        cnf: Some(cnf),
        anchors: issue::anchors(tenant, &guards, &Anchors::default()),
    };
    let mut decision = Decision::reply(token.reply(renewal.request.wants_private_type(&tenant.issuer), drawn)?);
    decision.guards = guards;
    Ok(decision)
}

/// A renewal is a grant: a cut makes it decide anew, an end refuses it. A token
/// of a call home is a token: either ends it.
fn check_subject(by: By, claims: &Claims, facts: &RenewalFacts, now: i64) -> Result<(), OAuthRefusal> {
    if claims.anc.id_of(AnchorKind::Tenant) != Some(facts.caller.tenant.generation.as_str()) {
        return Err(bad("subject_of_another_generation"));
    }
    if claims.iat > now.saturating_add(SKEW) {
        return Err(bad("subject_from_the_future"));
    }
    let anchors = rests_on(claims);
    match by {
        By::AssetToken if now > claims.exp.saturating_add(LATEST) => Err(bad("renewal_too_late")),
        By::AssetToken => check_not_ended(&anchors, &facts.anchors_now),
        By::CallHome if now >= claims.exp => Err(bad("subject_expired")),
        By::CallHome => check_alive(&anchors, &facts.anchors_now),
    }
}

/// The credential aside: its key may have been replaced, and the present one is
/// what counts (anchors: never brick).
fn check_not_ended(anchors: &Anchors, now: &[Option<Epochs>]) -> Result<(), OAuthRefusal> {
    if anchors.iter().count() != now.len() {
        return Err(bad("subject_anchor_missing"));
    }
    let counted = anchors.iter().zip(now).filter(|(listed, _)| listed.anchor.kind != AnchorKind::Credential);
    for (listed, epochs) in counted {
        match epochs {
            Some(epochs) if listed.epoch >= epochs.end_epoch => {}
            Some(_) => return Err(bad("subject_anchor_ended")),
            None => return Err(bad("subject_anchor_missing")),
        }
    }
    Ok(())
}

/// The title that is renewed, open, with its device at work.
struct Title<'a> {
    asset: &'a Fact<Asset>,
    account: &'a Fact<Account>,
    device: &'a DeviceFacts,
}

impl Title<'_> {
    fn did(&self) -> &str {
        self.device.device.id.as_str()
    }

    fn guards(&self) -> [Guard; 4] {
        [self.account.guard(), self.asset.guard(), self.device.device.guard(), self.device.product.guard()]
    }
}

fn check_title<'a>(claims: &Claims, facts: &'a RenewalFacts) -> Result<Title<'a>, OAuthRefusal> {
    let named = |asset: &&Fact<Asset>| Some(asset.id.as_str()) == claims.asset_id.as_deref();
    let asset = facts.asset.as_ref().filter(named).ok_or(bad("title_unknown"))?;
    if asset.closed_at.is_some() {
        return Err(bad("title_closed"));
    }
    let open = |account: &&Fact<Account>| account.id == asset.account && !account.closed;
    let account = facts.account.as_ref().filter(open).ok_or(bad("account_gone"))?;
    let acts = |known: &&DeviceFacts| {
        known.device.id == asset.device && Some(known.device.id.as_str()) == claims.did.as_deref()
    };
    let device = facts.device.as_ref().filter(acts).ok_or(bad("device_gone"))?;
    if device.device.state != DeviceState::Active || device.device.pending {
        return Err(bad("device_state"));
    }
    Ok(Title { asset, account, device })
}

/// To whom the new token is issued.
enum IssuedTo<'a> {
    /// As before, or as the title was made.
    Client(&'a Fact<Client>),
    /// The device is its own client; what it came through still limits it.
    Device(Option<&'a Fact<Client>>),
}

impl<'a> IssuedTo<'a> {
    fn registered(&self) -> Option<&'a Fact<Client>> {
        match self {
            Self::Client(client) => Some(client),
            Self::Device(through) => *through,
        }
    }

    fn id<'t>(&'t self, title: &'t Title<'_>) -> &'t str {
        match self {
            Self::Client(client) => client.id.as_str(),
            Self::Device(_) => title.did(),
        }
    }

    fn form(&self) -> Form {
        match self {
            Self::Client(client) => Form::of(client),
            Self::Device(_) => Form::of_device(),
        }
    }
}

fn issued_to<'a>(
    by: By,
    renewal: &Renewal<'_>,
    facts: &'a RenewalFacts,
    title: &Title<'_>,
) -> Result<IssuedTo<'a>, OAuthRefusal> {
    let claims = &renewal.subject.claims;
    if let Some(caller) = renewal.client {
        caller.require(GrantType::TokenExchange)?;
        if caller.id() != claims.client_id && caller.id() != title.did() {
            return Err(bad("subject_of_another_client"));
        }
    }
    let own = claims.client_id == title.did();
    let through = title.asset.client.as_ref().map(|client| client.as_str()).filter(|client| *client != title.did());
    let Some(named) = (if own { through } else { Some(claims.client_id.as_str()) }) else {
        return Ok(IssuedTo::Device(None));
    };
    let client = facts.client.as_ref().filter(|client| client.id.as_str() == named && !client.disabled);
    let client = client.ok_or(bad("client_gone"))?;
    match client.may(GrantType::TokenExchange) && client.rights.asset_tokens {
        true if !own || by == By::CallHome => Ok(IssuedTo::Client(client)),
        false if !own => Err(OAuthRefusal::new(ErrorCode::UnauthorizedClient, "no_asset_tokens_right")),
        _ => Ok(IssuedTo::Device(Some(client))),
    }
}

/// The key the new token is bound to: one the registry holds for the device now,
/// proved in this request. The key of the old token is one of them, or was
/// replaced; where the registry holds none at all, it is that key alone.
fn present_key<'a>(
    renewal: &Renewal<'_>,
    device: &'a DeviceFacts,
    now: i64,
) -> Result<(Confirmation, Option<&'a Fact<Credential>>), OAuthRefusal> {
    let bound = renewal.subject.claims.cnf.as_ref().ok_or(bad("subject_without_key"))?;
    let (shown, key) = match (renewal.jkt, renewal.certificate) {
        (Some(jkt), _) => (binding::key(jkt), jkt),
        (None, Some(shown)) => (binding::certificate_of(&shown.thumbprint), shown.key_thumbprint.as_str()),
        (None, None) => return Err(OAuthRefusal::new(ErrorCode::InvalidDpopProof, "renewal_needs_proof")),
    };
    let Some(credential) = device.credentials.iter().find(|credential| credential.key_thumbprint == key) else {
        let alone = device.credentials.is_empty() && binding::fits(bound, Some(&shown));
        return if alone { Ok((shown, None)) } else { Err(bad("proof_by_another_key")) };
    };
    if !credential.counts(now) {
        return Err(bad("proof_by_revoked_key"));
    }
    if let Some(certificate) = &credential.certificate {
        // Its dates count also where its key alone is shown.
        if now >= certificate.not_after {
            return Err(bad("certificate_expired"));
        }
        if shown.x5t_s256.as_ref().is_some_and(|thumbprint| *thumbprint != certificate.thumbprint) {
            return Err(bad("certificate_unknown"));
        }
    }
    Ok((shown, Some(credential)))
}

/// For whom the device acts.
struct Acting<'a> {
    /// The person, or the account of a title that nobody holds.
    sub: &'a str,
    user: Option<&'a Fact<User>>,
    own: Option<&'a Fact<Bond>>,
    /// All bonds it rests on.
    bonds: &'a [Fact<Bond>],
}

impl Acting<'_> {
    fn guards(&self) -> impl Iterator<Item = Guard> {
        self.user.map(Fact::guard).into_iter().chain(self.bonds.iter().map(Fact::guard))
    }

    fn ends(&self) -> impl Iterator<Item = i64> {
        self.bonds.iter().filter_map(|bond| bond.not_after)
    }
}

fn holder<'a>(
    by: By,
    claims: &Claims,
    facts: &'a RenewalFacts,
    title: &Title<'a>,
    now: i64,
) -> Result<Acting<'a>, OAuthRefusal> {
    if !facts.bonds.iter().all(|bond| bond.is_live(now)) {
        return Err(bad("bond_over"));
    }
    let on_title = |bond: &&Fact<Bond>| bond.target == Target::Asset(title.asset.id.clone());
    let Some(own) = facts.bonds.iter().find(on_title) else {
        let nobodys = match by {
            By::AssetToken => claims.sub == title.account.id.as_str(),
            By::CallHome => !facts.held,
        };
        let acting = Acting { sub: title.account.id.as_str(), user: None, own: None, bonds: &facts.bonds };
        return if nobodys { Ok(acting) } else { Err(bad("no_live_bond")) };
    };
    let holds = |user: &&Fact<User>| user.state == UserState::Active && own.holder == Holder::User(user.id.clone());
    let user = facts.user.as_ref().filter(holds).ok_or(bad("user_gone"))?;
    if by == By::AssetToken && claims.sub != user.id.as_str() {
        return Err(bad("subject_contradicts_bond"));
    }
    Ok(Acting { sub: user.id.as_str(), user: Some(user), own: Some(own), bonds: &facts.bonds })
}

/// Never wider than before, and never more than model, client and bond permit
/// now; what was narrowed meanwhile is left out, not refused.
fn scope(
    by: By,
    renewal: &Renewal<'_>,
    issued_to: &IssuedTo<'_>,
    title: &Title<'_>,
    acting: &Acting<'_>,
) -> Result<Scope, OAuthRefusal> {
    let mut allowed = Scope::of(&title.device.product.scopes);
    if let Some(client) = issued_to.registered() {
        allowed = allowed.intersection(&client.scopes);
    }
    if let Some(rights) = acting.own.and_then(|bond| bond.scopes.as_ref()) {
        allowed = allowed.intersection(&Scope::of(rights));
    }
    let most = match by {
        By::AssetToken => &renewal.subject.claims.scope,
        By::CallHome => &allowed,
    };
    let asked = match &renewal.request.scope {
        None => most,
        Some(asked) if asked.is_within(most) => asked,
        Some(_) => return Err(OAuthRefusal::new(ErrorCode::InvalidScope, "scope_widened")),
    };
    let scope = asked.intersection(&allowed);
    if scope.is_empty() && !asked.is_empty() {
        return Err(OAuthRefusal::new(ErrorCode::InvalidScope, "scope_now_forbidden"));
    }
    Ok(scope)
}

/// The same receivers as before, as far as they still may receive.
fn audience(
    by: By,
    renewal: &Renewal<'_>,
    issued_to: &IssuedTo<'_>,
    title: &Title<'_>,
    tenant: &Tenant,
) -> Result<Vec<String>, OAuthRefusal> {
    let product = &title.device.product;
    let allowed = match issued_to {
        IssuedTo::Client(client) => receivers(Some(client), product, &tenant.issuer),
        IssuedTo::Device(_) => product.audiences.iter().chain([&tenant.issuer]).cloned().collect(),
    };
    let asked = &renewal.request.targets;
    if by == By::CallHome {
        return target::resolve(asked, &allowed);
    }
    let before = &renewal.subject.claims.aud.0;
    let remaining: Vec<String> = before.iter().filter(|target| allowed.contains(target)).cloned().collect();
    target::resolve(if asked.is_empty() { &remaining } else { asked }, &remaining)
}

#[cfg(test)]
mod tests;
