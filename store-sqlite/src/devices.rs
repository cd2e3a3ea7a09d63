//! Devices with what they prove themselves by, and who owns them.

use std::collections::HashMap;

use identity::facts::{CallHomeFacts, CallHomeQuery, DeviceFacts, DeviceKey, ImportFacts, ImportKeys, OwnedFacts};
use identity::{Asset, Credential, Device, DeviceSession, Fact, Product, TrustAnchor};
use rusqlite::params;
use store::StoreError;

use crate::pack::name;
use crate::snapshot::Snapshot;

type Load<T> = Result<T, StoreError>;

impl Snapshot<'_> {
    pub(crate) fn device_facts(&self, device: Fact<Device>) -> Load<DeviceFacts> {
        let product = self.product(device.product.as_str())?;
        let product = product.ok_or_else(|| StoreError::Corrupt(format!("device {} has no product", device.id)))?;
        let credentials = self.all("device = ?1 ORDER BY id", [name(device.id.as_str())])?;
        Ok(DeviceFacts { device, product, credentials })
    }

    pub(crate) fn device_by_id(&self, did: &str) -> Load<Option<DeviceFacts>> {
        self.by_id(did)?.map(|device| self.device_facts(device)).transpose()
    }

    /// A device with its open title and that title's account.
    pub(crate) fn owned(&self, device: Option<Fact<Device>>) -> Load<OwnedFacts> {
        let Some(device) = device else { return Ok(OwnedFacts::default()) };
        let asset: Option<Fact<Asset>> = self.one("device = ?1 AND closed_at IS NULL", [device.id.as_str()])?;
        let account = self.by_some_id(asset.as_ref().map(|asset| asset.account.as_str()))?;
        Ok(OwnedFacts { device: Some(self.device_facts(device)?), asset, account })
    }

    /// The same, where another name may have led to it already.
    pub(crate) fn owned_beside(&self, device: Option<Fact<Device>>, known: &[&OwnedFacts]) -> Load<OwnedFacts> {
        let same = |owned: &&&OwnedFacts| {
            owned.device.as_ref().map(|facts| &facts.device.id) == device.as_ref().map(|device| &device.id)
        };
        match known.iter().find(same) {
            Some(owned) => Ok(OwnedFacts::clone(owned)),
            None => self.owned(device),
        }
    }

    /// A device by its open title; a closed one names nothing any more.
    pub(crate) fn owned_by_title(&self, asset: &str) -> Load<OwnedFacts> {
        match self.by_id::<Asset>(asset)? {
            Some(asset) if asset.closed_at.is_none() => self.owned(self.by_id(asset.device.as_str())?),
            _ => Ok(OwnedFacts::default()),
        }
    }

    pub(crate) fn device(&self, key: &DeviceKey) -> Load<Option<Fact<Device>>> {
        match key {
            DeviceKey::Did(id) => self.by_id(id.as_str()),
            DeviceKey::ExternalId(id) => self.one("external_id = ?1", [id]),
            DeviceKey::Mac(mac) => self.one("mac = ?1", [mac]),
            DeviceKey::Serial { model, serial } => self.device_by_serial(model.as_deref(), serial),
            DeviceKey::CertificateThumbprint(thumbprint) => {
                self.device_of(self.one("certificate_thumbprint = ?1", [name(thumbprint)])?)
            }
            DeviceKey::KeyThumbprint(thumbprint) => self.device_of(self.credential_by_key(thumbprint)?),
        }
    }

    /// Serial numbers are unique within a model; without one the serial must be
    /// the only one.
    pub(crate) fn device_by_serial(&self, model: Option<&str>, serial: &str) -> Load<Option<Fact<Device>>> {
        let Some(model) = model else {
            let mut found = self.all("serial = ?1 LIMIT 2", [serial])?;
            return Ok(if found.len() == 1 { found.pop() } else { None });
        };
        let product = self.product_by_model(model)?;
        product.map_or(Ok(None), |product| self.by_serial(&product, serial))
    }

    fn by_serial(&self, product: &Product, serial: &str) -> Load<Option<Fact<Device>>> {
        self.one("serial = ?1 AND product = ?2", params![serial, name(product.id.as_str())])
    }

    /// Certificate authorities of a device's product, disabled ones included.
    pub(crate) fn trust_anchors_of(&self, device: Option<&DeviceFacts>) -> Load<Vec<Fact<TrustAnchor>>> {
        device.map_or(Ok(Vec::new()), |known| self.all("product = ?1 ORDER BY id", [known.product.id.as_str()]))
    }

    pub(crate) fn credential_by_key(&self, thumbprint: &str) -> Load<Option<Fact<Credential>>> {
        self.one("key_thumbprint = ?1", [name(thumbprint)])
    }

    pub(crate) fn device_of(&self, credential: Option<Fact<Credential>>) -> Load<Option<Fact<Device>>> {
        self.by_some_id(credential.as_ref().map(|credential| credential.device.as_str()))
    }

    pub(crate) fn call_home(&self, query: &CallHomeQuery) -> Load<CallHomeFacts> {
        let credential = match (self.credential_by_key(&query.key_thumbprint)?, &query.certificate) {
            (None, Some((issuer, serial))) => {
                self.one("certificate_serial = ?1 AND certificate_issuer = ?2", [name(serial), name(issuer)])?
            }
            (found, _) => found,
        };
        let id = credential.as_ref().map(|credential| credential.id.as_str());
        let session: Option<Fact<DeviceSession>> =
            self.one("credential = ?1 ORDER BY opened_at DESC, id DESC LIMIT 1", [id])?;
        let owned = self.owned(self.device_of(credential.clone())?)?;
        let bonds = match &owned.asset {
            Some(asset) => self.owners_bonds(asset.id.as_str())?,
            None => Vec::new(),
        };
        let trust_anchors = self.trust_anchors_of(owned.device.as_ref())?;
        Ok(CallHomeFacts { tenant: self.tenant(), credential, owned, bonds, trust_anchors, session })
    }

    /// Lines of one file mostly name one model.
    pub(crate) fn imports(&self, lines: &[ImportKeys]) -> Load<Vec<ImportFacts>> {
        let mut products: HashMap<&str, Option<Fact<Product>>> = HashMap::new();
        lines
            .iter()
            .map(|line| {
                let product = match products.get(line.model.as_str()) {
                    Some(known) => known.clone(),
                    None => products.entry(&line.model).or_insert(self.one("model = ?1", [&line.model])?).clone(),
                };
                self.import(product, line)
            })
            .collect()
    }

    fn import(&self, product: Option<Fact<Product>>, line: &ImportKeys) -> Load<ImportFacts> {
        let by_serial = match (&product, &line.serial) {
            (Some(product), Some(serial)) => self.by_serial(product, serial)?,
            _ => None,
        };
        let by_external_id = line.external_id.as_ref().map_or(Ok(None), |id| self.one("external_id = ?1", [id]))?;
        let by_mac = line.mac.as_ref().map_or(Ok(None), |mac| self.one("mac = ?1", [mac]))?;
        let credential = line.key_thumbprint.as_ref().map_or(Ok(None), |key| self.credential_by_key(key))?;
        Ok(ImportFacts { product, by_serial, by_external_id, by_mac, credential })
    }
}
