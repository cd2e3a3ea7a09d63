//! Plain keeping of the registry, as systems and staff of the maker see it:
//! read, list, make, change, steer.
//!
//! Owns who counts as caller, filters, versions, kept replies, imports and the
//! following of events. What a device or a person may do for themselves stands
//! in the use cases beside this.

mod accounts;
mod assets;
mod bonds;
mod caller;
mod clients;
mod credential;
mod devices;
mod events;
pub mod filter;
mod imports;
mod keep;
mod list;
mod products;
mod repeat;
mod trust_anchors;
mod users;

pub use accounts::AccountDraft;
pub use assets::AssetDraft;
pub use caller::Caller;
pub use clients::MintedClient;
pub use devices::{CredentialDraft, DeviceDraft, DeviceKeys};
pub use events::{EventsAfter, EventsPage, EventsQuery, Wakes};
pub use identity::facts::DeviceKey;
pub use imports::{ImportFormat, ImportRun, Line as ImportedLine, Reader as ImportReader};
pub use keep::{Outcome, Refused, Versioned};
pub use list::{Listing, ListingPage, Resource};
pub use products::ProductDraft;
pub use repeat::{Answer, KeptReply, Repeat, RepeatKey};
pub use trust_anchors::{TrustAnchorDraft, TrustAnchorEdit};
pub use users::{UserDraft, UserEdit};
