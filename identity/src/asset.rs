//! The title: this device as owned by this account, from one day to another.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::anchor::AnchorKind;
use crate::decision::{Kind, Record};
use crate::id::{AccountId, AssetId, ClientId, DeviceId, UserId};

/// Whether the device signed for itself when it was registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Possession {
    /// It signed with its key.
    Proved,
    /// An app spoke for it.
    None,
}

/// A title. A device has at most one that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// Our id.
    pub id: AssetId,
    /// The device.
    pub device: DeviceId,
    /// Who owns it.
    pub account: AccountId,
    /// What its owner calls it.
    pub name: String,
    /// Where in the house.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// The registering user's number at the customer system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<String>,
    /// Who registered it, if a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_by: Option<UserId>,
    /// Through which client, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// Whether the device proved its key.
    pub possession: Possession,
    /// RFC 7638 thumbprint of the key it proved, or of the unverified key an app sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_thumbprint: Option<String>,
    /// Custom attributes out of the actor token: at most 32, at most 4 KiB.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
    /// From when, seconds.
    pub opened_at: i64,
    /// Until when, seconds; `None` while it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<i64>,
}

impl Record for Asset {
    const KIND: Kind = Kind("asset");
    const ANCHOR: Option<AnchorKind> = Some(AnchorKind::Asset);
    fn id(&self) -> &str {
        self.id.as_str()
    }
}
