//! `/setup`: the first administrator, by the link that the first start prints.

use app::people::SignUpForm;
use app::{App, Fault};
use axum::extract::{Query, State as Extract};
use axum::http::StatusCode;
use axum::response::Response;
use identity::mail::MailPurpose;
use identity::{ProblemCode, Secret};
use serde::Deserialize;

use super::sign_up::Link;
use super::{fields, letters};
use crate::browser::{Posted, ReturnTo, Visitor, broke, redirect_signed_in};
use crate::pages::entry::FirstRun;
use crate::pages::{Field, FieldError, Outcome, path};
use crate::state::State;

/// The link that makes the first administrator, once, within a day; nothing
/// once there is staff. For the terminal of whoever starts the server.
///
/// # Errors
/// [`Fault`]
pub async fn first_administrator_link(app: &App) -> Result<Option<String>, Fault> {
    let secret = app.offer_first_administrator().await?;
    Ok(secret.map(|secret| letters::with_token(&app.tenant().issuer, path::FIRST_RUN, &secret)))
}

#[derive(Deserialize)]
pub(super) struct Written {
    #[serde(default)]
    token: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
}

/// Opened from the terminal; looking uses nothing up.
pub(super) async fn link(Extract(state): Extract<State>, visitor: Visitor, link: Query<Link>) -> Response {
    let token = link.0.token;
    match state.app.look_at_link(&Secret::new(token.clone()), MailPurpose::FirstAdministrator).await {
        Ok(Ok(_)) => {
            let page = FirstRun {
                frame: visitor.frame(),
                token,
                name: Field::default(),
                email: Field::default(),
                password: None,
                password_min: fields::PASSWORD_MIN,
            };
            visitor.page(StatusCode::OK, &page)
        }
        Ok(Err(_)) => visitor.notice(Outcome::SetupUsed),
        Err(fault) => broke(&state, &fault),
    }
}

/// Makes the administrator and signs them in.
pub(super) async fn submit(Extract(state): Extract<State>, posted: Posted<Written>) -> Response {
    let Posted { visitor, form } = posted;
    let token = Secret::new(form.token.clone());
    let (mut shown, parsed) = parse(&visitor, form);
    let Some(person) = parsed else { return visitor.page(StatusCode::UNPROCESSABLE_ENTITY, &shown) };
    match state.app.first_administrator(&token, &person, &visitor.browser).await {
        Ok(Ok(opened)) => redirect_signed_in(&ReturnTo::home(), &opened),
        Ok(Err(refusal)) => match refusal.code {
            ProblemCode::Conflict => {
                shown.email.error = Some(FieldError::EmailTaken);
                visitor.page(StatusCode::UNPROCESSABLE_ENTITY, &shown)
            }
            ProblemCode::RateLimited => visitor.notice(Outcome::TooMany { minutes: 15 }),
            _ => visitor.notice(Outcome::SetupUsed),
        },
        Err(fault) => broke(&state, &fault),
    }
}

fn parse(visitor: &Visitor, written: Written) -> (FirstRun, Option<SignUpForm>) {
    let (name, email) = (fields::name(&written.name), fields::email(&written.email));
    let password = match (&name, &email) {
        (Ok(name), Ok(email)) => fields::new_password(written.password, email, name).map_err(Some),
        // Not looked at: simply asked for again.
        _ => Err(None),
    };
    let frame = visitor.frame();
    let household = name.as_ref().map(|name| frame.with("household-of", "name", name)).unwrap_or_default();
    let shown = FirstRun {
        frame,
        token: written.token,
        name: fields::written(&written.name, &name),
        email: fields::written(&written.email, &email),
        password: password.as_ref().err().copied().flatten(),
        password_min: fields::PASSWORD_MIN,
    };
    let form = match (name, email, password) {
        (Ok(name), Ok(email), Ok(password)) => Some(SignUpForm { name, email, household, password }),
        _ => None,
    };
    (shown, form)
}
