//! A backend of the maker: takes data from devices that show an asset token,
//! checks all of it with the issuer's published keys, and knows whose it is.
//! Owns nothing of the registry; asks it for nothing but its keys.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use authority::Clock;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use jose::dpop::{Expected, Freshness, HttpUri, Proof};
use jose::jws::Unverified;
use jose::{Alg, Jwk, VerifyingKey};
use serde_json::{Map, Value, json};

use super::http::Http;

/// Where data is sent.
pub(super) const PATH: &str = "/telemetry";
/// What a token must permit for it.
pub(super) const SCOPE: &str = "telemetry:write";

/// A resource server of its own.
#[derive(Clone)]
pub(super) struct Backend(Arc<Inner>);

struct Inner {
    issuer: String,
    own: String,
    http: Http,
    clock: Arc<dyn Clock>,
    /// Proofs seen, with the time until which they are remembered (RFC 9449 §11.1).
    seen: Mutex<HashMap<String, i64>>,
}

/// How old a proof may be, seconds.
const PROOF_LIFE: i64 = 60;

impl Backend {
    pub(super) fn new(issuer: &str, own: &str, http: Http, clock: Arc<dyn Clock>) -> Self {
        let (issuer, own) = (issuer.to_owned(), own.to_owned());
        Self(Arc::new(Inner { issuer, own, http, clock, seen: Mutex::default() }))
    }

    pub(super) fn router(self) -> Router {
        Router::new().route(PATH, post(take)).with_state(self)
    }
}

/// Takes data. The keys are fetched by a blocking client, so this has a thread of its own.
async fn take(State(backend): State<Backend>, headers: HeaderMap) -> Response {
    let judged = tokio::task::spawn_blocking(move || backend.0.judge(&headers)).await;
    match judged {
        Ok(Ok(sender)) => (StatusCode::ACCEPTED, Json(sender)).into_response(),
        Ok(Err(reason)) => {
            let challenge = [(header::WWW_AUTHENTICATE, "DPoP error=\"invalid_token\"")];
            (StatusCode::UNAUTHORIZED, challenge, Json(json!({ "error": "invalid_token", "detail": reason })))
                .into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

impl Inner {
    /// Who sends, or why they are not believed.
    fn judge(&self, headers: &HeaderMap) -> Result<Value, &'static str> {
        let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, token) = authorization.and_then(|value| value.split_once(' ')).ok_or("no_token")?;
        let claims = self.verify(token)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let bound =
            claims.get("cnf").and_then(|cnf| cnf.get("jkt")).and_then(Value::as_str).ok_or("token_not_bound")?;
        if !scheme.eq_ignore_ascii_case("DPoP") {
            return Err("bound_token_as_bearer");
        }
        let proofs: Vec<&str> = headers.get_all("dpop").iter().filter_map(|value| value.to_str().ok()).collect();
        self.check_proof(&proofs, token, bound)?;
        let scopes = text("scope").unwrap_or_default();
        if !scopes.split(' ').any(|scope| scope == SCOPE) {
            return Err("scope_missing");
        }
        Ok(
            json!({ "device": text("did"), "customer": text("sub"), "account": text("account_id"), "serial": text("serial_number") }),
        )
    }

    /// Signature by a published key, kind, issuer, receiver, times (RFC 9068 §4 in spirit).
    fn verify(&self, token: &str) -> Result<Map<String, Value>, &'static str> {
        let token = Unverified::parse(token).map_err(|_| "malformed")?;
        if !token.header().has_typ("asset+jwt") {
            return Err("no_asset_token");
        }
        let kid = token.header().kid().ok_or("no_kid")?;
        let key = self.published(kid).ok_or("unknown_key")?;
        let key = VerifyingKey::from_jwk(&key).map_err(|_| "unknown_key")?;
        let verified = token.verify(&key, &[Alg::ES256]).map_err(|_| "bad_signature")?;
        let claims = verified.claims().map_err(|_| "malformed")?;
        let (now, text) = (self.clock.now(), |name: &str| claims.get(name).and_then(Value::as_str));
        let receivers = claims.get("aud").and_then(Value::as_array);
        let ours = receivers.is_some_and(|receivers| receivers.iter().any(|receiver| receiver == self.own.as_str()));
        let live = claims.get("exp").and_then(Value::as_i64).is_some_and(|exp| now < exp);
        let begun = claims.get("nbf").and_then(Value::as_i64).is_none_or(|nbf| nbf <= now);
        match (text("iss") == Some(self.issuer.as_str()), ours, live && begun) {
            (false, _, _) => Err("other_issuer"),
            (_, false, _) => Err("for_another_receiver"),
            (_, _, false) => Err("expired"),
            _ => Ok(claims),
        }
    }

    fn published(&self, kid: &str) -> Option<Jwk> {
        let keys = self.http.get(&format!("{}/jwks", self.issuer), &[]).ok()?.json().ok()?;
        let keys =
            keys.get("keys")?.as_array()?.iter().find(|key| key.get("kid").and_then(Value::as_str) == Some(kid))?;
        Jwk::from_json(keys).ok()
    }

    fn check_proof(&self, proofs: &[&str], token: &str, bound: &str) -> Result<(), &'static str> {
        let now = self.clock.now();
        let uri = HttpUri::parse(&format!("{}{PATH}", self.own)).map_err(|_| "bad_address")?;
        let proof = Proof::parse(proofs).map_err(|_| "no_proof")?;
        let expected = Expected {
            method: "POST",
            uri: &uri,
            access_token: Some(token),
            freshness: Freshness::Iat { now, window: PROOF_LIFE },
        };
        let proof = proof.verify(expected).map_err(|_| "bad_proof")?;
        if proof.thumbprint().to_string() != bound {
            return Err("proof_by_another_key");
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, until| *until >= now);
        match seen.insert(format!("{bound} {}", proof.jti()), now + 2 * PROOF_LIFE) {
            None => Ok(()),
            Some(_) => Err("proof_replayed"),
        }
    }
}
