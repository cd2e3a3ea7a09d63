//! My things: what a person has to do with, who else may do what, and the end
//! of a bond. Owns what the pages show; who may end what is the rule's
//! (`identity::rule::end_bond`), the pages only leave out what it would refuse.

use identity::ProblemCode;
use identity::bond::{BondRole, BondState, Holder, Target};
use identity::rule::actor::Actor;
use identity::rule::end_bond;
use identity::{
    Account, Asset, AssetId, Bond, BondId, Device, DeviceId, DeviceSession, Fact, FamilyId, Product, Record, Refusal,
    User, UserId,
};
use oauth::TokenFamily;
use store::{Commit, Condition, Filter, ListQuery, Operator, ThingFacts, ThingsFacts};

use super::Refused;
use super::browser::Viewer;
use super::household;
use super::letter::{MailKind, MailToSend};
use crate::app::App;
use crate::fault::Fault;

/// A device has one session for each of its credentials, which are few.
const SESSIONS: u32 = 50;

/// One thing as a person sees it.
pub struct ThingView {
    /// The title.
    pub asset: Asset,
    /// The device.
    pub device: Device,
    /// Its model.
    pub product: Product,
    /// Who may do what with it.
    pub access: Vec<AccessView>,
    /// Names of the others who may use it, the household's members among them.
    pub others: Vec<String>,
    /// When it last called home, seconds; only where one thing is looked at.
    pub last_seen: Option<i64>,
    /// Whether the person may remove it.
    pub removable: bool,
    /// Who waits until the person confirms them.
    pub waiting: Vec<WaitingView>,
}

/// A bond that holds again once an owner says so.
pub struct WaitingView {
    /// Id of the bond.
    pub id: String,
    /// Who.
    pub holder: HolderView,
    /// What the holder is to the thing.
    pub role: BondRole,
    /// Since when, seconds.
    pub since: i64,
}

/// Somebody or something with rights on a thing.
pub struct AccessView {
    /// Id of the bond or the token family.
    pub id: String,
    /// Who.
    pub holder: HolderView,
    /// What the holder is to the thing.
    pub role: BondRole,
    /// Rights as scopes; empty where the role says it all.
    pub scopes: Vec<String>,
    /// Since when, seconds.
    pub since: i64,
    /// Until when, seconds, if it ends by itself.
    pub until: Option<i64>,
    /// Whether the person may end it.
    pub endable: bool,
}

/// Who holds rights.
pub enum HolderView {
    /// A person.
    Person {
        /// Their name.
        name: String,
        /// Whether it is the viewer.
        you: bool,
    },
    /// An app or the device itself.
    Program {
        /// Its name.
        name: String,
        /// Which of both.
        kind: AppKind,
    },
}

impl HolderView {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Person { name, .. } | Self::Program { name, .. } => name,
        }
    }
}

/// What a program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppKind {
    /// An app or a service.
    App,
    /// A device.
    Device,
}

/// What came of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// Somebody's or something's access ended.
    Access,
    /// The thing left the account.
    Thing,
}

/// All things of a person.
pub struct ThingsView {
    /// In the order they came.
    pub things: Vec<ThingView>,
    /// Whether somebody waits for the person's yes, to a thing or as a member.
    pub asks: bool,
    /// Whether something of the person's own waits for another's yes.
    pub waits: bool,
}

impl App {
    /// All things of a person.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn things(&self, viewer: &Viewer) -> Result<ThingsView, Fault> {
        let facts = self.store.load_things(viewer.user.id.clone()).await?;
        let (now, user) = (self.now(), &viewer.user.id);
        let things: Vec<_> =
            facts.things.iter().filter_map(|thing| Eye::new(user, &facts, thing, now)?.view()).collect();
        let asks = things.iter().any(|thing| !thing.waiting.is_empty()) || household::somebody_waits(&facts, now);
        let waits =
            household::oneself_waits(&facts) || facts.things.iter().any(|thing| waits_on(user, &facts, thing, now));
        Ok(ThingsView { things, asks, waits })
    }

    /// One of them.
    ///
    /// # Errors
    /// [`Fault`]; nothing for what is none of the person's business.
    pub async fn thing(&self, viewer: &Viewer, asset: &AssetId) -> Result<Option<ThingView>, Fault> {
        let found = self.things(viewer).await?.things.into_iter().find(|thing| thing.asset.id == *asset);
        let Some(mut thing) = found else { return Ok(None) };
        thing.last_seen = self.last_call_home(&thing.device.id).await?;
        Ok(Some(thing))
    }

    async fn last_call_home(&self, device: &DeviceId) -> Result<Option<i64>, Fault> {
        let of_device = Condition {
            field: "device".to_owned(),
            operator: Operator::Equal,
            value: serde_json::Value::from(device.as_str()),
        };
        let query =
            ListQuery { kind: DeviceSession::KIND, filter: Some(Filter::Is(of_device)), after: None, limit: SESSIONS };
        let mut last = None;
        for stored in self.store.list(query).await?.items {
            last = last.max(Some(stored.parse::<DeviceSession>()?.opened_at));
        }
        Ok(last)
    }

    /// Ends what holds rights on a thing: a bond, or an app's tokens. Its owners
    /// are told by mail.
    ///
    /// # Errors
    /// [`Fault`]; the inner refusal is `not_found` or `last_owner`.
    pub async fn end_access(
        &self,
        viewer: &Viewer,
        asset: &AssetId,
        holder: &str,
    ) -> Result<Result<(Removed, Vec<MailToSend>), Refused>, Fault> {
        let facts = self.store.load_things(viewer.user.id.clone()).await?;
        let mails = Eye::on(&viewer.user.id, &facts, asset, self.now())
            .and_then(|eye| eye.view()?.access.iter().find(|one| one.id == holder).map(|one| eye.tell_owners(one)));
        let Some(mails) = mails else { return Ok(Err(nothing_of_theirs())) };
        let ended = match (holder.parse::<BondId>(), holder.parse::<FamilyId>()) {
            (Ok(bond), _) => self.end_own_bond(viewer, asset, &bond).await?,
            (_, Ok(family)) => self.end_family_on(viewer, asset, &family).await?,
            _ => Err(nothing_of_theirs()),
        };
        Ok(ended.map(|removed| (removed, mails)))
    }

    async fn end_own_bond(
        &self,
        viewer: &Viewer,
        asset: &AssetId,
        bond: &BondId,
    ) -> Result<Result<Removed, Refused>, Fault> {
        let now = self.now();
        let (actor, target) = (&Actor::Person(viewer.user.id.clone()), &Target::Asset(asset.clone()));
        let decided = self.decide(|| async move {
            let facts = self.store.load_bond(bond.clone()).await?;
            if facts.bond.as_ref().is_some_and(|bond| bond.target != *target) {
                return Ok((Commit { now, ..Commit::default() }, Err(nothing_of_theirs())));
            }
            Ok(Commit::of(end_bond::decide(actor, &facts, now), now))
        });
        let kind = |ended: end_bond::EndedBond| ended.released.map_or(Removed::Access, |_| Removed::Thing);
        Ok(decided.await?.map(kind))
    }

    /// Lets a suspended bond on a thing hold again; the name of its holder comes back.
    ///
    /// # Errors
    /// [`Fault`]; the inner refusal is `not_found`.
    pub async fn confirm_access(
        &self,
        viewer: &Viewer,
        asset: &AssetId,
        bond: &BondId,
    ) -> Result<Result<String, Refused>, Fault> {
        let now = self.now();
        let facts = self.store.load_things(viewer.user.id.clone()).await?;
        let name = Eye::on(&viewer.user.id, &facts, asset, now).and_then(|eye| {
            let waiting = eye.waiting().into_iter().find(|one| one.id == bond.as_str())?;
            Some(waiting.holder.name().to_owned())
        });
        let Some(name) = name else { return Ok(Err(nothing_of_theirs())) };
        Ok(self.resume(viewer, bond, now).await?.map(|()| name))
    }

    /// Removes a thing from its account: the bonds of all its owners end, and
    /// the title closes with the last.
    ///
    /// # Errors
    /// [`Fault`]; the inner refusal is `not_found`.
    pub async fn remove_thing(&self, viewer: &Viewer, asset: &AssetId) -> Result<Result<(), Refused>, Fault> {
        let facts = self.store.load_things(viewer.user.id.clone()).await?;
        let eye = Eye::on(&viewer.user.id, &facts, asset, self.now());
        let Some(eye) = eye.filter(Eye::owns) else { return Ok(Err(nothing_of_theirs())) };
        // The person's own bond goes last: it may be what permits the others' end.
        let person = Holder::User(viewer.user.id.clone());
        let mut owners: Vec<&Bond> = eye.owners().collect();
        owners.sort_by_key(|bond| bond.holder == person);
        if owners.is_empty() {
            return Ok(Err(nothing_of_theirs()));
        }
        for bond in owners {
            if let Err(refusal) = self.end_own_bond(viewer, asset, &bond.id).await? {
                return Ok(Err(refusal));
            }
        }
        Ok(Ok(()))
    }
}

/// Whether the person's own bond on a thing waits for another who owns it.
fn waits_on(user: &UserId, facts: &ThingsFacts, thing: &ThingFacts, now: i64) -> bool {
    let person = Holder::User(user.clone());
    let own = thing.bonds.iter().any(|bond| bond.holder == person && bond.state == BondState::Suspended);
    own && !Eye::new(user, facts, thing, now).is_some_and(|eye| eye.owns)
}

pub(super) fn nothing_of_theirs() -> Refused {
    Refusal::new(ProblemCode::NotFound, "no_business_of_theirs")
}

/// A thing in the eyes of one person.
pub(super) struct Eye<'a> {
    user: &'a UserId,
    facts: &'a ThingsFacts,
    thing: &'a ThingFacts,
    now: i64,
    /// The account that owns it, where the person is a member.
    account: Option<&'a Account>,
    owns: bool,
}

impl<'a> Eye<'a> {
    /// Nothing where the thing is none of the person's business any more.
    pub(super) fn new(user: &'a UserId, facts: &'a ThingsFacts, thing: &'a ThingFacts, now: i64) -> Option<Self> {
        let membership =
            facts.accounts.iter().find(|(account, bond)| account.id == thing.asset.account && bond.is_live(now));
        let person = Holder::User(user.clone());
        let own = thing.bonds.iter().filter(|bond| bond.holder == person && bond.is_live(now));
        let held: Vec<&Bond> = own.map(|bond| &bond.record).chain(membership.map(|(_, bond)| &bond.record)).collect();
        let owns = held.iter().any(|bond| bond.role.owns());
        let account = membership.map(|(account, _)| &account.record);
        (!held.is_empty()).then_some(Self { user, facts, thing, now, account, owns })
    }

    /// The thing of this title, where it is their business.
    pub(super) fn on(user: &'a UserId, facts: &'a ThingsFacts, asset: &AssetId, now: i64) -> Option<Self> {
        let thing = facts.things.iter().find(|thing| thing.asset.id == *asset)?;
        Self::new(user, facts, thing, now)
    }

    /// An app's tokens on it.
    pub(super) fn family_of_app(&self, id: &FamilyId) -> Option<&'a Fact<TokenFamily>> {
        self.thing.families.iter().find(|family| family.id == *id && family.device.is_none())
    }

    /// A mail to each person who owns it.
    fn tell_owners(&self, ended: &AccessView) -> Vec<MailToSend> {
        let owners = self.owners().filter_map(|bond| self.thing.people.iter().find(|user| is_of(&bond.holder, user)));
        let kind = || MailKind::AccessEnded {
            who: ended.holder.name().to_owned(),
            thing: self.thing.asset.name.clone(),
            asset: self.thing.asset.id.clone(),
            at: self.now,
        };
        owners.map(|user| MailToSend { to: user.email.clone(), name: Some(user.name.clone()), kind: kind() }).collect()
    }

    pub(super) fn owns(&self) -> bool {
        self.owns
    }

    fn live(&self) -> impl Iterator<Item = &'a Bond> + use<'a> {
        let now = self.now;
        self.thing.bonds.iter().map(|bond| &bond.record).filter(move |bond| bond.is_live(now))
    }

    fn owners(&self) -> impl Iterator<Item = &'a Bond> + use<'a> {
        self.live().filter(|bond| bond.role.owns())
    }

    fn view(&self) -> Option<ThingView> {
        let ThingFacts { asset, device, product, .. } = self.thing;
        let access =
            self.live().map(|bond| self.bond(bond)).chain(self.thing.families.iter().map(|it| self.family(it)));
        Some(ThingView {
            access: access.collect(),
            others: self.others(),
            last_seen: None,
            removable: self.owns && self.owners().next().is_some(),
            waiting: self.waiting(),
            asset: asset.record.clone(),
            device: device.record.clone(),
            product: product.record.clone(),
        })
    }

    fn waiting(&self) -> Vec<WaitingView> {
        let waits = |bond: &&Fact<Bond>| self.owns && bond.state == BondState::Suspended;
        let waiting = self.thing.bonds.iter().filter(waits).map(|bond| WaitingView {
            id: bond.id.to_string(),
            holder: self.holder(&bond.holder),
            role: bond.role,
            since: bond.created_at,
        });
        waiting.collect()
    }

    fn bond(&self, bond: &Bond) -> AccessView {
        let own = bond.holder == Holder::User(self.user.clone());
        // The end of the last owner's bond is the removal of the thing, and asked as such.
        let last = bond.role.owns() && self.owners().count() == 1;
        AccessView {
            id: bond.id.to_string(),
            holder: self.holder(&bond.holder),
            role: bond.role,
            scopes: bond.scopes.clone().unwrap_or_default(),
            since: bond.created_at,
            until: bond.not_after,
            endable: (own || self.owns) && !last,
        }
    }

    fn family(&self, family: &TokenFamily) -> AccessView {
        let holder = match &family.device {
            Some(_) => HolderView::Program { name: self.thing.asset.name.clone(), kind: AppKind::Device },
            None => HolderView::Program { name: self.client(family.client.as_str()), kind: AppKind::App },
        };
        AccessView {
            id: family.id.to_string(),
            holder,
            role: BondRole::Guest,
            scopes: family.scope.iter().map(ToString::to_string).collect(),
            since: family.created_at,
            until: None,
            endable: self.owns && family.device.is_none(),
        }
    }

    fn holder(&self, holder: &Holder) -> HolderView {
        match holder {
            Holder::User(id) => {
                let known = self.thing.people.iter().find(|user| user.id == *id);
                let name = known.map_or_else(|| id.to_string(), |user| user.name.clone());
                HolderView::Person { name, you: id == self.user }
            }
            Holder::Device(id) => HolderView::Program { name: id.to_string(), kind: AppKind::Device },
            Holder::Service(id) => HolderView::Program { name: self.client(id.as_str()), kind: AppKind::App },
        }
    }

    fn client(&self, id: &str) -> String {
        let known = self.facts.clients.iter().find(|client| client.id.as_str() == id);
        known.map_or_else(|| id.to_owned(), |client| client.name.clone())
    }

    /// Of people: who holds a bond on it, and the members of its household,
    /// where the viewer is one.
    fn others(&self) -> Vec<String> {
        let holders = self.live().filter_map(|bond| match &bond.holder {
            Holder::User(id) => self.thing.people.iter().find(|user| user.id == *id),
            _ => None,
        });
        let target = self.account.map(|account| Target::Account(account.id.clone()));
        let members = self.facts.members.iter().filter(|(bond, _)| Some(&bond.target) == target.as_ref());
        let members = members.filter(|(bond, _)| bond.is_live(self.now)).map(|(_, user)| user);
        let mut seen = vec![self.user];
        let mut names = Vec::new();
        for user in holders.chain(members) {
            if !seen.contains(&&user.id) {
                seen.push(&user.id);
                names.push(user.name.clone());
            }
        }
        names
    }
}

fn is_of(holder: &Holder, user: &User) -> bool {
    matches!(holder, Holder::User(id) if *id == user.id)
}
