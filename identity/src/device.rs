//! A device: the thing itself, a peer of a person in the registry.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::anchor::AnchorKind;
use crate::decision::{Kind, Record};
use crate::id::{DeviceId, ProductId};

/// Where a device stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceState {
    /// Known, without an operational credential.
    Registered,
    /// Has an operational credential, no live bond.
    Enrolled,
    /// Has a live bond.
    Active,
    /// Stopped by staff or an anomaly; resume returns to the state before.
    Suspended,
    /// Final; serial and key stay blocked.
    Retired,
}

impl DeviceState {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Enrolled => "enrolled",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Retired => "retired",
        }
    }
}

/// A device in the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its did.
    pub id: DeviceId,
    /// Its model.
    pub product: ProductId,
    /// Unique within its product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// `aa:bb:cc:dd:ee:ff`, unique.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// What its maker calls it; unique, compared exactly, never a `sub`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What people call it before it has a title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it physically is, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// By the schema of its product.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
    /// Its state.
    pub state: DeviceState,
    /// The state that resume returns to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumes_to: Option<DeviceState>,
    /// Waits for staff to approve it; a condition beside the state.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub pending: bool,
    /// When it was made, seconds.
    pub created_at: i64,
}

impl Record for Device {
    const KIND: Kind = Kind("device");
    const ANCHOR: Option<AnchorKind> = Some(AnchorKind::Device);
    fn id(&self) -> &str {
        self.id.as_str()
    }
}
