//! `grant_type=urn:ietf:params:oauth:grant-type:device_code`.

use identity::FamilyId;
use oauth::grant::device_code::{self, Request};
use oauth::{Decision, ErrorCode, OAuthRefusal};

use super::{Asked, Outcome, TokenAnswer, new_ids};
use crate::app::App;
use crate::draw::secret_digest;

impl App {
    pub(super) async fn poll_device_code(&self, asked: &Asked<'_>) -> Outcome<TokenAnswer> {
        let Some(code) = asked.form.one("device_code") else {
            return Ok(Err(OAuthRefusal::new(ErrorCode::InvalidRequest, "device_code_missing")));
        };
        let (digest, ids) = (secret_digest(code), new_ids(asked.draw));
        let (drawn, refresh) = self.drawn(asked.draw, 1, asked.draw.id(FamilyId::mint));
        let (digest, ids, drawn, refresh) = (&digest, &ids, &drawn, &refresh);
        self.decide(|| async move {
            let facts = self.store.load_pairing(asked.caller(), digest.clone()).await?;
            let decision = match self.authenticate_client(asked, &facts.caller) {
                Ok(client) => {
                    let proof = match &asked.proof {
                        Ok(_) => Ok(asked.shown_key()),
                        Err(refusal) => Err((refusal.code, refusal.reason)),
                    };
                    let request = Request { proof, targets: asked.form.targets(), ids };
                    device_code::decide(&request, &client, &facts, drawn)
                }
                Err(refusal) => Decision::refuse(refusal.code, refusal.reason),
            };
            self.finish(decision, Some(refresh), asked.draw)
        })
        .await
    }
}
