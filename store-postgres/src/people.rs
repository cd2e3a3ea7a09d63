//! People: by id, by address, by what they sign in with.

use identity::facts::{MailTokenFacts, PasskeyFacts, PersonFacts, SessionFacts, SignIns};
use identity::{BrowserSession, Fact, MailToken, Passkey, User};
use oauth::TokenFamily;
use store::{SecurityFacts, StoreError};

use crate::snapshot::Snapshot;

type Load<T> = Result<T, StoreError>;

/// More than a page shows, and than one snapshot should carry.
const SHOWN: i64 = 200;
const STAFF: &str = "SELECT 1 FROM \"user\" WHERE jsonb_array_length(coalesce(body -> 'roles', '[]')) > 0 LIMIT 1";

impl Snapshot {
    pub(crate) async fn person(&self, user: Option<Fact<User>>) -> Load<PersonFacts> {
        let Some(user) = user else { return Ok(PersonFacts::default()) };
        let account = self.by_id(user.account.as_str()).await?;
        let passkeys = self.passkeys(&user).await?;
        let sign_ins = self.sign_ins(user.id.as_str()).await?;
        Ok(PersonFacts { user: Some(user), account, passkeys, sign_ins })
    }

    async fn passkeys(&self, user: &User) -> Load<Vec<Fact<Passkey>>> {
        self.all("body ->> 'user' = $1 ORDER BY id LIMIT $2", &[&user.id.as_str(), &SHOWN]).await
    }

    /// All of them, however many: whoever ends them must not miss one.
    async fn sign_ins(&self, user: &str) -> Load<SignIns> {
        let now = self.head().await?.time;
        let sessions = self
            .all(
                "body ->> 'user' = $1 AND end_epoch = 0 AND (body ->> 'expires_at')::bigint > $2 ORDER BY id",
                &[&user, &now],
            )
            .await?;
        let families: Vec<Fact<TokenFamily>> = self.all(
            "body ->> 'user' = $1 AND body ->> 'device' IS NULL AND end_epoch = 0 AND (body ->> 'expires_at')::bigint > $2 ORDER BY id",
            &[&user, &now],
        ).await?;
        Ok(SignIns { sessions, families: families.into_iter().map(|family| family.record.id).collect() })
    }

    pub(crate) async fn mail_token(&self, digest: &str) -> Load<MailTokenFacts> {
        let token: Option<Fact<MailToken>> = self.by_id(digest).await?;
        let user = token.as_ref().and_then(|token| token.user.as_ref()).map(|user| user.as_str());
        let user: Option<Fact<User>> = self.by_some_id(user).await?;
        let sign_ins = match &user {
            Some(user) => self.sign_ins(user.id.as_str()).await?,
            None => SignIns::default(),
        };
        let has_staff = !self.query(STAFF, &[]).await?.is_empty();
        Ok(MailTokenFacts { token, user, sign_ins, has_staff })
    }

    pub(crate) async fn session(&self, cookie: &str) -> Load<SessionFacts> {
        let session: Option<Fact<BrowserSession>> = self.by_member("secret", Some(cookie)).await?;
        let user = self.by_some_id(session.as_ref().map(|session| session.user.as_str())).await?;
        Ok(SessionFacts { session, user })
    }

    pub(crate) async fn passkey(&self, credential_id: &str) -> Load<PasskeyFacts> {
        let passkey: Option<Fact<Passkey>> = self.by_member("credential_id", Some(credential_id)).await?;
        let user = self.by_some_id(passkey.as_ref().map(|passkey| passkey.user.as_str())).await?;
        Ok(PasskeyFacts { passkey, user })
    }

    pub(crate) async fn security(&self, user: &str) -> Load<SecurityFacts> {
        let Some(user) = self.by_id::<User>(user).await? else { return Ok(SecurityFacts::default()) };
        let id = user.id.as_str();
        let now = self.head().await?.time;
        let passkeys = self.passkeys(&user).await?;
        let sessions = self.all(
            "body ->> 'user' = $1 AND end_epoch = 0 AND (body ->> 'expires_at')::bigint > $2 ORDER BY id DESC LIMIT $3",
            &[&id, &now, &SHOWN],
        ).await?;
        let families = self.all(
            "body ->> 'user' = $1 AND end_epoch = 0 AND (body ->> 'expires_at')::bigint > $2 AND body ->> 'current' IS NOT NULL
             ORDER BY id DESC LIMIT $3",
            &[&id, &now, &SHOWN],
        ).await?;
        let families = self.unended(families).await?;
        let consents = self
            .all("body ->> 'user' = $1 AND body ->> 'withdrawn_at' IS NULL ORDER BY id DESC LIMIT $2", &[&id, &SHOWN])
            .await?;
        let clients = self.clients_of(&families, &consents).await?;
        Ok(SecurityFacts { user: Some(user), passkeys, sessions, families, consents, clients })
    }
}
