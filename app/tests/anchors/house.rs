//! One store, two nodes with clocks of their own, the records tokens hang
//! from, and what can happen to them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use app::mailer::{Mail, Mailer, Sending};
use app::{App, MasterKey, Ports, Settings};
use authority::{AnchorIndex, Clock, Entropy, Raised};
use identity::bond::BondRole;
use identity::{Anchor, AnchorEpoch, AnchorKind, Epochs, Raise, RaiseKind};
use oauth::client::{ClientRights, GrantType};
use oauth::{Client, Consent, Scope};
use store::conformance::sample;
use store::{Change, Commit, EventQuery, Store};
use store_sqlite::{SqliteStore, TenantSettings};

use crate::truth::{Family, Seen, Token, Truth};

pub(crate) const ISSUER: &str = "https://id.example.com";
const DEVICES: &str = "https://device.example.com";
const BEGAN: i64 = sample::BEGAN;
const LIVES: [i64; 2] = [300, 900];

/// A small generator with a seed (xorshift), so that a failure comes back.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % bound.max(1)
    }

    pub(crate) fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

/// The time of the world, and how far one node's clock is ahead of it.
struct NodeClock {
    time: Arc<AtomicI64>,
    ahead: AtomicI64,
}

impl Clock for NodeClock {
    fn now_ms(&self) -> u64 {
        let now = self.time.load(Ordering::SeqCst) + self.ahead.load(Ordering::SeqCst);
        u64::try_from(now).unwrap() * 1000
    }
}

/// Chance that repeats itself from run to run.
struct TestEntropy(Arc<AtomicU64>);

impl Entropy for TestEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        for part in buffer.chunks_mut(8) {
            let drawn = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
            let mixed = (drawn ^ (drawn >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9).to_le_bytes();
            part.copy_from_slice(&mixed[..part.len()]);
        }
    }
}

struct NoMailer;

impl Mailer for NoMailer {
    fn send(&self, _: Mail) -> Sending<'_> {
        Box::pin(async { Ok(()) })
    }
    fn is_folder(&self) -> bool {
        true
    }
}

pub(crate) struct Node {
    pub(crate) app: Arc<App>,
    clock: Arc<NodeClock>,
    cursor: u64,
    learnt: BTreeSet<usize>,
}

pub(crate) struct House {
    folder: tempfile::TempDir,
    pub(crate) store: Option<Arc<SqliteStore>>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) chance: Chance,
    time: Arc<AtomicI64>,
    drawn: Arc<AtomicU64>,
    pub(crate) life: i64,
    pub(crate) tokens: Vec<Token>,
    pub(crate) families: Vec<Family>,
    pub(crate) raises: Vec<Truth>,
    log: u64,
    store_time: i64,
    pub(crate) told: Vec<String>,
    pub(crate) seen: Seen,
    pub(crate) made: u64,
    /// Asset tokens with the keys of their devices.
    pub(crate) keys: Vec<(String, Arc<jose::SigningKey>)>,
}

impl House {
    pub(crate) async fn new(chance: Chance) -> Self {
        let mut house = Self {
            folder: tempfile::tempdir().unwrap(),
            store: None,
            nodes: Vec::new(),
            chance,
            time: Arc::new(AtomicI64::new(BEGAN)),
            drawn: Arc::new(AtomicU64::new(1)),
            life: LIVES[1],
            tokens: Vec::new(),
            families: Vec::new(),
            raises: Vec::new(),
            log: 0,
            store_time: 0,
            told: Vec::new(),
            seen: Seen::default(),
            made: 0,
            keys: Vec::new(),
        };
        house.open();
        house.furnish().await;
        for _ in 0..2 {
            let clock = Arc::new(NodeClock { time: Arc::clone(&house.time), ahead: AtomicI64::new(0) });
            house.nodes.push(house.started(clock).await);
        }
        house
    }

    fn open(&mut self) {
        let (issuer, device_url) = (ISSUER.into(), DEVICES.into());
        let settings = TenantSettings { issuer, device_url, max_token_life: self.life };
        self.store = Some(Arc::new(SqliteStore::open(self.folder.path().join("store"), settings).unwrap()));
    }

    pub(crate) fn store(&self) -> &SqliteStore {
        self.store.as_ref().unwrap()
    }

    /// A product, two customers in their households, a service and an app.
    async fn furnish(&self) {
        let audiences = vec![ISSUER.to_owned(), "https://api.example.com".to_owned()];
        let rights = ClientRights { asset_tokens: true, ..ClientRights::default() };
        let scopes = Scope::of(["openid", "offline_access", "device:register", "telemetry:write"]);
        let grant_types = GrantType::ALL.to_vec();
        let redirect_uris = vec!["https://app.example/back".to_owned()];
        let app = Client { grant_types, scopes, audiences, rights, redirect_uris, ..sample::client("app") };
        let mut service = Client { id: "service".parse().unwrap(), ..app.clone() };
        service.auth = oauth::client::AuthMethod::ClientSecretPost;
        service.secret = Some(identity::Digest::from_base64url(app::digest_text(b"secret")));
        let mut product = sample::product("SPK");
        product.self_registration = true;
        product.scopes = vec!["telemetry:write".to_owned()];
        let mut changes: Vec<Change> = vec![sample::new(app), sample::new(service), sample::new(product)];
        for person in ["1", "2"] {
            changes.push(sample::new(sample::account(person)));
            changes.push(sample::new(sample::user(person, person)));
            changes.push(sample::new(sample::bond(person, person, &format!("acc_{person}"), BondRole::Owner)));
            let mut session = sample::browser_session(person, person);
            session.expires_at = BEGAN + 400 * 86_400;
            session.secret = sample::digest(&format!("cookie-{person}"));
            changes.push(sample::new(session));
            let scope = Scope::of(["openid", "offline_access", "device:register"]);
            changes.push(sample::new(Consent { scope, ..sample::consent(person, person, "app") }));
        }
        sample::keep(self.store(), changes).await;
    }

    async fn started(&self, clock: Arc<NodeClock>) -> Node {
        let store: Arc<dyn Store> = Arc::clone(self.store.as_ref().unwrap()) as Arc<dyn Store>;
        let cursor = store.head().await.unwrap().number;
        let clock_port: Arc<dyn Clock> = Arc::clone(&clock) as Arc<dyn Clock>;
        let entropy = Arc::new(TestEntropy(Arc::clone(&self.drawn)));
        let ports = Ports { store, clock: clock_port, entropy, mailer: Arc::new(NoMailer) };
        let settings = Settings { max_token_life: self.life, ..Settings::new(ISSUER, DEVICES) };
        let app = Arc::new(App::start(settings, &MasterKey::new([7; 32]), ports).await.unwrap());
        Node { app, clock, cursor, learnt: (0..self.raises.len()).collect() }
    }

    /// Sets a node's clock so far ahead of the world's time.
    pub(crate) fn set_clock(&self, node: usize, ahead: i64) {
        self.nodes[node].clock.ahead.store(ahead, Ordering::SeqCst);
    }

    pub(crate) fn go_by(&self, seconds: i64) {
        self.time.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn now(&self, node: usize) -> i64 {
        self.nodes[node].app.now()
    }

    /// Does one thing; in words.
    pub(crate) async fn step(&mut self) -> String {
        let node = self.chance.below(2);
        let told = match self.chance.below(23) {
            0 | 1 => self.redeem(node).await,
            2 | 3 => self.refresh(node).await,
            4 => self.serve(node).await,
            5 | 6 => self.register(node).await,
            7 | 8 => self.trade(node).await,
            9 => self.revoke(node).await,
            10..=12 => self.raise(node).await,
            13 | 14 => self.follow(node).await,
            15..=17 => self.pass(),
            18 => self.beat(node).await,
            20 | 21 => self.renew(node).await,
            19 => self.restart(node).await,
            _ => self.rarely(node).await,
        };
        self.read_log(node).await;
        let told = format!("node {node}: {told}");
        self.told.push(told.clone());
        told
    }

    async fn rarely(&mut self, node: usize) -> String {
        match self.chance.below(4) {
            0 => self.change_life().await,
            1 => self.replay(node).await,
            2 => self.rebuild(node).await,
            _ => {
                let ahead = self.chance.of(&[0, 30, -30, 60, -60, 0, 7_200]);
                self.set_clock(node, ahead);
                format!("its clock is {ahead} ahead")
            }
        }
    }

    fn pass(&mut self) -> String {
        let window = self.life + 120;
        let seconds = self.chance.of(&[1, 5, 61, 121, self.life / 2, self.life + 61, window + 1, 2 * window + 1]);
        self.time.fetch_add(seconds, Ordering::SeqCst);
        format!("{seconds} s go by")
    }

    /// Raises anything a token hangs from, as a commit of this node.
    async fn raise(&mut self, node: usize) -> String {
        let Some(token) = self.any_token() else { return "nothing to raise".to_owned() };
        let listed: Vec<Anchor> = token
            .claims
            .anc
            .iter()
            .map(|listed| listed.anchor.clone())
            .filter(|anchor| anchor.kind != AnchorKind::Tenant)
            .collect();
        let number = self.chance.below(listed.len());
        let anchor = listed[number].clone();
        let kind = self.chance.of(&[RaiseKind::Cut, RaiseKind::Cut, RaiseKind::End]);
        let wish = match anchor.kind {
            AnchorKind::Token => Raise::token(anchor.id.clone(), token.claims.exp),
            _ => Raise { anchor: anchor.clone(), kind, token_expires: None },
        };
        let events = vec![sample::event("raise")];
        let commit = Commit { changes: vec![wish.into()], events, now: self.now(node), ..Commit::default() };
        let committed = self.store().commit(commit).await.unwrap();
        // As the loop of every use case does, before anybody is answered.
        self.nodes[node].app.authority().raise(committed.raised.into_iter().map(as_door));
        format!("{kind:?} of {anchor}")
    }

    pub(crate) fn any_token(&mut self) -> Option<Token> {
        let count = self.tokens.len();
        // Mostly young ones.
        let back = self.chance.below(count.min(8));
        self.tokens.get(count.checked_sub(back + 1)?).cloned()
    }

    /// Reads on in the log and enters what was raised.
    async fn follow(&mut self, node: usize) -> String {
        let after = self.nodes[node].cursor;
        let query = EventQuery { after, kinds: Vec::new(), raises_only: true, subject: None, limit: 1_000 };
        let page = self.store().load_events(query).await.unwrap();
        let raised: Vec<Raised> = page.events.iter().flat_map(|event| raised_by(&event.data, event.time)).collect();
        let count = raised.len();
        self.nodes[node].app.authority().raise(raised);
        self.nodes[node].cursor = page.next;
        let all = 0..self.raises.len();
        self.nodes[node].learnt.extend(all);
        format!("follows to {}, {count} raises", page.next)
    }

    async fn beat(&mut self, node: usize) -> String {
        self.nodes[node].app.beat().await.unwrap();
        "beats".to_owned()
    }

    async fn restart(&mut self, node: usize) -> String {
        let clock = Arc::clone(&self.nodes[node].clock);
        self.nodes[node] = self.started(clock).await;
        "starts anew".to_owned()
    }

    /// Takes a whole snapshot in beside what it knows.
    async fn rebuild(&mut self, node: usize) -> String {
        let (head, raises) = self.store().load_raises().await.unwrap();
        let index = AnchorIndex::new(head.generation, head.horizon, raises.into_iter().map(as_door));
        self.nodes[node].app.authority().rebuild(index);
        let all = 0..self.raises.len();
        self.nodes[node].learnt.extend(all);
        "reads all raises".to_owned()
    }

    /// All stop; tokens live longer or shorter from now on.
    async fn change_life(&mut self) -> String {
        self.life = self.chance.of(&LIVES);
        let clocks: Vec<_> = self.nodes.drain(..).map(|node| node.clock).collect();
        self.store.take().unwrap().close();
        self.open();
        for clock in clocks {
            let node = self.started(clock).await;
            self.nodes.push(node);
        }
        let life = self.life;
        self.tokens.iter_mut().for_each(|token| token.least_life = token.least_life.min(life));
        format!("tokens live {life} s from now on")
    }

    /// What the step committed, by whom: the truth comes from the log alone.
    async fn read_log(&mut self, node: usize) {
        let query = EventQuery { after: self.log, kinds: Vec::new(), raises_only: true, subject: None, limit: 1_000 };
        let page = self.store().load_events(query).await.unwrap();
        self.log = page.next;
        self.store_time = self.store_time.max(page.head.time);
        for raised in page.events.iter().flat_map(|event| raised_by(&event.data, event.time)) {
            let now = self.store().load_epochs(vec![raised.anchor.clone()]).await.unwrap()[0];
            let ended = now.is_none_or(|epochs| epochs.end_epoch >= raised.epochs.epoch);
            let kind = if ended { RaiseKind::End } else { RaiseKind::Cut };
            self.nodes[node].learnt.insert(self.raises.len());
            self.raises.push(Truth { anchor: raised.anchor, kind });
        }
    }

    /// Shows every token to every node.
    pub(crate) fn inspect(&self, seen: &mut Seen) -> Result<(), String> {
        for (number, node) in self.nodes.iter().enumerate() {
            for token in &self.tokens {
                let verdict = node.app.authority().verify(&token.text, node.app.now());
                let struck = |of: &usize| self.raises.get(*of).is_some_and(|truth| token.is_struck(*of, truth));
                let told = || format!("token {} at node {number}", token.claims.jti);
                match verdict {
                    Ok(_) => {
                        seen.alive += 1;
                        if let Some(of) = node.learnt.iter().find(|of| struck(of)) {
                            return Err(format!("{} outlives {:?}", told(), self.raises[*of]));
                        }
                    }
                    Err(refusal) => {
                        seen.dead += 1;
                        seen.causes.insert(refusal.reason);
                        let any = (0..self.raises.len()).any(|of| struck(&of));
                        if !self.excuses(token, refusal.reason, node.app.now(), any) {
                            return Err(format!("{} died by {} without a cause", told(), refusal.reason));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn excuses(&self, token: &Token, reason: &str, now: i64, struck: bool) -> bool {
        let (iat, exp) = (token.claims.iat, token.claims.exp);
        match reason {
            "token_expired" => now > exp + 60,
            "token_life_out_of_range" => exp - iat > self.life,
            "token_before_horizon" => exp < self.store_time || exp - iat > token.least_life,
            "token_from_the_future" | "token_not_yet_valid" => iat > now + 120,
            other => other.starts_with("anchor_raised_") && struck,
        }
    }
}

fn as_door(raised: store::Raised) -> Raised {
    let epochs = Epochs { epoch: raised.epoch, end_epoch: raised.end_epoch };
    Raised { anchor: raised.anchor, epochs, numbered_at: raised.number.map(|_| raised.at) }
}

/// The raises an event tells, `code.id.epoch` each.
fn raised_by(data: &str, at: i64) -> Vec<Raised> {
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let list = data["raised"].as_array().cloned().unwrap_or_default();
    let parsed = list.iter().map(|text| text.as_str().unwrap().parse::<AnchorEpoch>().unwrap());
    parsed
        .map(|it| Raised { anchor: it.anchor, epochs: Epochs { epoch: it.epoch, end_epoch: 0 }, numbered_at: Some(at) })
        .collect()
}
