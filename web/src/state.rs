//! What every handler is given.

use std::sync::Arc;

use app::App;

/// Shared by all requests of one listener.
#[derive(Clone)]
pub struct State {
    /// The use cases.
    pub app: Arc<App>,
    /// The external origin of this listener, `https://host[:port]`: what proofs
    /// name. Never taken from the request (RFC 9449 §4.3).
    pub origin: Arc<str>,
}
