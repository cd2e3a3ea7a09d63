//! Signing in by password, once more before a risky act, and out.

use identity::rule::password::PasswordCheck;
use identity::rule::session;
use identity::rule::sign_in::{self, BRAKE_TRIES, PasswordSignIn};
use identity::user::{Email, PasswordHash};
use identity::{BrowserSession, Secret, SessionId};
use store::Commit;

use super::browser::{Browser, Opened, Viewer, new_session, opened};
use super::{Refused, TRIES_PER_ADDRESS, braked};
use crate::app::App;
use crate::fault::Fault;

impl App {
    /// Signs a person in by password; also the fresh sign-in before a risky act,
    /// with the address of who is signed in.
    ///
    /// # Errors
    /// [`Fault`]; the inner refusal is `invalid_credentials` for an unknown
    /// address as for a wrong password, `rate_limited`, or with the right
    /// password `address_unverified` or `user_disabled`.
    pub async fn sign_in(
        &self,
        email: &Email,
        password: Secret<String>,
        browser: &Browser,
    ) -> Result<Result<Opened, Refused>, Fault> {
        let draw = self.draw();
        let (now, network) = (draw.now(), browser.network());
        if self.people.tries_from.take(&network, now) >= TRIES_PER_ADDRESS {
            return Ok(Err(braked()));
        }
        let failures = self.people.tries.take(email.expose(), now);
        let known = self.store.load_person_by_email(email.clone()).await?;
        let known = known.user.and_then(|user| user.record.password);
        let check = self.check_password(known, password, failures).await.inspect_err(|_| {
            self.people.tries.give_back(email.expose());
            self.people.tries_from.give_back(&network);
        })?;
        let (session, cookie) = new_session(&draw, browser);
        let request = &PasswordSignIn { check, failures, session };
        let decided = self.decide(|| async move {
            let facts = self.store.load_person_by_email(email.clone()).await?;
            let previous = self.previous(browser).await?;
            Ok(Commit::of(sign_in::by_password(request, &facts, previous.as_ref(), now), now))
        });
        Ok(decided.await?.map(|signed_in| {
            self.people.tries.clear(email.expose());
            self.people.tries_from.give_back(&network);
            opened(signed_in, cookie, now)
        }))
    }

    /// Compares a password, for unknown people with a hash of nothing. Behind
    /// the brake none is looked at.
    pub(super) async fn check_password(
        &self,
        known: Option<PasswordHash>,
        password: Secret<String>,
        failures: u32,
    ) -> Result<PasswordCheck, Fault> {
        let too_long = password.expose().len() > identity::rule::password::MAX_BYTES;
        if failures >= BRAKE_TRIES || too_long {
            return Ok(PasswordCheck::Wrong);
        }
        let right = self.passwords.verify(known.clone(), password).await?;
        Ok(known.filter(|_| right).map_or(PasswordCheck::Wrong, PasswordCheck::Right))
    }

    /// Signs out of this browser.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn sign_out(&self, viewer: &Viewer) -> Result<Result<(), Refused>, Fault> {
        self.end_session(viewer, &viewer.session.id).await
    }

    /// Ends one of the person's own sessions.
    ///
    /// # Errors
    /// [`Fault`]; the inner refusal is `not_found`.
    pub async fn end_session(&self, viewer: &Viewer, session: &SessionId) -> Result<Result<(), Refused>, Fault> {
        let now = self.now();
        self.decide(|| async move {
            let target = store::record::<BrowserSession>(&*self.store, session.as_str()).await?;
            Ok(Commit::of(session::end(&viewer.session, target.as_ref()), now))
        })
        .await
    }

    /// Ends all other sessions of the person, and the tokens of all apps.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn end_other_sessions(&self, viewer: &Viewer) -> Result<Result<(), Refused>, Fault> {
        let now = self.now();
        self.decide(|| async move {
            let facts = self.store.load_person(viewer.user.id.clone()).await?;
            Ok(Commit::of(session::end_others(Some(&viewer.session.id), &facts.sign_ins), now))
        })
        .await
    }
}
