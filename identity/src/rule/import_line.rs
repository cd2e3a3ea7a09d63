//! One line of a device import: its form, and what it does to the registry.
//! Owns the words a bad line is reported with. Reading CSV, JSONL and
//! certificates is the caller's; a device made by REST is a line as well.

use core::fmt;

use serde_json::{Map, Value};

use crate::credential::{CertificateFacts, CredentialKind, CredentialState};
use crate::device::DeviceState;
use crate::facts::{ImportFacts, ImportKeys};
use crate::id::is_reserved_prefix;
use crate::rule::attributes::{self, Violation};
use crate::{
    Change, Credential, CredentialId, Decision, Device, DeviceId, Event, EventKind, Fact, Product, Refusal, Write,
};

/// A line as it was read; nothing is believed yet.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RawLine {
    /// The model's name.
    pub model: String,
    /// Serial number.
    pub serial: Option<String>,
    /// The maker's own id.
    pub external_id: Option<String>,
    /// MAC, in any of its usual forms.
    pub mac: Option<String>,
    /// What people call it.
    pub name: Option<String>,
    /// Where it is.
    pub place: Option<String>,
    /// By the product's schema.
    pub attributes: Map<String, Value>,
    /// Its certificate or public key.
    pub credential: Option<LineCredential>,
}

/// A certificate or public key, read and found strong enough by the caller.
#[derive(Debug, Clone, PartialEq)]
pub struct LineCredential {
    /// RFC 7638 thumbprint, base64url.
    pub key_thumbprint: String,
    /// The public key, without private members.
    pub jwk: Value,
    /// Of a certificate.
    pub certificate: Option<CertificateFacts>,
    /// The one value of the product's identity field, of a certificate that has one.
    pub identity: Option<String>,
}

/// A line in good form: trimmed, within limits, names written one way.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportLine(RawLine);

/// Why a line is not taken, in words for people.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LineError {
    /// No model.
    ModelMissing,
    /// The registry has no such model.
    UnknownModel,
    /// Nothing tells this device from others.
    NoName,
    /// A character or length that a serial number does not have.
    BadSerial,
    /// A character or length that an external id does not have, or a prefix of ours.
    BadExternalId,
    /// No MAC of one device.
    BadMac,
    /// A text over 255 characters or with control characters.
    BadText(&'static str),
    /// Attributes break the schema.
    Attributes(Violation),
    /// Two of its names belong to different devices.
    TwoDevices,
    /// The device is of another model.
    OtherModel,
    /// The device has another serial number.
    OtherSerial,
    /// The key belongs to another device.
    KeyTaken,
    /// The key was revoked.
    KeyRevoked,
    /// The certificate names another serial number.
    CertificateOfAnother,
    /// The device is retired; its names stay blocked.
    Retired,
}

impl LineError {
    /// The named cause, for logs and tests.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::ModelMissing => "model_missing",
            Self::UnknownModel => "unknown_model",
            Self::NoName => "no_name",
            Self::BadSerial => "bad_serial",
            Self::BadExternalId => "bad_external_id",
            Self::BadMac => "bad_mac",
            Self::BadText(_) => "bad_text",
            Self::Attributes(_) => "bad_attributes",
            Self::TwoDevices => "two_devices",
            Self::OtherModel => "other_model",
            Self::OtherSerial => "other_serial",
            Self::KeyTaken => "key_taken",
            Self::KeyRevoked => "key_revoked",
            Self::CertificateOfAnother => "certificate_of_another",
            Self::Retired => "retired",
        }
    }
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ModelMissing => "no model is named",
            Self::UnknownModel => "there is no product of that model; make it first",
            Self::NoName => {
                "give at least a serial number, an external id, a MAC or a certificate that names the device"
            }
            Self::BadSerial => {
                "a serial number is 1 to 128 of letters, digits, single spaces and . _ : - ; wildcards are not allowed"
            }
            Self::BadExternalId => {
                "an external id is 1 to 128 of letters, digits and . _ : - and must not begin like an id of ours"
            }
            Self::BadMac => "a MAC is twelve hexadecimal digits and belongs to one device",
            Self::BadText(field) => return write!(f, "{field} is over 255 characters or has control characters"),
            Self::Attributes(violation) => return violation.fmt(f),
            Self::TwoDevices => "its names belong to different devices",
            Self::OtherModel => "the device is of another model",
            Self::OtherSerial => "the device has another serial number",
            Self::KeyTaken => "the key belongs to another device",
            Self::KeyRevoked => "the key was revoked and cannot come back",
            Self::CertificateOfAnother => "the certificate names another serial number",
            Self::Retired => "the device is retired; its names and key stay blocked",
        })
    }
}

impl ImportLine {
    /// Parses a line: trims texts, drops empty ones, writes the MAC one way.
    ///
    /// # Errors
    /// [`LineError`] for the first thing that is not in good form.
    pub fn parse(raw: RawLine) -> Result<Self, LineError> {
        let text = |value: Option<String>| value.map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        let model = raw.model.trim().to_owned();
        if model.is_empty() {
            return Err(LineError::ModelMissing);
        }
        let line = RawLine {
            model,
            // A certificate says which device it is for.
            serial: text(raw.serial).or_else(|| raw.credential.as_ref().and_then(|shown| shown.identity.clone())),
            external_id: text(raw.external_id),
            mac: text(raw.mac).map(|mac| parse_mac(&mac).ok_or(LineError::BadMac)).transpose()?,
            name: text(raw.name),
            place: text(raw.place),
            attributes: raw.attributes,
            credential: raw.credential,
        };
        if line.serial.as_deref().is_some_and(|serial| !is_serial(serial)) {
            return Err(LineError::BadSerial);
        }
        if line.external_id.as_deref().is_some_and(|id| !is_external_id(id)) {
            return Err(LineError::BadExternalId);
        }
        for (field, value) in
            [("model", Some(&line.model)), ("name", line.name.as_ref()), ("place", line.place.as_ref())]
        {
            if value.is_some_and(|value| !is_text(value)) {
                return Err(LineError::BadText(field));
            }
        }
        if line.serial.is_none() && line.external_id.is_none() && line.mac.is_none() {
            return Err(LineError::NoName);
        }
        Ok(Self(line))
    }

    /// The name of its model.
    pub fn model(&self) -> &str {
        &self.0.model
    }

    /// What tells its device from others, each with its kind; the model belongs to
    /// the serial number.
    pub fn names(&self) -> impl Iterator<Item = (&'static str, &str, &str)> {
        let credential = self.0.credential.as_ref();
        [
            ("serial", self.model(), self.0.serial.as_deref()),
            ("external_id", "", self.0.external_id.as_deref()),
            ("mac", "", self.0.mac.as_deref()),
            ("key", "", credential.map(|credential| credential.key_thumbprint.as_str())),
        ]
        .into_iter()
        .filter_map(|(kind, within, name)| Some((kind, within, name?)))
    }

    /// What the store is asked about it.
    pub fn keys(&self) -> ImportKeys {
        ImportKeys {
            model: self.0.model.clone(),
            serial: self.0.serial.clone(),
            external_id: self.0.external_id.clone(),
            mac: self.0.mac.clone(),
            key_thumbprint: self.0.credential.as_ref().map(|credential| credential.key_thumbprint.clone()),
        }
    }
}

/// Letters, digits, single inner spaces and `. _ : -`. Wildcards of searches,
/// topics and shells (`* ? % + #`), slashes and quotes are refused: a serial
/// number stands in topic names, paths and filters, and must mean one device
/// there. `_` is a wildcard in SQL alone, where the stores escape it.
pub fn is_serial(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-' | b' ');
    (1..=128).contains(&text.len()) && text.bytes().all(plain) && text.trim() == text && !text.contains("  ")
}

/// `[A-Za-z0-9._:-]`, 1 to 128, and no beginning that belongs to an id of ours.
pub fn is_external_id(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-');
    (1..=128).contains(&text.len()) && text.bytes().all(plain) && !is_reserved_prefix(text)
}

/// At most 255 characters, none a control character.
pub fn is_text(text: &str) -> bool {
    text.chars().count() <= 255 && !text.chars().any(char::is_control)
}

/// `aa:bb:cc:dd:ee:ff` out of that, `AA-BB-…`, `aabb.ccdd.eeff` or twelve
/// digits. All zeros and group addresses (lowest bit of the first octet,
/// broadcast included) belong to no single device.
pub fn parse_mac(text: &str) -> Option<String> {
    let groups: Vec<&str> = text.split([':', '-', '.']).collect();
    let separators: Vec<char> = text.chars().filter(|c| !c.is_ascii_hexdigit()).collect();
    let uniform = separators.iter().all(|c| separators.first() == Some(c));
    let width = match (groups.len(), separators.first()) {
        (6, Some(':' | '-')) => 2,
        (3, Some('.')) => 4,
        (1, None) => 12,
        _ => return None,
    };
    if !uniform || groups.iter().any(|group| group.len() != width) {
        return None;
    }
    let digits = groups.concat().to_ascii_lowercase();
    let first = u8::from_str_radix(digits.get(..2)?, 16).ok()?;
    if first & 1 == 1 || digits.bytes().all(|b| b == b'0') {
        return None;
    }
    let octets: Option<Vec<&str>> = (0..6).map(|n| digits.get(n * 2..n * 2 + 2)).collect();
    Some(octets?.join(":"))
}

/// A line and the ids it may need.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportRequest {
    /// The line.
    pub line: ImportLine,
    /// The did, if the device is new.
    pub device: DeviceId,
    /// The credential's id, if that is new.
    pub credential: CredentialId,
}

/// What a line did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// A new device.
    Created,
    /// A known one, changed.
    Updated,
    /// A known one, exactly so.
    Unchanged,
}

/// Decides what a line does. A field the line leaves out stays as it is.
///
/// # Errors
/// [`LineError`], in words for people.
pub fn decide(request: &ImportRequest, facts: &ImportFacts, now: i64) -> Decision<(Effect, Device), Change, LineError> {
    match plan(request, facts, now) {
        Ok(decision) => decision,
        Err(error) => {
            let reason = error.reason();
            Decision {
                guards: Vec::new(),
                changes: Vec::new(),
                events: Vec::new(),
                reply: Err(Refusal::new(error, reason)),
            }
        }
    }
}

type Planned = Decision<(Effect, Device), Change, LineError>;

fn plan(request: &ImportRequest, facts: &ImportFacts, now: i64) -> Result<Planned, LineError> {
    let line = &request.line.0;
    let product = facts.product.as_ref().ok_or(LineError::UnknownModel)?;
    let known = find(facts)?;
    if let Some(known) = known {
        check_known(line, known, product)?;
    }
    let wanted = wanted(request, known, product, now);
    attributes::check(product.attribute_schema.as_ref(), &wanted.attributes).map_err(LineError::Attributes)?;
    if let Some(identity) = line.credential.as_ref().and_then(|credential| credential.identity.as_deref())
        && wanted.serial.as_deref() != Some(identity)
    {
        return Err(LineError::CertificateOfAnother);
    }
    let effect = match known {
        None => Effect::Created,
        Some(known) if known.record != wanted => Effect::Updated,
        Some(_) => Effect::Unchanged,
    };
    let mut decision: Planned = Decision::reply((effect, wanted.clone())).guard(product.guard());
    match (known, effect) {
        (None, _) => {
            let event = Event::new(EventKind::DeviceProvisioned, wanted.id.as_str())
                .with("product_id", product.id.as_str())
                .with("serial", wanted.serial.clone());
            decision = decision.change(Write::new(wanted.clone())).event(event);
        }
        (Some(known), Effect::Updated) => decision = decision.change(known.rewrite(wanted.clone())),
        (Some(known), _) => decision = decision.guard(known.guard()),
    }
    Ok(with_credential(decision, request, facts, &wanted, now))
}

/// The one device its names belong to.
fn find(facts: &ImportFacts) -> Result<Option<&Fact<Device>>, LineError> {
    let mut found: Option<&Fact<Device>> = None;
    for device in [&facts.by_serial, &facts.by_external_id, &facts.by_mac].into_iter().flatten() {
        if found.is_some_and(|found| found.id != device.id) {
            return Err(LineError::TwoDevices);
        }
        found = Some(device);
    }
    match &facts.credential {
        Some(credential) if found.is_none_or(|found| found.id != credential.device) => Err(LineError::KeyTaken),
        Some(credential) if credential.state == CredentialState::Revoked => Err(LineError::KeyRevoked),
        _ => Ok(found),
    }
}

fn check_known(line: &RawLine, known: &Device, product: &Product) -> Result<(), LineError> {
    if known.state == DeviceState::Retired {
        return Err(LineError::Retired);
    }
    if known.product != product.id {
        return Err(LineError::OtherModel);
    }
    match (&line.serial, &known.serial) {
        (Some(new), Some(old)) if new != old => Err(LineError::OtherSerial),
        _ => Ok(()),
    }
}

fn wanted(request: &ImportRequest, known: Option<&Fact<Device>>, product: &Product, now: i64) -> Device {
    let line = &request.line.0;
    let base = known.map_or_else(
        || Device {
            id: request.device.clone(),
            product: product.id.clone(),
            serial: None,
            mac: None,
            external_id: None,
            name: None,
            place: None,
            attributes: Map::new(),
            state: DeviceState::Registered,
            resumes_to: None,
            pending: false,
            created_at: now,
        },
        |known| known.record.clone(),
    );
    let mut attributes = base.attributes.clone();
    attributes.extend(line.attributes.clone());
    Device {
        serial: line.serial.clone().or(base.serial),
        mac: line.mac.clone().or(base.mac),
        external_id: line.external_id.clone().or(base.external_id),
        name: line.name.clone().or(base.name),
        place: line.place.clone().or(base.place),
        attributes,
        ..base
    }
}

fn with_credential(
    decision: Planned,
    request: &ImportRequest,
    facts: &ImportFacts,
    device: &Device,
    now: i64,
) -> Planned {
    let Some(line) = &request.line.0.credential else { return decision };
    let kept = facts.credential.as_ref();
    let certificate = line.certificate.clone().or_else(|| kept.and_then(|kept| kept.certificate.clone()));
    if let Some(kept) = kept {
        if kept.certificate == certificate {
            return decision.guard(kept.guard());
        }
        let renewed = Credential { certificate, authority: None, ..kept.record.clone() };
        return updated(decision.change(kept.rewrite(renewed)));
    }
    let credential = Credential {
        id: request.credential.clone(),
        device: device.id.clone(),
        kind: CredentialKind::Initial,
        state: CredentialState::Current,
        key_thumbprint: line.key_thumbprint.clone(),
        jwk: line.jwk.clone(),
        certificate,
        until: None,
        replaces: None,
        authority: None,
        created_at: now,
    };
    let event = Event::new(EventKind::CredentialAdded, credential.id.as_str())
        .with("device_id", device.id.as_str())
        .with("key_thumbprint", credential.key_thumbprint.as_str());
    updated(decision.change(Write::new(credential)).event(event))
}

/// A line that changes a credential alone has changed the device.
fn updated(mut decision: Planned) -> Planned {
    if let Ok((effect, _)) = &mut decision.reply
        && *effect == Effect::Unchanged
    {
        *effect = Effect::Updated;
    }
    decision
}

#[cfg(test)]
mod tests;
