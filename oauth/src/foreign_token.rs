//! Tokens of foreign issuers that are trusted for exchange: what is believed of
//! them, and whom they speak of here. Keys and signatures are the authority's.

use std::sync::Arc;

use identity::{AccountId, ClientId, UserId};
use jose::{base64url, digest, jws};
use serde_json::{Map, Value};

use crate::grant::token_exchange::{ACCESS_TOKEN, ID_TOKEN, JWT};
use crate::token::{Audience, Confirmation};

/// Clocks of foreign issuers, to either side, seconds.
const SKEW: i64 = 60;

/// A kind of token that is taken from an issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// An access token that says so: `at+jwt` (RFC 9068 §2.1).
    AccessToken,
    /// An access token that is a plain `JWT`, told from an ID token by its
    /// audience alone.
    PlainAccessToken,
    /// An ID token (OIDC Core §2).
    IdToken,
}

/// What happens with a person who is not known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Users {
    /// They are refused.
    Find,
    /// They are made, with what the token says of them.
    Make,
}

/// A foreign issuer whose tokens count as a customer's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedIssuer {
    /// `iss`, exactly.
    pub issuer: String,
    /// What is taken from it.
    pub accepts: Vec<Accepted>,
    /// For whom its access tokens must be.
    pub audience: Option<String>,
    /// For whom its ID tokens must be: the app's client there.
    pub client_id: Option<String>,
    /// Our clients that may bring its tokens.
    pub clients: Vec<ClientId>,
    /// Whether unknown people are made.
    pub users: Users,
    /// The account they become members of; `None` for a household of their own.
    pub account: Option<AccountId>,
}

/// Whom a foreign token speaks of.
#[derive(Debug, Clone, PartialEq)]
pub struct ForeignSubject {
    /// Whose word it is.
    pub issuer: Arc<TrustedIssuer>,
    /// Their id here: of issuer and `sub`, never of an address, so that the same
    /// `sub` of two issuers is two people.
    pub user: UserId,
    /// What they are called, if it says so.
    pub name: Option<String>,
    /// Seconds.
    pub iat: i64,
    /// The key it is bound to.
    pub cnf: Option<Confirmation>,
}

/// The id here of a foreign issuer's subject.
///
/// # Errors
/// The named cause, for a `sub` that is none (OIDC Core §2: at most 255 ASCII
/// characters).
pub fn user_id(issuer: &str, sub: &str) -> Result<UserId, &'static str> {
    let printable = |b: u8| (0x20..0x7f).contains(&b);
    if !(1..=255).contains(&sub.len()) || !sub.bytes().all(printable) {
        return Err("foreign_sub");
    }
    let digest = digest::sha256(format!("foreign\n{issuer}\n{sub}").as_bytes());
    format!("{}x{}", UserId::PREFIX, base64url::encode(digest)).parse().map_err(|_| "foreign_sub")
}

/// Reads what a token says that is to be verified with the issuer's keys.
///
/// # Errors
/// The named cause.
pub fn read(
    issuer: &Arc<TrustedIssuer>,
    typ: Option<&str>,
    claims: &Map<String, Value>,
    subject_type: &str,
    now: i64,
) -> Result<ForeignSubject, &'static str> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(issuer.issuer.as_str()) {
        return Err("foreign_iss");
    }
    match kind(issuer, typ, subject_type)? {
        Accepted::IdToken => check_id_token(issuer, claims)?,
        Accepted::AccessToken => check_access_token(issuer, claims)?,
        Accepted::PlainAccessToken => {
            // An ID token is no access token, whoever it is for.
            if claims.contains_key("nonce") || claims.contains_key("at_hash") {
                return Err("foreign_id_token_as_access_token");
            }
            check_access_token(issuer, claims)?;
        }
    }
    let iat = check_times(claims, now)?;
    Ok(ForeignSubject {
        issuer: issuer.clone(),
        user: user_id(&issuer.issuer, text("sub").ok_or("foreign_sub")?)?,
        name: text("name").filter(|name| is_name(name)).map(str::to_owned),
        iat,
        cnf: claims.get("cnf").map(confirmation).transpose()?,
    })
}

fn kind(issuer: &TrustedIssuer, typ: Option<&str>, subject_type: &str) -> Result<Accepted, &'static str> {
    let says = typ.is_some_and(|typ| jws::same_typ(typ, "at+jwt"));
    let plain = typ.is_none_or(|typ| jws::same_typ(typ, "JWT"));
    let kind = match subject_type {
        ACCESS_TOKEN | JWT if says => Accepted::AccessToken,
        ACCESS_TOKEN | JWT if plain => Accepted::PlainAccessToken,
        ID_TOKEN if plain => Accepted::IdToken,
        _ => return Err("foreign_typ"),
    };
    if issuer.accepts.contains(&kind) { Ok(kind) } else { Err("foreign_type_not_accepted") }
}

fn audience(claims: &Map<String, Value>) -> Result<Audience, &'static str> {
    let aud = claims.get("aud").cloned().ok_or("foreign_aud")?;
    serde_json::from_value(aud).map_err(|_| "foreign_aud")
}

fn check_access_token(issuer: &TrustedIssuer, claims: &Map<String, Value>) -> Result<(), &'static str> {
    let ours = issuer.audience.as_deref().ok_or("foreign_type_not_accepted")?;
    if audience(claims)?.names(ours) { Ok(()) } else { Err("foreign_aud") }
}

/// OIDC Core §3.1.3.7: for the app's client there; where it is for others too,
/// `azp` must name it.
fn check_id_token(issuer: &TrustedIssuer, claims: &Map<String, Value>) -> Result<(), &'static str> {
    let client = issuer.client_id.as_deref().ok_or("foreign_type_not_accepted")?;
    let audience = audience(claims)?;
    let azp = claims.get("azp");
    let named = azp.is_some_and(|azp| azp == client) || (azp.is_none() && audience.0.len() == 1);
    if audience.names(client) && named { Ok(()) } else { Err("foreign_aud") }
}

fn check_times(claims: &Map<String, Value>, now: i64) -> Result<i64, &'static str> {
    let time = |name: &str| claims.get(name).and_then(Value::as_i64);
    let exp = time("exp").ok_or("foreign_without_exp")?;
    let iat = time("iat").ok_or("foreign_without_iat")?;
    if now >= exp.saturating_add(SKEW) {
        return Err("foreign_expired");
    }
    if iat > now + SKEW || time("nbf").is_some_and(|nbf| nbf > now + SKEW) {
        return Err("foreign_from_the_future");
    }
    Ok(iat)
}

/// A binding that is not to a DPoP key cannot be checked here: refused, never
/// taken as bearer.
fn confirmation(cnf: &Value) -> Result<Confirmation, &'static str> {
    let jkt = cnf.get("jkt").and_then(Value::as_str).ok_or("foreign_cnf")?;
    match cnf.as_object().map(Map::len) {
        Some(1) => Ok(Confirmation { jkt: Some(jkt.to_owned()), ..Confirmation::default() }),
        _ => Err("foreign_cnf"),
    }
}

fn is_name(name: &str) -> bool {
    !name.trim().is_empty() && name.chars().count() <= 255 && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests;
