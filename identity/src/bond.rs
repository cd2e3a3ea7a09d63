//! A bond ties a holder to a target with a role, rights and a time window.
//! Membership of a household is a bond on its account.

use serde::{Deserialize, Serialize};

use crate::anchor::AnchorKind;
use crate::decision::{Kind, Record};
use crate::id::{AccountId, AssetId, BondId, ClientId, DeviceId, UserId};

/// Who a bond is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "lowercase")]
pub enum Holder {
    /// A person.
    User(UserId),
    /// Another device.
    Device(DeviceId),
    /// A service, by its client.
    Service(ClientId),
}

/// What a bond is on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "lowercase")]
pub enum Target {
    /// One device as owned.
    Asset(AssetId),
    /// An account: its present and future assets.
    Account(AccountId),
}

impl Holder {
    /// The id, whatever the kind.
    pub fn id(&self) -> &str {
        match self {
            Self::User(id) => id.as_str(),
            Self::Device(id) => id.as_str(),
            Self::Service(id) => id.as_str(),
        }
    }
}

impl Target {
    /// The id, whatever the kind.
    pub fn id(&self) -> &str {
        match self {
            Self::Asset(id) => id.as_str(),
            Self::Account(id) => id.as_str(),
        }
    }
}

/// What the holder is to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BondRole {
    /// Owns it; the last owner of an account cannot be removed.
    Owner,
    /// Owns it beside the owner.
    CoOwner,
    /// Lives there.
    Member,
    /// A child of the household.
    Child,
    /// Lent to.
    Guest,
}

impl BondRole {
    /// Whether the holder decides over the target: an account keeps at least
    /// one such holder, a title closes with its last one.
    pub fn owns(self) -> bool {
        matches!(self, Self::Owner | Self::CoOwner)
    }

    /// Whether a member of an account in this role may bring things into it.
    pub fn may_claim(self) -> bool {
        matches!(self, Self::Owner | Self::CoOwner | Self::Member)
    }

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::CoOwner => "co-owner",
            Self::Member => "member",
            Self::Child => "child",
            Self::Guest => "guest",
        }
    }
}

/// How it came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BondOrigin {
    /// An asset-token exchange.
    Exchange,
    /// A pairing by user code.
    Pairing,
    /// Made with the account at sign-up.
    SignUp,
    /// Made by staff.
    Staff,
}

/// Whether it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BondState {
    /// It holds inside its window.
    Active,
    /// Paused; can be resumed.
    Suspended,
    /// Over for good.
    Ended,
}

/// A bond.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bond {
    /// Our id.
    pub id: BondId,
    /// Who it is for.
    pub holder: Holder,
    /// What it is on.
    pub target: Target,
    /// What the holder is to it.
    pub role: BondRole,
    /// Rights, as scopes; `None` means all that the role has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// Holds from then on, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<i64>,
    /// Holds until then, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<i64>,
    /// How it came about.
    pub origin: BondOrigin,
    /// The bond it was lent from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<BondId>,
    /// Whether it holds.
    pub state: BondState,
    /// When it was made, seconds.
    pub created_at: i64,
    /// When it ended, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<i64>,
}

impl Bond {
    /// Whether it holds at this moment, its own record alone considered.
    pub fn is_live(&self, now: i64) -> bool {
        self.state == BondState::Active
            && self.not_before.is_none_or(|from| from <= now)
            && self.not_after.is_none_or(|until| now < until)
    }
}

impl Record for Bond {
    const KIND: Kind = Kind("bond");
    const ANCHOR: Option<AnchorKind> = Some(AnchorKind::Bond);
    fn id(&self) -> &str {
        self.id.as_str()
    }
}
