//! `grant_type=refresh_token`.

use oauth::grant::refresh_token::{self, Request};
use oauth::{Decision, ErrorCode, OAuthRefusal};

use super::{Asked, Outcome, TokenAnswer};
use crate::app::App;
use crate::draw::secret_digest;

impl App {
    pub(super) async fn refresh(&self, asked: &Asked<'_>) -> Outcome<TokenAnswer> {
        let Some(presented) = asked.form.one("refresh_token") else {
            return Ok(Err(OAuthRefusal::new(ErrorCode::InvalidRequest, "refresh_token_missing")));
        };
        // What does not open is nobody's: it ends nothing (ADR 5).
        let Some((family, turn)) = self.keys.open_refresh(presented) else {
            return Ok(Err(OAuthRefusal::new(ErrorCode::InvalidGrant, "refresh_token_unknown")));
        };
        let scope = match asked.form.scope() {
            Ok(scope) => scope,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let digest = secret_digest(presented);
        let (drawn, successor) = self.drawn(asked.draw, turn.saturating_add(1), family.clone());
        let sealed = self.keys.seal_successor(presented, successor.expose(), asked.draw.bytes())?;
        let (drawn, successor, sealed, family, digest, scope) = (&drawn, &successor, &sealed, &family, &digest, &scope);
        self.decide(|| async move {
            let facts = self.store.load_refresh(asked.caller(), family.clone()).await?;
            let previous = facts.chain.family.as_ref().and_then(|family| family.previous.as_ref());
            let repeated = previous
                .filter(|previous| previous.digest == *digest)
                .and_then(|previous| self.keys.open_successor(presented, &previous.sealed_successor));
            let decision =
                match self.authenticate_client(asked, &facts.caller).and_then(|client| Ok((client, asked.jkt()?))) {
                    Ok((client, jkt)) => {
                        let request = Request {
                            digest: digest.clone(),
                            turn,
                            sealed_successor: sealed.clone(),
                            repeated,
                            scope: scope.clone(),
                            targets: asked.form.targets(),
                            jkt,
                        };
                        refresh_token::decide(&request, &client, &facts, drawn)
                    }
                    Err(refusal) => Decision::refuse(refusal.code, refusal.reason),
                };
            self.finish(decision, Some(successor), asked.draw)
        })
        .await
    }
}
