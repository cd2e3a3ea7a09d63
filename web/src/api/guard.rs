//! Before any handler: who calls, and whether they hold the scope of the route.

use std::sync::Arc;

use app::registry::Caller;
use authority::{AuthenticatedPeer, Peer};
use axum::extract::{Request, State as Extract};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::routes::Access;
use crate::door::{self, DoorRefusal};
use crate::problem::Problem;
use crate::state::State;

/// What a route is guarded by.
#[derive(Clone)]
pub(super) struct Guard {
    pub(super) state: State,
    pub(super) access: Access,
    /// Method and path template.
    pub(super) action: Arc<str>,
}

/// The token behind a request, so that a long answer can look at it again.
/// `None` over the local socket.
#[derive(Clone)]
pub(super) struct Standing(pub(super) Option<AuthenticatedPeer>);

/// Admits a request or answers with a problem.
pub(super) async fn admit(Extract(guard): Extract<Guard>, request: Request, next: Next) -> Response {
    if guard.access == Access::Public {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let (caller, standing) = match identify(&guard.state, &parts).await {
        Ok(known) => known,
        Err(problem) => return problem.into_response(),
    };
    if !permits(guard.access, &caller) {
        return refuse(&guard, &caller).await.into_response();
    }
    parts.extensions.insert(caller);
    parts.extensions.insert(standing);
    parts.extensions.insert(Action(guard.action));
    next.run(Request::from_parts(parts, body)).await
}

/// Method and path template of the route.
#[derive(Clone)]
pub(super) struct Action(pub(super) Arc<str>);

async fn identify(state: &State, parts: &Parts) -> Result<(Caller, Standing), Problem> {
    if parts.extensions.get::<Peer>().is_some_and(|peer| peer.local) {
        return Ok((state.app.local_caller(), Standing(None)));
    }
    let peer = door::authenticate(state, parts).await?;
    let caller = state.app.registry_caller(&peer).await?.map_err(DoorRefusal::of)?;
    Ok((caller, Standing(Some(peer))))
}

fn permits(access: Access, caller: &Caller) -> bool {
    match access {
        Access::Public => true,
        Access::Scope(scope) => caller.holds(scope),
        Access::Either(one, other) => caller.holds(one) || caller.holds(other),
    }
}

/// 403 with the scope that is missing (RFC 6750 §3.1), told to the audit.
async fn refuse(guard: &Guard, caller: &Caller) -> Problem {
    if let Err(fault) = guard.state.app.announce_refusal(caller, &guard.action, "scope_missing").await {
        return fault.into();
    }
    let scope = match guard.access {
        Access::Public => "",
        Access::Scope(scope) | Access::Either(scope, _) => scope,
    };
    let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
    let problem = Problem::new(StatusCode::FORBIDDEN, "insufficient_scope", "scope_missing");
    match HeaderValue::from_str(&challenge) {
        Ok(challenge) => problem.with_header(header::WWW_AUTHENTICATE, challenge),
        Err(_) => problem,
    }
}
