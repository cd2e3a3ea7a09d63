//! Devices with what they prove themselves by, and who owns them.

use identity::facts::{CallHomeFacts, CallHomeQuery, DeviceFacts, DeviceKey, ImportFacts, ImportKeys, OwnedFacts};
use identity::{Asset, Credential, Device, DeviceSession, Fact, Product, TrustAnchor};
use store::StoreError;

use crate::snapshot::Snapshot;

type Load<T> = Result<T, StoreError>;

impl Snapshot {
    pub(crate) async fn device_facts(&self, device: Fact<Device>) -> Load<DeviceFacts> {
        let product = self.by_id(device.product.as_str()).await?;
        let product = product.ok_or_else(|| StoreError::Corrupt(format!("device {} has no product", device.id)))?;
        let credentials = self.all("body ->> 'device' = $1 ORDER BY id", &[&device.id.as_str()]).await?;
        Ok(DeviceFacts { device, product, credentials })
    }

    pub(crate) async fn device_by_id(&self, did: &str) -> Load<Option<DeviceFacts>> {
        match self.by_id(did).await? {
            Some(device) => Ok(Some(self.device_facts(device).await?)),
            None => Ok(None),
        }
    }

    pub(crate) async fn device_by_some_id(&self, did: Option<&str>) -> Load<Option<DeviceFacts>> {
        match did {
            Some(did) => self.device_by_id(did).await,
            None => Ok(None),
        }
    }

    /// A device with its open title and that title's account.
    pub(crate) async fn owned(&self, device: Option<Fact<Device>>) -> Load<OwnedFacts> {
        let Some(device) = device else { return Ok(OwnedFacts::default()) };
        let asset: Option<Fact<Asset>> =
            self.one("body ->> 'device' = $1 AND body ->> 'closed_at' IS NULL", &[&device.id.as_str()]).await?;
        let account = self.by_some_id(asset.as_ref().map(|asset| asset.account.as_str())).await?;
        Ok(OwnedFacts { device: Some(self.device_facts(device).await?), asset, account })
    }

    /// A device by its open title; a closed one names nothing any more.
    pub(crate) async fn owned_by_title(&self, asset: &str) -> Load<OwnedFacts> {
        match self.by_id::<Asset>(asset).await? {
            Some(asset) if asset.closed_at.is_none() => self.owned(self.by_id(asset.device.as_str()).await?).await,
            _ => Ok(OwnedFacts::default()),
        }
    }

    pub(crate) async fn device(&self, key: &DeviceKey) -> Load<Option<Fact<Device>>> {
        match key {
            DeviceKey::Did(id) => self.by_id(id.as_str()).await,
            DeviceKey::ExternalId(id) => self.by_member("external_id", Some(id)).await,
            DeviceKey::Mac(mac) => self.by_member("mac", Some(mac)).await,
            DeviceKey::Serial { model, serial } => self.device_by_serial(model.as_deref(), serial).await,
            DeviceKey::CertificateThumbprint(thumbprint) => {
                self.device_of(self.one("body #>> '{certificate,thumbprint}' = $1", &[&thumbprint]).await?).await
            }
            DeviceKey::KeyThumbprint(thumbprint) => self.device_of(self.credential_by_key(thumbprint).await?).await,
        }
    }

    /// Serial numbers are unique within a model; without one the serial must be
    /// the only one.
    pub(crate) async fn device_by_serial(&self, model: Option<&str>, serial: &str) -> Load<Option<Fact<Device>>> {
        let Some(model) = model else {
            let mut found = self.all("body ->> 'serial' = $1 LIMIT 2", &[&serial]).await?;
            return Ok(if found.len() == 1 { found.pop() } else { None });
        };
        let product: Option<Fact<Product>> = self.by_member("model", Some(model)).await?;
        let Some(product) = product else { return Ok(None) };
        self.one("body ->> 'serial' = $1 AND body ->> 'product' = $2", &[&serial, &product.id.as_str()]).await
    }

    /// Certificate authorities of a device's product, disabled ones included.
    pub(crate) async fn trust_anchors_of(&self, device: Option<&DeviceFacts>) -> Load<Vec<Fact<TrustAnchor>>> {
        let Some(known) = device else { return Ok(Vec::new()) };
        self.all("body ->> 'product' = $1 ORDER BY id", &[&known.product.id.as_str()]).await
    }

    pub(crate) async fn credential_by_key(&self, thumbprint: &str) -> Load<Option<Fact<Credential>>> {
        self.by_member("key_thumbprint", Some(thumbprint)).await
    }

    pub(crate) async fn device_of(&self, credential: Option<Fact<Credential>>) -> Load<Option<Fact<Device>>> {
        self.by_some_id(credential.as_ref().map(|credential| credential.device.as_str())).await
    }

    pub(crate) async fn call_home(&self, query: &CallHomeQuery) -> Load<CallHomeFacts> {
        let credential = match (self.credential_by_key(&query.key_thumbprint).await?, &query.certificate) {
            (None, Some((issuer, serial))) => {
                self.one(
                    "body #>> '{certificate,serial}' = $1 AND body #>> '{certificate,issuer}' = $2",
                    &[&serial, &issuer],
                )
                .await?
            }
            (found, _) => found,
        };
        let id = credential.as_ref().map(|credential| credential.id.as_str());
        let session: Option<Fact<DeviceSession>> = self
            .one("body ->> 'credential' = $1 ORDER BY (body ->> 'opened_at')::bigint DESC, id DESC LIMIT 1", &[&id])
            .await?;
        let owned = self.owned(self.device_of(credential.clone()).await?).await?;
        let bonds = match &owned.asset {
            Some(asset) => self.owners_bonds(asset.id.as_str()).await?,
            None => Vec::new(),
        };
        let trust_anchors = self.trust_anchors_of(owned.device.as_ref()).await?;
        Ok(CallHomeFacts { tenant: self.tenant(), credential, owned, bonds, trust_anchors, session })
    }

    pub(crate) async fn import(&self, line: &ImportKeys) -> Load<ImportFacts> {
        let product: Option<Fact<Product>> = self.by_member("model", Some(&line.model)).await?;
        let by_serial = match (&product, &line.serial) {
            (Some(product), Some(serial)) => {
                self.one(
                    "body ->> 'serial' = $1 AND body ->> 'product' = $2",
                    &[&serial.as_str(), &product.id.as_str()],
                )
                .await?
            }
            _ => None,
        };
        let by_external_id = self.by_member("external_id", line.external_id.as_deref()).await?;
        let by_mac = self.by_member("mac", line.mac.as_deref()).await?;
        let credential = self.by_member("key_thumbprint", line.key_thumbprint.as_deref()).await?;
        Ok(ImportFacts { product, by_serial, by_external_id, by_mac, credential })
    }
}
