//! The configuration: one TOML file, one section per file here.
//!
//! Owns: what may be set, defaults, and telling every mistake at once. Each part
//! of the server is given its own section alone.

use std::cell::RefCell;
use std::fmt;
use std::path::Path;

use toml::Table;

mod clients;
mod data;
mod environment;
mod example;
mod exchange;
pub(crate) mod file;
mod issuer;
mod keys;
mod limits;
mod listeners;
mod log;
mod mail;
mod network;
pub(crate) mod permissions;
mod reader;
mod secret;
mod store;
mod tls;

pub use clients::Clients;
pub use data::Data;
pub use environment::Environment;
pub use exchange::{Exchange, IssuerKeys, Trust};
pub use issuer::{BaseUrl, Issuer};
pub use keys::Keys;
pub use limits::Limits;
pub use listeners::{Belief, Listener, Listeners};
pub use log::{Level, Log, LogFormat};
pub use mail::{Mail, MailWay, Smtp, SmtpEncryption};
pub use network::Network;
pub use reader::Mistake;
pub use secret::Secret;
pub use store::{Postgres, Store};
pub use tls::Tls;

use reader::{Findings, Section};

/// Most bytes of a configuration file.
const MAX_BYTES: u64 = 1024 * 1024;

/// Everything that may be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Under which addresses the world knows this server.
    pub issuer: Issuer,
    /// Where everything is kept.
    pub data: Data,
    /// Which store holds it.
    pub store: Store,
    /// Where connections come in.
    pub listeners: Listeners,
    /// The server's own certificate.
    pub tls: Tls,
    /// How mail leaves.
    pub mail: Mail,
    /// Limits of the listeners.
    pub limits: Limits,
    /// What is told, and how.
    pub log: Log,
    /// What holds for clients.
    pub clients: Clients,
    /// How long keys are used.
    pub keys: Keys,
    /// Foreign issuers whose tokens count as a customer's.
    pub exchange: Exchange,
}

/// All that is wrong with a configuration, at least one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

impl Config {
    /// Loads the file the environment names, or the defaults if it names none; its data folder
    /// goes before that of the file.
    ///
    /// # Errors
    /// Every mistake found, the file itself being unreadable among them.
    pub fn load(environment: &Environment) -> Result<Self, Mistakes> {
        let mut config = match &environment.config {
            None => Self::parse("", Path::new(""))?,
            Some(path) => {
                let text = read_file(path).map_err(|what| Mistakes(vec![Mistake { path: String::new(), what }]))?;
                Self::parse(&text, path.parent().unwrap_or(Path::new("")))?
            }
        };
        if let Some(folder) = &environment.data {
            config.data.folder.clone_from(folder);
        }
        Ok(config)
    }

    /// Reads a configuration; relative paths in it start at `base`.
    ///
    /// # Errors
    /// Every mistake found.
    pub fn parse(text: &str, base: &Path) -> Result<Self, Mistakes> {
        let table = text.parse::<Table>().map_err(|error| {
            let line = error.span().and_then(|span| text.get(..span.start)).map_or(1, |before| before.lines().count());
            let what = format!("line {}: {}", line.max(1), error.message());
            Mistakes(vec![Mistake { path: String::new(), what }])
        })?;
        let findings = RefCell::new(Findings::default());
        let config = Self::read(table, base, &findings);
        let mistakes = findings.into_inner().mistakes;
        if mistakes.is_empty() { Ok(config) } else { Err(Mistakes(mistakes)) }
    }

    /// A file with every key, its words and its default. Read back, it is the defaults.
    pub fn example() -> String {
        let findings = RefCell::new(Findings::default());
        Self::read(Table::new(), Path::new(""), &findings);
        example::render(&findings.into_inner().entries)
    }

    fn read(table: Table, base: &Path, findings: &RefCell<Findings>) -> Self {
        let mut top = Section::top(table, base, findings);
        let config = Self {
            issuer: top.section("issuer", "Under which addresses the world knows this server.", Issuer::read),
            data: top.section("data", "Where everything is kept.", Data::read),
            store: top.section("store", "Which store holds it: one file, or a PostgreSQL database.", Store::read),
            listeners: top.section(
                "listeners",
                "Where connections come in. Each says which neighbours (proxies, load balancers) it believes\n\
                 about whom they speak for; by default nobody, and such headers from others are dropped.",
                Listeners::read,
            ),
            tls: top.section("tls", "The server's own certificate.", Tls::read),
            mail: top.section("mail", "How mail leaves.", Mail::read),
            limits: top.section("limits", "What one peer, and all together, may ask of each listener.", Limits::read),
            log: top.section("log", "What is told on standard error, and how.", Log::read),
            clients: top.section("clients", "How this service is called, and which clients it trusts.", Clients::read),
            keys: top.section("keys", "The keys that tokens are signed with.", Keys::read),
            exchange: top.section(
                "exchange",
                "Foreign issuers whose tokens count as a customer's when a device is registered.",
                Exchange::read,
            ),
        };
        if config.exchange.issuers.iter().any(|trust| trust.issuer.issuer == config.issuer.url.as_str()) {
            top.mistake("exchange.issuers", "this server trusts its own tokens anyway: leave it out");
        }
        top.finish();
        config
    }
}

fn read_file(path: &Path) -> Result<String, String> {
    file::text(path, MAX_BYTES).map(|text| text.to_string())
}

#[cfg(test)]
mod tests;
