//! Certificate authorities whose devices we admit, per product.

use serde::{Deserialize, Serialize};

use crate::anchor::AnchorKind;
use crate::decision::{Kind, Record};
use crate::id::{ProductId, TrustAnchorId};

/// Whether a certificate authority admits devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrustAnchorState {
    /// Its devices are let in.
    Trusted,
    /// Its devices are refused until it is trusted again.
    Disabled,
}

/// A certificate authority for the devices of one product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustAnchor {
    /// Our id.
    pub id: TrustAnchorId,
    /// Whose devices it signs.
    pub product: ProductId,
    /// What people read.
    pub name: String,
    /// The certificate, DER in base64url.
    pub certificate: String,
    /// SHA-256 of the DER in base64url; unique per product.
    pub thumbprint: String,
    /// Whether it admits devices.
    pub state: TrustAnchorState,
}

impl Record for TrustAnchor {
    const KIND: Kind = Kind("trust_anchor");
    const ANCHOR: Option<AnchorKind> = Some(AnchorKind::TrustAnchor);
    fn id(&self) -> &str {
        self.id.as_str()
    }
}
