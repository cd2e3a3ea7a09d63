//! What the registry's rules are told: one struct per set, loaded in one call
//! and one snapshot.

use crate::credential::{CredentialKind, CredentialState};
use crate::decision::Fact;
use crate::id::{DeviceId, FamilyId};
use crate::{
    Account, Asset, Bond, BrowserSession, Credential, Device, DeviceSession, MailToken, Passkey, Product, Tenant,
    TrustAnchor, User,
};

/// A device with what it proves itself by.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceFacts {
    /// The device.
    pub device: Fact<Device>,
    /// Its model.
    pub product: Fact<Product>,
    /// Its credentials, revoked ones included.
    pub credentials: Vec<Fact<Credential>>,
}

impl DeviceFacts {
    /// Whether a credential of it counts for daily use: an operational one, or
    /// the factory's where the product says so.
    pub fn has_operational_credential(&self) -> bool {
        self.credentials.iter().any(|credential| {
            credential.state == CredentialState::Current
                && (credential.kind == CredentialKind::Operational || self.product.factory_key_is_operational)
        })
    }
}

/// A device and who owns it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OwnedFacts {
    /// The device.
    pub device: Option<DeviceFacts>,
    /// Its open title.
    pub asset: Option<Fact<Asset>>,
    /// Who owns that.
    pub account: Option<Fact<Account>>,
}

/// Any identifier of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceKey {
    /// Its did.
    Did(DeviceId),
    /// What its maker calls it.
    ExternalId(String),
    /// Model and serial number.
    Serial {
        /// The model's name; without it the serial must be the only one.
        model: Option<String>,
        /// The serial number.
        serial: String,
    },
    /// `aa:bb:cc:dd:ee:ff`.
    Mac(String),
    /// SHA-256 of its certificate, base64url.
    CertificateThumbprint(String),
    /// RFC 7638 thumbprint of its key, base64url.
    KeyThumbprint(String),
}

/// How a device that calls home is found: by its key **or** by issuer and serial
/// number of its certificate; the rule compares both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallHomeQuery {
    /// RFC 7638 thumbprint of the key it proved.
    pub key_thumbprint: String,
    /// SHA-256 of the certificate's issuer name and its serial in hex.
    pub certificate: Option<(String, String)>,
}

/// For call home.
#[derive(Debug, Clone, PartialEq)]
pub struct CallHomeFacts {
    /// The tenant.
    pub tenant: Tenant,
    /// The credential that was found.
    pub credential: Option<Fact<Credential>>,
    /// Its device, with title and account where it is owned.
    pub owned: OwnedFacts,
    /// Live owners' bonds on the title, the oldest first.
    pub bonds: Vec<Fact<Bond>>,
    /// The product's certificate authorities, disabled ones included.
    pub trust_anchors: Vec<Fact<TrustAnchor>>,
    /// The session of this credential, to be replaced.
    pub session: Option<Fact<DeviceSession>>,
}

/// The names a line of an import gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportKeys {
    /// The model.
    pub model: String,
    /// Serial number.
    pub serial: Option<String>,
    /// The maker's own id.
    pub external_id: Option<String>,
    /// MAC.
    pub mac: Option<String>,
    /// Thumbprint of its key.
    pub key_thumbprint: Option<String>,
}

/// What is known of a line of an import.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImportFacts {
    /// The model.
    pub product: Option<Fact<Product>>,
    /// The device by serial.
    pub by_serial: Option<Fact<Device>>,
    /// The device by external id.
    pub by_external_id: Option<Fact<Device>>,
    /// The device by MAC.
    pub by_mac: Option<Fact<Device>>,
    /// The credential with that key.
    pub credential: Option<Fact<Credential>>,
}

/// A person.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PersonFacts {
    /// The person.
    pub user: Option<Fact<User>>,
    /// Their household.
    pub account: Option<Fact<Account>>,
    /// Their passkeys.
    pub passkeys: Vec<Fact<Passkey>>,
    /// Where they are signed in.
    pub sign_ins: SignIns,
}

/// A secret sent by mail.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MailTokenFacts {
    /// The secret's record.
    pub token: Option<Fact<MailToken>>,
    /// For whom.
    pub user: Option<Fact<User>>,
    /// Where they are signed in.
    pub sign_ins: SignIns,
    /// Whether anybody has a staff role yet.
    pub has_staff: bool,
}

/// A browser session.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SessionFacts {
    /// The session.
    pub session: Option<Fact<BrowserSession>>,
    /// Who is signed in.
    pub user: Option<Fact<User>>,
}

/// A passkey with its owner.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PasskeyFacts {
    /// The passkey.
    pub passkey: Option<Fact<Passkey>>,
    /// Whose it is.
    pub user: Option<Fact<User>>,
}

/// A bond, to be ended or changed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BondFacts {
    /// The bond.
    pub bond: Option<Fact<Bond>>,
    /// Its title, where it is on one.
    pub owned: OwnedFacts,
    /// Its account, where it is on one, or the title's.
    pub account: Option<Fact<Account>>,
    /// All other live bonds on the same target.
    pub siblings: Vec<Fact<Bond>>,
    /// Live memberships of that account.
    pub memberships: Vec<Fact<Bond>>,
    /// Where the bond is a membership: the holder's other live bonds on open
    /// titles of that account, each with its title.
    pub holdings: Vec<(Fact<Bond>, Fact<Asset>)>,
}

/// Where a person is signed in, of [`PersonFacts`]: loaded in the same snapshot.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SignIns {
    /// Browser sessions that have not ended.
    pub sessions: Vec<Fact<BrowserSession>>,
    /// Token families of this person in which no device acts, and that have not
    /// ended: what apps hold.
    pub families: Vec<FamilyId>,
}
