//! People: by id, by address, by what they sign in with.

use identity::facts::{MailTokenFacts, PasskeyFacts, PersonFacts, SessionFacts, SignIns};
use identity::{BrowserSession, Fact, MailToken, Passkey, User};
use oauth::TokenFamily;
use rusqlite::params;
use store::{SecurityFacts, StoreError};

use crate::snapshot::Snapshot;

type Load<T> = Result<T, StoreError>;

/// More than a page shows, and than one snapshot should carry.
const SHOWN: i64 = 200;

impl Snapshot<'_> {
    pub(crate) fn person(&self, user: Option<Fact<User>>) -> Load<PersonFacts> {
        let Some(user) = user else { return Ok(PersonFacts::default()) };
        let account = self.by_id(user.account.as_str())?;
        let passkeys = self.passkeys(&user)?;
        let sign_ins = self.sign_ins(user.id.as_str())?;
        Ok(PersonFacts { user: Some(user), account, passkeys, sign_ins })
    }

    fn passkeys(&self, user: &User) -> Load<Vec<Fact<Passkey>>> {
        self.all("user = ?1 ORDER BY id LIMIT ?2", params![user.id.as_str(), SHOWN])
    }

    /// All of them, however many: whoever ends them must not miss one.
    fn sign_ins(&self, user: &str) -> Load<SignIns> {
        let now = self.head()?.time;
        let sessions = self.all("user = ?1 AND end_epoch = 0 AND expires_at > ?2 ORDER BY id", params![user, now])?;
        let families: Vec<Fact<TokenFamily>> = self.all(
            "user = ?1 AND device IS NULL AND end_epoch = 0 AND expires_at > ?2 ORDER BY id",
            params![user, now],
        )?;
        Ok(SignIns { sessions, families: families.into_iter().map(|family| family.record.id).collect() })
    }

    pub(crate) fn mail_token(&self, digest: &str) -> Load<MailTokenFacts> {
        let token: Option<Fact<MailToken>> = self.by_id(digest)?;
        let user = token.as_ref().and_then(|token| token.user.as_ref()).map(|user| user.as_str());
        let user: Option<Fact<User>> = self.by_some_id(user)?;
        let sign_ins = match &user {
            Some(user) => self.sign_ins(user.id.as_str())?,
            None => SignIns::default(),
        };
        let has_staff = self.exists("SELECT 1 FROM user WHERE roles > ?1 LIMIT 1", &0)?;
        Ok(MailTokenFacts { token, user, sign_ins, has_staff })
    }

    pub(crate) fn session(&self, cookie: &str) -> Load<SessionFacts> {
        let session: Option<Fact<BrowserSession>> = self.one("secret = ?1", [cookie])?;
        let user = self.by_some_id(session.as_ref().map(|session| session.user.as_str()))?;
        Ok(SessionFacts { session, user })
    }

    pub(crate) fn passkey(&self, credential_id: &str) -> Load<PasskeyFacts> {
        let passkey: Option<Fact<Passkey>> = self.one("credential_id = ?1", [credential_id])?;
        let user = self.by_some_id(passkey.as_ref().map(|passkey| passkey.user.as_str()))?;
        Ok(PasskeyFacts { passkey, user })
    }

    pub(crate) fn security(&self, user: &str) -> Load<SecurityFacts> {
        let Some(user) = self.by_id::<User>(user)? else { return Ok(SecurityFacts::default()) };
        let id = user.id.as_str();
        let now = self.head()?.time;
        let passkeys = self.passkeys(&user)?;
        let sessions = self.all(
            "user = ?1 AND end_epoch = 0 AND expires_at > ?2 ORDER BY id DESC LIMIT ?3",
            params![id, now, SHOWN],
        )?;
        let families = self.all(
            "user = ?1 AND end_epoch = 0 AND expires_at > ?2 AND body ->> '$.current' IS NOT NULL
             ORDER BY id DESC LIMIT ?3",
            params![id, now, SHOWN],
        )?;
        let families = self.unended(families)?;
        let consents = self.all("user = ?1 AND withdrawn_at IS NULL ORDER BY id DESC LIMIT ?2", params![id, SHOWN])?;
        let clients = self.clients_of(&families, &consents)?;
        Ok(SecurityFacts { user: Some(user), passkeys, sessions, families, consents, clients })
    }
}
