//! What pages and doors ask for beyond the facts of a rule; those stand beside
//! the rules in `identity::facts` and `oauth::facts`.

use identity::{Account, Asset, Bond, BrowserSession, Device, Fact, Passkey, Product, User};
use oauth::{Client, Consent, TokenFamily};

/// Who calls the token endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallerQuery {
    /// The id it named: of a client, or the did of a device.
    pub client_id: String,
    /// The once key of its assertion, if it sent one.
    pub assertion_once: Option<String>,
}

/// What a person's security page shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SecurityFacts {
    /// The person.
    pub user: Option<Fact<User>>,
    /// Passkeys.
    pub passkeys: Vec<Fact<Passkey>>,
    /// Sessions that have not ended.
    pub sessions: Vec<Fact<BrowserSession>>,
    /// Families that can still refresh.
    pub families: Vec<Fact<TokenFamily>>,
    /// Consents not withdrawn.
    pub consents: Vec<Fact<Consent>>,
    /// The clients of those.
    pub clients: Vec<Fact<Client>>,
}

/// One thing with all who have to do with it.
#[derive(Debug, Clone, PartialEq)]
pub struct ThingFacts {
    /// The title.
    pub asset: Fact<Asset>,
    /// The device.
    pub device: Fact<Device>,
    /// Its model.
    pub product: Fact<Product>,
    /// Bonds on the title that have not ended, suspended ones too.
    pub bonds: Vec<Fact<Bond>>,
    /// Families that act on it.
    pub families: Vec<Fact<TokenFamily>>,
    /// Holders of those bonds, where they are people.
    pub people: Vec<Fact<User>>,
}

/// All things a person has to do with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ThingsFacts {
    /// The person.
    pub user: Option<Fact<User>>,
    /// Accounts of which they are a member, with the bond that says so; one that is
    /// suspended too, which waits for an owner.
    pub accounts: Vec<(Fact<Account>, Fact<Bond>)>,
    /// Members of those accounts, suspended ones too.
    pub members: Vec<(Fact<Bond>, Fact<User>)>,
    /// Open titles of those accounts, and those they hold a bond on.
    pub things: Vec<ThingFacts>,
    /// Clients named by the families.
    pub clients: Vec<Fact<Client>>,
}
