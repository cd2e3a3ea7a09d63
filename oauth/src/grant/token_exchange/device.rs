//! Which device is meant, and whose it may become: everything the request says
//! of a known one is compared with the registry.

use identity::asset::Possession;
use identity::facts::OwnedFacts;
use identity::rule::claiming::ShownKey;
use identity::{DeviceId, Fact};

use super::bad;
use super::customer::Customer;
use crate::actor_token::ActorToken;
use crate::error::OAuthRefusal;
use crate::facts::RegistrationFacts;

/// Match or create: by `asset_id`, by did, by model and serial number. Two hits
/// that are not the same device are refused; so is a key of another device.
pub(super) fn matched<'a>(
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
/// member there, the one named by the token likewise, else the customer's own. A
/// service names it, and takes nothing out of the hands of a person.
pub(super) fn account<'a>(
    facts: &'a RegistrationFacts,
    actor: &ActorToken,
    owned: &'a OwnedFacts,
    customer: &Customer<'_>,
) -> Result<&'a Fact<identity::Account>, OAuthRefusal> {
    let member = |account: &Fact<identity::Account>| {
        facts.memberships.iter().any(|bond| bond.target == identity::bond::Target::Account(account.id.clone()))
    };
    let named = |name: &String| facts.named_account.as_ref().filter(|account| account.id.as_str() == name);
    if customer.user.is_none() {
        if owned.asset.as_ref().is_some_and(|asset| asset.registered_by.is_some()) {
            return Err(bad("title_of_a_person"));
        }
        let name = actor.account.as_ref().ok_or(bad("account_missing"))?;
        return named(name).ok_or(bad("account_unknown"));
    }
    if let Some(name) = &actor.account {
        return named(name).filter(|account| member(account)).ok_or(bad("account_of_a_stranger"));
    }
    if let Some(owner) = owned.account.as_ref().filter(|account| member(account)) {
        return Ok(owner);
    }
    facts.account.as_ref().ok_or(bad("customer_without_account"))
}

pub(super) fn check_named(actor: &ActorToken, owned: &OwnedFacts, customer: &Customer<'_>) -> Result<(), OAuthRefusal> {
    if let Some(known) = &owned.device {
        check_registry(actor, known)?;
    }
    let title = owned.asset.as_ref().map(|asset| asset.id.as_str());
    if actor.asset.as_deref().is_some_and(|asset| Some(asset) != title) {
        return Err(bad("asset_of_a_stranger"));
    }
    let own = customer.user.and_then(|user| user.contact_id.as_deref());
    if actor.contact.as_deref().is_some_and(|contact| own != Some(contact)) {
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
