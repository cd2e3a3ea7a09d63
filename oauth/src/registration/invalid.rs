//! Why a client's metadata is not sound.

/// The member that is wrong; as text, what staff read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalid {
    /// The id that was chosen.
    Id,
    /// `client_name`.
    Name,
    /// A redirect URI.
    RedirectUri,
    /// None, where the grant needs one.
    RedirectUriMissing,
    /// `grant_types`.
    Grants,
    /// `jwks`.
    Keys,
    /// A method that needs a secret, and none.
    Secret,
    /// `tls_client_auth_*`.
    TlsName,
    /// `audiences`.
    Audiences,
    /// `access_token_alg`, `id_token_signed_response_alg`.
    Alg,
    /// `access_token_life`, `asset_token_life`.
    Life,
    /// `rights.without_pkce`.
    WithoutPkce,
    /// Other rights.
    Rights,
}

impl Invalid {
    /// The word of RFC 7591 §3.2.2.
    pub fn code(self) -> &'static str {
        match self {
            Self::RedirectUri | Self::RedirectUriMissing => "invalid_redirect_uri",
            _ => "invalid_client_metadata",
        }
    }

    /// The named cause.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Id => "bad_client_id",
            Self::Name => "bad_client_name",
            Self::RedirectUri => "bad_redirect_uri",
            Self::RedirectUriMissing => "redirect_uri_missing",
            Self::Grants => "bad_grant_types",
            Self::Keys => "bad_jwks",
            Self::Secret => "secret_missing",
            Self::TlsName => "bad_tls_name",
            Self::Audiences => "bad_audiences",
            Self::Alg => "bad_alg",
            Self::Life => "bad_life",
            Self::WithoutPkce => "pkce_needed",
            Self::Rights => "bad_rights",
        }
    }
}

impl core::fmt::Display for Invalid {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Id => {
                "client_id: 1 to 64 of letters, digits, _ and -, not `local`, not beginning with dev_ u_ acc_ ast_ bnd_"
            }
            Self::Name => "client_name: 1 to 100 characters, none a control character",
            Self::RedirectUri => {
                "redirect_uris: at most 32 absolute URIs in normal form, without fragment, wildcard or user; https, \
                 http for 127.0.0.1, [::1] and localhost, or a private scheme with a dot"
            }
            Self::RedirectUriMissing => "redirect_uris: the grant authorization_code needs one",
            Self::Grants => {
                "grant_types: each once; client_credentials wants authentication, refresh_token a grant that begins it"
            }
            Self::Keys => "jwks: 1 to 32 public keys, each kid once, no private member",
            Self::Secret => "token_endpoint_auth_method: this method needs a secret",
            Self::TlsName => "tls_client_auth_*: exactly one name, and only for tls_client_auth",
            Self::Audiences => "audiences: at most 32 absolute URIs without fragment",
            Self::Alg => "access_token_alg, id_token_signed_response_alg: ES256, EdDSA or RS256",
            Self::Life => "access_token_life: 300 to 3600; asset_token_life: 300 to the tenant's longest",
            Self::WithoutPkce => "rights.without_pkce: only for an OpenID client that authenticates",
            Self::Rights => {
                "rights: asset_tokens and exchange_others want the grant token-exchange, asset_salesforce asset_tokens"
            }
        })
    }
}

impl core::error::Error for Invalid {}
