//! Trading an asset token for an access token (RFC 7523 §2.1).

use alloc::string::String;

use crate::address::Address;
use crate::client_auth::ClientAuth;
use crate::machine::{Given, Input, Machine, Output};
use crate::secret::Secret;
use crate::token::{TokenCall, Tokens};

/// One trade. The assertion's audience must name the server it is sent to.
pub struct JwtBearer {
    assertion: Secret,
    scope: Option<String>,
    trade: TokenCall,
}

impl JwtBearer {
    /// `bound` when the assertion is bound to the signer's key: the request
    /// proves it, and an unbound answer is discarded.
    pub fn new(token_url: Address, client: ClientAuth, assertion: Secret, scope: Option<String>, bound: bool) -> Self {
        JwtBearer { assertion, scope, trade: TokenCall::new(token_url, client, bound) }
    }
}

impl Machine for JwtBearer {
    type Done = Tokens;

    fn next(&mut self, input: Input, given: &mut Given<'_>) -> Output<Tokens> {
        let JwtBearer { assertion, scope, trade } = self;
        trade.next(input, given, |form, _| {
            form.add("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
            form.add("assertion", assertion.expose());
            form.add_if("scope", scope.as_deref());
            Ok(())
        })
    }
}
