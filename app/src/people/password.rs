//! Which passwords a person may choose, and changing it while signed in.

use identity::ProblemCode;
use identity::rule::password::{self, ChangePassword, MAX_BYTES, MIN_CHARS, PasswordCheck};
use identity::user::Email;
use identity::{BrowserSession, Refusal, Secret};
use store::Commit;

use super::Refused;
use super::browser::{Opened, Viewer};
use super::letter::{MailKind, MailToSend};
use crate::app::App;
use crate::fault::Fault;

/// What is wrong with a chosen password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordFlaw {
    /// Fewer than [`MIN_CHARS`] characters.
    TooShort,
    /// More than [`MAX_BYTES`] bytes.
    TooLong,
    /// The own name or address, or one character over and over.
    Guessable,
}

/// Whether a person may choose this password.
///
/// # Errors
/// [`PasswordFlaw`]
pub fn judge_password(password: &Secret<String>, email: &Email, name: &str) -> Result<(), PasswordFlaw> {
    let text = password.expose();
    password::acceptable(text, email, name).map_err(|_| match text {
        text if text.chars().count() < MIN_CHARS => PasswordFlaw::TooShort,
        text if text.len() > MAX_BYTES => PasswordFlaw::TooLong,
        _ => PasswordFlaw::Guessable,
    })
}

impl App {
    /// Changes the password, or sets the first one. All other sessions and the
    /// tokens of all apps end; this browser gets a new cookie.
    ///
    /// # Errors
    /// [`Fault`]; the inner refusal is `invalid_credentials` when the present
    /// password is wrong, `rate_limited`, `fresh_sign_in_required` where there
    /// is none yet.
    pub async fn change_password(
        &self,
        viewer: &Viewer,
        current: Secret<String>,
        new: Secret<String>,
    ) -> Result<Result<(Opened, MailToSend), Refused>, Fault> {
        let draw = self.draw();
        let (now, user) = (draw.now(), &viewer.user);
        let failures = self.people.tries.take(user.email.expose(), now);
        if failures >= identity::rule::sign_in::BRAKE_TRIES {
            return Ok(Err(Refusal::new(ProblemCode::RateLimited, "too_many_tries")));
        }
        let check = match &user.password {
            Some(known) => self.check_password(Some(known.clone()), current, failures).await?,
            None => PasswordCheck::Wrong,
        };
        let (cookie, secret) = draw.secret();
        let request = &ChangePassword { check, password: self.passwords.hash(new, draw.bytes()).await?, secret };
        let decided = self.decide(|| async move {
            let facts = self.store.load_person(user.id.clone()).await?;
            let own = store::record::<BrowserSession>(&*self.store, viewer.session.id.as_str()).await?;
            let Some(own) = own else {
                return Ok((Commit::default(), Err(Refusal::new(ProblemCode::SignInRequired, "session_ended"))));
            };
            Ok(Commit::of(password::change(request, &facts, &own, now), now))
        });
        Ok(decided.await?.map(|session| {
            self.people.tries.clear(user.email.expose());
            let lasts = session.expires_at.saturating_sub(now);
            let kind = MailKind::PasswordChanged { at: now };
            let mail = MailToSend { to: user.email.clone(), name: Some(user.name.clone()), kind };
            (Opened { user: user.id.clone(), session, cookie, lasts }, mail)
        }))
    }
}
