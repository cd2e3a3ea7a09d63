//! Token exchange (RFC 8693): what may be asked for, and what all its paths share.
//! A customer's token registers a device; an asset token is renewed by proof of
//! the device's key, or traded for an access token (`jwt_bearer`).

use identity::{Anchor, AnchorKind, AssetId, BondId, CredentialId, DeviceId, Secret};

use crate::error::{ErrorCode, OAuthRefusal};
use crate::foreign_token::ForeignSubject;
use crate::form::Form;
use crate::scope::Scope;
use crate::token::{Claims, TokenKind};

pub(super) mod asset_token;
mod customer;
mod device;
mod registration;
pub mod renewal;

pub use customer::may_bring;
pub use registration::{Registration, decide, may_refresh, query};

/// RFC 8693 §3.
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// RFC 8693 §3.
pub const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
/// The scope a customer's token needs to register devices.
pub const REGISTER: &str = "device:register";
/// The scope a service's own token needs to register devices for an account
/// that it names, without any person.
pub const REGISTER_FOR: &str = "assets:register_for";
/// RFC 8693 §3; of trusted foreign issuers alone.
pub const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The customer's token.
    pub subject_token: Secret<String>,
    /// Its type.
    pub subject_type: String,
    /// The token about the device, as it came.
    pub actor_token: Option<Secret<String>>,
    /// What shall be issued; `None` lets the server choose.
    pub requested: Option<String>,
    /// Device scopes.
    pub scope: Option<Scope>,
    /// Receivers.
    pub targets: Vec<String>,
}

const fn bad(reason: &'static str) -> OAuthRefusal {
    OAuthRefusal::new(ErrorCode::InvalidRequest, reason)
}

/// The private type of asset tokens at this issuer (RFC 8693 §3: any URI).
pub fn asset_token_type(issuer: &str) -> String {
    format!("{issuer}/token-type/asset")
}

impl Request {
    /// Whether the asset token shall be answered under its private type.
    fn wants_private_type(&self, issuer: &str) -> bool {
        self.requested.as_deref().is_some_and(|kind| kind == asset_token_type(issuer))
    }

    /// Reads the parameters (RFC 8693 §2.1).
    ///
    /// # Errors
    /// `invalid_request` for what is missing or of a type we do not know.
    pub fn parse(form: &Form, issuer: &str) -> Result<Self, OAuthRefusal> {
        let subject_token = Secret::new(form.required("subject_token", "subject_token_missing")?.to_owned());
        let subject_type = form.required("subject_token_type", "subject_token_type_missing")?.to_owned();
        let known = [ACCESS_TOKEN, JWT, ID_TOKEN].contains(&subject_type.as_str());
        let known = known || subject_type == asset_token_type(issuer);
        if !known {
            return Err(bad("subject_token_type_unknown"));
        }
        let actor_token = match (form.one("actor_token"), form.one("actor_token_type")) {
            (None, None) => None,
            (Some(token), Some(JWT)) => Some(Secret::new(token.to_owned())),
            (Some(_), Some(_)) => return Err(bad("actor_token_type_unknown")),
            (Some(_), None) => return Err(bad("actor_token_without_type")),
            (None, Some(_)) => return Err(bad("actor_token_type_without_token")),
        };
        let requested = form.one("requested_token_type").map(str::to_owned);
        let known = |kind: &String| [ACCESS_TOKEN, JWT].contains(&kind.as_str()) || *kind == asset_token_type(issuer);
        if requested.as_ref().is_some_and(|kind| !known(kind)) {
            return Err(bad("requested_token_type_unknown"));
        }
        Ok(Self { subject_token, subject_type, actor_token, requested, scope: form.scope()?, targets: form.targets() })
    }
}

/// A subject token that the authority found sound: signature, issuer, times.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Access or asset token.
    pub kind: TokenKind,
    /// What it says.
    pub claims: Claims,
}

/// A subject token whose signature was found good.
#[derive(Debug, Clone)]
pub enum Shown {
    /// One of ours.
    Ours(Subject),
    /// One of a trusted foreign issuer.
    Foreign(ForeignSubject),
}

impl Shown {
    /// Whom it speaks of, by the id they have here.
    fn sub(&self) -> String {
        match self {
            Self::Ours(subject) => subject.claims.sub.clone(),
            Self::Foreign(subject) => subject.user.to_string(),
        }
    }
}

/// Ids that were drawn for what a registration may make.
#[derive(Debug, Clone)]
pub struct NewIds {
    /// A device.
    pub device: DeviceId,
    /// A title.
    pub asset: AssetId,
    /// A bond.
    pub bond: BondId,
    /// A credential.
    pub credential: CredentialId,
}

/// All a subject token hangs from: what it lists, and itself.
fn rests_on(claims: &Claims) -> identity::Anchors {
    let mut anchors = claims.anc.clone();
    anchors.add(Anchor::new(AnchorKind::Token, claims.jti.clone()).at(0));
    anchors
}

/// Inputs are checked in the exchange's own load, not in an index (anchors §1).
pub(super) fn check_alive(anchors: &identity::Anchors, now: &[Option<identity::Epochs>]) -> Result<(), OAuthRefusal> {
    for (listed, epochs) in anchors.iter().zip(now) {
        match epochs {
            Some(epochs) if listed.epoch >= epochs.epoch => {}
            Some(_) => return Err(bad("subject_anchor_raised")),
            None => return Err(bad("subject_anchor_missing")),
        }
    }
    if anchors.iter().count() == now.len() { Ok(()) } else { Err(bad("subject_anchor_missing")) }
}

#[cfg(test)]
mod tests;
