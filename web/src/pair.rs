//! `/pair`: the owner types a code, sees which device asks for what, decides
//! (RFC 8628 §3.3). Signing in comes before the code is looked at, so that
//! guesses are tied to an account.

use app::device_authorization::{Looked, PageLook};
use app::people::{MailKind, MailToSend};
use axum::extract::{Query, State as Extract};
use axum::http::StatusCode;
use axum::response::Response;
use oauth::device_authorization::PageOutcome;
use serde::Deserialize;

use crate::browser::{PostedBy, SignedIn, broke};
use crate::pages::pair::{Pair, PairConfirm};
use crate::pages::{Field, FieldError, Icon, Outcome};
use crate::portal::letters;
use crate::state::State;

#[derive(Deserialize)]
pub(crate) struct Coming {
    user_code: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Typed {
    #[serde(default)]
    user_code: String,
}

#[derive(Deserialize)]
pub(crate) struct Decided {
    #[serde(default)]
    user_code: String,
    #[serde(default)]
    decision: String,
}

/// The form; a code that came with the address is only filled in, never taken.
pub(crate) async fn form(by: SignedIn, coming: Query<Coming>) -> Response {
    let code = coming.0.user_code.as_deref().filter(|code| code.len() <= 64).map_or(Field::default(), Field::of);
    by.visitor.page(StatusCode::OK, &Pair { frame: by.visitor.frame(), code })
}

/// A typed code: which device asks for what.
pub(crate) async fn look(Extract(state): Extract<State>, posted: PostedBy<Typed>) -> Response {
    let PostedBy { by, form } = posted;
    match state.app.look_at_pairing(&form.user_code, &by.viewer.session, by.visitor.browser.address).await {
        Ok(PageLook::Found(found)) => by.visitor.page(StatusCode::OK, &confirm(&by, *found)),
        Ok(PageLook::Wrong) => {
            let code = Field::refused(&form.user_code, FieldError::CodeWrong);
            by.visitor.page(StatusCode::UNPROCESSABLE_ENTITY, &Pair { frame: by.visitor.frame(), code })
        }
        Ok(PageLook::Used) => by.visitor.notice(Outcome::PairUsed),
        Ok(PageLook::Later) => by.visitor.notice(Outcome::PairLater),
        Err(fault) => broke(&state, &fault),
    }
}

fn confirm(by: &SignedIn, found: Looked) -> PairConfirm {
    PairConfirm {
        frame: by.visitor.frame(),
        code: found.code,
        icon: Icon::of_product(&found.icon),
        device: found.device,
        product: found.product,
        serial_tail: found.serial_tail,
        client: found.client,
        asked_from: None,
        asks: found.asks,
        claims_for: found.claims_for,
    }
}

/// The owner's decision, recorded once.
pub(crate) async fn decide(Extract(state): Extract<State>, posted: PostedBy<Decided>) -> Response {
    let PostedBy { by, form } = posted;
    let approve = form.decision == "allow";
    let address = by.visitor.browser.address;
    match state.app.decide_pairing(&form.user_code, approve, &by.viewer.session, address).await {
        Ok((PageOutcome::Approved, device)) => {
            let kind = MailKind::DevicePaired { device: device.clone(), at: state.app.now() };
            let (to, name) = (by.viewer.user.email.clone(), Some(by.viewer.user.name.clone()));
            letters::send(&state, MailToSend { to, name, kind });
            by.visitor.notice(Outcome::PairDone { device })
        }
        Ok((PageOutcome::Denied, device)) => by.visitor.notice(Outcome::PairDenied { device }),
        Ok((PageOutcome::NotPossible, _)) => by.visitor.notice(Outcome::PairForeign),
        Ok((PageOutcome::AlreadyUsed | PageOutcome::Unknown, _)) => by.visitor.notice(Outcome::PairUsed),
        Err(app::Fault::Busy(_)) => by.visitor.notice(Outcome::PairLater),
        Err(fault) => broke(&state, &fault),
    }
}
