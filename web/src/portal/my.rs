//! `/my`: things, one thing with who may do what, ends.

use app::people::{AccessView, AppKind, HolderView, Removed, ThingView, ThingsView, WaitingView};
use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use axum::response::Response;
use identity::{AssetId, BondId, ProblemCode};

use super::letters;
use super::sign_in::Yes;
use crate::browser::{PostedBy, SignedIn, broke, redirect, redirect_done};
use crate::pages::my::{Access, Act, Confirm, Done, HolderKind, Home, Thing, ThingCard};
use crate::pages::{Icon, Moment, Outcome, path};
use crate::state::State;

/// The serial number's last characters are enough to tell a thing by.
const SERIAL_TAIL: usize = 6;

/// `/` leads to one's things.
pub(super) async fn front() -> Response {
    redirect(path::MY)
}

/// An address under `/my` where nothing is.
pub(super) async fn nothing(by: SignedIn) -> Response {
    by.visitor.notice(Outcome::NotFound)
}

/// My things.
pub(super) async fn home(Extract(state): Extract<State>, mut by: SignedIn) -> Response {
    match state.app.things(&by.viewer).await {
        Ok(ThingsView { things, asks, waits }) => {
            let done = by.visitor.take_done();
            let things = things.into_iter().map(card).collect();
            by.page_after(StatusCode::OK, &Home { frame: by.visitor.frame(), done, things, asks, waits })
        }
        Err(fault) => broke(&state, &fault),
    }
}

fn card(thing: ThingView) -> ThingCard {
    ThingCard {
        id: thing.asset.id.to_string(),
        icon: Icon::of_product(&thing.product.icon),
        name: thing.asset.name,
        room: thing.asset.room,
        state: thing.device.state,
        others: thing.others,
    }
}

/// One thing.
pub(super) async fn thing(Extract(state): Extract<State>, mut by: SignedIn, id: Path<String>) -> Response {
    let done = by.visitor.take_done();
    match find(&state, &by, &id).await {
        Ok(found) => {
            let frame = by.visitor.frame();
            by.page_after(StatusCode::OK, &thing_page(frame, done, found))
        }
        Err(response) => response,
    }
}

/// A thing of theirs, or the page that says there is none.
async fn find(state: &State, by: &SignedIn, id: &str) -> Result<ThingView, Response> {
    let Ok(asset) = id.parse::<AssetId>() else { return Err(by.visitor.notice(Outcome::NotFound)) };
    let found = state.app.thing(&by.viewer, &asset).await.map_err(|fault| broke(state, &fault))?;
    found.ok_or_else(|| by.visitor.notice(Outcome::NotFound))
}

fn thing_page(frame: crate::pages::Frame, done: Option<Done>, thing: ThingView) -> Thing {
    let serial = thing.device.serial.unwrap_or_default();
    let tail = serial.chars().count().saturating_sub(SERIAL_TAIL);
    Thing {
        frame,
        done,
        id: thing.asset.id.to_string(),
        icon: Icon::of_product(&thing.product.icon),
        name: thing.asset.name,
        room: thing.asset.room,
        product: thing.product.name,
        serial_tail: serial.chars().skip(tail).collect(),
        state: thing.device.state,
        owned_since: Moment::utc(thing.asset.opened_at),
        last_seen: thing.last_seen.map(Moment::utc),
        access: thing.access.into_iter().map(access).collect(),
        removable: thing.removable,
        waiting: thing.waiting.into_iter().map(waiting).collect(),
    }
}

fn kind_of(holder: &HolderView) -> (HolderKind, bool) {
    match holder {
        HolderView::Person { you, .. } => (HolderKind::Person, *you),
        HolderView::Program { kind: AppKind::App, .. } => (HolderKind::App, false),
        HolderView::Program { kind: AppKind::Device, .. } => (HolderKind::Device, false),
    }
}

fn waiting(one: WaitingView) -> Access {
    let (kind, you) = kind_of(&one.holder);
    Access {
        id: one.id,
        who: one.holder.name().to_owned(),
        kind,
        you,
        role: one.role,
        scopes: Vec::new(),
        since: Moment::utc(one.since),
        until: None,
        endable: false,
    }
}

fn access(one: AccessView) -> Access {
    let (kind, you) = kind_of(&one.holder);
    Access {
        id: one.id,
        who: one.holder.name().to_owned(),
        kind,
        you,
        role: one.role,
        scopes: one.scopes,
        since: Moment::utc(one.since),
        until: one.until.map(Moment::utc),
        endable: one.endable,
    }
}

/// The question before somebody's access ends, with their name.
pub(super) async fn ask_end(
    Extract(state): Extract<State>,
    by: SignedIn,
    Path((id, holder)): Path<(String, String)>,
) -> Response {
    match find_access(&state, &by, &id, &holder).await {
        Ok((thing, who)) => {
            let act = Act::EndAccess { thing_id: id, bond_id: holder, thing: thing.asset.name, who };
            by.visitor.page(StatusCode::OK, &Confirm { frame: by.visitor.frame(), act })
        }
        Err(response) => response,
    }
}

async fn find_access(state: &State, by: &SignedIn, id: &str, holder: &str) -> Result<(ThingView, String), Response> {
    let thing = find(state, by, id).await?;
    let one = thing.access.iter().find(|one| one.id == holder && one.endable);
    match one.map(|one| one.holder.name().to_owned()) {
        Some(who) => Ok((thing, who)),
        None => Err(by.visitor.notice(Outcome::NotFound)),
    }
}

/// Ends it.
pub(super) async fn end(
    Extract(state): Extract<State>,
    Path((id, holder)): Path<(String, String)>,
    posted: PostedBy<Yes>,
) -> Response {
    let by = posted.by;
    let (thing, who) = match find_access(&state, &by, &id, &holder).await {
        Ok(found) => found,
        Err(response) => return response,
    };
    match state.app.end_access(&by.viewer, &thing.asset.id, &holder).await {
        Ok(Ok((removed, mails))) => {
            mails.into_iter().for_each(|mail| letters::send(&state, mail));
            match removed {
                Removed::Access => redirect_done(&format!("/my/things/{id}"), &Done::AccessEnded { who }),
                Removed::Thing => redirect_done(path::MY, &Done::ThingRemoved { thing: thing.asset.name }),
            }
        }
        Ok(Err(refusal)) => by.visitor.notice(no(&refusal.code)),
        Err(fault) => broke(&state, &fault),
    }
}

/// Somebody's access is still right.
pub(super) async fn confirm(
    Extract(state): Extract<State>,
    Path((id, bond)): Path<(String, String)>,
    posted: PostedBy<Yes>,
) -> Response {
    let by = posted.by;
    let (Ok(asset), Ok(bond)) = (id.parse::<AssetId>(), bond.parse::<BondId>()) else {
        return by.visitor.notice(Outcome::NotFound);
    };
    match state.app.confirm_access(&by.viewer, &asset, &bond).await {
        Ok(Ok(who)) => redirect_done(&format!("/my/things/{id}"), &Done::AccessConfirmed { who }),
        Ok(Err(refusal)) => by.visitor.notice(no(&refusal.code)),
        Err(fault) => broke(&state, &fault),
    }
}

pub(super) fn no(code: &ProblemCode) -> Outcome {
    match code {
        ProblemCode::NotFound => Outcome::NotFound,
        _ => Outcome::NotAllowed,
    }
}

/// The question before a thing leaves the account.
pub(super) async fn ask_remove(Extract(state): Extract<State>, by: SignedIn, id: Path<String>) -> Response {
    match find(&state, &by, &id).await {
        Ok(thing) if thing.removable => {
            let act = Act::RemoveThing { thing_id: thing.asset.id.to_string(), thing: thing.asset.name };
            by.visitor.page(StatusCode::OK, &Confirm { frame: by.visitor.frame(), act })
        }
        Ok(_) => by.visitor.notice(Outcome::NotAllowed),
        Err(response) => response,
    }
}

/// Removes it.
pub(super) async fn remove(Extract(state): Extract<State>, id: Path<String>, posted: PostedBy<Yes>) -> Response {
    let by = posted.by;
    let thing = match find(&state, &by, &id).await {
        Ok(thing) => thing,
        Err(response) => return response,
    };
    match state.app.remove_thing(&by.viewer, &thing.asset.id).await {
        Ok(Ok(())) => redirect_done(path::MY, &Done::ThingRemoved { thing: thing.asset.name }),
        Ok(Err(_)) => by.visitor.notice(Outcome::NotAllowed),
        Err(fault) => broke(&state, &fault),
    }
}
