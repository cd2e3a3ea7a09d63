//! Random histories with a seed, and the shortest one that still breaks.

use identity::RaiseKind;

use crate::door::Door;
use crate::keep::{DAY, Numbers, RENEWAL};
use crate::rules::Rules;
use crate::world::{ANCHORS, Broken, LAST, Seen, Step, World};

/// Lives of tokens that histories begin with, or change to.
pub(crate) const LIVES: [i64; 2] = [180, 420];
const CLOCKS: [i64; 10] = [0, 0, 60, -60, 60, -60, 30, 3_600, -3_600, -2 * DAY];

/// A small generator with a seed (xorshift), so that a failure comes back.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..8 {
            chance.below(2);
        }
        chance
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % bound
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

/// Where a history begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct History {
    pub(crate) numbers: Numbers,
    pub(crate) life: i64,
    pub(crate) steps: Vec<Step>,
}

impl History {
    pub(crate) fn random(seed: u64) -> Self {
        let chance = &mut Chance::new(seed);
        let numbers = chance.of(&[Numbers::Inside, Numbers::After]);
        let life = chance.of(&LIVES);
        let mut steps = Vec::new();
        let wanted = 20 + chance.below(50);
        while steps.len() < wanted {
            few(chance, life, &mut steps);
        }
        Self { numbers, life, steps }
    }

    /// Lives it; what broke, and after how many steps.
    pub(crate) fn live<D: Door>(&self, rules: Rules, seen: &mut Seen) -> Result<(), (usize, Broken)> {
        let mut world = World::<D>::new(rules, self.numbers, self.life);
        for (number, step) in self.steps.iter().enumerate() {
            world.step(*step).map_err(|why| (number + 1, why))?;
        }
        seen.add(&world.seen);
        Ok(())
    }

    /// The shortest list of steps that still breaks: whole parts are left out
    /// first, then single steps.
    fn shrunk<D: Door>(mut self, rules: Rules) -> Self {
        let breaks = |history: &Self| history.live::<D>(rules, &mut Seen::default()).err();
        if let Some((length, _)) = breaks(&self) {
            self.steps.truncate(length);
        }
        let mut part = self.steps.len() / 2;
        while part > 0 {
            let mut from = 0;
            while from < self.steps.len() {
                let to = (from + part).min(self.steps.len());
                let steps = [&self.steps[..from], &self.steps[to..]].concat();
                let shorter = Self { steps, ..self.clone() };
                match breaks(&shorter) {
                    Some(_) => self = shorter,
                    None => from += part,
                }
            }
            part /= 2;
        }
        self
    }
}

impl Seen {
    fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.refreshed += other.refreshed;
        self.refresh_refused += other.refresh_refused;
        self.renewed += other.renewed;
        self.renewal_refused += other.renewal_refused;
        self.refused.iter_mut().zip(other.refused).for_each(|(sum, more)| *sum += more);
    }
}

/// What belongs together, whole or with something else between.
fn few(chance: &mut Chance, life: i64, steps: &mut Vec<Step>) {
    let node = chance.below(2);
    let any = chance.below(64);
    match chance.below(27) {
        0..=3 => woven(chance, life, steps, &[Step::Load(node, any), Step::Issue(node)]),
        4..=7 => {
            let kind = chance.of(&[RaiseKind::Cut, RaiseKind::End]);
            let begin =
                if chance.below(5) == 0 { Step::BeginToken(node, any) } else { Step::Begin(node, any % ANCHORS, kind) };
            woven(chance, life, steps, &[begin, Step::Commit(node), Step::Reply(node), Step::Lookup(node)]);
        }
        8..=11 => woven(chance, life, steps, &[Step::Read(node), Step::Apply(node), Step::Lookup(node)]),
        12..=14 => steps.push(pass(chance, life)),
        15 => steps.push(Step::Clock(node, chance.of(&CLOCKS))),
        16 => woven(chance, life, steps, &[Step::Stop(node), Step::Start(node)]),
        17 => woven(chance, life, steps, &[Step::Look(node), Step::Rebuild(node)]),
        18 => woven(chance, life, steps, &[Step::Connect(node, any), Step::Connected(node)]),
        19 => steps.push(Step::Beat(node)),
        20 => steps.push(Step::Check(node, any)),
        21 => steps.push(if chance.below(2) == 0 { Step::Grant(node, any) } else { Step::Refresh(node, any) }),
        22 | 23 => steps.push(more(chance, node, any)),
        25 => seldom(chance, life, steps, node, any),
        24 => steps.extend([Step::Grant(node, any), pass(chance, life), Step::Refresh(node, any)]),
        _ => steps.push(rarely(chance, any)),
    }
}

fn more(chance: &mut Chance, node: usize, any: usize) -> Step {
    match chance.below(3) {
        0 => Step::Trade(node, any, false),
        1 => Step::Trade(node, any, true),
        _ => Step::Renew(node, any),
    }
}

fn rarely(chance: &mut Chance, any: usize) -> Step {
    match chance.below(6) {
        0 => Step::Life(chance.of(&LIVES)),
        1 | 2 => Step::Backup,
        3 => Step::Restore,
        4 => Step::Erase(any),
        _ => Step::Bare,
    }
}

/// What chance alone hardly ever brings together: an issue that takes long while
/// what it loaded is raised and forgotten; a renewal in its last minute, of what
/// was ended, at a clock that is behind; a start after the store forgot, by a
/// clock for which the token has not ended.
fn seldom(chance: &mut Chance, life: i64, steps: &mut Vec<Step>, node: usize, any: usize) {
    let number = any % ANCHORS;
    let issue = [Step::Clock(node, 0), Step::Load(node, 1 << number), Step::Issue(node)];
    let raise = [Step::Begin(node, number, RaiseKind::Cut), Step::Commit(node), Step::Reply(node)];
    match chance.below(3) {
        0 => {
            woven(chance, life, steps, &[Step::Load(node, 1 << number), Step::Begin(1 - node, number, RaiseKind::Cut)]);
            steps.extend([Step::Begin(node, number, RaiseKind::Cut), Step::Commit(1 - node), Step::Commit(node)]);
            steps.extend([Step::Reply(1 - node), Step::Reply(node), Step::Read(node), Step::Apply(node)]);
            steps.extend([Step::Pass(chance.of(&[61, 121, life])), Step::Issue(node), Step::Pass(life + 121)]);
            steps.push(Step::Beat(node));
        }
        1 => {
            steps.extend(issue);
            woven(chance, life, steps, &[Step::BeginToken(node, LAST), Step::Commit(node), Step::Reply(node)]);
            steps.extend([Step::Read(node), Step::Pass(RENEWAL + life + chance.of(&[1, 30, 59])), Step::Beat(node)]);
            steps.extend([Step::Clock(node, -60), Step::Renew(node, LAST)]);
        }
        _ => {
            steps.extend(issue);
            woven(chance, life, steps, &raise);
            steps.extend([Step::Read(node), Step::Pass(3_600), Step::Beat(node), Step::Clock(node, -3_600)]);
            woven(chance, life, steps, &[Step::Stop(node), Step::Start(node)]);
        }
    }
}

/// Times around which something changes.
fn pass(chance: &mut Chance, life: i64) -> Step {
    let window = life + 120;
    let around = [1, 4, 6, 30, 59, 61, 121, life, life + 61, window + 1, 2 * window + 1];
    let rare = [RENEWAL - window, RENEWAL, RENEWAL + life, DAY];
    Step::Pass(if chance.below(12) == 0 { chance.of(&rare) } else { chance.of(&around) })
}

/// Mostly one after another, sometimes with others between.
fn woven(chance: &mut Chance, life: i64, steps: &mut Vec<Step>, together: &[Step]) {
    for (number, step) in together.iter().enumerate() {
        if number > 0 && chance.below(8) == 0 {
            few(chance, life, steps);
        }
        steps.push(*step);
    }
}

/// The first broken history among so many, shortened.
pub(crate) fn counterexample<D: Door>(
    rules: Rules,
    seeds: core::ops::Range<u64>,
    seen: &mut Seen,
) -> Option<(u64, History, Broken)> {
    for seed in seeds {
        let history = History::random(seed);
        if history.live::<D>(rules, seen).is_err() {
            let short = history.shrunk::<D>(rules);
            let why = short.live::<D>(rules, &mut Seen::default()).err()?.1;
            return Some((seed, short, why));
        }
    }
    None
}
