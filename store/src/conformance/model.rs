//! Random commits beside a slow, obvious model: a map of records, a list of
//! events, a clock that does not go back.

use std::collections::BTreeMap;
use std::sync::Arc;

use identity::{Account, Anchor, AnchorKind, Device, Epochs, Guard, Raise, RaiseKind, Record, RecordKey, Write};

use super::sample::*;
use crate::{Change, Commit, CommitError, Conflict, EventQuery, ListQuery, Store, Stored};

/// A small generator with a seed (xorshift), so that a failure comes back.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Row {
    version: u64,
    epochs: Epochs,
    /// The one unique name of the records of this test.
    name: Option<String>,
}

#[derive(Debug, Clone, Default)]
struct Model {
    rows: BTreeMap<(&'static str, String), Row>,
    used: Vec<String>,
    raised: BTreeMap<String, Epochs>,
    events: u64,
    time: i64,
}

/// What one step of a random commit does, in words of the model.
#[derive(Debug, Clone)]
enum Step {
    Write { kind: &'static str, id: String, name: Option<String>, version: u64 },
    Touch { kind: &'static str, id: String, version: u64 },
    Erase { kind: &'static str, id: String, version: u64 },
    Raise { kind: &'static str, id: String, what: RaiseKind },
    Once(String),
}

const DEVICE: &str = "device";
const ACCOUNT: &str = "account";

impl Model {
    /// The record's version, as the steps before have left it.
    fn version(&self, kind: &'static str, id: &str) -> u64 {
        self.rows.get(&(kind, id.to_owned())).map_or(0, |row| row.version)
    }

    /// Applies all or nothing.
    fn commit(&mut self, guards: &[(&'static str, String, u64)], steps: &[Step], now: i64) -> bool {
        let mut next = self.clone();
        if guards.iter().any(|(kind, id, version)| self.version(kind, id) != *version) {
            return false;
        }
        next.time = next.time.max(now);
        let mut counted: BTreeMap<(&'static str, String), u64> = BTreeMap::new();
        for step in steps {
            if !next.step(step, &mut counted) {
                return false;
            }
        }
        next.events += 1;
        *self = next;
        true
    }

    fn step(&mut self, step: &Step, counted: &mut BTreeMap<(&'static str, String), u64>) -> bool {
        match step {
            Step::Write { kind, id, name, version } => {
                let key = (*kind, id.clone());
                let seen = version + if *version == 0 { 0 } else { counted.get(&key).copied().unwrap_or(0) };
                let taken = name.is_some()
                    && self.rows.iter().any(|(other, row)| other.0 == *kind && other.1 != *id && row.name == *name);
                if self.version(kind, id) != seen || taken {
                    return false;
                }
                let epochs = self.rows.get(&key).map(|row| row.epochs).unwrap_or_default();
                self.rows.insert(key, Row { version: seen + 1, epochs, name: name.clone() });
                true
            }
            Step::Touch { kind, id, version } | Step::Erase { kind, id, version } => {
                let key = (*kind, id.clone());
                let seen = version + counted.get(&key).copied().unwrap_or(0);
                match self.rows.get_mut(&key) {
                    Some(row) if row.version == seen => row.version += 1,
                    _ => return false,
                }
                if matches!(step, Step::Erase { .. }) {
                    self.rows.remove(&key);
                }
                *counted.entry(key).or_default() += 1;
                true
            }
            Step::Raise { kind, id, what } => {
                let key = (*kind, id.clone());
                let time = u64::try_from(self.time).unwrap_or(0);
                let Some(row) = self.rows.get_mut(&key) else { return false };
                row.version += 1;
                row.epochs = row.epochs.raised(*what, time);
                self.raised.insert(id.clone(), row.epochs);
                *counted.entry(key).or_default() += 1;
                true
            }
            Step::Once(key) => {
                let new = !self.used.contains(key);
                self.used.push(key.clone());
                new
            }
        }
    }
}

fn change(step: &Step) -> Change {
    let key = |kind: &'static str, id: &str| RecordKey { kind: identity::Kind(kind), id: id.to_owned() };
    match step {
        Step::Write { kind: DEVICE, id, name, version } => {
            let record = Device { mac: name.clone(), ..device(id.trim_start_matches("dev_"), "p") };
            Write { record, version: *version }.into()
        }
        Step::Write { id, name, version, .. } => {
            let record = Account { external_id: name.clone(), ..account(id.trim_start_matches("acc_")) };
            Write { record, version: *version }.into()
        }
        Step::Touch { kind, id, version } => {
            Change::Identity(identity::Change::Touch { key: key(kind, id), version: *version })
        }
        Step::Erase { kind, id, version } => {
            Change::Identity(identity::Change::Erase { key: key(kind, id), version: *version })
        }
        Step::Raise { kind, id, what } => {
            let anchor = if *kind == DEVICE { AnchorKind::Device } else { AnchorKind::Account };
            Raise { anchor: Anchor::new(anchor, id.clone()), kind: *what, token_expires: None }.into()
        }
        Step::Once(key) => Change::Identity(identity::Change::Once { key: key.clone(), until: BEGAN + 1_000_000 }),
    }
}

fn any_step(chance: &mut Chance, model: &Model) -> Step {
    let number = chance.below(6);
    let (kind, id) =
        if chance.below(2) == 0 { (DEVICE, format!("dev_{number}")) } else { (ACCOUNT, format!("acc_{number}")) };
    // Mostly what is there, so that commits succeed; sometimes what is not.
    let version = match chance.below(12) {
        0 => chance.below(4),
        _ => model.version(kind, &id),
    };
    match chance.below(10) {
        0..=4 => {
            let name = (chance.below(3) > 0).then(|| format!("name {}", chance.below(9)));
            Step::Write { kind, id, name, version }
        }
        5 => Step::Touch { kind, id, version },
        6 => Step::Erase { kind, id, version },
        7 | 8 => {
            let what = if chance.below(2) == 0 { RaiseKind::Cut } else { RaiseKind::End };
            Step::Raise { kind, id, what }
        }
        _ => Step::Once(format!("key {}", chance.below(40))),
    }
}

async fn assert_same(store: &dyn Store, model: &Model) {
    store.round(0).await.unwrap();
    for kind in [Device::KIND, Account::KIND] {
        let page = store.list(ListQuery { kind, filter: None, after: None, limit: 100 }).await.unwrap();
        let found: Vec<(String, u64, Epochs)> =
            page.items.into_iter().map(|Stored { id, version, epochs, .. }| (id, version, epochs)).collect();
        let rows = model.rows.iter().filter(|(key, _)| key.0 == kind.0);
        let expected: Vec<_> = rows.map(|((_, id), row)| (id.clone(), row.version, row.epochs)).collect();
        assert_eq!(found, expected, "{}", kind.0);
    }
    let (head, raises) = store.load_raises().await.unwrap();
    assert_eq!((head.number, head.time, head.horizon), (model.events, model.time, 0));
    let raised: BTreeMap<String, Epochs> =
        raises.into_iter().map(|it| (it.anchor.id, Epochs { epoch: it.epoch, end_epoch: it.end_epoch })).collect();
    assert_eq!(raised, model.raised);
}

pub async fn random_commits_do_what_an_obvious_model_does(store: Arc<dyn Store>) {
    let mut chance = Chance(0x5eed_1e55_c0ff_ee01);
    let mut model = Model::default();
    let (mut done, mut refused) = (0, 0);
    for round in 0..1_500_u32 {
        let guards: Vec<(&'static str, String, u64)> = (0..chance.below(2))
            .map(|_| {
                let id = format!("acc_{}", chance.below(6));
                let version = if chance.below(10) == 0 { 1 } else { model.version(ACCOUNT, &id) };
                (ACCOUNT, id, version)
            })
            .collect();
        let steps: Vec<Step> = (0..=chance.below(3)).map(|_| any_step(&mut chance, &model)).collect();
        let now = BEGAN + i64::from(round) - i64::try_from(chance.below(20)).unwrap();
        let commit = Commit {
            guards: guards
                .iter()
                .map(|(kind, id, version)| Guard {
                    key: RecordKey { kind: identity::Kind(kind), id: id.clone() },
                    version: *version,
                    anchor: None,
                })
                .collect(),
            changes: steps.iter().map(change).collect(),
            events: vec![event("model")],
            now,
        };
        let result = store.commit(commit).await;
        let expected = model.commit(&guards, &steps, now);
        match &result {
            Ok(_) => done += 1,
            Err(CommitError::Conflict(
                Conflict::Version(_) | Conflict::Used | Conflict::Taken("device.mac" | "account.external_id"),
            )) => refused += 1,
            Err(other) => panic!("round {round}: {other}"),
        }
        assert_eq!(result.is_ok(), expected, "round {round}: {guards:?} {steps:?}");
        if round % 50 == 0 {
            assert_same(&*store, &model).await;
        }
    }
    assert_same(&*store, &model).await;
    assert!(done > 300 && refused > 300, "{done} done, {refused} refused: the mix proves little");
    let all = EventQuery { after: 0, kinds: Vec::new(), raises_only: false, subject: None, limit: 1_000 };
    assert_eq!(store.load_events(all).await.unwrap().head.number, model.events);
}
