//! The server's certificate: loaded, held, and changed while connections go on.

use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use authority::{Clock, Entropy};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::self_made::SelfMade;
use crate::config::{Config, Tls, file};
use crate::data::{DataError, DataFolder};

/// Why TLS cannot start, or a changed certificate is not taken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}: {error}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path} does not hold {wanted} as PEM", path = path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
    },
    /// Key and certificate do not belong together, or are of an unknown kind.
    #[error("the key in {key} does not fit the certificate in {certificate}", key = key.display(), certificate = certificate.display())]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The data folder cannot be written.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A self-made certificate could not be issued.
    #[error("cannot make a certificate: {0}")]
    Issue(#[from] pki::issue::IssueError),
    /// The library refused.
    #[error("TLS cannot start: {0}")]
    Library(rustls::Error),
}

/// The server's certificate, as listeners show it. Reloading changes what new handshakes see;
/// what is wrong with the new one leaves the old one in place.
pub struct ServerIdentity {
    source: Source,
    held: RwLock<Held>,
}

enum Source {
    Files { certificate: PathBuf, key: PathBuf },
    SelfMade(SelfMade),
}

struct Held {
    key: Arc<CertifiedKey>,
    stamp: Stamp,
}

/// When and how large the files were; another stamp means another content.
type Stamp = Vec<Option<(SystemTime, u64)>>;

impl ServerIdentity {
    /// Loads the configured files, or the self-made certificate, made or renewed where needed.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn load(
        config: &Config,
        data: &DataFolder,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
    ) -> Result<Arc<Self>, TlsError> {
        let source = match &config.tls {
            Tls::Files { certificate, key } => Source::Files { certificate: certificate.clone(), key: key.clone() },
            Tls::SelfMade { names } => {
                let hosts = [config.issuer.url.host(), config.issuer.devices_url.host()];
                Source::SelfMade(SelfMade::new(data, names.iter().cloned().chain(hosts)))
            }
        };
        source.renew(clock, entropy)?;
        let held = source.read()?;
        Ok(Arc::new(Self { source, held: RwLock::new(held) }))
    }

    /// Renews what is self-made, and takes files that changed.
    ///
    /// # Errors
    /// [`TlsError`]; the certificate so far stays.
    pub fn reload(&self, clock: &dyn Clock, entropy: &dyn Entropy) -> Result<Reloaded, TlsError> {
        self.source.renew(clock, entropy)?;
        let before = self.held.read().unwrap_or_else(PoisonError::into_inner).stamp.clone();
        if self.source.stamp() == before {
            return Ok(Reloaded::Same);
        }
        let fresh = self.source.read()?;
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(Reloaded::Changed)
    }

    /// The authority that peers should trust, where the certificate is self-made.
    pub fn authority_file(&self) -> Option<&Path> {
        match &self.source {
            Source::Files { .. } => None,
            Source::SelfMade(made) => Some(made.authority_file()),
        }
    }
}

/// What a reload found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reloaded {
    /// Nothing new.
    Same,
    /// Another certificate, shown from now on.
    Changed,
}

impl ResolvesServerCert for ServerIdentity {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner).key))
    }
}

impl fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerIdentity")
    }
}

impl Source {
    fn files(&self) -> (&Path, &Path) {
        match self {
            Self::Files { certificate, key } => (certificate, key),
            Self::SelfMade(made) => made.files(),
        }
    }

    fn renew(&self, clock: &dyn Clock, entropy: &dyn Entropy) -> Result<(), TlsError> {
        match self {
            Self::Files { .. } => Ok(()),
            Self::SelfMade(made) => made.renew(clock.now(), entropy),
        }
    }

    fn stamp(&self) -> Stamp {
        let (certificate, key) = self.files();
        let facts = |path| fs::metadata(path).ok().and_then(|facts| Some((facts.modified().ok()?, facts.len())));
        vec![facts(certificate), facts(key)]
    }

    fn read(&self) -> Result<Held, TlsError> {
        // Stamped before reading: a change in between is seen at the next look.
        let stamp = self.stamp();
        let (certificate_file, key_file) = self.files();
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes(certificate_file)?).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain = chain.ok_or(TlsError::NotPem { path: certificate_file.to_owned(), wanted: "a certificate" })?;
        let key = PrivateKeyDer::from_pem_slice(&bytes(key_file)?)
            .map_err(|_| TlsError::NotPem { path: key_file.to_owned(), wanted: "a private key" })?;
        let mismatch = || TlsError::Mismatch { certificate: certificate_file.to_owned(), key: key_file.to_owned() };
        let key = CertifiedKey::new(chain, any_supported_type(&key).map_err(|_| mismatch())?);
        key.keys_match().map_err(|_| mismatch())?;
        Ok(Held { key: Arc::new(key), stamp })
    }
}

fn bytes(path: &Path) -> Result<zeroize::Zeroizing<Vec<u8>>, TlsError> {
    file::read(path, file::MAX_BYTES).map_err(|error| TlsError::Unreadable { path: path.to_owned(), error })
}

/// Host names and addresses, apart.
pub(super) fn split_names(names: impl IntoIterator<Item = String>) -> (Vec<String>, Vec<IpAddr>) {
    let (mut hosts, mut addresses) = (Vec::new(), Vec::new());
    for name in names {
        match name.parse() {
            Ok(address) if !addresses.contains(&address) => addresses.push(address),
            Ok(_) => {}
            Err(_) if !hosts.contains(&name) => hosts.push(name),
            Err(_) => {}
        }
    }
    (hosts, addresses)
}
