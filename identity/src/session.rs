//! Sessions: of a person in a browser, and of a device after call home.

use serde::{Deserialize, Serialize};

use crate::anchor::AnchorKind;
use crate::decision::{Kind, Record};
use crate::id::{CredentialId, DeviceId, DeviceSessionId, SessionId, UserId};
use crate::secret::Digest;

/// A person's login in a browser. The cookie's secret is kept as digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrowserSession {
    /// Our id, the `sid` of ID tokens; not the cookie.
    pub id: SessionId,
    /// Digest of the cookie's secret; unique. New at every sign-in.
    pub secret: Digest,
    /// Who signed in.
    pub user: UserId,
    /// When they last proved who they are, seconds (`auth_time`).
    pub authenticated_at: i64,
    /// How (RFC 8176: `pwd`, `hwk`, `user`).
    pub methods: Vec<String>,
    /// Last use, seconds, written at most every five minutes.
    pub seen_at: i64,
    /// Absolute end, seconds.
    pub expires_at: i64,
    /// What the browser called itself, shortened, for the person's own list.
    pub agent: String,
}

impl Record for BrowserSession {
    const KIND: Kind = Kind("browser_session");
    const ANCHOR: Option<AnchorKind> = Some(AnchorKind::Session);
    fn id(&self) -> &str {
        self.id.as_str()
    }
}

/// A device's session: one per credential, replaced at each call home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceSession {
    /// Our id, the `sid` of the device's tokens.
    pub id: DeviceSessionId,
    /// Whose it is.
    pub device: DeviceId,
    /// The credential that opened it.
    pub credential: CredentialId,
    /// What it said it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// When it was opened, seconds.
    pub opened_at: i64,
    /// When it ends, seconds.
    pub expires_at: i64,
}

impl Record for DeviceSession {
    const KIND: Kind = Kind("device_session");
    const ANCHOR: Option<AnchorKind> = Some(AnchorKind::Session);
    fn id(&self) -> &str {
        self.id.as_str()
    }
}
