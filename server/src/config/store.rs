//! `[store]`: which store holds everything.

use std::time::Duration;

use store_postgres::{Address, Way};

use super::file;
use super::reader::{Section, words};
use super::secret::Secret;

/// Which store holds everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// One file in the data folder: for one node.
    Embedded,
    /// A PostgreSQL database: for several.
    Postgres(Box<Postgres>),
}

/// A PostgreSQL database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postgres {
    /// Where it is.
    pub address: Address,
    /// Its password, if it wants one.
    pub password: Option<Secret>,
    /// How the way to it is protected.
    pub way: Way,
    /// Most connections of this node.
    pub connections: usize,
    /// Within which everything asked of it is answered or refused.
    pub patience: Duration,
}

/// How the way to a database elsewhere is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encryption {
    Tls,
    None,
}

words!(
    Encryption,
    "one of \"tls\", \"none\"",
    "tls" => Encryption::Tls,
    "none" => Encryption::None,
);

impl Store {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let url = section.optional(
            "url",
            &"postgres://keyfob@%2Frun%2Fpostgresql/keyfob".to_owned(),
            "A PostgreSQL database, for several nodes; without it, one file in the data folder. Every node needs\n\
             the same master.key in its data folder. A folder in place of the host is that of a local socket.",
        );
        let password = section.secret(
            "password_file",
            "postgres-password",
            "A file with its password, mode 600. Let PostgreSQL ask for it by scram-sha-256.",
        );
        let encryption = section.setting(
            "encryption",
            Encryption::Tls,
            "Towards a database on another machine: \"tls\" (its certificate must name the host of the URL and lead to\n\
             ca_file; there is no way back to plain text), or \"none\" in a network where nobody else listens.",
        );
        let ca = section.path("ca_file", "postgres-ca.pem", "The authority (PEM) of that database's certificate.");
        let connections = section.number(
            "connections",
            16,
            2..=1_000,
            "Most connections of this node to it, besides two by which it follows the others.",
        );
        let patience = section.number(
            "patience_seconds",
            5,
            1..=60,
            "Whatever is asked of it is answered or refused within this time.",
        );
        let authorities = ca.and_then(|path| file::authorities(section, "ca_file", &path));
        let Some(url) = url else {
            if password.is_some() {
                section.mistake("url", "is missing beside password_file");
            }
            return Self::Embedded;
        };
        let address = match Address::parse(&url) {
            Ok(address) => address,
            Err(error) => {
                section.mistake("url", error.to_string());
                return Self::Embedded;
            }
        };
        let way = match (encryption, authorities) {
            _ if address.is_on_this_machine() => Way::Plain,
            (Encryption::None, _) => Way::Plain,
            (Encryption::Tls, Some(authorities)) => Way::Tls(authorities),
            (Encryption::Tls, None) => {
                section.mistake("ca_file", "is missing or unreadable: the way to that database leaves this machine");
                return Self::Embedded;
            }
        };
        Self::Postgres(Box::new(Postgres {
            address,
            password,
            way,
            connections: usize::try_from(connections).unwrap_or(16),
            patience: Duration::from_secs(patience.into()),
        }))
    }
}
