//! One way after the other, and what each failure means for the next step.

use super::timing::{HOUR, Next, unwell};
use super::{AfterTime, Fall, Outcome, Phase, Renewal, Renewed, Rung, Then, Why};
use crate::call_home::{CallHome, Called};
use crate::clock::AskTime;
use crate::exchange::{Exchange, SubjectType};
use crate::machine::{Given, Input, Machine, Output};
use crate::pairing::Pairing;
use crate::refresh::Refresh;
use crate::refusal::{ErrorCode, Failure};
use crate::token::TokenType;

/// How long after its end an asset token still renews, in seconds.
const GRACE: i64 = 30 * 86_400;

/// Answers in a row that break the protocol before the next way is tried.
const MAX_BROKEN: u8 = 3;

/// What became of a step of a machine that is driven.
enum Step<T> {
    /// It goes on; this is to be handed out.
    On(Output<Renewed>),
    Done(T),
    Failed(Failure),
}

fn step<M: Machine>(machine: &mut M, input: Input, given: &mut Given<'_>) -> Step<M::Done> {
    match machine.next(input, given) {
        Output::Send(request) => Step::On(Output::Send(request)),
        Output::Wait(seconds) => Step::On(Output::Wait(seconds)),
        Output::Show(prompt) => Step::On(Output::Show(prompt)),
        Output::Done(done) => Step::Done(done),
        Output::Failed(failure) => Step::Failed(failure),
    }
}

impl Renewal {
    pub(super) fn sleep(&mut self, given: &mut Given<'_>) -> Output<Renewed> {
        match self.schedule.next(&self.asset, given) {
            Next::Sleep(seconds) => {
                self.phase = Phase::Sleeping;
                Output::Wait(seconds)
            }
            Next::AskTime(seconds) => self.pause(seconds, Then::AskTime, given),
            Next::Renew => self.attempt(Rung::Refresh, given),
        }
    }

    /// Waits an hour at most at one stretch.
    pub(super) fn pause(&mut self, left: u32, then: Then, given: &mut Given<'_>) -> Output<Renewed> {
        if left > 0 {
            let part = left.min(HOUR);
            self.phase = Phase::Pausing { left: left - part, then };
            return Output::Wait(part);
        }
        match then {
            Then::AskTime => self.ask_time(AfterTime::Sleep, given),
            Then::Try(rung) => self.attempt(rung, given),
        }
    }

    fn ask_time(&mut self, after: AfterTime, given: &mut Given<'_>) -> Output<Renewed> {
        let machine = AskTime::new(self.time_url());
        self.asking_time(machine, after, Input::Go, given)
    }

    pub(super) fn asking_time(
        &mut self,
        mut machine: AskTime,
        after: AfterTime,
        input: Input,
        given: &mut Given<'_>,
    ) -> Output<Renewed> {
        let then = match after {
            AfterTime::Sleep => Then::AskTime,
            AfterTime::Key => Then::Try(Rung::Key),
        };
        match step(&mut machine, input, given) {
            Step::On(output) => {
                self.phase = Phase::AskingTime(machine, after);
                output
            }
            Step::Failed(failure) => match unwell(&failure) {
                Some(wanted) => {
                    let pause = self.back_off.pause(wanted, given);
                    self.pause(pause, then, given)
                }
                // A server without that answer told its time with this one.
                None => self.with_time(after, given),
            },
            Step::Done(_) => self.with_time(after, given),
        }
    }

    fn with_time(&mut self, after: AfterTime, given: &mut Given<'_>) -> Output<Renewed> {
        self.back_off.reset();
        match after {
            AfterTime::Sleep => {
                self.schedule.set_right();
                self.sleep(given)
            }
            AfterTime::Key => self.key(given),
        }
    }

    fn attempt(&mut self, rung: Rung, given: &mut Given<'_>) -> Output<Renewed> {
        match rung {
            Rung::Refresh => match self.asset.tokens.refresh_token.clone() {
                None => self.attempt(Rung::Key, given),
                Some(token) => {
                    let bound = self.asset.tokens.token_type == TokenType::Dpop;
                    let (url, client) = (self.home.token_url.clone(), self.home.client.clone());
                    self.refreshing(Refresh::new(url, client, token, bound), Input::Go, given)
                }
            },
            Rung::Key if self.is_late(given) && !given.memory.knows_time() => self.ask_time(AfterTime::Key, given),
            Rung::Key => self.key(given),
            Rung::CallHome => {
                let (way, hello) = (self.home.way.clone(), self.home.hello.clone());
                self.calling(CallHome::new(&self.home.device_url, way, hello), Input::Go, given)
            }
            Rung::Pairing => match self.pairing.take() {
                Some(machine) => self.pairing(machine, Input::Go, given),
                None => self.done(Outcome::NeedsOwner),
            },
        }
    }

    fn is_late(&self, given: &Given<'_>) -> bool {
        let end = self.asset.expires_at().unwrap_or(self.asset.received_at);
        given.server_now() > end.saturating_add(GRACE)
    }

    fn key(&mut self, given: &mut Given<'_>) -> Output<Renewed> {
        if self.is_late(given) {
            return self.fall(Rung::Key, Why::TooLate, given);
        }
        let (url, client) = (self.home.token_url.clone(), self.home.client.clone());
        let token = self.asset.tokens.access_token.clone();
        self.by_key(Exchange::renew(url, client, token), Input::Go, given)
    }

    pub(super) fn refreshing(&mut self, mut machine: Refresh, input: Input, given: &mut Given<'_>) -> Output<Renewed> {
        match step(&mut machine, input, given) {
            Step::On(output) => {
                self.phase = Phase::Refreshing(machine);
                output
            }
            Step::Done(tokens) => self.keep(tokens, Rung::Refresh, given),
            Step::Failed(failure) => self.failed(Rung::Refresh, failure, given),
        }
    }

    pub(super) fn by_key(&mut self, mut machine: Exchange, input: Input, given: &mut Given<'_>) -> Output<Renewed> {
        match step(&mut machine, input, given) {
            Step::On(output) => {
                self.phase = Phase::ByKey(machine);
                output
            }
            Step::Done(tokens) => self.keep(tokens, Rung::Key, given),
            Step::Failed(failure) => self.failed(Rung::Key, failure, given),
        }
    }

    pub(super) fn calling(&mut self, mut machine: CallHome, input: Input, given: &mut Given<'_>) -> Output<Renewed> {
        match step(&mut machine, input, given) {
            Step::On(output) => {
                self.phase = Phase::Calling(machine);
                output
            }
            Step::Done(called) => self.called(called, given),
            Step::Failed(failure) => self.failed(Rung::CallHome, failure, given),
        }
    }

    /// The token of the call home stands for the bond it names.
    fn called(&mut self, called: Called, given: &mut Given<'_>) -> Output<Renewed> {
        if called.asset_id.is_none() {
            return self.fall(Rung::CallHome, Why::NoOwner, given);
        }
        let (url, client) = (self.home.token_url.clone(), self.home.client.clone());
        let (token, kind) = (called.tokens.access_token, SubjectType::AccessToken);
        self.by_call(Exchange::plain(url, client, token, kind, true), Input::Go, given)
    }

    pub(super) fn by_call(&mut self, mut machine: Exchange, input: Input, given: &mut Given<'_>) -> Output<Renewed> {
        match step(&mut machine, input, given) {
            Step::On(output) => {
                self.phase = Phase::ByCall(machine);
                output
            }
            Step::Done(tokens) => self.keep(tokens, Rung::CallHome, given),
            Step::Failed(failure) => self.failed(Rung::CallHome, failure, given),
        }
    }

    pub(super) fn pairing(&mut self, mut machine: Pairing, input: Input, given: &mut Given<'_>) -> Output<Renewed> {
        match step(&mut machine, input, given) {
            Step::On(output) => {
                self.phase = Phase::Pairing(machine);
                output
            }
            Step::Done(tokens) => self.keep(tokens, Rung::Pairing, given),
            // Whoever was in front of it has gone, or said no.
            Step::Failed(Failure::Refused(refused)) => {
                self.falls.push(Fall { rung: Rung::Pairing, why: Why::Refused(refused) });
                self.done(Outcome::NeedsOwner)
            }
            Step::Failed(failure) => Output::Failed(failure),
        }
    }

    fn failed(&mut self, rung: Rung, failure: Failure, given: &mut Given<'_>) -> Output<Renewed> {
        if let Some(wanted) = unwell(&failure) {
            let pause = self.back_off.pause(wanted, given);
            return self.pause(pause, Then::Try(rung), given);
        }
        match failure {
            Failure::Refused(refused) => match refused.code {
                ErrorCode::DeviceRetired => self.done(Outcome::Retired(refused)),
                // Staff decide; until then there is nothing else to try.
                ErrorCode::DeviceSuspended | ErrorCode::ApprovalPending => {
                    let wanted = refused.retry_after.unwrap_or(HOUR);
                    let pause = self.back_off.pause(Some(wanted), given);
                    self.pause(pause, Then::Try(rung), given)
                }
                _ => self.fall(rung, Why::Refused(refused), given),
            },
            Failure::Answer(error) => {
                self.broken += 1;
                if self.broken < MAX_BROKEN {
                    let pause = self.back_off.pause(None, given);
                    return self.pause(pause, Then::Try(rung), given);
                }
                self.broken = 0;
                if rung < Rung::CallHome {
                    return self.fall(rung, Why::Answers(error), given);
                }
                // Nonsense from all of them is no word of the owner's: begin
                // again from the top.
                self.falls.clear();
                let pause = self.back_off.pause(None, given);
                self.pause(pause, Then::Try(Rung::Refresh), given)
            }
            failure @ (Failure::Unreachable
            | Failure::Busy { .. }
            | Failure::Sign(_)
            | Failure::Actor(_)
            | Failure::Finished) => {
                self.phase = Phase::Over;
                Output::Failed(failure)
            }
        }
    }

    fn fall(&mut self, rung: Rung, why: Why, given: &mut Given<'_>) -> Output<Renewed> {
        // Nonsense is a fault of the server's, whichever way it is asked.
        if !matches!(why, Why::Answers(_)) {
            self.back_off.reset();
        }
        self.broken = 0;
        self.falls.push(Fall { rung, why });
        let next = match rung {
            Rung::Refresh => Rung::Key,
            Rung::Key => Rung::CallHome,
            Rung::CallHome | Rung::Pairing => Rung::Pairing,
        };
        self.attempt(next, given)
    }
}
