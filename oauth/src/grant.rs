//! The token endpoint's grants, one file each. Each rule is told who calls, the
//! facts of its own load, and what was drawn before the load.

use identity::{Digest, FamilyId};

pub mod authorization_code;
pub mod client_credentials;
pub mod device_code;
pub mod jwt_bearer;
pub mod refresh_token;
pub mod token_exchange;

/// What a request drew before anything was loaded.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// Seconds.
    pub now: i64,
    /// The `jti` of the token to issue.
    pub jti: String,
    /// The id of a family to begin.
    pub family: FamilyId,
    /// Digest of the refresh token that was minted.
    pub refresh: Digest,
}
