//! Renewal of an asset token: token exchange by proof of the device's key.

use identity::DeviceErrorCode;
use jose::{base64url, digest};
use oauth::grant::token_exchange::renewal::{self, Renewal};
use oauth::grant::token_exchange::{Request, Subject};
use oauth::token::TokenKind;
use oauth::{Decision, ErrorCode, OAuthRefusal};

use super::{Asked, Outcome, TokenAnswer};
use crate::app::App;
use crate::call_home::is_signed_by;
use crate::client_certificate;

impl App {
    /// The subject token of a renewal, where the request is one, or why it does
    /// not count. An asset token may be past its end; any other must be alive.
    pub(super) fn renewable(&self, request: &Request, now: i64) -> Option<Result<Subject, &'static str>> {
        if request.actor_token.is_some() {
            return None;
        }
        let token = request.subject_token.expose();
        let sound = self.authority.read(token, now).ok()?;
        let subject = Subject { kind: sound.kind(), claims: sound.claims().clone() };
        if !renewal::renews(request, &subject) {
            return None;
        }
        Some(if subject.kind == TokenKind::Asset { Ok(subject) } else { self.subject(token, now) })
    }

    pub(super) async fn renew(&self, asked: &Asked<'_>, request: &Request, subject: &Subject) -> Outcome<TokenAnswer> {
        let drawn = Self::drawn_alone(asked.draw);
        let query = renewal::query(subject);
        let certificate = client_certificate::shown(&asked.peer, None, &[], asked.draw.now());
        let answered = match self.answered_for_renewal(asked, request).await {
            Ok(answered) => answered,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let client_shown = asked.presented.client_id().is_some();
        let (drawn, query, certificate, answered) = (&drawn, &query, certificate.as_ref(), answered.as_deref());
        self.decide(|| async move {
            let facts = self.store.load_renewal(asked.caller(), query.clone()).await?;
            let client = if client_shown { Some(self.authenticate_client(asked, &facts.caller)) } else { None };
            let proved = asked.jkt().map(|jkt| jkt.or_else(|| answered.map(str::to_owned)));
            let decision = match (client.transpose(), proved) {
                (Err(refusal), _) | (_, Err(refusal)) => Decision::refuse(refusal.code, refusal.reason),
                (Ok(client), Ok(jkt)) => {
                    let (client, jkt) = (client.as_ref(), jkt.as_deref());
                    let shown = asked.peer.certificate.as_ref();
                    let authorities = &client_certificate::authorities(shown, &facts.trust_anchors, asked.draw.now());
                    let renewal = Renewal { request, client, subject, jkt, certificate, authorities };
                    renewal::decide(&renewal, &facts, drawn)
                }
            };
            self.finish(decision, None, asked.draw)
        })
        .await
    }

    /// The key that answered a challenge, for devices that make no DPoP proof: a JWS of
    /// typ `pop+jwt` with its public key as `jwk`, over the subject token (`ath`). Its
    /// thumbprint counts as that of a DPoP proof does.
    async fn answered_for_renewal(&self, asked: &Asked<'_>, request: &Request) -> Result<Option<String>, OAuthRefusal> {
        let Some(proof) = asked.form.one("proof") else { return Ok(None) };
        let bad = |reason| OAuthRefusal::new(ErrorCode::InvalidGrant, reason);
        if !matches!(asked.proof, Ok(None)) {
            return Err(OAuthRefusal::new(ErrorCode::InvalidRequest, "two_proofs"));
        }
        let answered = self.answered(proof, "pop+jwt", asked.draw.now()).await;
        let (proof, claims) = answered.map_err(|refusal| match refusal.code {
            DeviceErrorCode::TemporarilyUnavailable => {
                OAuthRefusal::new(ErrorCode::TemporarilyUnavailable, refusal.reason)
            }
            DeviceErrorCode::InvalidRequest => OAuthRefusal::new(ErrorCode::InvalidRequest, refusal.reason),
            _ => bad(refusal.reason),
        })?;
        let ath = base64url::encode(digest::sha256(request.subject_token.expose().as_bytes()));
        if claims.get("ath").and_then(serde_json::Value::as_str) != Some(ath.as_str()) {
            return Err(bad("proof_for_another_token"));
        }
        let key = proof.header().jwk().ok_or(OAuthRefusal::new(ErrorCode::InvalidRequest, "proof_without_key"))?;
        if !is_signed_by(&proof, key) {
            return Err(bad("proof_signature"));
        }
        Ok(Some(key.thumbprint().to_string()))
    }
}
