//! Adopting a person of a trusted foreign issuer: a record of their own here, by
//! the id that issuer and subject make, and a place among the accounts.

use crate::bond::{BondOrigin, BondRole, BondState, Holder, Target};
use crate::problem::ProblemCode as Code;
use crate::rule::sign_up::{self, NewPerson};
use crate::user::{Email, UserState};
use crate::{Account, AccountId, Bond, BondId, Change, Decision, Event, EventKind, Fact, Refusal, User, UserId, Write};

/// A person who is not known here yet.
#[derive(Debug, Clone)]
pub struct Adoption<'a> {
    /// Their id here.
    pub user: UserId,
    /// Whose word it is.
    pub issuer: &'a str,
    /// What they are called, if anybody said.
    pub name: Option<&'a str>,
    /// The account they become a member of; `None` for a household of their own.
    pub into: Option<&'a Fact<Account>>,
    /// The id of that household.
    pub household: AccountId,
    /// The id of their membership.
    pub membership: BondId,
}

/// Decides. They have no password and no address: they sign in elsewhere.
///
/// # Errors
/// [`Code::Conflict`] where the account is closed.
pub fn decide(adoption: &Adoption<'_>, now: i64) -> Decision<(), Change, Code> {
    // A place where no mail arrives (RFC 2606 §2): nothing is ever sent there.
    let Ok(email) = Email::parse(&format!("{}@foreign.invalid", adoption.user)) else {
        return Decision::refuse(Code::Invalid("the id makes no address".to_owned()), "bad_id");
    };
    let person = NewPerson {
        user: adoption.user.clone(),
        account: adoption.household.clone(),
        membership: adoption.membership.clone(),
        email,
        name: adoption.name.unwrap_or("Customer").to_owned(),
        household: "Home".to_owned(),
        password: None,
        locale: None,
    };
    if let Err(Refusal { code, reason }) = sign_up::check_names(&person) {
        return Decision::refuse(code, reason);
    }
    let mut decision = match adoption.into {
        None => sign_up::make(Decision::reply(()), &person, UserState::Active, &[], now).0,
        Some(account) if account.closed => Decision::refuse(Code::Conflict, "account_closed"),
        Some(account) => join(&person, account, now),
    };
    let created = decision.events.iter_mut().filter(|event| event.kind == EventKind::UserCreated);
    created.for_each(|event| {
        event.data.insert("issuer".to_owned(), adoption.issuer.into());
    });
    decision
}

fn join(person: &NewPerson, account: &Fact<Account>, now: i64) -> Decision<(), Change, Code> {
    let user: User = User { account: account.id.clone(), ..sign_up::user(person, UserState::Active, &[], now) };
    let membership = Bond {
        id: person.membership.clone(),
        holder: Holder::User(user.id.clone()),
        target: Target::Account(account.id.clone()),
        role: BondRole::Member,
        scopes: None,
        not_before: None,
        not_after: None,
        origin: BondOrigin::Exchange,
        parent: None,
        state: BondState::Active,
        created_at: now,
        ended_at: None,
    };
    Decision::reply(())
        .event(Event::new(EventKind::UserCreated, user.id.as_str()).with("account_id", account.id.as_str()))
        .event(
            Event::new(EventKind::BondCreated, membership.id.as_str())
                .with("holder_id", user.id.as_str())
                .with("target_id", account.id.as_str())
                .with("role", membership.role.as_str()),
        )
        .change(Write::new(user))
        .change(Write::new(membership))
        // The set of members has changed.
        .change(Change::Touch { key: account.key(), version: account.version })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::AccountKind;
    use crate::{AnchorKind, Epochs};

    const NOW: i64 = 1_750_000_000;

    fn adopted(into: Option<&Fact<Account>>) -> Decision<(), Change, Code> {
        let adoption = Adoption {
            user: "u_xAbC-1_2".parse().unwrap(),
            issuer: "https://login.maker.example",
            name: Some("Adam"),
            into,
            household: "acc_new".parse().unwrap(),
            membership: "bnd_new".parse().unwrap(),
        };
        decide(&adoption, NOW)
    }

    fn club(closed: bool) -> Fact<Account> {
        let record = Account {
            id: "acc_club".parse().unwrap(),
            kind: AccountKind::Organisation,
            name: "Club".into(),
            external_id: None,
            closed,
            created_at: NOW,
        };
        Fact { record, version: 4, epochs: Epochs::default() }
    }

    fn made(decision: &Decision<(), Change, Code>) -> (User, Bond) {
        let user = decision.changes.iter().find_map(|change| match change {
            Change::User(write) => Some((write.record.clone(), write.version)),
            _ => None,
        });
        let bond = decision.changes.iter().find_map(|change| match change {
            Change::Bond(write) => Some(write.record.clone()),
            _ => None,
        });
        let (user, version) = user.unwrap();
        assert_eq!(version, 0, "two at once make one");
        (user, bond.unwrap())
    }

    #[test]
    fn a_person_gets_a_household_of_their_own_and_no_way_to_sign_in_here() {
        let decision = adopted(None);
        let (user, membership) = made(&decision);
        assert_eq!((user.state, user.password.as_ref(), user.account.as_str()), (UserState::Active, None, "acc_new"));
        assert!(user.email.expose().ends_with("@foreign.invalid"));
        assert_eq!(
            (membership.role, membership.target),
            (BondRole::Owner, Target::Account("acc_new".parse().unwrap()))
        );
        let kinds: Vec<_> = decision.events.iter().map(|event| event.kind).collect();
        assert_eq!(decision.events[0].data["issuer"], "https://login.maker.example");
        assert_eq!(kinds, [EventKind::UserCreated, EventKind::AccountCreated, EventKind::BondCreated]);
    }

    #[test]
    fn or_a_place_in_an_account_that_is_open_and_not_as_its_owner() {
        let decision = adopted(Some(&club(false)));
        let (user, membership) = made(&decision);
        assert_eq!((user.account.as_str(), membership.role), ("acc_club", BondRole::Member));
        assert!(decision.changes.contains(&Change::Touch { key: club(false).key(), version: 4 }));
        assert_eq!(club(false).anchor().unwrap().anchor.kind, AnchorKind::Account);
        assert_eq!(adopted(Some(&club(true))).reply.unwrap_err().reason, "account_closed");
    }
}
