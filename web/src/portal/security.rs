//! `/my/security`, `/my/sessions` and `/my/apps`.

use app::people::SecurityView;
use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use axum::response::Response;
use identity::{ClientId, ProblemCode, Secret, SessionId};
use serde::Deserialize;

use super::sign_in::Yes;
use super::{fields, letters};
use crate::browser::{PostedBy, ReturnTo, SignedIn, broke, redirect_done, set_session};
use crate::pages::my::{Act, AppRow, ChangePassword, Confirm, Done, PasskeyRow, Security, SessionRow};
use crate::pages::{FieldError, Moment, Outcome, path};
use crate::state::State;

/// Passkeys, browsers, apps, password.
pub(super) async fn page(Extract(state): Extract<State>, mut by: SignedIn) -> Response {
    let view = match state.app.security(&by.viewer).await {
        Ok(view) => view,
        Err(fault) => return broke(&state, &fault),
    };
    let passkeys = view.passkeys.into_iter().map(|passkey| PasskeyRow {
        id: passkey.id.to_string(),
        name: passkey.name,
        added: Moment::utc(passkey.created_at),
        last_used: passkey.used_at.map(Moment::utc),
    });
    let own = by.viewer.session.id.clone();
    let sessions = view.sessions.into_iter().map(|session| SessionRow {
        browser: browser_name(&session.agent),
        since: Moment::utc(session.authenticated_at),
        last_seen: Moment::utc(session.seen_at),
        current: session.id == own,
        id: session.id.to_string(),
    });
    let apps = view.apps.into_iter().map(|app| AppRow {
        id: app.client.to_string(),
        name: app.name,
        scopes: app.scope.iter().map(ToOwned::to_owned).collect(),
        since: Moment::utc(app.since),
    });
    let done = by.visitor.take_done();
    let page = Security {
        frame: by.visitor.frame(),
        done,
        passkeys: passkeys.collect(),
        sessions: sessions.collect(),
        apps: apps.collect(),
        password_since: view
            .user
            .password
            .as_ref()
            .map(|_| Moment::utc(view.user.password_set_at.unwrap_or(view.user.created_at))),
    };
    by.page_after(StatusCode::OK, &page)
}

/// A browser in words, from what it calls itself; more it does not matter.
fn browser_name(agent: &str) -> String {
    let first =
        |words: &[(&str, &'static str)]| words.iter().find(|(sign, _)| agent.contains(sign)).map(|(_, name)| *name);
    let browser = first(&[
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser", "Samsung Internet"),
        ("Firefox", "Firefox"),
        ("FxiOS", "Firefox"),
        ("CriOS", "Chrome"),
        ("Chrome", "Chrome"),
        ("Chromium", "Chromium"),
        ("Safari", "Safari"),
    ]);
    let system = first(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "Mac"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => "Browser".to_owned(),
    }
}

#[derive(Deserialize)]
pub(super) struct Written {
    #[serde(default)]
    current: String,
    #[serde(default)]
    password: String,
}

/// The form for another password. The first one wants a fresh sign-in.
pub(super) async fn password(by: SignedIn) -> Response {
    fresh_for_first(&by).unwrap_or_else(|| password_page(&by, StatusCode::OK, None, None))
}

fn fresh_for_first(by: &SignedIn) -> Option<Response> {
    if by.viewer.user.password.is_some() {
        return None;
    }
    by.fresh_first(&ReturnTo::or_home(Some(path::MY_PASSWORD)))
}

fn password_page(
    by: &SignedIn,
    status: StatusCode,
    current: Option<FieldError>,
    password: Option<FieldError>,
) -> Response {
    let page = ChangePassword {
        frame: by.visitor.frame(),
        email: by.viewer.user.email.expose().to_owned(),
        has_password: by.viewer.user.password.is_some(),
        current,
        password,
        password_min: fields::PASSWORD_MIN,
    };
    by.visitor.page(status, &page)
}

/// Sets it; this browser goes on with a new cookie, all others are signed out.
pub(super) async fn set_password(Extract(state): Extract<State>, posted: PostedBy<Written>) -> Response {
    let PostedBy { by, form } = posted;
    if let Some(again) = fresh_for_first(&by) {
        return again;
    }
    let user = &by.viewer.user;
    let refused = StatusCode::UNPROCESSABLE_ENTITY;
    let current = if user.password.is_some() { fields::password(form.current) } else { Ok(Secret::new(String::new())) };
    let (current, new) = match (current, fields::new_password(form.password, &user.email, &user.name)) {
        (Ok(current), Ok(new)) => (current, new),
        (current, new) => return password_page(&by, refused, current.err(), new.err()),
    };
    match state.app.change_password(&by.viewer, current, new).await {
        Ok(Ok((opened, mail))) => {
            letters::send(&state, mail);
            let mut response = redirect_done(path::MY_SECURITY, &Done::PasswordChanged);
            set_session(&mut response, &opened);
            response
        }
        Ok(Err(refusal)) => match refusal.code {
            ProblemCode::InvalidCredentials => password_page(&by, refused, Some(FieldError::PasswordWrong), None),
            ProblemCode::RateLimited => by.visitor.notice(Outcome::TooMany { minutes: 15 }),
            _ => by.visitor.notice(Outcome::NotAllowed),
        },
        Err(fault) => broke(&state, &fault),
    }
}

async fn view(state: &State, by: &SignedIn) -> Result<SecurityView, Response> {
    state.app.security(&by.viewer).await.map_err(|fault| broke(state, &fault))
}

/// The page that follows an end, or the one that says there was none.
fn ended(
    state: &State,
    by: &SignedIn,
    result: Result<Result<(), app::people::Refused>, app::Fault>,
    done: &Done,
) -> Response {
    match result {
        Ok(Ok(())) => redirect_done(path::MY_SECURITY, done),
        Ok(Err(_)) => by.visitor.notice(Outcome::NotFound),
        Err(fault) => broke(state, &fault),
    }
}

fn ask(by: &SignedIn, act: Option<Act>) -> Response {
    match act {
        Some(act) => by.visitor.page(StatusCode::OK, &Confirm { frame: by.visitor.frame(), act }),
        None => by.visitor.notice(Outcome::NotFound),
    }
}

/// The question before another browser is signed out.
pub(super) async fn ask_end_session(Extract(state): Extract<State>, by: SignedIn, id: Path<String>) -> Response {
    match view(&state, &by).await {
        Ok(view) => {
            let found = view.sessions.iter().find(|session| session.id.as_str() == *id);
            ask(&by, found.map(|session| Act::EndSession { id: id.0.clone(), browser: browser_name(&session.agent) }))
        }
        Err(response) => response,
    }
}

/// Signs it out.
pub(super) async fn end_session(Extract(state): Extract<State>, id: Path<String>, posted: PostedBy<Yes>) -> Response {
    let Ok(session) = id.parse::<SessionId>() else { return posted.by.visitor.notice(Outcome::NotFound) };
    let result = state.app.end_session(&posted.by.viewer, &session).await;
    ended(&state, &posted.by, result, &Done::SessionEnded)
}

/// The question before all other browsers are signed out.
pub(super) async fn ask_end_others(by: SignedIn) -> Response {
    ask(&by, Some(Act::EndOtherSessions))
}

/// Signs them out, and ends the tokens of all apps.
pub(super) async fn end_others(Extract(state): Extract<State>, posted: PostedBy<Yes>) -> Response {
    let result = state.app.end_other_sessions(&posted.by.viewer).await;
    ended(&state, &posted.by, result, &Done::SessionsEnded)
}

/// The question before an app's access ends.
pub(super) async fn ask_end_app(Extract(state): Extract<State>, by: SignedIn, id: Path<String>) -> Response {
    match view(&state, &by).await {
        Ok(view) => {
            let found = view.apps.into_iter().find(|app| app.client.as_str() == *id);
            ask(&by, found.map(|app| Act::EndApp { id: id.0, name: app.name }))
        }
        Err(response) => response,
    }
}

/// Ends it.
pub(super) async fn end_app(Extract(state): Extract<State>, id: Path<String>, posted: PostedBy<Yes>) -> Response {
    let by = posted.by;
    let view = match view(&state, &by).await {
        Ok(view) => view,
        Err(response) => return response,
    };
    let found = view.apps.into_iter().find(|app| app.client.as_str() == *id);
    let (Some(app), Ok(client)) = (found, id.parse::<ClientId>()) else {
        return by.visitor.notice(Outcome::NotFound);
    };
    let result = state.app.end_app(&by.viewer, &client).await;
    ended(&state, &by, result, &Done::AppEnded { name: app.name })
}

#[cfg(test)]
mod tests {
    use super::browser_name;

    #[test]
    fn a_browser_is_named_in_words_and_never_by_its_own() {
        for (agent, words) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) Version/26.0 Safari/604.1", "Safari on iPhone"),
            ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
            ("<script>", "Browser"),
            ("", "Browser"),
        ] {
            assert_eq!(browser_name(agent), words);
        }
    }
}
