//! One line, one id and one count per request.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use http::{HeaderName, HeaderValue, Method};
use tokio::time::Instant;
use tower::util::MapRequestLayer;
use tracing::{Instrument, Span, field};

use super::metrics::Answers;
use crate::port::{self, SystemEntropy};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a request that found no route is counted under.
const NO_ROUTE: &str = "none";

/// The route that answers a request, as it is registered; told by the request on its way in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Route(Arc<OnceLock<MatchedPath>>);

impl Route {
    fn as_str(&self) -> &str {
        self.0.get().map_or(NO_ROUTE, MatchedPath::as_str)
    }
}

/// Makes a router say which of its routes answers, within a limit for what it reads whole. Both in
/// one layer: each is a box around every route.
pub(crate) fn mark_routes(router: Router, limit: DefaultBodyLimit) -> Router {
    router.layer((limit, MapRequestLayer::new(mark_route)))
}

fn mark_route(request: Request) -> Request {
    if let Some(matched) = request.extensions().get::<MatchedPath>() {
        Span::current().record("route", matched.as_str());
        if let Some(Route(route)) = request.extensions().get() {
            // Already told only where one router stands within another.
            let _ = route.set(matched.clone());
        }
    }
    request
}

/// Runs what answers a request within a span, then tells and counts it. The id is ours alone:
/// one that came with the request could be anything.
pub(crate) async fn observe(
    answers: &Answers,
    method: Method,
    answer: impl AsyncFnOnce(Route) -> http::Response<Body>,
) -> http::Response<Body> {
    let (start, listener) = (Instant::now(), answers.listener());
    let method = known_method(&method);
    let id = jose::base64url::encode(port::random::<15>(&SystemEntropy));
    let span = tracing::info_span!("request", id, listener, method, route = field::Empty);
    let route = Route::default();
    let mut response = answer(route.clone()).instrument(span.clone()).await;
    let elapsed = start.elapsed();
    let status = response.status().as_u16();
    span.in_scope(|| {
        let ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(status, ms, "answered");
    });
    answers.count(route.as_str(), method, status, elapsed.as_secs_f64());
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(X_REQUEST_ID, id);
    }
    response
}

/// Methods may be any word of the peer's; numbers are kept under a few.
fn known_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;
    use crate::config::{Level, Log, LogFormat};
    use crate::telemetry::log::subscriber;
    use crate::telemetry::log::tests::Lines;

    /// One request at the most talkative level, and what was told about it.
    fn told(format: LogFormat, uri: &str) -> (http::Response<Body>, String) {
        let lines = Lines::default();
        let writer = lines.clone();
        let log = subscriber(&Log { level: Level::Trace, format }, move || writer.clone());
        let router = mark_routes(Router::new().route("/thing/{id}", get(async || "ok")), DefaultBodyLimit::max(1024));
        let request = Request::builder().uri(uri).header("authorization", "Bearer topsecret").body(Body::empty());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let response = tracing::subscriber::with_default(log, || {
            runtime.block_on(observe(&Answers::of("people"), Method::GET, async |route| {
                let mut request = request.unwrap();
                request.extensions_mut().insert(route);
                router.oneshot(request).await.unwrap_or_else(|never| match never {})
            }))
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        (response, text)
    }

    #[test]
    fn a_line_tells_route_status_and_id_but_nothing_that_the_peer_wrote() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let (response, text) = told(format, "/thing/topsecret?token=topsecret");
            let id = response.headers()[X_REQUEST_ID].to_str().unwrap();
            assert!(text.contains(id) && text.contains("/thing/{id}") && text.contains("200"), "{text}");
            assert!(!text.contains("topsecret"), "{text}");
        }
        let (response, text) = told(LogFormat::Json, "/topsecret?token=topsecret");
        assert_eq!(response.status(), 404);
        assert!(text.contains("404") && !text.contains("topsecret"), "{text}");
    }

    #[test]
    fn a_json_line_is_one_object() {
        let (_, text) = told(LogFormat::Json, "/thing/1");
        let line: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!(line["status"], 200);
        assert_eq!(line["span"]["route"], "/thing/{id}");
        assert_eq!(line["span"]["listener"], "people");
    }
}
