//! The owner of one identity world. One value per process for now; every use
//! case is called with it, so nothing is global.

use crate::anchor::{Anchor, AnchorEpoch, AnchorKind};

/// An identity world: its URL, its generation and its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// The issuer URL, exactly as tokens and metadata name it (RFC 8414 §2).
    pub issuer: String,
    /// The URL of the host that requests client certificates
    /// (`mtls_endpoint_aliases`, RFC 8705 §5).
    pub device_url: String,
    /// 128 random bits of the store, in base64url; a restored store has a new one.
    pub generation: String,
    /// No token of ours lives longer, in seconds (180 to 31,536,000).
    pub max_token_life: i64,
}

impl Tenant {
    /// What every token of this tenant hangs from.
    pub fn anchor(&self) -> AnchorEpoch {
        Anchor::new(AnchorKind::Tenant, self.generation.clone()).at(0)
    }
}
