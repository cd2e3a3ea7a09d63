//! When: two thirds of a life with jitter, by a clock that may be wrong, and
//! pauses that grow by chance.

use crate::kept::Kept;
use crate::machine::Given;
use crate::refusal::{ErrorCode, Failure};

/// The longest sleep at one stretch, in seconds: a clock that was set meanwhile
/// is seen at its end. Also the longest pause by itself.
pub(super) const HOUR: u32 = 3600;

/// The longest `Retry-After` obeyed, in seconds. A server that says more is
/// asked once a day.
pub(super) const MAX_RETRY_AFTER: u32 = 86_400;

/// How late a device that finds its token spent comes, at most, in seconds: a
/// fleet that gets its power back does not come at one instant.
const LATE_SPREAD: u32 = 30;

/// The first pause is at most twice this, in seconds.
const FIRST_PAUSE: u32 = 4;

/// When to renew. Counted in two ways, by the clock and by the waits that were
/// slept, so that a clock that jumps neither wakes a fleet at once nor lets it
/// oversleep.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Schedule {
    /// Seconds of sleep planned when it began; `None` before.
    planned: Option<Plan>,
    slept: u32,
    /// The clock was doubted, and the server's time asked for.
    asked: bool,
    now: bool,
}

#[derive(Clone, Copy, Debug)]
struct Plan {
    due_at: i64,
    sleep: u32,
}

/// What to do about it now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Sleep(u32),
    /// The clock says what cannot be: ask the server, after so many seconds.
    AskTime(u32),
    Renew,
}

impl Schedule {
    pub(super) fn now() -> Schedule {
        Schedule { now: true, ..Schedule::default() }
    }

    pub(super) fn next(&mut self, asset: &Kept, given: &Given<'_>) -> Next {
        if self.now {
            return Next::Renew;
        }
        let now = given.server_now();
        // Before the token came: the clock was never set, or fell back.
        if now < asset.received_at.saturating_sub(i64::from(HOUR)) && !self.asked {
            self.asked = true;
            return Next::AskTime(given.spread(LATE_SPREAD));
        }
        let plan = *self.planned.get_or_insert_with(|| Plan::make(asset, now, given));
        let by_clock = plan.due_at.saturating_sub(now);
        let by_sleep = plan.sleep.saturating_sub(self.slept);
        if by_sleep == 0 {
            return Next::Renew;
        }
        if by_clock > 0 {
            return self.sleep(by_sleep.min(u32::try_from(by_clock).unwrap_or(u32::MAX)));
        }
        // The clock ran ahead of the sleep. Slow timers lose some seconds in an
        // hour; more is a clock that jumped.
        if by_sleep <= HOUR || self.asked {
            return Next::Renew;
        }
        self.asked = true;
        Next::AskTime(given.spread(LATE_SPREAD))
    }

    /// The server told the time: what was planned by another clock is void.
    pub(super) fn set_right(&mut self) {
        *self = Schedule { asked: true, ..Schedule::default() };
    }

    fn sleep(&mut self, seconds: u32) -> Next {
        let seconds = seconds.clamp(1, HOUR);
        self.slept = self.slept.saturating_add(seconds);
        Next::Sleep(seconds)
    }
}

impl Plan {
    fn make(asset: &Kept, now: i64, given: &Given<'_>) -> Plan {
        // Of unknown life: as if it had just ended.
        let after = asset.tokens.renew_in(given.chance()).unwrap_or(0);
        let due_at = asset.received_at.saturating_add(i64::from(after));
        // A token cannot be older than its life and still ahead of us.
        let sleep = u32::try_from(due_at.saturating_sub(now).max(0)).unwrap_or(u32::MAX);
        match sleep {
            0 => {
                let late = given.spread(LATE_SPREAD);
                Plan { due_at: now.saturating_add(i64::from(late)), sleep: late }
            }
            // A clock behind the token's own beginning does not add to it.
            sleep => Plan { due_at, sleep: sleep.min(after) },
        }
    }
}

/// Pauses between tries: twice as long at most each time, up to an hour, by
/// chance over the whole length. [`Renewal`](crate::Renewal) has one of its own;
/// this is for whatever else a device tries until it works, such as its first
/// call home.
#[derive(Clone, Copy, Debug, Default)]
pub struct BackOff {
    tries: u32,
}

impl BackOff {
    /// Seconds to wait after this failure before the same is tried again: at
    /// least 1, never less than the server's `Retry-After` (a day at most).
    /// `None` where trying again would change nothing.
    pub fn after(&mut self, failure: &Failure, given: &Given<'_>) -> Option<u32> {
        unwell(failure).map(|wanted| self.pause(wanted, given))
    }

    pub(super) fn pause(&mut self, wanted: Option<u32>, given: &Given<'_>) -> u32 {
        self.tries = self.tries.saturating_add(1);
        match wanted {
            None => {
                let longest = FIRST_PAUSE.checked_shl(self.tries).filter(|_| self.tries < 16);
                given.spread(longest.unwrap_or(HOUR).min(HOUR))
            }
            // The server is there and said when: not before, and not all at
            // that very second.
            Some(wanted) => {
                let wanted = wanted.min(MAX_RETRY_AFTER);
                wanted + given.spread((wanted / 2).max(2 * FIRST_PAUSE))
            }
        }
    }

    /// It worked: the next failure is the first one.
    pub fn reset(&mut self) {
        self.tries = 0;
    }
}

/// `Some` where a failure says nothing of the device, with the `Retry-After`.
pub(super) fn unwell(failure: &Failure) -> Option<Option<u32>> {
    match failure {
        Failure::Unreachable => Some(None),
        Failure::Busy { retry_after, .. } => Some(*retry_after),
        Failure::Refused(refused) => match refused.code {
            ErrorCode::RateLimited | ErrorCode::TemporarilyUnavailable | ErrorCode::ServerError => {
                Some(refused.retry_after)
            }
            _ => None,
        },
        _ => None,
    }
}
