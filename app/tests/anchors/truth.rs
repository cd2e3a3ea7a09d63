//! What truly happened, kept beside the application: which raises were
//! committed, what each token rests on, which node was told what.

use std::collections::BTreeSet;

use identity::{Anchor, AnchorKind, RaiseKind};
use oauth::token::Claims;

/// A raise as the store's log tells it.
#[derive(Debug, Clone)]
pub(crate) struct Truth {
    pub(crate) anchor: Anchor,
    pub(crate) kind: RaiseKind,
}

/// A token that was handed out.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) claims: Claims,
    /// Everything it must rest on, with the number of raises its load had seen.
    pub(crate) rests_on: Vec<(Anchor, usize)>,
    /// The shortest life set since.
    pub(crate) least_life: i64,
}

impl Token {
    /// Whether a raise strikes it.
    pub(crate) fn is_struck(&self, number: usize, truth: &Truth) -> bool {
        truth.anchor == Anchor::new(AnchorKind::Token, self.claims.jti.clone())
            || self.rests_on.iter().any(|(anchor, seen)| *anchor == truth.anchor && number >= *seen)
    }
}

/// A grant that can be carried on.
#[derive(Debug, Clone)]
pub(crate) struct Family {
    pub(crate) refresh: String,
    pub(crate) spent: Vec<String>,
    pub(crate) rests_on: Vec<(Anchor, usize)>,
    pub(crate) used_at: i64,
}

impl Family {
    /// Ended by an end of anything it rests on, by nothing else.
    pub(crate) fn is_ended(&self, raises: &[Truth]) -> bool {
        let hit = |truth: &Truth, number: usize| {
            self.rests_on.iter().any(|(anchor, seen)| *anchor == truth.anchor && number >= *seen)
        };
        raises.iter().enumerate().any(|(number, truth)| truth.kind == RaiseKind::End && hit(truth, number))
    }
}

/// How often what matters happened.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    pub(crate) alive: u64,
    pub(crate) dead: u64,
    pub(crate) issued: u64,
    pub(crate) refreshed: u64,
    pub(crate) refresh_refused: u64,
    pub(crate) traded: u64,
    pub(crate) trade_refused: u64,
    pub(crate) registered: u64,
    pub(crate) renewed: u64,
    pub(crate) renewal_refused: u64,
    pub(crate) causes: BTreeSet<&'static str>,
}

impl Seen {
    pub(crate) fn add(&mut self, other: &Self) {
        self.issued += other.issued;
        self.refreshed += other.refreshed;
        self.refresh_refused += other.refresh_refused;
        self.traded += other.traded;
        self.trade_refused += other.trade_refused;
        self.registered += other.registered;
        self.renewed += other.renewed;
        self.renewal_refused += other.renewal_refused;
    }
}
