//! Which kinds of records there are, how each is kept, and what their unique
//! names are called.

use std::collections::HashMap;
use std::sync::LazyLock;

use identity::{Anchor, Kind, Record};
use rusqlite::types::Value as Sql;
use serde::Serialize;
use store::StoreError;
use store::plan::Shelf;

use crate::pack;
use crate::row::Row;

/// A table of records: its name is that of the kind, never text from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// What the record calls its id in JSON.
    pub(crate) id: &'static str,
    /// Columns that a list can compare without reading the body.
    pub(crate) text_columns: &'static [&'static str],
    /// Of a packed table: members that stand in columns of their own instead of
    /// in the body, which is packed as well.
    pub(crate) columns: &'static [Column],
}

/// Statements as text, made once: making them took longer than some of them take.
pub(crate) struct Texts {
    /// What a row is read by.
    pub(crate) columns: String,
    pub(crate) by_id: String,
    pub(crate) version: String,
    pub(crate) epochs: String,
    /// Id, body, then the table's own columns.
    pub(crate) insert: String,
    /// The same, then the version it must have.
    pub(crate) update: String,
    /// Id, then the version it must have.
    pub(crate) touch: String,
    pub(crate) erase: String,
    /// Id, then both epochs.
    pub(crate) raise: String,
}

impl Texts {
    fn of(table: &Table) -> Self {
        let name = table.name;
        let own: String = table.columns.iter().map(|column| format!(", {}", column.name)).collect();
        let values: String = (0..table.columns.len()).map(|at| format!(", ?{}", at + 3)).collect();
        let set: String = (3..).zip(table.columns).map(|(at, column)| format!(", {} = ?{at}", column.name)).collect();
        let last = table.columns.len() + 3;
        let columns = format!("id, version, epoch, end_epoch, body{own}");
        Self {
            by_id: format!("SELECT {columns} FROM {name} WHERE id = ?1"),
            columns,
            version: format!("SELECT version FROM {name} WHERE id = ?1"),
            epochs: format!("SELECT epoch, end_epoch FROM {name} WHERE id = ?1"),
            insert: format!("INSERT INTO {name} (id, body{own}) VALUES (?1, ?2{values})"),
            update: format!(
                "UPDATE {name} SET version = version + 1, body = ?2{set} WHERE id = ?1 AND version = ?{last}"
            ),
            touch: format!("UPDATE {name} SET version = version + 1 WHERE id = ?1 AND version = ?2"),
            erase: format!("DELETE FROM {name} WHERE id = ?1 AND version = ?2"),
            raise: format!("UPDATE {name} SET version = version + 1, epoch = ?2, end_epoch = ?3 WHERE id = ?1"),
        }
    }
}

/// A member of a record in a column of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    /// The member of the record it is in, where it is not a member itself.
    pub(crate) within: Option<&'static str>,
    pub(crate) member: &'static str,
    /// An id or a digest, kept as bytes.
    pub(crate) packed: bool,
}

const fn plain(name: &'static str) -> Column {
    Column { name, within: None, member: name, packed: false }
}

const fn packed(name: &'static str) -> Column {
    Column { name, within: None, member: name, packed: true }
}

const fn of_certificate(name: &'static str, member: &'static str) -> Column {
    Column { name, within: Some("certificate"), member, packed: true }
}

const fn table(name: &'static str, text_columns: &'static [&'static str]) -> Table {
    Table { name, id: "id", text_columns, columns: &[] }
}

const fn packed_table(name: &'static str, columns: &'static [Column]) -> Table {
    Table { name, id: "id", text_columns: &[], columns }
}

const DEVICE: &[Column] = &[packed("product"), plain("serial"), plain("mac"), plain("external_id")];

const CREDENTIAL: &[Column] = &[
    packed("device"),
    packed("key_thumbprint"),
    of_certificate("certificate_thumbprint", "thumbprint"),
    of_certificate("certificate_serial", "serial"),
    of_certificate("certificate_issuer", "issuer"),
];

pub(crate) const TABLES: [Table; 20] = [
    table("product", &["model"]),
    table("trust_anchor", &["product", "thumbprint"]),
    packed_table("device", DEVICE),
    packed_table("credential", CREDENTIAL),
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
    Table { name: "signing_key", id: "kid", text_columns: &[], columns: &[] },
    table("tenant_secret", &[]),
];

impl Table {
    /// The table of this name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        TABLES.iter().find(|table| table.name == name)
    }

    /// Where the record behind an anchor is kept; a tenant, a ruleset and a
    /// token have none.
    pub(crate) fn of_anchor(anchor: &Anchor) -> Option<&'static Self> {
        let Kind(name) = store::journal::kind_of_anchor(anchor)?;
        Self::named(name)
    }

    /// Whether its rows are kept packed.
    pub(crate) fn is_packed(&self) -> bool {
        !self.columns.is_empty()
    }

    /// An id as it stands in this table.
    pub(crate) fn key(&self, id: &str) -> Sql {
        if self.is_packed() { pack::name(id) } else { Sql::Text(id.to_owned()) }
    }

    /// The statements that read and write its rows.
    pub(crate) fn texts(&self) -> &'static Texts {
        static ALL: LazyLock<HashMap<&str, Texts>> =
            LazyLock::new(|| TABLES.iter().map(|table| (table.name, Texts::of(table))).collect());
        ALL.get(self.name).expect("every table is in the list")
    }
}

impl Shelf for Table {
    type Row = Row;

    fn of(Kind(name): Kind) -> Result<&'static Self, StoreError> {
        Self::named(name).ok_or_else(|| StoreError::Misuse(format!("there is no kind of record `{name}`")))
    }

    fn kind(&self) -> Kind {
        Kind(self.name)
    }

    fn row<T: Record + Serialize>(&'static self, record: &T) -> Result<Row, serde_json::Error> {
        Row::of(self, record)
    }

    fn whole(&self, id: &str, row: &Row) -> Option<String> {
        row.whole(self, id)
    }
}

/// First column of each unique index, and what a conflict about it is called.
const UNIQUE: [(&str, &str); 14] = [
    ("product.model", "product.model"),
    ("trust_anchor.product", "trust_anchor.thumbprint"),
    ("device.serial", "device.serial"),
    ("device.mac", "device.mac"),
    ("device.external_id", "device.external_id"),
    ("credential.key_thumbprint", "credential.key_thumbprint"),
    ("credential.certificate_thumbprint", "credential.certificate_thumbprint"),
    ("credential.certificate_serial", "credential.certificate_serial"),
    ("account.external_id", "account.external_id"),
    ("user.email", "user.email"),
    ("passkey.credential_id", "passkey.credential_id"),
    ("asset.device", "asset.device"),
    ("browser_session.secret", "browser_session.secret"),
    ("consent.user", "consent.client"),
];

/// What is taken, out of SQLite's message `UNIQUE constraint failed: table.column, …`.
pub(crate) fn unique_name(message: &str) -> Option<&'static str> {
    let column = message.rsplit_once(": ")?.1.split(',').next()?.trim();
    UNIQUE.iter().find(|(first, _)| *first == column).map(|(_, name)| *name)
}
