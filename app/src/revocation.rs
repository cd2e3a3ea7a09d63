//! Revocation (RFC 7009).

use oauth::revocation::{Presented, decide};
use oauth::{Decision, OAuthRefusal};
use store::Commit;

use crate::app::App;
use crate::fault::Fault;
use crate::token::{TokenRefusal, TokenRequest};

impl App {
    /// Answers a revocation request.
    ///
    /// # Errors
    /// [`Fault`]; the inner refusal as RFC 7009 §2.2.1 says.
    pub async fn revoke(&self, request: TokenRequest) -> Result<Result<(), TokenRefusal>, Fault> {
        let draw = self.draw();
        let basic = request.authorization.is_some();
        let asked = match self.collect(request, &draw).await {
            Ok(asked) => asked,
            Err(refusal) => {
                return Ok(Err(TokenRefusal { refusal, basic, nonce: None }));
            }
        };
        let token = match asked.form.required("token", "token_missing") {
            Ok(token) => token,
            Err(refusal) => return Ok(Err(TokenRefusal { refusal, basic: false, nonce: None })),
        };
        let now = draw.now();
        let family = self.keys.open_refresh(token).map(|(family, _)| family);
        let access = self.authority.read(token, now).ok();
        let (asked, family, access) = (&asked, &family, &access);
        let outcome: Result<(), OAuthRefusal> = self
            .decide(|| async move {
                let facts = self.store.load_caller(asked.caller()).await?;
                let family = match family {
                    Some(id) => Some(store::record::<oauth::TokenFamily>(&*self.store, id.as_str()).await?),
                    None => None,
                };
                let presented = match (&family, access) {
                    (Some(family), _) => Presented::Refresh(family.as_ref()),
                    (None, Some(sound)) => Presented::Access(sound.claims()),
                    (None, None) => Presented::Unknown,
                };
                let decision = match self.authenticate_client(asked, &facts) {
                    Ok(client) => decide(&client, &presented, now),
                    Err(refusal) => Decision::refuse(refusal.code, refusal.reason),
                };
                Ok(Commit::of(decision, now))
            })
            .await?;
        Ok(outcome.map_err(|refusal| TokenRefusal { refusal, basic: asked.presented.used_basic(), nonce: None }))
    }
}
