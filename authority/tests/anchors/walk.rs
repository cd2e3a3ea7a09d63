//! Every order in which one token, raises of two anchors, prunings, rounds,
//! rebuilds and restarts can come, within bounds: each state once, the
//! product's index asked in all of them.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use identity::RaiseKind;

use crate::door::Indexed;
use crate::keep::Numbers;
use crate::rules::Rules;
use crate::world::{Broken, Step, World};

const LIFE: i64 = 180;
const WINDOW: i64 = LIFE + 120;

/// Steps that share a budget: how often any of them may come.
struct Group {
    steps: &'static [Step],
    budget: u8,
}

const fn group(budget: u8, steps: &'static [Step]) -> Group {
    Group { steps, budget }
}

/// What a walk is made of: where numbers are given, how the clocks stand, and what may come.
pub(crate) struct Bounds {
    numbers: Numbers,
    clocks: [i64; 2],
    groups: Vec<Group>,
}

impl Bounds {
    /// One process that writes, and a follower from afar whose clock is behind.
    pub(crate) fn one_writer(more: u8) -> Self {
        let groups = vec![
            group(1, &[Step::Load(0, 3)]),
            group(1, &[Step::Issue(0)]),
            group(1 + more, &[Step::Begin(0, 0, RaiseKind::Cut)]),
            group(1, &[Step::Begin(0, 1, RaiseKind::End)]),
            group(u8::MAX, &[Step::Commit(0), Step::Reply(0)]),
            group(1 + more, &[Step::Pass(WINDOW + 1)]),
            group(1, &[Step::Beat(0)]),
            group(1 + more, &[Step::Read(1)]),
            group(1 + more, &[Step::Apply(1)]),
            group(1, &[Step::Stop(0)]),
            group(1, &[Step::Start(0)]),
            group(more, &[Step::Pass(61)]),
        ];
        Self { numbers: Numbers::Inside, clocks: [60, -60], groups }
    }

    /// Two nodes that write; one's clock is ahead, the other's behind.
    pub(crate) fn two_writers(more: u8) -> Self {
        let groups = vec![
            group(1, &[Step::Load(0, 1)]),
            group(1, &[Step::Issue(0)]),
            group(1, &[Step::Begin(1, 0, RaiseKind::Cut)]),
            group(more, &[Step::Begin(0, 0, RaiseKind::End)]),
            group(u8::MAX, &[Step::Commit(1), Step::Reply(1), Step::Commit(0), Step::Reply(0)]),
            group(1 + more, &[Step::Pass(WINDOW + 1)]),
            group(1, &[Step::Beat(0), Step::Beat(1)]),
            group(2, &[Step::Read(0), Step::Read(1)]),
            group(2, &[Step::Apply(0), Step::Apply(1)]),
            group(1, &[Step::Stop(1)]),
            group(1, &[Step::Start(1)]),
            group(more, &[Step::Pass(61)]),
        ];
        Self { numbers: Numbers::After, clocks: [60, -60], groups }
    }

    /// A node that reads whole snapshots anew, between raises of its own and prunings.
    pub(crate) fn rebuilding(more: u8) -> Self {
        let groups = vec![
            group(1, &[Step::Load(0, 3)]),
            group(1, &[Step::Issue(0)]),
            group(1, &[Step::Begin(0, 0, RaiseKind::Cut)]),
            group(1, &[Step::Begin(0, 0, RaiseKind::End), Step::Begin(0, 1, RaiseKind::End)]),
            group(u8::MAX, &[Step::Commit(0), Step::Reply(0)]),
            group(1 + more, &[Step::Pass(WINDOW + 1)]),
            group(1 + more, &[Step::Beat(0)]),
            group(1 + more, &[Step::Look(0)]),
            group(1 + more, &[Step::Rebuild(0)]),
            group(1 + more, &[Step::Read(0)]),
            group(1 + more, &[Step::Apply(0)]),
        ];
        Self { numbers: Numbers::After, clocks: [60, -60], groups }
    }
}

/// A place of the walk: the world, and what may still come.
#[derive(Clone, Hash)]
struct Place {
    world: World<Indexed>,
    left: Vec<u8>,
}

/// How much was walked.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Walked {
    pub(crate) states: usize,
    pub(crate) steps: usize,
}

/// 64 bits stand for a state: of a million states two share them in one walk
/// of some forty million.
fn mark(place: &Place) -> u64 {
    let mut hasher = DefaultHasher::new();
    place.hash(&mut hasher);
    hasher.finish()
}

/// Walks; the way to the first state that breaks the contract.
pub(crate) fn walk(bounds: &Bounds, rules: Rules) -> Result<Walked, (Vec<Step>, Broken)> {
    let mut world = World::new(rules, bounds.numbers, LIFE);
    for (node, offset) in bounds.clocks.into_iter().enumerate() {
        world.step(Step::Clock(node, offset)).map_err(|why| (Vec::new(), why))?;
    }
    let left = bounds.groups.iter().map(|group| group.budget).collect();
    let mut walked = Walked::default();
    let mut seen = HashSet::new();
    let mut waiting = vec![(Place { world, left }, Vec::new())];
    while let Some((place, way)) = waiting.pop() {
        for (number, group) in bounds.groups.iter().enumerate().filter(|(number, _)| place.left[*number] > 0) {
            for step in group.steps {
                let mut next = place.clone();
                // What cannot happen here changes nothing, and is seen by that.
                walked.steps += 1;
                let result = next.world.step(*step);
                let way = || way.iter().copied().chain([*step]).collect::<Vec<_>>();
                result.map_err(|why| (way(), why))?;
                if next.world == place.world {
                    continue;
                }
                next.left[number] = next.left[number].saturating_sub(u8::from(group.budget != u8::MAX));
                if seen.insert(mark(&next)) {
                    walked.states += 1;
                    waiting.push((next, way()));
                }
            }
        }
    }
    Ok(walked)
}
