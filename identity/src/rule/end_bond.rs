//! The end of a bond: a thing is removed, a lent right is taken back, a member
//! leaves the household. Owns who may end which, and what ends with it.

use crate::bond::{BondState, Holder, Target};
use crate::facts::BondFacts;
use crate::problem::ProblemCode as Code;
use crate::rule::actor::Actor;
use crate::rule::title;
use crate::{AnchorKind, AssetId, Bond, BondId, Change, Decision, Fact, Raise};

/// A bond that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedBond {
    /// Which.
    pub bond: BondId,
    /// The title that closed with it.
    pub released: Option<AssetId>,
    /// It was over already; nothing was written.
    pub already: bool,
}

/// Decides the end of a bond.
///
/// May end it: staff, the holder (a child does not leave the household), and
/// whoever owns the target or the account it belongs to. With the last owner's
/// bond on a title the title closes. A membership takes the member's bonds on
/// the account's things along, which stay the household's.
///
/// # Errors
/// [`Code::NotFound`] for strangers as for what does not exist,
/// [`Code::LastOwner`] for the last owner of an account, whoever asks.
pub fn decide(actor: &Actor, facts: &BondFacts, now: i64) -> Decision<EndedBond, Change, Code> {
    let Some(bond) = &facts.bond else { return Decision::refuse(Code::NotFound, "unknown_bond") };
    let warrant = match warrant(actor, bond, facts, now) {
        Ok(warrant) => warrant,
        Err(reason) => return Decision::refuse(Code::NotFound, reason),
    };
    if bond.state == BondState::Ended {
        return Decision::reply(EndedBond { bond: bond.id.clone(), released: None, already: true });
    }
    let decision = match &bond.target {
        Target::Account(_) => end_membership(actor, bond, facts, now),
        Target::Asset(_) => end_on_title(actor, bond, facts, now),
    };
    match warrant {
        Some(warrant) => decision.guard(warrant.guard()),
        None => decision,
    }
}

/// The bond of the actor that permits it, where it is not the ended one itself.
fn warrant<'a>(
    actor: &Actor,
    bond: &Bond,
    facts: &'a BondFacts,
    now: i64,
) -> Result<Option<&'a Fact<Bond>>, &'static str> {
    let Actor::Person(user) = actor else { return Ok(None) };
    let person = Holder::User(user.clone());
    let owner = facts
        .siblings
        .iter()
        .chain(&facts.memberships)
        .find(|held| held.id != bond.id && held.holder == person && held.role.owns() && held.is_live(now));
    if owner.is_some() {
        return Ok(owner);
    }
    let own = bond.holder == person;
    let child_leaving = bond.role == crate::bond::BondRole::Child && matches!(bond.target, Target::Account(_));
    match own {
        true if child_leaving => Err("a_child_does_not_leave"),
        true => Ok(None),
        false => Err("no_business_of_theirs"),
    }
}

fn end_membership(actor: &Actor, bond: &Fact<Bond>, facts: &BondFacts, now: i64) -> Decision<EndedBond, Change, Code> {
    let Some(account) = &facts.account else { return Decision::refuse(Code::NotFound, "unknown_account") };
    let another = facts
        .memberships
        .iter()
        .any(|held| held.id != bond.id && held.target == bond.target && held.role.owns() && held.is_live(now));
    if bond.role.owns() && !another {
        return Decision::refuse(Code::LastOwner, "last_owner");
    }
    // Counting the account up is what makes two owners who remove each other
    // from one snapshot conflict.
    let mut decision = Decision::reply(EndedBond { bond: bond.id.clone(), released: None, already: false })
        .change(title::ended(bond, now))
        .change(Raise::end(AnchorKind::Bond, bond.id.as_str()))
        .change(Change::Touch { key: account.key(), version: account.version })
        .event(title::bond_ended(bond, "membership_ended", actor.id()));
    let mut touched = Vec::new();
    for (held, asset) in &facts.holdings {
        decision = decision
            .change(title::ended(held, now))
            .change(Raise::end(AnchorKind::Bond, held.id.as_str()))
            .event(title::bond_ended(held, "membership_ended", actor.id()));
        if !touched.contains(&asset.key()) {
            touched.push(asset.key());
            decision = decision.change(Change::Touch { key: asset.key(), version: asset.version });
        }
    }
    decision
}

fn end_on_title(actor: &Actor, bond: &Fact<Bond>, facts: &BondFacts, now: i64) -> Decision<EndedBond, Change, Code> {
    let Some(asset) = &facts.owned.asset else { return Decision::refuse(Code::NotFound, "closed_title") };
    let cause = if matches!(actor, Actor::Person(_)) { "removed" } else { "removed_by_staff" };
    let another = facts.siblings.iter().any(|held| held.id != bond.id && held.role.owns() && held.is_live(now));
    if another || !bond.role.owns() {
        return Decision::reply(EndedBond { bond: bond.id.clone(), released: None, already: false })
            .change(title::ended(bond, now))
            .change(Raise::end(AnchorKind::Bond, bond.id.as_str()))
            // The title's set of bonds has changed: of two owners who leave at
            // once, the second sees that it is the last.
            .change(Change::Touch { key: asset.key(), version: asset.version })
            .event(title::bond_ended(bond, cause, actor.id()));
    }
    let account = facts.owned.account.as_ref().or(facts.account.as_ref());
    let siblings = facts.siblings.iter().filter(|held| held.id != bond.id);
    let closing = title::close(asset, account, core::iter::once(bond).chain(siblings), cause, actor.id(), now);
    let mut decision =
        Decision::reply(EndedBond { bond: bond.id.clone(), released: Some(asset.id.clone()), already: false })
            .change(Raise::end(AnchorKind::Bond, bond.id.as_str()));
    decision.changes.extend(closing.changes);
    decision.events.extend(closing.events);
    if let Some(known) = &facts.owned.device
        && let Some(device) = title::without_title(known)
    {
        decision.events.extend(title::returned(&device));
        decision = decision.change(known.device.rewrite(device));
    }
    decision
}

#[cfg(test)]
mod tests;
