//! The index of raised anchors: what every door checks, in memory, never the
//! store (anchors: the horizon, the start, the rebuild).

use core::cmp::Ordering;
use std::collections::HashMap;

use identity::{Anchor, AnchorKind, Anchors, Epoch, Epochs};

/// How far ahead an `iat` may be, and how far behind the horizon it must not be.
pub const SKEW: i64 = 120;

/// A raise as a door learns of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Raised {
    /// What was raised.
    pub anchor: Anchor,
    /// Its epochs afterwards.
    pub epochs: Epochs,
    /// The store's time of the raise, seconds; `None` without a number: such a
    /// raise is never dropped.
    pub numbered_at: Option<i64>,
}

/// Why what hangs from anchors is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dead {
    /// It lists none.
    NoAnchors,
    /// It is of another generation of the store.
    OtherGeneration,
    /// It was made before what this door may have forgotten.
    BeforeHorizon,
    /// It says it was made later than the clocks can differ.
    FromTheFuture,
    /// An anchor was raised since.
    Raised(AnchorKind),
}

impl Dead {
    /// The named cause.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NoAnchors => "token_without_anchors",
            Self::OtherGeneration => "token_of_another_generation",
            Self::BeforeHorizon => "token_before_horizon",
            Self::FromTheFuture => "token_from_the_future",
            Self::Raised(AnchorKind::Tenant) => "anchor_raised_tenant",
            Self::Raised(AnchorKind::Product) => "anchor_raised_product",
            Self::Raised(AnchorKind::TrustAnchor) => "anchor_raised_trust_anchor",
            Self::Raised(AnchorKind::Client) => "anchor_raised_client",
            Self::Raised(AnchorKind::User) => "anchor_raised_user",
            Self::Raised(AnchorKind::Account) => "anchor_raised_account",
            Self::Raised(AnchorKind::Asset) => "anchor_raised_asset",
            Self::Raised(AnchorKind::Device) => "anchor_raised_device",
            Self::Raised(AnchorKind::Credential) => "anchor_raised_credential",
            Self::Raised(AnchorKind::Bond) => "anchor_raised_bond",
            Self::Raised(AnchorKind::Consent) => "anchor_raised_consent",
            Self::Raised(AnchorKind::Session) => "anchor_raised_session",
            Self::Raised(AnchorKind::Family) => "anchor_raised_family",
            Self::Raised(AnchorKind::Ruleset) => "anchor_raised_ruleset",
            Self::Raised(AnchorKind::Token) => "anchor_raised_token",
        }
    }
}

/// Anchor to epoch, of the raises of the last `W` seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorIndex {
    generation: String,
    horizon: i64,
    raised: HashMap<Anchor, (Epoch, Option<i64>)>,
}

impl AnchorIndex {
    /// An index from one snapshot of the store: generation, horizon and all raises.
    pub fn new(generation: String, horizon: i64, raises: impl IntoIterator<Item = Raised>) -> Self {
        let mut index = Self { generation, horizon, raised: HashMap::new() };
        raises.into_iter().for_each(|raise| index.raise(raise));
        index
    }

    /// Enters a raise; the greater epoch wins, so order and repetition do not
    /// matter. A raise keeps its own number: one that has none yet is not dropped
    /// by the number of an older one.
    pub fn raise(&mut self, raise: Raised) {
        let (epoch, numbered_at) = (raise.epochs.epoch, raise.numbered_at);
        let known = self.raised.entry(raise.anchor).or_insert((epoch, numbered_at));
        match epoch.cmp(&known.0) {
            Ordering::Greater => *known = (epoch, numbered_at),
            Ordering::Equal => known.1 = known.1.max(numbered_at),
            Ordering::Less => {}
        }
    }

    /// Takes a newer snapshot in. Only a new generation replaces; the same one
    /// merges: the greater epoch and the greater horizon win.
    pub fn merge(&mut self, newer: Self) {
        if newer.generation != self.generation {
            *self = newer;
            return;
        }
        self.horizon = self.horizon.max(newer.horizon);
        for (anchor, (epoch, numbered_at)) in newer.raised {
            let epochs = Epochs { epoch, end_epoch: 0 };
            self.raise(Raised { anchor, epochs, numbered_at });
        }
    }

    /// Learns the store's horizon, read with every round.
    pub fn learn_horizon(&mut self, horizon: i64) {
        self.horizon = self.horizon.max(horizon);
    }

    /// Drops raises older than `window` seconds by the store's time; what is
    /// dropped moves this door's own horizon.
    pub fn prune(&mut self, store_time: i64, window: i64) {
        let limit = store_time - window;
        let mut horizon = self.horizon;
        self.raised.retain(|_, (_, numbered_at)| match *numbered_at {
            Some(at) if at < limit => {
                horizon = horizon.max(at);
                false
            }
            _ => true,
        });
        self.horizon = horizon;
    }

    /// Whether what was made at `iat` and hangs from these anchors is alive.
    ///
    /// # Errors
    /// [`Dead`] with the cause.
    pub fn check(&self, anchors: &Anchors, jti: &str, iat: i64, now: i64) -> Result<(), Dead> {
        if anchors.id_of(AnchorKind::Tenant).ok_or(Dead::NoAnchors)? != self.generation {
            return Err(Dead::OtherGeneration);
        }
        if iat > now + SKEW {
            return Err(Dead::FromTheFuture);
        }
        if self.horizon > 0 && iat <= self.horizon + SKEW {
            return Err(Dead::BeforeHorizon);
        }
        if self.raised.is_empty() {
            return Ok(());
        }
        for listed in anchors.iter() {
            if self.raised.get(&listed.anchor).is_some_and(|(epoch, _)| listed.epoch < *epoch) {
                return Err(Dead::Raised(listed.anchor.kind));
            }
        }
        if self.raised.contains_key(&Anchor::new(AnchorKind::Token, jti)) {
            return Err(Dead::Raised(AnchorKind::Token));
        }
        Ok(())
    }

    /// The generation it speaks of.
    pub fn generation(&self) -> &str {
        &self.generation
    }

    /// How many raises it remembers.
    pub fn len(&self) -> usize {
        self.raised.len()
    }

    /// Whether it remembers none.
    pub fn is_empty(&self) -> bool {
        self.raised.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raised(text: &str, at: i64) -> Raised {
        let parsed: identity::AnchorEpoch = text.parse().unwrap();
        let epochs = Epochs { epoch: parsed.epoch, end_epoch: 0 };
        Raised { anchor: parsed.anchor, epochs, numbered_at: Some(at) }
    }

    fn anchors(list: &[&str]) -> Anchors {
        list.iter().map(|text| text.parse::<identity::AnchorEpoch>().unwrap()).collect()
    }

    #[test]
    fn a_raise_kills_what_lists_a_lower_epoch_and_nothing_else() {
        let index = AnchorIndex::new("g".into(), 0, [raised("d.x.1000", 1000)]);
        assert_eq!(index.check(&anchors(&["t.g.0", "d.x.0"]), "j", 990, 1000), Err(Dead::Raised(AnchorKind::Device)));
        assert_eq!(index.check(&anchors(&["t.g.0", "d.x.1000"]), "j", 1000, 1000), Ok(()));
        assert_eq!(index.check(&anchors(&["t.g.0", "d.x.1001"]), "j", 1001, 1001), Ok(()), "newer than our knowledge");
        assert_eq!(index.check(&anchors(&["t.g.0", "d.y.0"]), "j", 990, 1000), Ok(()));
    }

    #[test]
    fn a_token_without_anchors_or_of_another_generation_is_refused() {
        let index = AnchorIndex::new("g".into(), 0, []);
        assert_eq!(index.check(&anchors(&[]), "j", 1, 1), Err(Dead::NoAnchors));
        assert_eq!(index.check(&anchors(&["d.x.0"]), "j", 1, 1), Err(Dead::NoAnchors));
        assert_eq!(index.check(&anchors(&["t.old.0"]), "j", 1, 1), Err(Dead::OtherGeneration));
    }

    #[test]
    fn forgetting_a_raise_brings_nothing_back() {
        let mut index = AnchorIndex::new("g".into(), 0, [raised("d.x.1000", 1000)]);
        index.prune(1000 + 301, 300);
        assert!(index.is_empty());
        assert_eq!(index.check(&anchors(&["t.g.0", "d.x.0"]), "j", 999, 1302), Err(Dead::BeforeHorizon));
        assert_eq!(index.check(&anchors(&["t.g.0", "d.x.0"]), "j", 1120, 1302), Err(Dead::BeforeHorizon));
        assert_eq!(index.check(&anchors(&["t.g.0", "d.x.1000"]), "j", 1121, 1302), Ok(()));
    }

    #[test]
    fn a_raise_without_a_number_is_never_dropped() {
        let mut unnumbered = raised("d.x.1000", 1000);
        unnumbered.numbered_at = None;
        let mut index = AnchorIndex::new("g".into(), 0, [unnumbered]);
        index.prune(9_999_999, 300);
        assert_eq!(index.len(), 1);
    }

    #[test]
    fn a_raise_without_a_number_is_not_dropped_by_the_number_of_an_older_one() {
        let mut newer = raised("d.x.1250", 1250);
        newer.numbered_at = None;
        let mut index = AnchorIndex::new("g".into(), 0, [raised("d.x.1000", 1000), newer]);
        index.prune(1000 + 301, 300);
        assert_eq!(
            index.check(&anchors(&["t.g.0", "d.x.1000"]), "j", 1200, 1301),
            Err(Dead::Raised(AnchorKind::Device))
        );
        index.raise(raised("d.x.1250", 1260));
        index.prune(1260 + 301, 300);
        assert!(index.is_empty(), "its number came");
    }

    #[test]
    fn a_rebuild_merges_and_only_a_new_generation_replaces() {
        let mut index = AnchorIndex::new("g".into(), 5, [raised("d.x.1000", 1000)]);
        index.merge(AnchorIndex::new("g".into(), 3, [raised("d.x.900", 900), raised("b.y.7", 7)]));
        assert_eq!(index.check(&anchors(&["t.g.0", "d.x.999"]), "j", 999, 999), Err(Dead::Raised(AnchorKind::Device)));
        assert_eq!(index.len(), 2);
        index.merge(AnchorIndex::new("h".into(), 0, []));
        assert!(index.is_empty());
    }

    #[test]
    fn a_token_made_later_than_clocks_can_differ_is_refused() {
        let index = AnchorIndex::new("g".into(), 0, []);
        assert_eq!(index.check(&anchors(&["t.g.0"]), "j", 1120, 1000), Ok(()));
        assert_eq!(index.check(&anchors(&["t.g.0"]), "j", 1121, 1000), Err(Dead::FromTheFuture));
    }

    #[test]
    fn one_token_is_ended_by_its_jti() {
        let index = AnchorIndex::new("g".into(), 0, [raised("j.at-1.1000", 1000)]);
        assert_eq!(index.check(&anchors(&["t.g.0"]), "at-1", 999, 999), Err(Dead::Raised(AnchorKind::Token)));
        assert_eq!(
            index.check(&anchors(&["t.g.0", "j.at-1.0"]), "at-2", 999, 999),
            Err(Dead::Raised(AnchorKind::Token))
        );
        assert_eq!(index.check(&anchors(&["t.g.0"]), "at-2", 999, 999), Ok(()));
    }
}
