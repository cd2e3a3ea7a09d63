//! X.509 for devices: reading certificates, their names, the identity in them, the path to a
//! trusted authority (RFC 5280), and issuing.
//!
//! Owns: strict DER reading of certificates, name comparison, path rules, identity rules, issuing.
//! Does not own: clocks, sockets, the registry, the TLS verifier (`server`). `now` is an argument,
//! serial numbers are handed in as random bytes.

mod certificate;
mod der;
#[cfg(test)]
mod forge;
pub mod identity;
pub mod issue;
mod key;
pub mod name;
pub mod path;

pub use certificate::{
    AlternativeName, BasicConstraints, Certificate, CertificateError, ExtendedKeyUsage, MAX_CHAIN_BYTES, PemError,
    SignatureAlgorithm,
};
pub use identity::{IdentityError, IdentityField, identity_field};
pub use key::PublicKeyKind;
pub use name::{DistinguishedName, Oid};
