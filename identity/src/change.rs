//! The closed list of writes a rule of this crate may ask for.

use crate::anchor::Raise;
use crate::decision::{RecordKey, Version};
use crate::{
    Account, Asset, Bond, BrowserSession, Credential, Device, DeviceSession, Import, MailToken, Passkey, Product,
    TrustAnchor, User,
};

/// A whole record to be written, if its version is still this one (0: if there
/// is none yet). The store counts the version up; epochs are not touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write<T> {
    /// What is written.
    pub record: T,
    /// The version it must have now.
    pub version: Version,
}

impl<T> Write<T> {
    /// A record that must not exist yet.
    pub fn new(record: T) -> Self {
        Self { record, version: 0 }
    }
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A device model.
    Product(Write<Product>),
    /// A certificate authority for devices.
    TrustAnchor(Write<TrustAnchor>),
    /// A device.
    Device(Write<Device>),
    /// A credential of a device.
    Credential(Write<Credential>),
    /// A household or organisation.
    Account(Write<Account>),
    /// A person.
    User(Write<User>),
    /// A passkey.
    Passkey(Write<Passkey>),
    /// A title.
    Asset(Write<Asset>),
    /// A bond.
    Bond(Write<Bond>),
    /// A login in a browser.
    BrowserSession(Write<BrowserSession>),
    /// A device's session.
    DeviceSession(Write<DeviceSession>),
    /// A secret sent by mail.
    MailToken(Write<MailToken>),
    /// A run of an import.
    Import(Write<Import>),
    /// Raises an anchor; the store gives the epoch.
    Raise(Raise),
    /// Uses a key up until a time in seconds: fails if it is used already.
    Once {
        /// What is used up; a digest where it holds foreign text.
        key: String,
        /// Until when it is remembered.
        until: i64,
    },
    /// Counts a record's version up without writing it: the membership of a
    /// set has changed.
    Touch {
        /// Which record.
        key: RecordKey,
        /// The version it must have now.
        version: Version,
    },
    /// Removes a record that nothing hangs from.
    Erase {
        /// Which record.
        key: RecordKey,
        /// The version it must have now.
        version: Version,
    },
}

macro_rules! from_write {
    ($($name:ident),* $(,)?) => {
        $(impl From<Write<$name>> for Change {
            fn from(write: Write<$name>) -> Self {
                Self::$name(write)
            }
        })*
    };
}

from_write!(
    Product,
    TrustAnchor,
    Device,
    Credential,
    Account,
    User,
    Passkey,
    Asset,
    Bond,
    BrowserSession,
    DeviceSession,
    MailToken,
    Import,
);

impl From<Raise> for Change {
    fn from(raise: Raise) -> Self {
        Self::Raise(raise)
    }
}
