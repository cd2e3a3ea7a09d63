//! Renewal of an asset token: token exchange by proof of the device's key.

use oauth::Decision;
use oauth::grant::token_exchange::renewal::{self, Renewal};
use oauth::grant::token_exchange::{Request, Subject};
use oauth::token::TokenKind;

use super::{Asked, Outcome, TokenAnswer};
use crate::app::App;
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
        let client_shown = asked.presented.client_id().is_some();
        let (drawn, query, certificate) = (&drawn, &query, certificate.as_ref());
        self.decide(|| async move {
            let facts = self.store.load_renewal(asked.caller(), query.clone()).await?;
            let client = if client_shown { Some(self.authenticate_client(asked, &facts.caller)) } else { None };
            let decision = match (client.transpose(), asked.jkt()) {
                (Err(refusal), _) | (_, Err(refusal)) => Decision::refuse(refusal.code, refusal.reason),
                (Ok(client), Ok(jkt)) => {
                    let (client, jkt) = (client.as_ref(), jkt.as_deref());
                    let authorities =
                        &client_certificate::authorities(&asked.peer, &facts.trust_anchors, asked.draw.now());
                    let renewal = Renewal { request, client, subject, jkt, certificate, authorities };
                    renewal::decide(&renewal, &facts, drawn)
                }
            };
            self.finish(decision, None, asked.draw)
        })
        .await
    }
}
