//! Device models: what their devices may do, and how they come in.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::anchor::AnchorKind;
use crate::decision::{Kind, Record};
use crate::id::ProductId;

/// Which field of a factory certificate names the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityField {
    /// `serialNumber` of the subject (IEEE 802.1AR).
    #[default]
    SubjectSerialNumber,
    /// The common name of the subject.
    CommonName,
    /// A URI among the alternative names.
    SanUri,
}

/// A device model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Our id.
    pub id: ProductId,
    /// The model's name as devices say it, for example `SPK-2`; unique.
    pub model: String,
    /// What people read.
    pub name: String,
    /// One of the portal's icons: speaker, lock, thermostat, light, camera, car, tag.
    #[serde(default)]
    pub icon: String,
    /// Who makes it.
    #[serde(default)]
    pub manufacturer: String,
    /// JSON Schema (the subset documented in docs/api.md) for `attributes` of its devices.
    #[serde(default)]
    pub attribute_schema: Option<Value>,
    /// Where a factory certificate carries the serial number.
    #[serde(default)]
    pub identity_field: IdentityField,
    /// A factory credential counts as operational: call home makes the device `enrolled`.
    #[serde(default)]
    pub factory_key_is_operational: bool,
    /// Key or certificate must be in the registry before a device is believed.
    #[serde(default)]
    pub factory_provisioned: bool,
    /// A device unknown to the registry may be registered by its owner's app.
    #[serde(default)]
    pub self_registration: bool,
    /// Devices in state `registered` may be paired.
    #[serde(default)]
    pub pair_when_registered: bool,
    /// Scopes a device of this model may hold for its owner.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Who may receive its tokens; the first is the default audience.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// The newest firmware: version and what call home tells about it.
    #[serde(default)]
    pub firmware_version: Option<String>,
}

impl Record for Product {
    const KIND: Kind = Kind("product");
    const ANCHOR: Option<AnchorKind> = Some(AnchorKind::Product);
    fn id(&self) -> &str {
        self.id.as_str()
    }
}
