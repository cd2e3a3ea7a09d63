//! A forgotten password: a link is asked for, and sets a new one, once. Owns
//! that nothing tells whether an address has an account.

use crate::facts::{MailTokenFacts, PersonFacts};
use crate::mail::MailPurpose;
use crate::problem::ProblemCode as Code;
use crate::rule::mailed_link::{self, MAIL_BRAKE};
use crate::rule::{session, sign_in};
use crate::user::{PasswordHash, UserState};
use crate::{Change, Decision, Digest, Event, EventKind, Refusal, User, UserId};

/// Decides whether a recovery mail is sent to an address; the page says the
/// same either way. `recent_mails` went to it within the last hour.
///
/// # Errors
/// None.
pub fn ask(link: &Digest, recent_mails: u32, facts: &PersonFacts, now: i64) -> Decision<bool, Change, Code> {
    let user = facts.user.as_ref();
    let reason = match user {
        _ if recent_mails >= MAIL_BRAKE => Some("too_many_mails"),
        None => Some("unknown_address"),
        Some(user) if user.state == UserState::Disabled => Some("disabled"),
        Some(_) => None,
    };
    // Announced, so that an unknown address takes a commit as a known one does.
    match (reason, user) {
        (None, Some(user)) => Decision::reply(true).guard(user.guard()).change(mailed_link::mint(
            link,
            MailPurpose::RecoverPassword,
            Some(&user.id),
            now,
        )),
        (reason, user) => Decision::reply(false).event(
            Event::new(EventKind::AccessRefused, user.map_or("unknown", |user| user.id.as_str()))
                .with("door", "recovery")
                .with("reason", reason),
        ),
    }
}

/// Decides a new password by link. The address is verified by it; every session
/// and every app's tokens of the person end, passkeys and pairings stay.
///
/// # Errors
/// [`Code::LinkDead`]: unknown, used, late, or sent before the password was
/// last set.
pub fn set(password: &PasswordHash, facts: &MailTokenFacts, now: i64) -> Decision<UserId, Change, Code> {
    let refuse = |refusal| sign_in::refuse("recovery", facts.user.as_ref().map(|user| &user.record), refusal);
    let token = match mailed_link::good(facts, MailPurpose::RecoverPassword, now) {
        Ok(token) => token,
        Err(refusal) => return refuse(refusal),
    };
    let user = facts.user.as_ref().filter(|user| token.user.as_ref() == Some(&user.id));
    let Some(user) = user.filter(|user| user.state != UserState::Disabled) else {
        return refuse(Refusal::new(Code::LinkDead, "nobody_to_recover"));
    };
    let sent_at = token.expires_at.saturating_sub(mailed_link::life(MailPurpose::RecoverPassword));
    // A second link of the same hour must not undo what the first one did.
    let superseded = user.state == UserState::Active && user.password_set_at.is_some_and(|set_at| sent_at < set_at);
    if superseded {
        return refuse(Refusal::new(Code::LinkDead, "superseded_link"));
    }
    let recovered = User {
        password: Some(password.clone()),
        password_set_at: Some(now),
        state: UserState::Active,
        updated_at: now,
        ..user.record.clone()
    };
    let mut decision =
        Decision::reply(user.id.clone()).change(mailed_link::used(token, now)).change(user.rewrite(recovered));
    session::end_all_but(&mut decision, None, &facts.sign_ins, "password_recovered");
    decision
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::SignIns;
    use crate::rule::fixture::{NOW, fact, raises_are_told, second_conflicts, session, user, writes_nothing_twice};
    use crate::{AnchorKind, MailToken, Raise};

    fn link() -> Digest {
        Digest::from_base64url("link")
    }

    fn person(state: UserState) -> PersonFacts {
        let mut user = user("u_adam");
        user.state = state;
        PersonFacts { user: Some(fact(user)), ..PersonFacts::default() }
    }

    fn asked() -> MailTokenFacts {
        MailTokenFacts {
            token: Some(fact(MailToken {
                id: link(),
                purpose: MailPurpose::RecoverPassword,
                user: Some("u_adam".parse().unwrap()),
                expires_at: NOW + 3_600,
                used_at: None,
            })),
            user: Some(fact(user("u_adam"))),
            sign_ins: SignIns {
                sessions: vec![fact(session("ses_1", "u_adam"))],
                families: vec!["fam_app".parse().unwrap()],
            },
            has_staff: true,
        }
    }

    fn new() -> PasswordHash {
        PasswordHash("hash-2".into())
    }

    #[track_caller]
    fn dead(facts: &MailTokenFacts, now: i64, reason: &str) {
        let decision = set(&new(), facts, now);
        assert!(decision.changes.is_empty());
        let refusal = decision.reply.unwrap_err();
        assert_eq!((refusal.code, refusal.reason), (Code::LinkDead, reason));
    }

    #[test]
    fn asking_takes_one_commit_whether_the_address_is_known_or_not() {
        for (facts, sent) in [
            (person(UserState::Active), true),
            (person(UserState::Unverified), true),
            (person(UserState::Disabled), false),
            (PersonFacts::default(), false),
        ] {
            let decision = ask(&link(), 0, &facts, NOW);
            assert_eq!(decision.reply, Ok(sent));
            assert!(decision.needs_commit());
        }
    }

    #[test]
    fn an_address_is_not_flooded() {
        assert_eq!(ask(&link(), MAIL_BRAKE, &person(UserState::Active), NOW).reply, Ok(false));
        assert_eq!(ask(&link(), MAIL_BRAKE - 1, &person(UserState::Active), NOW).reply, Ok(true));
    }

    #[test]
    fn a_new_password_ends_every_sign_in_and_no_pairing() {
        let decision = set(&new(), &asked(), NOW);
        assert_eq!(decision.reply.as_ref().unwrap().as_str(), "u_adam");
        assert!(decision.changes.contains(&Raise::end(AnchorKind::Session, "ses_1").into()));
        assert!(decision.changes.contains(&Raise::end(AnchorKind::Family, "fam_app").into()));
        let raised = |kind| decision.changes.iter().any(|c| matches!(c, Change::Raise(r) if r.anchor.kind == kind));
        assert!(!raised(AnchorKind::User) && !raised(AnchorKind::Bond) && !raised(AnchorKind::Device));
        assert!(writes_nothing_twice(&decision) && raises_are_told(&decision));
    }

    #[test]
    fn a_link_sets_one_password() {
        assert!(second_conflicts(&set(&new(), &asked(), NOW), &set(&new(), &asked(), NOW)));
        let mut used = asked();
        used.token.as_mut().unwrap().record.used_at = Some(NOW);
        dead(&used, NOW, "used_link");
    }

    #[test]
    fn a_link_that_is_unknown_late_strange_or_superseded_is_dead() {
        dead(&MailTokenFacts { token: None, ..asked() }, NOW, "unknown_link");
        dead(&asked(), NOW + 3_600, "late_link");
        let mut other = asked();
        other.token.as_mut().unwrap().record.purpose = MailPurpose::VerifyAddress;
        dead(&other, NOW, "link_of_another_purpose");
        dead(&MailTokenFacts { user: Some(fact(user("u_eve"))), ..asked() }, NOW, "nobody_to_recover");
        let mut disabled = asked();
        disabled.user.as_mut().unwrap().record.state = UserState::Disabled;
        dead(&disabled, NOW, "nobody_to_recover");
        let mut set_since = asked();
        set_since.user.as_mut().unwrap().record.password_set_at = Some(NOW + 1);
        dead(&set_since, NOW + 2, "superseded_link");
    }

    #[test]
    fn who_gets_the_mail_has_shown_that_the_address_is_theirs() {
        let mut facts = asked();
        facts.user = person(UserState::Unverified).user;
        let decision = set(&new(), &facts, NOW);
        assert!(decision.changes.iter().any(|c| matches!(c, Change::User(w) if w.record.state == UserState::Active)));
    }
}
