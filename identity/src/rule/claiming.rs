//! Claiming: a person, or a provisioning service, brings a device into an
//! account. Used by pairing and by the asset-token exchange, which add their own
//! checks, events and tokens. Owns when a title opens and who gets a bond on it.

use serde_json::{Map, Value};

use crate::asset::Possession;
use crate::bond::{BondOrigin, BondRole, BondState, Holder, Target};
use crate::credential::{CredentialKind, CredentialState};
use crate::device::DeviceState;
use crate::facts::{DeviceFacts, OwnedFacts};
use crate::user::UserState;
use crate::{
    Account, Anchor, AnchorKind, Anchors, Asset, AssetId, Bond, BondId, Change, ClientId, Credential, CredentialId,
    Device, DeviceId, Event, EventKind, Fact, Guard, Product, User, Write,
};

/// A key the device proved or an app sent along.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownKey {
    /// RFC 7638 thumbprint, base64url.
    pub thumbprint: String,
    /// The public key.
    pub jwk: Value,
}

/// How a device that the registry does not know would be entered.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDevice {
    /// Its did, made by us.
    pub id: DeviceId,
    /// Its serial number.
    pub serial: Option<String>,
    /// The maker's own id.
    pub external_id: Option<String>,
}

/// Who brings which device into which account.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim<'a> {
    /// The person; `None` for a provisioning service with the right to do so.
    pub user: Option<&'a Fact<User>>,
    /// The account it comes into.
    pub account: &'a Fact<Account>,
    /// Live bonds of that person on the title and on the account.
    pub bonds: &'a [Fact<Bond>],
    /// The device with its open title, as far as known.
    pub owned: &'a OwnedFacts,
    /// The model; of a known device, its own counts.
    pub product: Option<&'a Fact<Product>>,
    /// Whether the device signed for itself.
    pub possession: Possession,
    /// The key it signed with, or an app sent unverified.
    pub key: Option<ShownKey>,
    /// How it is entered if it is unknown.
    pub new_device: Option<NewDevice>,
    /// Id of the title, if one opens.
    pub asset: AssetId,
    /// Id of the bond, if one is made.
    pub bond: BondId,
    /// Id of the credential, if the device's own key is entered.
    pub credential: CredentialId,
    /// Through which door.
    pub origin: BondOrigin,
    /// Through which client.
    pub client: Option<ClientId>,
    /// What the owner calls it; `None` keeps or takes the device's name.
    pub name: Option<String>,
    /// Custom attributes; `None` keeps what is there.
    pub attributes: Option<Map<String, Value>>,
}

/// Why a claim is refused. The doors answer all of them with one neutral word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClaimRefusal {
    /// Another account owns it. Tell its owner, never the claimer.
    OwnedByAnother,
    /// It is suspended.
    Suspended,
    /// It is retired.
    Retired,
    /// It waits for approval.
    Pending,
    /// It has no operational credential, and its product wants one first.
    NotEnrolled,
    /// It did not prove possession of a key.
    PossessionRequired,
    /// It showed another key than the registry holds for it.
    OtherKey,
    /// The registry must hold its key before it is believed.
    NotProvisioned,
    /// Neither the device nor a model that may register itself is known.
    UnknownDevice,
    /// The person is not active.
    UserInactive,
    /// The account is closed.
    AccountClosed,
    /// The person is no member of the account who may bring things in.
    NotMember,
}

impl ClaimRefusal {
    /// The named cause, for log and event.
    pub fn reason(self) -> &'static str {
        match self {
            Self::OwnedByAnother => "owned_by_another",
            Self::Suspended => "suspended",
            Self::Retired => "retired",
            Self::Pending => "pending",
            Self::NotEnrolled => "not_enrolled",
            Self::PossessionRequired => "possession_required",
            Self::OtherKey => "other_key",
            Self::NotProvisioned => "not_provisioned",
            Self::UnknownDevice => "unknown_device",
            Self::UserInactive => "user_inactive",
            Self::AccountClosed => "account_closed",
            Self::NotMember => "not_member",
        }
    }
}

/// What a claim comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Holding {
    /// The title as it will stand.
    pub asset: Asset,
    /// The person's bond on it; none for a title without a person.
    pub bond: Option<Bond>,
    /// The device as it will stand.
    pub device: Device,
    /// Whether the title was opened now.
    pub created: bool,
    /// What tokens of it hang from: all that was relied on, and what is new.
    pub anchors: Anchors,
    /// Every fact relied on.
    pub guards: Vec<Guard>,
    /// What is to be written.
    pub changes: Vec<Change>,
    /// What is to be announced.
    pub events: Vec<Event>,
}

/// Decides whether the device comes into the account, or is there already.
///
/// # Errors
/// [`ClaimRefusal`], with nothing to be written.
pub fn decide(claim: &Claim<'_>, now: i64) -> Result<Holding, ClaimRefusal> {
    if claim.account.closed {
        return Err(ClaimRefusal::AccountClosed);
    }
    let membership = membership(claim, now)?;
    let mut guards = vec![claim.account.guard()];
    guards.extend(claim.user.map(Fact::guard));
    guards.extend(membership.map(Fact::guard));
    if let Some(known) = &claim.owned.device {
        guards.extend([known.device.guard(), known.product.guard()]);
        check_state(&known.device)?;
    }
    match (&claim.owned.asset, &claim.owned.device) {
        (Some(asset), _) if asset.account != claim.account.id => Err(ClaimRefusal::OwnedByAnother),
        (Some(asset), Some(known)) => {
            guards.extend(check_key(claim, known)?.map(Fact::guard));
            Ok(already_ours(claim, asset, known, membership, guards, now))
        }
        (Some(_), None) => Err(ClaimRefusal::UnknownDevice),
        (None, Some(known)) => {
            guards.extend(check_claimable(claim, known)?.map(Fact::guard));
            Ok(claim_known(claim, known, guards, now))
        }
        (None, None) => enter_new(claim, guards, now),
    }
}

fn membership<'a>(claim: &Claim<'a>, now: i64) -> Result<Option<&'a Fact<Bond>>, ClaimRefusal> {
    let Some(user) = claim.user else { return Ok(None) };
    if user.state != UserState::Active {
        return Err(ClaimRefusal::UserInactive);
    }
    let (holder, target) = (Holder::User(user.id.clone()), Target::Account(claim.account.id.clone()));
    claim
        .bonds
        .iter()
        .find(|bond| bond.holder == holder && bond.target == target && bond.is_live(now) && bond.role.may_claim())
        .map(Some)
        .ok_or(ClaimRefusal::NotMember)
}

fn check_state(device: &Device) -> Result<(), ClaimRefusal> {
    match device.state {
        DeviceState::Retired => Err(ClaimRefusal::Retired),
        DeviceState::Suspended => Err(ClaimRefusal::Suspended),
        _ if device.pending => Err(ClaimRefusal::Pending),
        DeviceState::Registered | DeviceState::Enrolled | DeviceState::Active => Ok(()),
    }
}

/// An unowned device of the registry: its own word is needed, by the key the
/// registry holds, so that a label that was merely read claims nothing.
fn check_claimable<'a>(
    claim: &Claim<'_>,
    known: &'a DeviceFacts,
) -> Result<Option<&'a Fact<Credential>>, ClaimRefusal> {
    let operational = known.has_operational_credential();
    if known.device.state == DeviceState::Registered && !operational && !known.product.pair_when_registered {
        return Err(ClaimRefusal::NotEnrolled);
    }
    if claim.possession == Possession::None {
        return Err(ClaimRefusal::PossessionRequired);
    }
    check_key(claim, known)
}

/// A device that signed did so by the key the registry holds, also when it is
/// ours already: its token will be bound to that key, and falls with it.
fn check_key<'a>(claim: &Claim<'_>, known: &'a DeviceFacts) -> Result<Option<&'a Fact<Credential>>, ClaimRefusal> {
    if claim.possession == Possession::None {
        return Ok(None);
    }
    let key = claim.key.as_ref().ok_or(ClaimRefusal::PossessionRequired)?;
    let held = known.credentials.iter().find(|credential| credential.key_thumbprint == key.thumbprint);
    match held {
        Some(credential) if credential.state == CredentialState::Current => Ok(Some(credential)),
        Some(_) => Err(ClaimRefusal::OtherKey),
        None if !known.credentials.is_empty() => Err(ClaimRefusal::OtherKey),
        None if known.product.factory_provisioned => Err(ClaimRefusal::NotProvisioned),
        None => Ok(None),
    }
}

fn already_ours(
    claim: &Claim<'_>,
    asset: &Fact<Asset>,
    known: &DeviceFacts,
    membership: Option<&Fact<Bond>>,
    mut guards: Vec<Guard>,
    now: i64,
) -> Holding {
    guards.push(asset.guard());
    let on_title = Target::Asset(asset.id.clone());
    let own = claim.user.and_then(|user| {
        let holder = Holder::User(user.id.clone());
        claim.bonds.iter().find(|bond| bond.holder == holder && bond.target == on_title && bond.is_live(now))
    });
    guards.extend(own.map(Fact::guard));
    let mut anchors = anchors_of(&guards);
    let (mut changes, mut events) = (Vec::new(), Vec::new());

    let wanted = Asset {
        name: claim.name.clone().unwrap_or_else(|| asset.name.clone()),
        attributes: claim.attributes.clone().unwrap_or_else(|| asset.attributes.clone()),
        ..asset.record.clone()
    };
    let bond = match (own, membership) {
        (Some(own), _) => Some(own.record.clone()),
        (None, Some(membership)) => {
            let bond = new_bond(claim, membership.holder.clone(), on_title, membership.role, now);
            anchors.add(Anchor::new(AnchorKind::Bond, bond.id.as_str()).at(0));
            events.push(bond_created(&bond));
            changes.push(Write::new(bond.clone()).into());
            Some(bond)
        }
        (None, None) => None,
    };
    if wanted != asset.record {
        changes.push(asset.rewrite(wanted.clone()).into());
    } else if !changes.is_empty() {
        // The set of bonds on the title has changed.
        changes.push(Change::Touch { key: asset.key(), version: asset.version });
    }
    Holding {
        asset: wanted,
        bond,
        device: known.device.record.clone(),
        created: false,
        anchors,
        guards,
        changes,
        events,
    }
}

fn claim_known(claim: &Claim<'_>, known: &DeviceFacts, guards: Vec<Guard>, now: i64) -> Holding {
    let device = Device { state: DeviceState::Active, ..known.device.record.clone() };
    let mut changes = vec![known.device.rewrite(device.clone()).into()];
    let mut events = Vec::new();
    let held =
        claim.key.as_ref().is_none_or(|key| known.credentials.iter().any(|c| c.key_thumbprint == key.thumbprint));
    if !held {
        enter_key(claim, &device, &mut changes, &mut events, now);
    }
    open_title(claim, device, guards, changes, events, now)
}

fn enter_new(claim: &Claim<'_>, mut guards: Vec<Guard>, now: i64) -> Result<Holding, ClaimRefusal> {
    let product = claim.product.ok_or(ClaimRefusal::UnknownDevice)?;
    let new = claim.new_device.as_ref().ok_or(ClaimRefusal::UnknownDevice)?;
    if product.factory_provisioned {
        return Err(ClaimRefusal::NotProvisioned);
    }
    if !product.self_registration {
        return Err(ClaimRefusal::UnknownDevice);
    }
    guards.push(product.guard());
    let device = Device {
        id: new.id.clone(),
        product: product.id.clone(),
        serial: new.serial.clone(),
        mac: None,
        external_id: new.external_id.clone(),
        name: claim.name.clone(),
        place: None,
        attributes: Map::new(),
        state: DeviceState::Active,
        resumes_to: None,
        pending: false,
        created_at: now,
    };
    let mut changes = vec![Write::new(device.clone()).into()];
    let mut events = vec![
        Event::new(EventKind::DeviceProvisioned, device.id.as_str())
            .with("product_id", product.id.as_str())
            .with("cause", "self_registration"),
    ];
    if claim.possession == Possession::Proved {
        enter_key(claim, &device, &mut changes, &mut events, now);
    }
    let mut holding = open_title(claim, device, guards, changes, events, now);
    holding.anchors.add(Anchor::new(AnchorKind::Device, holding.device.id.as_str()).at(0));
    Ok(holding)
}

fn enter_key(claim: &Claim<'_>, device: &Device, changes: &mut Vec<Change>, events: &mut Vec<Event>, now: i64) {
    let Some(key) = &claim.key else { return };
    let credential = Credential {
        id: claim.credential.clone(),
        device: device.id.clone(),
        kind: CredentialKind::Initial,
        state: CredentialState::Current,
        until: None,
        replaces: None,
        authority: None,
        key_thumbprint: key.thumbprint.clone(),
        jwk: key.jwk.clone(),
        certificate: None,
        created_at: now,
    };
    events.push(
        Event::new(EventKind::CredentialAdded, credential.id.as_str())
            .with("device_id", device.id.as_str())
            .with("key_thumbprint", key.thumbprint.as_str()),
    );
    changes.push(Write::new(credential).into());
}

fn open_title(
    claim: &Claim<'_>,
    device: Device,
    guards: Vec<Guard>,
    mut changes: Vec<Change>,
    mut events: Vec<Event>,
    now: i64,
) -> Holding {
    let mut anchors = anchors_of(&guards);
    let entered = |change: &Change| matches!(change, Change::Credential(_));
    if changes.iter().any(entered) {
        anchors.add(Anchor::new(AnchorKind::Credential, claim.credential.as_str()).at(0));
    }
    let asset = Asset {
        id: claim.asset.clone(),
        device: device.id.clone(),
        account: claim.account.id.clone(),
        name: claim.name.clone().or_else(|| device.name.clone()).unwrap_or_else(|| default_name(&device)),
        room: None,
        contact_id: claim.user.and_then(|user| user.contact_id.clone()),
        registered_by: claim.user.map(|user| user.id.clone()),
        client: claim.client.clone(),
        possession: claim.possession,
        key_thumbprint: claim.key.as_ref().map(|key| key.thumbprint.clone()),
        attributes: claim.attributes.clone().unwrap_or_default(),
        opened_at: now,
        closed_at: None,
    };
    anchors.add(Anchor::new(AnchorKind::Asset, asset.id.as_str()).at(0));
    changes.push(Write::new(asset.clone()).into());
    // The first holder owns this title, whatever their role in the household:
    // the title closes when they give it up.
    let bond = claim.user.map(|user| {
        let holder = Holder::User(user.id.clone());
        new_bond(claim, holder, Target::Asset(asset.id.clone()), BondRole::Owner, now)
    });
    if let Some(bond) = &bond {
        anchors.add(Anchor::new(AnchorKind::Bond, bond.id.as_str()).at(0));
        changes.push(Write::new(bond.clone()).into());
        events.push(bond_created(bond));
    }
    // The set of titles of the account has changed.
    changes.push(Change::Touch { key: claim.account.key(), version: claim.account.version });
    events.push(
        Event::new(EventKind::DeviceActivated, device.id.as_str())
            .with("asset_id", asset.id.as_str())
            .with("account_id", asset.account.as_str()),
    );
    Holding { asset, bond, device, created: true, anchors, guards, changes, events }
}

fn new_bond(claim: &Claim<'_>, holder: Holder, target: Target, role: BondRole, now: i64) -> Bond {
    Bond {
        id: claim.bond.clone(),
        holder,
        target,
        role,
        scopes: None,
        not_before: None,
        not_after: None,
        origin: claim.origin,
        parent: None,
        state: BondState::Active,
        created_at: now,
        ended_at: None,
    }
}

fn bond_created(bond: &Bond) -> Event {
    Event::new(EventKind::BondCreated, bond.id.as_str())
        .with("holder_id", bond.holder.id())
        .with("target_id", bond.target.id())
        .with("role", bond.role.as_str())
}

fn default_name(device: &Device) -> String {
    device.serial.clone().unwrap_or_else(|| device.id.as_str().to_owned())
}

fn anchors_of(guards: &[Guard]) -> Anchors {
    guards.iter().filter_map(|guard| guard.anchor.clone()).collect()
}

#[cfg(test)]
mod tests;
