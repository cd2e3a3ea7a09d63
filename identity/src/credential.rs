//! What a device proves itself with.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::anchor::AnchorKind;
use crate::decision::{Kind, Record};
use crate::id::{CredentialId, DeviceId, TrustAnchorId};

/// Whose word it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CredentialKind {
    /// The maker's identity for the device (IEEE 802.1AR IDevID).
    Initial,
    /// Ours for daily use (LDevID).
    Operational,
}

/// Where it stands between being made and being replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CredentialState {
    /// Handed in and never used: its first call home makes it current.
    Staged,
    /// In use.
    Current,
    /// Replaced, and good until its time is over.
    Retiring,
    /// Ended.
    Revoked,
}

/// A certificate or public key of a device. One key belongs to one device for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// Our id.
    pub id: CredentialId,
    /// Whose it is.
    pub device: DeviceId,
    /// Whose word it is.
    pub kind: CredentialKind,
    /// Whether it counts.
    pub state: CredentialState,
    /// RFC 7638 thumbprint of the public key, base64url; unique over all devices.
    pub key_thumbprint: String,
    /// The public key as JWK, for backends and for verifying.
    pub jwk: Value,
    /// The certificate's facts, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateFacts>,
    /// Until when it counts, seconds: a staged one is dropped then, a retiring one ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    /// The credential by whose word it was staged, and which it replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<CredentialId>,
    /// The certificate authority its certificate was last seen to lead to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<TrustAnchorId>,
    /// When it was added, seconds.
    pub created_at: i64,
}

impl Credential {
    /// Whether it counts for daily use now.
    pub fn counts(&self, now: i64) -> bool {
        match self.state {
            CredentialState::Current => true,
            CredentialState::Retiring => self.until.is_some_and(|until| now < until),
            CredentialState::Staged | CredentialState::Revoked => false,
        }
    }

    /// Whether it waits for its first use now.
    pub fn is_staged(&self, now: i64) -> bool {
        self.state == CredentialState::Staged && self.until.is_some_and(|until| now < until)
    }
}

/// What we keep of a certificate; not its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateFacts {
    /// SHA-256 over the DER, base64url (`x5t#S256`, RFC 8705 §3.1); unique.
    pub thumbprint: String,
    /// Serial number in lower-case hex without leading zeros.
    pub serial: String,
    /// SHA-256 over the DER of the issuer's name, base64url.
    pub issuer: String,
    /// Not valid after, seconds.
    pub not_after: i64,
}

impl Record for Credential {
    const KIND: Kind = Kind("credential");
    const ANCHOR: Option<AnchorKind> = Some(AnchorKind::Credential);
    fn id(&self) -> &str {
        self.id.as_str()
    }
}
