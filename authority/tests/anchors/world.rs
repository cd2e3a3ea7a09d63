//! Nodes, clocks and tokens around one store, one small step at a time; and
//! the properties, asked after every step of what truly happened.

mod inspection;
mod issuing;
mod nodes;

use std::collections::BTreeSet;

use identity::{Anchor, AnchorEpoch, AnchorKind, RaiseKind};

use crate::door::{Cause, Door, GRACE, SKEW, Shown, seal};
use crate::keep::{Entry, Head, Keep, Numbers, RENEWAL, Snapshot, Wish};
use crate::rules::{Rule, Rules};

/// A door is fresh for so long after its round began, seconds.
const FRESH: i64 = 5;
/// What a stale door has let pass before passes for so long.
const MAX_STALE: i64 = 60;
/// A node so far from the store's time issues nothing.
const NEAR: i64 = 60;
const BEGAN: i64 = 10_000_000;

/// What can happen. Nodes and tokens are named by any number, which is taken
/// within what there is, so that every list of steps is a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// Time goes on.
    Pass(i64),
    /// A node's clock is set so far ahead.
    Clock(usize, i64),
    /// A node begins to issue: draws its time, loads epochs of these anchors.
    Load(usize, usize),
    /// It hands the token out.
    Issue(usize),
    /// A token that hangs from nothing is shown.
    Bare,
    /// A token is traded for another (`true`: for one that hangs from a bond alone).
    Trade(usize, usize, bool),
    /// A token is renewed by its key.
    Renew(usize, usize),
    /// A grant on these anchors begins.
    Grant(usize, usize),
    /// It is used.
    Refresh(usize, usize),
    /// A transaction that raises begins, commits, is answered.
    Begin(usize, usize, RaiseKind),
    /// The same for the own id of a token.
    BeginToken(usize, usize),
    Commit(usize),
    Reply(usize),
    /// A record is ended and erased.
    Erase(usize),
    /// A round of the feed: numbers and reads; takes in; looks up connections.
    Read(usize),
    Apply(usize),
    Lookup(usize),
    /// A live connection comes, and is taken in.
    Connect(usize, usize),
    Connected(usize),
    /// A token passes the door, and is known from then on.
    Check(usize, usize),
    /// The beat of every minute.
    Beat(usize),
    /// A whole snapshot is read, and taken in.
    Look(usize),
    Rebuild(usize),
    Stop(usize),
    Start(usize),
    /// All stop; tokens live so long from now on.
    Life(i64),
    Backup,
    Restore,
}

/// Why a history breaks the contract.
pub(crate) type Broken = String;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Token {
    shown: Shown,
    /// Everything it truly rests on, each with how many raises its load had seen.
    rests_on: Vec<(Anchor, usize)>,
    generation: u64,
    /// The shortest life set since it was made.
    least_life: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Grant {
    listed: Vec<AnchorEpoch>,
    seen: usize,
    generation: u64,
}

/// A raise as it truly happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Truth {
    anchor: Anchor,
    kind: RaiseKind,
    at: i64,
    generation: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Reading {
    entries: Vec<Entry>,
    head: Head,
    began: i64,
    foreign: Option<Snapshot>,
    raises: usize,
}

/// What an issue has loaded: epochs, the time that was drawn, how many raises there were.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Loading {
    found: Vec<(Anchor, u64)>,
    drawn: i64,
    seen: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Writing {
    Begun(Wish, Option<u64>),
    Committed(Told, usize),
}

/// A raise as doors are told of it, in a form that can be hashed.
type Told = (Anchor, identity::Epochs, Option<i64>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Node<D> {
    door: Option<D>,
    offset: i64,
    generation: u64,
    life: i64,
    cursor: u64,
    /// When its last completed round began, and when it says so.
    began: i64,
    says_fresh_since: i64,
    /// The store's time as last seen, and when that was.
    store: (i64, i64),
    loading: Option<Loading>,
    writing: Option<Writing>,
    reading: Option<Reading>,
    looking: Option<(Snapshot, u64, usize)>,
    stopped_at: Option<Snapshot>,
    connecting: Option<usize>,
    connections: BTreeSet<usize>,
    lookup: bool,
    late: Vec<(Told, usize)>,
    known: BTreeSet<usize>,
    learnt: BTreeSet<usize>,
}

/// One store, two nodes, and what truly happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World<D> {
    rules: Rules,
    numbers: Numbers,
    keep: Keep,
    nodes: Vec<Node<D>>,
    time: i64,
    advanced_at: i64,
    greatest_time: i64,
    generations: u64,
    tokens: Vec<Token>,
    grants: Vec<Grant>,
    raises: Vec<Truth>,
    backup: Option<Keep>,
    /// What happened, to know that histories are not empty.
    pub(crate) seen: Seen,
}

/// How often what matters happened; no part of a state's identity.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) passed: u64,
    pub(crate) refused: [u64; 8],
    pub(crate) refreshed: u64,
    pub(crate) refresh_refused: u64,
    pub(crate) renewed: u64,
    pub(crate) renewal_refused: u64,
}

impl PartialEq for Seen {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Seen {}

impl core::hash::Hash for Seen {
    fn hash<H: core::hash::Hasher>(&self, _: &mut H) {}
}

/// Names the newest token.
pub(crate) const LAST: usize = usize::MAX;

/// Anchors of the world's records.
pub(crate) const ANCHORS: usize = 3;

fn anchor(number: usize) -> Anchor {
    match number % ANCHORS {
        0 => Anchor::new(AnchorKind::Device, "a"),
        1 => Anchor::new(AnchorKind::Bond, "b"),
        _ => Anchor::new(AnchorKind::Client, "c"),
    }
}

/// The anchors of a bit mask; never none.
fn anchors(mask: usize) -> Vec<Anchor> {
    let mask = if mask.is_multiple_of(1 << ANCHORS) { 1 } else { mask };
    (0..ANCHORS).filter(|number| mask & (1 << number) != 0).map(anchor).collect()
}

fn own(jti: &str) -> Anchor {
    Anchor::new(AnchorKind::Token, jti)
}

impl<D: Door> World<D> {
    pub(crate) fn new(rules: Rules, numbers: Numbers, life: i64) -> Self {
        let mut keep = Keep::new(rules, numbers, life, (0..ANCHORS).map(anchor));
        keep.advance(BEGAN);
        let mut world = Self {
            rules,
            numbers,
            keep,
            nodes: Vec::new(),
            time: BEGAN,
            advanced_at: BEGAN,
            greatest_time: BEGAN,
            generations: 0,
            tokens: Vec::new(),
            grants: Vec::new(),
            raises: Vec::new(),
            backup: None,
            seen: Seen::default(),
        };
        for node in 0..2 {
            world.nodes.push(Node::down(0));
            world.start(node);
        }
        world
    }

    /// Does one step and asks every property.
    pub(crate) fn step(&mut self, step: Step) -> Result<(), Broken> {
        self.act(step)?;
        self.greatest_time = self.greatest_time.max(self.keep.head.time);
        self.inspect()
    }

    fn act(&mut self, step: Step) -> Result<(), Broken> {
        match step {
            Step::Pass(seconds) => self.pass(seconds),
            Step::Clock(node, offset) => self.nodes[node % 2].offset = offset,
            Step::Load(node, mask) => self.load(node % 2, mask),
            Step::Issue(node) => self.issue(node % 2),
            Step::Bare => self.bare(),
            Step::Trade(node, token, alone) => return self.trade(node % 2, token, alone),
            Step::Renew(node, token) => return self.renew(node % 2, token),
            Step::Grant(node, mask) => self.grant(node % 2, mask),
            Step::Refresh(node, grant) => return self.refresh(node % 2, grant),
            Step::Begin(node, number, kind) => {
                self.begin(node % 2, Wish { anchor: anchor(number), kind, token_expires: None });
            }
            Step::BeginToken(node, token) => {
                if let Some(token) = self.token(token) {
                    let token = &self.tokens[token].shown;
                    let wish = Wish { anchor: own(&token.jti), kind: RaiseKind::End, token_expires: Some(token.exp) };
                    self.begin(node % 2, wish);
                }
            }
            Step::Commit(node) => self.commit(node % 2),
            Step::Reply(node) => self.reply(node % 2),
            Step::Erase(number) => self.erase(anchor(number)),
            Step::Read(node) => self.read(node % 2),
            Step::Apply(node) => return self.apply(node % 2),
            Step::Lookup(node) => self.look_up_connections(node % 2),
            Step::Connect(node, token) => self.connect(node % 2, token),
            Step::Connected(node) => self.connected(node % 2),
            Step::Check(node, token) => {
                if let Some(token) = self.token(token)
                    && self.passes(node % 2, token) == Some(true)
                {
                    self.nodes[node % 2].known.insert(token);
                }
            }
            Step::Beat(node) => self.beat(node % 2),
            Step::Look(node) => self.look(node % 2),
            Step::Rebuild(node) => self.rebuild(node % 2),
            Step::Stop(node) => self.stop(node % 2),
            Step::Start(node) => self.start(node % 2),
            Step::Life(life) => {
                (0..2).for_each(|node| self.stop(node));
                self.keep.life = life;
                self.tokens.iter_mut().for_each(|token| token.least_life = token.least_life.min(life));
                (0..2).for_each(|node| self.start(node));
            }
            Step::Backup => self.backup = Some(self.keep.clone()),
            Step::Restore => self.restore(),
        }
        Ok(())
    }

    // Time.

    fn now(&self, node: usize) -> i64 {
        self.time + self.nodes[node].offset
    }

    /// Every node that is up beats once a minute; at worst it did so a minute ago.
    fn pass(&mut self, seconds: i64) {
        self.time += seconds;
        if self.time - self.advanced_at <= NEAR || !self.rules.hold(Rule::TimeIsAdvanced) {
            return;
        }
        self.advanced_at = self.time - NEAR;
        for node in 0..self.nodes.len() {
            if self.nodes[node].door.is_some() && self.writes(node) {
                self.keep.advance(self.now(node) - NEAR);
            }
        }
        for node in &mut self.nodes {
            node.store = (self.keep.head.time, self.advanced_at);
        }
    }

    /// Whether a node has the store at hand; the other kind follows from afar.
    fn writes(&self, node: usize) -> bool {
        self.numbers == Numbers::After || node == 0
    }

    fn saw_the_store(&mut self, node: usize) {
        self.nodes[node].store = (self.keep.head.time, self.time);
    }

    /// The time the node's clock should say, by the store and by what has passed since.
    fn near_the_store(&self, node: usize) -> bool {
        let (time, when) = self.nodes[node].store;
        let expected = time + (self.time - when);
        (self.now(node) - expected).abs() <= NEAR || !self.rules.hold(Rule::FarClocksIssueNothing)
    }

    // Issuing.
}

impl<D> Node<D> {
    /// Not running; only its clock goes on.
    fn down(offset: i64) -> Self {
        Self {
            door: None,
            offset,
            generation: 0,
            life: 0,
            cursor: 0,
            began: 0,
            says_fresh_since: 0,
            store: (0, 0),
            loading: None,
            writing: None,
            reading: None,
            looking: None,
            stopped_at: None,
            connecting: None,
            connections: BTreeSet::new(),
            lookup: false,
            late: Vec::new(),
            known: BTreeSet::new(),
            learnt: BTreeSet::new(),
        }
    }
}
