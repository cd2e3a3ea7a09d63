//! Which kinds of records there are, and what their unique names are called.

use identity::{Anchor, Kind, Record};
use serde::Serialize;
use serde::ser::Error as _;
use serde_json::Value;
use store::plan::Shelf;
use store::{StoreError, with_id};

/// A table of records: its name is that of the kind, never text from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// What the record calls its id in JSON.
    pub(crate) id: &'static str,
    /// Members that hold text or nothing and stand in an index.
    pub(crate) text_members: &'static [&'static str],
}

const fn table(name: &'static str, text_members: &'static [&'static str]) -> Table {
    Table { name, id: "id", text_members }
}

pub(crate) const TABLES: [Table; 20] = [
    table("product", &["model"]),
    table("trust_anchor", &["product", "thumbprint"]),
    table("device", &["product", "serial", "mac", "external_id"]),
    table("credential", &["device", "key_thumbprint"]),
    table("account", &["external_id"]),
    table("user", &["email"]),
    table("passkey", &["user", "credential_id"]),
    table("asset", &["device", "account"]),
    table("bond", &["state"]),
    table("browser_session", &["user", "secret"]),
    table("device_session", &["device", "credential"]),
    table("mail_token", &[]),
    table("import", &[]),
    table("client", &[]),
    table("consent", &["user", "client"]),
    table("authorization_code", &["family"]),
    table("token_family", &["user", "session", "device", "asset", "bond"]),
    table("pairing", &["user_code"]),
    Table { name: "signing_key", id: "kid", text_members: &[] },
    table("tenant_secret", &[]),
];

impl Table {
    /// Where the record behind an anchor is kept; a tenant, a ruleset and a
    /// token have none.
    pub(crate) fn of_anchor(anchor: &Anchor) -> Option<&'static Self> {
        let Kind(name) = store::journal::kind_of_anchor(anchor)?;
        TABLES.iter().find(|table| table.name == name)
    }
}

impl Shelf for Table {
    /// The record's JSON without its id.
    type Row = String;

    fn of(Kind(name): Kind) -> Result<&'static Self, StoreError> {
        let table = TABLES.iter().find(|table| table.name == name);
        table.ok_or_else(|| StoreError::Misuse(format!("there is no kind of record `{name}`")))
    }

    fn kind(&self) -> Kind {
        Kind(self.name)
    }

    fn row<T: Record + Serialize>(&'static self, record: &T) -> Result<String, serde_json::Error> {
        let Value::Object(mut members) = serde_json::to_value(record)? else {
            return Err(serde_json::Error::custom("it is no JSON object"));
        };
        members.remove(self.id);
        serde_json::to_string(&members)
    }

    fn whole(&self, id: &str, row: &String) -> Option<String> {
        Some(with_id(self.id, id, row))
    }
}

/// Each unique index, and what a conflict about it is called.
const UNIQUE: [(&str, &str); 14] = [
    ("product_model", "product.model"),
    ("trust_anchor_product", "trust_anchor.thumbprint"),
    ("device_serial", "device.serial"),
    ("device_mac", "device.mac"),
    ("device_external_id", "device.external_id"),
    ("credential_key", "credential.key_thumbprint"),
    ("credential_thumbprint", "credential.certificate_thumbprint"),
    ("credential_serial", "credential.certificate_serial"),
    ("account_external_id", "account.external_id"),
    ("user_email", "user.email"),
    ("passkey_credential_id", "passkey.credential_id"),
    ("asset_open", "asset.device"),
    ("browser_session_secret", "browser_session.secret"),
    ("consent_live", "consent.client"),
];

/// What is taken, by the index that says so.
pub(crate) fn unique_name(index: &str) -> Option<&'static str> {
    UNIQUE.iter().find(|(name, _)| *name == index).map(|(_, taken)| *taken)
}
