//! Signing up, and verifying the address. Owns that nothing tells whether an
//! address has an account, and that nobody prepares an account for another:
//! the link alone opens nothing, the password chosen last is asked for with it.

use crate::account::AccountKind;
use crate::bond::{BondOrigin, BondRole, BondState, Holder, Target};
use crate::facts::{MailTokenFacts, PersonFacts};
use crate::mail::MailPurpose;
use crate::problem::ProblemCode as Code;
use crate::rule::import_line::is_text;
use crate::rule::mailed_link::{self, MAIL_BRAKE};
use crate::rule::password::PasswordCheck;
use crate::rule::session::{NewSession, SignedIn};
use crate::rule::sign_in::{self, BRAKE_TRIES};
use crate::staff::Role;
use crate::user::{Email, PasswordHash, UserState};
use crate::{
    Account, AccountId, Bond, BondId, BrowserSession, Change, Decision, Digest, Event, EventKind, Fact, Refusal, User,
    UserId, Write,
};

/// A person with a household of their own, and the ids they get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPerson {
    /// Their id.
    pub user: UserId,
    /// Their household's.
    pub account: AccountId,
    /// Their membership's.
    pub membership: BondId,
    /// Their address.
    pub email: Email,
    /// What others call them, 1 to 255 characters.
    pub name: String,
    /// What the household is called, 1 to 255 characters.
    pub household: String,
    /// Hash of an acceptable password.
    pub password: Option<PasswordHash>,
    /// BCP 47.
    pub locale: Option<String>,
}

/// Someone signs up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignUp {
    /// Who.
    pub person: NewPerson,
    /// Digest of the link's secret.
    pub link: Digest,
    /// Mails to that address within the last hour.
    pub recent_mails: u32,
}

/// Which mail goes to the address. The page says the same for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignUpMail {
    /// With the link that verifies the address.
    Verify,
    /// That there is an account already: sign in, or recover.
    KnownAlready,
    /// None: too many were sent.
    None,
}

/// Decides a sign-up; `facts` are those of the address.
///
/// # Errors
/// [`Code::Invalid`] for a name that is none; never because of the address.
pub fn decide(request: &SignUp, facts: &PersonFacts, now: i64) -> Decision<SignUpMail, Change, Code> {
    if let Err(refusal) = check_names(&request.person) {
        return Decision::refuse(refusal.code, refusal.reason);
    }
    let braked = request.recent_mails >= MAIL_BRAKE;
    match &facts.user {
        // Announced, so that a known address takes a commit as an unknown one does.
        _ if braked => told("too_many_mails", facts, SignUpMail::None),
        Some(known) if known.state != UserState::Unverified => told("known_address", facts, SignUpMail::KnownAlready),
        Some(waiting) => {
            // Whoever signed up with this address before has not shown that it
            // is theirs: the latest word counts.
            let renewed = User {
                name: request.person.name.clone(),
                password: request.person.password.clone(),
                password_set_at: Some(now),
                locale: request.person.locale.clone(),
                updated_at: now,
                ..waiting.record.clone()
            };
            Decision::reply(SignUpMail::Verify)
                .change(mailed_link::mint(&request.link, MailPurpose::VerifyAddress, Some(&renewed.id), now))
                .change(waiting.rewrite(renewed))
        }
        None => {
            let (decision, user) =
                make(Decision::reply(SignUpMail::Verify), &request.person, UserState::Unverified, &[], now);
            decision.change(mailed_link::mint(&request.link, MailPurpose::VerifyAddress, Some(&user.id), now))
        }
    }
}

fn told(reason: &'static str, facts: &PersonFacts, mail: SignUpMail) -> Decision<SignUpMail, Change, Code> {
    let subject = facts.user.as_ref().map_or("unknown", |user| user.id.as_str());
    let event = Event::new(EventKind::AccessRefused, subject).with("door", "sign_up").with("reason", reason);
    Decision::reply(mail).event(event)
}

/// A person opens the link of the mail and gives the password they chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyAddress {
    /// What comparing found.
    pub check: PasswordCheck,
    /// Wrong tries for this person within the brake's window.
    pub failures: u32,
    /// The session to open.
    pub session: NewSession,
}

/// Decides whether the address is verified; the person is signed in then.
///
/// # Errors
/// [`Code::LinkDead`]; [`Code::InvalidCredentials`], the link stays good;
/// [`Code::RateLimited`].
pub fn verify(
    request: &VerifyAddress,
    facts: &MailTokenFacts,
    previous: Option<&Fact<BrowserSession>>,
    now: i64,
) -> Decision<SignedIn, Change, Code> {
    let refuse = |user, refusal| sign_in::refuse("verify_address", user, refusal);
    let token = match mailed_link::good(facts, MailPurpose::VerifyAddress, now) {
        Ok(token) => token,
        Err(refusal) => return refuse(None, refusal),
    };
    let user = facts.user.as_ref().filter(|user| token.user.as_ref() == Some(&user.id));
    let Some(user) = user.filter(|user| user.state == UserState::Unverified) else {
        return refuse(None, Refusal::new(Code::LinkDead, "nobody_to_verify"));
    };
    if request.failures >= BRAKE_TRIES {
        return refuse(Some(&user.record), Refusal::new(Code::RateLimited, "too_many_tries"));
    }
    if !request.check.holds_for(user) {
        return refuse(Some(&user.record), Refusal::new(Code::InvalidCredentials, "wrong_password"));
    }
    let verified = User { state: UserState::Active, updated_at: now, ..user.record.clone() };
    let decision = sign_in::pending().change(mailed_link::used(token, now)).change(user.rewrite(verified.clone()));
    crate::rule::session::start(decision, &request.session, &verified, &["pwd"], previous, now)
}

/// The first start offers a link that makes the first administrator.
///
/// # Errors
/// [`Code::Conflict`] once there is staff.
pub fn offer_first_administrator(link: &Digest, has_staff: bool, now: i64) -> Decision<(), Change, Code> {
    if has_staff {
        return Decision::refuse(Code::Conflict, "staff_exists");
    }
    Decision::reply(()).change(mailed_link::mint(link, MailPurpose::FirstAdministrator, None, now))
}

/// Decides the sign-up of the first administrator: operator and security. Two
/// at once, by whatever links, make one.
///
/// # Errors
/// [`Code::LinkDead`], also once there is staff; [`Code::Invalid`].
pub fn first_administrator(
    person: &NewPerson,
    session: &NewSession,
    facts: &MailTokenFacts,
    previous: Option<&Fact<BrowserSession>>,
    now: i64,
) -> Decision<SignedIn, Change, Code> {
    let token = match mailed_link::good(facts, MailPurpose::FirstAdministrator, now) {
        Ok(token) if !facts.has_staff => token,
        Ok(_) => return sign_in::refuse("first_administrator", None, Refusal::new(Code::LinkDead, "staff_exists")),
        Err(refusal) => return sign_in::refuse("first_administrator", None, refusal),
    };
    if let Err(refusal) = check_names(person) {
        return Decision::refuse(refusal.code, refusal.reason);
    }
    let once = Change::Once { key: "first_administrator".to_owned(), until: now.saturating_add(120) };
    let decision = sign_in::pending().change(mailed_link::used(token, now)).change(once);
    let (decision, user) = make(decision, person, UserState::Active, &[Role::Operator, Role::Security], now);
    crate::rule::session::start(decision, session, &user, &["pwd"], previous, now)
}

pub(super) fn check_names(person: &NewPerson) -> Result<(), Refusal<Code>> {
    for (field, text) in [("name", &person.name), ("household", &person.household)] {
        if text.trim().is_empty() || !is_text(text) {
            let words = format!("{field} must be 1 to 255 characters without control characters");
            return Err(Refusal::new(Code::Invalid(words), "bad_text"));
        }
    }
    Ok(())
}

/// The person alone.
pub(super) fn user(person: &NewPerson, state: UserState, roles: &[Role], now: i64) -> User {
    User {
        id: person.user.clone(),
        email: person.email.clone(),
        name: person.name.trim().to_owned(),
        password: person.password.clone(),
        password_set_at: person.password.as_ref().map(|_| now),
        state,
        account: person.account.clone(),
        contact_id: None,
        roles: roles.to_vec(),
        locale: person.locale.clone(),
        zone: None,
        claims: serde_json::Map::new(),
        created_at: now,
        updated_at: now,
    }
}

/// A person, their household, and their membership as its owner.
pub(super) fn make<R>(
    decision: Decision<R, Change, Code>,
    person: &NewPerson,
    state: UserState,
    roles: &[Role],
    now: i64,
) -> (Decision<R, Change, Code>, User) {
    let user = user(person, state, roles, now);
    let account = Account {
        id: person.account.clone(),
        kind: AccountKind::Household,
        name: person.household.trim().to_owned(),
        external_id: None,
        closed: false,
        created_at: now,
    };
    let membership = Bond {
        id: person.membership.clone(),
        holder: Holder::User(user.id.clone()),
        target: Target::Account(account.id.clone()),
        role: BondRole::Owner,
        scopes: None,
        not_before: None,
        not_after: None,
        origin: BondOrigin::SignUp,
        parent: None,
        state: BondState::Active,
        created_at: now,
        ended_at: None,
    };
    let decision = decision
        .event(Event::new(EventKind::UserCreated, user.id.as_str()).with("account_id", account.id.as_str()))
        .event(Event::new(EventKind::AccountCreated, account.id.as_str()).with("user_id", user.id.as_str()))
        .event(
            Event::new(EventKind::BondCreated, membership.id.as_str())
                .with("holder_id", user.id.as_str())
                .with("target_id", account.id.as_str())
                .with("role", membership.role.as_str()),
        )
        .change(Write::new(account))
        .change(Write::new(user.clone()))
        .change(Write::new(membership));
    (decision, user)
}

#[cfg(test)]
mod tests;
