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

/// One public key of each kind: the examples of RFC 7517 appendix A.1 and RFC 8037 appendix A.2,
/// and one of P-384 whose private half was thrown away. What they sign is of no use.
const DECOYS: [&str; 4] = [
    r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#,
    r#"{"kty":"EC","crv":"P-384","x":"J32AvhhW7rDHVMT8yVh8J_dOzU531KF53ZQo2scmoXb1dUvWMR4BV6hfVZ10tvu3",
        "y":"IKFyBdxWY9kpQbKuf-Lxz141omvRMz1R5YJzi1OG32JGs74DfDQTULa4B_Tm8JaT"}"#,
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
    concat!(
        r#"{"kty":"RSA","e":"AQAB","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_"#,
        "BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9",
        "c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8",
        r#"awapJzKnqDKgw"}"#
    ),
];

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

    /// Whether this key is named, if any is, and of the kind that signed.
    pub(super) fn may_be_by(&self, jwk: &Jwk) -> bool {
        self.is_by(jwk) && jwk.permits(self.token.header().alg())
    }

    /// Whether this key is named, if any is, and made the signature.
    pub(super) fn is_signed_by(&self, jwk: &Jwk) -> bool {
        self.may_be_by(jwk) && allowed_key(jwk).is_some_and(|key| verified(&self.token, &key))
    }

    /// Verifies the signature with keys of nobody we know: where there is no key to
    /// try, an answer takes as long as with a wrong one, so that time tells nobody
    /// which devices there are.
    pub(super) fn verify_in_vain(&self) {
        let permits = |jwk: &Jwk| jwk.permits(self.token.header().alg());
        let decoys = DECOYS.iter().filter_map(|jwk| Jwk::parse(jwk.as_bytes()).ok());
        let signed = decoys.filter(permits).filter_map(|jwk| allowed_key(&jwk)).any(|key| verified(&self.token, &key));
        std::hint::black_box(signed);
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

#[cfg(test)]
mod tests {
    use super::*;
    use jose::Alg;

    #[test]
    fn there_is_a_decoy_for_every_algorithm_a_device_may_sign_with() {
        let keys: Vec<Jwk> = DECOYS.iter().map(|jwk| Jwk::parse(jwk.as_bytes()).unwrap()).collect();
        for alg in Alg::ASYMMETRIC {
            let found = keys.iter().filter(|jwk| jwk.permits(alg)).filter_map(allowed_key).count();
            assert_eq!(found, 1, "{alg:?}");
        }
    }
}
