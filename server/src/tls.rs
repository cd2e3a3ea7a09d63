//! TLS of the listeners: rustls over aws-lc-rs, TLS 1.2 and 1.3.
//!
//! Owns: what is offered, the server's certificate and its renewal, and that a
//! client's certificate proves possession of its key, nothing more. Does not own:
//! whether that certificate is any good; `authority` decides, so that a device is told why.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::server::ServerConfig;
use rustls::server::danger::ClientCertVerifier;
use rustls::version::{TLS12, TLS13};

mod identity;
mod possession;
mod self_made;
mod spki;
mod tickets;

pub use identity::{Reloaded, ServerIdentity, TlsError};
pub use possession::{MAX_CHAIN_BYTES, MAX_CHAIN_CERTIFICATES};

use possession::PossessionOnly;
use tickets::SmallTickets;

/// What a listener asks of its peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// Nothing: browsers would show a picker.
    Nothing,
    /// A certificate, and takes none for an answer.
    Certificate,
}

/// The configuration of a listener.
///
/// # Errors
/// [`TlsError::Library`] if the library refuses to start.
pub fn server_config(identity: &Arc<ServerIdentity>, asks: Asks) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(default_provider());
    let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(TlsError::Library)?
        .with_client_cert_verifier(verifier(&provider, asks))
        .with_cert_resolver(Arc::clone(identity) as Arc<_>);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // A ticket carries the client's chain, so a resumed session has the same peer. Its key lives
    // in this process and changes by itself. Early data is never taken: it can be replayed
    // (RFC 8446 §8).
    config.ticketer = Arc::new(SmallTickets(Ticketer::new().map_err(TlsError::Library)?));
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

fn verifier(provider: &Arc<CryptoProvider>, asks: Asks) -> Arc<dyn ClientCertVerifier> {
    match asks {
        Asks::Nothing => rustls::server::WebPkiClientVerifier::no_client_auth(),
        Asks::Certificate => Arc::new(PossessionOnly::new(provider.signature_verification_algorithms)),
    }
}
