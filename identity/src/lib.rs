//! Who and what there is: tenants, accounts, users, devices, assets, bonds,
//! credentials, sessions, and their legal transitions.
//!
//! Owns the generic [`Decision`], [`Guard`], [`Anchor`] and [`Refusal`] that
//! every rule of the house speaks. Never knows OAuth words, SQL or HTTP.

mod anchor;
mod change;
mod decision;
mod device_error;
mod event;
mod id;
mod problem;
mod secret;
mod tenant;

pub mod account;
pub mod asset;
pub mod bond;
pub mod credential;
pub mod device;
pub mod facts;
pub mod import;
pub mod mail;
pub mod passkey;
pub mod product;
pub mod rule;
pub mod session;
pub mod staff;
pub mod trust_anchor;
pub mod user;

pub use account::Account;
pub use anchor::{Anchor, AnchorClass, AnchorEpoch, AnchorKind, Anchors, Epoch, Epochs, Raise, RaiseKind};
pub use asset::Asset;
pub use bond::Bond;
pub use change::{Change, Write};
pub use credential::Credential;
pub use decision::{Decision, Fact, Guard, Kind, Record, RecordKey, Refusal, Version};
pub use device::Device;
pub use device_error::DeviceErrorCode;
pub use event::{Event, EventKind};
pub use id::{
    AccountId, AssetId, BondId, ClientId, CredentialId, DeviceId, DeviceSessionId, FamilyId, IdError, ImportId,
    PasskeyId, ProductId, SessionId, TrustAnchorId, UserId, is_reserved_prefix,
};
pub use import::Import;
pub use mail::MailToken;
pub use passkey::Passkey;
pub use problem::ProblemCode;
pub use product::Product;
pub use secret::{Digest, Secret};
pub use session::{BrowserSession, DeviceSession};
pub use staff::Role;
pub use tenant::Tenant;
pub use trust_anchor::TrustAnchor;
pub use user::User;
