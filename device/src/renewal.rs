//! An asset token kept alive for years, without app or owner.
//!
//! Owns: when to renew, what to try next when a way is refused, and how long
//! to leave a server alone that is not well. Does not own: the requests, which
//! are those of the machines it drives; keeping what it yields.

mod ladder;
mod timing;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::address::Address;
use crate::call_home::{CallHome, Hello, Way};
use crate::client_auth::ClientAuth;
use crate::clock::AskTime;
use crate::exchange::Exchange;
use crate::kept::Kept;
use crate::machine::{Given, Input, Machine, Output};
use crate::pairing::Pairing;
use crate::refresh::Refresh;
use crate::refusal::{AnswerError, Failure, Refused};
use crate::token::Tokens;
pub use timing::BackOff;
use timing::Schedule;

/// Where and as whom a device renews.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The token endpoint; the one for mutual TLS where the token is bound to
    /// a certificate.
    pub token_url: Address,
    /// How this software names itself there.
    pub client: ClientAuth,
    /// Any address of the device host.
    pub device_url: Address,
    /// How the device calls home. The token of a call home renews only when it
    /// is bound to the key ([`Way::Certificate`] with `bound_to_key`, or a
    /// challenge).
    pub way: Way,
    /// What it says of itself there.
    pub hello: Hello,
}

/// A way to a new token, in the order they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    /// By the refresh token, where the asset token came with one.
    Refresh,
    /// By the old asset token and proof of the key, until 30 days after its
    /// end.
    Key,
    /// By the token of a call home, for the bond it names.
    CallHome,
    /// By a person, with a code.
    Pairing,
}

/// Why a way led nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The asset token ended more than 30 days ago.
    TooLate,
    /// The server said no.
    Refused(Refused),
    /// The server's answers broke the protocol, three times.
    Answers(AnswerError),
    /// The server knows the device, and nobody owns it.
    NoOwner,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::TooLate => f.write_str("the token ended more than 30 days ago"),
            Why::Refused(refused) => refused.fmt(f),
            Why::Answers(error) => write!(f, "the server's answers cannot be used: {error}"),
            Why::NoOwner => f.write_str("nobody owns this device"),
        }
    }
}

/// A way that led nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fall {
    /// Which.
    pub rung: Rung,
    /// Why.
    pub why: Why,
}

/// What a renewal came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A new asset token: keep it, then begin the next renewal with it.
    Asset {
        /// The token.
        kept: Kept,
        /// The way it came by.
        by: Rung,
    },
    /// Tokens of a new pairing.
    Paired(Kept),
    /// Nothing the device has makes a token: a person must pair it. The old
    /// asset token may be forgotten.
    NeedsOwner,
    /// The device was taken out of service for good.
    Retired(Refused),
}

/// The end of a renewal, with every way that was tried in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// What it came to.
    pub outcome: Outcome,
    /// Why not otherwise, in the order tried.
    pub falls: Vec<Fall>,
}

/// One renewal: sleeps until two thirds of the token's life are over, then
/// tries one [`Rung`] after the other. A refusal leads to the next one at once;
/// silence, faults and a busy server never do: the same one is tried again,
/// later and later, by chance within limits, and not before the server's
/// `Retry-After`. So it goes on for as long as a server is away, and a server
/// that is down makes no device ask for its owner.
///
/// It also ends by [`Failure`] when the key cannot sign.
pub struct Renewal {
    home: Home,
    asset: Kept,
    /// For a device with a person in front of it.
    pairing: Option<Pairing>,
    schedule: Schedule,
    back_off: BackOff,
    broken: u8,
    falls: Vec<Fall>,
    phase: Phase,
}

enum Phase {
    Sleeping,
    AskingTime(AskTime, AfterTime),
    Refreshing(Refresh),
    ByKey(Exchange),
    Calling(CallHome),
    ByCall(Exchange),
    Pausing { left: u32, then: Then },
    Pairing(Pairing),
    Over,
}

/// What the time was asked for.
#[derive(Clone, Copy)]
enum AfterTime {
    Sleep,
    Key,
}

/// What follows a pause.
#[derive(Clone, Copy)]
enum Then {
    AskTime,
    Try(Rung),
}

impl Renewal {
    /// A renewal of the asset token as it was kept.
    pub fn new(home: Home, asset: Kept) -> Renewal {
        let schedule = Schedule::default();
        let (back_off, falls) = (BackOff::default(), Vec::new());
        Renewal { home, asset, pairing: None, schedule, back_off, broken: 0, falls, phase: Phase::Sleeping }
    }

    /// Ends in this pairing where nothing else makes a token, instead of
    /// [`Outcome::NeedsOwner`]. For a device with somebody in front of it.
    #[must_use]
    pub fn or_pair(mut self, pairing: Pairing) -> Renewal {
        self.pairing = Some(pairing);
        self
    }

    /// Renews now, whatever is left of the life.
    #[must_use]
    pub fn at_once(mut self) -> Renewal {
        self.schedule = Schedule::now();
        self
    }

    /// The ways that led nowhere so far.
    pub fn falls(&self) -> &[Fall] {
        &self.falls
    }

    fn time_url(&self) -> Address {
        self.home.device_url.at("/time").expect("a constant path on a sound origin")
    }

    fn done(&mut self, outcome: Outcome) -> Output<Renewed> {
        self.phase = Phase::Over;
        Output::Done(Renewed { outcome, falls: core::mem::take(&mut self.falls) })
    }

    fn keep(&mut self, tokens: Tokens, by: Rung, given: &Given<'_>) -> Output<Renewed> {
        let kept = Kept { tokens, received_at: given.server_now() };
        self.done(if by == Rung::Pairing { Outcome::Paired(kept) } else { Outcome::Asset { kept, by } })
    }
}

impl Machine for Renewal {
    type Done = Renewed;

    fn next(&mut self, input: Input, given: &mut Given<'_>) -> Output<Renewed> {
        match (core::mem::replace(&mut self.phase, Phase::Over), input) {
            (Phase::Sleeping, Input::Go) => self.sleep(given),
            (Phase::Pausing { left, then }, Input::Go) => self.pause(left, then, given),
            (Phase::AskingTime(machine, after), input) => self.asking_time(machine, after, input, given),
            (Phase::Refreshing(machine), input) => self.refreshing(machine, input, given),
            (Phase::ByKey(machine), input) => self.by_key(machine, input, given),
            (Phase::Calling(machine), input) => self.calling(machine, input, given),
            (Phase::ByCall(machine), input) => self.by_call(machine, input, given),
            (Phase::Pairing(machine), input) => self.pairing(machine, input, given),
            (Phase::Sleeping | Phase::Pausing { .. } | Phase::Over, _) => Output::Failed(Failure::Finished),
        }
    }
}

impl fmt::Display for Fall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.rung {
            Rung::Refresh => "refresh",
            Rung::Key => "renewal by key",
            Rung::CallHome => "call home",
            Rung::Pairing => "pairing",
        };
        write!(f, "{way}: {}", self.why)
    }
}

impl fmt::Display for Renewed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.outcome {
            Outcome::Asset { .. } => "renewed",
            Outcome::Paired(_) => "paired anew",
            Outcome::NeedsOwner => "a person must pair this device",
            Outcome::Retired(_) => "out of service for good",
        })?;
        let falls: Vec<String> = self.falls.iter().map(|fall| alloc::format!("{fall}")).collect();
        if falls.is_empty() { Ok(()) } else { write!(f, " ({})", falls.join("; ")) }
    }
}
