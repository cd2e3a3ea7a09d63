//! Token exchange (RFC 8693): registering the device with a customer, renewing
//! its asset token, or trading a token for another receiver.

use alloc::string::String;
use alloc::vec::Vec;

use crate::actor::ActorClaims;
use crate::address::Address;
use crate::client_auth::ClientAuth;
use crate::machine::{Given, Input, Machine, Output};
use crate::refusal::Failure;
use crate::secret::Secret;
use crate::token::{TokenCall, Tokens};
use crate::wire::Form;

const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// What kind of token the subject token is (RFC 8693 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectType {
    /// A customer's access token.
    AccessToken,
    /// Any signed token; an asset token to be renewed is one.
    Jwt,
    /// An ID token of a trusted provider.
    IdToken,
    /// A type of the server's own, as a URI.
    Other(String),
}

impl SubjectType {
    fn as_str(&self) -> &str {
        match self {
            SubjectType::AccessToken => "urn:ietf:params:oauth:token-type:access_token",
            SubjectType::Jwt => JWT,
            SubjectType::IdToken => "urn:ietf:params:oauth:token-type:id_token",
            SubjectType::Other(uri) => uri,
        }
    }
}

/// Who says what the device is.
pub enum Actor {
    /// This software is on the device: the token is signed anew for every
    /// request, since its `jti` is used once.
    Device(ActorClaims),
    /// A token the device handed to this app. Used for one request only: when
    /// its answer is lost, ask the device for another.
    Token(Secret),
}

/// One exchange.
pub struct Exchange {
    /// The token of the customer, or the token to renew.
    pub subject_token: Secret,
    /// Its kind.
    pub subject_type: SubjectType,
    /// The device; `None` renews or trades without one.
    pub actor: Option<Actor>,
    /// Who may receive the token; empty for the client's default.
    pub audience: Vec<String>,
    /// The device's scopes, space-separated; `None` for the default.
    pub scope: Option<String>,
    /// The kind of token wanted; `None` for the server's choice.
    pub requested_type: Option<String>,
    trade: TokenCall,
}

impl Exchange {
    /// Registers a device with the customer whose access token this is.
    /// `bound` sends a proof of the signer's key: needed when the subject
    /// token is bound to that key.
    pub fn register(token_url: Address, client: ClientAuth, subject_token: Secret, actor: Actor, bound: bool) -> Self {
        let mut exchange = Self::plain(token_url, client, subject_token, SubjectType::AccessToken, bound);
        exchange.trade.repeatable = matches!(actor, Actor::Device(_));
        exchange.actor = Some(actor);
        exchange
    }

    /// Renews the asset token of a device by proof of its key alone, without
    /// app or customer. A refusal means that the bond has ended: pair again.
    pub fn renew(token_url: Address, client: ClientAuth, asset_token: Secret) -> Self {
        Self::plain(token_url, client, asset_token, SubjectType::Jwt, true)
    }

    /// Trades a token for another audience.
    pub fn plain(token_url: Address, client: ClientAuth, subject: Secret, kind: SubjectType, bound: bool) -> Self {
        Exchange {
            subject_token: subject,
            subject_type: kind,
            actor: None,
            audience: Vec::new(),
            scope: None,
            requested_type: None,
            trade: TokenCall { proved: bound, ..TokenCall::new(token_url, client, false) },
        }
    }
}

impl Machine for Exchange {
    /// An asset token may come as `Bearer` although the request was proved:
    /// its binding is to the device's key (RFC 8693 §2.2.1).
    type Done = Tokens;

    fn next(&mut self, input: Input, given: &mut Given<'_>) -> Output<Tokens> {
        let Exchange { subject_token, subject_type, actor, audience, scope, requested_type, trade } = self;
        trade.next(input, given, |form: &mut Form, given: &Given<'_>| -> Result<(), Failure> {
            form.add("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
            form.add("subject_token", subject_token.expose());
            form.add("subject_token_type", subject_type.as_str());
            let signed = match actor {
                None => None,
                Some(Actor::Device(claims)) => Some(Secret::new(claims.sign(given)?)),
                Some(Actor::Token(token)) => Some(token.clone()),
            };
            if let Some(token) = signed {
                form.add("actor_token", token.expose());
                form.add("actor_token_type", JWT);
            }
            form.add_if("requested_token_type", requested_type.as_deref());
            for audience in audience {
                form.add("audience", audience);
            }
            form.add_if("scope", scope.as_deref());
            Ok(())
        })
    }
}
