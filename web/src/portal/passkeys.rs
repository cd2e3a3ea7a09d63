//! `/signin/passkey` and `/my/passkeys`: what the script asks and answers, and
//! the forms for names and removal.

use app::passkey::Ceremony;
use app::people::CeremonyAnswer;
use axum::Json;
use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use identity::{PasskeyId, ProblemCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::sign_in::Yes;
use super::{fields, letters};
use crate::browser::{PostedBy, PostedJson, ReturnTo, SignedIn, broke, redirect_done, remember_done, set_session};
use crate::pages::my::{Act, Confirm, Done};
use crate::pages::{Outcome, path};
use crate::state::State;

/// Asks for a passkey; says nothing else.
#[derive(Deserialize)]
pub(super) struct Nothing {}

#[derive(Deserialize)]
pub(super) struct SignInAnswer {
    state: String,
    credential: Value,
    return_to: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct NewAnswer {
    state: String,
    credential: Value,
    name: String,
}

#[derive(Deserialize)]
pub(super) struct Name {
    #[serde(default)]
    name: String,
}

fn ceremony(ceremony: Ceremony) -> Response {
    Json(json!({ "publicKey": ceremony.public_key, "state": ceremony.state })).into_response()
}

/// Where the script goes on.
fn next(status: StatusCode, to: &str) -> Response {
    (status, Json(json!({ "next": to }))).into_response()
}

/// A no, which the script tells as "did not work".
fn no(refusal: &app::people::Refused) -> Response {
    tracing::info!(code = refusal.code.as_str(), reason = refusal.reason, "passkey_refused");
    let status = StatusCode::from_u16(refusal.code.status()).unwrap_or(StatusCode::FORBIDDEN);
    (status, Json(json!({ "error": refusal.code.as_str() }))).into_response()
}

fn failed(fault: &app::Fault) -> Response {
    tracing::error!(cause = %fault, "passkey_fault");
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "error": "temporarily_unavailable" }))).into_response()
}

/// `POST /signin/passkey/options`.
pub(super) async fn ask_sign_in(Extract(state): Extract<State>, _posted: PostedJson<Nothing>) -> Response {
    state.app.ask_passkey_sign_in().map_or_else(|fault| failed(&fault), ceremony)
}

/// `POST /signin/passkey`.
pub(super) async fn sign_in(Extract(state): Extract<State>, posted: PostedJson<SignInAnswer>) -> Response {
    let PostedJson { visitor, body } = posted;
    let to = ReturnTo::or_home(body.return_to.as_deref());
    let answer = CeremonyAnswer { state: body.state, credential: body.credential };
    match state.app.sign_in_by_passkey(answer, &visitor.browser).await {
        Ok(Ok(opened)) => {
            let mut response = next(StatusCode::OK, to.as_str());
            set_session(&mut response, &opened);
            response
        }
        Ok(Err(refusal)) => no(&refusal),
        Err(fault) => failed(&fault),
    }
}

/// Sends the script's person to sign in, or to do so once more.
fn sign_in_first(page: &str) -> Response {
    next(StatusCode::UNAUTHORIZED, &ReturnTo::or_home(Some(path::MY_SECURITY)).behind(page))
}

/// `POST /my/passkeys/options`.
pub(super) async fn ask(Extract(state): Extract<State>, posted: PostedJson<Nothing>) -> Response {
    let Some(viewer) = &posted.visitor.viewer else { return sign_in_first(path::SIGN_IN) };
    match state.app.ask_passkey(viewer).await {
        Ok(Ok(asked)) => ceremony(asked),
        Ok(Err(_)) => sign_in_first(path::SIGN_IN_AGAIN),
        Err(fault) => failed(&fault),
    }
}

/// `POST /my/passkeys`.
pub(super) async fn add(Extract(state): Extract<State>, posted: PostedJson<NewAnswer>) -> Response {
    let Some(viewer) = &posted.visitor.viewer else { return sign_in_first(path::SIGN_IN) };
    let body = posted.body;
    let answer = CeremonyAnswer { state: body.state, credential: body.credential };
    match state.app.add_passkey(viewer, &body.name, answer).await {
        Ok(Ok(mail)) => {
            letters::send(&state, mail);
            let mut response = next(StatusCode::OK, path::MY_SECURITY);
            remember_done(&mut response, &Done::PasskeyAdded);
            response
        }
        Ok(Err(refusal)) if refusal.code == ProblemCode::FreshSignInRequired => sign_in_first(path::SIGN_IN_AGAIN),
        Ok(Err(refusal)) => no(&refusal),
        Err(fault) => failed(&fault),
    }
}

/// `POST /my/passkeys/{id}/name`.
pub(super) async fn rename(Extract(state): Extract<State>, id: Path<String>, posted: PostedBy<Name>) -> Response {
    let PostedBy { by, form } = posted;
    let (Ok(id), Ok(name)) = (id.parse::<PasskeyId>(), fields::name(&form.name)) else {
        return by.visitor.notice(Outcome::NotFound);
    };
    match state.app.rename_passkey(&by.viewer, &id, &name).await {
        Ok(Ok(())) => redirect_done(path::MY_SECURITY, &Done::PasskeyRenamed),
        Ok(Err(_)) => by.visitor.notice(Outcome::NotFound),
        Err(fault) => broke(&state, &fault),
    }
}

fn removal(id: &PasskeyId) -> ReturnTo {
    ReturnTo::or_home(Some(&format!("/my/passkeys/{id}/remove")))
}

/// The question before a passkey is removed; wants a fresh sign-in.
pub(super) async fn ask_remove(Extract(state): Extract<State>, by: SignedIn, id: Path<String>) -> Response {
    let Ok(id) = id.parse::<PasskeyId>() else { return by.visitor.notice(Outcome::NotFound) };
    if let Some(again) = by.fresh_first(&removal(&id)) {
        return again;
    }
    match state.app.security(&by.viewer).await {
        Ok(view) => match view.passkeys.into_iter().find(|passkey| passkey.id == id) {
            Some(passkey) => {
                let act = Act::RemovePasskey { id: id.to_string(), name: passkey.name };
                by.visitor.page(StatusCode::OK, &Confirm { frame: by.visitor.frame(), act })
            }
            None => by.visitor.notice(Outcome::NotFound),
        },
        Err(fault) => broke(&state, &fault),
    }
}

/// Removes it, unless nothing else is left to sign in with.
pub(super) async fn remove(Extract(state): Extract<State>, id: Path<String>, posted: PostedBy<Yes>) -> Response {
    let by = posted.by;
    let Ok(id) = id.parse::<PasskeyId>() else { return by.visitor.notice(Outcome::NotFound) };
    if let Some(again) = by.fresh_first(&removal(&id)) {
        return again;
    }
    match state.app.remove_passkey(&by.viewer, &id).await {
        Ok(Ok(())) => redirect_done(path::MY_SECURITY, &Done::PasskeyRemoved),
        Ok(Err(refusal)) => match refusal.code {
            ProblemCode::LastSignIn => by.visitor.notice(Outcome::LastSignIn),
            _ => by.visitor.notice(Outcome::NotFound),
        },
        Err(fault) => broke(&state, &fault),
    }
}
