//! `/my/people`: who belongs to the household, and who waits for a yes.

use app::people::MemberView;
use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use axum::response::Response;
use identity::BondId;

use super::my::no;
use super::sign_in::Yes;
use crate::browser::{PostedBy, SignedIn, broke, redirect_done};
use crate::pages::my::{Done, Member, People};
use crate::pages::{Moment, Outcome, path};
use crate::state::State;

/// The members of the household.
pub(super) async fn people(Extract(state): Extract<State>, mut by: SignedIn) -> Response {
    let people = match state.app.people(&by.viewer).await {
        Ok(Some(people)) => people,
        Ok(None) => return by.visitor.notice(Outcome::NotFound),
        Err(fault) => return broke(&state, &fault),
    };
    let done = by.visitor.take_done();
    let page = People {
        frame: by.visitor.frame(),
        done,
        name: people.name,
        kind: people.kind,
        members: people.members.into_iter().map(member).collect(),
        waiting: people.waiting.into_iter().map(member).collect(),
        waits: people.waits,
    };
    by.page_after(StatusCode::OK, &page)
}

fn member(one: MemberView) -> Member {
    Member { bond: one.bond.to_string(), name: one.name, role: one.role, you: one.you, since: Moment::utc(one.since) }
}

/// Somebody is still a member.
pub(super) async fn confirm(
    Extract(state): Extract<State>,
    Path(bond): Path<String>,
    posted: PostedBy<Yes>,
) -> Response {
    let by = posted.by;
    let Ok(bond) = bond.parse::<BondId>() else { return by.visitor.notice(Outcome::NotFound) };
    match state.app.confirm_member(&by.viewer, &bond).await {
        Ok(Ok(who)) => redirect_done(path::MY_PEOPLE, &Done::MemberConfirmed { who }),
        Ok(Err(refusal)) => by.visitor.notice(no(&refusal.code)),
        Err(fault) => broke(&state, &fault),
    }
}
