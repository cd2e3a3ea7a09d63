//! From a request to an authenticated peer: token, anchors, audience, proof.

use std::sync::Arc;

use identity::Refusal;
use jose::dpop::HttpUri;
use jose::{base64url, digest};
use oauth::ErrorCode;
use oauth::token::{Claims, TokenKind};

use crate::authority::Authority;
use crate::dpop::ProofRefusal;
use crate::peer::Peer;
use crate::token::{STALE, SoundToken, TokenRefusal, check_times};

/// How a token came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `Authorization: Bearer` (RFC 6750).
    Bearer,
    /// `Authorization: DPoP` (RFC 9449 §7.1).
    Dpop,
}

/// What a request shows at a protected resource.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    /// How the token came.
    pub scheme: Scheme,
    /// The token.
    pub token: &'a str,
    /// All `DPoP` fields.
    pub proofs: &'a [&'a str],
    /// The method, as sent.
    pub method: &'a str,
    /// The external target.
    pub uri: &'a HttpUri,
    /// The connection.
    pub peer: &'a Peer,
}

/// Who stands behind a token that was checked whole: proof that it was. Only
/// [`Authority::authenticate`] makes one.
#[derive(Debug, Clone)]
pub struct AuthenticatedPeer {
    token: Arc<SoundToken>,
}

impl AuthenticatedPeer {
    /// What the token says.
    pub fn claims(&self) -> &Claims {
        self.token.claims()
    }

    /// Access or asset token.
    pub fn kind(&self) -> TokenKind {
        self.token.kind()
    }

    /// Requires a scope.
    ///
    /// # Errors
    /// `insufficient_scope` (RFC 6750 §3.1).
    pub fn require_scope(&self, scope: &str) -> Result<(), Refusal<ErrorCode>> {
        if self.claims().scope.contains(scope) {
            Ok(())
        } else {
            Err(Refusal::new(ErrorCode::InsufficientScope, "scope_missing"))
        }
    }
}

const fn invalid(reason: &'static str) -> Refusal<ErrorCode> {
    Refusal::new(ErrorCode::InvalidToken, reason)
}

impl Authority {
    /// Checks a token whole: sound, alive, for this audience, with its proof.
    ///
    /// # Errors
    /// `invalid_token`, `invalid_dpop_proof` or `use_dpop_nonce`, all 401 at a
    /// resource (RFC 6750 §3.1, RFC 9449 §7.1); `temporarily_unavailable` where
    /// a proof cannot be remembered, and where this node may not know what
    /// others ended.
    pub async fn authenticate(
        &self,
        presented: &Presented<'_>,
        audience: &str,
        now: i64,
    ) -> Result<AuthenticatedPeer, Refusal<ErrorCode>> {
        let token = self.verify(presented.token, now).map_err(|refusal| match refusal.reason {
            STALE => Refusal::new(ErrorCode::TemporarilyUnavailable, STALE),
            reason => invalid(reason),
        })?;
        if !token.claims().aud.names(audience) {
            return Err(invalid("token_for_another_audience"));
        }
        self.check_proof(token.claims(), presented, now).await?;
        Ok(AuthenticatedPeer { token })
    }

    /// Whether what was authenticated still stands: for connections and answers
    /// that outlast the request. The proof is not asked for again.
    ///
    /// # Errors
    /// [`TokenRefusal`] when the token is over, or something it hangs from was raised.
    pub fn still_stands(&self, peer: &AuthenticatedPeer, now: i64) -> Result<(), TokenRefusal> {
        check_times(peer.claims(), now, self.tenant().max_token_life)?;
        self.check_anchors(&peer.token, now)
    }

    /// A bound token is useless without its key; an unbound one is no DPoP
    /// token. What is bound in a way this door cannot check is refused, never
    /// taken as bearer.
    async fn check_proof(
        &self,
        claims: &Claims,
        presented: &Presented<'_>,
        now: i64,
    ) -> Result<(), Refusal<ErrorCode>> {
        let Some(cnf) = &claims.cnf else {
            return match presented.scheme {
                Scheme::Bearer => Ok(()),
                Scheme::Dpop => Err(invalid("unbound_token_as_dpop")),
            };
        };
        match (&cnf.jkt, &cnf.x5t_s256) {
            (Some(jkt), None) => self.check_dpop(jkt, presented, now).await,
            (None, Some(x5t)) => check_certificate(x5t, presented),
            _ => Err(invalid("binding_this_door_cannot_check")),
        }
    }

    async fn check_dpop(&self, jkt: &str, presented: &Presented<'_>, now: i64) -> Result<(), Refusal<ErrorCode>> {
        if presented.scheme != Scheme::Dpop {
            return Err(invalid("bound_token_as_bearer"));
        }
        let proof = self
            .resource_door()
            .verify(presented.proofs, presented.method, presented.uri, Some(presented.token), now)
            .await
            .map_err(|refusal| match refusal {
                ProofRefusal::Invalid(reason) => Refusal::new(ErrorCode::InvalidDpopProof, reason),
                ProofRefusal::NonceWanted => Refusal::new(ErrorCode::UseDpopNonce, "dpop_nonce_wanted"),
                ProofRefusal::Full => Refusal::new(ErrorCode::TemporarilyUnavailable, "dpop_memory_full"),
            })?;
        if digest::constant_time_eq(proof.thumbprint().to_string().as_bytes(), jkt.as_bytes()) {
            Ok(())
        } else {
            Err(invalid("proof_by_another_key"))
        }
    }
}

fn check_certificate(x5t: &str, presented: &Presented<'_>) -> Result<(), Refusal<ErrorCode>> {
    if presented.scheme != Scheme::Bearer {
        return Err(invalid("certificate_bound_token_as_dpop"));
    }
    let certificate = presented.peer.certificate.as_ref().ok_or(invalid("certificate_missing"))?;
    let shown = base64url::encode(digest::sha256(certificate.leaf()));
    if digest::constant_time_eq(shown.as_bytes(), x5t.as_bytes()) {
        Ok(())
    } else {
        Err(invalid("certificate_differs"))
    }
}
