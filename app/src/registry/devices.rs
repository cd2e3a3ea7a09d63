//! Devices as staff and systems keep them: made, looked up, changed, steered
//! through their life, with their credentials and keys.

use identity::credential::CredentialKind;
use identity::device::DeviceState;
use identity::facts::{DeviceFacts, DeviceKey};
use identity::product::IdentityField;
use identity::rule::import_line::{ImportLine, ImportRequest, LineCredential, RawLine};
use identity::rule::lifecycle::{self, DeviceUpdate, Edit, NewCredential};
use identity::{Change, Credential, CredentialId, Decision, Device, DeviceId, Fact, ProblemCode, Version};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::caller::Caller;
use super::credential::Shown;
use super::keep::{Outcome, Refused, Versioned, check_version, invalid, not_found, settle};
use super::repeat::{Answer, Repeat};
use crate::app::App;

/// A device as staff write it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "each field is documented at `Device`")]
pub struct DeviceDraft {
    /// The name of its model.
    pub model: String,
    pub serial: Option<String>,
    pub external_id: Option<String>,
    pub mac: Option<String>,
    pub name: Option<String>,
    pub place: Option<String>,
    pub attributes: Map<String, Value>,
    /// Its certificate, PEM or base64 DER.
    pub certificate: Option<String>,
    /// Or its public key.
    pub jwk: Option<Value>,
}

/// A credential as staff write it: one of both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialDraft {
    /// PEM or base64 DER.
    #[serde(default)]
    pub certificate: Option<String>,
    /// A public key.
    #[serde(default)]
    pub jwk: Option<Value>,
    /// Whose word it is; the factory's where nothing is said.
    #[serde(default)]
    pub kind: Option<CredentialKind>,
}

impl CredentialDraft {
    /// What the registry would keep of it, where identities stand in `field`.
    ///
    /// # Errors
    /// `invalid`, with why it is not taken.
    pub fn judge(&self, field: IdentityField) -> Result<Option<LineCredential>, Refused> {
        line(shown(self.certificate.as_deref(), self.jwk.as_ref())?.as_ref(), field)
    }
}

/// What backends check a device's signatures with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceKeys {
    /// Public keys as JWK.
    pub keys: Vec<Value>,
}

/// Which step of its life.
type Steer =
    fn(&identity::rule::actor::Actor, Option<&DeviceFacts>, Option<Version>) -> Decision<Device, Change, ProblemCode>;

/// The certificate or key of a draft; both is one too many.
pub(super) fn shown(certificate: Option<&str>, jwk: Option<&Value>) -> Result<Option<Shown>, Refused> {
    match (certificate, jwk) {
        (None, None) => Ok(None),
        (Some(text), None) => Shown::from_certificate(text).map(Some).map_err(|why| invalid("bad_certificate", why)),
        (None, Some(jwk)) => Shown::from_jwk(jwk).map(Some).map_err(|why| invalid("bad_jwk", why)),
        (Some(_), Some(_)) => Err(invalid("bad_jwk", "give a certificate or a key, not both")),
    }
}

fn line(shown: Option<&Shown>, field: IdentityField) -> Result<Option<LineCredential>, Refused> {
    shown.map(|shown| shown.line(field)).transpose().map_err(|why| invalid("bad_certificate", why))
}

impl App {
    /// Makes a device.
    ///
    /// # Errors
    /// `invalid`; `conflict` where one of its names or its key is known.
    pub async fn create_device(
        &self,
        draft: &DeviceDraft,
        repeat: &Repeat<'_, Versioned<Device>>,
    ) -> Outcome<Answer<Versioned<Device>>> {
        let shown = match shown(draft.certificate.as_deref(), draft.jwk.as_ref()) {
            Ok(shown) => shown,
            Err(refused) => return Ok(Err(refused)),
        };
        let draw = self.draw();
        let (device, credential, now) = (draw.id(DeviceId::mint), draw.id(CredentialId::mint), draw.now());
        let (shown, device, credential) = (&shown, &device, &credential);
        self.keep_once(&draw, repeat, || async move {
            let field = match shown {
                Some(_) => self.find_product(&draft.model).await?.map(|product| product.identity_field),
                None => None,
            };
            let parsed = line(shown.as_ref(), field.unwrap_or_default()).and_then(|shown| draft.clone().line(shown));
            let line = match parsed {
                Ok(line) => line,
                Err(refused) => return Ok((Default::default(), Err(refused))),
            };
            let facts = self.store.load_import(vec![line.keys()]).await?.pop().unwrap_or_default();
            let request = ImportRequest { line, device: device.clone(), credential: credential.clone() };
            Ok(settle(lifecycle::create(&request, &facts, now), 0, now))
        })
        .await
    }

    /// A device by any identifier.
    ///
    /// # Errors
    /// `not_found`
    pub async fn find_device(&self, key: DeviceKey) -> Outcome<Versioned<Device>> {
        let found = self.store.load_device(key).await?.device;
        Ok(found.map(|facts| versioned(facts.device)).ok_or(not_found("unknown_device")))
    }

    /// Writes a device's own facts anew, as the caller saw them at `version`.
    ///
    /// # Errors
    /// `not_found`, `version_mismatch`, `illegal_transition`, `invalid`, `conflict`.
    pub async fn replace_device(&self, id: &str, version: Version, draft: &DeviceDraft) -> Outcome<Versioned<Device>> {
        let edit = |value: &Option<String>| value.clone().map_or(Edit::Clear, Edit::Set);
        let update = DeviceUpdate {
            if_version: Some(version),
            serial: edit(&draft.serial),
            external_id: edit(&draft.external_id),
            mac: edit(&draft.mac),
            name: edit(&draft.name),
            place: edit(&draft.place),
            attributes: Some(draft.attributes.clone()),
        };
        let draw = self.draw();
        let (update, now) = (&update, draw.now());
        self.keep(&draw, || async move {
            let facts = self.store.load_device_keys(id.to_owned()).await?;
            let before = facts.as_ref().map_or(0, |facts| facts.device.version);
            Ok(settle(lifecycle::update(update, facts.as_ref()), before, now))
        })
        .await
    }

    /// Stops a device: its tokens fall, its pairings stay.
    ///
    /// # Errors
    /// `not_found`, `version_mismatch`, `illegal_transition`.
    pub async fn suspend_device(
        &self,
        caller: &Caller,
        id: &str,
        if_version: Option<Version>,
        repeat: &Repeat<'_, Versioned<Device>>,
    ) -> Outcome<Answer<Versioned<Device>>> {
        self.steer_device(caller, id, if_version, repeat, lifecycle::suspend).await
    }

    /// Lets a suspended device work again.
    ///
    /// # Errors
    /// As [`App::suspend_device`].
    pub async fn resume_device(
        &self,
        caller: &Caller,
        id: &str,
        if_version: Option<Version>,
        repeat: &Repeat<'_, Versioned<Device>>,
    ) -> Outcome<Answer<Versioned<Device>>> {
        self.steer_device(caller, id, if_version, repeat, lifecycle::resume).await
    }

    /// Approves a device that waits for it.
    ///
    /// # Errors
    /// As [`App::suspend_device`].
    pub async fn approve_device(
        &self,
        caller: &Caller,
        id: &str,
        if_version: Option<Version>,
        repeat: &Repeat<'_, Versioned<Device>>,
    ) -> Outcome<Answer<Versioned<Device>>> {
        self.steer_device(caller, id, if_version, repeat, lifecycle::approve).await
    }

    async fn steer_device(
        &self,
        caller: &Caller,
        id: &str,
        if_version: Option<Version>,
        repeat: &Repeat<'_, Versioned<Device>>,
        steer: Steer,
    ) -> Outcome<Answer<Versioned<Device>>> {
        let draw = self.draw();
        let now = draw.now();
        self.keep_once(&draw, repeat, || async move {
            let facts = self.store.load_device_keys(id.to_owned()).await?;
            let before = facts.as_ref().map_or(0, |facts| facts.device.version);
            Ok(settle(steer(caller.actor(), facts.as_ref(), if_version), before, now))
        })
        .await
    }

    /// Retires a device for good.
    ///
    /// # Errors
    /// As [`App::suspend_device`].
    pub async fn retire_device(
        &self,
        caller: &Caller,
        id: &str,
        if_version: Option<Version>,
        repeat: &Repeat<'_, Versioned<Device>>,
    ) -> Outcome<Answer<Versioned<Device>>> {
        let draw = self.draw();
        let now = draw.now();
        self.keep_once(&draw, repeat, || async move {
            let Ok(did) = id.parse() else { return Ok((Default::default(), Err(not_found("unknown_device")))) };
            // A bond made after this counts the title's version up, which the
            // decision writes: then it is made anew.
            let (owned, bonds) = self.store.load_retirement(did).await?;
            let before = owned.device.as_ref().map_or(0, |facts| facts.device.version);
            Ok(settle(lifecycle::retire(caller.actor(), &owned, &bonds, if_version, now), before, now))
        })
        .await
    }

    /// What a device proves itself with, revoked credentials included.
    ///
    /// # Errors
    /// `not_found`
    pub async fn device_credentials(&self, id: &str) -> Outcome<Vec<Versioned<Credential>>> {
        let facts = self.store.load_device_keys(id.to_owned()).await?;
        Ok(facts.map(|facts| facts.credentials.into_iter().map(versioned).collect()).ok_or(not_found("unknown_device")))
    }

    /// Adds a certificate or key.
    ///
    /// # Errors
    /// `not_found`, `invalid`, `conflict`, `illegal_transition`, `limit_reached`.
    pub async fn add_credential(
        &self,
        id: &str,
        draft: &CredentialDraft,
        repeat: &Repeat<'_, Versioned<Credential>>,
    ) -> Outcome<Answer<Versioned<Credential>>> {
        let shown = match shown(draft.certificate.as_deref(), draft.jwk.as_ref()) {
            Ok(Some(shown)) => shown,
            Ok(None) => return Ok(Err(invalid("bad_certificate", "give a certificate or a key"))),
            Err(refused) => return Ok(Err(refused)),
        };
        let draw = self.draw();
        let (credential, now, shown) = (draw.id(CredentialId::mint), draw.now(), &shown);
        let credential = &credential;
        self.keep_once(&draw, repeat, || async move {
            let facts = self.store.load_device_keys(id.to_owned()).await?;
            let field = facts.as_ref().map(|facts| facts.product.identity_field).unwrap_or_default();
            let line = match shown.line(field) {
                Ok(line) => line,
                Err(why) => return Ok((Default::default(), Err(invalid("bad_certificate", why)))),
            };
            let holder = self.store.load_device(DeviceKey::KeyThumbprint(line.key_thumbprint.clone())).await?.device;
            let taken = holder
                .as_ref()
                .and_then(|holder| holder.credentials.iter().find(|held| held.key_thumbprint == line.key_thumbprint));
            let request = NewCredential {
                id: credential.clone(),
                kind: draft.kind.unwrap_or(CredentialKind::Initial),
                key_thumbprint: line.key_thumbprint,
                jwk: line.jwk,
                certificate: line.certificate,
                identity: line.identity,
            };
            Ok(settle(lifecycle::add_credential(&request, facts.as_ref(), taken, now), 0, now))
        })
        .await
    }

    /// Revokes a credential.
    ///
    /// # Errors
    /// `not_found`, `version_mismatch`.
    pub async fn revoke_credential(
        &self,
        caller: &Caller,
        id: &str,
        credential: &str,
        if_version: Option<Version>,
        repeat: &Repeat<'_, Versioned<Credential>>,
    ) -> Outcome<Answer<Versioned<Credential>>> {
        let draw = self.draw();
        let now = draw.now();
        self.keep_once(&draw, repeat, || async move {
            let Ok(wanted) = credential.parse::<CredentialId>() else {
                return Ok((Default::default(), Err(not_found("unknown_credential"))));
            };
            let facts = self.store.load_device_keys(id.to_owned()).await?;
            let held = facts.as_ref().and_then(|facts| facts.credentials.iter().find(|held| held.id == wanted));
            let before = held.map_or(0, |held| held.version);
            if let Some(Err(refused)) = held.map(|held| check_version(held.version, if_version)) {
                return Ok((Default::default(), Err(refused)));
            }
            Ok(settle(lifecycle::revoke_credential(caller.actor(), &wanted, facts.as_ref()), before, now))
        })
        .await
    }

    /// The keys that count now: none once revoked, suspended or retired.
    ///
    /// # Errors
    /// `not_found`
    pub async fn device_keys(&self, id: &str) -> Outcome<DeviceKeys> {
        let Some(facts) = self.store.load_device_keys(id.to_owned()).await? else {
            return Ok(Err(not_found("unknown_device")));
        };
        let stopped = matches!(facts.device.state, DeviceState::Suspended | DeviceState::Retired);
        let now = self.now();
        let current = |credential: &&Fact<Credential>| credential.counts(now) && !stopped;
        let keys = facts.credentials.iter().filter(current).map(|credential| published(credential)).collect();
        Ok(Ok(DeviceKeys { keys }))
    }
}

/// `kid` is the thumbprint, so that it names the same key everywhere.
fn published(credential: &Credential) -> Value {
    let mut jwk = credential.jwk.as_object().cloned().unwrap_or_default();
    jwk.insert("kid".to_owned(), json!(credential.key_thumbprint));
    jwk.insert("use".to_owned(), json!("sig"));
    Value::Object(jwk)
}

fn versioned<T>(fact: Fact<T>) -> Versioned<T> {
    Versioned { record: fact.record, version: fact.version }
}

impl DeviceDraft {
    pub(super) fn line(self, credential: Option<LineCredential>) -> Result<ImportLine, Refused> {
        let Self { model, serial, external_id, mac, name, place, attributes, .. } = self;
        let raw = RawLine { model, serial, external_id, mac, name, place, attributes, credential };
        ImportLine::parse(raw).map_err(|error| invalid(error.reason(), error.to_string()))
    }
}
