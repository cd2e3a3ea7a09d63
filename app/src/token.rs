//! The token endpoint: collect what is shown, load, decide, sign, commit. One
//! function per grant; the phases they share stand here once.

use std::sync::Arc;

use authority::{Peer, ProofRefusal, SoundToken};
use identity::rule::claiming::ShownKey;
use identity::{AssetId, BondId, CredentialId, DeviceId, Digest, FamilyId, Secret};
use jose::dpop::VerifiedProof;
use oauth::client::GrantType;
use oauth::client_auth::{AuthenticatedClient, Presented, verify};
use oauth::form::Form;
use oauth::grant::token_exchange::{NewIds, Subject};
use oauth::grant::{Drawn, authorization_code, client_credentials};
use oauth::issue::TokenReply;
use oauth::{Decision, ErrorCode, OAuthRefusal, Scope};
use serde_json::Value;
use store::{CallerQuery, Commit};

use crate::app::App;
use crate::client_certificate;
use crate::draw::{Draw, secret_digest};
use crate::fault::Fault;

mod device_code;
mod exchange;
mod foreign;
mod refresh;
mod renewal;

/// A request as the door hands it over.
pub struct TokenRequest {
    /// Decoded form parameters.
    pub pairs: Vec<(String, String)>,
    /// The `Authorization` field.
    pub authorization: Option<String>,
    /// All `DPoP` fields.
    pub proofs: Vec<String>,
    /// The external target.
    pub uri: String,
    /// The connection.
    pub peer: Peer,
}

/// The answer (RFC 6749 §5.1).
pub struct TokenAnswer {
    /// The token.
    pub access_token: String,
    /// `Bearer` or `DPoP`.
    pub token_type: &'static str,
    /// Seconds.
    pub expires_in: i64,
    /// What was granted.
    pub scope: Scope,
    /// RFC 6749 §1.5.
    pub refresh_token: Option<Secret<String>>,
    /// OIDC Core §3.1.3.3.
    pub id_token: Option<String>,
    /// RFC 8693 §2.2.1.
    pub issued_token_type: Option<String>,
    /// RFC 9396 §7.
    pub authorization_details: Option<Value>,
}

/// A no, with what the door must add.
pub struct TokenRefusal {
    /// Code and cause.
    pub refusal: OAuthRefusal,
    /// Tell it with `WWW-Authenticate: Basic` (RFC 6749 §5.2).
    pub basic: bool,
    /// Send this as `DPoP-Nonce` (RFC 9449 §8).
    pub nonce: Option<String>,
}

/// What a use case of the token endpoint comes to.
pub(crate) type Outcome<T> = Result<Result<T, OAuthRefusal>, Fault>;

/// A request with what all grants need of it.
pub(crate) struct Asked<'a> {
    pub(crate) form: Form,
    pub(crate) presented: Presented,
    pub(crate) peer: Peer,
    /// The proof, if one came, or why it does not count.
    pub(crate) proof: Result<Option<VerifiedProof>, OAuthRefusal>,
    pub(crate) draw: &'a Draw<'a>,
}

impl Asked<'_> {
    pub(crate) fn caller(&self) -> CallerQuery {
        CallerQuery {
            client_id: self.presented.client_id().unwrap_or_default().to_owned(),
            assertion_once: self.presented.assertion_once(),
        }
    }

    /// The key of the proof; a bad proof is told once the client is known.
    pub(crate) fn jkt(&self) -> Result<Option<String>, OAuthRefusal> {
        match &self.proof {
            Ok(proof) => Ok(proof.as_ref().map(|proof| proof.thumbprint().to_string())),
            Err(refusal) => Err(*refusal),
        }
    }

    fn shown_key(&self) -> Option<ShownKey> {
        let proof = self.proof.as_ref().ok()?.as_ref()?;
        Some(ShownKey { thumbprint: proof.thumbprint().to_string(), jwk: proof.jwk().to_bare_json() })
    }
}

impl App {
    /// Answers a token request.
    ///
    /// # Errors
    /// [`Fault`] where we fail; the inner refusal goes out as the RFC says.
    pub async fn token(&self, request: TokenRequest) -> Result<Result<TokenAnswer, TokenRefusal>, Fault> {
        self.tell_time().await?;
        let draw = self.draw();
        self.may_issue()?;
        let basic = request.authorization.is_some();
        let asked = match self.collect(request, &draw).await {
            Ok(asked) => asked,
            Err(refusal) => {
                return Ok(Err(TokenRefusal { refusal, basic, nonce: None }));
            }
        };
        let basic = asked.presented.used_basic();
        let grant = asked.form.one("grant_type").map(GrantType::parse);
        let outcome = match grant {
            None => Ok(Err(OAuthRefusal::new(ErrorCode::InvalidRequest, "grant_type_missing"))),
            Some(None) => Ok(Err(OAuthRefusal::new(ErrorCode::UnsupportedGrantType, "grant_type_unknown"))),
            Some(Some(GrantType::ClientCredentials)) => self.client_credentials(&asked).await,
            Some(Some(GrantType::AuthorizationCode)) => self.redeem_code(&asked).await,
            Some(Some(GrantType::RefreshToken)) => self.refresh(&asked).await,
            Some(Some(GrantType::DeviceCode)) => self.poll_device_code(&asked).await,
            Some(Some(GrantType::TokenExchange)) => self.exchange(asked).await,
            Some(Some(GrantType::JwtBearer)) => self.jwt_bearer(&asked).await,
        }?;
        Ok(outcome.map_err(|refusal| {
            metrics::counter!("keyfob_token_refused_total", "code" => refusal.code.as_str()).increment(1);
            let nonce = (refusal.code == ErrorCode::UseDpopNonce).then(|| self.token_nonce());
            TokenRefusal { refusal, basic, nonce }
        }))
    }

    pub(crate) async fn collect<'a>(
        &self,
        request: TokenRequest,
        draw: &'a Draw<'a>,
    ) -> Result<Asked<'a>, OAuthRefusal> {
        let form = Form::parse(request.pairs)?;
        let presented = Presented::collect(request.authorization.as_deref(), &form)?;
        let proof = self.token_proof(&request.proofs, &request.uri, draw.now()).await;
        Ok(Asked { form, presented, peer: request.peer, proof, draw })
    }

    async fn token_proof(&self, fields: &[String], uri: &str, now: i64) -> Result<Option<VerifiedProof>, OAuthRefusal> {
        if fields.is_empty() {
            return Ok(None);
        }
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let uri = crate::http_uri(uri).ok_or(OAuthRefusal::new(ErrorCode::ServerError, "uri_malformed"))?;
        let verified = self.authority.token_door().verify(&fields, "POST", &uri, None, now).await;
        verified.map(Some).map_err(|refusal| match refusal {
            ProofRefusal::Invalid(reason) => OAuthRefusal::new(ErrorCode::InvalidDpopProof, reason),
            ProofRefusal::NonceWanted => OAuthRefusal::new(ErrorCode::UseDpopNonce, "dpop_nonce_wanted"),
            ProofRefusal::Full => OAuthRefusal::new(ErrorCode::TemporarilyUnavailable, "dpop_memory_full"),
        })
    }

    /// Verifies the client against the facts of this load.
    pub(crate) fn authenticate_client(
        &self,
        asked: &Asked<'_>,
        facts: &oauth::facts::CallerFacts,
    ) -> Result<AuthenticatedClient, OAuthRefusal> {
        if asked.peer.certificate.is_none() && facts.trust_anchors.is_empty() {
            return verify(&asked.presented, facts, asked.draw.now());
        }
        let mut presented = asked.presented.clone();
        let client = facts.client.as_ref().map(|fact| &fact.record);
        presented.certificate =
            client_certificate::shown(&asked.peer, client, &self.settings.client_authorities, asked.draw.now());
        let shown = asked.peer.certificate.as_ref();
        presented.authorities = client_certificate::authorities(shown, &facts.trust_anchors, asked.draw.now());
        verify(&presented, facts, asked.draw.now())
    }

    fn drawn(&self, draw: &Draw<'_>, turn: u64, family: FamilyId) -> (Drawn, Secret<String>) {
        let (token, digest) = self.keys.mint_refresh(&family, turn, draw.bytes());
        (Drawn { now: draw.now(), jti: draw.jti(), family, refresh: digest }, token)
    }

    /// For a grant that hands out no refresh token: sealing one would cost as much
    /// as all else but the signature. No token has this digest.
    fn drawn_alone(draw: &Draw<'_>) -> Drawn {
        let refresh = Digest::from_base64url(String::new());
        Drawn { now: draw.now(), jti: draw.jti(), family: draw.id(FamilyId::mint), refresh }
    }

    /// A token of ours, sound in itself; anchors are checked in the load.
    fn subject(&self, token: &str, now: i64) -> Result<Subject, &'static str> {
        let sound: Arc<SoundToken> = self.authority.verify(token, now).map_err(|refusal| refusal.reason)?;
        Ok(Subject { kind: sound.kind(), claims: sound.claims().clone() })
    }

    /// Signs what was decided; nothing is committed yet.
    fn signed(
        &self,
        reply: TokenReply,
        refresh: Option<&Secret<String>>,
        draw: &Draw<'_>,
    ) -> Result<TokenAnswer, Fault> {
        self.in_time()?;
        let access_token = self.keys.sign(&reply.access, draw.now(), || draw.bytes())?;
        let id_token = reply.id_token.map(|token| self.keys.sign(&token, draw.now(), || draw.bytes())).transpose()?;
        let refresh_token = reply.refresh.and_then(|handed| handed.repeated.or_else(|| refresh.cloned()));
        Ok(TokenAnswer {
            access_token,
            token_type: reply.token_type,
            expires_in: reply.expires_in,
            scope: reply.scope,
            refresh_token,
            id_token,
            issued_token_type: reply.issued_token_type,
            authorization_details: reply.authorization_details,
        })
    }

    /// The last steps every grant shares.
    fn finish(
        &self,
        decision: Decision<TokenReply>,
        refresh: Option<&Secret<String>>,
        draw: &Draw<'_>,
    ) -> Result<(Commit, Result<TokenAnswer, OAuthRefusal>), Fault> {
        let (commit, reply) = Commit::of(decision, draw.now());
        match reply {
            Ok(reply) => Ok((commit, Ok(self.signed(reply, refresh, draw)?))),
            Err(refusal) => Ok((commit, Err(refusal))),
        }
    }

    async fn client_credentials(&self, asked: &Asked<'_>) -> Outcome<TokenAnswer> {
        let scope = match asked.form.scope() {
            Ok(scope) => scope,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let drawn = Self::drawn_alone(asked.draw);
        let (drawn, scope) = (&drawn, &scope);
        self.decide(|| async move {
            let facts = self.store.load_caller(asked.caller()).await?;
            let decision = match self.authenticate_client(asked, &facts).and_then(|client| Ok((client, asked.jkt()?))) {
                Ok((client, jkt)) => {
                    let request =
                        client_credentials::Request { scope: scope.clone(), targets: asked.form.targets(), jkt };
                    client_credentials::decide(&request, &client, &facts, drawn)
                }
                Err(refusal) => Decision::refuse(refusal.code, refusal.reason),
            };
            self.finish(decision, None, asked.draw)
        })
        .await
    }

    async fn redeem_code(&self, asked: &Asked<'_>) -> Outcome<TokenAnswer> {
        let Some(code) = asked.form.one("code") else {
            return Ok(Err(OAuthRefusal::new(ErrorCode::InvalidRequest, "code_missing")));
        };
        let digest = secret_digest(code);
        let digest = &digest;
        self.decide(|| async move {
            let facts = self.store.load_code(asked.caller(), digest.clone()).await?;
            // The family's id was drawn with the code, so the refresh token is
            // minted for it here; its digest is only written if the code is good.
            let family = facts.code.as_ref().map(|code| code.family.clone());
            let (drawn, refresh) = self.drawn(asked.draw, 1, family.unwrap_or_else(|| asked.draw.id(FamilyId::mint)));
            let decision =
                match self.authenticate_client(asked, &facts.caller).and_then(|client| Ok((client, asked.jkt()?))) {
                    Ok((client, jkt)) => {
                        let request = authorization_code::Request {
                            redirect_uri: asked.form.one("redirect_uri").map(str::to_owned),
                            verifier: asked.form.one("code_verifier").map(str::to_owned),
                            targets: asked.form.targets(),
                            jkt,
                        };
                        authorization_code::decide(&request, &client, &facts, &drawn)
                    }
                    Err(refusal) => Decision::refuse(refusal.code, refusal.reason),
                };
            self.finish(decision, Some(&refresh), asked.draw)
        })
        .await
    }
}

fn new_ids(draw: &Draw<'_>) -> NewIds {
    NewIds {
        device: draw.id(DeviceId::mint),
        asset: draw.id(AssetId::mint),
        bond: draw.id(BondId::mint),
        credential: draw.id(CredentialId::mint),
    }
}
