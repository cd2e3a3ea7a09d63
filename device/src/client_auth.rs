//! How the software on the device says which client it is (RFC 6749 §2.3,
//! RFC 7523 §2.2, RFC 8705 §2).

use alloc::string::String;

use serde_json::{Map, Value, json};

use crate::machine::{Given, Part};
use crate::refusal::Failure;
use crate::wire::Form;

/// Life of a client assertion in seconds; servers accept at most 300.
const ASSERTION_LIFE: i64 = 120;

/// A client and its way to prove itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// Says nothing: what is proved is the key of the token that is shown. For
    /// the renewal of an asset token, which knows its client itself.
    KeyAlone,
    /// A public client: it names itself, and the key binding protects it.
    Public {
        /// The `client_id`.
        client_id: String,
    },
    /// The certificate of the TLS connection proves it (RFC 8705 §2).
    MutualTls {
        /// The `client_id`.
        client_id: String,
    },
    /// An assertion signed by the device's key (RFC 7523 §2.2).
    PrivateKeyJwt {
        /// The `client_id`; for a device its did.
        client_id: String,
        /// The server's issuer URL, the only audience of the assertion.
        issuer: String,
    },
}

impl ClientAuth {
    /// Adds the client's parameters. An assertion is new in every request: its
    /// `jti` is used once.
    pub(crate) fn fill(&self, form: &mut Form, given: &Given<'_>) -> Result<(), Failure> {
        match self {
            ClientAuth::KeyAlone => {}
            ClientAuth::Public { client_id }
            | ClientAuth::MutualTls { client_id }
            | ClientAuth::PrivateKeyJwt { client_id, .. } => form.add("client_id", client_id),
        }
        if let ClientAuth::PrivateKeyJwt { client_id, issuer } = self {
            let now = given.server_now();
            let claims = json!({
                "iss": client_id, "sub": client_id, "aud": issuer, "jti": given.id(Part::Assertion),
                "iat": now, "exp": now.saturating_add(ASSERTION_LIFE),
            });
            let assertion = sign("client-authentication+jwt", Some(&kid(given)), &Map::new(), &claims, given)?;
            form.add("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
            form.add("client_assertion", &assertion);
        }
        Ok(())
    }
}

/// The name the registry knows the key by: its own `kid`, or its thumbprint
/// (RFC 7638).
pub(crate) fn kid(given: &Given<'_>) -> String {
    let key = given.signer.jwk();
    match key.kid() {
        Some(kid) => kid.into(),
        None => jose::base64url::encode((given.sha256)(key.thumbprint_input().as_bytes())),
    }
}

pub(crate) fn sign(
    typ: &str,
    kid: Option<&str>,
    extra: &Map<String, Value>,
    claims: &Value,
    given: &Given<'_>,
) -> Result<String, Failure> {
    let payload = alloc::format!("{claims}");
    Ok(jose::jws::sign_compact(Some(typ), kid, extra, payload.as_bytes(), given.signer)?)
}
