use proptest::prelude::*;

use super::*;
use crate::bond::BondRole;
use crate::decision::RecordKey;
use crate::device::DeviceState;
use crate::rule::fixture::{
    NOW, account, asset, bond, fact, on_home, on_title, owned, raises_are_told, second_conflicts, writes_nothing_twice,
};
use crate::{EventKind, Guard};

fn person(id: &str) -> Actor {
    Actor::Person(id.parse().unwrap())
}

fn staff() -> Actor {
    Actor::Staff("u_staff".parse().unwrap())
}

/// Adam and Eve own the household; Adam's bond on the title.
fn adams_thing() -> BondFacts {
    BondFacts {
        bond: Some(fact(bond("bnd_adam", "u_adam", on_title(), BondRole::Owner))),
        owned: owned(),
        account: Some(fact(account("acc_home"))),
        siblings: vec![],
        memberships: parents(),
        holdings: vec![],
    }
}

fn parents() -> Vec<Fact<Bond>> {
    vec![
        fact(bond("bnd_m_adam", "u_adam", on_home(), BondRole::Owner)),
        fact(bond("bnd_m_eve", "u_eve", on_home(), BondRole::CoOwner)),
    ]
}

fn membership(of: &str, members: &[Fact<Bond>]) -> BondFacts {
    let (mine, others): (Vec<_>, Vec<_>) = members.iter().cloned().partition(|held| held.holder.id() == of);
    BondFacts {
        bond: mine.into_iter().next(),
        owned: Default::default(),
        account: Some(fact(account("acc_home"))),
        siblings: others,
        memberships: members.to_vec(),
        holdings: vec![],
    }
}

fn kinds(decision: &Decision<EndedBond, Change, Code>) -> Vec<EventKind> {
    decision.events.iter().map(|event| event.kind).collect()
}

#[test]
fn the_last_owners_bond_takes_title_and_other_bonds_along() {
    let mut facts = adams_thing();
    facts.siblings = vec![fact(bond("bnd_guest", "u_bianca", on_title(), BondRole::Guest))];
    let decision = decide(&person("u_adam"), &facts, NOW);
    assert_eq!(decision.reply.as_ref().unwrap().released.as_ref().unwrap().as_str(), "ast_1");
    assert_eq!(
        kinds(&decision),
        [EventKind::BondEnded, EventKind::BondEnded, EventKind::AssetReleased, EventKind::DeviceEnrolled]
    );
    assert!(decision.changes.contains(&Raise::end(AnchorKind::Bond, "bnd_adam").into()));
    assert!(decision.changes.contains(&Raise::end(AnchorKind::Asset, "ast_1").into()));
    assert!(decision.changes.iter().any(|c| matches!(c, Change::Asset(w) if w.record.closed_at == Some(NOW))));
    assert!(decision.changes.iter().any(|c| matches!(c, Change::Device(w) if w.record.state == DeviceState::Enrolled)));
    let ended = decision.changes.iter().filter(|c| matches!(c, Change::Bond(w) if w.record.state == BondState::Ended));
    assert_eq!(ended.count(), 2);
    assert!(writes_nothing_twice(&decision) && raises_are_told(&decision));
}

#[test]
fn the_device_itself_goes_on_calling_home() {
    let decision = decide(&person("u_adam"), &adams_thing(), NOW);
    let device_raised = decision
        .changes
        .iter()
        .any(|c| matches!(c, Change::Raise(r) if matches!(r.anchor.kind, AnchorKind::Device | AnchorKind::Credential)));
    assert!(!device_raised);
}

#[test]
fn while_another_owns_it_the_title_stands() {
    let mut facts = adams_thing();
    facts.siblings = vec![fact(bond("bnd_eve", "u_eve", on_title(), BondRole::CoOwner))];
    let decision = decide(&person("u_adam"), &facts, NOW);
    assert_eq!(decision.reply.as_ref().unwrap().released, None);
    assert_eq!(kinds(&decision), [EventKind::BondEnded]);
    assert!(decision.changes.contains(&Change::Touch { key: fact(asset()).key(), version: 3 }));
}

#[test]
fn a_guests_bond_ends_alone() {
    let mut facts = adams_thing();
    facts.siblings = facts.bond.take().into_iter().collect();
    facts.bond = Some(fact(bond("bnd_guest", "u_bianca", on_title(), BondRole::Guest)));
    for actor in [person("u_adam"), person("u_eve"), person("u_bianca"), staff()] {
        let decision = decide(&actor, &facts, NOW);
        assert_eq!(decision.reply.unwrap().released, None, "{actor:?}");
    }
}

#[test]
fn an_owner_whose_bond_ended_meanwhile_is_no_last_owner_left() {
    let mut facts = adams_thing();
    let mut eve = bond("bnd_eve", "u_eve", on_title(), BondRole::Owner);
    eve.not_after = Some(NOW);
    facts.siblings = vec![fact(eve)];
    assert!(decide(&person("u_adam"), &facts, NOW).reply.unwrap().released.is_some());
}

#[test]
fn a_stranger_learns_nothing() {
    let facts = adams_thing();
    let absent = decide(&person("u_eve"), &BondFacts::default(), NOW);
    let foreign = decide(&person("u_bianca"), &facts, NOW);
    assert_eq!(absent.reply.unwrap_err().code, foreign.reply.as_ref().unwrap_err().code);
    assert!(!foreign.needs_commit());
    let mut over = facts;
    over.bond.as_mut().unwrap().record.state = BondState::Ended;
    assert_eq!(decide(&person("u_bianca"), &over, NOW).reply.unwrap_err().code, Code::NotFound);
}

#[test]
fn a_member_who_owns_nothing_ends_nobody_elses_bond() {
    let mut facts = adams_thing();
    facts.memberships.push(fact(bond("bnd_m_kid", "u_kid", on_home(), BondRole::Child)));
    facts.memberships.push(fact(bond("bnd_m_tom", "u_tom", on_home(), BondRole::Member)));
    for actor in ["u_kid", "u_tom"] {
        assert_eq!(decide(&person(actor), &facts, NOW).reply.unwrap_err().code, Code::NotFound, "{actor}");
    }
}

#[test]
fn ending_it_twice_writes_once() {
    let mut facts = adams_thing();
    facts.bond.as_mut().unwrap().record.state = BondState::Ended;
    let decision = decide(&person("u_adam"), &facts, NOW);
    assert!(decision.reply.as_ref().unwrap().already && !decision.needs_commit());
}

#[test]
fn a_suspended_device_resumes_without_an_owner() {
    let mut facts = adams_thing();
    let device = &mut facts.owned.device.as_mut().unwrap().device.record;
    device.state = DeviceState::Suspended;
    device.resumes_to = Some(DeviceState::Active);
    let decision = decide(&staff(), &facts, NOW);
    let resumes = |c: &Change| matches!(c, Change::Device(w) if w.record.state == DeviceState::Suspended && w.record.resumes_to == Some(DeviceState::Enrolled));
    assert!(decision.changes.iter().any(resumes));
}

#[test]
fn a_device_without_an_operational_credential_is_registered_again() {
    let mut facts = adams_thing();
    facts.owned.device.as_mut().unwrap().credentials.clear();
    let decision = decide(&person("u_adam"), &facts, NOW);
    assert!(
        decision.changes.iter().any(|c| matches!(c, Change::Device(w) if w.record.state == DeviceState::Registered))
    );
    assert!(!kinds(&decision).contains(&EventKind::DeviceEnrolled));
}

#[test]
fn the_last_owner_of_an_account_stays_whoever_asks() {
    let mut facts = membership("u_adam", &parents());
    facts.memberships.retain(|held| held.holder.id() == "u_adam");
    for actor in [person("u_adam"), staff(), Actor::Service(None)] {
        let decision = decide(&actor, &facts, NOW);
        assert_eq!(decision.reply.as_ref().unwrap_err().code, Code::LastOwner, "{actor:?}");
        assert!(!decision.needs_commit());
    }
}

#[test]
fn two_parents_cannot_each_remove_the_other() {
    let first = decide(&person("u_adam"), &membership("u_eve", &parents()), NOW);
    let second = decide(&person("u_eve"), &membership("u_adam", &parents()), NOW);
    assert!(first.reply.is_ok() && second.reply.is_ok(), "each alone is allowed");
    assert!(second_conflicts(&first, &second) && second_conflicts(&second, &first));
    let again = membership("u_adam", &[parents().remove(0)]);
    assert_eq!(decide(&person("u_eve"), &again, NOW).reply.unwrap_err().code, Code::NotFound, "Eve is out");
}

#[test]
fn two_owners_who_leave_a_title_at_once_do_not_leave_it_open() {
    let mut adam = adams_thing();
    adam.siblings = vec![fact(bond("bnd_eve", "u_eve", on_title(), BondRole::CoOwner))];
    let mut eve = adams_thing();
    eve.siblings = eve.bond.replace(adam.siblings[0].clone()).into_iter().collect();
    let first = decide(&person("u_adam"), &adam, NOW);
    assert!(second_conflicts(&first, &decide(&person("u_eve"), &eve, NOW)));
}

#[test]
fn who_lost_the_right_to_end_it_meanwhile_is_noticed() {
    let decision = decide(&person("u_eve"), &adams_thing(), NOW);
    let eve = Guard { ..parents()[1].guard() };
    assert!(decision.guards.contains(&eve));
}

#[test]
fn a_member_who_goes_leaves_the_things_to_the_household() {
    let mut facts = membership("u_eve", &parents());
    let held = |id: &str| fact(bond(id, "u_eve", on_title(), BondRole::Owner));
    facts.holdings = vec![(held("bnd_e1"), fact(asset())), (held("bnd_e2"), fact(asset()))];
    let decision = decide(&person("u_adam"), &facts, NOW);
    for id in ["bnd_m_eve", "bnd_e1", "bnd_e2"] {
        assert!(decision.changes.contains(&Raise::end(AnchorKind::Bond, id).into()), "{id}");
    }
    assert!(!decision.changes.iter().any(|change| matches!(change, Change::Asset(_))), "no title closes");
    assert!(writes_nothing_twice(&decision) && raises_are_told(&decision));
}

#[test]
fn a_child_does_not_leave_the_household_by_itself() {
    let mut members = parents();
    members.push(fact(bond("bnd_m_kid", "u_kid", on_home(), BondRole::Child)));
    let facts = membership("u_kid", &members);
    assert_eq!(decide(&person("u_kid"), &facts, NOW).reply.unwrap_err().reason, "a_child_does_not_leave");
    assert!(decide(&person("u_eve"), &facts, NOW).reply.is_ok());
}

proptest! {
    /// Members end each other's memberships in any order, two at a time from one
    /// snapshot, as a store with versions would let them.
    #[test]
    fn an_account_with_members_always_keeps_an_owner(
        roles in prop::collection::vec(0u8..5, 1..6),
        acts in prop::collection::vec((0usize..6, 0usize..6, 0usize..6, 0usize..6), 0..12),
    ) {
        let all = [BondRole::Owner, BondRole::CoOwner, BondRole::Member, BondRole::Child, BondRole::Guest];
        let mut members: Vec<Fact<Bond>> = roles
            .iter()
            .enumerate()
            .map(|(n, role)| fact(bond(&format!("bnd_{n}"), &format!("u_{n}"), on_home(), all[usize::from(*role)])))
            .collect();
        members.push(fact(bond("bnd_9", "u_9", on_home(), BondRole::Owner)));
        for (actor_a, victim_a, actor_b, victim_b) in acts {
            let pick = |n: usize| members[n % members.len()].holder.id().to_owned();
            let decide_for = |actor: usize, victim: usize| {
                decide(&person(&pick(actor)), &membership(&pick(victim), &members), NOW)
            };
            let first = decide_for(actor_a, victim_a);
            let second = decide_for(actor_b, victim_b);
            let mut gone: Vec<RecordKey> = Vec::new();
            let mut apply = |decision: &Decision<EndedBond, Change, Code>| {
                gone.extend(decision.changes.iter().filter_map(|change| match change {
                    Change::Bond(write) => Some(fact(write.record.clone()).key()),
                    _ => None,
                }));
            };
            apply(&first);
            if !second_conflicts(&first, &second) {
                apply(&second);
            }
            members.retain(|held| !gone.contains(&held.key()));
            prop_assert!(members.iter().any(|held| held.role.owns()));
        }
    }
}
