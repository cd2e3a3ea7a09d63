//! People as staff see them: made, stopped, let back in, given roles. Signing
//! up by oneself stands in `sign_up`.

use crate::decision::Version;
use crate::facts::PersonFacts;
use crate::problem::ProblemCode as Code;
use crate::rule::actor::Actor;
use crate::rule::sign_up::{self, NewPerson};
use crate::staff::Role;
use crate::user::UserState;
use crate::{AnchorKind, Change, Decision, Event, EventKind, Fact, Raise, Refusal, User};

/// Makes a person who may sign in at once; `facts` are those of the address.
///
/// # Errors
/// [`Code::Conflict`] when the address is taken; [`Code::Invalid`].
pub fn create(person: &NewPerson, roles: &[Role], facts: &PersonFacts, now: i64) -> Decision<User, Change, Code> {
    if facts.user.is_some() {
        return Decision::refuse(Code::Conflict, "known_address");
    }
    if let Err(refusal) = sign_up::check_names(person) {
        return Decision::refuse(refusal.code, refusal.reason);
    }
    let pending: Decision<User, Change, Code> = Decision::refuse(Code::NotFound, "not_made");
    let (mut decision, user) = sign_up::make(pending, person, UserState::Active, roles, now);
    decision.reply = Ok(user);
    decision
}

/// Stops a person: all their tokens fall, grants stay for the day they are let
/// back in; until then nothing is decided anew for them.
///
/// # Errors
/// [`Code::NotFound`], [`Code::VersionMismatch`]; [`Code::Forbidden`] for
/// oneself; [`Code::Conflict`] when stopped already, or not yet verified: who
/// cannot sign in need not be stopped, and must not be verified by letting back in.
pub fn disable(
    actor: &Actor,
    user: Option<&Fact<User>>,
    if_version: Option<Version>,
    now: i64,
) -> Decision<User, Change, Code> {
    let user = match of_another(actor, user, if_version) {
        Ok(user) => user,
        Err(refusal) => return Decision::refuse(refusal.code, refusal.reason),
    };
    if user.state != UserState::Active {
        return Decision::refuse(Code::Conflict, "not_active");
    }
    let stopped = User { state: UserState::Disabled, updated_at: now, ..user.record.clone() };
    cut(user, stopped, EventKind::UserDisabled, actor)
}

/// Lets a stopped person sign in again.
///
/// # Errors
/// [`Code::NotFound`], [`Code::VersionMismatch`], [`Code::Forbidden`] for
/// oneself; [`Code::Conflict`] when not stopped.
pub fn enable(
    actor: &Actor,
    user: Option<&Fact<User>>,
    if_version: Option<Version>,
    now: i64,
) -> Decision<User, Change, Code> {
    let user = match of_another(actor, user, if_version) {
        Ok(user) => user,
        Err(refusal) => return Decision::refuse(refusal.code, refusal.reason),
    };
    if user.state != UserState::Disabled {
        return Decision::refuse(Code::Conflict, "not_disabled");
    }
    let back = User { state: UserState::Active, updated_at: now, ..user.record.clone() };
    Decision::reply(back.clone())
        .event(Event::new(EventKind::UserEnabled, user.id.as_str()).with("by", actor.id()))
        .change(user.rewrite(back))
}

fn of_another<'a>(
    actor: &Actor,
    user: Option<&'a Fact<User>>,
    if_version: Option<Version>,
) -> Result<&'a Fact<User>, Refusal<Code>> {
    let user = user.ok_or(Refusal::new(Code::NotFound, "unknown_user"))?;
    if matches!(actor, Actor::Staff(own) | Actor::Person(own) if *own == user.id) {
        return Err(Refusal::new(Code::Forbidden, "oneself"));
    }
    if if_version.is_some_and(|version| version != user.version) {
        return Err(Refusal::new(Code::VersionMismatch, "changed_meanwhile"));
    }
    Ok(user)
}

fn cut(user: &Fact<User>, changed: User, kind: EventKind, actor: &Actor) -> Decision<User, Change, Code> {
    Decision::reply(changed.clone())
        .change(user.rewrite(changed))
        .change(Raise::cut(AnchorKind::User, user.id.as_str()))
        .event(Event::new(kind, user.id.as_str()).with("by", actor.id()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::fixture::{NOW, fact, new_person, raises_are_told, user, writes_nothing_twice};

    fn staff() -> Actor {
        Actor::Staff("u_staff".parse().unwrap())
    }

    fn with(state: UserState) -> Fact<User> {
        let mut user = user("u_adam");
        user.state = state;
        fact(user)
    }

    #[test]
    fn a_person_made_by_staff_may_sign_in_at_once() {
        let decision = create(&new_person(), &[Role::Support], &PersonFacts::default(), NOW);
        let user = decision.reply.clone().unwrap();
        assert_eq!((user.state, user.roles), (UserState::Active, vec![Role::Support]));
        assert!(writes_nothing_twice(&decision));
        let taken = PersonFacts { user: Some(with(UserState::Active)), ..PersonFacts::default() };
        assert_eq!(create(&new_person(), &[], &taken, NOW).reply.unwrap_err().code, Code::Conflict);
        let nameless = NewPerson { name: " ".into(), ..new_person() };
        assert!(matches!(
            create(&nameless, &[], &PersonFacts::default(), NOW).reply.unwrap_err().code,
            Code::Invalid(_)
        ));
    }

    #[test]
    fn stopping_a_person_cuts_tokens_and_keeps_grants() {
        let decision = disable(&staff(), Some(&with(UserState::Active)), Some(3), NOW);
        assert_eq!(decision.reply.as_ref().unwrap().state, UserState::Disabled);
        assert!(decision.changes.contains(&Raise::cut(AnchorKind::User, "u_adam").into()));
        assert!(raises_are_told(&decision));
        let back = enable(&staff(), Some(&with(UserState::Disabled)), None, NOW);
        assert_eq!(back.reply.unwrap().state, UserState::Active);
    }

    #[test]
    fn an_unverified_person_does_not_become_verified_by_being_stopped_and_let_back() {
        let waiting = with(UserState::Unverified);
        assert_eq!(disable(&staff(), Some(&waiting), None, NOW).reply.unwrap_err().code, Code::Conflict);
        assert_eq!(enable(&staff(), Some(&waiting), None, NOW).reply.unwrap_err().code, Code::Conflict);
    }

    #[test]
    fn nobody_stops_themselves_and_no_one_overwrites_another() {
        let own = Actor::Staff("u_adam".parse().unwrap());
        let adam = with(UserState::Active);
        assert_eq!(disable(&own, Some(&adam), None, NOW).reply.unwrap_err().code, Code::Forbidden);
        assert_eq!(disable(&staff(), Some(&adam), Some(2), NOW).reply.unwrap_err().code, Code::VersionMismatch);
        assert_eq!(disable(&staff(), None, None, NOW).reply.unwrap_err().code, Code::NotFound);
    }
}
