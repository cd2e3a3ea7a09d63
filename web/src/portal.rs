//! The pages of people: before the door, and under `/my`. Each handler takes a
//! checked request, calls one use case and fills one page.

mod assets;
mod fields;
mod household;
pub(crate) mod letters;
mod my;
mod passkeys;
mod recovery;
mod security;
mod setup;
mod sign_in;
mod sign_up;

use axum::Router;
use axum::routing::{get, post};

use crate::browser;
use crate::pages::path;
use crate::state::State;

pub use setup::first_administrator_link;

/// The routes of pages, style sheet and scripts; for the listener of people.
pub fn routes() -> Router<State> {
    let before = Router::new()
        .route("/", get(my::front))
        .route(path::SIGN_UP, get(sign_up::form).post(sign_up::submit))
        .route(path::VERIFY, get(sign_up::link).post(sign_up::verify))
        .route(path::SIGN_IN, get(sign_in::form).post(sign_in::submit))
        .route(path::SIGN_IN_AGAIN, get(sign_in::again).post(sign_in::submit_again))
        .route(path::SIGN_IN_PASSKEY_OPTIONS, post(passkeys::ask_sign_in))
        .route(path::SIGN_IN_PASSKEY, post(passkeys::sign_in))
        .route(path::SIGN_OUT, get(sign_in::leaving).post(sign_in::leave))
        .route(path::RECOVER, get(recovery::form).post(recovery::ask))
        .route(path::RECOVER_PASSWORD, get(recovery::link).post(recovery::set))
        .route(path::FIRST_RUN, get(setup::link).post(setup::submit));
    let within = Router::new()
        .route(path::MY, get(my::home))
        .route("/my/{*rest}", get(my::nothing))
        .route(path::MY_THING, get(my::thing))
        .route(path::MY_THING_REMOVE, get(my::ask_remove).post(my::remove))
        .route(path::MY_BOND_END, get(my::ask_end).post(my::end))
        .route(path::MY_BOND_CONFIRM, post(my::confirm))
        .route(path::MY_PEOPLE, get(household::people))
        .route(path::MY_PEOPLE_CONFIRM, post(household::confirm))
        .route(path::MY_SECURITY, get(security::page))
        .route(path::MY_PASSWORD, get(security::password).post(security::set_password))
        .route(path::MY_PASSKEYS_OPTIONS, post(passkeys::ask))
        .route(path::MY_PASSKEYS, post(passkeys::add))
        .route(path::MY_PASSKEY_RENAME, post(passkeys::rename))
        .route(path::MY_PASSKEY_REMOVE, get(passkeys::ask_remove).post(passkeys::remove))
        .route(path::MY_SESSION_END, get(security::ask_end_session).post(security::end_session))
        .route(path::MY_SESSIONS_END, get(security::ask_end_others).post(security::end_others))
        .route(path::MY_APP_END, get(security::ask_end_app).post(security::end_app));
    before.merge(within).layer(axum::middleware::from_fn(browser::headers)).route("/static/{file}", get(assets::file))
}
