//! Browser sessions: opened, used, renewed, ended. Owns their limits and what a
//! fresh sign-in is (docs/spec/browser-sessions.md).

use crate::facts::{SessionFacts, SignIns};
use crate::problem::ProblemCode as Code;
use crate::user::UserState;
use crate::{
    AnchorKind, BrowserSession, Change, Decision, Digest, Event, EventKind, Fact, FamilyId, Raise, Refusal, SessionId,
    User, UserId, Write,
};

/// A sign-in is fresh for so long, seconds.
pub const FRESH: i64 = 300;
/// The last use is written at most so often, seconds.
pub const SEEN_EVERY: i64 = 300;

/// How long a session lives, seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Without use.
    pub idle: i64,
    /// At most.
    pub absolute: i64,
}

/// Owners stay signed in for days; staff for a working day.
pub fn limits(user: &User) -> Limits {
    if user.roles.is_empty() {
        Limits { idle: 7 * 86_400, absolute: 30 * 86_400 }
    } else {
        Limits { idle: 8 * 3_600, absolute: 12 * 3_600 }
    }
}

/// A session to be opened: id and secret are new at every sign-in, so that
/// nobody can fix a session on a person beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// Its id, should a new one be opened.
    pub id: SessionId,
    /// Digest of the cookie's new secret.
    pub secret: Digest,
    /// What the browser calls itself; shortened to 120 characters.
    pub agent: String,
}

/// A person who has just proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// Who.
    pub user: UserId,
    /// The session as it stands now.
    pub session: BrowserSession,
}

/// Opens a session, and deals with the one the browser brought: the same
/// person's goes on under a new secret, so that what apps got through it lives;
/// another person's ends.
pub(super) fn start(
    mut decision: Decision<SignedIn, Change, Code>,
    new: &NewSession,
    user: &User,
    methods: &[&str],
    previous: Option<&Fact<BrowserSession>>,
    now: i64,
) -> Decision<SignedIn, Change, Code> {
    let mut session = BrowserSession {
        id: new.id.clone(),
        secret: new.secret.clone(),
        user: user.id.clone(),
        authenticated_at: now,
        methods: methods.iter().map(|&method| method.to_owned()).collect(),
        seen_at: now,
        expires_at: now.saturating_add(limits(user).absolute),
        agent: new.agent.chars().filter(|c| !c.is_control()).take(120).collect(),
    };
    let goes_on = previous.filter(|old| old.user == user.id && now < old.expires_at);
    match (goes_on, previous) {
        (Some(old), _) => {
            session.id = old.id.clone();
            decision = decision.change(old.rewrite(session.clone()));
        }
        (None, Some(old)) => {
            decision.changes.extend(ending(old));
            decision = decision.change(Write::new(session.clone())).event(ended(old, "replaced"));
        }
        (None, None) => decision = decision.change(Write::new(session.clone())),
    }
    let event = Event::new(EventKind::SessionStarted, session.id.as_str())
        .with("user_id", user.id.as_str())
        .with("methods", session.methods.clone());
    decision.reply = Ok(SignedIn { user: user.id.clone(), session });
    decision.event(event)
}

/// A person at their browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// Who.
    pub user: UserId,
    /// The session.
    pub session: BrowserSession,
    /// Whether they signed in within the last [`FRESH`] seconds.
    pub fresh: bool,
}

/// Decides whether a cookie's session still stands. The change, if there is
/// one, only says when it was last used: when its commit conflicts, let it be.
///
/// # Errors
/// [`Code::SignInRequired`].
pub fn decide(facts: &SessionFacts, now: i64) -> Decision<Present, Change, Code> {
    let no = |reason| Decision::refuse(Code::SignInRequired, reason);
    let Some(session) = &facts.session else { return no("unknown_session") };
    let Some(user) = facts.user.as_ref().filter(|user| user.id == session.user) else { return no("unknown_user") };
    if user.state != UserState::Active {
        return no("user_inactive");
    }
    if now >= session.expires_at {
        return no("expired");
    }
    // The present limits count, so that a person who became staff is not left
    // with an owner's long session.
    if now.saturating_sub(session.authenticated_at) >= limits(user).absolute {
        return no("expired");
    }
    if now.saturating_sub(session.seen_at) >= limits(user).idle {
        return no("idle");
    }
    let present = Present { user: user.id.clone(), session: session.record.clone(), fresh: is_fresh(session, now) };
    let decision = Decision::reply(present).guard(user.guard()).guard(session.guard());
    if now.saturating_sub(session.seen_at) < SEEN_EVERY {
        return decision;
    }
    decision.change(session.rewrite(BrowserSession { seen_at: now, ..session.record.clone() }))
}

/// Whether the person proved who they are within the last [`FRESH`] seconds.
pub fn is_fresh(session: &BrowserSession, now: i64) -> bool {
    (0..=FRESH).contains(&now.saturating_sub(session.authenticated_at))
}

/// For risky acts.
///
/// # Errors
/// [`Code::FreshSignInRequired`].
pub fn require_fresh(session: &BrowserSession, now: i64) -> Result<(), Refusal<Code>> {
    if is_fresh(session, now) { Ok(()) } else { Err(Refusal::new(Code::FreshSignInRequired, "not_fresh")) }
}

/// Ends a session: one's own is signing out, another is one of one's list.
///
/// # Errors
/// [`Code::NotFound`] for another person's as for none.
pub fn end(own: &BrowserSession, target: Option<&Fact<BrowserSession>>) -> Decision<(), Change, Code> {
    let Some(target) = target.filter(|target| target.user == own.user) else {
        return Decision::refuse(Code::NotFound, "no_session_of_theirs");
    };
    let cause = if target.id == own.id { "signed_out" } else { "ended_by_user" };
    let mut decision = Decision::reply(()).event(ended(target, cause));
    decision.changes.extend(ending(target));
    decision
}

/// Ends every session and every app's tokens of a person but the named session.
/// Pairings stay: a device acts on its own, and is removed on its own.
pub fn end_others(own: Option<&SessionId>, sign_ins: &SignIns) -> Decision<(), Change, Code> {
    let mut decision = Decision::reply(());
    end_all_but(&mut decision, own, sign_ins, "ended_by_user");
    decision
}

pub(super) fn end_all_but<R>(
    decision: &mut Decision<R, Change, Code>,
    own: Option<&SessionId>,
    sign_ins: &SignIns,
    cause: &str,
) {
    for session in sign_ins.sessions.iter().filter(|session| Some(&session.id) != own) {
        decision.changes.extend(ending(session));
        decision.events.push(ended(session, cause));
    }
    for family in &sign_ins.families {
        decision.changes.push(Raise::end(AnchorKind::Family, family.as_str()).into());
        decision.events.push(family_revoked(family, cause));
    }
}

/// The raise comes first; the record goes, since what is missing is dead.
fn ending(session: &Fact<BrowserSession>) -> [Change; 2] {
    [
        Raise::end(AnchorKind::Session, session.id.as_str()).into(),
        Change::Erase { key: session.key(), version: session.version },
    ]
}

fn ended(session: &BrowserSession, cause: &str) -> Event {
    Event::new(EventKind::SessionEnded, session.id.as_str()).with("user_id", session.user.as_str()).with("cause", cause)
}

fn family_revoked(family: &FamilyId, cause: &str) -> Event {
    Event::new(EventKind::FamilyRevoked, family.as_str()).with("cause", cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::fixture::{NOW, fact, raises_are_told, session, user, writes_nothing_twice};
    use crate::staff::Role;

    fn facts() -> SessionFacts {
        SessionFacts { session: Some(fact(session("ses_1", "u_adam"))), user: Some(fact(user("u_adam"))) }
    }

    fn reason(facts: &SessionFacts, now: i64) -> &'static str {
        decide(facts, now).reply.unwrap_err().reason
    }

    #[test]
    fn a_session_stands_until_it_is_idle_or_old() {
        let mut facts = facts();
        assert!(decide(&facts, NOW).reply.is_ok());
        let idle = limits(&user("u_adam")).idle;
        let record = &mut facts.session.as_mut().unwrap().record;
        record.expires_at = i64::MAX;
        let seen = record.seen_at;
        assert!(decide(&facts, seen + idle - 1).reply.is_ok());
        assert_eq!(reason(&facts, seen + idle), "idle");
        facts.session.as_mut().unwrap().record.expires_at = NOW;
        assert_eq!(reason(&facts, NOW), "expired");
    }

    #[test]
    fn staff_are_signed_out_after_a_working_day() {
        let mut facts = facts();
        facts.user.as_mut().unwrap().record.roles = vec![Role::Support];
        let record = &mut facts.session.as_mut().unwrap().record;
        record.seen_at = NOW;
        record.authenticated_at = NOW - 12 * 3_600;
        assert_eq!(reason(&facts, NOW), "expired");
        facts.session.as_mut().unwrap().record.authenticated_at = NOW - 12 * 3_600 + 1;
        assert!(decide(&facts, NOW).reply.is_ok());
        facts.session.as_mut().unwrap().record.seen_at = NOW - 8 * 3_600;
        assert_eq!(reason(&facts, NOW), "idle");
    }

    #[test]
    fn a_session_of_nobody_who_may_sign_in_is_none() {
        assert_eq!(reason(&SessionFacts::default(), NOW), "unknown_session");
        assert_eq!(reason(&SessionFacts { user: None, ..facts() }, NOW), "unknown_user");
        assert_eq!(reason(&SessionFacts { user: Some(fact(user("u_eve"))), ..facts() }, NOW), "unknown_user");
        for state in [UserState::Disabled, UserState::Unverified] {
            let mut facts = facts();
            facts.user.as_mut().unwrap().record.state = state;
            assert_eq!(reason(&facts, NOW), "user_inactive");
        }
    }

    #[test]
    fn the_last_use_is_written_at_most_every_five_minutes() {
        let seen = session("ses_1", "u_adam").seen_at;
        assert!(!decide(&facts(), seen + 299).needs_commit());
        let decision = decide(&facts(), seen + 300);
        assert!(
            decision.changes.iter().any(|c| matches!(c, Change::BrowserSession(w) if w.record.seen_at == seen + 300))
        );
    }

    #[test]
    fn a_sign_in_is_fresh_for_five_minutes() {
        let mut session = session("ses_1", "u_adam");
        session.authenticated_at = NOW - FRESH;
        assert!(require_fresh(&session, NOW).is_ok());
        assert_eq!(require_fresh(&session, NOW + 1).unwrap_err().code, Code::FreshSignInRequired);
        session.authenticated_at = NOW + 1;
        assert!(require_fresh(&session, NOW).is_err(), "a sign-in of tomorrow is none");
    }

    #[test]
    fn one_ends_ones_own_sessions_and_no_other() {
        let own = session("ses_1", "u_adam");
        let other = fact(session("ses_2", "u_adam"));
        let decision = end(&own, Some(&other));
        assert!(decision.changes.contains(&Raise::end(AnchorKind::Session, "ses_2").into()));
        assert_eq!(decision.events[0].data["cause"], "ended_by_user");
        assert_eq!(end(&own, Some(&fact(own.clone()))).events[0].data["cause"], "signed_out");
        let eve = fact(session("ses_3", "u_eve"));
        assert_eq!(end(&own, Some(&eve)).reply, end(&own, None).reply);
        assert!(!end(&own, Some(&eve)).needs_commit());
    }

    #[test]
    fn ending_the_others_spares_this_one_and_every_pairing() {
        let sign_ins = SignIns {
            sessions: vec![fact(session("ses_1", "u_adam")), fact(session("ses_2", "u_adam"))],
            families: vec!["fam_app".parse().unwrap()],
        };
        let decision = end_others(Some(&"ses_1".parse().unwrap()), &sign_ins);
        let raised: Vec<_> = decision
            .changes
            .iter()
            .filter_map(|c| if let Change::Raise(r) = c { Some(r.anchor.to_string()) } else { None })
            .collect();
        assert_eq!(raised, ["s.ses_2", "f.fam_app"], "neither the person nor a bond is raised");
        assert!(raises_are_told(&decision) && writes_nothing_twice(&decision));
    }
}
