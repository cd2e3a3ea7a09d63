//! One request with the repetitions that need nobody's decision: once with the
//! server's nonce, once with the server's time, a few times after silence.

use alloc::string::String;

use serde_json::{Map, Value};

use crate::address::Address;
use crate::answer::{self, Repeat, Verdict};
use crate::machine::{Given, Input};
use crate::refusal::{ErrorCode, Failure};

/// Sends of one request when answers do not come; pauses are up to 2, 4, 8 s,
/// by chance, so that devices that failed together do not come back together.
const MAX_SENDS: u32 = 4;

/// The longest wait a busy server can impose inside one call, in seconds.
const MAX_PAUSE: u32 = 60;

pub(crate) struct Call {
    phase: Phase,
    silences: u32,
    repeated: [bool; 2],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Ready,
    Sent,
    Over,
}

pub(crate) enum Progress {
    /// Build the request afresh and send it.
    Send,
    Wait(u32),
    Accepted(Map<String, Value>),
    Failed(Failure),
}

impl Call {
    pub(crate) fn new() -> Call {
        Call { phase: Phase::Ready, silences: 0, repeated: [false; 2] }
    }

    pub(crate) fn advance(&mut self, input: Input, url: &Address, given: &mut Given<'_>) -> Progress {
        let phase = core::mem::replace(&mut self.phase, Phase::Over);
        match (phase, input) {
            (Phase::Ready, Input::Go) => self.send(),
            (Phase::Sent, Input::Lost) => self.pause(None, Failure::Unreachable, given),
            (Phase::Sent, Input::Answer(response)) => match answer::read(&response, url, given) {
                Verdict::Accepted(members) => Progress::Accepted(members),
                Verdict::Broken(error) => Progress::Failed(error.into()),
                Verdict::Unwell { retry_after } => {
                    let busy = Failure::Busy { status: response.status, retry_after };
                    self.pause(retry_after, busy, given)
                }
                Verdict::Refused { repeat: Some(repeat), .. } if self.first(repeat) => self.send(),
                Verdict::Refused { refused, .. } => {
                    let busy = matches!(refused.code, ErrorCode::RateLimited | ErrorCode::TemporarilyUnavailable);
                    if busy {
                        self.pause(refused.retry_after, Failure::Refused(refused), given)
                    } else {
                        Progress::Failed(Failure::Refused(refused))
                    }
                }
            },
            (Phase::Ready | Phase::Sent | Phase::Over, _) => Progress::Failed(Failure::Finished),
        }
    }

    /// Ends the call: everything that follows is refused.
    pub(crate) fn end(&mut self) {
        self.phase = Phase::Over;
    }

    fn send(&mut self) -> Progress {
        self.phase = Phase::Sent;
        Progress::Send
    }

    /// A server that wants more patience than a call has is believed: whoever
    /// made the call decides when to come again.
    fn pause(&mut self, wanted: Option<u32>, otherwise: Failure, given: &Given<'_>) -> Progress {
        self.silences += 1;
        let wanted = wanted.unwrap_or(0);
        if self.silences >= MAX_SENDS || wanted > MAX_PAUSE {
            return Progress::Failed(otherwise);
        }
        self.phase = Phase::Ready;
        Progress::Wait(wanted + given.spread(1 << self.silences))
    }

    fn first(&mut self, repeat: Repeat) -> bool {
        let [nonce, time] = &mut self.repeated;
        let slot = if repeat == Repeat::Nonce { nonce } else { time };
        !core::mem::replace(slot, true)
    }
}
