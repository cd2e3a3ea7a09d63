//! The device's first request of a pairing, and the owner's decision on it
//! (RFC 8628 §3.1, §3.3).

use identity::bond::{Holder, Target};
use identity::device::DeviceState;
use identity::facts::{DeviceFacts, OwnedFacts};
use identity::user::UserState;
use identity::{Digest, Fact, Tenant, Write};

use crate::client::GrantType;
use crate::client_auth::AuthenticatedClient;
use crate::error::{ErrorCode, OAuthRefusal};
use crate::facts::PairingFacts;
use crate::form::Form;
use crate::pairing::{Pairing, PairingState};
use crate::scope::Scope;
use crate::{Change, Decision, binding, issue, target};

/// Life of both codes, seconds.
pub const LIFE: i64 = 600;
/// Seconds between polls to begin with.
pub const INTERVAL: i64 = 5;
/// Letters of user codes: no vowels, so no words; no digits, so no look-alikes.
pub const ALPHABET: &str = "BCDFGHJKLMNPQRSTVWXZ";
/// Letters of a user code.
pub const LENGTH: usize = 8;

/// Makes a user code out of random bytes; `None` where too few of them fall
/// evenly on the alphabet.
pub fn user_code(random: &[u8]) -> Option<String> {
    let even = random.iter().filter(|byte| **byte < 240).take(LENGTH);
    let code: String = even.filter_map(|byte| ALPHABET.chars().nth(usize::from(byte % 20))).collect();
    (code.len() == LENGTH).then_some(code)
}

/// As it is shown: `WDJB-MJHT`.
pub fn shown(code: &str) -> String {
    match (code.get(..4), code.get(4..)) {
        (Some(left), Some(right)) => format!("{left}-{right}"),
        _ => code.to_owned(),
    }
}

/// What a person typed, as it is compared: upper case, everything outside the
/// alphabet dropped (RFC 8628 §6.1). `None` when what is left is no code.
pub fn normalise(typed: &str) -> Option<String> {
    if typed.len() > 64 {
        return None;
    }
    let letters = typed.chars().flat_map(char::to_uppercase).filter(|letter| ALPHABET.contains(*letter));
    let code: String = letters.collect();
    (code.len() == LENGTH).then_some(code)
}

/// What a device asks for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Scopes.
    pub scope: Option<Scope>,
    /// Resources.
    pub targets: Vec<String>,
    /// The key tokens will be bound to: of a verified proof, or named.
    pub jkt: Option<String>,
    /// Whether a proof by that key came along; a name alone proves nothing.
    pub proved: bool,
    /// The device that pairs, by `authorization_details`.
    pub did: Option<String>,
}

impl Request {
    /// Reads the parameters; `proof` is the thumbprint of a verified DPoP proof.
    ///
    /// # Errors
    /// `invalid_request`, `invalid_scope`, `invalid_authorization_details`.
    pub fn parse(form: &Form, proof: Option<String>) -> Result<Self, OAuthRefusal> {
        let named = form.one("dpop_jkt").map(str::to_owned);
        if named.as_ref().is_some_and(|jkt| jose::base64url::decode(jkt).map_or(0, |bytes| bytes.len()) != 32) {
            return Err(OAuthRefusal::new(ErrorCode::InvalidRequest, "dpop_jkt_malformed"));
        }
        if named.is_some() && proof.is_some() && named != proof {
            return Err(OAuthRefusal::new(ErrorCode::InvalidRequest, "dpop_jkt_differs_from_proof"));
        }
        let did = form.one("authorization_details").map(pairing_detail).transpose()?;
        let proved = proof.is_some();
        Ok(Self { scope: form.scope()?, targets: form.targets(), jkt: proof.or(named), proved, did })
    }
}

/// `[{"type":"device_pairing","did":"dev_…"}]`, nothing else (RFC 9396 §5).
fn pairing_detail(text: &str) -> Result<String, OAuthRefusal> {
    const BAD: OAuthRefusal =
        OAuthRefusal::new(ErrorCode::InvalidAuthorizationDetails, "authorization_details_unknown");
    let wrapped = format!("{{\"details\":{text}}}");
    let parsed = jose::json::parse_object(wrapped.as_bytes()).map_err(|_| BAD)?;
    let [detail] = parsed.get("details").and_then(|d| d.as_array()).map(Vec::as_slice).unwrap_or_default() else {
        return Err(BAD);
    };
    let members = detail.as_object().ok_or(BAD)?;
    let kind = members.get("type").and_then(|kind| kind.as_str());
    let did = members.get("did").and_then(|did| did.as_str());
    match (members.len(), kind, did) {
        (2, Some("device_pairing"), Some(did)) => Ok(did.to_owned()),
        _ => Err(BAD),
    }
}

/// Codes that were drawn: their digests.
#[derive(Debug, Clone)]
pub struct DrawnCodes {
    /// Digest of the device code.
    pub device_code: Digest,
    /// Keyed hash of the user code.
    pub user_code: Digest,
    /// Seconds.
    pub now: i64,
}

/// Decides whether a pairing begins. `owned` is the device the request names.
pub fn begin(
    request: &Request,
    client: &AuthenticatedClient,
    tenant: &Tenant,
    owned: &OwnedFacts,
    drawn: &DrawnCodes,
) -> Decision<Pairing> {
    client.spend(match begun(request, client, tenant, owned, drawn) {
        Ok(pairing) => {
            let mut decision = Decision::reply(pairing.clone()).change(Change::from(Write::new(pairing)));
            decision.guards = client.guards();
            decision
        }
        Err(refusal) => Decision::refuse(refusal.code, refusal.reason),
    })
}

fn begun(
    request: &Request,
    client: &AuthenticatedClient,
    tenant: &Tenant,
    owned: &OwnedFacts,
    drawn: &DrawnCodes,
) -> Result<Pairing, OAuthRefusal> {
    client.require(GrantType::DeviceCode)?;
    let own = client.device().map(|device| device.device.id.as_str());
    let did = request.did.as_deref().or(own);
    // First of all: whether scopes fit the model would tell that a device exists.
    let device = did.map(|did| check_device(did, request, client, owned, drawn.now)).transpose()?;
    let product = owned.device.as_ref().map(|known| &known.product).or(client.device().map(|known| &known.product));
    let allowed = match product.filter(|_| did.is_some()) {
        // What a model may do is the product's word, within what the client may ask for.
        Some(product) => {
            let of_model = product.scopes.iter().map(String::as_str).chain(issue::STANDARD);
            client.scopes().intersection(&Scope::of(of_model))
        }
        None => client.scopes(),
    };
    let scope = request.scope.clone().unwrap_or_else(|| allowed.clone());
    if !scope.is_within(&allowed) {
        return Err(OAuthRefusal::new(ErrorCode::InvalidScope, "scope_beyond_device"));
    }
    let mut resources = target::resolve(&request.targets, &client.audiences(tenant))?;
    if scope.contains("openid") && !resources.contains(&tenant.issuer) {
        // UserInfo is ours: a token with `openid` must be good there, too.
        resources.push(tenant.issuer.clone());
    }
    let certificate = client.certificate().is_some() && client.device().is_some();
    if request.jkt.is_none() && !certificate && (device.is_some() || client.is_public()) {
        return Err(OAuthRefusal::new(ErrorCode::InvalidDpopProof, "pairing_needs_a_key"));
    }
    let client_id = client.id().parse().map_err(|_| OAuthRefusal::new(ErrorCode::InvalidClient, "client_id"))?;
    Ok(Pairing {
        id: drawn.device_code.clone(),
        user_code: drawn.user_code.clone(),
        client: client_id,
        device,
        dpop_jkt: request.jkt.clone(),
        scope,
        resources,
        detailed: request.did.is_some(),
        interval: INTERVAL,
        polled_at: None,
        created_at: drawn.now,
        expires_at: drawn.now + LIFE,
        state: PairingState::Pending,
    })
}

/// The device must be the one that authenticated, or prove its registered key.
/// Anything else is told with one word: whether a device exists is nobody's.
fn check_device(
    did: &str,
    request: &Request,
    client: &AuthenticatedClient,
    owned: &OwnedFacts,
    now: i64,
) -> Result<identity::DeviceId, OAuthRefusal> {
    const BAD: fn(&'static str) -> OAuthRefusal =
        |reason| OAuthRefusal::new(ErrorCode::InvalidAuthorizationDetails, reason);
    if let Some(own) = client.device() {
        return match own.device.id.as_str() == did {
            false => Err(BAD("another_device")),
            true if !may_pair(own) => Err(BAD("device_state")),
            true if request.jkt.as_ref().is_some_and(|jkt| !binding::holds(own, jkt, now)) => {
                Err(BAD("key_not_registered"))
            }
            true => Ok(own.device.id.clone()),
        };
    }
    let known = owned.device.as_ref().filter(|known| known.device.id.as_str() == did).ok_or(BAD("unknown_device"))?;
    if !request.jkt.as_ref().is_some_and(|jkt| request.proved && binding::holds(known, jkt, now)) {
        return Err(BAD("key_not_proved"));
    }
    if may_pair(known) { Ok(known.device.id.clone()) } else { Err(BAD("device_state")) }
}

/// Whether a device's state lets it come to an owner, as claiming will ask.
fn may_pair(known: &DeviceFacts) -> bool {
    let ready = match known.device.state {
        DeviceState::Registered => known.product.pair_when_registered || known.has_operational_credential(),
        DeviceState::Enrolled | DeviceState::Active => true,
        DeviceState::Suspended | DeviceState::Retired => false,
    };
    ready && !known.device.pending
}

/// Why the owner's decision did not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageOutcome {
    /// No live code of that text.
    Unknown,
    /// Decided before, by whoever.
    AlreadyUsed,
    /// The device is somebody else's, suspended or retired.
    NotPossible,
    /// Recorded: yes.
    Approved,
    /// Recorded: no.
    Denied,
}

/// Whether the page may show the pairing to this user for a decision.
pub fn look(facts: &PairingFacts, now: i64) -> Result<&Fact<Pairing>, PageOutcome> {
    let pairing = facts.pairing.as_ref().filter(|pairing| now < pairing.expires_at).ok_or(PageOutcome::Unknown)?;
    match pairing.state {
        PairingState::Pending => Ok(pairing),
        _ => Err(PageOutcome::AlreadyUsed),
    }
}

/// Records the owner's decision, once.
pub fn decide_page(
    facts: &PairingFacts,
    approve: bool,
    auth_time: i64,
    methods: &[String],
    now: i64,
) -> Decision<PageOutcome> {
    let pairing = match look(facts, now) {
        Ok(pairing) => pairing,
        Err(outcome) => return Decision::reply(outcome),
    };
    let (Some(user), Some(account)) = (&facts.user, &facts.account) else {
        return Decision::reply(PageOutcome::NotPossible);
    };
    let owner = facts.owned.asset.as_ref().map(|asset| &asset.account);
    let account = owner.cloned().unwrap_or_else(|| account.id.clone());
    let member = facts.bonds.iter().any(|bond| {
        bond.holder == Holder::User(user.id.clone())
            && bond.target == Target::Account(account.clone())
            && bond.role.may_claim()
            && bond.is_live(now)
    });
    // As claiming will see it when the device fetches its tokens.
    let fits = match &pairing.device {
        Some(did) => {
            member && facts.owned.device.as_ref().is_some_and(|known| known.device.id == *did && may_pair(known))
        }
        None => true,
    };
    let possible = fits && user.state == UserState::Active;
    let (state, outcome) = match (approve, !possible) {
        (true, false) => {
            let approved = PairingState::Approved {
                user: user.id.clone(),
                account,
                at: now,
                auth_time,
                methods: methods.to_vec(),
            };
            (approved, PageOutcome::Approved)
        }
        (true, true) => (PairingState::Denied, PageOutcome::NotPossible),
        (false, _) => (PairingState::Denied, PageOutcome::Denied),
    };
    let decided = Pairing { state, ..pairing.record.clone() };
    Decision::reply(outcome).guard(user.guard()).change(Change::from(pairing.rewrite(decided)))
}

#[cfg(test)]
mod tests;
