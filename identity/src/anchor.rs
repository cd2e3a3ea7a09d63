//! Anchors: anything with an epoch that can end what hangs from it. Owns their
//! names, their text form in `anc` and how a raise moves an epoch; the index
//! that doors check lives in `authority`.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

/// A number that only grows; the time of the raise in seconds, or 0.
pub type Epoch = u64;

/// The kinds of things that tokens and sessions hang from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AnchorKind {
    /// The tenant; its id is the generation of the store.
    Tenant,
    /// A device model.
    Product,
    /// A certificate authority for devices.
    TrustAnchor,
    /// An OAuth client.
    Client,
    /// A person.
    User,
    /// A household or an organisation.
    Account,
    /// A device as owned.
    Asset,
    /// A device.
    Device,
    /// A credential of a device.
    Credential,
    /// A bond.
    Bond,
    /// A remembered yes.
    Consent,
    /// A session of a browser or a device.
    Session,
    /// All tokens of one grant.
    Family,
    /// A set of rules.
    Ruleset,
    /// One token by its `jti`: no row means alive.
    Token,
}

/// Whether losing an anchor ends the peer itself or one of its rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnchorClass {
    /// A live connection is closed.
    Identity,
    /// A live connection is checked again in place.
    Right,
}

const KINDS: [(AnchorKind, &str); 15] = [
    (AnchorKind::Tenant, "t"),
    (AnchorKind::Product, "p"),
    (AnchorKind::TrustAnchor, "ca"),
    (AnchorKind::Client, "cl"),
    (AnchorKind::User, "u"),
    (AnchorKind::Account, "ac"),
    (AnchorKind::Asset, "as"),
    (AnchorKind::Device, "d"),
    (AnchorKind::Credential, "cr"),
    (AnchorKind::Bond, "b"),
    (AnchorKind::Consent, "co"),
    (AnchorKind::Session, "s"),
    (AnchorKind::Family, "f"),
    (AnchorKind::Ruleset, "r"),
    (AnchorKind::Token, "j"),
];

impl AnchorKind {
    /// The code on the wire.
    pub fn code(self) -> &'static str {
        KINDS.iter().find(|(kind, _)| *kind == self).map_or("", |(_, code)| code)
    }

    /// The kind of a code.
    pub fn parse(code: &str) -> Option<Self> {
        KINDS.iter().find(|(_, known)| *known == code).map(|(kind, _)| *kind)
    }

    /// What its end means for a live connection.
    pub fn class(self) -> AnchorClass {
        match self {
            Self::Bond | Self::Ruleset | Self::Account | Self::Asset | Self::Consent | Self::Product => {
                AnchorClass::Right
            }
            _ => AnchorClass::Identity,
        }
    }
}

/// One anchor: a kind and the id of its record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Anchor {
    /// What it is.
    pub kind: AnchorKind,
    /// Which one.
    pub id: String,
}

impl Anchor {
    /// An anchor of this kind and id.
    pub fn new(kind: AnchorKind, id: impl Into<String>) -> Self {
        Self { kind, id: id.into() }
    }

    /// This anchor as it stood at an epoch.
    pub fn at(self, epoch: Epoch) -> AnchorEpoch {
        AnchorEpoch { anchor: self, epoch }
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind.code(), self.id)
    }
}

/// An anchor with the epoch a token saw: one member of `anc`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct AnchorEpoch {
    /// The anchor.
    pub anchor: Anchor,
    /// Its epoch when the token was made.
    pub epoch: Epoch,
}

impl fmt::Display for AnchorEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.anchor, self.epoch)
    }
}

/// The text is no `<code>.<id>.<epoch>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnchorError;

impl fmt::Display for AnchorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an anchor is <code>.<id>.<epoch>")
    }
}

impl core::error::Error for AnchorError {}

impl FromStr for AnchorEpoch {
    type Err = AnchorError;
    fn from_str(text: &str) -> Result<Self, AnchorError> {
        let (code, rest) = text.split_once('.').ok_or(AnchorError)?;
        let (id, epoch) = rest.rsplit_once('.').ok_or(AnchorError)?;
        let kind = AnchorKind::parse(code).ok_or(AnchorError)?;
        let canonical = epoch == "0" || (!epoch.starts_with('0') && epoch.bytes().all(|b| b.is_ascii_digit()));
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if !canonical || id.is_empty() || id.len() > 64 || !id.bytes().all(plain) {
            return Err(AnchorError);
        }
        Ok(Anchor::new(kind, id).at(epoch.parse().map_err(|_| AnchorError)?))
    }
}

impl TryFrom<String> for AnchorEpoch {
    type Error = AnchorError;
    fn try_from(text: String) -> Result<Self, AnchorError> {
        text.parse()
    }
}

impl Serialize for AnchorEpoch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The list a token carries in `anc`: no anchor twice, the lowest epoch wins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Anchors(Vec<AnchorEpoch>);

impl Anchors {
    /// Adds one; where it is there already, the lower epoch stays.
    pub fn add(&mut self, new: AnchorEpoch) {
        match self.0.iter_mut().find(|known| known.anchor == new.anchor) {
            Some(known) => known.epoch = known.epoch.min(new.epoch),
            None => self.0.push(new),
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &AnchorEpoch> {
        self.0.iter()
    }

    /// Whether there is none. A token of ours without anchors is refused.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The id of the first anchor of a kind.
    pub fn id_of(&self, kind: AnchorKind) -> Option<&str> {
        self.0.iter().find(|a| a.anchor.kind == kind).map(|a| a.anchor.id.as_str())
    }
}

impl FromIterator<AnchorEpoch> for Anchors {
    fn from_iter<I: IntoIterator<Item = AnchorEpoch>>(iter: I) -> Self {
        let mut anchors = Self::default();
        iter.into_iter().for_each(|a| anchors.add(a));
        anchors
    }
}

/// Both numbers of a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Epochs {
    /// Tokens and live connections with a lower one are dead.
    pub epoch: Epoch,
    /// Grants with a lower one are dead.
    pub end_epoch: Epoch,
}

impl Epochs {
    /// After a raise at the store's time in seconds: `max(epoch + 1, time)`,
    /// so that an epoch tells when.
    #[must_use]
    pub fn raised(self, kind: RaiseKind, store_time: u64) -> Self {
        let epoch = (self.epoch + 1).max(store_time);
        let end_epoch = match kind {
            RaiseKind::Cut => self.end_epoch,
            RaiseKind::End => epoch,
        };
        Self { epoch, end_epoch }
    }
}

/// What falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RaiseKind {
    /// Tokens and cached rights: a right narrowed, a device suspended.
    Cut,
    /// Tokens and grants: a bond ended, a device retired, a token reused.
    End,
}

/// A wish to raise; the store gives the numbers when it commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raise {
    /// What is raised.
    pub anchor: Anchor,
    /// What falls.
    pub kind: RaiseKind,
    /// For [`AnchorKind::Token`] alone: the token's `exp`, so that its row can
    /// be forgotten after the last possible renewal.
    pub token_expires: Option<i64>,
}

impl Raise {
    /// Ends what hangs from an anchor, tokens and grants.
    pub fn end(kind: AnchorKind, id: impl Into<String>) -> Self {
        Self { anchor: Anchor::new(kind, id), kind: RaiseKind::End, token_expires: None }
    }

    /// Lets tokens fall, keeps grants.
    pub fn cut(kind: AnchorKind, id: impl Into<String>) -> Self {
        Self { anchor: Anchor::new(kind, id), kind: RaiseKind::Cut, token_expires: None }
    }

    /// Ends one token by its `jti`; `expires` is its `exp` in seconds.
    pub fn token(jti: impl Into<String>, expires: i64) -> Self {
        Self { anchor: Anchor::new(AnchorKind::Token, jti), kind: RaiseKind::End, token_expires: Some(expires) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_comes_back_as_it_went() {
        for text in ["d.dev_9F3K2.0", "t.QmFz-_x.1750000000", "cl.app_mobile.7", "j.at-91.0"] {
            assert_eq!(text.parse::<AnchorEpoch>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_no_anchors() {
        for text in
            ["", "d", "d.x", "zz.x.1", "d..1", "d.x.-1", "d.x.01", "d.x.", "d.x.18446744073709551616", "d.a.b.1"]
        {
            assert_eq!(text.parse::<AnchorEpoch>(), Err(AnchorError), "{text:?}");
        }
    }

    #[test]
    fn the_lowest_epoch_of_one_anchor_is_kept() {
        let anchors: Anchors =
            ["d.x.5", "d.x.3", "d.x.9"].iter().map(|text| text.parse::<AnchorEpoch>().unwrap()).collect();
        assert_eq!(anchors.iter().map(ToString::to_string).collect::<Vec<_>>(), ["d.x.3"]);
    }

    #[test]
    fn a_raise_grows_also_when_the_time_stands_still() {
        let first = Epochs::default().raised(RaiseKind::Cut, 100);
        assert_eq!(first, Epochs { epoch: 100, end_epoch: 0 });
        assert_eq!(first.raised(RaiseKind::End, 100), Epochs { epoch: 101, end_epoch: 101 });
    }
}
