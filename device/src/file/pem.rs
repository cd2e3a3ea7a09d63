//! PEM (RFC 7468): keys and certificate chains as text.

use std::string::{String, ToString};
use std::vec::Vec;

use base64ct::{Base64, Encoding};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

/// The longest chain read.
const MAX_CERTIFICATES: usize = 5;

/// The text holds no certificate, more than 5, or something broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 1 to 5 certificates in PEM")]
pub struct PemError;

/// A chain as it stands in the `x5c` of a signed token (RFC 7515 §4.1.6).
///
/// # Errors
/// [`PemError`].
pub fn x5c(pem: &[u8]) -> Result<Vec<String>, PemError> {
    let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(|_| PemError)?;
    if !(1..=MAX_CERTIFICATES).contains(&chain.len()) {
        return Err(PemError);
    }
    Ok(chain.iter().map(|certificate| Base64::encode_string(certificate)).collect())
}

/// RFC 7468 §10.
pub(super) fn private_key(der: &[u8]) -> Zeroizing<String> {
    let base64 = Zeroizing::new(Base64::encode_string(der));
    let mut text = Zeroizing::new("-----BEGIN PRIVATE KEY-----\n".to_string());
    for (at, letter) in base64.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            text.push('\n');
        }
        text.push(letter);
    }
    text.push_str("\n-----END PRIVATE KEY-----\n");
    text
}

pub(super) fn read_private_key(pem: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let key = PrivatePkcs8KeyDer::from_pem_slice(pem).ok()?;
    Some(Zeroizing::new(key.secret_pkcs8_der().to_vec()))
}
