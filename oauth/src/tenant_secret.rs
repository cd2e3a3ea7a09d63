//! What all that we seal for ourselves comes from: opaque tokens, refresh
//! tokens, kept replies, digests of user codes. Kept sealed, so that another
//! master key does not end any of them.

use identity::{AnchorKind, Kind, Record};
use serde::{Deserialize, Serialize};

/// The one secret of a tenant. Whatever makes, retires or reseals keys counts
/// its record up, so that of two nodes which do so at once one wins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantSecret {
    /// [`TenantSecret::ID`].
    pub id: String,
    /// 32 bytes, sealed under the master key, base64url.
    pub sealed: String,
    /// When it was made, seconds.
    pub created_at: i64,
}

impl TenantSecret {
    /// A tenant has one.
    pub const ID: &'static str = "tenant";
}

impl Record for TenantSecret {
    const KIND: Kind = Kind("tenant_secret");
    const ANCHOR: Option<AnchorKind> = None;
    fn id(&self) -> &str {
        &self.id
    }
}
