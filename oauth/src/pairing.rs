//! A pairing: a device code with its user code, from the device's first request
//! to its first token (RFC 8628).

use identity::{AccountId, AnchorKind, ClientId, DeviceId, Digest, FamilyId, Kind, Record, UserId};
use serde::{Deserialize, Serialize};

use crate::scope::Scope;

/// Where a pairing stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum PairingState {
    /// Nobody has decided.
    Pending,
    /// An owner said yes; the device has not fetched its tokens.
    Approved {
        /// Who.
        user: UserId,
        /// For which account.
        account: AccountId,
        /// When, seconds.
        at: i64,
        /// When that person signed in, seconds.
        auth_time: i64,
        /// How.
        methods: Vec<String>,
    },
    /// An owner said no, or it could not be.
    Denied,
    /// The tokens were handed out; seen again within its life, the family ends.
    Consumed {
        /// What was handed out.
        family: FamilyId,
    },
}

/// A pairing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pairing {
    /// Digest of the device code.
    pub id: Digest,
    /// Keyed hash (HMAC) of the user code: its space is small. Unique among live ones.
    pub user_code: Digest,
    /// Who asked.
    pub client: ClientId,
    /// Which device, where the request proved one.
    pub device: Option<DeviceId>,
    /// Thumbprint of the key the tokens will be bound to.
    pub dpop_jkt: Option<String>,
    /// What it asks for.
    pub scope: Scope,
    /// For which resources.
    pub resources: Vec<String>,
    /// `authorization_details` of type `device_pairing` were sent.
    pub detailed: bool,
    /// Seconds between polls, grows by 5, at most 60.
    pub interval: i64,
    /// Last poll, seconds.
    pub polled_at: Option<i64>,
    /// When it was asked, seconds.
    pub created_at: i64,
    /// When both codes die, seconds.
    pub expires_at: i64,
    /// Where it stands.
    pub state: PairingState,
}

impl Record for Pairing {
    const KIND: Kind = Kind("pairing");
    const ANCHOR: Option<AnchorKind> = None;
    fn id(&self) -> &str {
        self.id.as_str()
    }
}
