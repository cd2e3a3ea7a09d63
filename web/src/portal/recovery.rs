//! `/recover` and `/recover/password`.

use axum::extract::{Query, State as Extract};
use axum::http::StatusCode;
use axum::response::Response;
use identity::mail::MailPurpose;
use identity::{ProblemCode, Secret};
use serde::Deserialize;

use super::sign_up::Link;
use super::{fields, letters};
use crate::browser::{Posted, Visitor, broke, clear_session};
use crate::pages::entry::{Recover, RecoverPassword};
use crate::pages::{Field, FieldError, Outcome};
use crate::state::State;

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    email: String,
}

#[derive(Deserialize)]
pub(super) struct Chosen {
    #[serde(default)]
    token: String,
    #[serde(default)]
    password: String,
}

/// The form.
pub(super) async fn form(visitor: Visitor) -> Response {
    visitor.page(StatusCode::OK, &Recover { frame: visitor.frame(), email: Field::default() })
}

/// Asks for the mail; the page is the same whether there is an account.
pub(super) async fn ask(Extract(state): Extract<State>, posted: Posted<Asked>) -> Response {
    let Posted { visitor, form } = posted;
    let parsed = fields::email(&form.email);
    let shown = fields::written(&form.email, &parsed);
    let Ok(email) = parsed else {
        return visitor.page(StatusCode::UNPROCESSABLE_ENTITY, &Recover { frame: visitor.frame(), email: shown });
    };
    match state.app.ask_recovery(&email, &visitor.browser).await {
        Ok(Ok(mail)) => {
            mail.into_iter().for_each(|mail| letters::send(&state, mail));
            let in_folder = state.app.mail_is_folder();
            visitor.notice(Outcome::CheckRecoveryMail { email: email.expose().to_owned(), in_folder })
        }
        Ok(Err(_)) => visitor.notice(Outcome::TooMany { minutes: 60 }),
        Err(fault) => broke(&state, &fault),
    }
}

/// Opened from the mail; looking uses nothing up.
pub(super) async fn link(Extract(state): Extract<State>, visitor: Visitor, link: Query<Link>) -> Response {
    choose(&state, &visitor, Chosen { token: link.0.token, password: String::new() }, None).await
}

async fn choose(state: &State, visitor: &Visitor, chosen: Chosen, error: Option<FieldError>) -> Response {
    match state.app.look_at_link(&Secret::new(chosen.token.clone()), MailPurpose::RecoverPassword).await {
        Ok(Ok(view)) => {
            let page = RecoverPassword {
                frame: visitor.frame(),
                token: chosen.token,
                email: view.user.map(|user| user.email.expose().to_owned()).unwrap_or_default(),
                password: error,
                password_min: fields::PASSWORD_MIN,
            };
            visitor.page(if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }, &page)
        }
        Ok(Err(refusal)) => visitor.notice(dead(refusal.reason)),
        Err(fault) => broke(state, &fault),
    }
}

/// Sets the new password; every browser is signed out, this one too.
pub(super) async fn set(Extract(state): Extract<State>, posted: Posted<Chosen>) -> Response {
    let Posted { visitor, form } = posted;
    let secret = Secret::new(form.token.clone());
    let user = match state.app.look_at_link(&secret, MailPurpose::RecoverPassword).await {
        Ok(Ok(view)) => view.user,
        Ok(Err(refusal)) => return visitor.notice(dead(refusal.reason)),
        Err(fault) => return broke(&state, &fault),
    };
    let Some(user) = user else { return visitor.notice(Outcome::RecoverExpired) };
    let password = match fields::new_password(form.password, &user.email, &user.name) {
        Ok(password) => password,
        Err(error) => {
            return choose(&state, &visitor, Chosen { token: form.token, password: String::new() }, Some(error)).await;
        }
    };
    match state.app.recover_password(&secret, password, &visitor.browser).await {
        Ok(Ok((_, mail))) => {
            letters::send(&state, mail);
            let mut response = visitor.signed_out().notice(Outcome::PasswordSet);
            clear_session(&mut response);
            response
        }
        Ok(Err(refusal)) if refusal.code == ProblemCode::RateLimited => {
            visitor.notice(Outcome::TooMany { minutes: 15 })
        }
        Ok(Err(refusal)) => visitor.notice(dead(refusal.reason)),
        Err(fault) => broke(&state, &fault),
    }
}

fn dead(reason: &str) -> Outcome {
    match reason {
        "used_link" | "superseded_link" => Outcome::RecoverUsed,
        _ => Outcome::RecoverExpired,
    }
}
