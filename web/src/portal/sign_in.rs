//! `/signin`, `/signin/again` and `/signout`.

use axum::extract::{Query, State as Extract};
use axum::http::StatusCode;
use axum::response::Response;
use identity::user::Email;
use identity::{ProblemCode, Secret};
use serde::Deserialize;

use super::fields;
use crate::browser::{
    Posted, PostedBy, ReturnTo, SignedIn, Visitor, broke, clear_session, redirect, redirect_signed_in,
};
use crate::pages::entry::{SignIn, SignInAgain, SignOut};
use crate::pages::{Field, FieldError, Outcome};
use crate::state::State;

#[derive(Deserialize)]
pub(super) struct Coming {
    return_to: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Written {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    return_to: Option<String>,
}

/// An empty form; for posts that say nothing but yes.
#[derive(Deserialize)]
pub(super) struct Yes {}

/// The form; who is signed in goes on at once.
pub(super) async fn form(Extract(state): Extract<State>, visitor: Visitor, coming: Query<Coming>) -> Response {
    let to = ReturnTo::or_home(coming.0.return_to.as_deref());
    match &visitor.viewer {
        Some(_) => redirect(to.as_str()),
        None => sign_in_page(&state, &visitor, StatusCode::OK, Field::default(), None, &to).await,
    }
}

async fn sign_in_page(
    state: &State,
    visitor: &Visitor,
    status: StatusCode,
    email: Field,
    password: Option<FieldError>,
    to: &ReturnTo,
) -> Response {
    let for_app = match to.client_id() {
        Some(id) => state.app.client_name(id).await,
        None => Ok(None),
    };
    match for_app {
        Ok(for_app) => {
            let page = SignIn { frame: visitor.frame(), email, password, return_to: to.to_string(), for_app };
            visitor.page(status, &page)
        }
        Err(fault) => broke(state, &fault),
    }
}

/// Signs in.
pub(super) async fn submit(Extract(state): Extract<State>, posted: Posted<Written>) -> Response {
    let Posted { visitor, form } = posted;
    let to = ReturnTo::or_home(form.return_to.as_deref());
    let (email, password) = (fields::email(&form.email), fields::password(form.password));
    let shown = fields::written(&form.email, &email);
    let (email, password) = match (email, password) {
        (Ok(email), Ok(password)) => (email, password),
        (_, password) => {
            return sign_in_page(&state, &visitor, StatusCode::UNPROCESSABLE_ENTITY, shown, password.err(), &to).await;
        }
    };
    match enter(&state, &visitor, &email, password, &to).await {
        Ok(entered) => entered,
        Err(ProblemCode::AddressUnverified) => {
            let in_folder = state.app.mail_is_folder();
            visitor.notice(Outcome::CheckMail { email: email.expose().to_owned(), in_folder })
        }
        Err(_) => {
            let wrong = Field::refused(&form.email, FieldError::SignInWrong);
            sign_in_page(&state, &visitor, StatusCode::UNPROCESSABLE_ENTITY, wrong, None, &to).await
        }
    }
}

/// The way in: the redirect with the new cookie or a page, else the code that
/// the form itself has a sentence for.
async fn enter(
    state: &State,
    visitor: &Visitor,
    email: &Email,
    password: Secret<String>,
    to: &ReturnTo,
) -> Result<Response, ProblemCode> {
    match state.app.sign_in(email, password, &visitor.browser).await {
        Ok(Ok(opened)) => Ok(redirect_signed_in(to, &opened)),
        Ok(Err(refusal)) => match refusal.code {
            ProblemCode::RateLimited => Ok(visitor.notice(Outcome::TooMany { minutes: 15 })),
            ProblemCode::UserDisabled => Ok(visitor.notice(Outcome::NotAllowed)),
            code => Err(code),
        },
        Err(fault) => Ok(broke(state, &fault)),
    }
}

/// The password once more, before a risky act.
pub(super) async fn again(by: SignedIn, coming: Query<Coming>) -> Response {
    again_page(&by, StatusCode::OK, None, &ReturnTo::or_home(coming.0.return_to.as_deref()))
}

fn again_page(by: &SignedIn, status: StatusCode, password: Option<FieldError>, to: &ReturnTo) -> Response {
    let user = &by.viewer.user;
    let page = SignInAgain {
        frame: by.visitor.frame(),
        email: user.email.expose().to_owned(),
        has_password: user.password.is_some(),
        password,
        return_to: to.to_string(),
    };
    by.visitor.page(status, &page)
}

/// Signs in once more: the session goes on under a new secret.
pub(super) async fn submit_again(Extract(state): Extract<State>, posted: PostedBy<Written>) -> Response {
    let PostedBy { by, form } = posted;
    let to = ReturnTo::or_home(form.return_to.as_deref());
    let password = match fields::password(form.password) {
        Ok(password) => password,
        Err(error) => return again_page(&by, StatusCode::UNPROCESSABLE_ENTITY, Some(error), &to),
    };
    let email = by.viewer.user.email.clone();
    match enter(&state, &by.visitor, &email, password, &to).await {
        Ok(entered) => entered,
        Err(_) => again_page(&by, StatusCode::UNPROCESSABLE_ENTITY, Some(FieldError::PasswordWrong), &to),
    }
}

/// The question before signing out.
pub(super) async fn leaving(visitor: Visitor) -> Response {
    match &visitor.viewer {
        Some(_) => visitor.page(StatusCode::OK, &SignOut { frame: visitor.frame() }),
        None => visitor.notice(Outcome::SignedOut),
    }
}

/// Signs out; without a session there is nothing left to do.
pub(super) async fn leave(Extract(state): Extract<State>, posted: Posted<Yes>) -> Response {
    let visitor = posted.visitor;
    if let Some(viewer) = &visitor.viewer
        && let Err(fault) = state.app.sign_out(viewer).await
    {
        return broke(&state, &fault);
    }
    let mut response = visitor.signed_out().notice(Outcome::SignedOut);
    clear_session(&mut response);
    response
}
