//! Passkeys of a person: added, renamed, removed. Owns that a person always
//! keeps a way to sign in; signing in by one stands in `sign_in`.

use serde_json::Value;

use crate::facts::PersonFacts;
use crate::problem::ProblemCode as Code;
use crate::rule::import_line::is_text;
use crate::rule::session;
use crate::{BrowserSession, Change, Decision, Event, EventKind, Fact, Passkey, PasskeyId, Refusal, User, Write};

/// At most so many per person.
pub const MAX_PASSKEYS: usize = 20;

/// A passkey whose making was verified.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPasskey {
    /// Its id.
    pub id: PasskeyId,
    /// What the person calls it, 1 to 255 characters.
    pub name: String,
    /// The authenticator's credential id, base64url.
    pub credential_id: String,
    /// As the authenticator library serialises it.
    pub credential: Value,
}

/// Adds a passkey.
///
/// # Errors
/// [`Code::FreshSignInRequired`], [`Code::Invalid`], [`Code::LimitReached`],
/// [`Code::Conflict`] when the person has it already.
pub fn add(
    request: &NewPasskey,
    facts: &PersonFacts,
    own: &BrowserSession,
    now: i64,
) -> Decision<Passkey, Change, Code> {
    let user = match fresh_owner(facts, own, now) {
        Ok(user) => user,
        Err(refusal) => return Decision::refuse(refusal.code, refusal.reason),
    };
    if let Err(refusal) = check_name(&request.name) {
        return Decision::refuse(refusal.code, refusal.reason);
    }
    if facts.passkeys.len() >= MAX_PASSKEYS {
        return Decision::refuse(Code::LimitReached, "too_many_passkeys");
    }
    if facts.passkeys.iter().any(|known| known.credential_id == request.credential_id) {
        return Decision::refuse(Code::Conflict, "known_already");
    }
    let passkey = Passkey {
        id: request.id.clone(),
        user: user.id.clone(),
        name: request.name.trim().to_owned(),
        credential_id: request.credential_id.clone(),
        credential: request.credential.clone(),
        created_at: now,
        used_at: None,
    };
    Decision::reply(passkey.clone())
        .change(touch(user))
        .event(told(EventKind::CredentialAdded, &passkey))
        .change(Write::new(passkey))
}

/// Renames a passkey.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Invalid`].
pub fn rename(passkey: &PasskeyId, name: &str, facts: &PersonFacts) -> Decision<Passkey, Change, Code> {
    let Some(known) = facts.passkeys.iter().find(|known| known.id == *passkey) else {
        return Decision::refuse(Code::NotFound, "unknown_passkey");
    };
    if let Err(refusal) = check_name(name) {
        return Decision::refuse(refusal.code, refusal.reason);
    }
    let renamed = Passkey { name: name.trim().to_owned(), ..known.record.clone() };
    Decision::reply(renamed.clone()).change(known.rewrite(renamed))
}

/// Removes a passkey.
///
/// # Errors
/// [`Code::FreshSignInRequired`], [`Code::NotFound`]; [`Code::LastSignIn`] when
/// there is neither a password nor another passkey.
pub fn remove(passkey: &PasskeyId, facts: &PersonFacts, own: &BrowserSession, now: i64) -> Decision<(), Change, Code> {
    let user = match fresh_owner(facts, own, now) {
        Ok(user) => user,
        Err(refusal) => return Decision::refuse(refusal.code, refusal.reason),
    };
    let Some(known) = facts.passkeys.iter().find(|known| known.id == *passkey) else {
        return Decision::refuse(Code::NotFound, "unknown_passkey");
    };
    if user.password.is_none() && facts.passkeys.len() == 1 {
        return Decision::refuse(Code::LastSignIn, "last_sign_in");
    }
    Decision::reply(())
        .change(touch(user))
        .change(Change::Erase { key: known.key(), version: known.version })
        .event(told(EventKind::CredentialRevoked, known))
}

fn fresh_owner<'a>(facts: &'a PersonFacts, own: &BrowserSession, now: i64) -> Result<&'a Fact<User>, Refusal<Code>> {
    let user = facts.user.as_ref().filter(|user| user.id == own.user);
    let user = user.ok_or(Refusal::new(Code::SignInRequired, "unknown_user"))?;
    session::require_fresh(own, now).map(|()| user)
}

fn check_name(name: &str) -> Result<(), Refusal<Code>> {
    if name.trim().is_empty() || !is_text(name) {
        let words = "name must be 1 to 255 characters without control characters".to_owned();
        return Err(Refusal::new(Code::Invalid(words), "bad_text"));
    }
    Ok(())
}

/// The person's set of passkeys changes: of two removals at once, the second
/// sees what is left.
fn touch(user: &Fact<User>) -> Change {
    Change::Touch { key: user.key(), version: user.version }
}

fn told(kind: EventKind, passkey: &Passkey) -> Event {
    Event::new(kind, passkey.id.as_str()).with("user_id", passkey.user.as_str()).with("kind", "passkey")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rule::fixture::{NOW, fact, passkey, second_conflicts, session, user, writes_nothing_twice};

    fn adam(passkeys: usize, password: bool) -> PersonFacts {
        let mut user = user("u_adam");
        if !password {
            user.password = None;
        }
        let passkeys = (0..passkeys).map(|n| fact(passkey(&format!("pk_{n}"), "u_adam"))).collect();
        PersonFacts { user: Some(fact(user)), passkeys, ..PersonFacts::default() }
    }

    fn own() -> BrowserSession {
        session("ses_1", "u_adam")
    }

    fn new() -> NewPasskey {
        NewPasskey {
            id: "pk_new".parse().unwrap(),
            name: " Phone ".into(),
            credential_id: "cred-new".into(),
            credential: json!({}),
        }
    }

    fn pk(n: usize) -> PasskeyId {
        format!("pk_{n}").parse().unwrap()
    }

    #[test]
    fn a_passkey_is_added_after_a_fresh_sign_in() {
        let decision = add(&new(), &adam(0, true), &own(), NOW);
        assert_eq!(decision.reply.as_ref().unwrap().name, "Phone");
        assert!(writes_nothing_twice(&decision));
        let mut stale = own();
        stale.authenticated_at = NOW - 301;
        assert_eq!(add(&new(), &adam(0, true), &stale, NOW).reply.unwrap_err().code, Code::FreshSignInRequired);
        assert_eq!(remove(&pk(0), &adam(2, true), &stale, NOW).reply.unwrap_err().code, Code::FreshSignInRequired);
        let eve = session("ses_1", "u_eve");
        assert_eq!(add(&new(), &adam(0, true), &eve, NOW).reply.unwrap_err().code, Code::SignInRequired);
    }

    #[test]
    fn the_twenty_first_a_second_time_and_a_bad_name_are_refused() {
        let code = |request: &NewPasskey, have| add(request, &adam(have, true), &own(), NOW).reply.unwrap_err().code;
        assert_eq!(code(&new(), MAX_PASSKEYS), Code::LimitReached);
        assert_eq!(code(&NewPasskey { credential_id: "cred-pk_0".into(), ..new() }, 1), Code::Conflict);
        for name in [" ", "a\nb", &"x".repeat(256)] {
            assert!(matches!(code(&NewPasskey { name: name.into(), ..new() }, 0), Code::Invalid(_)));
        }
    }

    #[test]
    fn the_last_way_to_sign_in_stays() {
        assert_eq!(remove(&pk(0), &adam(1, false), &own(), NOW).reply.unwrap_err().code, Code::LastSignIn);
        assert!(remove(&pk(0), &adam(1, true), &own(), NOW).reply.is_ok());
        assert!(remove(&pk(0), &adam(2, false), &own(), NOW).reply.is_ok());
    }

    #[test]
    fn two_removals_at_once_do_not_take_both() {
        let facts = adam(2, false);
        assert!(second_conflicts(&remove(&pk(0), &facts, &own(), NOW), &remove(&pk(1), &facts, &own(), NOW)));
    }

    #[test]
    fn ones_own_passkeys_are_renamed_and_removed_and_no_others() {
        assert_eq!(rename(&pk(0), "Key", &adam(1, true)).reply.unwrap().name, "Key");
        assert_eq!(rename(&pk(9), "Key", &adam(1, true)).reply.unwrap_err().code, Code::NotFound);
        assert_eq!(remove(&pk(9), &adam(1, true), &own(), NOW).reply.unwrap_err().code, Code::NotFound);
    }
}
