//! Closing a title: what the end of the last owner's bond, a removal by staff
//! and the retirement of a device have in common.

use serde_json::Value;

use crate::asset::Asset;
use crate::bond::BondState;
use crate::device::DeviceState;
use crate::facts::DeviceFacts;
use crate::{Account, AnchorKind, Bond, Change, Device, Event, EventKind, Fact, Raise};

/// Changes and events of a title that closes; the device is the caller's.
pub(super) struct Closing {
    pub(super) changes: Vec<Change>,
    pub(super) events: Vec<Event>,
}

/// Closes a title with all its bonds. One raise is enough: whatever came from
/// one of the bonds hangs from the title as well.
pub(super) fn close<'a>(
    asset: &Fact<Asset>,
    account: Option<&Fact<Account>>,
    bonds: impl Iterator<Item = &'a Fact<Bond>>,
    cause: &str,
    by: &str,
    now: i64,
) -> Closing {
    let closed = Asset { closed_at: Some(now), ..asset.record.clone() };
    let mut changes = vec![asset.rewrite(closed).into(), Raise::end(AnchorKind::Asset, asset.id.as_str()).into()];
    let mut events = Vec::new();
    for bond in bonds {
        changes.push(ended(bond, now));
        events.push(bond_ended(bond, cause, by));
    }
    // The set of titles of the account has changed.
    changes.extend(account.map(|account| Change::Touch { key: account.key(), version: account.version }));
    events.push(
        Event::new(EventKind::AssetReleased, asset.id.as_str())
            .with("device_id", asset.device.as_str())
            .with("account_id", asset.account.as_str())
            .with("cause", cause)
            .with("by", by),
    );
    Closing { changes, events }
}

/// A bond's record, ended.
pub(super) fn ended(bond: &Fact<Bond>, now: i64) -> Change {
    bond.rewrite(Bond { state: BondState::Ended, ended_at: Some(now), ..bond.record.clone() }).into()
}

/// That it ended.
pub(super) fn bond_ended(bond: &Bond, cause: &str, by: &str) -> Event {
    Event::new(EventKind::BondEnded, bond.id.as_str())
        .with("holder_id", bond.holder.id())
        .with("target_id", bond.target.id())
        .with("role", bond.role.as_str())
        .with("cause", cause)
        .with("by", by)
}

/// The device once nobody owns it: where it was before its first bond. A
/// suspended one returns there when it resumes; its anchor stays, since it may
/// go on calling home.
pub(super) fn without_title(known: &DeviceFacts) -> Option<Device> {
    let before = if known.has_operational_credential() { DeviceState::Enrolled } else { DeviceState::Registered };
    match (known.device.state, known.device.resumes_to) {
        (DeviceState::Active, _) => Some(Device { state: before, ..known.device.record.clone() }),
        (DeviceState::Suspended, Some(DeviceState::Active)) => {
            Some(Device { resumes_to: Some(before), ..known.device.record.clone() })
        }
        _ => None,
    }
}

/// That a device stands in its earlier state again.
pub(super) fn returned(device: &Device) -> Option<Event> {
    (device.state == DeviceState::Enrolled).then(|| {
        Event::new(EventKind::DeviceEnrolled, device.id.as_str())
            .with("cause", "released")
            .with("credential_id", Value::Null)
    })
}
