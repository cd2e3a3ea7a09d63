//! One request: whose it is, within which bounds, and its answer on the way out.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use authority::Peer;
use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, RETRY_AFTER, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{Request, Response, StatusCode, Uri, Version};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::Limited;
use hyper::body::Incoming;
use tower::ServiceExt;

use super::activity::UnderWay;
use super::drain::Drain;
use super::neighbour;
use crate::config::{Belief, Limits};
use crate::telemetry;

/// How long browsers remember to come by TLS alone: two years.
const STRICT_TRANSPORT: HeaderValue = HeaderValue::from_static("max-age=63072000");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// A router with the bounds of its listener.
pub(super) struct Dressed {
    answers: telemetry::Answers,
    router: Router,
    belief: Belief,
    drain: Drain,
    upload_bytes: usize,
    headers: usize,
    /// Half of the head, so that a long target leaves room for fields.
    target_bytes: usize,
    deadline: Duration,
    strict_transport: bool,
}

impl Dressed {
    pub(super) fn new(
        listener: &'static str,
        router: Router,
        belief: Belief,
        limits: &Limits,
        strict_transport: bool,
        drain: Drain,
    ) -> Self {
        // A route for large bodies says so by a `DefaultBodyLimit` of its own; `upload_bytes`
        // holds for it as well.
        let router = telemetry::mark_routes(router, DefaultBodyLimit::max(limits.body_bytes));
        Self {
            answers: telemetry::Answers::of(listener),
            router,
            belief,
            drain,
            upload_bytes: limits.upload_bytes,
            headers: limits.headers,
            target_bytes: usize::try_from(limits.header_bytes / 2).unwrap_or(usize::MAX),
            deadline: limits.request,
            strict_transport,
        }
    }
}

/// Answers one request. Every answer has a request id, also those given before a route was found.
pub(super) async fn answer(
    dressed: Arc<Dressed>,
    connected: Arc<Peer>,
    under_way: UnderWay,
    mut request: Request<Incoming>,
) -> Result<Response<Sending>, Infallible> {
    let version = request.version();
    let admitted = admit(&dressed, &connected, &mut request);
    let method = request.method().clone();
    let response = telemetry::observe(&dressed.answers, method, async |route| {
        let peer = match admitted {
            Ok(peer) => peer,
            Err(refused) => return refused.response(version),
        };
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(route);
        let request = request.map(|body| Body::new(Limited::new(body, dressed.upload_bytes)));
        match tokio::time::timeout(dressed.deadline, dressed.router.clone().oneshot(request)).await {
            Ok(Ok(response)) => response,
            Err(_) => Refused::Late.response(version),
        }
    });
    let mut response = response.await;
    let headers = response.headers_mut();
    headers.entry(X_CONTENT_TYPE_OPTIONS).or_insert(NOSNIFF);
    if dressed.strict_transport {
        headers.insert(STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT);
    }
    Ok(sending(response, &dressed.drain, under_way))
}

/// Why a request did not reach a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    /// No host, several, or not the one of the request's target (RFC 9112 §3.2).
    Host,
    /// A believed neighbour's header says nothing clear.
    Neighbour,
    /// The request's target is longer than any of ours (RFC 9110 §15.5.15).
    Target,
    /// More fields than anybody needs (RFC 6585 §5). HTTP/1.1 stops at the same number while reading.
    Fields,
    /// The body is announced larger than any route takes.
    TooLarge,
    /// No answer within the deadline.
    Late,
}

fn admit(dressed: &Dressed, connected: &Peer, request: &mut Request<Incoming>) -> Result<Peer, Refused> {
    if request.headers().len() > dressed.headers {
        return Err(Refused::Fields);
    }
    if target_length(request.uri()) > dressed.target_bytes {
        return Err(Refused::Target);
    }
    let peer = neighbour::resolve(&dressed.belief, connected, request.headers_mut()).map_err(|_| Refused::Neighbour)?;
    check_host(request)?;
    let announced = request.body().size_hint().lower();
    if usize::try_from(announced).is_ok_and(|bytes| bytes <= dressed.upload_bytes) {
        Ok(peer)
    } else {
        Err(Refused::TooLarge)
    }
}

/// Of path and query; scheme and host are bounded by the host they must equal.
fn target_length(uri: &Uri) -> usize {
    uri.path_and_query().map_or(0, |target| target.as_str().len())
}

/// One host, and the same wherever it is said: proxies before us must not have read another.
fn check_host<B>(request: &Request<B>) -> Result<(), Refused> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    match (hosts.next(), hosts.next(), authority) {
        (_, Some(_), _) => Err(Refused::Host),
        (Some(host), None, Some(authority)) if !host.as_bytes().eq_ignore_ascii_case(authority.as_bytes()) => {
            Err(Refused::Host)
        }
        (None, None, None) if request.version() != Version::HTTP_10 => Err(Refused::Host),
        _ => Ok(()),
    }
}

impl Refused {
    /// Problem details (RFC 9457). Over HTTP/1.1 the connection ends with it: whoever sent such a
    /// request may have meant its body as the next one.
    fn response(self, version: Version) -> Response<Body> {
        let (status, title) = match self {
            Self::Host => (StatusCode::BAD_REQUEST, "The request does not name one host."),
            Self::Neighbour => {
                (StatusCode::BAD_REQUEST, "The proxy in between does not say clearly whom it speaks for.")
            }
            Self::Target => (StatusCode::URI_TOO_LONG, "The address is too long."),
            Self::Fields => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "The request has too many header fields."),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "The body is too large."),
            Self::Late => (StatusCode::SERVICE_UNAVAILABLE, "There was no answer in time. Try again."),
        };
        let body = serde_json::json!({ "title": title, "status": status.as_u16() });
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self == Self::Late {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        } else if version < Version::HTTP_2 {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// An answer being sent. An event stream, which would never end by itself, ends when the server stops.
pub(super) struct Sending {
    body: Body,
    until: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    under_way: UnderWay,
}

fn sending(response: Response<Body>, drain: &Drain, mut under_way: UnderWay) -> Response<Sending> {
    under_way.hand_out();
    // Of an empty body no part will be asked for.
    if response.body().is_end_stream() {
        under_way.count_answered();
    }
    let drain = drain.clone();
    let until = is_event_stream(response.headers())
        .then(|| Box::pin(async move { drain.stopping().await }) as Pin<Box<dyn Future<Output = ()> + Send>>);
    response.map(|body| Sending { body, until, under_way })
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.starts_with(b"text/event-stream") && !headers.contains_key(CONTENT_LENGTH)
}

impl http_body::Body for Sending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.under_way.count_answered();
        self.under_way.take_back();
        if let Some(until) = &mut self.until
            && until.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.under_way.hand_out();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(version: Version, uri: &str, hosts: &[&str]) -> Result<(), Refused> {
        let mut request = Request::builder().version(version).uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        check_host(&request.body(()).unwrap())
    }

    #[test]
    fn a_request_names_one_host() {
        let (one, two) = (Version::HTTP_11, Version::HTTP_2);
        let table = [
            (one, "/", &["a"][..], true),
            (one, "https://a/", &["A"], true),
            (two, "https://a/", &[], true),
            (two, "https://a/", &["a"], true),
            (Version::HTTP_10, "/", &[], true),
            (one, "/", &[], false),
            (one, "/", &["a", "a"], false),
            (one, "https://b/", &["a"], false),
            (two, "https://b/", &["a"], false),
        ];
        for (version, uri, hosts, right) in table {
            assert_eq!(check(version, uri, hosts).is_ok(), right, "{version:?} {uri} {hosts:?}");
        }
    }
}
