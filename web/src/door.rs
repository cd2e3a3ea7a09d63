//! The door of protected resources: one credential, the token whole, the proof
//! that fits; and how each no looks in HTTP (RFC 6750 §3, RFC 9449 §7.1).

use authority::{AuthenticatedPeer, Peer, Presented, Scheme};
use axum::Json;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use identity::Refusal;
use oauth::ErrorCode;
use serde_json::json;

use crate::state::State;

/// Algorithms named in a DPoP challenge.
const DPOP_ALGS: &str = "ES256 ES384 EdDSA Ed25519 PS256 RS256";

/// A no at a protected resource.
#[derive(Debug)]
pub struct DoorRefusal {
    refusal: Refusal<ErrorCode>,
    /// Whether a token came at all: without one the challenge is bare.
    presented: bool,
    nonce: Option<String>,
}

/// Authenticates a request for this issuer's own resources.
///
/// # Errors
/// [`DoorRefusal`], which renders itself.
pub async fn authenticate(state: &State, parts: &Parts) -> Result<AuthenticatedPeer, DoorRefusal> {
    authenticate_for(state, parts, &state.app.tenant().issuer).await
}

/// Authenticates a request for a resource of that audience.
///
/// # Errors
/// [`DoorRefusal`]
pub async fn authenticate_for(state: &State, parts: &Parts, audience: &str) -> Result<AuthenticatedPeer, DoorRefusal> {
    let app = &state.app;
    let (scheme, token) = credential(&parts.headers)?;
    let proofs = dpop_fields(&parts.headers);
    let target = format!("{}{}", state.origin, parts.uri.path());
    let uri = app::http_uri(&target).ok_or_else(|| refused(ErrorCode::InvalidRequest, "uri_malformed"))?;
    let peer = parts.extensions.get::<Peer>().ok_or_else(|| refused(ErrorCode::ServerError, "no_peer"))?;
    let presented = Presented { scheme, token, proofs: &proofs, method: parts.method.as_str(), uri: &uri, peer };
    app.authority().authenticate(&presented, audience, app.now()).await.map_err(|refusal| {
        let nonce = (refusal.code == ErrorCode::UseDpopNonce).then(|| app.resource_nonce());
        DoorRefusal { refusal, presented: true, nonce }
    })
}

/// All `DPoP` fields as they came; one that is no text counts as malformed.
pub fn dpop_fields(headers: &HeaderMap) -> Vec<&str> {
    headers.get_all("dpop").iter().map(|value| value.to_str().unwrap_or("")).collect()
}

fn refused(code: ErrorCode, reason: &'static str) -> DoorRefusal {
    DoorRefusal { refusal: Refusal::new(code, reason), presented: true, nonce: None }
}

/// The one credential of a request.
///
/// # Errors
/// [`DoorRefusal`] where there is none, more than one, or one of another scheme.
pub fn credential(headers: &HeaderMap) -> Result<(Scheme, &str), DoorRefusal> {
    let mut fields = headers.get_all(header::AUTHORIZATION).iter();
    let bare =
        DoorRefusal { refusal: Refusal::new(ErrorCode::InvalidToken, "no_token"), presented: false, nonce: None };
    let (field, another) = (fields.next().ok_or(bare)?, fields.next());
    if another.is_some() {
        return Err(refused(ErrorCode::InvalidRequest, "authorization_repeated"));
    }
    let text = field.to_str().map_err(|_| refused(ErrorCode::InvalidRequest, "authorization_malformed"))?;
    let (scheme, token) =
        text.split_once(' ').ok_or_else(|| refused(ErrorCode::InvalidRequest, "authorization_malformed"))?;
    let scheme = match scheme {
        scheme if scheme.eq_ignore_ascii_case("bearer") => Scheme::Bearer,
        scheme if scheme.eq_ignore_ascii_case("dpop") => Scheme::Dpop,
        _ => return Err(refused(ErrorCode::InvalidRequest, "authorization_scheme")),
    };
    let token = token.trim_matches(' ');
    // A field may hold tabs and spaces, a token none (RFC 6750 §2.1).
    match token.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok((scheme, token)),
        false => Err(refused(ErrorCode::InvalidRequest, "authorization_malformed")),
    }
}

impl DoorRefusal {
    /// The cause, for whoever renders it in another form.
    pub fn refusal(&self) -> Refusal<ErrorCode> {
        self.refusal
    }

    /// A no after the token was found good: a scope is missing.
    pub fn of(refusal: Refusal<ErrorCode>) -> Self {
        Self { refusal, presented: true, nonce: None }
    }

    /// The status at a resource: every bad token or proof is 401.
    pub fn status(&self) -> StatusCode {
        match self.refusal.code {
            ErrorCode::InvalidDpopProof | ErrorCode::UseDpopNonce => StatusCode::UNAUTHORIZED,
            code => StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// `WWW-Authenticate` and `DPoP-Nonce`.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let code = self.refusal.code;
        let challenge = match (self.presented, code) {
            (false, _) => format!("Bearer, DPoP algs=\"{DPOP_ALGS}\""),
            (true, ErrorCode::InvalidDpopProof | ErrorCode::UseDpopNonce) => {
                format!("DPoP error=\"{code}\", algs=\"{DPOP_ALGS}\"")
            }
            (true, _) => format!("Bearer error=\"{code}\", DPoP error=\"{code}\", algs=\"{DPOP_ALGS}\""),
        };
        if let Ok(value) = HeaderValue::from_str(&challenge) {
            headers.insert(header::WWW_AUTHENTICATE, value);
        }
        if let Some(nonce) = self.nonce.as_deref().and_then(|nonce| HeaderValue::from_str(nonce).ok()) {
            headers.insert("dpop-nonce", nonce);
        }
        if code == ErrorCode::TemporarilyUnavailable {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers
    }
}

impl IntoResponse for DoorRefusal {
    fn into_response(self) -> Response {
        tracing::info!(code = %self.refusal.code, reason = self.refusal.reason, "refused_at_resource");
        let body = json!({
            "error": self.refusal.code.as_str(),
            "error_description": self.refusal.code.description(),
        });
        (self.status(), self.headers(), Json(body)).into_response()
    }
}
