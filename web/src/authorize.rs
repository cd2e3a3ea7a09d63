//! `GET` and `POST /authorize`, and the person's answer at `POST /consent`
//! (RFC 6749 §4.1, OIDC Core §3.1.2).

use app::authorize::{Asking, Authorizing, SignedInAs};
use axum::extract::{RawQuery, State as Extract};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use oauth::redirect_uri::Redirect;
use serde::Deserialize;

use crate::browser::{PostedBy, ReturnTo, Visitor, broke, redirect};
use crate::pages::consent::{Consent, FormPost};
use crate::pages::{Outcome, csp, path};
use crate::state::State;

/// Says when this very request sent the person to sign in; ours, with a keyed
/// hash, so that nobody can claim a fresh sign-in that was not.
const MARKER: &str = "signing_in_since";
/// Longer requests are nobody's.
const LONGEST: usize = 3_500;

type Pairs = Vec<(String, String)>;

/// A request by address.
pub(crate) async fn by_query(Extract(state): Extract<State>, visitor: Visitor, query: RawQuery) -> Response {
    begin(&state, visitor, query.0.unwrap_or_default()).await
}

/// The same request as a form (OIDC Core §3.1.2.1).
pub(crate) async fn by_form(Extract(state): Extract<State>, parts: Parts, body: String) -> Response {
    match Visitor::of(&state, &parts).await {
        Ok(visitor) => begin(&state, visitor, body).await,
        Err(page) => page,
    }
}

async fn begin(state: &State, visitor: Visitor, query: String) -> Response {
    if query.len() > LONGEST {
        return visitor.notice(Outcome::AppRequestWrong);
    }
    let (pairs, since) = split(state, &query);
    let signed_in = visitor.viewer.clone();
    let who = signed_in.as_ref().map(|viewer| SignedInAs { user: &viewer.user, session: &viewer.session });
    match state.app.authorize(pairs.clone(), who, false, since).await {
        Ok(step) => answer(state, &visitor, &pairs, &query, step),
        Err(fault) => broke(state, &fault),
    }
}

/// The client's own parameters, and our marker beside them.
fn split(state: &State, query: &str) -> (Pairs, Option<i64>) {
    let decoded = url::form_urlencoded::parse(query.as_bytes());
    let (marker, pairs): (Pairs, Pairs) =
        decoded.map(|(name, value)| (name.into_owned(), value.into_owned())).partition(|(name, _)| name == MARKER);
    let since = marker.first().and_then(|(_, marker)| state.app.signing_in_since(marker));
    (pairs, since)
}

fn answer(state: &State, visitor: &Visitor, pairs: &Pairs, query: &str, step: Authorizing) -> Response {
    match step {
        Authorizing::Page(reason) => {
            tracing::info!(reason, "authorization_request_refused");
            visitor.notice(Outcome::AppRequestWrong)
        }
        Authorizing::Refused(place, refusal) => {
            tracing::info!(code = %refusal.code, reason = refusal.reason, "authorization_refused");
            let parameters = place.refusal(refusal);
            send(state, visitor, &place, parameters)
        }
        Authorizing::SignIn(_) => sign_in(state, visitor, pairs),
        Authorizing::Consent(asking) => ask(visitor, query, *asking),
        Authorizing::Granted(request, code) => {
            let parameters = request.redirect.success(code.expose());
            send(state, visitor, &request.redirect, parameters)
        }
    }
}

/// Who is signed in already proves it anew; both come back to this request.
fn sign_in(state: &State, visitor: &Visitor, pairs: &Pairs) -> Response {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs).append_pair(MARKER, &state.app.signing_in_marker());
    let to = ReturnTo::or_home(Some(&format!("/authorize?{}", query.finish())));
    let page = if visitor.viewer.is_some() { path::SIGN_IN_AGAIN } else { path::SIGN_IN };
    redirect(&to.behind(page))
}

fn ask(visitor: &Visitor, query: &str, asking: Asking) -> Response {
    let Asking { request, client, user, scope } = asking;
    let page = Consent {
        frame: visitor.frame(),
        client: client.name,
        email: user.email.expose().to_owned(),
        asks: scope.iter().map(str::to_owned).collect(),
        has: Vec::new(),
        returns_to: shown_place(&request.redirect),
        request: query.to_owned(),
    };
    with_policy(visitor.page(StatusCode::OK, &page), &csp::consent_policy(request.redirect.uri()))
}

/// Host and port, or the whole of an address with a private scheme.
fn shown_place(place: &Redirect) -> String {
    let uri = place.uri();
    let parsed = url::Url::parse(uri).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    match parsed.as_ref().map(|url| (url.host_str(), url.port())) {
        Some((Some(host), Some(port))) => format!("{host}:{port}"),
        Some((Some(host), None)) => host.to_owned(),
        _ => uri.to_owned(),
    }
}

/// What the person answers.
#[derive(Deserialize)]
pub(crate) struct Answered {
    #[serde(default)]
    request: String,
    #[serde(default)]
    decision: String,
}

/// The person's answer; everything is read and checked anew.
pub(crate) async fn consent(Extract(state): Extract<State>, posted: PostedBy<Answered>) -> Response {
    let PostedBy { by, form } = posted;
    let (pairs, since) = split(&state, &form.request);
    if form.decision == "allow" {
        let who = SignedInAs { user: &by.viewer.user, session: &by.viewer.session };
        return match state.app.authorize(pairs.clone(), Some(who), true, since).await {
            Ok(step) => answer(&state, &by.visitor, &pairs, &form.request, step),
            Err(fault) => broke(&state, &fault),
        };
    }
    match state.app.refuse_authorization(pairs).await {
        Ok(Ok(place)) => {
            let denied = oauth::OAuthRefusal::new(oauth::ErrorCode::AccessDenied, "person_said_no");
            let parameters = place.refusal(denied);
            send(&state, &by.visitor, &place, parameters)
        }
        Ok(Err(_)) => by.visitor.notice(Outcome::ConsentGone),
        Err(fault) => broke(&state, &fault),
    }
}

/// Sends the answer to the client: in the query by 303, or as a page that posts
/// itself (OAuth 2.0 Form Post Response Mode).
fn send(state: &State, visitor: &Visitor, place: &Redirect, parameters: Pairs) -> Response {
    if !place.is_form_post() {
        return redirect(&place.location(&parameters));
    }
    let nonce = state.app.draw().jti();
    let mut frame = visitor.frame();
    frame.csrf.clear();
    let page = FormPost {
        frame,
        client: shown_place(place),
        action: place.uri().to_owned(),
        fields: parameters,
        nonce: nonce.clone(),
    };
    with_policy(visitor.page(StatusCode::OK, &page), &csp::form_post_policy(place.uri(), &nonce))
}

fn with_policy(mut response: Response, policy: &str) -> Response {
    if let Ok(policy) = HeaderValue::from_str(policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}
