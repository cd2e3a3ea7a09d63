//! Tokens of trusted foreign issuers: their keys, fetched and kept, and their
//! signatures. Only configured issuers are ever asked, and each at most once a
//! minute, however many keys nobody knows are named.

use std::sync::Arc;

use futures_util::lock::Mutex;
use jose::{Alg, Jwk, JwkSet, VerifyingKey, jws};
use oauth::foreign_token::{self, ForeignSubject, TrustedIssuer};
use serde_json::Value;

use crate::port::Fetch;

/// Keys are asked for anew after so long, seconds.
const FRESH: i64 = 3600;
/// Keys that could not be asked for anew count so long, seconds.
const STALE: i64 = 86_400;
/// An issuer is asked at most once in so long, seconds.
const PAUSE: i64 = 60;

/// Where the keys of an issuer come from.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// Named by the issuer's own metadata (OIDC Discovery §4), at its own origin.
    Discovery,
    /// A key set at this address.
    Url(String),
    /// These and no others.
    Fixed(JwkSet),
}

/// The foreign issuers that are trusted.
pub struct ForeignIssuers {
    issuers: Vec<Issuer>,
    fetch: Option<Arc<dyn Fetch>>,
}

struct Issuer {
    trusted: Arc<TrustedIssuer>,
    source: KeySource,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    keys: Vec<Jwk>,
    fetched_at: Option<i64>,
    tried_at: Option<i64>,
}

impl ForeignIssuers {
    /// Nobody is trusted.
    pub fn none() -> Self {
        Self { issuers: Vec::new(), fetch: None }
    }

    /// These are.
    pub fn new(issuers: impl IntoIterator<Item = (TrustedIssuer, KeySource)>, fetch: Arc<dyn Fetch>) -> Self {
        let known = |(trusted, source)| Issuer { trusted: Arc::new(trusted), source, kept: Mutex::default() };
        Self { issuers: issuers.into_iter().map(known).collect(), fetch: Some(fetch) }
    }

    /// Verifies a token of a trusted issuer; `None` where it is of nobody who is
    /// trusted, and then nobody was asked.
    ///
    /// # Errors
    /// The named cause.
    pub async fn verify(
        &self,
        token: &str,
        subject_type: &str,
        now: i64,
    ) -> Option<Result<ForeignSubject, &'static str>> {
        if self.issuers.is_empty() {
            return None;
        }
        let unverified = jws::Unverified::parse(token).ok()?;
        let claims = unverified.peek_claims().ok()?;
        let named = claims.get("iss").and_then(Value::as_str)?;
        let issuer = self.issuers.iter().find(|known| known.trusted.issuer == named)?;
        // What is over or for somebody else costs nobody a question.
        let typ = unverified.header().typ();
        let subject = match foreign_token::read(&issuer.trusted, typ, &claims, subject_type, now) {
            Ok(subject) => subject,
            Err(reason) => return Some(Err(reason)),
        };
        Some(self.check_signature(issuer, &unverified, now).await.map(|()| subject))
    }

    async fn check_signature(&self, issuer: &Issuer, token: &jws::Unverified, now: i64) -> Result<(), &'static str> {
        let (alg, kid) = (token.header().alg(), token.header().kid());
        if !Alg::ASYMMETRIC.contains(&alg) {
            return Err("foreign_alg");
        }
        let keys = self.keys(issuer, kid, alg, now).await?;
        let signed =
            |jwk: &Jwk| VerifyingKey::from_jwk(jwk).is_ok_and(|key| token.verify(&key, &Alg::ASYMMETRIC).is_ok());
        if keys.iter().any(signed) { Ok(()) } else { Err("foreign_signature") }
    }

    /// The keys that may have signed. Whoever comes while they are being fetched
    /// waits for them.
    async fn keys(&self, issuer: &Issuer, kid: Option<&str>, alg: Alg, now: i64) -> Result<Vec<Jwk>, &'static str> {
        let fitting = |keys: &[Jwk]| -> Vec<Jwk> {
            let named = |jwk: &&Jwk| kid.is_none_or(|kid| jwk.kid() == Some(kid));
            keys.iter().filter(named).filter(|jwk| jwk.permits(alg)).cloned().collect()
        };
        if let KeySource::Fixed(set) = &issuer.source {
            return Ok(fitting(set.keys()));
        }
        let mut kept = issuer.kept.lock().await;
        let fresh = kept.fetched_at.is_some_and(|at| (at..at + FRESH).contains(&now));
        let tired = kept.tried_at.is_some_and(|at| (at..at + PAUSE).contains(&now));
        if (!fresh || fitting(&kept.keys).is_empty()) && !tired {
            kept.tried_at = Some(now);
            match self.fetch_keys(issuer).await {
                Ok(keys) => {
                    kept.keys = keys;
                    kept.fetched_at = Some(now);
                }
                Err(_) if kept.fetched_at.is_none() => return Err("foreign_keys_unreachable"),
                Err(_) => {}
            }
        }
        match kept.fetched_at {
            Some(at) if now < at + STALE => Ok(fitting(&kept.keys)),
            _ => Err("foreign_keys_unreachable"),
        }
    }

    async fn fetch_keys(&self, issuer: &Issuer) -> Result<Vec<Jwk>, &'static str> {
        let fetch = self.fetch.as_ref().ok_or("nobody_fetches")?;
        let get = async |url: &str| fetch.get(url).await.map_err(|_| "not_fetched");
        let place = match &issuer.source {
            KeySource::Url(url) => url.clone(),
            KeySource::Discovery | KeySource::Fixed(_) => {
                let name = issuer.trusted.issuer.trim_end_matches('/');
                let document = get(&format!("{name}/.well-known/openid-configuration")).await?;
                let document: Value = serde_json::from_slice(&document).map_err(|_| "metadata_malformed")?;
                let text = |name: &str| document.get(name).and_then(Value::as_str);
                // OIDC Discovery §4.3: it must be this issuer's own.
                if text("issuer") != Some(issuer.trusted.issuer.as_str()) {
                    return Err("metadata_of_another_issuer");
                }
                let place = text("jwks_uri").ok_or("metadata_without_keys")?;
                if origin(place).is_none_or(|there| Some(there) != origin(name)) {
                    return Err("keys_at_another_origin");
                }
                place.to_owned()
            }
        };
        let set = JwkSet::parse(&get(&place).await?).map_err(|_| "keys_malformed")?;
        Ok(set.keys().to_vec())
    }
}

impl core::fmt::Debug for ForeignIssuers {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "ForeignIssuers({})", self.issuers.len())
    }
}

/// Scheme and authority of an address.
fn origin(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    url.get(..scheme.len() + 3 + authority.len())
}

#[cfg(test)]
mod tests;
