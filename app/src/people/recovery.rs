//! A forgotten password: a link is asked for and sets a new one.

use identity::mail::MailPurpose;
use identity::rule::{link_life, recovery};
use identity::user::Email;
use identity::{Secret, UserId};
use store::Commit;

use super::browser::Browser;
use super::letter::{MailKind, MailToSend};
use super::{MAILS_PER_ADDRESS, Refused, braked};
use crate::app::App;
use crate::draw::secret_digest;
use crate::fault::Fault;

impl App {
    /// Asks for a recovery mail: the answer is the same for an unknown address.
    ///
    /// # Errors
    /// [`Fault`]; the inner refusal is `rate_limited`.
    pub async fn ask_recovery(
        &self,
        email: &Email,
        browser: &Browser,
    ) -> Result<Result<Option<MailToSend>, Refused>, Fault> {
        let draw = self.draw();
        let now = draw.now();
        if self.people.mails_from.take(&browser.network(), now) >= MAILS_PER_ADDRESS {
            return Ok(Err(braked()));
        }
        let recent_mails = self.people.mails.take(email.expose(), now);
        let (secret, link) = draw.secret();
        let link = &link;
        let decided = self.decide(|| async move {
            let facts = self.store.load_person_by_email(email.clone()).await?;
            Ok(Commit::of(recovery::ask(link, recent_mails, &facts, now), now))
        });
        Ok(decided.await?.map(|sent| {
            sent.then(|| {
                let until = now + link_life(MailPurpose::RecoverPassword);
                let kind = MailKind::RecoverPassword { secret, until };
                MailToSend { to: email.clone(), name: None, kind }
            })
        }))
    }

    /// Sets a new password by a mailed link. Every session of the person ends,
    /// this browser's as well.
    ///
    /// # Errors
    /// [`Fault`]; the inner refusal is `link_dead` or `rate_limited`.
    pub async fn recover_password(
        &self,
        link: &Secret<String>,
        password: Secret<String>,
        browser: &Browser,
    ) -> Result<Result<(UserId, MailToSend), Refused>, Fault> {
        let draw = self.draw();
        let (now, link) = (draw.now(), &secret_digest(link.expose()));
        if self.people.tries_from.take(&browser.network(), now) >= super::TRIES_PER_ADDRESS {
            return Ok(Err(braked()));
        }
        let password = &self.passwords.hash(password, draw.bytes()).await?;
        let decided = self.decide(|| async move {
            let facts = self.store.load_mail_token(link.clone()).await?;
            let user = facts.user.as_ref().map(|user| user.record.clone());
            let (commit, reply) = Commit::of(recovery::set(password, &facts, now), now);
            Ok((commit, reply.map(|id| (id, user))))
        });
        Ok(decided.await?.and_then(|(id, user)| {
            let user =
                user.ok_or_else(|| identity::Refusal::new(identity::ProblemCode::LinkDead, "nobody_to_recover"))?;
            self.people.tries.clear(user.email.expose());
            self.people.tries_from.give_back(&browser.network());
            let kind = MailKind::PasswordChanged { at: now };
            Ok((id, MailToSend { to: user.email, name: Some(user.name), kind }))
        }))
    }
}
