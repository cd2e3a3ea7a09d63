//! Passwords: which are acceptable, what a check found, and changing one. Owns
//! no hashing: hashes are made and compared between load and commit.

use crate::facts::PersonFacts;
use crate::problem::ProblemCode as Code;
use crate::rule::session;
use crate::user::{Email, PasswordHash};
use crate::{BrowserSession, Change, Decision, Digest, Fact, User};

/// At least so many characters.
pub const MIN_CHARS: usize = 10;
/// At most so many bytes; hashing more costs without gain.
pub const MAX_BYTES: usize = 256;

/// What comparing a password found. The comparison is made for unknown
/// addresses too, against a hash of nothing, so that it takes as long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordCheck {
    /// It is right for this stored hash; a hash set meanwhile is another.
    Right(PasswordHash),
    /// It is wrong, or there is no user or no password to compare with.
    Wrong,
}

impl PasswordCheck {
    /// Whether it is right for the hash this user has now.
    pub fn holds_for(&self, user: &User) -> bool {
        matches!(self, Self::Right(hash) if user.password.as_ref() == Some(hash))
    }
}

/// Whether a person may choose this password: long enough, and not their own
/// address or name. No rules about kinds of characters: they make passwords
/// worse.
///
/// # Errors
/// Words for the page.
pub fn acceptable(password: &str, email: &Email, name: &str) -> Result<(), &'static str> {
    if password.chars().count() < MIN_CHARS {
        return Err("choose at least ten characters");
    }
    if password.len() > MAX_BYTES {
        return Err("choose at most 256 characters");
    }
    let lower = password.to_lowercase();
    let local = email.expose().rsplit_once('@').map_or("", |(local, _)| local);
    let first = lower.chars().next();
    let own = lower == email.expose() || lower == local || lower == name.to_lowercase();
    if own || lower.chars().all(|c| Some(c) == first) {
        return Err("choose something that is harder to guess");
    }
    Ok(())
}

/// A person sets another password while signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangePassword {
    /// What comparing the present one found.
    pub check: PasswordCheck,
    /// Hash of the new one.
    pub password: PasswordHash,
    /// Digest of a new secret for this session's cookie.
    pub secret: Digest,
}

/// Decides a change of password. All other sessions and all apps' tokens end;
/// this session goes on under a new secret. Pairings stay (see
/// docs/spec/browser-sessions.md).
///
/// # Errors
/// [`Code::InvalidCredentials`] when the present password is wrong;
/// [`Code::FreshSignInRequired`] where there is none yet.
pub fn change(
    request: &ChangePassword,
    facts: &PersonFacts,
    own: &Fact<BrowserSession>,
    now: i64,
) -> Decision<BrowserSession, Change, Code> {
    let Some(user) = facts.user.as_ref().filter(|user| user.id == own.user) else {
        return Decision::refuse(Code::SignInRequired, "unknown_user");
    };
    if user.password.is_some() && !request.check.holds_for(user) {
        return Decision::refuse(Code::InvalidCredentials, "wrong_password");
    }
    if user.password.is_none()
        && let Err(refusal) = session::require_fresh(own, now)
    {
        return Decision::refuse(refusal.code, refusal.reason);
    }
    let changed = User {
        password: Some(request.password.clone()),
        password_set_at: Some(now),
        updated_at: now,
        ..user.record.clone()
    };
    let session = BrowserSession { secret: request.secret.clone(), seen_at: now, ..own.record.clone() };
    let mut decision = Decision::reply(session.clone()).change(user.rewrite(changed)).change(own.rewrite(session));
    session::end_all_but(&mut decision, Some(&own.id), &facts.sign_ins, "password_changed");
    decision
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::SignIns;
    use crate::rule::fixture::{NOW, fact, raises_are_told, session, user, writes_nothing_twice};
    use crate::{AnchorKind, Raise};

    fn facts() -> PersonFacts {
        PersonFacts {
            user: Some(fact(user("u_adam"))),
            sign_ins: SignIns {
                sessions: vec![fact(session("ses_1", "u_adam")), fact(session("ses_2", "u_adam"))],
                families: vec!["fam_app".parse().unwrap()],
            },
            ..PersonFacts::default()
        }
    }

    fn request(check: PasswordCheck) -> ChangePassword {
        ChangePassword { check, password: PasswordHash("hash-2".into()), secret: Digest::from_base64url("secret-2") }
    }

    fn right() -> PasswordCheck {
        PasswordCheck::Right(PasswordHash("hash-1".into()))
    }

    #[test]
    fn another_password_ends_all_other_sign_ins_and_no_pairing() {
        let own = fact(session("ses_1", "u_adam"));
        let decision = change(&request(right()), &facts(), &own, NOW);
        assert_eq!(decision.reply.as_ref().unwrap().secret, Digest::from_base64url("secret-2"));
        assert!(decision.changes.contains(&Raise::end(AnchorKind::Session, "ses_2").into()));
        assert!(decision.changes.contains(&Raise::end(AnchorKind::Family, "fam_app").into()));
        let raised = |kind| decision.changes.iter().any(|c| matches!(c, Change::Raise(r) if r.anchor.kind == kind));
        assert!(!raised(AnchorKind::User) && !raised(AnchorKind::Bond) && !raised(AnchorKind::Device));
        assert!(!decision.changes.contains(&Raise::end(AnchorKind::Session, "ses_1").into()));
        assert!(writes_nothing_twice(&decision) && raises_are_told(&decision));
    }

    #[test]
    fn the_present_password_is_asked_for() {
        let own = fact(session("ses_1", "u_adam"));
        for check in [PasswordCheck::Wrong, PasswordCheck::Right(PasswordHash("hash-0".into()))] {
            let decision = change(&request(check), &facts(), &own, NOW);
            assert_eq!(decision.reply.as_ref().unwrap_err().code, Code::InvalidCredentials);
            assert!(!decision.needs_commit());
        }
    }

    #[test]
    fn where_there_is_none_a_fresh_sign_in_is_asked_for() {
        let mut facts = facts();
        facts.user.as_mut().unwrap().record.password = None;
        let mut own = session("ses_1", "u_adam");
        assert!(change(&request(PasswordCheck::Wrong), &facts, &fact(own.clone()), NOW).reply.is_ok());
        own.authenticated_at = NOW - 301;
        let refusal = change(&request(PasswordCheck::Wrong), &facts, &fact(own), NOW).reply.unwrap_err();
        assert_eq!(refusal.code, Code::FreshSignInRequired);
    }

    #[test]
    fn a_session_of_another_person_changes_nothing() {
        let decision = change(&request(right()), &facts(), &fact(session("ses_1", "u_eve")), NOW);
        assert_eq!(decision.reply.unwrap_err().code, Code::SignInRequired);
    }

    #[test]
    fn short_long_and_own_words_are_not_acceptable() {
        let email = Email::parse("adam.smith@example.com").unwrap();
        for bad in [
            "short",
            "nine char",
            &"x".repeat(257),
            "Adam.Smith",
            "adam.smith@example.com",
            "Adam Smith X",
            "aaaaaaaaaaaa",
        ] {
            assert!(acceptable(bad, &email, "adam smith x").is_err(), "{bad}");
        }
        assert!(acceptable("correct horse", &email, "Adam Smith X").is_ok());
        assert!(acceptable("äöüäöüäöüß", &email, "Adam Smith X").is_ok(), "characters are counted, not bytes");
    }
}
