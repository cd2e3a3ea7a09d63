//! Facts already committed, in the past tense. Owns the one list of types and
//! what may stand in an event: no secret, no token, no private key, no address.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

macro_rules! kinds {
    ($($variant:ident = $text:literal),* $(,)?) => {
        /// What happened. The one list; a breaking change of `data` is a new type.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum EventKind {
            $(#[doc = $text] #[serde(rename = $text)] $variant,)*
        }

        impl EventKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The CloudEvents `type`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The kind of a CloudEvents `type`.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
            }
        }
    };
}

kinds! {
    AssetRegistered = "asset.registered",
    AssetRegistrationDenied = "asset.registration_denied",
    AssetTransferred = "asset.transferred",
    AssetReleased = "asset.released",
    DeviceProvisioned = "device.provisioned",
    DeviceCalledHome = "device.called_home",
    DeviceEnrolled = "device.enrolled",
    DeviceActivated = "device.activated",
    DevicePaired = "device.paired",
    DeviceSuspended = "device.suspended",
    DeviceResumed = "device.resumed",
    DeviceRetired = "device.retired",
    CredentialAdded = "credential.added",
    CredentialRevoked = "credential.revoked",
    BondCreated = "bond.created",
    BondChanged = "bond.changed",
    BondSuspended = "bond.suspended",
    BondResumed = "bond.resumed",
    BondEnded = "bond.ended",
    SessionStarted = "session.started",
    SessionEnded = "session.ended",
    ProductChanged = "product.changed",
    AccountCreated = "account.created",
    AccountClosed = "account.closed",
    UserCreated = "user.created",
    UserDisabled = "user.disabled",
    UserEnabled = "user.enabled",
    UserDeleted = "user.deleted",
    UserChanged = "user.changed",
    ClientCreated = "client.created",
    ClientChanged = "client.changed",
    ClientDeleted = "client.deleted",
    FamilyRevoked = "family.revoked",
    TokenRevoked = "token.revoked",
    ConsentGiven = "consent.given",
    ConsentWithdrawn = "consent.withdrawn",
    KeyRotated = "key.rotated",
    AccessRefused = "access.refused",
    SecurityAnomaly = "security.anomaly",
}

/// A fact to announce. The store adds id, number, time and what was raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The id of the record it speaks of (CloudEvents `subject`).
    pub subject: String,
    /// Facts about it.
    pub data: Map<String, Value>,
}

impl Event {
    /// An event about a record.
    pub fn new(kind: EventKind, subject: impl Into<String>) -> Self {
        Self { kind, subject: subject.into(), data: Map::new() }
    }

    /// Adds a fact.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.data.insert(name.to_owned(), value.into());
        self
    }
}
