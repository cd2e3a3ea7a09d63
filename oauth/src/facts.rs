//! What the token endpoint's rules are told: one struct per set, loaded in one
//! call and one snapshot.

use std::sync::Arc;

use identity::facts::{DeviceFacts, OwnedFacts};
use identity::{
    Account, Asset, Bond, BrowserSession, DeviceId, DeviceSession, Fact, Product, Tenant, TrustAnchor, User,
};

use crate::client::Client;
use crate::code::AuthorizationCode;
use crate::consent::Consent;
use crate::family::TokenFamily;
use crate::pairing::Pairing;

/// Who calls: a registered client, or a device as its own client under its did.
#[derive(Debug, Clone, PartialEq)]
pub struct CallerFacts {
    /// The tenant.
    pub tenant: Arc<Tenant>,
    /// The client of that id.
    pub client: Option<Arc<Fact<Client>>>,
    /// The device of that id, where there is no such client.
    pub device: Option<DeviceFacts>,
    /// Whether the assertion's `jti` was used before.
    pub assertion_used: bool,
    /// Certificate authorities of that device's product, disabled ones included.
    pub trust_anchors: Vec<Fact<TrustAnchor>>,
}

/// All a token about an owned device can hang from, as it is now. What there is
/// none of is `None`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChainFacts {
    /// The person.
    pub user: Option<Fact<User>>,
    /// The household or organisation.
    pub account: Option<Fact<Account>>,
    /// The title.
    pub asset: Option<Fact<Asset>>,
    /// The bond the tokens hang from.
    pub bond: Option<Fact<Bond>>,
    /// The device and its model.
    pub device: Option<DeviceFacts>,
    /// The login.
    pub session: Option<Fact<BrowserSession>>,
    /// The device's session.
    pub device_session: Option<Fact<DeviceSession>>,
    /// The remembered yes of the user for the client.
    pub consent: Option<Fact<Consent>>,
    /// The client the tokens were issued to, where it is not the caller.
    pub client: Option<Fact<Client>>,
    /// The family.
    pub family: Option<Fact<TokenFamily>>,
}

/// For the authorization endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct AuthorizeFacts {
    /// The tenant.
    pub tenant: Tenant,
    /// Who asks.
    pub client: Option<Fact<Client>>,
    /// The remembered yes, not withdrawn.
    pub consent: Option<Fact<Consent>>,
    /// The person who is signed in.
    pub user: Option<Fact<User>>,
}

/// For redeeming a code.
#[derive(Debug, Clone, PartialEq)]
pub struct CodeFacts {
    /// Who calls.
    pub caller: CallerFacts,
    /// The code.
    pub code: Option<Fact<AuthorizationCode>>,
    /// What its tokens hang from: user, account, session, consent, family.
    pub chain: ChainFacts,
}

/// For a refresh.
#[derive(Debug, Clone, PartialEq)]
pub struct RefreshFacts {
    /// Who calls.
    pub caller: CallerFacts,
    /// The chain of the family, `chain.family` included.
    pub chain: ChainFacts,
    /// Epochs, as they are now, of every anchor the family lists, in its order;
    /// `None` where the record is missing.
    pub anchors_now: Vec<Option<identity::Epochs>>,
}

/// For polling a device code, and for the owner's page.
#[derive(Debug, Clone, PartialEq)]
pub struct PairingFacts {
    /// Who calls; on the owner's page, the client that asked.
    pub caller: CallerFacts,
    /// The pairing.
    pub pairing: Option<Fact<Pairing>>,
    /// The device that asks, its open title and that title's account.
    pub owned: OwnedFacts,
    /// The user who approved, or who looks at the page, with their account.
    pub user: Option<Fact<User>>,
    /// That user's household.
    pub account: Option<Fact<Account>>,
    /// Live bonds of that user on the title or on its account.
    pub bonds: Vec<Fact<Bond>>,
    /// The family that was handed out, if it was.
    pub family: Option<Fact<TokenFamily>>,
}

/// How an asset registration names the device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistrationQuery {
    /// The subject of the subject token, where it is a user of ours.
    pub user: Option<String>,
    /// `asset_id` of the actor token.
    pub asset: Option<String>,
    /// `did` of the actor token where it is one of ours.
    pub did: Option<DeviceId>,
    /// `did` of the actor token where it is the maker's own.
    pub external_id: Option<String>,
    /// `model` of the actor token.
    pub model: Option<String>,
    /// `serial_number` of the actor token.
    pub serial: Option<String>,
    /// Thumbprint of `cnf.jwk`.
    pub key_thumbprint: Option<String>,
    /// `jti` of the actor token as a once key.
    pub actor_once: Option<String>,
    /// `account_id` of the actor token.
    pub account: Option<String>,
    /// Anchors of the subject token, to be checked in the same snapshot.
    pub subject_anchors: Vec<identity::Anchor>,
}

/// For registering an asset.
#[derive(Debug, Clone, PartialEq)]
pub struct RegistrationFacts {
    /// Who calls.
    pub caller: CallerFacts,
    /// The customer.
    pub user: Option<Fact<User>>,
    /// The customer's own household.
    pub account: Option<Fact<Account>>,
    /// The account the actor token names, where it exists.
    pub named_account: Option<Fact<Account>>,
    /// Live memberships of the customer.
    pub memberships: Vec<Fact<Bond>>,
    /// The model, by name.
    pub product: Option<Fact<Product>>,
    /// By `asset_id`.
    pub by_asset: OwnedFacts,
    /// By did or external id.
    pub by_did: OwnedFacts,
    /// By model and serial number.
    pub by_serial: OwnedFacts,
    /// By the key.
    pub by_key: OwnedFacts,
    /// Live bonds of the customer on the title that was found.
    pub bonds: Vec<Fact<Bond>>,
    /// Whether the actor token's `jti` was used before.
    pub actor_used: bool,
    /// Epochs, as they are now, of the subject token's anchors, in order.
    pub anchors_now: Vec<Option<identity::Epochs>>,
}

/// How a renewal names what it is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RenewalQuery {
    /// `asset_id` of the subject token.
    pub asset: String,
    /// To whom the subject token was issued; `None` for the client through which
    /// the title came.
    pub client: Option<String>,
    /// Anchors of the subject token, itself among them.
    pub anchors: Vec<identity::Anchor>,
}

/// For renewing an asset token by proof of the device's key.
#[derive(Debug, Clone, PartialEq)]
pub struct RenewalFacts {
    /// Who calls.
    pub caller: CallerFacts,
    /// The client of the query, where there is such a record.
    pub client: Option<Fact<Client>>,
    /// The title, open or closed.
    pub asset: Option<Fact<Asset>>,
    /// Who owns it.
    pub account: Option<Fact<Account>>,
    /// Its device and that one's model.
    pub device: Option<DeviceFacts>,
    /// Certificate authorities of that model, disabled ones included.
    pub trust_anchors: Vec<Fact<TrustAnchor>>,
    /// Bonds the subject token lists, ended ones included.
    pub bonds: Vec<Fact<Bond>>,
    /// Who holds the one of them that is on the title, where that is a person.
    pub user: Option<Fact<User>>,
    /// Whether anybody has a bond on the title that has not ended.
    pub held: bool,
    /// Epochs, as they are now, of the anchors of the query, in its order.
    pub anchors_now: Vec<Option<identity::Epochs>>,
}

/// For a token traded for another (JWT bearer, RFC 8693 of an asset token).
#[derive(Debug, Clone, PartialEq)]
pub struct TradeFacts {
    /// Who calls.
    pub caller: CallerFacts,
    /// What the assertion's records are now.
    pub chain: ChainFacts,
    /// Epochs, as they are now, of the assertion's anchors, in order.
    pub anchors_now: Vec<Option<identity::Epochs>>,
}
