//! UserInfo (OIDC Core §5.3).

use authority::AuthenticatedPeer;
use identity::User;
use oauth::OAuthRefusal;
use serde_json::Value;

use crate::app::App;
use crate::fault::Fault;

impl App {
    /// What the scopes of a token tell about its person.
    ///
    /// # Errors
    /// [`Fault`]; the inner refusal as RFC 6750 §3.1 says.
    pub async fn userinfo(&self, peer: &AuthenticatedPeer) -> Result<Result<Value, OAuthRefusal>, Fault> {
        let user = store::record::<User>(&*self.store, &peer.claims().sub).await?;
        Ok(oauth::userinfo::reply(peer.claims(), user.as_ref().map(|fact| &fact.record)))
    }
}
