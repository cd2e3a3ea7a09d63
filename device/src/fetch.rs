//! A request to a protected resource: the token, and for a bound one the proof
//! of the key (RFC 9449 §7).

use alloc::format;

use jose::json;

use crate::machine::{Given, Input, Machine, Output};
use crate::memory;
use crate::refusal::{ErrorCode, Failure, Refused};
use crate::secret::Secret;
use crate::token::TokenType;
use crate::wire::{MAX_ANSWER, Request, Response};

/// One request with a token. It goes where [`Request::url`] says and nowhere
/// else; giving it a token is the caller's word that this origin may see it.
pub struct Fetch {
    request: Request,
    token: Secret,
    token_type: TokenType,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Ready,
    Sent,
    SentAgain,
    Over,
}

impl Fetch {
    /// Any request; the fields `authorization` and `dpop` are added.
    pub fn new(request: Request, token: Secret, token_type: TokenType) -> Fetch {
        Fetch { request, token, token_type, phase: Phase::Ready }
    }

    fn send(&mut self, next: Phase, given: &Given<'_>) -> Output<Response> {
        let mut request = self.request.clone();
        request.headers.push(("authorization", format!("{} {}", self.token_type.scheme(), self.token.expose())));
        if self.token_type == TokenType::Dpop {
            match memory::proof(request.method, &request.url, Some(&self.token), given) {
                Ok(proof) => request.headers.push(("dpop", proof)),
                Err(error) => return Output::Failed(error.into()),
            }
        }
        self.phase = next;
        Output::Send(request)
    }
}

impl Machine for Fetch {
    /// Any answer but 401, whatever its status: what a resource says is not
    /// judged here.
    type Done = Response;

    fn next(&mut self, input: Input, given: &mut Given<'_>) -> Output<Response> {
        match (core::mem::replace(&mut self.phase, Phase::Over), input) {
            (Phase::Ready, Input::Go) => self.send(Phase::Sent, given),
            // The request may have had its effect, so it is not repeated here.
            (Phase::Sent | Phase::SentAgain, Input::Lost) => Output::Failed(Failure::Unreachable),
            (phase @ (Phase::Sent | Phase::SentAgain), Input::Answer(answer)) => {
                let has_nonce = given.memory.learn_nonce(&self.request.url, &answer);
                if answer.status != 401 {
                    return Output::Done(answer);
                }
                let body = (answer.body.len() <= MAX_ANSWER).then(|| json::parse_object(&answer.body).ok()).flatten();
                let Some(refused) = Refused::read(&answer, body.as_ref(), given.server_now()) else {
                    return Output::Done(answer);
                };
                let wants_nonce = refused.code == ErrorCode::UseDpopNonce && has_nonce;
                if wants_nonce && phase == Phase::Sent && self.token_type == TokenType::Dpop {
                    return self.send(Phase::SentAgain, given);
                }
                Output::Failed(Failure::Refused(refused))
            }
            _ => Output::Failed(Failure::Finished),
        }
    }
}
