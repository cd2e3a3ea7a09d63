//! Registering a device with a customer: a title and a bond are made or found,
//! and the asset token hangs from these.

use identity::asset::Possession;
use identity::bond::BondOrigin;
use identity::rule::claiming::{self, Claim, Holding, NewDevice, ShownKey};
use identity::{Anchor, AnchorKind, Anchors, ClientId, Event, EventKind, Fact, Product, Secret, Write};
use jose::Jwk;

use super::asset_token::{AssetToken, Form, receivers, scope};
use super::customer::{Customer, check_customer};
use super::device::{account, check_named, matched};
use super::{NewIds, Request, Shown, bad, rests_on};
use crate::actor_token::{ActorToken, AppKeys, SignedBy};
use crate::client::{Client, GrantType};
use crate::client_auth::AuthenticatedClient;
use crate::error::{ErrorCode, OAuthRefusal};
use crate::facts::{RegistrationFacts, RegistrationQuery};
use crate::family::{Beginning, On, TokenFamily};
use crate::grant::Drawn;
use crate::issue::{self, Refresh, TokenReply};
use crate::scope::Scope;
use crate::{Change, Decision, binding, target};

/// All that a registration is decided from.
pub struct Registration<'a> {
    /// The request.
    pub request: &'a Request,
    /// Who calls.
    pub client: &'a AuthenticatedClient,
    /// The subject token, or why it does not count.
    pub subject: Result<&'a Shown, &'static str>,
    /// The actor token, or why it cannot be read; `None` where none came.
    pub actor: Option<Result<&'a ActorToken, &'static str>>,
    /// The key of a verified DPoP proof of this request: the app's.
    pub proof: Option<&'a Jwk>,
    /// The secret the app authenticated with in this request.
    pub secret: Option<&'a Secret<String>>,
    /// Ids drawn.
    pub ids: &'a NewIds,
}

/// The query for the load, out of the tokens as they came.
pub fn query(subject: Option<&Shown>, actor: Option<&ActorToken>) -> RegistrationQuery {
    let did = actor.and_then(|actor| actor.did.parse().ok());
    RegistrationQuery {
        user: subject.map(Shown::sub),
        asset: actor.and_then(|actor| actor.asset.clone()),
        external_id: actor.filter(|_| did.is_none()).map(|actor| actor.did.clone()),
        did,
        model: actor.and_then(|actor| actor.model.clone()),
        serial: actor.and_then(|actor| actor.serial.clone()),
        key_thumbprint: actor.and_then(ActorToken::key_thumbprint),
        actor_once: actor.map(ActorToken::once_key),
        account: actor.and_then(|actor| actor.account.clone()),
        subject_anchors: match subject {
            Some(Shown::Ours(subject)) => rests_on(&subject.claims).iter().map(|it| it.anchor.clone()).collect(),
            Some(Shown::Foreign(_)) | None => Vec::new(),
        },
    }
}

/// Decides a registration. A refusal after the customer is known is announced.
pub fn decide(registration: &Registration<'_>, facts: &RegistrationFacts, drawn: &Drawn) -> Decision<TokenReply> {
    registration.client.spend(decide_unspent(registration, facts, drawn))
}

fn decide_unspent(registration: &Registration<'_>, facts: &RegistrationFacts, drawn: &Drawn) -> Decision<TokenReply> {
    let customer = match check_customer(registration, facts) {
        Ok(customer) => customer,
        Err(refusal) => return Decision::refuse(refusal.code, refusal.reason),
    };
    match register(registration, facts, &customer, drawn) {
        Ok(decision) => decision,
        Err(refusal) => {
            let event = Event::new(EventKind::AssetRegistrationDenied, customer.id())
                .with("client_id", registration.client.id())
                .with("code", refusal.code.as_str())
                .with("reason", refusal.reason);
            Decision::refuse(refusal.code, refusal.reason).event(event)
        }
    }
}

/// Actor, device, receivers and scope, then everything in one commit.
fn register(
    registration: &Registration<'_>,
    facts: &RegistrationFacts,
    customer: &Customer<'_>,
    drawn: &Drawn,
) -> Result<Decision<TokenReply>, OAuthRefusal> {
    let brought = check_actor(registration, facts, customer, drawn.now)?;
    let asked = registration.request.scope.as_ref();
    if asked.is_some_and(|asked| !asked.is_within(&customer.client.scopes)) {
        return Err(OAuthRefusal::new(ErrorCode::InvalidScope, "scope_not_registered"));
    }
    let (product, holding) = hold(registration, facts, customer, &brought, drawn.now)?;
    let (reply, family) = grant(registration, facts, customer, &brought, product, &holding, drawn)?;
    let mut decision = committed(registration, &brought, customer, holding, reply, drawn);
    decision.changes.extend(family.map(Write::new).map(Change::from));
    Ok(decision)
}

/// What was said of the device, and by whom.
struct Brought<'a> {
    actor: &'a ActorToken,
    possession: Possession,
    /// Its own where it signed, else one that an app sent: kept, never believed.
    key: Option<ShownKey>,
}

fn check_actor<'a>(
    registration: &Registration<'a>,
    facts: &RegistrationFacts,
    customer: &Customer<'_>,
    now: i64,
) -> Result<Brought<'a>, OAuthRefusal> {
    let lenient = customer.client.rights.asset_salesforce;
    let actor = registration.actor.ok_or(bad("actor_token_missing"))?.map_err(bad)?;
    let keys = AppKeys {
        client_id: registration.client.id(),
        jwks: &customer.client.jwks,
        proof: registration.proof.filter(|_| registration.client.is_public()),
        secret: registration.secret.filter(|_| !registration.client.is_public()),
    };
    let signed_by = actor.verify(&keys, &facts.caller.tenant.issuer, lenient, now).map_err(bad)?;
    if facts.actor_used {
        return Err(bad("actor_replayed"));
    }
    let (possession, key) = match signed_by {
        SignedBy::Device(key) => (Possession::Proved, Some(key)),
        SignedBy::App(key) => (Possession::None, key),
    };
    Ok(Brought { actor, possession, key })
}

/// Which device it is, and that it comes into the account.
fn hold<'a>(
    registration: &Registration<'_>,
    facts: &'a RegistrationFacts,
    customer: &Customer<'_>,
    brought: &Brought<'_>,
    now: i64,
) -> Result<(&'a Fact<Product>, Holding), OAuthRefusal> {
    let Brought { actor, possession, key } = brought;
    let owned = matched(facts, *possession, key.as_ref())?;
    let account = account(facts, actor, owned, customer)?;
    check_named(actor, owned, customer)?;
    let product = owned.device.as_ref().map(|known| &known.product).or(facts.product.as_ref());
    let product = product.ok_or(bad("unknown_model"))?;
    let bonds: Vec<_> = facts.bonds.iter().chain(&facts.memberships).cloned().collect();
    let client_id: Option<ClientId> = registration.client.id().parse().ok();
    let claim = Claim {
        user: customer.user,
        account,
        bonds: &bonds,
        owned,
        product: Some(product),
        possession: *possession,
        key: key.clone(),
        new_device: Some(NewDevice {
            id: registration.ids.device.clone(),
            serial: actor.serial.clone(),
            external_id: (!actor.did.starts_with("dev_")).then(|| actor.did.clone()),
        }),
        asset: registration.ids.asset.clone(),
        bond: registration.ids.bond.clone(),
        credential: registration.ids.credential.clone(),
        origin: BondOrigin::Exchange,
        client: client_id,
        name: actor.name.clone(),
        attributes: (!actor.attributes.is_empty()).then(|| actor.attributes.clone()),
    };
    let holding = claiming::decide(&claim, now).map_err(|refusal| bad(refusal.reason()))?;
    Ok((product, holding))
}

/// The asset token. What the model allows is told to its owner alone: to anybody
/// else it would tell that the device exists.
fn grant(
    registration: &Registration<'_>,
    facts: &RegistrationFacts,
    customer: &Customer<'_>,
    brought: &Brought<'_>,
    product: &Product,
    holding: &Holding,
    drawn: &Drawn,
) -> Result<(TokenReply, Option<TokenFamily>), OAuthRefusal> {
    let (tenant, client, request) = (&facts.caller.tenant, customer.client, registration.request);
    let scope = scope(request, client, product, holding.bond.as_ref())?;
    let audience = target::resolve(&request.targets, &receivers(Some(client), product, &tenant.issuer))?;
    let proved = brought.key.as_ref().filter(|_| brought.possession == Possession::Proved);
    let cnf = proved.map(|key| binding::key(&key.thumbprint));
    // A device that proved no key renews by none: its token comes with a refresh
    // token, which the Salesforce form does not know.
    let refreshes = cnf.is_none() && may_refresh(client);
    let own = refreshes.then(|| Anchor::new(AnchorKind::Family, drawn.family.as_str()).at(0));
    let inherited = holding.anchors.iter().cloned().chain(own).collect();
    // It hangs from the bond it made, not from the token it was made with: from
    // now on the device is independent of the app.
    let anchors = issue::anchors(tenant, &registration.client.guards(), &inherited);
    let family = refreshes.then(|| beginning(customer, holding, &scope, &audience, &anchors, drawn));
    let token = AssetToken {
        tenant,
        client_id: client.id.as_str(),
        form: Form::of(client),
        sub: customer.user.map_or(holding.asset.account.as_str(), |user| user.id.as_str()),
        asset: &holding.asset,
        device: &holding.device,
        product,
        ends: holding.bond.as_ref().and_then(|bond| bond.not_after).into_iter().collect(),
        scope,
        audience,
        cnf,
        anchors,
    };
    let mut reply = token.reply(request.wants_private_type(&tenant.issuer), drawn)?;
    reply.refresh = family.as_ref().map(|family| Refresh { family: family.id.clone(), repeated: None });
    Ok((reply, family))
}

/// Whether a registration by this client may come with a refresh token. For one
/// that may not, none need be minted.
pub fn may_refresh(client: &Client) -> bool {
    !client.rights.asset_salesforce && client.may(GrantType::RefreshToken)
}

/// The family of a device that proved no key: whoever holds its refresh token
/// renews, so it is bound to nothing and turns at every use.
fn beginning(
    customer: &Customer<'_>,
    holding: &Holding,
    scope: &Scope,
    audience: &[String],
    anchors: &Anchors,
    drawn: &Drawn,
) -> TokenFamily {
    let beginning = Beginning {
        id: drawn.family.clone(),
        client: customer.client.id.clone(),
        user: customer.user.map(|user| user.id.clone()),
        session: None,
        on: On::title(holding),
        scope: scope.clone(),
        resources: audience.to_vec(),
        asset_token: true,
        confirmation: None,
        anchors: anchors.clone(),
        current: Some(drawn.refresh.clone()),
        auth_time: None,
        methods: Vec::new(),
    };
    TokenFamily::begin(beginning, drawn.now)
}

fn committed(
    registration: &Registration<'_>,
    brought: &Brought<'_>,
    customer: &Customer<'_>,
    holding: Holding,
    reply: TokenReply,
    drawn: &Drawn,
) -> Decision<TokenReply> {
    let (actor, key) = (brought.actor, brought.key.as_ref());
    let expires_at = drawn.now + reply.expires_in;
    let event = Event::new(EventKind::AssetRegistered, holding.asset.id.as_str())
        .with("asset_id", holding.asset.id.as_str())
        .with("asset_name", holding.asset.name.as_str())
        .with("serial_number", holding.device.serial.clone())
        .with("device_id", holding.device.id.as_str())
        .with("device_key", key.map(|key| key.jwk.clone()))
        .with("account_id", holding.asset.account.as_str())
        .with("contact_id", holding.asset.contact_id.clone())
        .with("user_id", customer.user.map(|user| user.id.to_string()))
        .with("client_id", registration.client.id())
        .with("token_name", drawn.jti.as_str())
        .with("expires_at", expires_at)
        .with("created", holding.created)
        .with("possession", serde_json::json!(holding.asset.possession))
        .with("actor_claims", actor.payload());
    let mut decision = Decision::reply(reply);
    decision.guards = registration.client.guards();
    decision.guards.extend(holding.guards);
    decision.changes.extend(holding.changes.into_iter().map(Change::from));
    decision.changes.push(Change::once(actor.once_key(), actor.expires_at() + 60));
    decision.events = holding.events;
    decision.event(event)
}
