//! The store as the contract describes it: records with epochs, the table of
//! raises, the head row, the log; numbered inside the commit or after it.

use std::collections::BTreeMap;

use authority::Raised;
use identity::{Anchor, AnchorKind, Epochs, RaiseKind};

use crate::door::{SKEW, told};
use crate::rules::{Rule, Rules};

pub(crate) const DAY: i64 = 86_400;
/// So long after its end a token may be renewed.
pub(crate) const RENEWAL: i64 = 30 * DAY;

/// When numbers are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Numbers {
    /// In the commit: one process writes.
    Inside,
    /// After it, by whichever node comes first.
    After,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Head {
    pub(crate) number: u64,
    pub(crate) time: i64,
    pub(crate) horizon: i64,
}

/// The newest raise of an anchor, as the table keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Row {
    pub(crate) epochs: Epochs,
    pub(crate) number: Option<u64>,
    pub(crate) at: i64,
    pub(crate) token_expires: Option<i64>,
}

/// One raise in the log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    pub(crate) number: Option<u64>,
    pub(crate) anchor: Anchor,
    pub(crate) epochs: Epochs,
    pub(crate) at: i64,
    /// Which raise of the world it tells.
    pub(crate) of: usize,
}

/// What a start or a rebuild reads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Snapshot {
    pub(crate) generation: String,
    pub(crate) number: u64,
    pub(crate) horizon: i64,
    pub(crate) time: i64,
    pub(crate) raises: Vec<Raised>,
}

/// A wish to raise.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Wish {
    pub(crate) anchor: Anchor,
    pub(crate) kind: RaiseKind,
    pub(crate) token_expires: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Keep {
    rules: Rules,
    numbers: Numbers,
    pub(crate) life: i64,
    pub(crate) generation: u64,
    pub(crate) head: Head,
    pub(crate) records: BTreeMap<Anchor, Epochs>,
    pub(crate) raised: BTreeMap<Anchor, Row>,
    log: Vec<Entry>,
}

impl Keep {
    pub(crate) fn new(rules: Rules, numbers: Numbers, life: i64, records: impl IntoIterator<Item = Anchor>) -> Self {
        let records = records.into_iter().map(|anchor| (anchor, Epochs::default())).collect();
        let (raised, log) = (BTreeMap::new(), Vec::new());
        Self { rules, numbers, life, generation: 0, head: Head::default(), records, raised, log }
    }

    pub(crate) fn generation(&self) -> String {
        format!("g{}", self.generation)
    }

    /// The head row keeps the greatest time seen.
    pub(crate) fn advance(&mut self, now: i64) {
        self.head.time = if self.rules.hold(Rule::TimeNeverGoesBack) { self.head.time.max(now) } else { now };
    }

    /// The number a transaction takes when it begins, where that rule is off.
    pub(crate) fn early_number(&mut self) -> Option<u64> {
        if self.rules.hold(Rule::NumbersFollowCommits) || self.numbers == Numbers::Inside {
            return None;
        }
        self.head.number += 1;
        Some(self.head.number)
    }

    /// Raises; `None` where the record is missing.
    pub(crate) fn commit(&mut self, wish: &Wish, now: i64, early: Option<u64>, of: usize) -> Option<Raised> {
        let before = match wish.anchor.kind {
            AnchorKind::Token => self.raised.get(&wish.anchor).map(|row| row.epochs).unwrap_or_default(),
            _ => *self.records.get(&wish.anchor)?,
        };
        let time = if self.numbers == Numbers::Inside {
            self.advance(now);
            self.head.time
        } else {
            self.head.time.max(now)
        };
        let mut epochs = before.raised(wish.kind, u64::try_from(time).unwrap());
        if !self.rules.hold(Rule::EpochGrowsInOneSecond) {
            epochs.epoch = before.epoch.max(u64::try_from(time).unwrap());
            epochs.end_epoch = if wish.kind == RaiseKind::End { epochs.epoch } else { before.end_epoch };
        }
        if !self.rules.hold(Rule::EndRaisesBoth) {
            epochs.end_epoch = before.end_epoch;
        }
        let number = match self.numbers {
            Numbers::Inside => {
                self.head.number += 1;
                Some(self.head.number)
            }
            Numbers::After => early,
        };
        let expires = self.raised.get(&wish.anchor).and_then(|row| row.token_expires).max(wish.token_expires);
        let row = Row { epochs, number, at: time, token_expires: expires };
        self.raised.insert(wish.anchor.clone(), row);
        if let Some(record) = self.records.get_mut(&wish.anchor) {
            *record = epochs;
        }
        self.log.push(Entry { number, anchor: wish.anchor.clone(), epochs, at: time, of });
        Some(told(&wish.anchor, epochs, number.map(|_| time)))
    }

    /// Locks the head row and numbers what was committed without a number.
    pub(crate) fn number(&mut self, now: i64) {
        if self.numbers == Numbers::Inside {
            return;
        }
        self.advance(now);
        let Head { mut number, time, .. } = self.head;
        for entry in self.log.iter_mut().filter(|entry| entry.number.is_none()) {
            number += 1;
            (entry.number, entry.at) = (Some(number), time);
            // The table keeps the newest raise of an anchor alone.
            if let Some(row) = self.raised.get_mut(&entry.anchor).filter(|row| row.epochs == entry.epochs) {
                (row.number, row.at) = (Some(number), time);
            }
        }
        self.head.number = number;
    }

    /// Raises after a cursor, in order, and the head of the same moment.
    pub(crate) fn page(&self, after: u64) -> (Vec<Entry>, Head) {
        let mut entries: Vec<Entry> =
            self.log.iter().filter(|entry| entry.number.is_some_and(|number| number > after)).cloned().collect();
        entries.sort_by_key(|entry| entry.number);
        (entries, self.head)
    }

    /// The beat: what is older than two windows goes, and moves the horizon.
    pub(crate) fn prune(&mut self, now: i64) {
        self.advance(now);
        let window = self.life + SKEW;
        let keeps = if self.rules.hold(Rule::TableKeepsTwoWindows) { 2 * window } else { window / 2 };
        let before = self.head.time - keeps;
        let memory = match (
            self.rules.hold(Rule::RowOfATokenOutlastsRenewal),
            self.rules.hold(Rule::RowOfATokenStaysTwoMinutesMore),
        ) {
            (false, _) => 0,
            (_, false) => RENEWAL,
            _ => RENEWAL + SKEW,
        };
        let (time, head) = (self.head.time, &mut self.head);
        let moves = self.rules.hold(Rule::TableMovesTheHorizon);
        self.raised.retain(|_, row| {
            let dead = row.number.is_some() && row.at < before && row.token_expires.is_none_or(|at| at < time - memory);
            if dead && moves {
                head.horizon = head.horizon.max(row.at);
            }
            !dead
        });
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let unnumbered = self.rules.hold(Rule::StartReadsUnnumbered);
        let rows = self.raised.iter().filter(|(_, row)| unnumbered || row.number.is_some());
        let raises = rows.map(|(anchor, row)| told(anchor, row.epochs, row.number.map(|_| row.at))).collect();
        let Head { number, time, horizon } = self.head;
        Snapshot { generation: self.generation(), number, horizon, time, raises }
    }

    /// Epochs as they are now; no row of a token means that it is alive.
    pub(crate) fn epochs(&self, anchor: &Anchor) -> Option<Epochs> {
        match anchor.kind {
            AnchorKind::Tenant => (anchor.id == self.generation()).then(Epochs::default),
            AnchorKind::Token => Some(self.raised.get(anchor).map(|row| row.epochs).unwrap_or_default()),
            _ => self.records.get(anchor).copied(),
        }
    }

    pub(crate) fn erase(&mut self, anchor: &Anchor) {
        self.records.remove(anchor);
    }
}
