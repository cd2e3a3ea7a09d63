//! The next access token (RFC 6749 §6) with a refresh token that changes at
//! every use (RFC 9700 §4.14.2).

use crate::address::Address;
use crate::client_auth::ClientAuth;
use crate::machine::{Given, Input, Machine, Output};
use crate::secret::Secret;
use crate::token::{TokenCall, Tokens};

/// Seconds to wait for an answer. A server gives the same successor again only
/// for some 10 s after the first time, so a lost answer is asked for soon.
const PATIENCE: u32 = 4;

/// One refresh. Put the tokens it yields in the place of the old ones in one
/// atomic step, and before using them: until then the old refresh token is
/// the only one that survives a loss of power.
pub struct Refresh {
    token: Secret,
    trade: TokenCall,
}

impl Refresh {
    /// `bound` when the tokens are bound to the signer's key.
    pub fn new(token_url: Address, client: ClientAuth, refresh_token: Secret, bound: bool) -> Self {
        let trade = TokenCall { patience: Some(PATIENCE), ..TokenCall::new(token_url, client, bound) };
        Refresh { token: refresh_token, trade }
    }
}

impl Machine for Refresh {
    /// The new tokens. The refresh token is always there: the old one where
    /// the server kept it (RFC 6749 §6).
    type Done = Tokens;

    fn next(&mut self, input: Input, given: &mut Given<'_>) -> Output<Tokens> {
        let Refresh { token, trade } = self;
        let output = trade.next(input, given, |form, _| {
            form.add("grant_type", "refresh_token");
            form.add("refresh_token", token.expose());
            Ok(())
        });
        match output {
            Output::Done(tokens) => {
                let kept = tokens.refresh_token.or_else(|| Some(token.clone()));
                Output::Done(Tokens { refresh_token: kept, ..tokens })
            }
            other => other,
        }
    }
}
