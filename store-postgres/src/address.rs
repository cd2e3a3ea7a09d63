//! Where the database is, and how the way to it is protected.

use core::fmt;
use core::net::IpAddr;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// A database by its URL, `postgres://user@host:port/name`. A folder in place of
/// the host, with its slashes as `%2F`, is that of a local socket.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    config: Config,
}

/// What is wrong with a URL. None of it is shown: it may hold what is secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressError {
    /// It is no URL of a PostgreSQL database.
    Malformed,
    /// It names no host or no database.
    Incomplete,
    /// A password stands in it.
    HoldsPassword,
    /// It speaks of TLS, which is set apart from it.
    SpeaksOfTls,
}

/// How the way to the database is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Not at all: for a database on this machine, or a network that is.
    Plain,
    /// By TLS; the server's certificate must name its host and lead to one of
    /// these authorities (DER).
    Tls(Vec<Vec<u8>>),
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "is no address of a PostgreSQL database (like \"postgres://keyfob@db.example/keyfob\")",
            Self::Incomplete => "must name a host and a database (like \"postgres://keyfob@db.example/keyfob\")",
            Self::HoldsPassword => "holds a password; write it into a file of its own",
            Self::SpeaksOfTls => {
                "must not speak of sslmode or channel_binding: TLS is used wherever the way leaves this machine"
            }
        })
    }
}

impl core::error::Error for AddressError {}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address")
    }
}

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`AddressError`]
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            return Err(AddressError::Malformed);
        }
        if url.contains("sslmode=") || url.contains("channel_binding=") || url.contains("sslnegotiation=") {
            return Err(AddressError::SpeaksOfTls);
        }
        let mut config: Config = url.parse().map_err(|_| AddressError::Malformed)?;
        if config.get_password().is_some() {
            return Err(AddressError::HoldsPassword);
        }
        if config.get_hosts().is_empty() || config.get_dbname().is_none() {
            return Err(AddressError::Incomplete);
        }
        // Of several hosts, the one that can be written to.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        config.application_name("keyfob");
        Ok(Self { config })
    }

    /// Whether no packet to it leaves this machine: local sockets and loopback.
    pub fn is_on_this_machine(&self) -> bool {
        self.config.get_hosts().iter().all(|host| match host {
            Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback()),
            Host::Unix(_) => true,
        }) && self.config.get_hostaddrs().iter().all(IpAddr::is_loopback)
    }

    /// The same with a password.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        self.config.password(password);
        self
    }

    pub(crate) fn config(&self, way: &Way) -> Config {
        let mut config = self.config.clone();
        config.ssl_mode(match way {
            Way::Plain => SslMode::Disable,
            Way::Tls(_) => SslMode::Require,
        });
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_whole_url_without_a_secret() {
        for good in
            ["postgres://keyfob@db.example/keyfob", "postgresql://k@%2Frun%2Fpostgresql/k", "postgres://u@[::1]:5/x"]
        {
            assert!(Address::parse(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("", AddressError::Malformed),
            ("mysql://u@h/d", AddressError::Malformed),
            ("host=h dbname=d", AddressError::Malformed),
            ("postgres://u@h:port/d", AddressError::Malformed),
            ("postgres://u@h", AddressError::Incomplete),
            ("postgres://u:secret@h/d", AddressError::HoldsPassword),
            ("postgres://u@h/d?password=secret", AddressError::HoldsPassword),
            ("postgres://u@h/d?sslmode=disable", AddressError::SpeaksOfTls),
        ] {
            assert_eq!(Address::parse(bad).unwrap_err(), why, "{bad}");
        }
    }

    #[test]
    fn sockets_and_loopback_are_on_this_machine_and_names_are_not() {
        let is = |url: &str| Address::parse(url).unwrap().is_on_this_machine();
        assert!(
            is("postgres://u@%2Frun%2Fpostgresql/d") && is("postgres://u@127.0.0.1/d") && is("postgres://u@[::1]/d")
        );
        assert!(!is("postgres://u@db.example/d") && !is("postgres://u@127.0.0.1,db.example/d"));
        assert!(!is("postgres://u@localhost/d?hostaddr=192.0.2.1"));
    }
}
