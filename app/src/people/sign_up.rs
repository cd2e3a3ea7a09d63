//! Signing up, and verifying the address by link and password. Also people whom
//! the command line makes.

use identity::ProblemCode;
use identity::facts::MailTokenFacts;
use identity::mail::MailPurpose;
use identity::rule::sign_up::{self, NewPerson, SignUp, SignUpMail, VerifyAddress};
use identity::rule::{link_life, person};
use identity::staff::Role;
use identity::user::{Email, PasswordHash};
use identity::{AccountId, BondId, Refusal, Secret, User, UserId};
use store::Commit;

use super::browser::{Browser, Opened, new_session, opened};
use super::letter::{MailKind, MailToSend};
use super::{MAILS_PER_ADDRESS, Refused, TRIES_PER_ADDRESS, braked};
use crate::app::App;
use crate::draw::{Draw, secret_digest};
use crate::fault::Fault;

/// What a person writes to sign up.
pub struct SignUpForm {
    /// What others call them.
    pub name: String,
    /// Their address.
    pub email: Email,
    /// What the household is called.
    pub household: String,
    /// An acceptable password ([`super::judge_password`]).
    pub password: Secret<String>,
}

/// A person made without mail, verified at once.
pub struct NewUser {
    /// Who.
    pub form: SignUpForm,
    /// What they may do as staff.
    pub roles: Vec<Role>,
}

/// Whose link it is.
pub struct LinkView {
    /// The person; nobody yet for the first administrator.
    pub user: Option<User>,
}

impl App {
    /// Signs a person up, or tells the address in a mail that it has an account:
    /// the answer is the same.
    ///
    /// # Errors
    /// [`Fault`]; the inner refusal is `rate_limited`, or `invalid` for a name.
    pub async fn sign_up(
        &self,
        form: &SignUpForm,
        browser: &Browser,
    ) -> Result<Result<Option<MailToSend>, Refused>, Fault> {
        let draw = self.draw();
        let now = draw.now();
        if self.people.mails_from.take(&browser.network(), now) >= MAILS_PER_ADDRESS {
            return Ok(Err(braked()));
        }
        let person = self.new_person(form, &draw).await?;
        let recent_mails = self.people.mails.take(form.email.expose(), now);
        let (secret, link) = draw.secret();
        let request = &SignUp { person, link, recent_mails };
        let decided = self.decide(|| async move {
            let facts = self.store.load_person_by_email(request.person.email.clone()).await?;
            Ok(Commit::of(sign_up::decide(request, &facts, now), now))
        });
        let kind = match decided.await? {
            Err(refusal) => return Ok(Err(refusal)),
            Ok(SignUpMail::None) => return Ok(Ok(None)),
            Ok(SignUpMail::KnownAlready) => MailKind::AlreadyHere,
            Ok(SignUpMail::Verify) => {
                MailKind::VerifyAddress { secret, until: now + link_life(MailPurpose::VerifyAddress) }
            }
        };
        // A name that a stranger wrote is not put into a mail.
        Ok(Ok(Some(MailToSend { to: form.email.clone(), name: None, kind })))
    }

    pub(super) async fn new_person(&self, form: &SignUpForm, draw: &Draw<'_>) -> Result<NewPerson, Fault> {
        let password = self.passwords.hash(form.password.clone(), draw.bytes()).await?;
        Ok(NewPerson {
            user: draw.id(UserId::mint),
            account: draw.id(AccountId::mint),
            membership: draw.id(BondId::mint),
            email: form.email.clone(),
            name: form.name.clone(),
            household: form.household.clone(),
            password: Some(password),
            locale: None,
        })
    }

    /// Looks at a mailed link without using it up.
    ///
    /// # Errors
    /// [`Fault`]; the inner refusal is `link_dead` with the reason `used_link`,
    /// `late_link` or `unknown_link`.
    pub async fn look_at_link(
        &self,
        secret: &Secret<String>,
        purpose: MailPurpose,
    ) -> Result<Result<LinkView, Refused>, Fault> {
        let dead = |reason| Ok(Err(Refusal::new(ProblemCode::LinkDead, reason)));
        let facts = self.store.load_mail_token(secret_digest(secret.expose())).await?;
        let Some(token) = facts.token.filter(|token| token.purpose == purpose) else { return dead("unknown_link") };
        if token.used_at.is_some() || (purpose == MailPurpose::FirstAdministrator && facts.has_staff) {
            return dead("used_link");
        }
        if self.now() >= token.expires_at {
            return dead("late_link");
        }
        Ok(Ok(LinkView { user: facts.user.map(|user| user.record) }))
    }

    /// Verifies an address by the mailed link and the password chosen at
    /// sign-up, and signs the person in.
    ///
    /// # Errors
    /// [`Fault`]; the inner refusal is `link_dead`, `invalid_credentials`, after
    /// which the link stays good, or `rate_limited`.
    pub async fn verify_address(
        &self,
        link: &Secret<String>,
        password: Secret<String>,
        browser: &Browser,
    ) -> Result<Result<Opened, Refused>, Fault> {
        let draw = self.draw();
        let (now, link) = (draw.now(), &secret_digest(link.expose()));
        let network = browser.network();
        if self.people.tries_from.take(&network, now) >= TRIES_PER_ADDRESS {
            return Ok(Err(braked()));
        }
        let known = self.store.load_mail_token(link.clone()).await?;
        let name = address_of(&known);
        let failures = self.people.tries.take(&name, now);
        let check = self.check_password(hash_of(&known), password, failures).await?;
        let (session, cookie) = new_session(&draw, browser);
        let request = &VerifyAddress { check, failures, session };
        let decided = self.decide(|| async move {
            let facts = self.store.load_mail_token(link.clone()).await?;
            let previous = self.previous(browser).await?;
            Ok(Commit::of(sign_up::verify(request, &facts, previous.as_ref(), now), now))
        });
        Ok(decided.await?.map(|signed_in| {
            self.people.tries.clear(&name);
            self.people.tries_from.give_back(&network);
            opened(signed_in, cookie, now)
        }))
    }

    /// Makes a person who may sign in at once: for the command line, and for
    /// trying things out.
    ///
    /// # Errors
    /// [`Fault`]; the inner refusal is `conflict` when the address is taken, or
    /// `invalid`.
    pub async fn create_user(&self, new: &NewUser) -> Result<Result<User, Refused>, Fault> {
        let draw = self.draw();
        let now = draw.now();
        let request = &self.new_person(&new.form, &draw).await?;
        self.decide(|| async move {
            let facts = self.store.load_person_by_email(request.email.clone()).await?;
            Ok(Commit::of(person::create(request, &new.roles, &facts, now), now))
        })
        .await
    }
}

fn address_of(facts: &MailTokenFacts) -> String {
    facts.user.as_ref().map_or_else(|| "nobody".to_owned(), |user| user.email.expose().to_owned())
}

fn hash_of(facts: &MailTokenFacts) -> Option<PasswordHash> {
    facts.user.as_ref().and_then(|user| user.password.clone())
}
