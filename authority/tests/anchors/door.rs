//! Doors: the product's own, and the contract's sentences stated once more, in
//! the slowest words, with every rule to be switched off.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use authority::{AnchorIndex, Authority, KeySet, Raised, Start};
use identity::{Anchor, AnchorKind, Anchors, Epochs, Tenant};
use jose::base64url;
use jose::seal::SealingKey;
use oauth::token::{Audience, Claims};

use crate::keep::Snapshot;
use crate::rules::{Rule, Rules};

pub(crate) const SKEW: i64 = 120;
pub(crate) const GRACE: i64 = 60;
const ISSUER: &str = "https://id.example.com";

/// What a door is shown.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Shown {
    pub(crate) jti: String,
    pub(crate) iat: i64,
    pub(crate) exp: i64,
    pub(crate) anchors: Vec<identity::AnchorEpoch>,
    /// Sealed, for doors that read text.
    pub(crate) text: Option<String>,
}

/// Why a door refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Cause {
    NoAnchors,
    OtherGeneration,
    BeforeHorizon,
    FromTheFuture,
    Raised,
    Expired,
    LifeTooLong,
}

pub(crate) trait Door: Sized {
    /// Whether tokens must be sealed for it.
    const READS_TEXT: bool;
    fn open(snapshot: &Snapshot, life: i64, rules: Rules) -> Self;
    fn raise(&mut self, raise: &Raised);
    fn learn(&mut self, horizon: i64, time: i64);
    fn rebuild(&mut self, snapshot: &Snapshot);
    fn verify(&mut self, token: &Shown, now: i64) -> Result<(), Cause>;
}

/// The product: a whole authority, reading sealed tokens through its cache.
pub(crate) struct Real(Authority);

fn index_of(snapshot: &Snapshot) -> AnchorIndex {
    AnchorIndex::new(snapshot.generation.clone(), snapshot.horizon, snapshot.raises.iter().cloned())
}

fn tenant(generation: &str, life: i64) -> Tenant {
    let generation = generation.to_owned();
    Tenant { issuer: ISSUER.into(), device_url: String::new(), generation, max_token_life: life }
}

fn sealing_key() -> SealingKey {
    SealingKey::new("k", [7; 32]).unwrap()
}

/// The token as the product seals it.
pub(crate) fn seal(token: &Shown) -> String {
    let anc: Anchors = token.anchors.iter().cloned().collect();
    let (iss, aud) = (ISSUER.to_owned(), Audience(vec![ISSUER.to_owned()]));
    let (jti, iat, exp) = (token.jti.clone(), token.iat, token.exp);
    let claims = Claims { iss, aud, jti, iat, exp, anc, sub: "s".into(), client_id: "c".into(), ..Claims::default() };
    let claims = serde_json::to_vec(&claims).unwrap();
    let sealed = sealing_key().seal([3; 24], authority::OPAQUE_PREFIX.as_bytes(), &claims);
    format!("{}{}", authority::OPAQUE_PREFIX, base64url::encode(&sealed))
}

fn cause(reason: &str) -> Cause {
    match reason {
        "token_without_anchors" => Cause::NoAnchors,
        "token_of_another_generation" => Cause::OtherGeneration,
        "token_before_horizon" => Cause::BeforeHorizon,
        "token_from_the_future" => Cause::FromTheFuture,
        "token_expired" => Cause::Expired,
        "token_life_out_of_range" => Cause::LifeTooLong,
        raised if raised.starts_with("anchor_raised_") => Cause::Raised,
        other => panic!("a cause no history can bring about: {other}"),
    }
}

impl Door for Real {
    const READS_TEXT: bool = true;

    fn open(snapshot: &Snapshot, life: i64, _: Rules) -> Self {
        let start = Start { secret: [1; 32], restarted_at: None, proof_room: 1, token_room: 4, shared: None };
        let mut keys = KeySet::default();
        keys.add_sealing(Arc::new(sealing_key()));
        Self(Authority::new(tenant(&snapshot.generation, life), index_of(snapshot), keys, start))
    }

    fn raise(&mut self, raise: &Raised) {
        self.0.raise([raise.clone()]);
    }

    fn learn(&mut self, horizon: i64, time: i64) {
        self.0.learn_head(horizon, time);
    }

    fn rebuild(&mut self, snapshot: &Snapshot) {
        self.0.rebuild(index_of(snapshot));
    }

    fn verify(&mut self, token: &Shown, now: i64) -> Result<(), Cause> {
        let text = token.text.as_deref().unwrap();
        self.0.verify(text, now).map(drop).map_err(|refusal| cause(refusal.reason))
    }
}

/// The contract, stated once more.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Stated {
    rules: Rules,
    generation: String,
    horizon: i64,
    life: i64,
    raised: BTreeMap<Anchor, (u64, Option<i64>)>,
    seen: BTreeSet<String>,
}

impl Door for Stated {
    const READS_TEXT: bool = false;

    fn open(snapshot: &Snapshot, life: i64, rules: Rules) -> Self {
        let horizon = if rules.hold(Rule::StoresHorizonIsLearnt) { snapshot.horizon } else { 0 };
        let (raised, seen) = (BTreeMap::new(), BTreeSet::new());
        let mut door = Self { rules, generation: snapshot.generation.clone(), horizon, life, raised, seen };
        snapshot.raises.iter().for_each(|raise| door.raise(raise));
        door
    }

    fn raise(&mut self, raise: &Raised) {
        let (epoch, numbered_at) = (raise.epochs.epoch, raise.numbered_at);
        let known = self.raised.get(&raise.anchor).copied();
        let entry = match known {
            None => (epoch, numbered_at),
            Some(_) if !self.rules.hold(Rule::GreaterEpochWins) => (epoch, numbered_at),
            Some(known) if known.0 > epoch => known,
            Some(known) if known.0 == epoch => (epoch, known.1.max(numbered_at)),
            Some(known) if !self.rules.hold(Rule::NewerRaiseTakesItsOwnNumber) => (epoch, numbered_at.or(known.1)),
            Some(_) => (epoch, numbered_at),
        };
        self.raised.insert(raise.anchor.clone(), entry);
    }

    fn learn(&mut self, horizon: i64, time: i64) {
        if self.rules.hold(Rule::StoresHorizonIsLearnt) {
            self.horizon = self.horizon.max(horizon);
        }
        let limit = time - (self.life + SKEW);
        let unnumbered = if self.rules.hold(Rule::UnnumberedIsNeverDropped) { i64::MAX } else { i64::MIN };
        let old: Vec<(Anchor, i64)> =
            self.raised.iter().map(|(a, (_, at))| (a.clone(), at.unwrap_or(unnumbered))).collect();
        for (anchor, at) in old.into_iter().filter(|(_, at)| *at < limit) {
            self.raised.remove(&anchor);
            if self.rules.hold(Rule::DroppingMovesTheHorizon) {
                self.horizon = self.horizon.max(at);
            }
        }
    }

    fn rebuild(&mut self, snapshot: &Snapshot) {
        let other = snapshot.generation != self.generation;
        let replace = (other && self.rules.hold(Rule::NewGenerationReplaces)) || !self.rules.hold(Rule::RebuildMerges);
        if replace {
            let seen = core::mem::take(&mut self.seen);
            *self = Self { seen, ..Self::open(snapshot, self.life, self.rules) };
            return;
        }
        self.horizon = self.horizon.max(snapshot.horizon);
        snapshot.raises.iter().for_each(|raise| self.raise(raise));
    }

    fn verify(&mut self, token: &Shown, now: i64) -> Result<(), Cause> {
        if !self.rules.hold(Rule::HitsAreCheckedAgain) && self.seen.contains(&token.jti) {
            return Ok(());
        }
        self.judge(token, now)?;
        if !self.rules.hold(Rule::HitsAreCheckedAgain) {
            self.seen.insert(token.jti.clone());
        }
        Ok(())
    }
}

impl Stated {
    fn judge(&self, token: &Shown, now: i64) -> Result<(), Cause> {
        let rules = self.rules;
        let refuse =
            |rule: Rule, wrong: bool, cause: Cause| if wrong && rules.hold(rule) { Err(cause) } else { Ok(()) };
        refuse(Rule::TimesAreChecked, now > token.exp + GRACE, Cause::Expired)?;
        refuse(Rule::TimesAreChecked, token.exp - token.iat > self.life, Cause::LifeTooLong)?;
        let generation = token.anchors.iter().find(|it| it.anchor.kind == AnchorKind::Tenant).map(|it| &it.anchor.id);
        refuse(Rule::AnchorsAreDemanded, generation.is_none(), Cause::NoAnchors)?;
        let other = generation.is_some_and(|id| *id != self.generation);
        refuse(Rule::GenerationIsChecked, other, Cause::OtherGeneration)?;
        let tolerance = if rules.hold(Rule::ClocksMayDiffer) { SKEW } else { 0 };
        refuse(Rule::AheadIsRefused, token.iat > now + tolerance, Cause::FromTheFuture)?;
        let margin = if rules.hold(Rule::HorizonHasAMargin) { SKEW } else { 0 };
        let before = self.horizon > 0 && token.iat <= self.horizon + margin;
        refuse(Rule::HorizonRefuses, before, Cause::BeforeHorizon)?;
        for listed in &token.anchors {
            let epoch = self.raised.get(&listed.anchor).map(|(epoch, _)| *epoch);
            let lower = epoch.is_some_and(|epoch| listed.epoch < epoch);
            refuse(Rule::LowerEpochIsDead, lower, Cause::Raised)?;
            if !rules.hold(Rule::EqualEpochLives) && epoch == Some(listed.epoch) {
                return Err(Cause::Raised);
            }
        }
        let own = self.raised.contains_key(&Anchor::new(AnchorKind::Token, token.jti.clone()));
        refuse(Rule::OwnIdIsChecked, own, Cause::Raised)
    }
}

/// Both at once: they must never differ.
pub(crate) struct Both {
    real: Real,
    stated: Stated,
}

impl Door for Both {
    const READS_TEXT: bool = true;

    fn open(snapshot: &Snapshot, life: i64, rules: Rules) -> Self {
        Self { real: Real::open(snapshot, life, rules), stated: Stated::open(snapshot, life, rules) }
    }

    fn raise(&mut self, raise: &Raised) {
        self.real.raise(raise);
        self.stated.raise(raise);
    }

    fn learn(&mut self, horizon: i64, time: i64) {
        self.real.learn(horizon, time);
        self.stated.learn(horizon, time);
    }

    fn rebuild(&mut self, snapshot: &Snapshot) {
        self.real.rebuild(snapshot);
        self.stated.rebuild(snapshot);
    }

    fn verify(&mut self, token: &Shown, now: i64) -> Result<(), Cause> {
        let (real, stated) = (self.real.verify(token, now), self.stated.verify(token, now));
        assert_eq!(real, stated, "the product and the contract differ about {token:?} at {now}: {:?}", self.stated);
        real
    }
}

/// The product's index with the times the contract states: small enough to be
/// copied and compared by the walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Indexed {
    index: AnchorIndex,
    /// Says which states are the same; compared with the index at each check.
    stated: Stated,
}

impl core::hash::Hash for Indexed {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.stated.hash(state);
    }
}

impl Door for Indexed {
    const READS_TEXT: bool = false;

    fn open(snapshot: &Snapshot, life: i64, rules: Rules) -> Self {
        Self { index: index_of(snapshot), stated: Stated::open(snapshot, life, rules) }
    }

    fn raise(&mut self, raise: &Raised) {
        self.index.raise(raise.clone());
        self.stated.raise(raise);
    }

    fn learn(&mut self, horizon: i64, time: i64) {
        self.index.learn_horizon(horizon);
        self.index.prune(time, self.stated.life + SKEW);
        self.stated.learn(horizon, time);
    }

    fn rebuild(&mut self, snapshot: &Snapshot) {
        self.index.merge(index_of(snapshot));
        self.stated.rebuild(snapshot);
    }

    fn verify(&mut self, token: &Shown, now: i64) -> Result<(), Cause> {
        let stated = self.stated.verify(token, now);
        if matches!(stated, Err(Cause::Expired | Cause::LifeTooLong)) {
            return stated;
        }
        let anchors: Anchors = token.anchors.iter().cloned().collect();
        let real = self.index.check(&anchors, &token.jti, token.iat, now).map_err(|dead| cause(dead.reason()));
        assert_eq!(real, stated, "{token:?} at {now}: {self:?}");
        real
    }
}

/// A raise as doors are told of it.
pub(crate) fn told(anchor: &Anchor, epochs: Epochs, numbered_at: Option<i64>) -> Raised {
    Raised { anchor: anchor.clone(), epochs, numbered_at }
}
