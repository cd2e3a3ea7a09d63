//! Passkeys of a person: made, named, removed, and signing in by one.

use identity::facts::PasskeyFacts;
use identity::rule::passkey::{self, NewPasskey};
use identity::rule::session;
use identity::rule::sign_in::{self, PasskeySignIn};
use identity::{PasskeyId, ProblemCode, Refusal};
use serde_json::Value;
use store::Commit;

use super::Refused;
use super::browser::{Browser, Opened, Viewer, new_session, opened};
use super::letter::{MailKind, MailToSend};
use crate::app::App;
use crate::fault::Fault;
use crate::passkey::{Answer, Ceremony, Used};

/// A browser's answer to a [`Ceremony`].
pub struct CeremonyAnswer {
    /// The state that came with the question.
    pub state: String,
    /// What `navigator.credentials` gave, its bytes as base64url.
    pub credential: Value,
}

impl App {
    /// Asks a person's browser to make a passkey.
    ///
    /// # Errors
    /// [`Fault`]; the inner refusal is `fresh_sign_in_required`.
    pub async fn ask_passkey(&self, viewer: &Viewer) -> Result<Result<Ceremony, Refused>, Fault> {
        let draw = self.draw();
        if let Err(refusal) = session::require_fresh(&viewer.session, draw.now()) {
            return Ok(Err(refusal));
        }
        let facts = self.store.load_person(viewer.user.id.clone()).await?;
        let known: Vec<_> = facts.passkeys.iter().map(|passkey| &passkey.record).collect();
        self.people.passkeys.ask_to_make(&viewer.user, &known, draw.now(), draw.bytes()).map(Ok)
    }

    /// Adds the passkey a browser made.
    ///
    /// # Errors
    /// [`Fault`]; the inner refusal is `invalid_credentials` for an answer that
    /// is not good, or what [`passkey::add`] says.
    pub async fn add_passkey(
        &self,
        viewer: &Viewer,
        name: &str,
        answer: CeremonyAnswer,
    ) -> Result<Result<MailToSend, Refused>, Fault> {
        let draw = self.draw();
        let now = draw.now();
        let made = match self.people.passkeys.made(&viewer.user.id, &answer.state, answer.credential, now).await {
            Ok(made) => made,
            Err(reason) => return Ok(Err(Refusal::new(ProblemCode::InvalidCredentials, reason))),
        };
        let request = &NewPasskey {
            id: draw.id(PasskeyId::mint),
            name: name.to_owned(),
            credential_id: made.credential_id,
            credential: made.credential,
        };
        let decided = self.decide(|| async move {
            let taken = self.store.load_passkey(request.credential_id.clone()).await?.passkey.is_some();
            if taken {
                let refusal = Refusal::new(ProblemCode::Conflict, "known_passkey");
                return Ok((Commit { now, ..Commit::default() }, Err(refusal)));
            }
            let facts = self.store.load_person(viewer.user.id.clone()).await?;
            Ok(Commit::of(passkey::add(request, &facts, &viewer.session, now), now))
        });
        Ok(decided.await?.map(|added| {
            let kind = MailKind::PasskeyAdded { passkey: added.name, at: now };
            MailToSend { to: viewer.user.email.clone(), name: Some(viewer.user.name.clone()), kind }
        }))
    }

    /// Renames a passkey.
    ///
    /// # Errors
    /// [`Fault`]; the inner refusal is `not_found` or `invalid`.
    pub async fn rename_passkey(
        &self,
        viewer: &Viewer,
        id: &PasskeyId,
        name: &str,
    ) -> Result<Result<(), Refused>, Fault> {
        let now = self.now();
        let decided = self.decide(|| async move {
            let facts = self.store.load_person(viewer.user.id.clone()).await?;
            Ok(Commit::of(passkey::rename(id, name, &facts), now))
        });
        Ok(decided.await?.map(drop))
    }

    /// Removes a passkey.
    ///
    /// # Errors
    /// [`Fault`]; the inner refusal is `fresh_sign_in_required`, `not_found`, or
    /// `last_sign_in` where nothing else is left to sign in with.
    pub async fn remove_passkey(&self, viewer: &Viewer, id: &PasskeyId) -> Result<Result<(), Refused>, Fault> {
        let now = self.now();
        self.decide(|| async move {
            let facts = self.store.load_person(viewer.user.id.clone()).await?;
            Ok(Commit::of(passkey::remove(id, &facts, &viewer.session, now), now))
        })
        .await
    }

    /// Asks a browser to sign in by whichever passkey it has for us.
    ///
    /// # Errors
    /// [`Fault`]
    pub fn ask_passkey_sign_in(&self) -> Result<Ceremony, Fault> {
        let draw = self.draw();
        self.people.passkeys.ask_to_use(draw.now(), draw.bytes())
    }

    /// Signs a person in by passkey.
    ///
    /// # Errors
    /// [`Fault`]; the inner refusal is `invalid_credentials` or `user_disabled`.
    pub async fn sign_in_by_passkey(
        &self,
        answer: CeremonyAnswer,
        browser: &Browser,
    ) -> Result<Result<Opened, Refused>, Fault> {
        let draw = self.draw();
        let now = draw.now();
        let no = |reason| Refusal::new(ProblemCode::InvalidCredentials, reason);
        let CeremonyAnswer { state, credential } = answer;
        let answer = match Answer::parse(credential) {
            Ok(answer) => answer,
            Err(reason) => return Ok(Err(no(reason))),
        };
        let credential_id = answer.credential_id.clone();
        let known = self.store.load_passkey(credential_id.clone()).await?.passkey;
        let judged = self.people.passkeys.used(&state, answer, known.as_ref().map(|known| &known.record), now).await;
        let Used { credential, user_verified } = match judged {
            Ok(used) => used,
            Err(reason) => return Ok(Err(no(reason))),
        };
        let (session, cookie) = new_session(&draw, browser);
        let request = &PasskeySignIn { credential, user_verified, session };
        let (credential_id, judged_by) = (&credential_id, known.map(|it| it.version));
        let decided = self.decide(|| async move {
            let facts = self.store.load_passkey(credential_id.clone()).await?;
            // It was judged by the record as it stood: a counter that another
            // sign-in moved on meanwhile must not be moved back.
            let same = facts.passkey.as_ref().map(|passkey| passkey.version) == judged_by;
            let facts = if same { facts } else { PasskeyFacts::default() };
            let previous = self.previous(browser).await?;
            Ok(Commit::of(sign_in::by_passkey(request, &facts, previous.as_ref(), now), now))
        });
        Ok(decided.await?.map(|signed_in| opened(signed_in, cookie, now)))
    }
}
