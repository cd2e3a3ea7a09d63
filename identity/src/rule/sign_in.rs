//! Signing in, by password or passkey. Owns what a person learns when it fails:
//! never whether an address has an account, unless they know its password.

use serde_json::Value;

use crate::facts::{PasskeyFacts, PersonFacts};
use crate::problem::ProblemCode as Code;
use crate::rule::password::PasswordCheck;
use crate::rule::session::{self, NewSession, SignedIn};
use crate::user::UserState;
use crate::{BrowserSession, Change, Decision, Event, EventKind, Fact, Passkey, Refusal, User};

/// So many wrong tries for one address within [`BRAKE_WINDOW`] seconds stop
/// further ones, right or wrong. Passkeys are not stopped, so that nobody can
/// lock a person out for good.
pub const BRAKE_TRIES: u32 = 10;
/// The window in which tries are counted, seconds.
pub const BRAKE_WINDOW: i64 = 900;

/// An address and a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordSignIn {
    /// What comparing found.
    pub check: PasswordCheck,
    /// Wrong tries for that address, known or not, within the window.
    pub failures: u32,
    /// The session to open.
    pub session: NewSession,
}

/// Decides a sign-in by password. `previous` is the session the browser brought.
///
/// # Errors
/// [`Code::RateLimited`]; [`Code::InvalidCredentials`] for an unknown address as
/// for a wrong password; with the right one [`Code::AddressUnverified`] and
/// [`Code::UserDisabled`]. Each is announced, so that each takes as long.
pub fn by_password(
    request: &PasswordSignIn,
    facts: &PersonFacts,
    previous: Option<&Fact<BrowserSession>>,
    now: i64,
) -> Decision<SignedIn, Change, Code> {
    let user = facts.user.as_ref();
    match admit(user, &request.check, request.failures) {
        Err(refusal) => refuse("sign_in", user.map(|user| &user.record), refusal),
        Ok(user) => sign_in(user, &request.session, &["pwd"], previous, now),
    }
}

fn admit<'a>(
    user: Option<&'a Fact<User>>,
    check: &PasswordCheck,
    failures: u32,
) -> Result<&'a Fact<User>, Refusal<Code>> {
    if failures >= BRAKE_TRIES {
        return Err(Refusal::new(Code::RateLimited, "too_many_tries"));
    }
    let user = user.ok_or(Refusal::new(Code::InvalidCredentials, "unknown_address"))?;
    if !check.holds_for(user) {
        return Err(Refusal::new(Code::InvalidCredentials, "wrong_password"));
    }
    match user.state {
        UserState::Active => Ok(user),
        UserState::Unverified => Err(Refusal::new(Code::AddressUnverified, "unverified")),
        UserState::Disabled => Err(Refusal::new(Code::UserDisabled, "disabled")),
    }
}

/// A passkey that was used.
#[derive(Debug, Clone, PartialEq)]
pub struct PasskeySignIn {
    /// The passkey as the authenticator library left it, counters moved on.
    pub credential: Value,
    /// Whether the authenticator verified the person, by PIN or biometrics.
    pub user_verified: bool,
    /// The session to open.
    pub session: NewSession,
}

/// Decides a sign-in by a passkey whose signature was verified.
///
/// # Errors
/// [`Code::InvalidCredentials`]; [`Code::UserDisabled`].
pub fn by_passkey(
    request: &PasskeySignIn,
    facts: &PasskeyFacts,
    previous: Option<&Fact<BrowserSession>>,
    now: i64,
) -> Decision<SignedIn, Change, Code> {
    let known = facts.passkey.as_ref().zip(facts.user.as_ref()).filter(|(passkey, user)| passkey.user == user.id);
    let Some((passkey, user)) = known else {
        return refuse("passkey", None, Refusal::new(Code::InvalidCredentials, "unknown_passkey"));
    };
    if user.state != UserState::Active {
        return refuse("passkey", Some(&user.record), Refusal::new(Code::UserDisabled, "user_inactive"));
    }
    let used = Passkey { credential: request.credential.clone(), used_at: Some(now), ..passkey.record.clone() };
    // RFC 8176: a hardware-secured key; more than one factor once it asked for the person.
    let methods: &[&str] = if request.user_verified { &["hwk", "user", "mfa"] } else { &["hwk", "user"] };
    sign_in(user, &request.session, methods, previous, now).change(passkey.rewrite(used))
}

pub(super) fn sign_in(
    user: &Fact<User>,
    new: &NewSession,
    methods: &[&str],
    previous: Option<&Fact<BrowserSession>>,
    now: i64,
) -> Decision<SignedIn, Change, Code> {
    // Counting the person up makes a sign-in conflict with a change of password
    // of the same moment: no session slips past the end of all sessions.
    let touch = Change::Touch { key: user.key(), version: user.version };
    session::start(pending().change(touch), new, user, methods, previous, now)
}

/// A decision whose yes is still to be filled in by [`session::start`].
pub(super) fn pending() -> Decision<SignedIn, Change, Code> {
    Decision::refuse(Code::SignInRequired, "not_started")
}

pub(super) fn refuse<R>(door: &str, user: Option<&User>, refusal: Refusal<Code>) -> Decision<R, Change, Code> {
    let event = Event::new(EventKind::AccessRefused, user.map_or("unknown", |user| user.id.as_str()))
        .with("door", door)
        .with("reason", refusal.reason);
    Decision::refuse(refusal.code, refusal.reason).event(event)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rule::fixture::{
        NOW, fact, new_session, passkey, raises_are_told, second_conflicts, session, user, writes_nothing_twice,
    };
    use crate::rule::password::{self, ChangePassword};
    use crate::user::PasswordHash;
    use crate::{AnchorKind, Digest, Raise};

    fn right() -> PasswordSignIn {
        PasswordSignIn {
            check: PasswordCheck::Right(PasswordHash("hash-1".into())),
            failures: 0,
            session: new_session(),
        }
    }

    fn adam() -> PersonFacts {
        PersonFacts { user: Some(fact(user("u_adam"))), ..PersonFacts::default() }
    }

    fn refused(request: &PasswordSignIn, facts: &PersonFacts) -> (Code, &'static str) {
        let decision = by_password(request, facts, None, NOW);
        assert!(decision.changes.is_empty());
        assert_eq!(decision.events.len(), 1, "each refusal takes one commit, so each takes as long");
        let refusal = decision.reply.unwrap_err();
        (refusal.code, refusal.reason)
    }

    #[test]
    fn the_right_password_opens_a_session() {
        let decision = by_password(&right(), &adam(), None, NOW);
        let signed_in = decision.reply.clone().unwrap();
        assert_eq!((signed_in.session.id.as_str(), signed_in.session.authenticated_at), ("ses_new", NOW));
        assert_eq!(signed_in.session.methods, ["pwd"]);
        assert_eq!(signed_in.session.expires_at, NOW + 30 * 86_400);
        assert_eq!(decision.events[0].kind, EventKind::SessionStarted);
    }

    #[test]
    fn a_wrong_password_and_an_unknown_address_get_the_same_word() {
        let wrong = PasswordSignIn { check: PasswordCheck::Wrong, ..right() };
        assert_eq!(refused(&wrong, &adam()), (Code::InvalidCredentials, "wrong_password"));
        assert_eq!(refused(&wrong, &PersonFacts::default()), (Code::InvalidCredentials, "unknown_address"));
    }

    #[test]
    fn an_unverified_or_disabled_person_is_told_only_with_the_right_password() {
        for (state, code) in
            [(UserState::Unverified, Code::AddressUnverified), (UserState::Disabled, Code::UserDisabled)]
        {
            let mut facts = adam();
            facts.user.as_mut().unwrap().record.state = state;
            assert_eq!(refused(&right(), &facts).0, code);
            let wrong = PasswordSignIn { check: PasswordCheck::Wrong, ..right() };
            assert_eq!(refused(&wrong, &facts).0, Code::InvalidCredentials);
        }
    }

    #[test]
    fn a_password_that_was_right_before_it_was_changed_is_wrong() {
        let stale = PasswordSignIn { check: PasswordCheck::Right(PasswordHash("hash-0".into())), ..right() };
        assert_eq!(refused(&stale, &adam()).1, "wrong_password");
        let mut none = adam();
        none.user.as_mut().unwrap().record.password = None;
        assert_eq!(refused(&right(), &none).1, "wrong_password");
    }

    #[test]
    fn too_many_tries_stop_the_right_password_too_and_unknown_addresses_alike() {
        let braked = PasswordSignIn { failures: BRAKE_TRIES, ..right() };
        assert_eq!(refused(&braked, &adam()).0, Code::RateLimited);
        assert_eq!(refused(&braked, &PersonFacts::default()).0, Code::RateLimited);
        let last = PasswordSignIn { failures: BRAKE_TRIES - 1, ..right() };
        assert!(by_password(&last, &adam(), None, NOW).reply.is_ok());
    }

    #[test]
    fn a_session_fixed_beforehand_is_worth_nothing() {
        let own = fact(session("ses_old", "u_adam"));
        let decision = by_password(&right(), &adam(), Some(&own), NOW);
        let signed_in = decision.reply.clone().unwrap().session;
        assert_eq!(signed_in.id, own.id, "what apps got through it goes on");
        assert_eq!(signed_in.secret, Digest::from_base64url("secret-new"), "the old cookie is worthless");
        let strange = fact(session("ses_old", "u_eve"));
        let decision = by_password(&right(), &adam(), Some(&strange), NOW);
        assert_eq!(decision.reply.clone().unwrap().session.id.as_str(), "ses_new");
        assert!(decision.changes.contains(&Raise::end(AnchorKind::Session, "ses_old").into()));
        assert!(raises_are_told(&decision) && writes_nothing_twice(&decision));
    }

    #[test]
    fn an_expired_session_does_not_go_on() {
        let mut old = session("ses_old", "u_adam");
        old.expires_at = NOW;
        let decision = by_password(&right(), &adam(), Some(&fact(old)), NOW);
        assert_eq!(decision.reply.unwrap().session.id.as_str(), "ses_new");
    }

    #[test]
    fn a_sign_in_does_not_slip_past_a_change_of_password() {
        let change = password::change(
            &ChangePassword {
                check: right().check,
                password: PasswordHash("hash-2".into()),
                secret: Digest::from_base64url("secret-2"),
            },
            &adam(),
            &fact(session("ses_1", "u_adam")),
            NOW,
        );
        let sign_in = by_password(&right(), &adam(), None, NOW);
        assert!(second_conflicts(&change, &sign_in) && second_conflicts(&sign_in, &change));
    }

    fn with_passkey() -> (PasskeySignIn, PasskeyFacts) {
        let request = PasskeySignIn { credential: json!({"counter": 2}), user_verified: true, session: new_session() };
        let facts = PasskeyFacts { passkey: Some(fact(passkey("pk_1", "u_adam"))), user: Some(fact(user("u_adam"))) };
        (request, facts)
    }

    #[test]
    fn a_passkey_signs_in_and_its_counter_moves_on() {
        let (request, facts) = with_passkey();
        let decision = by_passkey(&request, &facts, None, NOW);
        assert_eq!(decision.reply.as_ref().unwrap().session.methods, ["hwk", "user", "mfa"]);
        assert!(
            decision.changes.iter().any(|c| matches!(c, Change::Passkey(w) if w.record.credential["counter"] == 2))
        );
        assert!(writes_nothing_twice(&decision));
        assert!(second_conflicts(&decision, &by_passkey(&request, &facts, None, NOW)), "one assertion, one session");
    }

    #[test]
    fn an_unknown_passkey_and_an_inactive_person_are_refused() {
        let (request, facts) = with_passkey();
        let none = by_passkey(&request, &PasskeyFacts::default(), None, NOW);
        assert_eq!(none.reply.unwrap_err().reason, "unknown_passkey");
        let strange = PasskeyFacts { user: Some(fact(user("u_eve"))), ..facts.clone() };
        assert_eq!(by_passkey(&request, &strange, None, NOW).reply.unwrap_err().reason, "unknown_passkey");
        let mut disabled = facts;
        disabled.user.as_mut().unwrap().record.state = UserState::Disabled;
        assert_eq!(by_passkey(&request, &disabled, None, NOW).reply.unwrap_err().code, Code::UserDisabled);
    }
}
