//! A client: software registered to ask for tokens (RFC 6749 §1.1, RFC 7591 §2).

use identity::{AnchorKind, ClientId, Digest, Kind, Record};
use jose::{Alg, Jwk};
use serde::{Deserialize, Serialize};

use crate::scope::Scope;

/// How a client proves itself (RFC 7591 §2, RFC 8705 §2). Exactly the registered one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// A public client: no proof, its id alone.
    None,
    /// Basic authentication.
    ClientSecretBasic,
    /// The secret in the form.
    ClientSecretPost,
    /// A signed assertion (RFC 7523 §2.2).
    PrivateKeyJwt,
    /// A certificate of a trusted authority with a registered name (RFC 8705 §2.1).
    TlsClientAuth,
    /// A certificate registered by its key (RFC 8705 §2.2).
    SelfSignedTlsClientAuth,
}

/// Grants a client may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum GrantType {
    /// RFC 6749 §4.1.
    #[serde(rename = "authorization_code")]
    AuthorizationCode,
    /// RFC 6749 §6.
    #[serde(rename = "refresh_token")]
    RefreshToken,
    /// RFC 6749 §4.4.
    #[serde(rename = "client_credentials")]
    ClientCredentials,
    /// RFC 8628 §3.4.
    #[serde(rename = "urn:ietf:params:oauth:grant-type:device_code")]
    DeviceCode,
    /// RFC 8693 §2.1.
    #[serde(rename = "urn:ietf:params:oauth:grant-type:token-exchange")]
    TokenExchange,
    /// RFC 7523 §2.1.
    #[serde(rename = "urn:ietf:params:oauth:grant-type:jwt-bearer")]
    JwtBearer,
}

impl GrantType {
    /// All that this server knows.
    pub const ALL: [Self; 6] = [
        Self::AuthorizationCode,
        Self::RefreshToken,
        Self::ClientCredentials,
        Self::DeviceCode,
        Self::TokenExchange,
        Self::JwtBearer,
    ];

    /// The text on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
            Self::JwtBearer => "urn:ietf:params:oauth:grant-type:jwt-bearer",
        }
    }

    /// The grant of a text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.as_str() == text)
    }
}

/// The one certificate name a `tls_client_auth` client registered (RFC 8705 §2.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsName {
    /// `tls_client_auth_subject_dn`, in the text form of RFC 4514.
    SubjectDn(String),
    /// `tls_client_auth_san_dns`.
    SanDns(String),
    /// `tls_client_auth_san_uri`.
    SanUri(String),
    /// `tls_client_auth_san_ip`.
    SanIp(String),
    /// `tls_client_auth_san_email`.
    SanEmail(String),
}

/// Rights beyond the standard's, each off by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientRights {
    /// May register assets by token exchange.
    pub asset_tokens: bool,
    /// Speaks the Salesforce form of the exchange: no client parameter, `Name`
    /// and `SerialNumber`, few claims demanded of the actor token, always `Bearer`.
    pub asset_salesforce: bool,
    /// May exchange tokens that were issued to other clients.
    pub exchange_others: bool,
    /// Is the maker's own: consent for its listed scopes is not asked.
    pub first_party: bool,
    /// A `localhost` redirect URI matches with any port.
    pub localhost_any_port: bool,
    /// A confidential OpenID client that relies on `nonce` may leave PKCE out.
    pub without_pkce: bool,
}

/// A client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Client {
    /// Its id; made by us or by staff, never by itself (RFC 9700 §4.15.1).
    pub id: ClientId,
    /// What people read on consent.
    pub name: String,
    /// How it proves itself.
    pub auth: AuthMethod,
    /// SHA-256 of its secret (256 random bits), base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Digest>,
    /// Its public keys: assertions, actor tokens it signs, self-signed certificates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jwks: Vec<Jwk>,
    /// The name in its certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_name: Option<TlsName>,
    /// Compared exactly (RFC 9700 §2.1).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redirect_uris: Vec<String>,
    /// What it may use.
    pub grant_types: Vec<GrantType>,
    /// All it may ever ask for.
    #[serde(default)]
    pub scopes: Scope,
    /// Who may receive its tokens; the first is the default. A resource server
    /// may introspect tokens whose audience is in its own list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
    /// A proof is mandatory (RFC 9449 §5.2).
    #[serde(default)]
    pub dpop_bound_access_tokens: bool,
    /// Tokens are bound to its certificate (RFC 8705 §3.4).
    #[serde(default)]
    pub tls_client_certificate_bound_access_tokens: bool,
    /// Signs its access and asset tokens: ES256 by default, EdDSA or RS256.
    #[serde(default = "es256")]
    pub token_alg: Alg,
    /// Signs its ID tokens: RS256 by default (OIDC Registration §2).
    #[serde(default = "rs256")]
    pub id_token_alg: Alg,
    /// Access tokens are our claims sealed, instead of a JWT.
    #[serde(default)]
    pub opaque_tokens: bool,
    /// Asset tokens bear `typ: JWT`.
    #[serde(default)]
    pub asset_typ_jwt: bool,
    /// Life of access tokens in seconds, 300 to 3,600.
    #[serde(default = "hour")]
    pub access_token_life: i64,
    /// Life of asset tokens in seconds, 300 to the tenant's `max_token_life`.
    #[serde(default = "day")]
    pub asset_token_life: i64,
    /// Rights beyond the standard's.
    #[serde(default)]
    pub rights: ClientRights,
    /// Stopped by staff.
    #[serde(default)]
    pub disabled: bool,
    /// When it was made, seconds.
    pub created_at: i64,
}

fn es256() -> Alg {
    Alg::ES256
}
fn rs256() -> Alg {
    Alg::RS256
}
fn hour() -> i64 {
    3600
}
fn day() -> i64 {
    86_400
}

impl Client {
    /// Whether it has no secret and no key: its id proves nothing.
    pub fn is_public(&self) -> bool {
        self.auth == AuthMethod::None
    }

    /// Whether it registered a grant.
    pub fn may(&self, grant: GrantType) -> bool {
        !self.disabled && self.grant_types.contains(&grant)
    }
}

impl Record for Client {
    const KIND: Kind = Kind("client");
    const ANCHOR: Option<AnchorKind> = Some(AnchorKind::Client);
    fn id(&self) -> &str {
        self.id.as_str()
    }
}
