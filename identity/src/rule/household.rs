//! A household or organisation: its name, and who becomes a member. Leaving it
//! is the end of a bond (`end_bond`).

use crate::bond::{BondOrigin, BondRole, BondState, Holder, Target};
use crate::decision::Version;
use crate::problem::ProblemCode as Code;
use crate::rule::actor::Actor;
use crate::rule::import_line::is_text;
use crate::user::UserState;
use crate::{Account, Bond, BondId, Change, Decision, Event, EventKind, Fact, User, Write};

/// Renames an account; its owners and staff may.
///
/// # Errors
/// [`Code::NotFound`] for strangers, [`Code::Forbidden`] for members who do not
/// own it, [`Code::VersionMismatch`], [`Code::Invalid`].
pub fn rename(
    actor: &Actor,
    name: &str,
    account: Option<&Fact<Account>>,
    memberships: &[Fact<Bond>],
    if_version: Option<Version>,
    now: i64,
) -> Decision<Account, Change, Code> {
    let Some(account) = account.filter(|account| !account.closed) else {
        return Decision::refuse(Code::NotFound, "unknown_account");
    };
    let warrant = match own(actor, account, memberships, now) {
        Ok(warrant) => warrant,
        Err((code, reason)) => return Decision::refuse(code, reason),
    };
    if if_version.is_some_and(|version| version != account.version) {
        return Decision::refuse(Code::VersionMismatch, "changed_meanwhile");
    }
    if name.trim().is_empty() || !is_text(name) {
        let words = "name must be 1 to 255 characters without control characters".to_owned();
        return Decision::refuse(Code::Invalid(words), "bad_text");
    }
    let renamed = Account { name: name.trim().to_owned(), ..account.record.clone() };
    let mut decision = Decision::reply(renamed.clone()).change(account.rewrite(renamed));
    decision.guards.extend(warrant.map(Fact::guard));
    decision
}

/// The membership that lets a person decide over the account; staff need none.
fn own<'a>(
    actor: &Actor,
    account: &Account,
    memberships: &'a [Fact<Bond>],
    now: i64,
) -> Result<Option<&'a Fact<Bond>>, (Code, &'static str)> {
    let Actor::Person(user) = actor else { return Ok(None) };
    let (person, target) = (Holder::User(user.clone()), Target::Account(account.id.clone()));
    let held = memberships.iter().find(|bond| bond.holder == person && bond.target == target && bond.is_live(now));
    match held {
        Some(bond) if bond.role.owns() => Ok(Some(bond)),
        Some(_) => Err((Code::Forbidden, "no_owner")),
        None => Err((Code::NotFound, "no_member")),
    }
}

/// Makes a person a member of an account, by staff.
///
/// # Errors
/// [`Code::NotFound`]; [`Code::Conflict`] when they are a member already.
pub fn admit(
    actor: &Actor,
    bond: &BondId,
    role: BondRole,
    user: Option<&Fact<User>>,
    account: Option<&Fact<Account>>,
    memberships: &[Fact<Bond>],
    now: i64,
) -> Decision<Bond, Change, Code> {
    if matches!(actor, Actor::Person(_)) {
        return Decision::refuse(Code::Forbidden, "no_staff");
    }
    let Some(account) = account.filter(|account| !account.closed) else {
        return Decision::refuse(Code::NotFound, "unknown_account");
    };
    let Some(user) = user.filter(|user| user.state != UserState::Disabled) else {
        return Decision::refuse(Code::NotFound, "unknown_user");
    };
    let person = Holder::User(user.id.clone());
    if memberships.iter().any(|held| held.holder == person && held.is_live(now)) {
        return Decision::refuse(Code::Conflict, "member_already");
    }
    let membership = Bond {
        id: bond.clone(),
        holder: person,
        target: Target::Account(account.id.clone()),
        role,
        scopes: None,
        not_before: None,
        not_after: None,
        origin: BondOrigin::Staff,
        parent: None,
        state: BondState::Active,
        created_at: now,
        ended_at: None,
    };
    let event = Event::new(EventKind::BondCreated, membership.id.as_str())
        .with("holder_id", user.id.as_str())
        .with("target_id", account.id.as_str())
        .with("role", role.as_str())
        .with("by", actor.id());
    Decision::reply(membership.clone())
        .guard(user.guard())
        .change(Write::new(membership))
        .change(Change::Touch { key: account.key(), version: account.version })
        .event(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::fixture::{NOW, account, bond, fact, on_home, second_conflicts, user};

    fn members() -> Vec<Fact<Bond>> {
        vec![
            fact(bond("bnd_a", "u_adam", on_home(), BondRole::Owner)),
            fact(bond("bnd_t", "u_tom", on_home(), BondRole::Member)),
        ]
    }

    fn renamed(actor: &Actor, name: &str) -> Decision<Account, Change, Code> {
        rename(actor, name, Some(&fact(account("acc_home"))), &members(), None, NOW)
    }

    fn person(id: &str) -> Actor {
        Actor::Person(id.parse().unwrap())
    }

    #[test]
    fn owners_and_staff_rename_a_household() {
        assert_eq!(renamed(&person("u_adam"), " Our home ").reply.unwrap().name, "Our home");
        assert!(renamed(&Actor::Service(None), "X").reply.is_ok());
        assert_eq!(renamed(&person("u_tom"), "X").reply.unwrap_err().code, Code::Forbidden);
        assert_eq!(renamed(&person("u_eve"), "X").reply.unwrap_err().code, Code::NotFound);
        assert!(matches!(renamed(&person("u_adam"), "\n").reply.unwrap_err().code, Code::Invalid(_)));
        let late = rename(&person("u_adam"), "X", Some(&fact(account("acc_home"))), &members(), Some(2), NOW);
        assert_eq!(late.reply.unwrap_err().code, Code::VersionMismatch);
    }

    #[test]
    fn a_person_becomes_a_member_once() {
        let home = fact(account("acc_home"));
        let admit_one = |id: &str, bond: &str| {
            let user = fact(user(id));
            admit(
                &Actor::Service(None),
                &bond.parse().unwrap(),
                BondRole::Child,
                Some(&user),
                Some(&home),
                &members(),
                NOW,
            )
        };
        let first = admit_one("u_eve", "bnd_1");
        assert_eq!(first.reply.as_ref().unwrap().role, BondRole::Child);
        assert!(second_conflicts(&first, &admit_one("u_eve", "bnd_2")));
        assert_eq!(admit_one("u_tom", "bnd_3").reply.unwrap_err().code, Code::Conflict);
    }

    #[test]
    fn nobody_admits_on_their_own_behalf_and_no_closed_account_admits() {
        let mut closed = account("acc_home");
        let eve = fact(user("u_eve"));
        let admit_to = |actor: &Actor, account: Account| {
            admit(actor, &"bnd_1".parse().unwrap(), BondRole::Owner, Some(&eve), Some(&fact(account)), &[], NOW)
        };
        assert_eq!(admit_to(&person("u_eve"), closed.clone()).reply.unwrap_err().code, Code::Forbidden);
        closed.closed = true;
        assert_eq!(admit_to(&Actor::Service(None), closed).reply.unwrap_err().code, Code::NotFound);
    }
}
