//! Who calls the registry, and which of its scopes they hold right now.

use authority::AuthenticatedPeer;
use identity::rule::actor::Actor;
use identity::user::UserState;
use identity::{AnchorKind, ClientId, DeviceId, Event, EventKind, Refusal, Role, User, UserId};
use oauth::token::TokenKind;
use oauth::{ErrorCode, Scope};
use store::{Commit, Expected};

use crate::app::App;
use crate::fault::Fault;

/// Lets a door that runs apart follow raises; in no role.
pub(crate) const FOLLOW: &str = "authority:follow";

/// Someone the registry works for: a service, a member of staff, or whoever
/// reaches the local socket. Only [`App`] makes one.
#[derive(Debug, Clone)]
pub struct Caller {
    actor: Actor,
    /// `None` holds everything.
    scope: Option<Scope>,
}

impl Caller {
    /// Who it is, as rules and events name them.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Whether they hold a scope now.
    pub fn holds(&self, scope: &str) -> bool {
        self.scope.as_ref().is_none_or(|held| held.contains(scope))
    }

    /// Whether they may pass all of these on: nobody hands out a scope of the
    /// registry that they do not hold.
    pub(crate) fn may_hand_out<'s>(&self, mut scopes: impl Iterator<Item = &'s str>) -> bool {
        scopes.all(|scope| !is_registry_scope(scope) || self.holds(scope))
    }
}

/// Whether a scope opens something of the registry.
pub(crate) fn is_registry_scope(scope: &str) -> bool {
    scope == FOLLOW || Role::Operator.scopes().contains(&scope)
}

const REFUSED: ErrorCode = ErrorCode::InvalidToken;

impl App {
    /// The operator of this machine, over the local socket.
    pub fn local_caller(&self) -> Caller {
        Caller { actor: Actor::Service(None), scope: None }
    }

    /// Whose token it is. The scope of a person counts only as far as their
    /// roles go now, so that a role taken away is gone whatever tokens say.
    ///
    /// # Errors
    /// `invalid_token` for tokens of devices, asset tokens and people who may
    /// not sign in; [`Fault`] where the store fails.
    pub async fn registry_caller(&self, peer: &AuthenticatedPeer) -> Result<Result<Caller, Refusal<ErrorCode>>, Fault> {
        let claims = peer.claims();
        if peer.kind() != TokenKind::Access || claims.did.is_some() || claims.anc.id_of(AnchorKind::Device).is_some() {
            return Ok(Err(Refusal::new(REFUSED, "token_of_a_device")));
        }
        let Some(user) = claims.anc.id_of(AnchorKind::User) else { return Ok(service(peer)) };
        let Ok(user) = user.parse::<UserId>() else { return Ok(Err(Refusal::new(REFUSED, "unknown_user"))) };
        let Some(user) = store::record::<User>(&*self.store, user.as_str()).await? else {
            return Ok(Err(Refusal::new(REFUSED, "unknown_user")));
        };
        if user.state != UserState::Active {
            return Ok(Err(Refusal::new(REFUSED, "user_not_active")));
        }
        let of_roles = Scope::of(user.roles.iter().flat_map(|role| role.scopes()));
        let scope = Some(claims.scope.intersection(&of_roles));
        Ok(Ok(Caller { actor: Actor::Staff(user.id.clone()), scope }))
    }

    /// Writes down that a caller was refused, for the audit; sampled under flood.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn announce_refusal(&self, caller: &Caller, action: &str, reason: &'static str) -> Result<(), Fault> {
        let event = Event::new(EventKind::AccessRefused, caller.actor.id())
            .with("reason", reason)
            .with("action", action)
            .with("by", caller.actor.id());
        let commit = Commit { events: vec![event], now: self.now(), ..Commit::default() };
        self.commit_or_conflict(commit, Expected::default()).await.map(drop)
    }
}

/// A client that speaks for itself.
fn service(peer: &AuthenticatedPeer) -> Result<Caller, Refusal<ErrorCode>> {
    let claims = peer.claims();
    let own = claims.sub == claims.client_id && claims.act.is_none() && claims.sub.parse::<DeviceId>().is_err();
    let client = claims.client_id.parse::<ClientId>().ok().filter(|_| own);
    let client = client.ok_or(Refusal::new(REFUSED, "token_of_no_service"))?;
    Ok(Caller { actor: Actor::Service(Some(client)), scope: Some(claims.scope.clone()) })
}
