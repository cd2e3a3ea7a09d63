//! `/signup` and `/verify`.

use app::people::SignUpForm;
use axum::extract::{Query, State as Extract};
use axum::http::StatusCode;
use axum::response::Response;
use identity::mail::MailPurpose;
use identity::{ProblemCode, Secret};
use serde::Deserialize;

use super::{fields, letters};
use crate::browser::{Posted, ReturnTo, Visitor, broke, redirect_signed_in};
use crate::pages::entry::{SignUp, Verify};
use crate::pages::{Field, FieldError, Outcome};
use crate::state::State;

#[derive(Deserialize)]
pub(super) struct Written {
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    household: String,
}

/// A mailed link: its one-time value.
#[derive(Deserialize)]
pub(super) struct Link {
    #[serde(default)]
    pub(super) token: String,
}

/// The form.
pub(super) async fn form(visitor: Visitor) -> Response {
    let page = SignUp {
        frame: visitor.frame(),
        name: Field::default(),
        email: Field::default(),
        password: None,
        household: Field::default(),
        password_min: fields::PASSWORD_MIN,
    };
    visitor.page(StatusCode::OK, &page)
}

/// Signs up. The page that follows is the same for an address that has an
/// account; the mail is sent after it.
pub(super) async fn submit(Extract(state): Extract<State>, posted: Posted<Written>) -> Response {
    let Posted { visitor, form } = posted;
    let (shown, parsed) = parse(&visitor, form);
    let form = match parsed {
        Some(form) => form,
        None => return visitor.page(StatusCode::UNPROCESSABLE_ENTITY, &shown),
    };
    match state.app.sign_up(&form, &visitor.browser).await {
        Ok(Ok(mail)) => {
            mail.into_iter().for_each(|mail| letters::send(&state, mail));
            let in_folder = state.app.mail_is_folder();
            visitor.notice(Outcome::CheckMail { email: form.email.expose().to_owned(), in_folder })
        }
        Ok(Err(refusal)) if refusal.code == ProblemCode::RateLimited => {
            visitor.notice(Outcome::TooMany { minutes: 60 })
        }
        Ok(Err(_)) => visitor.page(StatusCode::UNPROCESSABLE_ENTITY, &shown),
        Err(fault) => broke(&state, &fault),
    }
}

/// The page to show should something be wrong, and the form where nothing is.
fn parse(visitor: &Visitor, written: Written) -> (SignUp, Option<SignUpForm>) {
    let (name, email) = (fields::name(&written.name), fields::email(&written.email));
    let frame = visitor.frame();
    let household = match (written.household.trim(), &name) {
        ("", Ok(name)) => Ok(frame.with("household-of", "name", name)),
        (text, _) => fields::name(text),
    };
    let password = match (&name, &email) {
        (Ok(name), Ok(email)) => fields::new_password(written.password, email, name),
        _ => Err(FieldError::PasswordMissing),
    };
    // A password that was not looked at is simply asked for again.
    let looked_at = name.is_ok() && email.is_ok();
    let shown = SignUp {
        frame,
        name: fields::written(&written.name, &name),
        email: fields::written(&written.email, &email),
        password: password.as_ref().err().copied().filter(|_| looked_at),
        household: fields::written(&written.household, &household),
        password_min: fields::PASSWORD_MIN,
    };
    let form = match (name, email, household, password) {
        (Ok(name), Ok(email), Ok(household), Ok(password)) => Some(SignUpForm { name, email, household, password }),
        _ => None,
    };
    (shown, form)
}

/// Opened from the mail. Looking uses nothing up: mail programs look too.
pub(super) async fn link(Extract(state): Extract<State>, visitor: Visitor, link: Query<Link>) -> Response {
    verify_page(&state, &visitor, link.0.token, None).await
}

async fn verify_page(state: &State, visitor: &Visitor, token: String, password: Option<FieldError>) -> Response {
    let secret = Secret::new(token.clone());
    match state.app.look_at_link(&secret, MailPurpose::VerifyAddress).await {
        Ok(Ok(view)) => {
            let email = view.user.map(|user| user.email.expose().to_owned()).unwrap_or_default();
            let status = if password.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
            visitor.page(status, &Verify { frame: visitor.frame(), token, email, password })
        }
        Ok(Err(refusal)) => visitor.notice(dead(refusal.reason)),
        Err(fault) => broke(state, &fault),
    }
}

#[derive(Deserialize)]
pub(super) struct Confirmed {
    #[serde(default)]
    token: String,
    #[serde(default)]
    password: String,
}

/// Verifies and signs in.
pub(super) async fn verify(Extract(state): Extract<State>, posted: Posted<Confirmed>) -> Response {
    let Posted { visitor, form } = posted;
    let password = match fields::password(form.password) {
        Ok(password) => password,
        Err(error) => return verify_page(&state, &visitor, form.token, Some(error)).await,
    };
    match state.app.verify_address(&Secret::new(form.token.clone()), password, &visitor.browser).await {
        Ok(Ok(opened)) => redirect_signed_in(&ReturnTo::home(), &opened),
        Ok(Err(refusal)) => match refusal.code {
            ProblemCode::InvalidCredentials => {
                verify_page(&state, &visitor, form.token, Some(FieldError::PasswordWrong)).await
            }
            ProblemCode::RateLimited => visitor.notice(Outcome::TooMany { minutes: 15 }),
            _ => visitor.notice(dead(refusal.reason)),
        },
        Err(fault) => broke(&state, &fault),
    }
}

fn dead(reason: &str) -> Outcome {
    match reason {
        "used_link" | "nobody_to_verify" => Outcome::VerifyUsed,
        _ => Outcome::VerifyExpired,
    }
}
