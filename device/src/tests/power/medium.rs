//! The medium itself: what outlasts a loss of power, and what becomes of the rest.

use super::*;

pub(super) const CAPACITY: usize = 1536;

/// What a program asked of the medium, one byte at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Erase(Slot),
    Put(Slot, usize, u8),
    Sync(Slot),
}

impl Op {
    pub(super) fn slot(self) -> Slot {
        match self {
            Op::Erase(slot) | Op::Put(slot, _, _) | Op::Sync(slot) => slot,
        }
    }
}

/// What both places hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Image(pub(super) [Vec<u8>; 2]);

impl Image {
    pub(super) fn of(&self, slot: Slot) -> &Vec<u8> {
        &self.0[usize::from(slot == Slot::B)]
    }

    pub(super) fn apply(&mut self, op: Op) {
        let place = &mut self.0[usize::from(op.slot() == Slot::B)];
        match op {
            Op::Erase(_) => place.clear(),
            Op::Put(_, at, byte) => {
                // A byte that arrives before its predecessors leaves a gap.
                if place.len() <= at {
                    place.resize(at + 1, 0xff);
                }
                place[at] = byte;
            }
            Op::Sync(_) => {}
        }
    }
}

/// What becomes of what was not synced when the power goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    /// All of it is lost.
    Lost,
    /// All of it arrived.
    Arrived,
    /// Each byte and each erase for itself, by a seed: torn and reordered.
    Scattered(u64),
    /// Erases are lost, bytes arrived: the new over the old.
    OverTheOld,
}

impl Fate {
    pub(super) fn survivors(self, pending: &[Op]) -> Vec<Op> {
        let mut state = match self {
            Fate::Scattered(seed) => seed | 1,
            _ => 1,
        };
        let mut coin = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state & 1 == 0
        };
        let arrived = |op: &&Op| match self {
            Fate::Lost => false,
            Fate::Arrived => true,
            Fate::Scattered(_) => coin(),
            Fate::OverTheOld => !matches!(op, Op::Erase(_)),
        };
        let mut survivors: Vec<Op> = pending.iter().filter(arrived).copied().collect();
        if let Fate::Scattered(seed) = self
            && seed % 2 == 0
        {
            // An erase that was asked for first may be carried out last.
            survivors.reverse();
        }
        survivors
    }
}

/// The medium: what outlasts a loss of power, and what is on its way.
#[derive(Debug, Default)]
pub(super) struct Medium {
    pub(super) durable: Image,
    pub(super) pending: Vec<Op>,
    /// Bytes and operations until the power goes.
    pub(super) left: Option<usize>,
    /// Everything asked of it.
    pub(super) asked: Vec<Op>,
}

impl Medium {
    pub(super) fn seen(&self) -> Image {
        let mut seen = self.durable.clone();
        self.pending.iter().for_each(|op| seen.apply(*op));
        seen
    }

    pub(super) fn perform(&mut self, op: Op) -> Result<(), Dark> {
        match &mut self.left {
            Some(0) => return Err(Dark),
            Some(left) => *left -= 1,
            None => {}
        }
        self.asked.push(op);
        if let Op::Sync(slot) = op {
            let (synced, rest): (Vec<Op>, Vec<Op>) = self.pending.iter().partition(|op| op.slot() == slot);
            synced.into_iter().for_each(|op| self.durable.apply(op));
            self.pending = rest;
        } else {
            self.pending.push(op);
        }
        Ok(())
    }

    /// The power goes, and comes back.
    pub(super) fn cut(&mut self, fate: Fate) {
        let pending = core::mem::take(&mut self.pending);
        fate.survivors(&pending).into_iter().for_each(|op| self.durable.apply(op));
        self.left = None;
    }
}

/// The power is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the power is gone")]
pub(super) struct Dark;

#[derive(Clone, Default)]
pub(super) struct Board(pub(super) Rc<RefCell<Medium>>);

impl Board {
    pub(super) fn holding(image: Image) -> Board {
        Board(Rc::new(RefCell::new(Medium { durable: image, ..Medium::default() })))
    }

    pub(super) fn open(&self) -> Result<Vault<Board>, VaultError<Dark>> {
        Vault::open(self.clone(), sha256)
    }
}

impl Flash for Board {
    type Error = Dark;

    fn capacity(&self) -> usize {
        CAPACITY
    }

    fn read(&mut self, slot: Slot) -> Result<Zeroizing<Vec<u8>>, Dark> {
        let medium = self.0.borrow();
        if medium.left == Some(0) {
            return Err(Dark);
        }
        // A raw place is always read whole.
        let mut bytes = medium.seen().of(slot).clone();
        bytes.resize(CAPACITY, 0xff);
        Ok(Zeroizing::new(bytes))
    }

    fn erase(&mut self, slot: Slot) -> Result<(), Dark> {
        self.0.borrow_mut().perform(Op::Erase(slot))
    }

    fn write(&mut self, slot: Slot, bytes: &[u8]) -> Result<(), Dark> {
        let mut medium = self.0.borrow_mut();
        bytes.iter().enumerate().try_for_each(|(at, byte)| medium.perform(Op::Put(slot, at, *byte)))
    }

    fn sync(&mut self, slot: Slot) -> Result<(), Dark> {
        self.0.borrow_mut().perform(Op::Sync(slot))
    }
}
