//! Answers to browsers: pages, redirects after a post, faults; and the headers
//! that every one of them bears.

use app::Fault;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::pages::{Frame, Notice, Outcome, Template, Text, csp};
use crate::state::State;

/// Renders a page; a template that cannot write to memory is a fault.
pub(super) fn render(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
        Err(error) => {
            tracing::error!(cause = %error, "page_not_rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Sends the browser on after a post, to be fetched anew: never 307, which
/// would send the password along (RFC 9700 §4.12).
pub fn redirect(to: &str) -> Response {
    match HeaderValue::from_str(to) {
        Ok(to) => (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Something of ours failed: a page with a number under which the log knows it.
pub fn broke(state: &State, fault: &Fault) -> Response {
    let reference = state.app.draw().jti();
    let reference: String = reference.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    tracing::error!(cause = %fault, reference, "page_fault");
    let frame = Frame {
        text: Text::english(),
        service: state.app.settings().service.clone(),
        csrf: String::new(),
        viewer: None,
    };
    let passing = fault.is_passing();
    let status = if passing { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::INTERNAL_SERVER_ERROR };
    let mut response = render(status, &Notice { frame, outcome: Outcome::Fault, reference: Some(reference) });
    if passing {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

/// Around the routes of pages: `axum::middleware::from_fn(browser::headers)`. A
/// policy that an answer has set itself stays (consent, form post).
pub async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    missing(headers, header::CONTENT_SECURITY_POLICY, csp::POLICY);
    missing(headers, header::REFERRER_POLICY, "no-referrer");
    missing(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    missing(headers, header::X_FRAME_OPTIONS, "DENY");
    missing(headers, header::CACHE_CONTROL, "no-store");
    missing(headers, HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    response
}

fn missing(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}
