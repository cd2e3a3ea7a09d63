//! The first start offers a link; whoever opens it becomes the first
//! administrator.

use identity::ProblemCode;
use identity::rule::sign_up;
use identity::{Refusal, Secret};
use store::Commit;

use super::browser::{Browser, Opened, new_session, opened};
use super::sign_up::SignUpForm;
use super::{Refused, TRIES_PER_ADDRESS, braked};
use crate::app::App;
use crate::draw::secret_digest;
use crate::fault::Fault;

impl App {
    /// The secret for a link that makes the first administrator, once, within a
    /// day; nothing once there is staff. Each start may offer another.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn offer_first_administrator(&self) -> Result<Option<Secret<String>>, Fault> {
        let draw = self.draw();
        let (now, (secret, link)) = (draw.now(), draw.secret());
        let link = &link;
        let decided = self.decide(|| async move {
            let has_staff = self.store.load_mail_token(link.clone()).await?.has_staff;
            Ok(Commit::of(sign_up::offer_first_administrator(link, has_staff, now), now))
        });
        Ok(decided.await?.ok().map(|()| secret))
    }

    /// Makes the first administrator and signs them in.
    ///
    /// # Errors
    /// [`Fault`]; the inner refusal is `link_dead`, `conflict` when the address
    /// has an account (only the holder of the link learns it), `invalid`,
    /// `rate_limited`.
    pub async fn first_administrator(
        &self,
        link: &Secret<String>,
        form: &SignUpForm,
        browser: &Browser,
    ) -> Result<Result<Opened, Refused>, Fault> {
        let draw = self.draw();
        let (now, link) = (draw.now(), &secret_digest(link.expose()));
        if self.people.tries_from.take(&browser.network(), now) >= TRIES_PER_ADDRESS {
            return Ok(Err(braked()));
        }
        let person = &self.new_person(form, &draw).await?;
        let (session, cookie) = new_session(&draw, browser);
        let session = &session;
        let decided = self.decide(|| async move {
            let facts = self.store.load_mail_token(link.clone()).await?;
            if facts.token.is_some() && self.store.load_person_by_email(person.email.clone()).await?.user.is_some() {
                let taken = Refusal::new(ProblemCode::Conflict, "known_address");
                return Ok((Commit { now, ..Commit::default() }, Err(taken)));
            }
            let previous = self.previous(browser).await?;
            Ok(Commit::of(sign_up::first_administrator(person, session, &facts, previous.as_ref(), now), now))
        });
        Ok(decided.await?.map(|signed_in| opened(signed_in, cookie, now)))
    }
}
