//! Registering a device with a customer: a title and a bond are made or found,
//! and the asset token hangs from these.

use identity::asset::Possession;
use identity::bond::BondOrigin;
use identity::rule::claiming::{self, Claim, Holding, NewDevice, ShownKey};
use identity::{Anchor, AnchorKind, Anchors, ClientId, Event, EventKind, Secret, Write};
use jose::Jwk;

use super::asset_token::{AssetToken, Form, receivers, scope};
use super::customer::{Customer, check_customer};
use super::device::{account, check_named, matched};
use super::{NewIds, Request, Subject, bad, rests_on};
use crate::actor_token::{ActorToken, AppKeys, SignedBy};
use crate::client::GrantType;
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
    pub subject: Result<&'a Subject, &'static str>,
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
pub fn query(subject: Option<&Subject>, actor: Option<&ActorToken>) -> RegistrationQuery {
    let did = actor.and_then(|actor| actor.did.parse().ok());
    RegistrationQuery {
        user: subject.map(|subject| subject.claims.sub.clone()),
        asset: actor.and_then(|actor| actor.asset.clone()),
        external_id: actor.filter(|_| did.is_none()).map(|actor| actor.did.clone()),
        did,
        model: actor.and_then(|actor| actor.model.clone()),
        serial: actor.and_then(|actor| actor.serial.clone()),
        key_thumbprint: actor.and_then(ActorToken::key_thumbprint),
        actor_once: actor.map(ActorToken::once_key),
        account: actor.and_then(|actor| actor.account.clone()),
        subject_anchors: subject
            .map(|subject| rests_on(&subject.claims).iter().map(|listed| listed.anchor.clone()).collect())
            .unwrap_or_default(),
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
            let event = Event::new(EventKind::AssetRegistrationDenied, customer.user.id.as_str())
                .with("client_id", registration.client.id())
                .with("code", refusal.code.as_str())
                .with("reason", refusal.reason);
            Decision::refuse(refusal.code, refusal.reason).event(event)
        }
    }
}

/// Steps 6 to 10: actor, receivers, scope, device, then everything in one commit.
fn register(
    registration: &Registration<'_>,
    facts: &RegistrationFacts,
    customer: &Customer<'_>,
    drawn: &Drawn,
) -> Result<Decision<TokenReply>, OAuthRefusal> {
    let lenient = customer.client.rights.asset_salesforce;
    let actor = registration.actor.ok_or(bad("actor_token_missing"))?.map_err(bad)?;
    let tenant = &facts.caller.tenant;
    let keys = AppKeys {
        client_id: registration.client.id(),
        jwks: &customer.client.jwks,
        proof: registration.proof.filter(|_| registration.client.is_public()),
        secret: registration.secret.filter(|_| !registration.client.is_public()),
    };
    let signed_by = actor.verify(&keys, &tenant.issuer, lenient, drawn.now).map_err(bad)?;
    if facts.actor_used {
        return Err(bad("actor_replayed"));
    }
    let (possession, key) = match signed_by {
        SignedBy::Device(key) => (Possession::Proved, Some(key)),
        // Kept with the title, never believed.
        SignedBy::App(key) => (Possession::None, key),
    };
    let asked = registration.request.scope.as_ref();
    if asked.is_some_and(|asked| !asked.is_within(&customer.client.scopes)) {
        return Err(OAuthRefusal::new(ErrorCode::InvalidScope, "scope_not_registered"));
    }
    let owned = matched(facts, possession, key.as_ref())?;
    let account = account(facts, actor, owned)?;
    check_named(actor, owned, customer)?;
    let product = owned.device.as_ref().map(|known| &known.product).or(facts.product.as_ref());
    let product = product.ok_or(bad("unknown_model"))?;
    let bonds: Vec<_> = facts.bonds.iter().chain(&facts.memberships).cloned().collect();
    let client_id: Option<ClientId> = registration.client.id().parse().ok();
    let claim = Claim {
        user: Some(customer.user),
        account,
        bonds: &bonds,
        owned,
        product: Some(product),
        possession,
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
    let holding = claiming::decide(&claim, drawn.now).map_err(|refusal| bad(refusal.reason()))?;
    // What the model allows is told to its owner alone: to anybody else it would
    // tell that the device exists.
    let scope = scope(registration.request, customer.client, product, holding.bond.as_ref())?;
    let allowed = receivers(Some(customer.client), product, &tenant.issuer);
    let audience = target::resolve(&registration.request.targets, &allowed)?;
    let proved = key.as_ref().filter(|_| possession == Possession::Proved);
    let cnf = proved.map(|key| binding::key(&key.thumbprint));
    // A device that proved no key renews by none: its token comes with a refresh
    // token, which the Salesforce form does not know.
    let form = Form::of(customer.client);
    let refreshes = cnf.is_none() && !customer.client.rights.asset_salesforce;
    let refreshes = refreshes && customer.client.may(GrantType::RefreshToken);
    let own = refreshes.then(|| Anchor::new(AnchorKind::Family, drawn.family.as_str()).at(0));
    let inherited = holding.anchors.iter().cloned().chain(own).collect();
    // It hangs from the bond it made, not from the token it was made with: from
    // now on the device is independent of the app.
    let anchors = issue::anchors(tenant, &registration.client.guards(), &inherited);
    let family = refreshes.then(|| beginning(customer, &holding, &scope, &audience, &anchors, drawn));
    let token = AssetToken {
        tenant,
        client_id: customer.client.id.as_str(),
        form,
        sub: customer.user.id.as_str(),
        asset: &holding.asset,
        device: &holding.device,
        product: &product.record,
        ends: holding.bond.as_ref().and_then(|bond| bond.not_after).into_iter().collect(),
        scope,
        audience,
        cnf,
        anchors,
    };
    let mut reply = token.reply(registration.request.wants_private_type(&tenant.issuer), drawn)?;
    reply.refresh = family.as_ref().map(|family| Refresh { family: family.id.clone(), repeated: None });
    let mut decision = committed(registration, actor, customer, holding, key.as_ref(), reply, drawn);
    decision.changes.extend(family.map(Write::new).map(Change::from));
    Ok(decision)
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
        user: Some(customer.user.id.clone()),
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
    actor: &ActorToken,
    customer: &Customer<'_>,
    holding: Holding,
    key: Option<&ShownKey>,
    reply: TokenReply,
    drawn: &Drawn,
) -> Decision<TokenReply> {
    let expires_at = drawn.now + reply.expires_in;
    let event = Event::new(EventKind::AssetRegistered, holding.asset.id.as_str())
        .with("asset_id", holding.asset.id.as_str())
        .with("asset_name", holding.asset.name.as_str())
        .with("serial_number", holding.device.serial.clone())
        .with("device_id", holding.device.id.as_str())
        .with("device_key", key.map(|key| key.jwk.clone()))
        .with("account_id", holding.asset.account.as_str())
        .with("contact_id", holding.asset.contact_id.clone())
        .with("user_id", customer.user.id.as_str())
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
