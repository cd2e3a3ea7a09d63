//! Call home: a device proves its key, by certificate or over a challenge, and
//! gets a session and a token.

use authority::{ChallengeRefusal, Clock, Peer};
use identity::credential::CertificateFacts;
use identity::facts::{CallHomeFacts, CallHomeQuery};
use identity::rule::authority::DeviceAuthority;
use identity::rule::call_home::{self, CallHome, CalledHome, Claimed, Path, Presented};
use identity::{DeviceErrorCode, DeviceSessionId, Refusal};
use jose::{Alg, Jwk, VerifyingKey, base64url, jws};
use oauth::Scope;
use oauth::token::{Audience, Claims, Confirmation, TokenKind, Unsigned};
use pki::Certificate;
use pki::path::{AnchorSet, PathPolicy, PathRefusal};
use serde_json::{Map, Value};
use store::Commit;

use crate::app::App;
use crate::certificate;
use crate::client_certificate;
use crate::draw::Draw;
use crate::fault::Fault;

/// Life of a device's token after call home, seconds.
const TOKEN_LIFE: i64 = 3600;
/// `iat` of a proof, to either side, seconds.
const PROOF_WINDOW: u64 = 60;

/// What a device sends, and what its connection shows.
pub struct CallHomeRequest {
    /// The connection.
    pub peer: Peer,
    /// A proof over a challenge, where its TLS ends elsewhere.
    pub proof: Option<String>,
    /// Thumbprint of the key of a verified DPoP proof that came along.
    pub dpop: Option<jose::dpop::VerifiedProof>,
    /// What it says about itself.
    pub claimed: Claimed,
    /// What it asks for; nothing means all that its state permits.
    pub scope: Option<Scope>,
}

/// The answer to a device that was let in.
pub struct CallHomeReply {
    /// What was decided.
    pub called: CalledHome,
    /// Its token.
    pub access_token: String,
    /// `Bearer` where bound to the certificate, `DPoP` where bound to the key.
    pub token_type: &'static str,
    /// Life of the token, seconds.
    pub expires_in: i64,
    /// What it may do.
    pub scope: Scope,
    /// The time here, seconds.
    pub now: i64,
}

/// What was proved about a key, before the registry was asked.
struct Proved {
    key_thumbprint: String,
    chain: Vec<Certificate>,
    did: Option<String>,
    serial: Option<String>,
    /// A proof whose key the registry holds: verified once that is loaded.
    unproved: Option<jws::Unverified>,
}

type Refused = Refusal<DeviceErrorCode>;

const fn refused(code: DeviceErrorCode, reason: &'static str) -> Refused {
    Refusal::new(code, reason)
}

impl App {
    /// A challenge to be signed within a minute. Also for unknown devices, which is
    /// why each takes room and time of ours: they are counted by address.
    ///
    /// # Errors
    /// `rate_limited`
    pub fn challenge(&self, peer: &Peer) -> Result<String, Refused> {
        let often = refused(DeviceErrorCode::RateLimited, "challenges_of_one_address");
        self.challenge_rates.take(peer.address, self.clock.now_ms()).map_err(|_| often)?;
        let draw = self.draw();
        Ok(self.authority.challenges().give(draw.now(), draw.bytes()))
    }

    /// Lets a device in, or says why not.
    ///
    /// # Errors
    /// [`Fault`] where we fail; the inner refusal speaks the device API's words.
    pub async fn call_home(&self, request: CallHomeRequest) -> Result<Result<CallHomeReply, Refused>, Fault> {
        self.may_issue()?;
        let draw = self.draw();
        let proved = match self.prove(&request, draw.now()).await {
            Ok(proved) => proved,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if request.dpop.as_ref().is_some_and(|proof| proof.thumbprint().to_string() != proved.key_thumbprint) {
            return Ok(Err(refused(DeviceErrorCode::InvalidDpopProof, "proof_by_another_key")));
        }
        let session = draw.id(DeviceSessionId::mint);
        let query = query(&proved);
        let (request, proved, draw, session) = (&request, &proved, &draw, &session);
        let query = &query;
        self.decide_in_company(|| async move {
            let facts = self.store.load_call_home(query.clone()).await?;
            let rule = CallHome {
                key_thumbprint: self.settle_proof(proved, &facts),
                certificate: proved.chain.first().map(|leaf| present(leaf, &proved.chain, &facts, draw.now())),
                authorities: behind_key(proved, &facts, draw.now()),
                claimed: claimed(request, proved),
                session: session.clone(),
            };
            let (commit, reply) = Commit::of(call_home::decide(&rule, &facts, draw.now()), draw.now());
            match reply.and_then(|called| grant_scope(request, called)) {
                Ok((called, scope)) => Ok((commit, Ok(self.welcome(request, called, scope, draw)?))),
                Err(refusal) => Ok((commit, Err(refusal))),
            }
        })
        .await
    }

    async fn prove(&self, request: &CallHomeRequest, now: i64) -> Result<Proved, Refused> {
        match (&request.proof, &request.peer.certificate) {
            (Some(proof), _) => self.prove_by_challenge(proof, now).await,
            (None, Some(shown)) => prove_by_certificate(shown.chain()),
            (None, None) => Err(refused(DeviceErrorCode::CredentialRequired, "no_credential")),
        }
    }

    /// The signature over the challenge is checked with the key of `x5c`, or with
    /// the registered key that `kid` names, once that is loaded.
    async fn prove_by_challenge(&self, proof: &str, now: i64) -> Result<Proved, Refused> {
        let (unverified, claims) = self.answered(proof, "callhome+jwt", now).await?;
        let text = |name: &str| claims.get(name).and_then(|value| value.as_str()).map(str::to_owned);
        let (did, serial) = (text("iss"), text("serial_number"));
        self.verify_proof(unverified, did, serial)
    }

    /// Takes the challenge that a proof answers, whoever signed it: that is still to be
    /// verified. A proof is of its kind, for this issuer alone, and of now.
    pub(crate) async fn answered(
        &self,
        proof: &str,
        typ: &str,
        now: i64,
    ) -> Result<(jws::Unverified, Map<String, Value>), Refused> {
        let malformed = |_| refused(DeviceErrorCode::InvalidRequest, "proof_malformed");
        let unverified = jws::Unverified::parse(proof).map_err(malformed)?;
        if !unverified.header().has_typ(typ) {
            return Err(refused(DeviceErrorCode::InvalidRequest, "proof_typ"));
        }
        let claims = unverified.peek_claims().map_err(malformed)?;
        let text = |name: &str| claims.get(name).and_then(|value| value.as_str()).map(str::to_owned);
        let challenge = text("nonce").ok_or(refused(DeviceErrorCode::InvalidRequest, "proof_without_nonce"))?;
        self.authority.challenges().take(&challenge, now).await.map_err(|refusal| match refusal {
            ChallengeRefusal::Invalid(reason) => refused(DeviceErrorCode::InvalidChallenge, reason),
            ChallengeRefusal::Full => refused(DeviceErrorCode::TemporarilyUnavailable, "challenge_memory_full"),
        })?;
        let iat = claims.get("iat").and_then(Value::as_i64);
        let fresh = iat.is_some_and(|iat| iat.abs_diff(now) <= PROOF_WINDOW);
        if text("aud").as_deref() != Some(self.tenant.issuer.as_str()) || !fresh {
            return Err(refused(DeviceErrorCode::InvalidCredential, "proof_not_for_us_or_stale"));
        }
        Ok((unverified, claims))
    }

    fn verify_proof(
        &self,
        proof: jws::Unverified,
        did: Option<String>,
        serial: Option<String>,
    ) -> Result<Proved, Refused> {
        let chain = parse_chain(proof.header().x5c())?;
        let Some(leaf) = chain.first() else {
            let kid = proof.header().kid().ok_or(refused(DeviceErrorCode::InvalidRequest, "proof_names_no_key"))?;
            return Ok(Proved { key_thumbprint: kid.to_owned(), chain, did, serial, unproved: Some(proof) });
        };
        let jwk = key_of(leaf)?;
        if !is_signed_by(&proof, &jwk) {
            return Err(refused(DeviceErrorCode::InvalidCredential, "proof_signature"));
        }
        Ok(Proved { key_thumbprint: jwk.thumbprint().to_string(), chain, did, serial, unproved: None })
    }

    /// The thumbprint of the key that was proved. Where the registry's key did
    /// not sign, or there is none, it is none: the rule then says the same as for
    /// any unknown credential. An unknown key costs a verification all the same.
    fn settle_proof(&self, proved: &Proved, facts: &CallHomeFacts) -> String {
        let Some(proof) = &proved.unproved else { return proved.key_thumbprint.clone() };
        let held = facts.credential.as_ref().and_then(|credential| Jwk::from_json(&credential.jwk).ok());
        let known = held.is_some();
        let key = held.or_else(|| self.keys.published(0, 0).into_iter().find(|jwk| jwk.permits(proof.header().alg())));
        let signed = key.is_some_and(|key| is_signed_by(proof, &key));
        if known && signed { proved.key_thumbprint.clone() } else { String::new() }
    }

    fn welcome(
        &self,
        request: &CallHomeRequest,
        called: CalledHome,
        scope: Scope,
        draw: &Draw<'_>,
    ) -> Result<CallHomeReply, Fault> {
        let now = draw.now();
        let by_key = request.proof.is_some() || request.dpop.is_some();
        let cnf = if by_key {
            Confirmation { jkt: Some(called.credential.key_thumbprint.clone()), ..Confirmation::default() }
        } else {
            Confirmation { x5t_s256: called.certificate_thumbprint.clone(), ..Confirmation::default() }
        };
        // Never longer than the certificate it may be bound to, nor than its key counts.
        let not_after = called.credential.certificate.as_ref().map_or(i64::MAX, |certificate| certificate.not_after);
        let until = called.credential.until.unwrap_or(i64::MAX);
        let exp = now.saturating_add(TOKEN_LIFE).min(not_after).min(until);
        let claims = Claims {
            iss: self.tenant.issuer.clone(),
            sub: called.did.to_string(),
            aud: Audience(vec![self.tenant.issuer.clone()]),
            client_id: called.did.to_string(),
            iat: now,
            exp,
            jti: draw.jti(),
            scope: scope.clone(),
            did: Some(called.did.to_string()),
            asset_id: called.title.as_ref().map(|title| title.asset.to_string()),
            account_id: called.title.as_ref().map(|title| title.account.to_string()),
            model: Some(called.model.clone()),
            cnf: Some(cnf),
            sid: Some(called.session.to_string()),
            anc: called.anchors.clone(),
            ..Claims::default()
        };
        let claims = serde_json::to_vec(&claims).map_err(|_| Fault::Broken("claims"))?;
        let kind = TokenKind::Access;
        let unsigned = Unsigned { kind, typ: kind.typ(), alg: Alg::ES256, opaque: false, claims };
        self.in_time()?;
        let access_token = self.keys.sign(&unsigned, now, || draw.bytes())?;
        let token_type = if by_key { "DPoP" } else { "Bearer" };
        Ok(CallHomeReply { called, access_token, token_type, expires_in: exp - now, scope, now })
    }
}

fn grant_scope(request: &CallHomeRequest, called: CalledHome) -> Result<(CalledHome, Scope), Refused> {
    let permitted = Scope::of(&called.scopes);
    match &request.scope {
        None => Ok((called, permitted)),
        Some(asked) => Ok((called, asked.intersection(&permitted))),
    }
}

fn claimed(request: &CallHomeRequest, proved: &Proved) -> Claimed {
    let mut claimed = request.claimed.clone();
    claimed.did = proved.did.clone().or(claimed.did);
    claimed.serial = proved.serial.clone().or(claimed.serial);
    claimed
}

fn prove_by_certificate(chain: &[Vec<u8>]) -> Result<Proved, Refused> {
    let chain = parse_chain(chain)?;
    let leaf = chain.first().ok_or(refused(DeviceErrorCode::CredentialRequired, "no_credential"))?;
    let key_thumbprint = key_of(leaf)?.thumbprint().to_string();
    Ok(Proved { key_thumbprint, chain, did: None, serial: None, unproved: None })
}

pub(crate) fn is_signed_by(proof: &jws::Unverified, jwk: &Jwk) -> bool {
    VerifyingKey::from_jwk(jwk).is_ok_and(|key| proof.verify(&key, &Alg::ASYMMETRIC).is_ok())
}

fn parse_chain(chain: &[Vec<u8>]) -> Result<Vec<Certificate>, Refused> {
    let parse = |der: &Vec<u8>| Certificate::parse(der);
    let chain: Result<Vec<_>, _> = chain.iter().map(parse).collect();
    chain.map_err(|_| refused(DeviceErrorCode::InvalidCredential, "certificate_malformed"))
}

fn key_of(leaf: &Certificate) -> Result<Jwk, Refused> {
    Jwk::from_spki(leaf.spki_der()).map_err(|_| refused(DeviceErrorCode::InvalidCredential, "certificate_key"))
}

fn query(proved: &Proved) -> CallHomeQuery {
    let certificate = proved.chain.first().map(certificate::facts).map(|facts| (facts.issuer, facts.serial));
    CallHomeQuery { key_thumbprint: proved.key_thumbprint.clone(), certificate }
}

/// Where a key alone was shown over which the registry keeps a certificate: what
/// that one may stand under.
fn behind_key(proved: &Proved, facts: &CallHomeFacts, now: i64) -> Vec<DeviceAuthority> {
    let certified = facts.credential.as_ref().is_some_and(|credential| credential.certificate.is_some());
    match proved.chain.is_empty() && certified {
        true => client_certificate::authorities(None, &facts.trust_anchors, now),
        false => Vec::new(),
    }
}

/// Judges the certificate by the product it may belong to: its authorities and
/// the field its identity stands in.
fn present(leaf: &Certificate, chain: &[Certificate], facts: &CallHomeFacts, now: i64) -> Presented {
    let mut anchors = AnchorSet::new();
    for known in &facts.trust_anchors {
        let parsed = base64url::decode(&known.certificate).ok().and_then(|der| Certificate::parse(&der).ok());
        // An anchor that is no sound authority leads nowhere: the path is then refused.
        if parsed.is_none_or(|certificate| anchors.add(certificate).is_err()) {
            tracing::warn!(trust_anchor = %known.id, "unusable_trust_anchor");
        }
    }
    let product = facts.owned.device.as_ref().map(|owned| &owned.product);
    let field = product.map(|product| product.identity_field).unwrap_or_default();
    let path = match pki::path::verify(chain, &anchors, now, &PathPolicy::default()) {
        Ok(path) => Path::Valid { anchor: base64url::encode(path.anchor().thumbprint()) },
        Err(PathRefusal::Expired { path_was_valid: true }) => expired_path(leaf, chain, &anchors),
        Err(refusal) => Path::Refused(refusal.reason()),
    };
    let CertificateFacts { thumbprint, serial, issuer, not_after } = certificate::facts(leaf);
    Presented {
        thumbprint,
        serial,
        issuer,
        not_after,
        identity: pki::identity_field(leaf, certificate::field(field)).map_err(pki::IdentityError::reason),
        path,
    }
}

fn expired_path(leaf: &Certificate, chain: &[Certificate], anchors: &AnchorSet) -> Path {
    match pki::path::verify(chain, anchors, leaf.not_after(), &PathPolicy::default()) {
        Ok(path) => Path::Expired { anchor: base64url::encode(path.anchor().thumbprint()) },
        Err(refusal) => Path::Refused(refusal.reason()),
    }
}
