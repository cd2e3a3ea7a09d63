//! Introspection (RFC 7662): the door's own check, then what is told.

use authority::SoundToken;
use oauth::introspection::{self, Reply};
use store::Commit;

use crate::app::App;
use crate::fault::Fault;
use crate::token::{TokenRefusal, TokenRequest};

impl App {
    /// Answers an introspection request.
    ///
    /// # Errors
    /// [`Fault`]; the inner refusal where the caller is not who may ask.
    pub async fn introspect(&self, request: TokenRequest) -> Result<Result<Reply, TokenRefusal>, Fault> {
        self.knows_enough()?;
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
        let subject = self.authority.verify(token, draw.now()).ok();
        let (asked, subject) = (&asked, &subject);
        let outcome = self
            .decide(|| async move {
                let facts = self.store.load_caller(asked.caller()).await?;
                let mut commit = Commit { now: asked.draw.now(), ..Commit::default() };
                let reply = self.authenticate_client(asked, &facts).and_then(|client| {
                    introspection::admit(&client)?;
                    commit.changes.extend(client.once().map(Into::into));
                    Ok(introspection::reply(&client, subject.as_deref().map(SoundToken::claims), &self.tenant.issuer))
                });
                Ok((commit, reply))
            })
            .await?;
        Ok(outcome.map_err(|refusal| TokenRefusal { refusal, basic: asked.presented.used_basic(), nonce: None }))
    }
}
