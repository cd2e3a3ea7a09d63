//! Client authentication: exactly one method, the registered one; a device is
//! its own client under its did (RFC 6749 §2.3, RFC 7523 §2.2, RFC 8705 §2).

use std::sync::Arc;

use identity::device::DeviceState;
use identity::facts::DeviceFacts;
use identity::{Credential, Digest, Fact, Guard, Secret, Tenant, TrustAnchor};
use jose::{Alg, Jwk, VerifyingKey, digest, jws};
use serde_json::{Map, Value};

use crate::client::{AuthMethod, Client, GrantType};
use crate::error::{ErrorCode, OAuthRefusal};
use crate::facts::CallerFacts;
use crate::form::Form;
use crate::scope::Scope;

mod assertion;
mod basic;
#[cfg(test)]
mod tests;

pub use assertion::Assertion;
pub use identity::rule::authority::{DeviceAuthority, authorities_of};

/// Scopes a device may hold for itself, whatever its product says.
const DEVICE_SCOPES: [&str; 2] = ["firmware:read", "device:pair"];

/// What the connection's certificate says, judged by `pki` before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownCertificate {
    /// `x5t#S256`.
    pub thumbprint: String,
    /// RFC 7638 thumbprint of its key.
    pub key_thumbprint: String,
    /// Whether its path leads to an authority trusted for clients, and its one
    /// name is the client's registered one (RFC 8705 §2.1).
    pub is_registered_name: bool,
}

/// What a request shows for its client.
#[derive(Debug, Clone)]
pub struct Presented {
    basic: Option<(String, Secret<String>)>,
    client_id: Option<String>,
    secret: Option<Secret<String>>,
    assertion: Option<Assertion>,
    by_token: bool,
    /// The certificate of the connection, where there is one.
    pub certificate: Option<ShownCertificate>,
    /// Authorities of the product of the device that calls.
    pub authorities: Vec<DeviceAuthority>,
}

const fn bad(reason: &'static str) -> OAuthRefusal {
    OAuthRefusal::new(ErrorCode::InvalidClient, reason)
}

impl Presented {
    /// Collects what a request shows: the `Authorization` field as it came, and
    /// the form.
    ///
    /// # Errors
    /// `invalid_client` for malformed credentials, `invalid_request` where two
    /// methods are used at once (RFC 6749 §2.3).
    pub fn collect(authorization: Option<&str>, form: &Form) -> Result<Self, OAuthRefusal> {
        let basic = authorization.map(basic::parse).transpose()?;
        let secret = form.one("client_secret").map(|secret| Secret::new(secret.to_owned()));
        let assertion = assertion::collect(form)?;
        let methods = usize::from(basic.is_some()) + usize::from(secret.is_some()) + usize::from(assertion.is_some());
        if methods > 1 {
            return Err(OAuthRefusal::new(ErrorCode::InvalidRequest, "two_client_authentications"));
        }
        let client_id = form.one("client_id").map(str::to_owned);
        let presented =
            Self { basic, client_id, secret, assertion, by_token: false, certificate: None, authorities: Vec::new() };
        let named = presented.names();
        if named.windows(2).any(|pair| pair.first() != pair.last()) {
            return Err(bad("client_ids_differ"));
        }
        Ok(presented)
    }

    fn names(&self) -> Vec<&str> {
        let basic = self.basic.as_ref().map(|(id, _)| id.as_str());
        let assertion = self.assertion.as_ref().map(Assertion::client_id);
        [basic, self.client_id.as_deref(), assertion].into_iter().flatten().collect()
    }

    /// The id it names.
    pub fn client_id(&self) -> Option<&str> {
        self.names().first().copied()
    }

    /// Whether the failure must be told with `WWW-Authenticate: Basic`.
    pub fn used_basic(&self) -> bool {
        self.basic.is_some()
    }

    /// The once key of its assertion, for the load.
    pub fn assertion_once(&self) -> Option<String> {
        self.assertion.as_ref().map(Assertion::once_key)
    }

    /// The secret of the `Authorization` field, for what the same request keys
    /// with it.
    pub fn basic_secret(&self) -> Option<Secret<String>> {
        self.basic.as_ref().map(|(_, secret)| secret.clone())
    }

    /// A client named by a token it holds instead of a parameter: the
    /// Salesforce form of the exchange, for clients that registered so.
    #[must_use]
    pub fn named(client_id: String) -> Self {
        let client_id = Some(client_id);
        let authorities = Vec::new();
        Self { basic: None, client_id, secret: None, assertion: None, by_token: true, certificate: None, authorities }
    }
}

/// A client that proved itself, or a public one that needs not. Only [`verify`]
/// makes one.
#[derive(Debug, Clone)]
pub struct AuthenticatedClient {
    who: Who,
    once: Option<(String, i64)>,
    certificate: Option<ShownCertificate>,
    /// The longest life of a token that rests on the key it proved itself by, seconds.
    longest: i64,
}

#[derive(Debug, Clone)]
enum Who {
    Client(Arc<Fact<Client>>),
    Device(Box<(DeviceFacts, Fact<Credential>, Vec<Fact<TrustAnchor>>)>),
}

impl AuthenticatedClient {
    /// Its id: of a client, or a did.
    pub fn id(&self) -> &str {
        match &self.who {
            Who::Client(client) => client.id.as_str(),
            Who::Device(device) => device.0.device.id.as_str(),
        }
    }

    /// The registered client, if it is one.
    pub fn client(&self) -> Option<&Fact<Client>> {
        match &self.who {
            Who::Client(client) => Some(client),
            Who::Device(_) => None,
        }
    }

    /// The device, if it is its own client.
    pub fn device(&self) -> Option<&DeviceFacts> {
        match &self.who {
            Who::Client(_) => None,
            Who::Device(device) => Some(&device.0),
        }
    }

    /// The credential a device proved itself with.
    pub fn credential(&self) -> Option<&Fact<Credential>> {
        match &self.who {
            Who::Client(_) => None,
            Who::Device(device) => Some(&device.1),
        }
    }

    /// Whether its id alone was shown.
    pub fn is_public(&self) -> bool {
        self.client().is_some_and(|client| client.is_public())
    }

    /// Requires that it registered a grant.
    ///
    /// # Errors
    /// `unauthorized_client` (RFC 6749 §5.2).
    pub fn require(&self, grant: GrantType) -> Result<(), OAuthRefusal> {
        let may = match &self.who {
            Who::Client(client) => client.may(grant),
            Who::Device(_) => true,
        };
        if may { Ok(()) } else { Err(OAuthRefusal::new(ErrorCode::UnauthorizedClient, "grant_not_registered")) }
    }

    /// All it may ask for itself. A device has what its state permits; what its
    /// model may do, it may do for an owner alone.
    pub fn own_scopes(&self) -> Scope {
        match &self.who {
            Who::Client(client) => client.scopes.clone(),
            Who::Device(device) if device.0.device.state == DeviceState::Registered => Scope::of(["firmware:read"]),
            Who::Device(_) => Scope::of(DEVICE_SCOPES),
        }
    }

    /// All it may ever ask for, for whomever.
    pub fn scopes(&self) -> Scope {
        match &self.who {
            Who::Client(client) => client.scopes.clone(),
            Who::Device(device) => {
                Scope::of(DEVICE_SCOPES.iter().copied().chain(device.0.product.scopes.iter().map(String::as_str)))
            }
        }
    }

    /// Whether a scope is among [`AuthenticatedClient::scopes`].
    pub fn may_ask(&self, scope: &str) -> bool {
        match &self.who {
            Who::Client(client) => client.scopes.contains(scope),
            Who::Device(_) => self.scopes().contains(scope),
        }
    }

    /// Who may receive its tokens, the default first.
    pub fn audiences(&self, tenant: &Tenant) -> Vec<String> {
        match &self.who {
            Who::Client(client) if client.audiences.is_empty() => vec![tenant.issuer.clone()],
            Who::Client(client) => client.audiences.clone(),
            Who::Device(device) => {
                let own = core::iter::once(tenant.issuer.clone());
                own.chain(device.0.product.audiences.iter().cloned()).collect()
            }
        }
    }

    /// What its tokens are signed with, and whether they are opaque.
    pub fn token_form(&self) -> (Alg, bool) {
        self.client().map_or((Alg::ES256, false), |client| (client.token_alg, client.opaque_tokens))
    }

    /// Life of its access tokens, seconds.
    pub fn access_token_life(&self) -> i64 {
        self.client().map_or(3600, |client| client.access_token_life.clamp(300, 3600)).min(self.longest)
    }

    /// The certificate of its connection.
    pub fn certificate(&self) -> Option<&ShownCertificate> {
        self.certificate.as_ref()
    }

    /// What a decision relies on when it relies on this client.
    pub fn guards(&self) -> Vec<Guard> {
        match &self.who {
            Who::Client(client) => vec![client.guard()],
            Who::Device(device) => {
                let own = [device.0.device.guard(), device.0.product.guard(), device.1.guard()];
                own.into_iter().chain(device.2.iter().map(Fact::guard)).collect()
            }
        }
    }

    /// The single use of its assertion, to be committed with whatever is decided.
    pub fn once(&self) -> Option<crate::Change> {
        self.once.clone().map(|(key, until)| crate::Change::once(key, until))
    }

    /// Adds that single use to a decision, a refusal included: an assertion that
    /// was good for a no is not good for a second try.
    pub(crate) fn spend<Reply>(&self, mut decision: crate::Decision<Reply>) -> crate::Decision<Reply> {
        decision.changes.extend(self.once());
        decision
    }
}

/// Verifies what was presented. One refusal for an unknown id and a wrong proof.
///
/// # Errors
/// `invalid_client` (401, RFC 6749 §5.2).
pub fn verify(presented: &Presented, facts: &CallerFacts, now: i64) -> Result<AuthenticatedClient, OAuthRefusal> {
    let id = presented.client_id().ok_or(bad("no_client"))?;
    let who = match (&facts.client, &facts.device) {
        (Some(client), _) if client.id.as_str() == id => {
            if client.disabled {
                return Err(bad("client_disabled"));
            }
            if presented.by_token && !client.rights.asset_salesforce {
                return Err(bad("no_client"));
            }
            verify_client(presented, client, &facts.tenant, facts.assertion_used, now)?;
            Who::Client(Arc::clone(client))
        }
        (_, Some(device)) if device.device.id.as_str() == id => {
            if presented.by_token {
                return Err(bad("no_client"));
            }
            let credential = verify_device(presented, device, &facts.tenant, facts.assertion_used, now)?;
            let authorities = authorities_of(credential, &presented.authorities).map_err(bad)?;
            let authorities = authorities.into_iter().cloned().collect();
            Who::Device(Box::new((device.clone(), credential.clone(), authorities)))
        }
        _ => {
            // As much work as a wrong secret or signature, so that an id cannot be probed by time.
            let _ = presented.shown_secret().map(digest_of);
            presented.assertion.iter().for_each(Assertion::verify_in_vain);
            return Err(bad("unknown_client"));
        }
    };
    let once = presented.assertion.as_ref().map(|assertion| (assertion.once_key(), assertion.remembered_until(now)));
    let ends = match &who {
        Who::Client(_) => None,
        Who::Device(device) => device.1.until,
    };
    let longest = ends.map_or(i64::MAX, |until| until.saturating_sub(now));
    Ok(AuthenticatedClient { who, once, certificate: presented.certificate.clone(), longest })
}

impl Presented {
    fn shown_secret(&self) -> Option<&Secret<String>> {
        self.secret.as_ref().or(self.basic.as_ref().map(|(_, secret)| secret))
    }

    fn method(&self) -> AuthMethod {
        match (&self.basic, &self.secret, &self.assertion) {
            (Some(_), _, _) => AuthMethod::ClientSecretBasic,
            (_, Some(_), _) => AuthMethod::ClientSecretPost,
            (_, _, Some(_)) => AuthMethod::PrivateKeyJwt,
            _ => AuthMethod::None,
        }
    }
}

fn digest_of(secret: &Secret<String>) -> Digest {
    Digest::from_base64url(jose::base64url::encode(digest::sha256(secret.expose().as_bytes())))
}

fn verify_client(
    presented: &Presented,
    client: &Client,
    tenant: &Tenant,
    assertion_used: bool,
    now: i64,
) -> Result<(), OAuthRefusal> {
    let bare = presented.method() == AuthMethod::None;
    match client.auth {
        AuthMethod::None if bare => Ok(()),
        AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost if presented.method() == client.auth => {
            let known = client.secret.as_ref().ok_or(bad("client_without_secret"))?;
            let shown = presented.shown_secret().map(digest_of).ok_or(bad("no_secret"))?;
            if *known == shown { Ok(()) } else { Err(bad("wrong_secret")) }
        }
        AuthMethod::PrivateKeyJwt => {
            let assertion = presented.assertion.as_ref().ok_or(bad("other_method_registered"))?;
            assertion.verify(&client.jwks, tenant, assertion_used, now)
        }
        AuthMethod::TlsClientAuth if bare => {
            let shown = presented.certificate.as_ref().ok_or(bad("no_certificate"))?;
            if shown.is_registered_name { Ok(()) } else { Err(bad("certificate_name")) }
        }
        AuthMethod::SelfSignedTlsClientAuth if bare => {
            let shown = presented.certificate.as_ref().ok_or(bad("no_certificate"))?;
            let registered = |jwk: &Jwk| jwk.thumbprint().to_string() == shown.key_thumbprint;
            if client.jwks.iter().any(registered) { Ok(()) } else { Err(bad("certificate_key")) }
        }
        _ => Err(bad("other_method_registered")),
    }
}

/// A device proves itself by its certificate, or by an assertion of a
/// registered key. Its state must let it hold tokens.
fn verify_device<'a>(
    presented: &Presented,
    device: &'a DeviceFacts,
    tenant: &Tenant,
    assertion_used: bool,
    now: i64,
) -> Result<&'a Fact<Credential>, OAuthRefusal> {
    if matches!(device.device.state, DeviceState::Suspended | DeviceState::Retired) || device.device.pending {
        presented.assertion.iter().for_each(Assertion::verify_in_vain);
        return Err(bad("device_state"));
    }
    // Dates of a certificate count, also where its key alone is shown.
    let in_time = |credential: &&Fact<Credential>| {
        credential.certificate.as_ref().is_none_or(|certificate| now <= certificate.not_after)
    };
    let live = device.credentials.iter().filter(|credential| credential.counts(now));
    let mut live = live.filter(in_time);
    if let Some(assertion) = &presented.assertion {
        let mut tried = false;
        let signed = live.find_map(|credential| {
            let jwk = Jwk::from_json(&credential.jwk).ok()?;
            tried |= assertion.may_be_by(&jwk);
            assertion.is_signed_by(&jwk).then_some((credential, jwk))
        });
        if !tried {
            assertion.verify_in_vain();
        }
        let (credential, jwk) = signed.ok_or(bad("assertion_by_unknown_key"))?;
        return assertion.verify(&[jwk], tenant, assertion_used, now).map(|()| credential);
    }
    if presented.method() != AuthMethod::None {
        return Err(bad("other_method_registered"));
    }
    let shown = presented.certificate.as_ref().ok_or(bad("no_certificate"))?;
    let fits = |credential: &&Fact<Credential>| {
        let same = |facts: &identity::credential::CertificateFacts| facts.thumbprint == shown.thumbprint;
        credential.key_thumbprint == shown.key_thumbprint && credential.certificate.as_ref().is_some_and(same)
    };
    live.find(fits).ok_or(bad("certificate_unknown"))
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}

fn integer(claims: &Map<String, Value>, name: &str) -> Option<i64> {
    claims.get(name).and_then(Value::as_i64)
}

fn allowed_key(jwk: &Jwk) -> Option<VerifyingKey> {
    VerifyingKey::from_jwk(jwk).ok()
}

fn verified(token: &jws::Unverified, key: &VerifyingKey) -> bool {
    token.verify(key, &Alg::ASYMMETRIC).is_ok()
}
