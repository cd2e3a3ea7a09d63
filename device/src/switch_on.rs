//! What a paired device does each time it is switched on: refresh, and where
//! the pairing has ended, show a code again.

use crate::machine::{Given, Input, Machine, Output};
use crate::pairing::Pairing;
use crate::refresh::Refresh;
use crate::refusal::{ErrorCode, Failure};
use crate::token::Tokens;

/// Refresh first, pairing where it is refused with `invalid_grant`. Any other
/// failure ends it: a server that is down is no reason to pair anew.
pub struct SwitchOn {
    refresh: Option<Refresh>,
    pairing: Pairing,
}

impl SwitchOn {
    /// Without a refresh token it pairs at once.
    pub fn new(refresh: Option<Refresh>, pairing: Pairing) -> SwitchOn {
        SwitchOn { refresh, pairing }
    }
}

impl Machine for SwitchOn {
    type Done = Tokens;

    fn next(&mut self, input: Input, given: &mut Given<'_>) -> Output<Tokens> {
        let Some(refresh) = &mut self.refresh else {
            return self.pairing.next(input, given);
        };
        match refresh.next(input, given) {
            Output::Failed(Failure::Refused(refused)) if refused.code == ErrorCode::InvalidGrant => {
                self.refresh = None;
                self.pairing.next(Input::Go, given)
            }
            output => output,
        }
    }
}
