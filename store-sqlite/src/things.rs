//! Titles, bonds, and all things a person has to do with.

use std::collections::{BTreeSet, HashMap};

use identity::bond::{Holder, Target};
use identity::facts::{BondFacts, OwnedFacts};
use identity::{Account, Anchor, Asset, Bond, Device, Epochs, Fact, Product, User};
use oauth::{Client, Consent, TokenFamily};
use rusqlite::params;
use store::{StoreError, ThingFacts, ThingsFacts};

use crate::snapshot::{Snapshot, id_list};

type Load<T> = Result<T, StoreError>;

/// Bonds that hold, by an index over those that have not ended.
const HOLDS: &str = "state <> 'ended' AND state = 'active'";
/// What has not ended, what waits for an owner's yes among it.
const LASTS: &str = "state <> 'ended'";
/// More things than a page shows, and than one snapshot should carry.
const THINGS: i64 = 200;
/// A bound for what hangs from so many things.
const ROWS: i64 = 2_000;

impl Snapshot<'_> {
    /// Owners' bonds on a title that hold, the oldest first.
    pub(crate) fn owners_bonds(&self, asset: &str) -> Load<Vec<Fact<Bond>>> {
        self.all(
            &format!(
                "target = ?1 AND {HOLDS} AND body ->> '$.role' IN ('owner', 'co-owner')
             ORDER BY body ->> '$.created_at', id"
            ),
            [asset],
        )
    }

    /// All bonds on a target that have not ended: suspended ones end with it too.
    pub(crate) fn bonds_on(&self, target: &str) -> Load<Vec<Fact<Bond>>> {
        self.all("target = ?1 AND state <> 'ended' ORDER BY id", [target])
    }

    /// What a holder is to these targets.
    pub(crate) fn bonds_between<'i>(
        &self,
        holder: &str,
        targets: impl IntoIterator<Item = &'i str>,
    ) -> Load<Vec<Fact<Bond>>> {
        self.all(
            &format!("holder = ?1 AND {HOLDS} AND target IN (SELECT value FROM json_each(?2)) ORDER BY id"),
            [holder, &id_list(targets)],
        )
    }

    /// What a holder is to anything, what waits among it.
    fn bonds_of(&self, holder: &str) -> Load<Vec<Fact<Bond>>> {
        self.all(&format!("holder = ?1 AND {LASTS} ORDER BY id LIMIT ?2"), params![holder, ROWS])
    }

    /// Households and organisations of which a person is a member.
    pub(crate) fn memberships_of(&self, user: &str) -> Load<Vec<Fact<Bond>>> {
        self.all(
            // Ids of accounts, and nothing else that sorts among them.
            &format!("holder = ?1 AND {HOLDS} AND target >= 'acc_' AND target < 'acc`' ORDER BY id LIMIT ?2"),
            params![user, ROWS],
        )
    }

    pub(crate) fn bond_facts(&self, bond: &str) -> Load<BondFacts> {
        let Some(bond) = self.by_id::<Bond>(bond)? else { return Ok(BondFacts::default()) };
        let mut siblings = self.bonds_on(bond.target.id())?;
        siblings.retain(|other| other.id != bond.id);
        let (owned, account) = match &bond.target {
            Target::Asset(asset) => {
                let asset: Option<Fact<Asset>> = self.by_id(asset.as_str())?;
                let account: Option<Fact<Account>> =
                    self.by_some_id(asset.as_ref().map(|asset| asset.account.as_str()))?;
                let device = match &asset {
                    Some(asset) => self.device_by_id(asset.device.as_str())?,
                    None => None,
                };
                (OwnedFacts { device, asset, account: account.clone() }, account)
            }
            Target::Account(account) => (OwnedFacts::default(), self.by_id(account.as_str())?),
        };
        let memberships = match &account {
            Some(account) => self.bonds_on(account.id.as_str())?,
            None => Vec::new(),
        };
        let holdings = match &bond.target {
            Target::Account(account) => self.holdings(bond.holder.id(), account.as_str())?,
            Target::Asset(_) => Vec::new(),
        };
        Ok(BondFacts { bond: Some(bond), owned, account, siblings, memberships, holdings })
    }

    /// A holder's bonds, suspended ones included, on open titles of an account, each with its title.
    fn holdings(&self, holder: &str, account: &str) -> Load<Vec<(Fact<Bond>, Fact<Asset>)>> {
        let bonds: Vec<Fact<Bond>> = self.all("holder = ?1 AND state <> 'ended' ORDER BY id", [holder])?;
        let titles: Vec<Fact<Asset>> = self.all(
            "account = ?1 AND closed_at IS NULL AND id IN (SELECT value FROM json_each(?2))",
            [account, &id_list(bonds.iter().map(|bond| bond.target.id()))],
        )?;
        let titles: HashMap<String, Fact<Asset>> =
            titles.into_iter().map(|title| (title.id.as_str().to_owned(), title)).collect();
        let held = |bond: Fact<Bond>| titles.get(bond.target.id()).cloned().map(|title| (bond, title));
        Ok(bonds.into_iter().filter_map(held).collect())
    }

    /// Those of which nothing they hang from has ended (grants fall by
    /// `end_epoch`, and what is missing is dead).
    pub(crate) fn unended(&self, families: Vec<Fact<TokenFamily>>) -> Load<Vec<Fact<TokenFamily>>> {
        let mut known: HashMap<Anchor, Option<Epochs>> = HashMap::new();
        let mut alive = Vec::with_capacity(families.len());
        'families: for family in families {
            for listed in family.anchors.iter() {
                let now = match known.get(&listed.anchor) {
                    Some(now) => *now,
                    None => {
                        let now = self.epochs(&listed.anchor)?;
                        known.insert(listed.anchor.clone(), now);
                        now
                    }
                };
                if now.is_none_or(|now| listed.epoch < now.end_epoch) {
                    continue 'families;
                }
            }
            alive.push(family);
        }
        Ok(alive)
    }

    pub(crate) fn clients_of(
        &self,
        families: &[Fact<TokenFamily>],
        consents: &[Fact<Consent>],
    ) -> Load<Vec<Fact<Client>>> {
        let families = families.iter().map(|family| family.client.as_str());
        self.by_ids(families.chain(consents.iter().map(|consent| consent.client.as_str())))
    }

    pub(crate) fn things(&self, user: &str) -> Load<ThingsFacts> {
        let Some(user) = self.by_id::<User>(user)? else { return Ok(ThingsFacts::default()) };
        let held = self.bonds_of(user.id.as_str())?;
        let ids = held.iter().map(|bond| bond.target.id());
        let accounts: Vec<Fact<Account>> = self.by_ids(ids.clone())?;
        let assets: Vec<Fact<Asset>> = self.all(
            "closed_at IS NULL AND id IN (SELECT value FROM json_each(?1) UNION SELECT id FROM asset
             WHERE closed_at IS NULL AND account IN (SELECT value FROM json_each(?1))) ORDER BY id LIMIT ?2",
            params![id_list(ids), THINGS],
        )?;
        let members: Vec<Fact<Bond>> = self.bonds_on_any(accounts.iter().map(|account| account.id.as_str()))?;
        let bonds: Vec<Fact<Bond>> = self.all(
            &format!("{LASTS} AND target IN (SELECT value FROM json_each(?1)) ORDER BY id LIMIT ?2"),
            params![id_list(assets.iter().map(|asset| asset.id.as_str())), ROWS],
        )?;
        let people: Vec<Fact<User>> = self.by_ids(members.iter().chain(&bonds).filter_map(|bond| person(bond)))?;
        let families = self.families_on(&assets)?;
        let clients = self.clients_of(&families, &[])?;
        let things = self.join(assets, &bonds, &families, &people)?;
        // One of theirs may hold and another wait.
        let memberships = accounts.iter().flat_map(|account| {
            let own = held.iter().filter(|bond| bond.target.id() == account.id.as_str());
            own.map(|bond| (account.clone(), bond.clone()))
        });
        let accounts = memberships.collect();
        let members = members
            .into_iter()
            .filter_map(|bond| {
                let member = people.iter().find(|user| person(&bond) == Some(user.id.as_str()))?.clone();
                Some((bond, member))
            })
            .collect();
        Ok(ThingsFacts { user: Some(user), accounts, members, things, clients })
    }

    fn bonds_on_any<'i>(&self, targets: impl IntoIterator<Item = &'i str>) -> Load<Vec<Fact<Bond>>> {
        self.all(
            &format!("{LASTS} AND target IN (SELECT value FROM json_each(?1)) ORDER BY id LIMIT ?2"),
            params![id_list(targets), ROWS],
        )
    }

    fn families_on(&self, assets: &[Fact<Asset>]) -> Load<Vec<Fact<TokenFamily>>> {
        let families = self.all(
            "asset IN (SELECT value FROM json_each(?1)) AND end_epoch = 0 AND expires_at > ?2
             ORDER BY id LIMIT ?3",
            params![id_list(assets.iter().map(|asset| asset.id.as_str())), self.head()?.time, ROWS],
        )?;
        self.unended(families)
    }

    fn join(
        &self,
        assets: Vec<Fact<Asset>>,
        bonds: &[Fact<Bond>],
        families: &[Fact<TokenFamily>],
        people: &[Fact<User>],
    ) -> Load<Vec<ThingFacts>> {
        let devices: Vec<Fact<Device>> = self.by_ids(assets.iter().map(|asset| asset.device.as_str()))?;
        let products: Vec<Fact<Product>> = self.by_ids(devices.iter().map(|device| device.product.as_str()))?;
        let mut things = Vec::with_capacity(assets.len());
        for asset in assets {
            let lost = || StoreError::Corrupt(format!("title {} has no device with a product", asset.id));
            let device = devices.iter().find(|device| device.id == asset.device).cloned().ok_or_else(lost)?;
            let product = products.iter().find(|product| product.id == device.product).cloned().ok_or_else(lost)?;
            let bonds: Vec<_> = bonds.iter().filter(|it| it.target.id() == asset.id.as_str()).cloned().collect();
            let holders: BTreeSet<&str> = bonds.iter().filter_map(|bond| person(bond)).collect();
            let people = people.iter().filter(|user| holders.contains(user.id.as_str())).cloned().collect();
            let families = families.iter().filter(|it| it.asset.as_ref() == Some(&asset.id)).cloned().collect();
            things.push(ThingFacts { asset, device, product, bonds, families, people });
        }
        Ok(things)
    }
}

fn person(bond: &Bond) -> Option<&str> {
    match &bond.holder {
        Holder::User(user) => Some(user.as_str()),
        Holder::Device(_) | Holder::Service(_) => None,
    }
}
