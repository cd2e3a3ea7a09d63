//! Token exchange and JWT bearer. Which path a request takes is decided from
//! what its subject token *is*, not from which parameters came.

use identity::{Anchor, AnchorKind, Secret};
use oauth::actor_token::ActorToken;
use oauth::client_auth::Presented;
use oauth::grant::Drawn;
use oauth::grant::jwt_bearer;
use oauth::grant::token_exchange::{self, ACCESS_TOKEN, ID_TOKEN, Registration, Request, Shown, Subject, may_refresh};
use oauth::token::TokenKind;
use oauth::{Decision, ErrorCode, OAuthRefusal, Scope};

use super::{Asked, Outcome, TokenAnswer, new_ids};
use crate::app::App;

impl App {
    pub(super) async fn exchange(&self, mut asked: Asked<'_>) -> Outcome<TokenAnswer> {
        let request = match Request::parse(&asked.form, &self.tenant.issuer) {
            Ok(request) => request,
            Err(refusal) => return Ok(Err(refusal)),
        };
        match self.renewable(&request, asked.draw.now()) {
            Some(Ok(subject)) => return self.renew(&asked, &request, &subject).await,
            Some(Err(reason)) => return Ok(Err(OAuthRefusal::new(ErrorCode::InvalidRequest, reason))),
            None => {}
        }
        let (token, now) = (request.subject_token.expose(), asked.draw.now());
        let implied = asked.presented.client_id().is_none();
        if let Some(foreign) = self.foreign.verify(token, &request.subject_type, now).await {
            if let (Ok(subject), false) = (&foreign, implied) {
                self.adopt(&asked, subject).await?;
            }
            return self.register(&asked, &request, foreign.map(Shown::Foreign), implied).await;
        }
        if request.subject_type == ID_TOKEN {
            return Ok(Err(OAuthRefusal::new(ErrorCode::InvalidRequest, "id_token_of_nobody_trusted")));
        }
        let subject = self.subject(token, now);
        if let (true, Ok(subject)) = (implied, &subject) {
            // The Salesforce form: the subject token names the client.
            asked.presented = Presented::named(subject.claims.client_id.clone());
        }
        let trade = subject.as_ref().is_ok_and(|subject| subject.kind == TokenKind::Asset);
        if trade && request.actor_token.is_none() && request.requested.as_deref() == Some(ACCESS_TOKEN) {
            let client_shown = !implied;
            return self.trade(&asked, subject, request.scope.clone(), client_shown, true).await;
        }
        self.register(&asked, &request, subject.map(Shown::Ours), implied).await
    }

    async fn register(
        &self,
        asked: &Asked<'_>,
        request: &Request,
        subject: Result<Shown, &'static str>,
        implied: bool,
    ) -> Outcome<TokenAnswer> {
        let alone = Self::drawn_alone(asked.draw);
        let nonce = asked.draw.bytes();
        let ids = new_ids(asked.draw);
        let secret = asked.form.one("client_secret").map(|secret| Secret::new(secret.to_owned()));
        let secret = secret.or_else(|| asked.presented.basic_secret());
        let readings = request.actor_token.as_ref().map(|token| ActorToken::readings(token.expose()));
        let (strict, lenient) = readings.map(|[strict, lenient]| (strict, lenient)).unzip();
        let (alone, ids, secret, subject) = (&alone, &ids, &secret, &subject);
        let (strict, lenient) = (&strict, &lenient);
        self.decide_in_company(|| async move {
            // The two readings differ only in claim names, so what either names
            // is loaded by the one the client may use; the client is not known
            // before the load, so the lenient one, which reads both, asks.
            let named = lenient.as_ref().and_then(|actor| actor.as_deref().ok());
            let query = token_exchange::query(subject.as_ref().ok(), named);
            let facts = self.store.load_registration(asked.caller(), query).await?;
            let client = facts.caller.client.as_deref();
            let refresh = client.filter(|client| may_refresh(client));
            let refresh = refresh.map(|_| self.keys.mint_refresh(&alone.family, 1, nonce));
            let drawn = match &refresh {
                Some((_, digest)) => &Drawn { refresh: digest.clone(), ..alone.clone() },
                None => alone,
            };
            let salesforce = client.is_some_and(|client| client.rights.asset_salesforce);
            let authenticated = match (implied, salesforce) {
                (true, false) => Err(OAuthRefusal::new(ErrorCode::InvalidClient, "no_client")),
                _ => self.authenticate_client(asked, &facts.caller),
            };
            let decision = match authenticated.and_then(|client| Ok((client, asked.proof.as_ref().map_err(|r| *r)?))) {
                Ok((client, proof)) => {
                    let actor = if salesforce { lenient } else { strict }.as_ref();
                    let registration = Registration {
                        request,
                        client: &client,
                        subject: subject.as_ref().map_err(|reason| *reason),
                        actor: actor.map(|actor| actor.as_deref().map_err(|reason| *reason)),
                        proof: proof.as_ref().map(jose::dpop::VerifiedProof::jwk),
                        secret: secret.as_ref(),
                        ids,
                    };
                    token_exchange::decide(&registration, &facts, drawn)
                }
                Err(refusal) => Decision::refuse(refusal.code, refusal.reason),
            };
            self.finish(decision, refresh.as_ref().map(|(token, _)| token), asked.draw)
        })
        .await
    }

    pub(super) async fn jwt_bearer(&self, asked: &Asked<'_>) -> Outcome<TokenAnswer> {
        let Some(assertion) = asked.form.one("assertion") else {
            return Ok(Err(OAuthRefusal::new(ErrorCode::InvalidRequest, "assertion_missing")));
        };
        let scope = match asked.form.scope() {
            Ok(scope) => scope,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let subject = self.subject(assertion, asked.draw.now());
        let client_shown = asked.presented.client_id().is_some();
        self.trade(asked, subject, scope, client_shown, false).await
    }

    async fn trade(
        &self,
        asked: &Asked<'_>,
        subject: Result<Subject, &'static str>,
        scope: Option<Scope>,
        client_shown: bool,
        by_exchange: bool,
    ) -> Outcome<TokenAnswer> {
        let drawn = Self::drawn_alone(asked.draw);
        let anchors: Vec<Anchor> = subject
            .as_ref()
            .map(|subject| subject.claims.anc.iter().map(|listed| listed.anchor.clone()).collect())
            .unwrap_or_default();
        let own = subject.as_ref().map(|subject| Anchor::new(AnchorKind::Token, subject.claims.jti.clone()));
        let (drawn, subject, anchors, scope, own) = (&drawn, &subject, &anchors, &scope, &own);
        self.decide(|| async move {
            let facts = self.store.load_trade(asked.caller(), anchors.clone()).await?;
            let ended = match own {
                Ok(own) => {
                    let epochs = self.store.load_epochs(vec![own.clone()]).await?;
                    epochs.first().is_none_or(|epochs| epochs.is_none_or(|epochs| epochs.epoch > 0))
                }
                Err(_) => false,
            };
            let client = if client_shown { Some(self.authenticate_client(asked, &facts.caller)) } else { None };
            let decision = match (client.transpose(), asked.jkt()) {
                (Err(refusal), _) | (_, Err(refusal)) => Decision::refuse(refusal.code, refusal.reason),
                (Ok(_), Ok(_)) if ended => Decision::refuse(ErrorCode::InvalidGrant, "assertion_revoked"),
                (Ok(client), Ok(jkt)) => {
                    let request =
                        jwt_bearer::Request { scope: scope.clone(), targets: asked.form.targets(), jkt, by_exchange };
                    let assertion = subject.as_ref().map_err(|reason| *reason);
                    jwt_bearer::decide(&request, client.as_ref(), assertion, &facts, drawn)
                }
            };
            self.finish(decision, None, asked.draw)
        })
        .await
    }
}
