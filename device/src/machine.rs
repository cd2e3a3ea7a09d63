//! What every machine takes and gives. Owns: the words between a protocol and
//! the program that carries its requests.

use jose::Signer;

use crate::memory::Memory;
use crate::pairing::Prompt;
use crate::refusal::Failure;
use crate::wire::{Request, Response};

/// What happened since the last step.
#[derive(Clone, Debug)]
pub enum Input {
    /// Nothing to report: the beginning, the end of a wait, or the prompt is
    /// shown.
    Go,
    /// The answer to the request sent last.
    Answer(Response),
    /// No whole answer came in time, or the connection failed.
    Lost,
}

/// What the program does next.
#[derive(Debug)]
pub enum Output<T> {
    /// Send this, then report [`Input::Answer`] or [`Input::Lost`].
    Send(Request),
    /// Wait this many seconds (at least 1), then [`Input::Go`].
    Wait(u32),
    /// Show this to the person, and keep it in sight; then [`Input::Go`].
    Show(Prompt),
    /// The end, well.
    Done(T),
    /// The end, not well. A machine at its end answers
    /// [`Failure::Finished`] to everything.
    Failed(Failure),
}

/// What a machine is lent for one step. It draws and reads nothing itself.
pub struct Given<'a> {
    /// The device's own clock, Unix seconds. It may be wrong: what the server
    /// says of the time is kept in [`Memory`].
    pub now: i64,
    /// Fresh random bytes, never given twice: identifiers of what is signed in
    /// this step.
    pub random: [u8; 48],
    /// The device's key, wherever it lives: a file, a TEE, a PKCS#11 token, a
    /// TPM.
    pub signer: &'a dyn Signer,
    /// SHA-256. With the feature `std`, `jose::digest::sha256` fits.
    pub sha256: fn(&[u8]) -> [u8; 32],
    /// Nonces and the server's time, kept from machine to machine.
    pub memory: &'a mut Memory,
}

impl Given<'_> {
    /// The time by the server's clock, as far as it is known.
    pub(crate) fn server_now(&self) -> i64 {
        self.memory.server_time(self.now)
    }

    /// Chance for waits, told by nothing that is sent: even whoever reads every
    /// identifier cannot say when this device comes next.
    pub(crate) fn chance(&self) -> u32 {
        let mut input = [0; 49];
        if let Some(random) = input.first_chunk_mut::<48>() {
            *random = self.random;
        }
        let [a, b, c, d, ..] = (self.sha256)(&input);
        u32::from_be_bytes([a, b, c, d])
    }

    /// Seconds by chance, at least 1 and at most `longest`: full jitter.
    pub(crate) fn spread(&self, longest: u32) -> u32 {
        let part = (u64::from(self.chance()) * u64::from(longest)) >> 32;
        u32::try_from(part).unwrap_or(longest).saturating_add(1).min(longest.max(1))
    }

    /// A fresh identifier of 128 bits. Each use has a part of its own, so that
    /// two tokens signed in one step never share one.
    pub(crate) fn id(&self, part: Part) -> alloc::string::String {
        let at = match part {
            Part::Proof => 0,
            Part::Assertion => 16,
            Part::Actor => 32,
        };
        jose::base64url::encode(self.random.get(at..at + 16).unwrap_or_default())
    }
}

/// What an identifier is for.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    Proof,
    Assertion,
    Actor,
}

/// A protocol, step by step.
pub trait Machine {
    /// What a good end yields.
    type Done;

    /// Takes what happened and says what to do. Each call yields a request, a
    /// wait, a prompt or the end, so driving it in a loop cannot spin.
    fn next(&mut self, input: Input, given: &mut Given<'_>) -> Output<Self::Done>;
}
