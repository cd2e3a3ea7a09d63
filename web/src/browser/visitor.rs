//! Who looks at a page: somebody signed in, or a browser nobody has signed in
//! with yet.

use app::people::{Browser, Opened, Viewer, csrf, csrf_matches};
use authority::Peer;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use identity::Secret;

use super::cookie::{self, DONE, SESSION, VISIT};
use super::page::{broke, redirect, render};
use super::{ReturnTo, done};
use crate::pages::my::Done;
use crate::pages::{Frame, Notice, Outcome, Template, Text, path};
use crate::state::State;

/// A browser, with whoever is signed in.
pub struct Visitor {
    /// Who is signed in, if anybody is.
    pub viewer: Option<Viewer>,
    /// What the request shows of the browser.
    pub browser: Browser,
    service: String,
    /// Of the cookie that the forms' token belongs to.
    secret: Secret<String>,
    /// It is a new one, to be set with the page.
    first_visit: bool,
    done: Option<Done>,
}

impl Visitor {
    /// Reads the cookies of a request.
    ///
    /// # Errors
    /// A page, when we fail.
    pub async fn of(state: &State, parts: &Parts) -> Result<Self, Response> {
        let Some(peer) = parts.extensions.get::<Peer>() else {
            return Err(broke(state, &app::Fault::Broken("no_peer")));
        };
        let session = cookie::secret(&parts.headers, SESSION);
        let viewer = match &session {
            Some(secret) => state.app.viewer(secret).await.map_err(|fault| broke(state, &fault))?,
            None => None,
        };
        let visit = cookie::secret(&parts.headers, VISIT);
        let (secret, first_visit) = match (&viewer, &session, visit) {
            (Some(_), Some(session), _) => (session.clone(), false),
            (_, _, Some(visit)) => (visit, false),
            _ => (state.app.mint_visit(), true),
        };
        let agent = parts.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        let browser = Browser { address: peer.address, agent: agent.chars().take(256).collect(), session };
        let service = state.app.settings().service.clone();
        Ok(Self { viewer, browser, service, secret, first_visit, done: done::recall(&parts.headers) })
    }

    /// The token for the forms of this browser.
    pub fn csrf(&self) -> String {
        csrf(&self.secret)
    }

    /// Whether a form's token belongs to this browser.
    pub fn is_own_form(&self, given: &str) -> bool {
        csrf_matches(&self.secret, given)
    }

    /// Around a page for this browser.
    pub fn frame(&self) -> Frame {
        let viewer = self.viewer.as_ref().map(|viewer| viewer.user.name.clone());
        Frame { text: Text::english(), service: self.service.clone(), csrf: self.csrf(), viewer }
    }

    /// The same browser after signing out.
    pub(crate) fn signed_out(mut self) -> Self {
        self.viewer = None;
        self
    }

    /// What just happened, to be said once.
    pub fn take_done(&mut self) -> Option<Done> {
        self.done.take()
    }

    /// A page for this browser, with the cookie its forms need.
    pub fn page(&self, status: StatusCode, template: &impl Template) -> Response {
        let mut response = render(status, template);
        if self.first_visit {
            append(response.headers_mut(), cookie::set(VISIT, self.secret.expose(), None));
        }
        response
    }

    /// The page that tells how something ended.
    pub fn notice(&self, outcome: Outcome) -> Response {
        let status = StatusCode::from_u16(outcome.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self.page(status, &Notice { frame: self.frame(), outcome, reference: None })
    }
}

impl FromRequestParts<State> for Visitor {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Response> {
        Self::of(state, parts).await
    }
}

/// A browser with somebody signed in.
pub struct SignedIn {
    /// Who.
    pub viewer: Viewer,
    /// The browser.
    pub visitor: Visitor,
}

impl SignedIn {
    /// Reads the cookies of a request; where nobody is signed in, sends the
    /// browser to sign in and back to this address.
    ///
    /// # Errors
    /// The redirect, or a page when we fail.
    pub async fn require(state: &State, parts: &Parts) -> Result<Self, Response> {
        let visitor = Visitor::of(state, parts).await?;
        match visitor.viewer.clone() {
            Some(viewer) => Ok(Self { viewer, visitor }),
            None => Err(redirect(&here(parts).behind(path::SIGN_IN))),
        }
    }

    /// For a risky act: a sign-in that is not fresh is asked for once more, and
    /// then comes back to `to`. Nothing where it is fresh.
    pub fn fresh_first(&self, to: &ReturnTo) -> Option<Response> {
        (!self.viewer.fresh).then(|| redirect(&to.behind(path::SIGN_IN_AGAIN)))
    }

    /// A page that says once what just happened.
    pub fn page_after(&self, status: StatusCode, template: &impl Template) -> Response {
        let mut response = self.visitor.page(status, template);
        append(response.headers_mut(), cookie::clear(DONE));
        response
    }
}

impl FromRequestParts<State> for SignedIn {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Response> {
        Self::require(state, parts).await
    }
}

/// The address of a request, as one to come back to. A post has its question
/// under the same address.
fn here(parts: &Parts) -> ReturnTo {
    ReturnTo::or_home(parts.uri.path_and_query().map(|it| it.as_str()))
}

/// Sends the browser on, and what just happened with it.
pub(crate) fn redirect_done(to: &str, what: &Done) -> Response {
    let mut response = redirect(to);
    remember_done(&mut response, what);
    response
}

/// What just happened, for the page that follows an answer.
pub(crate) fn remember_done(response: &mut Response, what: &Done) {
    append(response.headers_mut(), done::remember(what));
}

/// Sends a browser on with the session that was opened for it.
pub(crate) fn redirect_signed_in(to: &ReturnTo, opened: &Opened) -> Response {
    let mut response = redirect(to.as_str());
    set_session(&mut response, opened);
    response
}

/// Puts the session's cookie onto an answer.
pub(crate) fn set_session(response: &mut Response, opened: &Opened) {
    append(response.headers_mut(), cookie::set(SESSION, opened.cookie.expose(), Some(opened.lasts)));
}

/// Takes the session's cookie away.
pub(crate) fn clear_session(response: &mut Response) {
    append(response.headers_mut(), cookie::clear(SESSION));
}

fn append(headers: &mut HeaderMap, cookie: Option<axum::http::HeaderValue>) {
    if let Some(cookie) = cookie {
        headers.append(header::SET_COOKIE, cookie);
    }
}
