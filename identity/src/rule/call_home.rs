//! Call home: the first authenticated contact of a device. Owns which devices
//! are let in, by what they proved; certificates were judged by `pki` before,
//! their path arrives here as a plain [`Path`].

use serde_json::{Value, json};

use crate::credential::{CredentialKind, CredentialState};
use crate::device::DeviceState;
use crate::device_error::DeviceErrorCode as Code;
use crate::facts::CallHomeFacts;
use crate::rule::authority::{DeviceAuthority, authorities_of};
use crate::rule::rotation::{self, Promotion};
use crate::trust_anchor::TrustAnchorState;
use crate::{
    AccountId, Anchor, AnchorKind, Anchors, AssetId, BondId, Change, Credential, Decision, Device, DeviceId,
    DeviceSession, DeviceSessionId, Event, EventKind, Fact, Guard, Product, Raise, Refusal, TrustAnchor, Write,
};

/// How long a session lasts, seconds.
pub const SESSION_LIFE: i64 = 86_400;
/// How long after its end an operational certificate may still renew, seconds.
pub const LATE_RENEWAL: i64 = 365 * 86_400;

/// What `pki` found about the path of the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Path {
    /// It leads to this trust anchor (SHA-256 of its DER, base64url), at `now`.
    Valid {
        /// Thumbprint of the trust anchor.
        anchor: String,
    },
    /// It was valid when the leaf ended, and the leaf has ended.
    Expired {
        /// Thumbprint of the trust anchor.
        anchor: String,
    },
    /// It leads nowhere; the named cause.
    Refused(&'static str),
}

/// The certificate a device showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// SHA-256 over the DER, base64url.
    pub thumbprint: String,
    /// Serial number in lower-case hex without leading zeros.
    pub serial: String,
    /// SHA-256 over the DER of the issuer's name, base64url.
    pub issuer: String,
    /// Not valid after, seconds.
    pub not_after: i64,
    /// The one value of the product's identity field, or why there is not exactly one.
    pub identity: Result<String, &'static str>,
    /// Where its path leads.
    pub path: Path,
}

/// What a device says about itself: to be compared, never a source of identity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claimed {
    /// Its did (`iss` of the proof).
    pub did: Option<String>,
    /// Its serial number.
    pub serial: Option<String>,
    /// Its model.
    pub model: Option<String>,
    /// What it runs, at most 64 characters; others are left out.
    pub firmware: Option<String>,
}

/// A device that has proved possession of a key, in the TLS handshake or over
/// a challenge.
#[derive(Debug, Clone, PartialEq)]
pub struct CallHome {
    /// RFC 7638 thumbprint of that key, base64url.
    pub key_thumbprint: String,
    /// The certificate over that key, if it showed one.
    pub certificate: Option<Presented>,
    /// Where it showed none but the registry keeps one over its key: the authorities
    /// of its product.
    pub authorities: Vec<DeviceAuthority>,
    /// What it says about itself.
    pub claimed: Claimed,
    /// The id of the session to open.
    pub session: DeviceSessionId,
}

/// What the device should do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Next {
    /// Get an operational credential.
    Enrol,
    /// Ask for a pairing.
    Pair,
    /// Fetch the newest firmware.
    Update,
}

impl Next {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enrol => "enrol",
            Self::Pair => "pair",
            Self::Update => "update",
        }
    }
}

/// Whose the device is, where it is owned: a key-bound token of this call home
/// names them and counts as a subject for the live bond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Title {
    /// The title.
    pub asset: AssetId,
    /// Whose.
    pub account: AccountId,
    /// The oldest live owner's bond.
    pub bond: Option<BondId>,
}

/// A device that is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalledHome {
    /// The session.
    pub session: DeviceSessionId,
    /// When it ends, seconds.
    pub session_expires_at: i64,
    /// Its did, `sub` and `client_id` of its token.
    pub did: DeviceId,
    /// Its state now.
    pub state: DeviceState,
    /// The credential it used, as it is kept.
    pub credential: Credential,
    /// Until when the key that this one replaced still counts, seconds.
    pub old_valid_until: Option<i64>,
    /// `x5t#S256` of the certificate it showed: bind the token to that; else to the key.
    pub certificate_thumbprint: Option<String>,
    /// Its model.
    pub model: String,
    /// Scopes its state permits; what bonds permit is for other tokens.
    pub scopes: Vec<&'static str>,
    /// What to do next.
    pub next: Vec<Next>,
    /// Whose it is.
    pub title: Option<Title>,
    /// What its token hangs from: the tenant, what was relied on, the new session.
    pub anchors: Anchors,
}

/// Decides whether a device that proved a key is let in.
///
/// # Errors
/// [`Code::InvalidCredential`] for whatever is unknown or does not fit, one word
/// for all; [`Code::ApprovalPending`], [`Code::RenewalRequired`],
/// [`Code::DeviceSuspended`], [`Code::DeviceRetired`] once key and identity are
/// proved. Each is announced as `access.refused`.
pub fn decide(request: &CallHome, facts: &CallHomeFacts, now: i64) -> Decision<CalledHome, Change, Code> {
    match admit(request, facts, now) {
        Ok(admitted) => let_in(request, facts, &admitted, now),
        Err(refusal) => refuse(facts, refusal),
    }
}

struct Admitted<'a> {
    device: &'a Fact<Device>,
    product: &'a Fact<Product>,
    credential: &'a Fact<Credential>,
    /// What its certificate stands under; one that was shown stands under one.
    authorities: Vec<&'a Fact<TrustAnchor>>,
    /// Of a key that is used for the first time.
    promotion: Option<Promotion<'a>>,
}

fn admit<'a>(request: &'a CallHome, facts: &'a CallHomeFacts, now: i64) -> Result<Admitted<'a>, Refusal<Code>> {
    let unknown = |reason| Refusal::new(Code::InvalidCredential, reason);
    let credential = facts.credential.as_ref().ok_or(unknown("unknown_credential"))?;
    let owned = facts.owned.device.as_ref().ok_or(unknown("unknown_device"))?;
    let (device, product) = (&owned.device, &owned.product);
    if credential.key_thumbprint != request.key_thumbprint {
        return Err(unknown("other_key"));
    }
    if credential.device != device.id {
        return Err(unknown("other_device"));
    }
    let (authorities, expired) = match &request.certificate {
        Some(certificate) => {
            let (anchor, expired) = judge_certificate(certificate, device, facts).map_err(unknown)?;
            (vec![anchor], expired)
        }
        // A bare key: the registry vouches for it. Dates and authority of a certificate it holds still count.
        None => {
            let authorities = authorities_of(credential, &request.authorities).map_err(unknown)?;
            (authorities, credential.certificate.as_ref().is_some_and(|c| c.not_after < now))
        }
    };
    compare_claims(&request.claimed, device, product).map_err(unknown)?;
    // From here on key and identity are proved: the device may learn its state.
    match device.state {
        DeviceState::Retired => return Err(Refusal::new(Code::DeviceRetired, "retired")),
        _ if credential.state == CredentialState::Revoked => return Err(unknown("revoked_credential")),
        _ if credential.state == CredentialState::Retiring && !credential.counts(now) => {
            return Err(unknown("retired_key"));
        }
        DeviceState::Suspended => return Err(Refusal::new(Code::DeviceSuspended, "suspended")),
        DeviceState::Registered | DeviceState::Enrolled | DeviceState::Active => {}
    }
    if device.pending {
        return Err(Refusal::new(Code::ApprovalPending, "pending"));
    }
    if expired {
        return Err(judge_expired(request, credential, now));
    }
    let promotion = match credential.state {
        CredentialState::Staged => Some(rotation::promote(credential, &owned.credentials, now).map_err(unknown)?),
        _ => None,
    };
    Ok(Admitted { device, product, credential, authorities, promotion })
}

fn judge_certificate<'a>(
    certificate: &Presented,
    device: &Device,
    facts: &'a CallHomeFacts,
) -> Result<(&'a Fact<TrustAnchor>, bool), &'static str> {
    let (thumbprint, expired) = match &certificate.path {
        Path::Valid { anchor } => (anchor, false),
        Path::Expired { anchor } => (anchor, true),
        Path::Refused(cause) => return Err(cause),
    };
    let anchor = facts
        .trust_anchors
        .iter()
        .find(|known| known.thumbprint == *thumbprint && known.product == device.product)
        .ok_or("unknown_trust_anchor")?;
    if anchor.state == TrustAnchorState::Disabled {
        return Err("disabled_trust_anchor");
    }
    let identity = certificate.identity.as_ref().map_err(|cause| *cause)?;
    // A device without a serial number is named by its did (an LDevID, a URI of ours).
    let named = device.serial.as_deref() == Some(identity.as_str()) || device.id.as_str() == identity;
    if named { Ok((anchor, expired)) } else { Err("other_serial") }
}

fn compare_claims(claimed: &Claimed, device: &Device, product: &Product) -> Result<(), &'static str> {
    if claimed.did.as_deref().is_some_and(|did| did != device.id.as_str()) {
        return Err("claimed_other_did");
    }
    if claimed.serial.as_deref().is_some_and(|serial| Some(serial) != device.serial.as_deref()) {
        return Err("claimed_other_serial");
    }
    if claimed.model.as_deref().is_some_and(|model| model != product.model) {
        return Err("claimed_other_model");
    }
    Ok(())
}

/// Expired but known: only the very certificate we keep, an operational one,
/// and not too late, is told to renew.
fn judge_expired(request: &CallHome, credential: &Credential, now: i64) -> Refusal<Code> {
    let kept = credential.certificate.as_ref();
    let same = match (&request.certificate, kept) {
        (Some(shown), Some(kept)) => shown.thumbprint == kept.thumbprint,
        (None, Some(_)) => true,
        (_, None) => false,
    };
    let recent = kept.is_some_and(|kept| now.saturating_sub(kept.not_after) <= LATE_RENEWAL);
    if same && recent && credential.kind == CredentialKind::Operational {
        Refusal::new(Code::RenewalRequired, "expired")
    } else {
        Refusal::new(Code::InvalidCredential, "expired")
    }
}

fn let_in(
    request: &CallHome,
    facts: &CallHomeFacts,
    admitted: &Admitted<'_>,
    now: i64,
) -> Decision<CalledHome, Change, Code> {
    let Admitted { device, product, credential, authorities, promotion } = admitted;
    let kept = kept(request, admitted);
    let operational = credential.kind == CredentialKind::Operational || product.factory_key_is_operational;
    let enrols = device.state == DeviceState::Registered && operational;
    let state = if enrols { DeviceState::Enrolled } else { device.state };
    let firmware = request.claimed.firmware.clone().filter(|text| text.len() <= 64 && !text.contains(char::is_control));
    let expires_at = now.saturating_add(SESSION_LIFE);
    let mut guards = vec![device.guard(), product.guard(), credential.guard()];
    guards.extend(authorities.iter().map(|anchor| anchor.guard()));
    guards.extend(title_guards(facts));
    let anchors = [facts.tenant.anchor(), Anchor::new(AnchorKind::Session, request.session.as_str()).at(0)]
        .into_iter()
        .chain(guards.iter().filter_map(|guard| guard.anchor.clone()))
        .collect();
    let title = facts.owned.asset.as_ref().map(|asset| Title {
        asset: asset.id.clone(),
        account: asset.account.clone(),
        bond: facts.bonds.first().map(|bond| bond.id.clone()),
    });

    let mut decision = Decision::reply(CalledHome {
        session: request.session.clone(),
        session_expires_at: expires_at,
        did: device.id.clone(),
        state,
        credential: kept.clone(),
        old_valid_until: old_valid_until(&kept, admitted, facts, now),
        certificate_thumbprint: request.certificate.as_ref().map(|shown| shown.thumbprint.clone()),
        model: product.model.clone(),
        scopes: scopes_of(state),
        next: next_of(state, product, firmware.as_deref()),
        title,
        anchors,
    });
    decision.guards = guards;

    if enrols {
        let enrolled = Device { state, ..device.record.clone() };
        let event =
            Event::new(EventKind::DeviceEnrolled, device.id.as_str()).with("credential_id", credential.id.as_str());
        decision = decision.change(device.rewrite(enrolled)).event(event);
    }
    let replaced = facts.session.as_ref().map(|old| old.id.as_str().to_owned());
    decision = take_over(decision, facts, admitted, kept);
    let replaced_key = promotion.as_ref().and_then(|promotion| promotion.old.as_ref());
    let session = DeviceSession {
        id: request.session.clone(),
        device: device.id.clone(),
        credential: credential.id.clone(),
        firmware: firmware.clone(),
        opened_at: now,
        expires_at,
    };
    let called = Event::new(EventKind::DeviceCalledHome, device.id.as_str())
        .with("session_id", request.session.as_str())
        .with("replaced_session_id", replaced)
        .with("credential_id", credential.id.as_str())
        .with("replaced_credential_id", replaced_key.map(|(old, _)| old.id.as_str().to_owned()))
        .with("firmware", firmware)
        .with("state", state.as_str());
    decision.change(Write::new(session)).event(called)
}

/// The session before this one ends, and a key that is replaced retires.
fn take_over(
    decision: Decision<CalledHome, Change, Code>,
    facts: &CallHomeFacts,
    admitted: &Admitted<'_>,
    kept: Credential,
) -> Decision<CalledHome, Change, Code> {
    let Admitted { credential, promotion, .. } = admitted;
    let is_written = kept != credential.record;
    let mut decision = match &facts.session {
        Some(old) => decision
            .change(Raise::end(AnchorKind::Session, old.id.as_str()))
            .change(Change::Erase { key: old.key(), version: old.version }),
        // Of two first calls at once the second sees the session of the first.
        // A credential that is written counts up by that.
        None if is_written => decision,
        None => decision.change(Change::Touch { key: credential.key(), version: credential.version }),
    };
    if is_written {
        decision = decision.change(credential.rewrite(kept));
    }
    match promotion.as_ref().and_then(|promotion| promotion.old.as_ref()) {
        Some((old, retiring)) => decision.change(old.rewrite(retiring.clone())),
        None => decision,
    }
}

/// The credential as it is from now on: no longer staged, and with the authority
/// that its certificate was seen to lead to.
fn kept(request: &CallHome, admitted: &Admitted<'_>) -> Credential {
    let mut kept = match &admitted.promotion {
        Some(promotion) => promotion.new.clone(),
        None => admitted.credential.record.clone(),
    };
    let shown = request.certificate.as_ref().and_then(|_| admitted.authorities.first());
    if let (Some(shown), Some(_)) = (shown, &kept.certificate) {
        kept.authority = Some(shown.id.clone());
    }
    kept
}

/// Told for as long as it lasts: the answer of the first use may have been lost.
fn old_valid_until(kept: &Credential, admitted: &Admitted<'_>, facts: &CallHomeFacts, now: i64) -> Option<i64> {
    if let Some(promotion) = &admitted.promotion {
        return promotion.old.as_ref().and_then(|(_, retiring)| retiring.until);
    }
    let replaced = kept.replaces.as_ref()?;
    let siblings = facts.owned.device.as_ref().map(|owned| owned.credentials.as_slice()).unwrap_or_default();
    let old = siblings.iter().find(|held| held.id == *replaced && held.counts(now))?;
    old.until
}

fn title_guards(facts: &CallHomeFacts) -> Vec<Guard> {
    let Some(asset) = &facts.owned.asset else { return Vec::new() };
    let mut guards = vec![asset.guard()];
    guards.extend(facts.owned.account.as_ref().map(Fact::guard));
    guards.extend(facts.bonds.first().map(Fact::guard));
    guards
}

fn scopes_of(state: DeviceState) -> Vec<&'static str> {
    match state {
        DeviceState::Registered => vec!["firmware:read"],
        DeviceState::Enrolled | DeviceState::Active => vec!["firmware:read", "device:pair"],
        DeviceState::Suspended | DeviceState::Retired => Vec::new(),
    }
}

fn next_of(state: DeviceState, product: &Product, firmware: Option<&str>) -> Vec<Next> {
    let mut next = Vec::new();
    if state == DeviceState::Registered {
        next.push(Next::Enrol);
    }
    if state == DeviceState::Enrolled || (state == DeviceState::Registered && product.pair_when_registered) {
        next.push(Next::Pair);
    }
    if product.firmware_version.is_some() && product.firmware_version.as_deref() != firmware {
        next.push(Next::Update);
    }
    next
}

fn refuse(facts: &CallHomeFacts, refusal: Refusal<Code>) -> Decision<CalledHome, Change, Code> {
    let device = facts.owned.device.as_ref().map(|owned| owned.device.id.as_str());
    let credential = facts.credential.as_ref().map_or(Value::Null, |credential| json!(credential.id.as_str()));
    let event = Event::new(EventKind::AccessRefused, device.unwrap_or("unknown"))
        .with("door", "call_home")
        .with("code", refusal.code.as_str())
        .with("reason", refusal.reason)
        .with("credential_id", credential);
    Decision::refuse(refusal.code, refusal.reason).event(event)
}

#[cfg(test)]
mod tests;
