//! A suspended bond holds again: after a backup was restored without its journal,
//! owners say which bonds are still right. Owns who may say so.

use crate::bond::{BondState, Holder, Target};
use crate::facts::BondFacts;
use crate::problem::ProblemCode as Code;
use crate::rule::actor::Actor;
use crate::{Bond, BondId, Change, Decision, Event, EventKind, Fact};

/// A bond that holds again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumedBond {
    /// Which.
    pub bond: BondId,
    /// It held already; nothing was written.
    pub already: bool,
}

/// Decides that a bond holds again: staff may, and who owns the account or the
/// title by another bond that holds. Nobody vouches for themselves.
///
/// # Errors
/// [`Code::NotFound`] for strangers as for what does not exist,
/// [`Code::IllegalTransition`] for what has ended.
pub fn decide(actor: &Actor, facts: &BondFacts, now: i64) -> Decision<ResumedBond, Change, Code> {
    let Some(bond) = &facts.bond else { return Decision::refuse(Code::NotFound, "unknown_bond") };
    let warrant = match actor {
        Actor::Person(user) => match owner(&Holder::User(user.clone()), bond, facts, now) {
            Some(owner) => Some(owner),
            None => return Decision::refuse(Code::NotFound, "no_business_of_theirs"),
        },
        Actor::Staff(_) | Actor::Service(_) => None,
    };
    let reply = |already| ResumedBond { bond: bond.id.clone(), already };
    match bond.state {
        BondState::Active => return Decision::reply(reply(true)),
        BondState::Ended => return Decision::refuse(Code::IllegalTransition, "bond_over"),
        BondState::Suspended => {}
    }
    // The set of bonds that hold on the target changes.
    let target = match &bond.target {
        Target::Asset(_) => facts.owned.asset.as_ref().map(|asset| (asset.key(), asset.version)),
        Target::Account(_) => facts.account.as_ref().map(|account| (account.key(), account.version)),
    };
    let Some((key, version)) = target else { return Decision::refuse(Code::NotFound, "closed_title") };
    let decision = Decision::reply(reply(false))
        .change(bond.rewrite(Bond { state: BondState::Active, ..bond.record.clone() }))
        .change(Change::Touch { key, version })
        .event(
            Event::new(EventKind::BondResumed, bond.id.as_str())
                .with("holder_id", bond.holder.id())
                .with("target_id", bond.target.id())
                .with("role", bond.role.as_str())
                .with("by", actor.id()),
        );
    match warrant {
        Some(warrant) => decision.guard(warrant.guard()),
        None => decision,
    }
}

fn owner<'a>(person: &Holder, bond: &Bond, facts: &'a BondFacts, now: i64) -> Option<&'a Fact<Bond>> {
    let mut held = facts.siblings.iter().chain(&facts.memberships);
    held.find(|held| held.id != bond.id && held.holder == *person && held.role.owns() && held.is_live(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bond::BondRole;
    use crate::rule::fixture::{NOW, account, bond, fact, on_home, on_title, owned, second_conflicts};

    fn person(id: &str) -> Actor {
        Actor::Person(id.parse().unwrap())
    }

    fn suspended() -> BondFacts {
        let waiting = Bond { state: BondState::Suspended, ..bond("bnd_adam", "u_adam", on_title(), BondRole::Owner) };
        BondFacts {
            bond: Some(fact(waiting)),
            owned: owned(),
            account: Some(fact(account("acc_home"))),
            siblings: vec![],
            memberships: vec![fact(bond("bnd_m_adam", "u_adam", on_home(), BondRole::Owner))],
            holdings: vec![],
        }
    }

    #[test]
    fn an_owner_of_the_household_says_that_a_bond_still_holds() {
        let decision = decide(&person("u_adam"), &suspended(), NOW);
        assert!(!decision.reply.as_ref().unwrap().already);
        let written = decision.changes.iter().find_map(|change| match change {
            Change::Bond(write) => Some(write.record.state),
            _ => None,
        });
        assert_eq!(written, Some(BondState::Active));
        assert_eq!(decision.events[0].kind, EventKind::BondResumed);
        assert_eq!(decision.guards.len(), 1, "whoever loses the household meanwhile has not said it");
        second_conflicts(&decision, &decide(&person("u_adam"), &suspended(), NOW));
        for staff in [Actor::Staff("u_staff".parse().unwrap()), Actor::Service(None)] {
            assert!(decide(&staff, &suspended(), NOW).reply.is_ok());
        }
    }

    #[test]
    fn strangers_members_and_the_holder_of_nothing_else_do_not_say_it() {
        for (who, role) in [("u_eve", BondRole::Owner), ("u_adam", BondRole::Member), ("u_adam", BondRole::Child)] {
            let mut facts = suspended();
            facts.memberships = vec![fact(bond("bnd_m_adam", "u_adam", on_home(), role))];
            let refused = decide(&person(who), &facts, NOW).reply.unwrap_err();
            assert_eq!(refused.reason, "no_business_of_theirs", "{who} {role:?}");
        }
        let mut alone = suspended();
        alone.memberships.clear();
        assert!(decide(&person("u_adam"), &alone, NOW).reply.is_err(), "nobody vouches for themselves");
        let mut past = suspended();
        past.memberships[0].record.state = BondState::Suspended;
        assert!(decide(&person("u_adam"), &past, NOW).reply.is_err());
    }

    #[test]
    fn what_has_ended_does_not_come_back_and_what_holds_holds() {
        let mut facts = suspended();
        facts.bond.as_mut().unwrap().record.state = BondState::Ended;
        assert_eq!(decide(&person("u_adam"), &facts, NOW).reply.unwrap_err().reason, "bond_over");
        facts.bond.as_mut().unwrap().record.state = BondState::Active;
        let decision = decide(&person("u_adam"), &facts, NOW);
        assert!(decision.reply.unwrap().already && decision.changes.is_empty());
        let mut closed = suspended();
        closed.owned.asset = None;
        assert_eq!(decide(&person("u_adam"), &closed, NOW).reply.unwrap_err().reason, "closed_title");
    }
}
