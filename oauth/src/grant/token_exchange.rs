//! Token exchange (RFC 8693): registers a device with a customer and issues the
//! asset token, or trades an asset token for an access token.

use identity::asset::Possession;
use identity::bond::BondOrigin;
use identity::facts::OwnedFacts;
use identity::rule::claiming::{self, Claim, NewDevice, ShownKey};
use identity::user::UserState;
use identity::{Anchor, AnchorKind, AssetId, BondId, ClientId, CredentialId, DeviceId, Event, EventKind, Fact, Secret};
use jose::Jwk;

use super::Drawn;
use crate::actor_token::{ActorToken, AppKeys, SignedBy};
use crate::client::{Client, GrantType};
use crate::client_auth::AuthenticatedClient;
use crate::error::{ErrorCode, OAuthRefusal};
use crate::facts::{RegistrationFacts, RegistrationQuery};
use crate::form::Form;
use crate::issue::{self, TokenReply};
use crate::scope::Scope;
use crate::token::{Act, Claims, Confirmation, TokenKind};
use crate::{Change, Decision, binding, target};

/// RFC 8693 §3.
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// RFC 8693 §3.
pub const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
/// The scope a customer's token needs to register devices.
pub const REGISTER: &str = "device:register";

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The customer's token.
    pub subject_token: Secret<String>,
    /// Its type.
    pub subject_type: String,
    /// The token about the device, as it came.
    pub actor_token: Option<Secret<String>>,
    /// What shall be issued; `None` lets the server choose.
    pub requested: Option<String>,
    /// Device scopes.
    pub scope: Option<Scope>,
    /// Receivers.
    pub targets: Vec<String>,
}

const fn bad(reason: &'static str) -> OAuthRefusal {
    OAuthRefusal::new(ErrorCode::InvalidRequest, reason)
}

/// The private type of asset tokens at this issuer (RFC 8693 §3: any URI).
pub fn asset_token_type(issuer: &str) -> String {
    format!("{issuer}/token-type/asset")
}

impl Request {
    /// Reads the parameters (RFC 8693 §2.1).
    ///
    /// # Errors
    /// `invalid_request` for what is missing or of a type we do not know.
    pub fn parse(form: &Form, issuer: &str) -> Result<Self, OAuthRefusal> {
        let subject_token = Secret::new(form.required("subject_token", "subject_token_missing")?.to_owned());
        let subject_type = form.required("subject_token_type", "subject_token_type_missing")?.to_owned();
        let known = [ACCESS_TOKEN, JWT].contains(&subject_type.as_str()) || subject_type == asset_token_type(issuer);
        if !known {
            return Err(bad("subject_token_type_unknown"));
        }
        let actor_token = match (form.one("actor_token"), form.one("actor_token_type")) {
            (None, None) => None,
            (Some(token), Some(JWT)) => Some(Secret::new(token.to_owned())),
            (Some(_), Some(_)) => return Err(bad("actor_token_type_unknown")),
            (Some(_), None) => return Err(bad("actor_token_without_type")),
            (None, Some(_)) => return Err(bad("actor_token_type_without_token")),
        };
        let requested = form.one("requested_token_type").map(str::to_owned);
        let known = |kind: &String| [ACCESS_TOKEN, JWT].contains(&kind.as_str()) || *kind == asset_token_type(issuer);
        if requested.as_ref().is_some_and(|kind| !known(kind)) {
            return Err(bad("requested_token_type_unknown"));
        }
        Ok(Self { subject_token, subject_type, actor_token, requested, scope: form.scope()?, targets: form.targets() })
    }
}

/// A subject token that the authority found sound: signature, issuer, times.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Access or asset token.
    pub kind: TokenKind,
    /// What it says.
    pub claims: Claims,
}

/// Ids that were drawn for what a registration may make.
#[derive(Debug, Clone)]
pub struct NewIds {
    /// A device.
    pub device: DeviceId,
    /// A title.
    pub asset: AssetId,
    /// A bond.
    pub bond: BondId,
    /// A credential.
    pub credential: CredentialId,
}

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

/// All a subject token hangs from: what it lists, and itself.
fn rests_on(claims: &Claims) -> identity::Anchors {
    let mut anchors = claims.anc.clone();
    anchors.add(Anchor::new(AnchorKind::Token, claims.jti.clone()).at(0));
    anchors
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

struct Customer<'a> {
    client: &'a Fact<Client>,
    user: &'a Fact<identity::User>,
}

/// Steps 2 to 5 of the sheet: client, subject token, customer.
fn check_customer<'a>(
    registration: &Registration<'a>,
    facts: &'a RegistrationFacts,
) -> Result<Customer<'a>, OAuthRefusal> {
    let client = registration.client;
    client.require(GrantType::TokenExchange)?;
    let registered = client.client().filter(|client| client.rights.asset_tokens);
    let registered = registered.ok_or(OAuthRefusal::new(ErrorCode::UnauthorizedClient, "no_asset_tokens_right"))?;
    let subject = registration.subject.map_err(bad)?;
    if subject.kind != TokenKind::Access {
        return Err(bad("subject_is_no_access_token"));
    }
    let claims = &subject.claims;
    if claims.act.is_some() || claims.did.is_some() {
        return Err(bad("subject_is_delegated"));
    }
    if registration.request.requested.as_deref() == Some(ACCESS_TOKEN) {
        return Err(bad("requested_type_is_no_asset_token"));
    }
    check_alive(&rests_on(claims), &facts.anchors_now)?;
    check_subject_proof(claims, registration.proof)?;
    if claims.client_id != client.id() && !registered.rights.exchange_others {
        return Err(bad("subject_of_another_client"));
    }
    if !claims.scope.contains(REGISTER) {
        return Err(bad("subject_without_register_scope"));
    }
    let user = facts.user.as_ref().filter(|user| user.id.as_str() == claims.sub && user.state == UserState::Active);
    Ok(Customer { client: registered, user: user.ok_or(bad("subject_is_no_active_user"))? })
}

/// Inputs are checked in the exchange's own load, not in an index (anchors §1).
pub(super) fn check_alive(anchors: &identity::Anchors, now: &[Option<identity::Epochs>]) -> Result<(), OAuthRefusal> {
    for (listed, epochs) in anchors.iter().zip(now) {
        match epochs {
            Some(epochs) if listed.epoch >= epochs.epoch => {}
            Some(_) => return Err(bad("subject_anchor_raised")),
            None => return Err(bad("subject_anchor_missing")),
        }
    }
    if anchors.iter().count() == now.len() { Ok(()) } else { Err(bad("subject_anchor_missing")) }
}

/// A bound subject token needs its own key's proof in this request.
fn check_subject_proof(claims: &Claims, proof: Option<&Jwk>) -> Result<(), OAuthRefusal> {
    let Some(cnf) = &claims.cnf else { return Ok(()) };
    let Some(jkt) = &cnf.jkt else { return Err(bad("subject_bound_otherwise")) };
    match proof {
        None => Err(OAuthRefusal::new(ErrorCode::InvalidDpopProof, "subject_needs_proof")),
        Some(key) if key.thumbprint().to_string() == *jkt => Ok(()),
        Some(_) => Err(bad("subject_proof_by_another_key")),
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
    let audience = audience(registration.request, customer.client, product, &tenant.issuer)?;
    let proved = key.as_ref().filter(|_| possession == Possession::Proved);
    let cnf = proved.map(|key| binding::key(&key.thumbprint));
    let claims = AssetClaims { customer, product: &product.record, holding: &holding, scope, audience, cnf };
    let reply = claims.reply(registration, facts, drawn)?;
    Ok(committed(registration, actor, customer, holding, key.as_ref(), reply, drawn))
}

/// Match or create: by `asset_id`, by did, by model and serial number. Two hits
/// that are not the same device are refused; so is a key of another device.
fn matched<'a>(
    facts: &'a RegistrationFacts,
    possession: Possession,
    key: Option<&ShownKey>,
) -> Result<&'a OwnedFacts, OAuthRefusal> {
    let hits = [&facts.by_asset, &facts.by_did, &facts.by_serial];
    let mut found: Option<&OwnedFacts> = None;
    for hit in hits.into_iter().filter(|hit| hit.device.is_some()) {
        let same = |known: &OwnedFacts| {
            known.device.as_ref().map(|d| &d.device.id) == hit.device.as_ref().map(|d| &d.device.id)
        };
        match found {
            Some(known) if !same(known) => return Err(bad("names_point_at_different_devices")),
            Some(_) => {}
            None => found = Some(hit),
        }
    }
    if possession == Possession::Proved && key.is_some() {
        let holder = facts.by_key.device.as_ref().map(|device| &device.device.id);
        let device = found.and_then(|known| known.device.as_ref()).map(|device| &device.device.id);
        if holder.is_some() && holder != device {
            return Err(bad("key_of_another_device"));
        }
    }
    Ok(found.unwrap_or(&facts.by_did))
}

/// The account it comes into: the one that owns it already if the customer is a
/// member there, the one named by the token likewise, else the customer's own.
fn account<'a>(
    facts: &'a RegistrationFacts,
    actor: &ActorToken,
    owned: &'a OwnedFacts,
) -> Result<&'a Fact<identity::Account>, OAuthRefusal> {
    let member = |account: &Fact<identity::Account>| {
        facts.memberships.iter().any(|bond| bond.target == identity::bond::Target::Account(account.id.clone()))
    };
    if let Some(named) = &actor.account {
        let account = facts.named_account.as_ref().filter(|account| account.id.as_str() == named);
        return account.filter(|account| member(account)).ok_or(bad("account_of_a_stranger"));
    }
    if let Some(owner) = owned.account.as_ref().filter(|account| member(account)) {
        return Ok(owner);
    }
    facts.account.as_ref().ok_or(bad("customer_without_account"))
}

fn check_named(actor: &ActorToken, owned: &OwnedFacts, customer: &Customer<'_>) -> Result<(), OAuthRefusal> {
    if let Some(known) = &owned.device {
        check_registry(actor, known)?;
    }
    let title = owned.asset.as_ref().map(|asset| asset.id.as_str());
    if actor.asset.as_deref().is_some_and(|asset| Some(asset) != title) {
        return Err(bad("asset_of_a_stranger"));
    }
    if actor.contact.as_deref().is_some_and(|contact| customer.user.contact_id.as_deref() != Some(contact)) {
        return Err(bad("contact_of_a_stranger"));
    }
    let unknown_did = actor.did.starts_with("dev_") && owned.device.is_none();
    if unknown_did { Err(bad("unknown_did")) } else { Ok(()) }
}

/// What the token says of a device we know is compared, never believed.
fn check_registry(actor: &ActorToken, known: &identity::facts::DeviceFacts) -> Result<(), OAuthRefusal> {
    let device = &known.device;
    let own_name = if actor.did.starts_with(DeviceId::PREFIX) {
        actor.did == device.id.as_str()
    } else {
        device.external_id.as_ref().is_none_or(|external_id| *external_id == actor.did)
    };
    let agrees = |said: &Option<String>, kept: Option<&String>| match (said, kept) {
        (Some(said), Some(kept)) => said == kept,
        _ => true,
    };
    let agrees =
        own_name && agrees(&actor.serial, device.serial.as_ref()) && agrees(&actor.model, Some(&known.product.model));
    if agrees { Ok(()) } else { Err(bad("actor_contradicts_registry")) }
}

fn scope(
    request: &Request,
    client: &Client,
    product: &identity::Product,
    bond: Option<&identity::Bond>,
) -> Result<Scope, OAuthRefusal> {
    let allowed = Scope::of(&product.scopes).intersection(&client.scopes);
    let allowed = match bond.and_then(|bond| bond.scopes.as_ref()) {
        Some(rights) => allowed.intersection(&Scope::of(rights)),
        None => allowed,
    };
    match &request.scope {
        None => Ok(allowed),
        Some(asked) if asked.is_within(&allowed) => Ok(asked.clone()),
        Some(_) => Err(OAuthRefusal::new(ErrorCode::InvalidScope, "scope_beyond_device")),
    }
}

fn audience(
    request: &Request,
    client: &Client,
    product: &identity::Product,
    issuer: &str,
) -> Result<Vec<String>, OAuthRefusal> {
    let mut allowed: Vec<String> = client.audiences.iter().filter(|aud| *aud != issuer).cloned().collect();
    allowed.extend(product.audiences.iter().cloned());
    if client.audiences.iter().any(|aud| aud == issuer) {
        allowed.push(issuer.to_owned());
    }
    target::resolve(&request.targets, &allowed)
}

struct AssetClaims<'a> {
    customer: &'a Customer<'a>,
    product: &'a identity::Product,
    holding: &'a claiming::Holding,
    scope: Scope,
    audience: Vec<String>,
    cnf: Option<Confirmation>,
}

impl AssetClaims<'_> {
    /// The asset token: a little about the device, a little about the customer.
    /// It hangs from the bond it made, not from the token it was made with: from
    /// now on the device is independent of the app.
    fn reply(
        self,
        registration: &Registration<'_>,
        facts: &RegistrationFacts,
        drawn: &Drawn,
    ) -> Result<TokenReply, OAuthRefusal> {
        let (tenant, client, holding) = (&facts.caller.tenant, self.customer.client, self.holding);
        let now = drawn.now;
        let mut claims =
            issue::base_claims(tenant, client.id.as_str(), self.customer.user.id.as_str(), self.audience, now);
        claims.nbf = Some(now);
        let life = client.asset_token_life.max(300).min(tenant.max_token_life);
        claims.exp = issue::end_of_life(now, life, holding.bond.as_ref().and_then(|bond| bond.not_after));
        claims.jti = drawn.jti.clone();
        claims.did = Some(holding.device.id.to_string());
        claims.asset_id = Some(holding.asset.id.to_string());
        claims.name = Some(holding.asset.name.clone());
        claims.serial_number = holding.device.serial.clone();
        claims.model = Some(self.product.model.clone());
        claims.account_id = Some(holding.asset.account.to_string());
        claims.contact_id = holding.asset.contact_id.clone();
        claims.scope = self.scope;
        claims.act = Some(Act { sub: holding.device.id.to_string(), iss: Some(tenant.issuer.clone()), act: None });
        claims.cnf = self.cnf;
        claims.anc = issue::anchors(tenant, &registration.client.guards(), &holding.anchors);
        let kind = TokenKind::Asset;
        let typ = if client.asset_typ_jwt { "JWT" } else { kind.typ() };
        let bearer = client.rights.asset_salesforce;
        let mut reply =
            issue::access_token(claims, issue::Form { alg: client.token_alg, opaque: false, kind, typ, bearer })?;
        let private = asset_token_type(&tenant.issuer);
        let asked = registration.request.requested.as_ref() == Some(&private);
        reply.issued_token_type = Some(if asked { private } else { JWT.to_owned() });
        Ok(reply)
    }
}

fn committed(
    registration: &Registration<'_>,
    actor: &ActorToken,
    customer: &Customer<'_>,
    holding: claiming::Holding,
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

#[cfg(test)]
mod tests;
