//! The life of a device as staff steer it: made, changed, suspended, resumed,
//! approved, retired; its credentials added and revoked. Owns which transition
//! is legal; what a device does by calling home stands in `call_home`.

use serde_json::{Map, Value};

use crate::credential::{CertificateFacts, CredentialKind, CredentialState};
use crate::decision::Version;
use crate::device::DeviceState;
use crate::facts::{DeviceFacts, ImportFacts, OwnedFacts};
use crate::problem::ProblemCode as Code;
use crate::rule::actor::Actor;
use crate::rule::import_line::{self, Effect, ImportRequest};
use crate::rule::{attributes, title};
use crate::{
    Anchor, AnchorKind, Bond, Change, Credential, CredentialId, Decision, Device, Event, EventKind, Fact, Raise,
    Refusal, Write,
};

/// At most so many usable credentials per device.
pub const MAX_CREDENTIALS: usize = 8;

/// Makes a device by REST: a line of an import that must be new.
///
/// # Errors
/// [`Code::Conflict`] when one of its names or its key is known;
/// [`Code::Invalid`] with the words of [`import_line::LineError`].
pub fn create(request: &ImportRequest, facts: &ImportFacts, now: i64) -> Decision<Device, Change, Code> {
    let known = [&facts.by_serial, &facts.by_external_id, &facts.by_mac].into_iter().any(Option::is_some);
    if known || facts.credential.is_some() {
        return Decision::refuse(Code::Conflict, "known_already");
    }
    let Decision { guards, changes, events, reply } = import_line::decide(request, facts, now);
    let reply = match reply {
        Ok((Effect::Created | Effect::Updated | Effect::Unchanged, device)) => Ok(device),
        Err(refusal) => Err(Refusal::new(Code::Invalid(refusal.code.to_string()), refusal.reason)),
    };
    Decision { guards, changes, events, reply }
}

/// What becomes of one field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Edit<T> {
    /// It stays.
    #[default]
    Keep,
    /// It goes.
    Clear,
    /// It becomes this.
    Set(T),
}

impl<T: Clone> Edit<T> {
    fn apply(&self, old: Option<&T>) -> Option<T> {
        match self {
            Self::Keep => old.cloned(),
            Self::Clear => None,
            Self::Set(new) => Some(new.clone()),
        }
    }
}

/// A change of a device's own facts; model and did never change.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeviceUpdate {
    /// The version the caller saw (`If-Match`).
    pub if_version: Option<Version>,
    /// Serial number.
    pub serial: Edit<String>,
    /// The maker's own id.
    pub external_id: Edit<String>,
    /// MAC.
    pub mac: Edit<String>,
    /// Name.
    pub name: Edit<String>,
    /// Place.
    pub place: Edit<String>,
    /// All attributes anew.
    pub attributes: Option<Map<String, Value>>,
}

/// Decides a change of a device's facts.
///
/// # Errors
/// [`Code::NotFound`], [`Code::VersionMismatch`], [`Code::IllegalTransition`]
/// for a retired device, [`Code::Invalid`].
pub fn update(request: &DeviceUpdate, facts: Option<&DeviceFacts>) -> Decision<Device, Change, Code> {
    let known = match present(facts, request.if_version) {
        Ok(known) => known,
        Err(refusal) => return no(refusal),
    };
    if known.device.state == DeviceState::Retired {
        return Decision::refuse(Code::IllegalTransition, "retired");
    }
    let wanted = match updated(request, known) {
        Ok(wanted) => wanted,
        Err((words, reason)) => return Decision::refuse(Code::Invalid(words), reason),
    };
    let decision = Decision::reply(wanted.clone()).guard(known.product.guard());
    if wanted == known.device.record {
        return decision;
    }
    // Nothing hangs on these facts but look-ups: no raise, and no event of the list.
    decision.change(known.device.rewrite(wanted))
}

fn updated(request: &DeviceUpdate, known: &DeviceFacts) -> Result<Device, (String, &'static str)> {
    let bad = |error: &import_line::LineError| (error.to_string(), error.reason());
    let old = &known.device;
    let wanted = Device {
        serial: request.serial.apply(old.serial.as_ref()),
        external_id: request.external_id.apply(old.external_id.as_ref()),
        mac: match &request.mac {
            Edit::Set(mac) => Some(import_line::parse_mac(mac).ok_or(bad(&import_line::LineError::BadMac))?),
            other => other.apply(old.mac.as_ref()),
        },
        name: request.name.apply(old.name.as_ref()),
        place: request.place.apply(old.place.as_ref()),
        attributes: request.attributes.clone().unwrap_or_else(|| old.attributes.clone()),
        ..old.record.clone()
    };
    if wanted.serial.as_deref().is_some_and(|serial| !import_line::is_serial(serial)) {
        return Err(bad(&import_line::LineError::BadSerial));
    }
    if wanted.external_id.as_deref().is_some_and(|id| !import_line::is_external_id(id)) {
        return Err(bad(&import_line::LineError::BadExternalId));
    }
    for (field, text) in [("name", &wanted.name), ("place", &wanted.place)] {
        if text.as_deref().is_some_and(|text| !import_line::is_text(text)) {
            return Err(bad(&import_line::LineError::BadText(field)));
        }
    }
    if wanted.serial.is_none() && wanted.external_id.is_none() && wanted.mac.is_none() {
        return Err(bad(&import_line::LineError::NoName));
    }
    attributes::check(known.product.attribute_schema.as_ref(), &wanted.attributes)
        .map_err(|violation| (violation.to_string(), "bad_attributes"))?;
    Ok(wanted)
}

/// Stops a device: its tokens fall, its grants stay, so that nobody has to pair
/// again once it resumes.
///
/// # Errors
/// [`Code::NotFound`], [`Code::VersionMismatch`]; [`Code::IllegalTransition`]
/// when it is suspended or retired.
pub fn suspend(
    actor: &Actor,
    facts: Option<&DeviceFacts>,
    if_version: Option<Version>,
) -> Decision<Device, Change, Code> {
    step(facts, if_version, |device| {
        if matches!(device.state, DeviceState::Suspended | DeviceState::Retired) {
            return Err("not_running");
        }
        let next = Device { state: DeviceState::Suspended, resumes_to: Some(device.state), ..device.clone() };
        Ok((next, Some(RaiseOf::Cut), told(EventKind::DeviceSuspended, device, actor)))
    })
}

/// Lets a suspended device work again, in the state before.
///
/// # Errors
/// As [`suspend`]; [`Code::IllegalTransition`] when it is not suspended.
pub fn resume(
    actor: &Actor,
    facts: Option<&DeviceFacts>,
    if_version: Option<Version>,
) -> Decision<Device, Change, Code> {
    step(facts, if_version, |device| {
        let (DeviceState::Suspended, Some(before)) = (device.state, device.resumes_to) else {
            return Err("not_suspended");
        };
        let next = Device { state: before, resumes_to: None, ..device.clone() };
        Ok((next, None, told(EventKind::DeviceResumed, device, actor).with("state", before.as_str())))
    })
}

/// Approves a device that waits for it.
///
/// # Errors
/// As [`suspend`]; [`Code::IllegalTransition`] when it does not wait.
pub fn approve(
    actor: &Actor,
    facts: Option<&DeviceFacts>,
    if_version: Option<Version>,
) -> Decision<Device, Change, Code> {
    step(facts, if_version, |device| {
        if !device.pending || device.state == DeviceState::Retired {
            return Err("not_pending");
        }
        let next = Device { pending: false, ..device.clone() };
        Ok((next, None, told(EventKind::DeviceResumed, device, actor).with("cause", "approved")))
    })
}

/// Retires a device, for good: tokens and grants fall, credentials are revoked,
/// the title closes. Names and key stay blocked, since the records stay.
///
/// `bonds` are those on the open title that have not ended.
///
/// # Errors
/// [`Code::NotFound`], [`Code::VersionMismatch`]; [`Code::IllegalTransition`]
/// when it is retired already.
pub fn retire(
    actor: &Actor,
    owned: &OwnedFacts,
    bonds: &[Fact<Bond>],
    if_version: Option<Version>,
    now: i64,
) -> Decision<Device, Change, Code> {
    let mut decision = step(owned.device.as_ref(), if_version, |device| {
        if device.state == DeviceState::Retired {
            return Err("retired");
        }
        let next = Device { state: DeviceState::Retired, resumes_to: None, pending: false, ..device.clone() };
        Ok((next, Some(RaiseOf::End), told(EventKind::DeviceRetired, device, actor)))
    });
    let (true, Some(known)) = (decision.reply.is_ok(), &owned.device) else { return decision };
    // All that came by a credential hangs from the device too: its one raise is enough.
    for credential in known.credentials.iter().filter(|credential| credential.state != CredentialState::Revoked) {
        decision = decision.change(revoked(credential)).event(credential_revoked(credential, "retired", actor));
    }
    if let Some(asset) = &owned.asset {
        let closing = title::close(asset, owned.account.as_ref(), bonds.iter(), "retired", actor.id(), now);
        decision.changes.extend(closing.changes);
        decision.events.extend(closing.events);
    }
    decision
}

/// A credential to be added to a device.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCredential {
    /// Its id.
    pub id: CredentialId,
    /// Whose word it is.
    pub kind: CredentialKind,
    /// RFC 7638 thumbprint, base64url.
    pub key_thumbprint: String,
    /// The public key, without private members.
    pub jwk: Value,
    /// Of a certificate.
    pub certificate: Option<CertificateFacts>,
    /// The one value of the product's identity field, of a certificate.
    pub identity: Option<String>,
}

/// Adds a certificate or key to a device. `taken` is the credential that holds
/// that key already, of whatever device.
///
/// # Errors
/// [`Code::NotFound`]; [`Code::IllegalTransition`] for a retired device;
/// [`Code::Conflict`] when the key is known, revoked ones included;
/// [`Code::Invalid`] when the certificate names another device;
/// [`Code::LimitReached`].
pub fn add_credential(
    request: &NewCredential,
    facts: Option<&DeviceFacts>,
    taken: Option<&Fact<Credential>>,
    now: i64,
) -> Decision<Credential, Change, Code> {
    let Some(known) = facts else { return Decision::refuse(Code::NotFound, "unknown_device") };
    if known.device.state == DeviceState::Retired {
        return Decision::refuse(Code::IllegalTransition, "retired");
    }
    if taken.is_some() {
        return Decision::refuse(Code::Conflict, "key_taken");
    }
    if request.identity.is_some() && request.identity != known.device.serial {
        let error = import_line::LineError::CertificateOfAnother;
        return Decision::refuse(Code::Invalid(error.to_string()), error.reason());
    }
    if known.credentials.iter().filter(|credential| credential.state != CredentialState::Revoked).count()
        >= MAX_CREDENTIALS
    {
        return Decision::refuse(Code::LimitReached, "too_many_credentials");
    }
    let credential = Credential {
        id: request.id.clone(),
        device: known.device.id.clone(),
        kind: request.kind,
        state: CredentialState::Current,
        key_thumbprint: request.key_thumbprint.clone(),
        jwk: request.jwk.clone(),
        certificate: request.certificate.clone(),
        until: None,
        replaces: None,
        authority: None,
        created_at: now,
    };
    let event = Event::new(EventKind::CredentialAdded, credential.id.as_str())
        .with("device_id", known.device.id.as_str())
        .with("key_thumbprint", credential.key_thumbprint.as_str());
    Decision::reply(credential.clone())
        .change(Write::new(credential))
        // The set of credentials of the device has changed.
        .change(Change::Touch { key: known.device.key(), version: known.device.version })
        .event(event)
}

/// Revokes a credential; tokens and grants from it fall. Doing it twice is doing it.
///
/// # Errors
/// [`Code::NotFound`] when the device has no such credential.
pub fn revoke_credential(
    actor: &Actor,
    credential: &CredentialId,
    facts: Option<&DeviceFacts>,
) -> Decision<Credential, Change, Code> {
    let found = facts.and_then(|known| known.credentials.iter().find(|held| held.id == *credential));
    let Some(held) = found else { return Decision::refuse(Code::NotFound, "unknown_credential") };
    if held.state == CredentialState::Revoked {
        return Decision::reply(held.record.clone());
    }
    Decision::reply(Credential { state: CredentialState::Revoked, ..held.record.clone() })
        .change(revoked(held))
        .change(Raise::end(AnchorKind::Credential, held.id.as_str()))
        .event(credential_revoked(held, "revoked", actor))
}

enum RaiseOf {
    Cut,
    End,
}

type Step = Result<(Device, Option<RaiseOf>, Event), &'static str>;

fn step(
    facts: Option<&DeviceFacts>,
    if_version: Option<Version>,
    transition: impl Fn(&Device) -> Step,
) -> Decision<Device, Change, Code> {
    let known = match present(facts, if_version) {
        Ok(known) => known,
        Err(refusal) => return no(refusal),
    };
    match transition(&known.device) {
        Err(reason) => Decision::refuse(Code::IllegalTransition, reason),
        Ok((next, raise, event)) => {
            let anchor = Anchor::new(AnchorKind::Device, next.id.as_str());
            let mut decision = Decision::reply(next.clone()).change(known.device.rewrite(next)).event(event);
            decision.changes.extend(raise.map(|raise| match raise {
                RaiseOf::Cut => Raise::cut(anchor.kind, anchor.id.clone()).into(),
                RaiseOf::End => Raise::end(anchor.kind, anchor.id.clone()).into(),
            }));
            decision
        }
    }
}

fn present(facts: Option<&DeviceFacts>, if_version: Option<Version>) -> Result<&DeviceFacts, Refusal<Code>> {
    let known = facts.ok_or(Refusal::new(Code::NotFound, "unknown_device"))?;
    match if_version {
        Some(version) if version != known.device.version => {
            Err(Refusal::new(Code::VersionMismatch, "changed_meanwhile"))
        }
        _ => Ok(known),
    }
}

fn no<R>(refusal: Refusal<Code>) -> Decision<R, Change, Code> {
    Decision::refuse(refusal.code, refusal.reason)
}

fn told(kind: EventKind, device: &Device, actor: &Actor) -> Event {
    Event::new(kind, device.id.as_str()).with("from", device.state.as_str()).with("by", actor.id())
}

fn revoked(credential: &Fact<Credential>) -> Change {
    credential.rewrite(Credential { state: CredentialState::Revoked, ..credential.record.clone() }).into()
}

fn credential_revoked(credential: &Credential, cause: &str, actor: &Actor) -> Event {
    Event::new(EventKind::CredentialRevoked, credential.id.as_str())
        .with("device_id", credential.device.as_str())
        .with("cause", cause)
        .with("by", actor.id())
}

#[cfg(test)]
mod tests;
