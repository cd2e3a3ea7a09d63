//! The household or organisation of a person: who belongs to it, and who waits
//! until an owner says that it is still right. Who may say so is the rule's
//! (`identity::rule::resume_bond`).

use identity::account::AccountKind;
use identity::bond::{BondRole, BondState, Target};
use identity::rule::actor::Actor;
use identity::rule::resume_bond;
use identity::{Account, Bond, BondId, Fact, User};
use store::{Commit, ThingsFacts};

use super::Refused;
use super::browser::Viewer;
use super::things::nothing_of_theirs;
use crate::app::App;
use crate::fault::Fault;

/// The household or organisation of a person.
pub struct PeopleView {
    /// What its members read.
    pub name: String,
    /// Household or organisation.
    pub kind: AccountKind,
    /// Its members; nobody is shown to one who waits.
    pub members: Vec<MemberView>,
    /// Who waits for the viewer's yes.
    pub waiting: Vec<MemberView>,
    /// Whether the viewer waits for an owner's yes.
    pub waits: bool,
}

/// One member.
pub struct MemberView {
    /// Id of the bond that says so.
    pub bond: BondId,
    /// Their name.
    pub name: String,
    /// What they are in it.
    pub role: BondRole,
    /// Whether it is the viewer.
    pub you: bool,
    /// Since when, seconds.
    pub since: i64,
}

impl App {
    /// The household or organisation of a person.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn people(&self, viewer: &Viewer) -> Result<Option<PeopleView>, Fault> {
        let facts = self.store.load_things(viewer.user.id.clone()).await?;
        let now = self.now();
        let Some((account, own)) = account_of(viewer, &facts, now) else { return Ok(None) };
        let holds = own.is_live(now);
        let members = members(&facts, account).filter(|(bond, _)| holds && bond.is_live(now));
        let waiting = waiting(&facts, account).filter(|_| holds && own.role.owns());
        let view = |(bond, user): &(Fact<Bond>, Fact<User>)| MemberView {
            bond: bond.id.clone(),
            name: user.name.clone(),
            role: bond.role,
            you: user.id == viewer.user.id,
            since: bond.created_at,
        };
        Ok(Some(PeopleView {
            name: account.name.clone(),
            kind: account.kind,
            members: members.map(view).collect(),
            waiting: waiting.map(view).collect(),
            waits: !holds && own.state == BondState::Suspended,
        }))
    }

    /// Lets a suspended membership of one's own household hold again; the name of
    /// the member comes back.
    ///
    /// # Errors
    /// [`Fault`]; the inner refusal is `not_found`.
    pub async fn confirm_member(&self, viewer: &Viewer, bond: &BondId) -> Result<Result<String, Refused>, Fault> {
        let now = self.now();
        let facts = self.store.load_things(viewer.user.id.clone()).await?;
        let account = account_of(viewer, &facts, now).map(|(account, _)| account);
        let name = account.and_then(|account| {
            let (_, user) = waiting(&facts, account).find(|(waits, _)| waits.id == *bond)?;
            Some(user.name.clone())
        });
        let Some(name) = name else { return Ok(Err(nothing_of_theirs())) };
        Ok(self.resume(viewer, bond, now).await?.map(|()| name))
    }

    /// Says yes to a bond that waits, on a thing or a household; the rule sees whose
    /// word counts.
    pub(super) async fn resume(&self, viewer: &Viewer, bond: &BondId, now: i64) -> Result<Result<(), Refused>, Fault> {
        let actor = &Actor::Person(viewer.user.id.clone());
        let decided = self.decide(|| async move {
            let facts = self.store.load_bond(bond.clone()).await?;
            Ok(Commit::of(resume_bond::decide(actor, &facts, now), now))
        });
        Ok(decided.await?.map(|_| ()))
    }
}

/// The person's own account before others, one where they hold a place before one
/// where they wait for it.
fn account_of<'a>(viewer: &Viewer, facts: &'a ThingsFacts, now: i64) -> Option<(&'a Account, &'a Bond)> {
    let rank = |account: &Account, bond: &Bond| (!bond.is_live(now), account.id != viewer.user.account);
    let own = facts.accounts.iter().min_by_key(|(account, bond)| rank(account, bond));
    own.map(|(account, bond)| (&account.record, &bond.record))
}

/// Whether a member waits for the person's yes.
pub(super) fn somebody_waits(facts: &ThingsFacts, now: i64) -> bool {
    let owned = facts.accounts.iter().filter(|(_, own)| own.is_live(now) && own.role.owns());
    owned.into_iter().any(|(account, _)| waiting(facts, account).next().is_some())
}

/// Whether a membership of the person's own waits.
pub(super) fn oneself_waits(facts: &ThingsFacts) -> bool {
    facts.accounts.iter().any(|(_, own)| own.state == BondState::Suspended)
}

fn members<'a>(
    facts: &'a ThingsFacts,
    account: &Account,
) -> impl Iterator<Item = &'a (Fact<Bond>, Fact<User>)> + use<'a> {
    let target = Target::Account(account.id.clone());
    facts.members.iter().filter(move |(bond, _)| bond.target == target)
}

fn waiting<'a>(
    facts: &'a ThingsFacts,
    account: &Account,
) -> impl Iterator<Item = &'a (Fact<Bond>, Fact<User>)> + use<'a> {
    members(facts, account).filter(|(bond, _)| bond.state == BondState::Suspended)
}
