//! Session tickets of bounded size.

use std::sync::Arc;

use rustls::server::ProducesTickets;

/// Most bytes of a session that go into a ticket. Peers buffer 64 KiB of handshake and get two
/// tickets at once: with larger ones their handshake would fail.
const MAX_SESSION_BYTES: usize = 16 * 1024;

/// Makes no ticket for a session with a very large chain: such a peer shakes hands anew each time.
#[derive(Debug)]
pub(super) struct SmallTickets(pub(super) Arc<dyn ProducesTickets>);

impl ProducesTickets for SmallTickets {
    fn enabled(&self) -> bool {
        self.0.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.0.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        if plain.len() > MAX_SESSION_BYTES { None } else { self.0.encrypt(plain) }
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.0.decrypt(cipher)
    }
}
