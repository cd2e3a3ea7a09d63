//! Who is at the other end of a connection, before anything was believed.

use core::net::IpAddr;
use std::sync::Arc;

/// A certificate chain whose key the peer proved in the handshake, nothing
/// more: path, dates, registry and revocation are still to be decided.
#[derive(Clone, PartialEq, Eq)]
pub struct UnverifiedCertificate(Arc<[Vec<u8>]>);

impl UnverifiedCertificate {
    /// Takes the chain as it came, leaf first, DER.
    pub fn new(chain: Vec<Vec<u8>>) -> Option<Self> {
        if chain.is_empty() { None } else { Some(Self(chain.into())) }
    }

    /// The chain, leaf first.
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.0
    }

    /// The leaf.
    pub fn leaf(&self) -> &[u8] {
        self.0.first().map_or(&[], Vec::as_slice)
    }
}

impl core::fmt::Debug for UnverifiedCertificate {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "UnverifiedCertificate({} in chain)", self.0.len())
    }
}

/// The other end of a connection; every request carries one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its address; behind a trusted neighbour, the one that neighbour names.
    pub address: IpAddr,
    /// What it proved in the handshake.
    pub certificate: Option<UnverifiedCertificate>,
    /// It came over the local socket of the data folder: the operating system
    /// has let in nobody but the owner of the files.
    pub local: bool,
}
