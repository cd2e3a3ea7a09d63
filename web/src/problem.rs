//! Problem details (RFC 9457): every no of the REST API. Owns the words, their
//! statuses and titles; the issuer's URL is put before the word on the way out.

use app::Fault;
use app::registry::Refused;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use identity::ProblemCode;
use serde_json::{Map, Value, json};

use crate::door::DoorRefusal;
use crate::state::State;

/// A no, before it is written.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    word: &'static str,
    detail: String,
    errors: Vec<(String, String)>,
    /// Boxed, so that a no costs no more room than a yes.
    headers: Box<HeaderMap>,
    reason: &'static str,
}

/// What each word means, for people.
fn title(word: &str) -> &'static str {
    match word {
        "invalid" => "The request breaks a rule.",
        "invalid_token" => "The access token is missing, invalid, expired or revoked.",
        "invalid_dpop_proof" => "The DPoP proof is missing or not valid.",
        "use_dpop_nonce" => "Repeat the request with the nonce of the DPoP-Nonce header.",
        "insufficient_scope" => "The access token, or the role behind it, does not carry the scope this needs.",
        "forbidden" => "The caller may not do this.",
        "not_found" => "There is no such record.",
        "method_not_allowed" => "This address does not know the method.",
        "conflict" => "A name is taken, or the record is in use.",
        "illegal_transition" => "The life of the record does not allow this.",
        "last_owner" => "An account always keeps an owner.",
        "limit_reached" => "A limit is reached.",
        "cursor_gone" => "The cursor is of another generation of the store: begin anew.",
        "version_mismatch" => "The record has changed since it was read.",
        "too_large" => "The body is too large.",
        "unsupported_media_type" => "The body is not in a form this address takes.",
        "idempotency_key_reused" => "The idempotency key came before with another request.",
        "precondition_required" => "If-Match is missing: read the record and name its version.",
        "rate_limited" => "Too many requests.",
        "temporarily_unavailable" => "Try again later.",
        _ => "Something failed here.",
    }
}

impl Problem {
    /// A problem of a status and word of docs/api.md; `reason` is our cause, for the log.
    pub fn new(status: StatusCode, word: &'static str, reason: &'static str) -> Self {
        Self { status, word, detail: String::new(), errors: Vec::new(), headers: Box::default(), reason }
    }

    /// Bad input: which field, and what is wrong with it.
    pub fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", "malformed").with_error(field, detail)
    }

    /// The same with a sentence for people.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// The same with a further field.
    #[must_use]
    pub fn with_error(mut self, field: impl Into<String>, detail: impl Into<String>) -> Self {
        self.errors.push((field.into(), detail.into()));
        self
    }

    /// The same with a header field.
    #[must_use]
    pub fn with_header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Our cause, for logs and the audit.
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// Word and sentence, where the answer has begun already.
    pub(crate) fn summary(&self) -> Value {
        json!({ "type": self.word, "title": title(self.word), "detail": self.detail })
    }

    fn body(&self, issuer: &str) -> Value {
        let mut body = Map::new();
        body.insert("type".into(), json!(format!("{issuer}/problems/{}", self.word)));
        body.insert("title".into(), json!(title(self.word)));
        body.insert("status".into(), json!(self.status.as_u16()));
        if !self.detail.is_empty() {
            body.insert("detail".into(), json!(self.detail));
        }
        if !self.errors.is_empty() {
            let errors = self.errors.iter().map(|(field, detail)| json!({ "field": field, "detail": detail }));
            body.insert("errors".into(), errors.collect());
        }
        Value::Object(body)
    }
}

/// Writes the problem an inner layer answered with.
pub(crate) async fn write(Extract(state): Extract<State>, mut response: Response) -> Response {
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    let issuer = state.app.tenant().issuer.trim_end_matches('/');
    let body = problem.body(issuer).to_string();
    let mut written = (problem.status, *problem.headers, body).into_response();
    let headers = written.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    written
}

impl IntoResponse for Problem {
    /// Only marks the answer: [`write`] knows the issuer.
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::warn!(problem = self.word, reason = self.reason, "registry_failed");
        } else {
            tracing::info!(problem = self.word, reason = self.reason, "registry_refused");
        }
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Which field a cause of ours speaks of: `bad_serial` of `serial`.
fn field_of(reason: &'static str) -> &'static str {
    match reason {
        "model_missing" | "unknown_model" | "other_model" => "model",
        "other_serial" => "serial",
        "no_name" => "serial",
        "certificate_of_another" => "certificate",
        "bad_redirect_uri" | "redirect_uri_missing" => "redirect_uris",
        "secret_missing" => "token_endpoint_auth_method",
        "pkce_needed" => "rights",
        other => other.strip_prefix("bad_").unwrap_or(""),
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let status = StatusCode::from_u16(refused.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let problem = Self::new(status, refused.code.as_str(), refused.reason);
        match refused.code {
            ProblemCode::Invalid(detail) => match field_of(refused.reason) {
                "" => problem.with_detail(detail),
                field => problem.with_error(field, detail),
            },
            // What is taken is no secret to who may write the registry.
            ProblemCode::Conflict => problem.with_detail(format!("Cause: {}.", refused.reason.replace('_', " "))),
            ProblemCode::RateLimited => problem.with_header(header::RETRY_AFTER, HeaderValue::from_static("60")),
            _ => problem,
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        tracing::error!(cause = %fault, "registry_fault");
        if fault.is_passing() {
            let again = HeaderValue::from_static("1");
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "fault")
                .with_header(header::RETRY_AFTER, again);
        }
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "fault")
    }
}

impl From<DoorRefusal> for Problem {
    fn from(refusal: DoorRefusal) -> Self {
        let code = refusal.refusal().code;
        let word = match code {
            oauth::ErrorCode::InvalidRequest => "invalid",
            oauth::ErrorCode::ServerError => "internal",
            other => other.as_str(),
        };
        let problem = Self::new(refusal.status(), word, refusal.refusal().reason);
        Self { headers: Box::new(refusal.headers()), ..problem }
    }
}
