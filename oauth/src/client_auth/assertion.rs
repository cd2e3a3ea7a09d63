//! `private_key_jwt`: a signed assertion (RFC 7521, RFC 7523 §2.2, §3). The
//! audience is the issuer as the only value, so that one server's assertion is
//! of no use at another.

use identity::Tenant;
use jose::{Jwk, base64url, digest, jws};
use serde_json::{Map, Value};

use super::{allowed_key, bad, integer, text, verified};
use crate::error::{ErrorCode, OAuthRefusal};
use crate::form::Form;

/// `client_assertion_type` of RFC 7523 §2.2.
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// `exp` at most so far ahead, seconds.
const LONGEST: i64 = 300;
/// Clocks of clients, to either side, seconds.
const SKEW: i64 = 60;

/// An assertion that was read but not verified.
#[derive(Clone)]
pub struct Assertion {
    token: std::sync::Arc<jws::Unverified>,
    claims: Map<String, Value>,
    client_id: String,
    jti: String,
}

impl core::fmt::Debug for Assertion {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Assertion(..)")
    }
}

/// Reads the assertion of a request, if it has one.
pub(super) fn collect(form: &Form) -> Result<Option<Assertion>, OAuthRefusal> {
    let (kind, token) = match (form.one("client_assertion_type"), form.one("client_assertion")) {
        (None, None) => return Ok(None),
        (Some(kind), Some(token)) => (kind, token),
        _ => return Err(OAuthRefusal::new(ErrorCode::InvalidRequest, "assertion_without_type")),
    };
    if kind != TYPE {
        return Err(bad("assertion_type"));
    }
    let token = jws::Unverified::parse(token).map_err(|_| bad("assertion_malformed"))?;
    let claims = token.peek_claims().map_err(|_| bad("assertion_malformed"))?;
    let issuer = text(&claims, "iss").ok_or(bad("assertion_without_iss"))?;
    if text(&claims, "sub") != Some(issuer) {
        return Err(bad("assertion_sub_differs"));
    }
    // An actor token of a device has the same issuer, subject and audience, and
    // devices hand it to apps: it must not log in as the device.
    if claims.contains_key("did") || claims.contains_key("cnf") {
        return Err(bad("assertion_is_an_actor_token"));
    }
    let jti = text(&claims, "jti").filter(|jti| (1..=128).contains(&jti.len())).ok_or(bad("assertion_without_jti"))?;
    let (client_id, jti) = (issuer.to_owned(), jti.to_owned());
    Ok(Some(Assertion { token: std::sync::Arc::new(token), claims, client_id, jti }))
}

impl Assertion {
    pub(super) fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Its single use: by client and `jti`.
    pub(super) fn once_key(&self) -> String {
        let key = format!("assertion\n{}\n{}", self.client_id, self.jti);
        base64url::encode(digest::sha256(key.as_bytes()))
    }

    pub(super) fn remembered_until(&self, now: i64) -> i64 {
        integer(&self.claims, "exp").unwrap_or(now).saturating_add(SKEW).min(now + LONGEST + 2 * SKEW)
    }

    /// Whether its header names this key.
    pub(super) fn is_by(&self, jwk: &Jwk) -> bool {
        self.token.header().kid().is_none_or(|kid| Some(kid) == jwk.kid() || kid == jwk.thumbprint().to_string())
    }

    /// Whether this key is named, if any is, and made the signature.
    pub(super) fn is_signed_by(&self, jwk: &Jwk) -> bool {
        let permitted = self.is_by(jwk) && jwk.permits(self.token.header().alg());
        permitted && allowed_key(jwk).is_some_and(|key| verified(&self.token, &key))
    }

    pub(super) fn verify(&self, keys: &[Jwk], tenant: &Tenant, used: bool, now: i64) -> Result<(), OAuthRefusal> {
        let header = self.token.header();
        let typ_fits =
            header.typ().is_none_or(|typ| jws::same_typ(typ, "JWT") || jws::same_typ(typ, "client-authentication+jwt"));
        if !typ_fits {
            return Err(bad("assertion_typ"));
        }
        if !keys.iter().any(|jwk| self.is_signed_by(jwk)) {
            return Err(bad("assertion_signature"));
        }
        let single = match self.claims.get("aud") {
            Some(Value::String(aud)) => Some(aud.as_str()),
            Some(Value::Array(list)) if list.len() == 1 => list.first().and_then(Value::as_str),
            _ => None,
        };
        if single != Some(tenant.issuer.as_str()) {
            return Err(bad("assertion_aud"));
        }
        let exp = integer(&self.claims, "exp").ok_or(bad("assertion_without_exp"))?;
        if now >= exp.saturating_add(SKEW) {
            return Err(bad("assertion_expired"));
        }
        if exp > now + LONGEST + SKEW {
            return Err(bad("assertion_exp_too_far"));
        }
        let future = |name| integer(&self.claims, name).is_some_and(|time| time > now + SKEW);
        if future("iat") || future("nbf") {
            return Err(bad("assertion_from_the_future"));
        }
        if used { Err(bad("assertion_replayed")) } else { Ok(()) }
    }
}
