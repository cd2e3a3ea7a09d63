//! Nodes, clocks and tokens around one store, one small step at a time; and
//! the properties, asked after every step of what truly happened.

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

    fn token(&self, number: usize) -> Option<usize> {
        let last = self.tokens.len().checked_sub(1)?;
        Some(if number == LAST { last } else { number % self.tokens.len() })
    }

    fn may_issue(&self, node: usize) -> bool {
        self.nodes[node].door.is_some() && self.writes(node) && self.near_the_store(node)
    }

    fn load(&mut self, node: usize, mask: usize) {
        if !self.may_issue(node) {
            return;
        }
        let wanted = anchors(mask);
        let found: Option<Vec<(Anchor, u64)>> =
            wanted.into_iter().map(|it| self.keep.epochs(&it).map(|epochs| (it, epochs.epoch))).collect();
        let (drawn, seen) = (self.now(node), self.raises.len());
        self.nodes[node].loading = found.map(|found| Loading { found, drawn, seen });
    }

    fn issue(&mut self, node: usize) {
        let Some(Loading { mut found, drawn, seen }) = self.nodes[node].loading.take() else { return };
        if self.nodes[node].generation != self.keep.generation {
            return;
        }
        let now = if self.rules.hold(Rule::NowIsDrawnFirst) { drawn } else { self.now(node) };
        if !self.rules.hold(Rule::EpochsOfTheLoad) {
            for (anchor, epoch) in &mut found {
                *epoch = self.keep.epochs(anchor).map_or(*epoch, |epochs| epochs.epoch);
            }
        }
        let rests_on = found.iter().map(|(anchor, _)| (anchor.clone(), seen)).collect();
        let listed = found.into_iter().map(|(anchor, epoch)| anchor.at(epoch)).collect();
        self.hand_out(now, now + self.nodes[node].life, listed, rests_on);
    }

    fn hand_out(&mut self, iat: i64, exp: i64, mut listed: Vec<AnchorEpoch>, rests_on: Vec<(Anchor, usize)>) {
        listed.insert(0, Anchor::new(AnchorKind::Tenant, self.keep.generation()).at(0));
        self.show(iat, exp, listed, rests_on);
    }

    fn show(&mut self, iat: i64, exp: i64, anchors: Vec<AnchorEpoch>, rests_on: Vec<(Anchor, usize)>) {
        let jti = format!("j{}", self.tokens.len());
        let mut shown = Shown { jti, iat, exp, anchors, text: None };
        shown.text = D::READS_TEXT.then(|| seal(&shown));
        let (generation, least_life) = (self.keep.generation, self.keep.life);
        self.tokens.push(Token { shown, rests_on, generation, least_life });
    }

    fn bare(&mut self) {
        self.show(self.time, self.time + self.keep.life, Vec::new(), Vec::new());
    }

    /// Whether anything a token rests on was raised since, in truth.
    fn is_stale(&self, token: usize) -> bool {
        (0..self.raises.len()).any(|raise| self.strikes(raise, token))
    }

    fn strikes(&self, raise: usize, token: usize) -> bool {
        let (truth, token) = (&self.raises[raise], &self.tokens[token]);
        let hit = |(anchor, seen): &(Anchor, usize)| truth.anchor == *anchor && raise >= *seen;
        truth.generation == token.generation
            && (truth.anchor == own(&token.shown.jti) || token.rests_on.iter().any(hit))
    }

    /// The exchange checks epochs in its own load; what it makes inherits them,
    /// or, where a bond is made, hangs from that alone.
    fn trade(&mut self, node: usize, token: usize, alone: bool) -> Result<(), Broken> {
        let Some(token) = self.token(token).filter(|_| self.may_issue(node)) else { return Ok(()) };
        let (now, input) = (self.now(node), self.tokens[token].clone());
        let verdict = self.nodes[node].door.as_mut().map(|door| door.verify(&input.shown, now));
        if verdict != Some(Ok(())) || now >= input.shown.exp {
            return Ok(());
        }
        if self.rules.hold(Rule::ExchangeAsksTheStore) {
            let alive = |listed: &AnchorEpoch| {
                self.keep.epochs(&listed.anchor).is_some_and(|epochs| listed.epoch >= epochs.epoch)
            };
            let own = own(&input.shown.jti).at(0);
            if !input.shown.anchors.iter().chain([&own]).all(alive) {
                return Ok(());
            }
        }
        if self.is_stale(token) {
            return Err(format!("a dead token ({}) was traded", input.shown.jti));
        }
        let bond = anchor(1);
        let Some(epochs) = self.keep.epochs(&bond) else { return Ok(()) };
        let fresh = (bond.clone(), self.raises.len());
        let end = input.shown.exp.min(now + self.nodes[node].life);
        if alone {
            self.hand_out(now, end, vec![bond.at(epochs.epoch)], vec![fresh]);
            return Ok(());
        }
        let mut rests_on = input.rests_on.clone();
        rests_on.push((own(&input.shown.jti), 0));
        let mut listed: Vec<AnchorEpoch> = input.shown.anchors.into_iter().skip(1).collect();
        listed.push(own(&input.shown.jti).at(0));
        if !self.rules.hold(Rule::InputsAreInherited) {
            listed = vec![bond.at(epochs.epoch)];
        }
        self.hand_out(now, end, listed, rests_on);
        Ok(())
    }

    /// Renewal speaks of dead tokens too: only an end stands against it.
    fn renew(&mut self, node: usize, token: usize) -> Result<(), Broken> {
        let Some(token) = self.token(token).filter(|_| self.may_issue(node)) else { return Ok(()) };
        let (now, input) = (self.now(node), self.tokens[token].clone());
        if input.shown.anchors.is_empty() || now > input.shown.exp + RENEWAL {
            return Ok(());
        }
        let alive = |listed: &AnchorEpoch| {
            self.keep.epochs(&listed.anchor).is_some_and(|epochs| listed.epoch >= epochs.end_epoch)
        };
        let own_epochs = self.keep.epochs(&own(&input.shown.jti)).unwrap_or_default();
        if !input.shown.anchors.iter().all(alive) || own_epochs.epoch > 0 {
            self.seen.renewal_refused += 1;
            return Ok(());
        }
        let ended =
            (0..self.raises.len()).any(|raise| self.raises[raise].kind == RaiseKind::End && self.strikes(raise, token));
        if ended || input.generation != self.keep.generation {
            return Err(format!("an ended token ({}) was renewed", input.shown.jti));
        }
        self.seen.renewed += 1;
        let listed = input.shown.anchors.iter().skip(1).filter(|listed| listed.anchor.kind != AnchorKind::Token);
        let present: Option<Vec<AnchorEpoch>> = listed
            .map(|listed| self.keep.epochs(&listed.anchor).map(|epochs| listed.anchor.clone().at(epochs.epoch)))
            .collect();
        let Some(present) = present else { return Ok(()) };
        let rests_on = present.iter().map(|listed| (listed.anchor.clone(), self.raises.len())).collect();
        self.hand_out(now, now + self.nodes[node].life, present, rests_on);
        Ok(())
    }

    fn grant(&mut self, node: usize, mask: usize) {
        if !self.may_issue(node) {
            return;
        }
        let listed: Option<Vec<AnchorEpoch>> =
            anchors(mask).into_iter().map(|it| self.keep.epochs(&it).map(|epochs| it.at(epochs.epoch))).collect();
        if let Some(listed) = listed {
            self.grants.push(Grant { listed, seen: self.raises.len(), generation: self.keep.generation });
        }
    }

    /// A grant dies by an end, never by a cut.
    fn refresh(&mut self, node: usize, grant: usize) -> Result<(), Broken> {
        let Some(grant) = grant.checked_rem(self.grants.len()).filter(|_| self.may_issue(node)) else { return Ok(()) };
        let grant = self.grants[grant].clone();
        let alive = |listed: &AnchorEpoch| match self.keep.epochs(&listed.anchor) {
            Some(epochs) if !self.rules.hold(Rule::CutSparesGrants) => listed.epoch >= epochs.epoch,
            Some(epochs) => listed.epoch >= epochs.end_epoch || !self.rules.hold(Rule::EndedGrantIsDead),
            None => !self.rules.hold(Rule::MissingIsDead),
        };
        let yields = grant.listed.iter().all(alive) && grant.generation == self.keep.generation;
        let hits = |truth: &Truth| grant.listed.iter().any(|listed| listed.anchor == truth.anchor);
        let ended = self
            .raises
            .iter()
            .skip(grant.seen)
            .any(|truth| truth.generation == grant.generation && truth.kind == RaiseKind::End && hits(truth))
            || grant.generation != self.keep.generation;
        match (yields, ended) {
            (true, true) => return Err("an ended grant yields".to_owned()),
            (false, false) => return Err("a grant died that nothing ended".to_owned()),
            (true, false) => self.seen.refreshed += 1,
            (false, true) => self.seen.refresh_refused += 1,
        }
        if yields {
            let now = self.now(node);
            let present = grant.listed.iter().filter_map(|listed| {
                self.keep.epochs(&listed.anchor).map(|epochs| listed.anchor.clone().at(epochs.epoch))
            });
            let present: Vec<AnchorEpoch> = present.collect();
            let rests_on = present.iter().map(|listed| (listed.anchor.clone(), self.raises.len())).collect();
            self.hand_out(now, now + self.nodes[node].life, present, rests_on);
        }
        Ok(())
    }

    // Raising.

    fn begin(&mut self, node: usize, wish: Wish) {
        if self.nodes[node].door.is_some() && self.writes(node) && self.nodes[node].writing.is_none() {
            let early = self.keep.early_number();
            self.nodes[node].writing = Some(Writing::Begun(wish, early));
        }
    }

    fn commit(&mut self, node: usize) {
        let Some(Writing::Begun(wish, early)) = self.nodes[node].writing.clone() else { return };
        let (now, of) = (self.now(node), self.raises.len());
        self.nodes[node].writing = None;
        let Some(raised) = self.keep.commit(&wish, now, early, of) else { return };
        let generation = self.keep.generation;
        self.raises.push(Truth { anchor: wish.anchor, kind: wish.kind, at: self.time, generation });
        if self.numbers == Numbers::Inside {
            self.saw_the_store(node);
        }
        self.nodes[node].writing = Some(Writing::Committed((raised.anchor, raised.epochs, raised.numbered_at), of));
    }

    /// What is erased was ended by the same commit.
    fn erase(&mut self, anchor: Anchor) {
        if self.nodes[0].door.is_none() || self.nodes[0].writing.is_some() {
            return;
        }
        self.begin(0, Wish { anchor: anchor.clone(), kind: RaiseKind::End, token_expires: None });
        self.commit(0);
        self.keep.erase(&anchor);
    }

    /// The committing node raises its own index, then it answers.
    fn reply(&mut self, node: usize) {
        let Some(Writing::Committed(raised, of)) = self.nodes[node].writing.clone() else { return };
        self.nodes[node].writing = None;
        let raises = if self.rules.hold(Rule::OwnIndexBeforeReply) { vec![(raised, of)] } else { Vec::new() };
        let told = BTreeSet::from([of]);
        self.take_in(node, raises, told);
    }

    /// Raises enter the index, then connections are looked up.
    fn take_in(&mut self, node: usize, raises: Vec<(Told, usize)>, told: BTreeSet<usize>) {
        if !self.rules.hold(Rule::IndexThenConnections) {
            self.close_dead(node);
            self.nodes[node].late.extend(raises);
            self.nodes[node].lookup = true;
            return;
        }
        for (raised, _) in &raises {
            self.enter(node, raised);
        }
        self.nodes[node].learnt.extend(told);
        self.nodes[node].lookup = true;
    }

    fn enter(&mut self, node: usize, (anchor, epochs, numbered_at): &Told) {
        if let Some(door) = &mut self.nodes[node].door {
            door.raise(&crate::door::told(anchor, *epochs, *numbered_at));
        }
    }

    fn look_up_connections(&mut self, node: usize) {
        if self.nodes[node].lookup && self.rules.hold(Rule::IndexThenConnections) {
            self.close_dead(node);
        }
        for (raised, of) in core::mem::take(&mut self.nodes[node].late) {
            self.enter(node, &raised);
            self.nodes[node].learnt.insert(of);
        }
        self.nodes[node].lookup = false;
    }

    fn close_dead(&mut self, node: usize) {
        let now = self.now(node);
        for token in self.nodes[node].connections.clone() {
            let shown = &self.tokens[token].shown;
            if self.nodes[node].door.as_mut().is_some_and(|door| door.verify(shown, now).is_err()) {
                self.nodes[node].connections.remove(&token);
            }
        }
    }

    /// A connection is registered, then checked.
    fn connect(&mut self, node: usize, token: usize) {
        let free = self.nodes[node].door.is_some() && self.nodes[node].connecting.is_none();
        let Some(token) = self.token(token).filter(|_| free) else { return };
        if self.rules.hold(Rule::RegisteredThenChecked) {
            self.nodes[node].connections.insert(token);
            self.nodes[node].connecting = Some(token);
        } else if self.alive_at(node, token) {
            self.nodes[node].connecting = Some(token);
        }
    }

    fn connected(&mut self, node: usize) {
        let Some(token) = self.nodes[node].connecting.take() else { return };
        if !self.rules.hold(Rule::RegisteredThenChecked) {
            self.nodes[node].connections.insert(token);
        } else if !self.alive_at(node, token) {
            self.nodes[node].connections.remove(&token);
        }
    }

    fn alive_at(&mut self, node: usize, token: usize) -> bool {
        let now = self.now(node);
        let shown = &self.tokens[token].shown;
        self.nodes[node].door.as_mut().is_some_and(|door| door.verify(shown, now).is_ok())
    }

    // Following.

    fn read(&mut self, node: usize) {
        if self.nodes[node].door.is_none() || (self.numbers == Numbers::Inside && node == 0) {
            return;
        }
        if self.writes(node) {
            self.keep.number(self.now(node));
            self.saw_the_store(node);
        }
        let foreign = (self.nodes[node].generation != self.keep.generation).then(|| self.keep.snapshot());
        let (entries, head) = self.keep.page(self.nodes[node].cursor);
        let raises = self.raises.len();
        self.nodes[node].reading = Some(Reading { entries, head, began: self.time, foreign, raises });
    }

    fn apply(&mut self, node: usize) -> Result<(), Broken> {
        let Some(reading) = self.nodes[node].reading.take() else { return Ok(()) };
        let (generation, store_generation) = (self.nodes[node].generation, self.keep.generation);
        match reading.foreign {
            Some(snapshot) if generation != store_generation => self.load_anew(node, &snapshot, reading.raises),
            Some(_) => return Ok(()),
            None => {
                let told = reading.entries.iter().map(|entry| entry.of).collect();
                let raises = reading.entries.into_iter();
                let raises = raises.map(|it| ((it.anchor, it.epochs, it.number.map(|_| it.at)), it.of)).collect();
                self.take_in(node, raises, told);
                if let Some(door) = &mut self.nodes[node].door {
                    door.learn(reading.head.horizon, reading.head.time);
                }
                self.nodes[node].cursor = reading.head.number;
            }
        }
        let node = &mut self.nodes[node];
        node.began = reading.began;
        let of_the_start = self.rules.hold(Rule::FreshnessIsOfTheStart);
        node.says_fresh_since = if of_the_start { reading.began } else { self.time };
        let known = |of: usize| node.learnt.contains(&of) || node.late.iter().any(|(_, late)| *late == of);
        let skipped = (0..reading.raises).find(|of| self.raises[*of].generation == node.generation && !known(*of));
        skipped.map_or(Ok(()), |of| Err(format!("a cursor passed raise {of} by")))
    }

    /// Another generation: what was known says nothing any more.
    fn load_anew(&mut self, node: usize, snapshot: &Snapshot, raises: usize) {
        if let Some(door) = &mut self.nodes[node].door {
            door.rebuild(snapshot);
        }
        let learnt = (0..raises).filter(|of| self.raises[*of].generation == self.keep.generation).collect();
        let node = &mut self.nodes[node];
        (node.generation, node.cursor, node.learnt) = (self.keep.generation, snapshot.number, learnt);
        (node.looking, node.late, node.lookup) = (None, Vec::new(), true);
    }

    fn beat(&mut self, node: usize) {
        if self.nodes[node].door.is_none() || !self.writes(node) {
            return;
        }
        let now = self.now(node);
        self.keep.prune(now);
        self.saw_the_store(node);
        let head = self.keep.head;
        if let Some(door) = &mut self.nodes[node].door {
            door.learn(head.horizon, head.time);
        }
    }

    fn look(&mut self, node: usize) {
        if self.nodes[node].door.is_some() && self.nodes[node].generation == self.keep.generation {
            self.nodes[node].looking = Some((self.keep.snapshot(), self.keep.generation, self.raises.len()));
        }
    }

    fn rebuild(&mut self, node: usize) {
        let Some((snapshot, generation, raises)) = self.nodes[node].looking.take() else { return };
        if let Some(door) = &mut self.nodes[node].door {
            door.rebuild(&snapshot);
        }
        let learnt = (0..raises).filter(|of| self.raises[*of].generation == generation);
        self.nodes[node].learnt.extend(learnt);
        self.nodes[node].lookup = true;
    }

    fn stop(&mut self, node: usize) {
        if self.nodes[node].door.is_none() {
            return;
        }
        let stopped_at = Some(self.keep.snapshot());
        self.nodes[node] = Node { stopped_at, ..Node::down(self.nodes[node].offset) };
    }

    /// Head, horizon and all raises in one snapshot, before anything listens.
    fn start(&mut self, node: usize) {
        if self.nodes[node].door.is_some() {
            return;
        }
        let mut snapshot = self.keep.snapshot();
        if let Some(earlier) = self.nodes[node].stopped_at.take()
            && !self.rules.hold(Rule::StartIsOneSnapshot)
        {
            snapshot.raises = earlier.raises;
        }
        let learnt = (0..self.raises.len()).filter(|of| self.raises[*of].generation == self.keep.generation).collect();
        let door = D::open(&snapshot, self.keep.life, self.rules);
        let (generation, life, time) = (self.keep.generation, self.keep.life, self.time);
        let it = &mut self.nodes[node];
        (it.door, it.generation, it.life, it.cursor) = (Some(door), generation, life, snapshot.number);
        (it.began, it.says_fresh_since, it.store, it.learnt) = (time, time, (snapshot.time, time), learnt);
        it.stopped_at = None;
    }

    /// The store as it was, under a new generation; those at the store start anew.
    fn restore(&mut self) {
        let Some(backup) = self.backup.clone() else { return };
        let at_the_store: Vec<usize> = (0..2).filter(|node| self.writes(*node)).collect();
        at_the_store.iter().for_each(|node| self.stop(*node));
        self.generations += 1;
        self.keep = backup;
        self.keep.generation = self.generations;
        at_the_store.iter().for_each(|node| self.start(*node));
    }

    // The properties.

    /// Whether a door lets a token pass; `None` where it is down.
    fn passes(&mut self, node: usize, token: usize) -> Option<bool> {
        let (now, time) = (self.now(node), self.time);
        let it = &mut self.nodes[node];
        let alive = it.door.as_mut()?.verify(&self.tokens[token].shown, now).is_ok();
        let own_store = self.numbers == Numbers::Inside && node == 0;
        let age = if own_store { 0 } else { time - it.says_fresh_since };
        let unknown_stale = age > FRESH && !it.known.contains(&token) && self.rules.hold(Rule::StaleRefusesUnknown);
        let too_stale = age > MAX_STALE && self.rules.hold(Rule::StaleEndsAtLast);
        Some(alive && !unknown_stale && !too_stale)
    }

    fn inspect(&mut self) -> Result<(), Broken> {
        for node in 0..self.nodes.len() {
            if self.nodes[node].door.is_none() {
                continue;
            }
            for token in 0..self.tokens.len() {
                self.inspect_token(node, token)?;
            }
            let it = &self.nodes[node];
            let dead = |token: &&usize| it.learnt.iter().any(|raise| self.strikes(*raise, **token));
            let settled = !it.lookup && it.connecting.is_none();
            if let Some(token) = it.connections.iter().filter(|_| settled).find(dead) {
                return Err(format!("node {node} keeps a connection of dead token {token}"));
            }
        }
        Ok(())
    }

    fn inspect_token(&mut self, node: usize, token: usize) -> Result<(), Broken> {
        let now = self.now(node);
        let it = &mut self.nodes[node];
        let shown = &self.tokens[token].shown;
        let Some(verdict) = it.door.as_mut().map(|door| door.verify(shown, now)) else { return Ok(()) };
        let told = format!("token {token} at node {node}, clock {now}");
        match verdict {
            Ok(()) => {
                self.seen.passed += 1;
                self.may_live(node, token, now).map_err(|why| format!("{told} lives, but {why}"))?;
            }
            Err(cause) => {
                self.seen.refused[cause as usize] += 1;
                if !self.excuses(node, token, now, cause) {
                    return Err(format!("{told} died by {cause:?} without a cause"));
                }
            }
        }
        if self.passes(node, token) != Some(true) {
            return Ok(());
        }
        let it = &self.nodes[node];
        let own_store = self.numbers == Numbers::Inside && node == 0;
        let known = it.known.contains(&token);
        if !own_store && !known && self.time - it.began > FRESH {
            return Err(format!("{told} is unknown and passed a stale door"));
        }
        let promised = if known { MAX_STALE } else { FRESH };
        let late = |raise: &usize| self.strikes(*raise, token) && self.time - self.raises[*raise].at > promised;
        match (0..self.raises.len()).find(late) {
            Some(raise) if !own_store => Err(format!("{told} outlived raise {raise} beyond what is promised")),
            _ => Ok(()),
        }
    }

    /// No token outlives what the door knows was raised, whatever clocks do.
    fn may_live(&self, node: usize, token: usize, now: i64) -> Result<(), Broken> {
        let (it, token_) = (&self.nodes[node], &self.tokens[token]);
        let shown = &token_.shown;
        if let Some(raise) = it.learnt.iter().find(|raise| self.strikes(**raise, token)) {
            return Err(format!("raise {raise} ({}) is known there", self.raises[*raise].anchor));
        }
        if token_.shown.anchors.is_empty() {
            return Err("it hangs from nothing".to_owned());
        }
        if token_.generation != it.generation {
            return Err("it is of another generation".to_owned());
        }
        if now > shown.exp + GRACE || shown.exp - shown.iat > it.life || shown.iat > now + SKEW {
            return Err("its times forbid it".to_owned());
        }
        Ok(())
    }

    /// None dies without a cause.
    fn excuses(&self, node: usize, token: usize, now: i64, cause: Cause) -> bool {
        let (it, token_) = (&self.nodes[node], &self.tokens[token]);
        let shown = &token_.shown;
        match cause {
            Cause::NoAnchors => shown.anchors.is_empty(),
            Cause::OtherGeneration => token_.generation != it.generation,
            // Past its life by the store's own time, or since lives were shortened.
            Cause::BeforeHorizon => shown.exp < self.greatest_time || shown.exp - shown.iat > token_.least_life,
            Cause::FromTheFuture => shown.iat > now + SKEW,
            Cause::Raised => self.is_stale(token),
            Cause::Expired => now > shown.exp + GRACE,
            Cause::LifeTooLong => shown.exp - shown.iat > it.life,
        }
    }
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
