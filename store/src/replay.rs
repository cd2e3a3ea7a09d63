//! What a journal adds to a backup: every ending that came after it. Pure: items
//! of the backup in, items to keep out, whatever store they came from.
//!
//! Records go by their version and anchors by their epoch, so the order in which
//! nodes' journals are read does not matter, and what the backup knows already
//! changes nothing. Entries come in the order of their times.

use std::collections::{HashMap, HashSet};

use identity::{Anchor, Kind, RecordKey};

use crate::feed::{Head, Raised};
use crate::journal::{Changed, Entry, kind_of_anchor};
use crate::list::Stored;
use crate::whole::Item;

/// Records that are made known although the backup does not know them: what was
/// ended for good must not come back by being registered once more.
const REMEMBERED: [&str; 5] = ["device", "credential", "client", "user", "trust_anchor"];

/// Short-lived leave to do something once: whether it was used since is not
/// known, so nobody may use it again.
const PASSING: [&str; 3] = ["authorization_code", "mail_token", "pairing"];

/// What is known of the time between a backup and its restoring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// All that ended: the journals of every node.
    Journals,
    /// Nothing: bonds hold again once their owner says so.
    Suspend,
    /// Nothing, and that is accepted.
    Accepted,
}

/// What was done to the items.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Anchors that a journal raised above what the backup knew.
    pub raises: u64,
    /// Records that a journal changed or erased.
    pub records: u64,
    /// Bonds that wait for their owner.
    pub suspended: u64,
}

/// Turns the items of a backup into those of the restored store.
#[derive(Debug)]
pub struct Replay {
    since: Since,
    /// The head of the backup.
    head: Head,
    changed: HashMap<RecordKey, Changed>,
    /// The greatest epochs, with the time the store gave them.
    raised: HashMap<Anchor, Raised>,
    /// The records behind `raised`.
    records: HashMap<RecordKey, Anchor>,
    /// Those of `raised` that the backup has a raise of too.
    told: HashSet<Anchor>,
    done: Replayed,
}

impl Replay {
    /// For a backup with this head; `entries` are those that were not voided, of
    /// its generation.
    pub fn new(since: Since, head: Head, entries: impl IntoIterator<Item = Entry>) -> Self {
        let (mut changed, mut raised) = (HashMap::<RecordKey, Changed>::new(), HashMap::<Anchor, Raised>::new());
        for entry in entries {
            for raise in entry.raised {
                match raised.get_mut(&raise.anchor) {
                    Some(known) => {
                        known.end_epoch = known.end_epoch.max(raise.end_epoch);
                        known.token_expires = known.token_expires.max(raise.token_expires);
                        if raise.epoch > known.epoch {
                            (known.epoch, known.at) = (raise.epoch, raise.at);
                        }
                    }
                    None => drop(raised.insert(raise.anchor.clone(), raise)),
                }
            }
            for change in entry.changed {
                let key = RecordKey { kind: change.kind, id: change.id.clone() };
                // Of two with one version the earlier was cut off by a crash and made again.
                if changed.get(&key).is_none_or(|known| known.version <= change.version) {
                    changed.insert(key, change);
                }
            }
        }
        let record = |anchor: &Anchor| {
            let key = RecordKey { kind: kind_of_anchor(anchor)?, id: anchor.id.clone() };
            Some((key, anchor.clone()))
        };
        let records = raised.keys().filter_map(record).collect();
        Self { since, head, changed, raised, records, told: HashSet::new(), done: Replayed::default() }
    }

    /// The time the restored store begins with: no raise it knows is later.
    pub fn time(&self, now: i64) -> i64 {
        self.raised.values().map(|raise| raise.at).fold(self.head.time.max(now), i64::max)
    }

    /// What becomes of an item of the backup.
    pub fn item(&mut self, item: Item) -> Option<Item> {
        match item {
            Item::Record { kind, stored, dispensable } => {
                let stored = self.record(kind, stored)?;
                Some(Item::Record { kind, stored, dispensable })
            }
            Item::Raised(known) => Some(Item::Raised(self.raise(known))),
            other => Some(other),
        }
    }

    /// What only the journals know, once all items of the backup came by.
    pub fn rest(&mut self) -> Vec<Item> {
        let mut items = Vec::new();
        let unknown = self.changed.drain().filter(|(key, _)| REMEMBERED.contains(&key.kind.0));
        for (key, change) in unknown.collect::<Vec<_>>() {
            let raised = self.records.get(&key).and_then(|anchor| self.raised.get(anchor));
            let Some((raised, body)) = raised.filter(|raise| raise.at > self.head.time).zip(change.body) else {
                continue;
            };
            let epochs = identity::Epochs { epoch: raised.epoch, end_epoch: raised.end_epoch };
            let stored = Stored { id: key.id, version: change.version, epochs, body };
            self.done.records += 1;
            items.push(Item::Record { kind: key.kind, stored, dispensable: true });
        }
        for raise in self.raised.values().filter(|raise| !self.told.contains(&raise.anchor)) {
            self.done.raises += 1;
            items.push(Item::Raised(Raised { number: Some(self.head.number), ..raise.clone() }));
        }
        items
    }

    /// What was done; whole after [`Replay::rest`].
    pub fn done(&self) -> &Replayed {
        &self.done
    }

    fn record(&mut self, kind: Kind, mut stored: Stored) -> Option<Stored> {
        if PASSING.contains(&kind.0) || (kind.0 == "browser_session" && self.since != Since::Journals) {
            return None;
        }
        let key = RecordKey { kind, id: stored.id.clone() };
        if let Some(raise) = self.records.get(&key).and_then(|anchor| self.raised.get(anchor)) {
            stored.epochs.epoch = stored.epochs.epoch.max(raise.epoch);
            stored.epochs.end_epoch = stored.epochs.end_epoch.max(raise.end_epoch);
        }
        // What the backup has in a later version came before it.
        if let Some(change) = self.changed.remove(&key).filter(|change| stored.version < change.version) {
            self.done.records += 1;
            stored.version = change.version;
            stored.body = change.body?;
        }
        if kind.0 == "bond" && self.since == Since::Suspend {
            self.suspend(&mut stored);
        }
        Some(stored)
    }

    /// Owners of an account stay, for somebody has to say yes.
    fn suspend(&mut self, stored: &mut Stored) {
        use identity::bond::{BondRole, BondState, Target};
        let Ok(bond) = serde_json::from_str::<identity::Bond>(&stored.body) else { return };
        let keeps = bond.role == BondRole::Owner && matches!(bond.target, Target::Account(_));
        if bond.state != BondState::Active || keeps {
            return;
        }
        let suspended = identity::Bond { state: BondState::Suspended, ..bond };
        if let Ok(body) = serde_json::to_string(&suspended) {
            (stored.body, stored.version) = (body, stored.version + 1);
            self.done.suspended += 1;
        }
    }

    fn raise(&mut self, known: Raised) -> Raised {
        let Some(raise) = self.raised.get(&known.anchor) else { return known };
        self.told.insert(known.anchor.clone());
        if raise.epoch <= known.epoch {
            return known;
        }
        self.done.raises += 1;
        let end_epoch = raise.end_epoch.max(known.end_epoch);
        let token_expires = raise.token_expires.max(known.token_expires);
        Raised { number: Some(self.head.number), end_epoch, token_expires, ..raise.clone() }
    }
}

#[cfg(test)]
mod tests;
