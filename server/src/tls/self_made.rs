//! The self-made certificate and the authority behind it, in the data folder.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use authority::Entropy;
use pki::issue::{Authority, AuthorityCertificate, KeyPair, MAX_SERVER_LIFE, ServerCertificate};
use pki::{AlternativeName, Certificate};

use super::identity::{TlsError, split_names};
use crate::data::{self, DataFolder};
use crate::port;

/// How long the authority lives: twenty years.
const AUTHORITY_LIFE: i64 = 20 * 365 * 86_400;
/// How long before its end the server's certificate is made anew: thirty days.
const RENEW_BEFORE: i64 = 30 * 86_400;
/// How far back certificates begin, for peers whose clock is behind: one hour.
const BACKDATED: i64 = 3_600;

/// Where the self-made certificate is kept, and what it is for.
pub(super) struct SelfMade {
    folder: PathBuf,
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
    hosts: Vec<String>,
    addresses: Vec<IpAddr>,
}

impl SelfMade {
    /// For `localhost`, the loopback addresses and these names.
    pub(super) fn new(data: &DataFolder, names: impl Iterator<Item = String>) -> Self {
        let folder = data.tls();
        let own = ["localhost".to_owned(), Ipv4Addr::LOCALHOST.to_string(), Ipv6Addr::LOCALHOST.to_string()];
        let (hosts, addresses) = split_names(own.into_iter().chain(names));
        let [authority, certificate, key] = ["ca.pem", "server.pem", "server.key"].map(|name| folder.join(name));
        Self { folder, authority, certificate, key, hosts, addresses }
    }

    pub(super) fn files(&self) -> (&Path, &Path) {
        (&self.certificate, &self.key)
    }

    pub(super) fn authority_file(&self) -> &Path {
        &self.authority
    }

    /// Makes what is missing, ends soon, or is for other names. The authority stays as long as
    /// it can: people have told their machines to trust it.
    pub(super) fn renew(&self, now: i64, entropy: &dyn Entropy) -> Result<(), TlsError> {
        if self.is_good(now) {
            return Ok(());
        }
        data::make_private_folder(&self.folder)?;
        let authority = self.authority(now, entropy)?;
        let key = KeyPair::generate()?;
        let hosts: Vec<&str> = self.hosts.iter().map(String::as_str).collect();
        let issued = authority.issue_server(&ServerCertificate {
            dns_names: &hosts,
            addresses: &self.addresses,
            spki: key.spki_der(),
            serial: port::random(entropy),
            not_before: now - BACKDATED,
            not_after: now - BACKDATED + MAX_SERVER_LIFE,
        })?;
        data::write_private(&self.key, key.pkcs8_pem().as_bytes())?;
        data::write_public(&self.certificate, issued.pem().as_bytes())?;
        Ok(())
    }

    /// Whether key and certificate belong together, to this authority and these names, and last.
    fn is_good(&self, now: i64) -> bool {
        let good = || -> Option<bool> {
            let certificate = first(&self.certificate)?;
            let authority = first(&self.authority)?;
            let key = KeyPair::load_pem(&fs::read(&self.key).ok()?).ok()?;
            let names = certificate.subject_alternative_names();
            let named = self.hosts.iter().all(|host| names.contains(&AlternativeName::Dns(host.clone())))
                && self.addresses.iter().all(|address| names.contains(&AlternativeName::Ip(*address)));
            Some(
                named
                    && key.spki_der() == certificate.spki_der()
                    && certificate.issuer() == authority.subject()
                    && certificate.not_after() - RENEW_BEFORE > now
                    && certificate.not_before() <= now,
            )
        };
        good().unwrap_or(false)
    }

    fn authority(&self, now: i64, entropy: &dyn Entropy) -> Result<Authority, TlsError> {
        let key_file = self.folder.join("ca.key");
        if let (Ok(certificate), Ok(key)) = (fs::read(&self.authority), fs::read(&key_file)) {
            let key = zeroize::Zeroizing::new(key);
            let authority = Authority::load_pem(&certificate, &key)?;
            if authority.certificate().not_after() - MAX_SERVER_LIFE > now {
                return Ok(authority);
            }
        }
        // A random word in the name keeps the authorities of two installations apart in a
        // browser's store.
        let word = jose::base64url::encode(port::random::<6>(entropy));
        let authority = Authority::create_root(&AuthorityCertificate {
            common_name: &format!("Keyfob of this machine, {word}"),
            serial: port::random(entropy),
            not_before: now - BACKDATED,
            not_after: now + AUTHORITY_LIFE,
        })?;
        data::write_private(&key_file, authority.key_pem().as_bytes())?;
        data::write_public(&self.authority, authority.certificate().pem().as_bytes())?;
        Ok(authority)
    }
}

fn first(path: &Path) -> Option<Certificate> {
    Certificate::parse_pem(&fs::read(path).ok()?).ok()?.into_iter().next()
}
