//! Metadata: RFC 8414 and OpenID Connect Discovery, from one list. What is
//! absent there does not mean no, so everything with a surprising default is
//! written out.

use identity::Tenant;
use serde_json::{Value, json};

use crate::client::GrantType;

/// Scopes worth naming to everybody; those of devices are their products'.
const SCOPES: [&str; 7] =
    ["openid", "profile", "email", "address", "phone", "offline_access", crate::grant::token_exchange::REGISTER];

/// Signature algorithms taken from clients and devices.
const ALGS: [&str; 6] = ["ES256", "ES384", "EdDSA", "Ed25519", "PS256", "RS256"];

/// Where the AS metadata of an issuer stands: inserted between host and path
/// (RFC 8414 §3).
pub fn authorization_server_path(issuer: &str) -> String {
    inserted(issuer, "oauth-authorization-server")
}

/// Where the OpenID configuration stands: appended (OIDC Discovery §4).
pub fn openid_path(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", path_of(issuer))
}

fn inserted(issuer: &str, name: &str) -> String {
    format!("/.well-known/{name}{}", path_of(issuer))
}

fn path_of(issuer: &str) -> &str {
    let after_scheme = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    let path = after_scheme.find('/').and_then(|at| after_scheme.get(at..)).unwrap_or("");
    path.trim_end_matches('/')
}

/// The document, the same in both places.
pub fn document(tenant: &Tenant) -> Value {
    let issuer = &tenant.issuer;
    let at = |path: &str| format!("{issuer}{path}");
    let device = |path: &str| format!("{}{path}", tenant.device_url);
    let auth_methods = [
        "none",
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
        "tls_client_auth",
        "self_signed_tls_client_auth",
    ];
    let strong_methods = auth_methods.get(1..).unwrap_or_default();
    json!({
        "issuer": issuer,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "device_authorization_endpoint": at("/device_authorization"),
        "introspection_endpoint": at("/introspect"),
        "revocation_endpoint": at("/revoke"),
        "userinfo_endpoint": at("/userinfo"),
        "jwks_uri": at("/jwks"),
        "mtls_endpoint_aliases": {
            "token_endpoint": device("/token"),
            "device_authorization_endpoint": device("/device_authorization"),
            "introspection_endpoint": device("/introspect"),
            "revocation_endpoint": device("/revoke"),
            "userinfo_endpoint": device("/userinfo"),
        },
        "scopes_supported": SCOPES,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "grant_types_supported": GrantType::ALL.map(GrantType::as_str),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256", "EdDSA"],
        "token_endpoint_auth_methods_supported": auth_methods,
        "token_endpoint_auth_signing_alg_values_supported": ALGS,
        "introspection_endpoint_auth_methods_supported": strong_methods,
        "introspection_endpoint_auth_signing_alg_values_supported": ALGS,
        "revocation_endpoint_auth_methods_supported": auth_methods,
        "revocation_endpoint_auth_signing_alg_values_supported": ALGS,
        "code_challenge_methods_supported": ["S256"],
        "dpop_signing_alg_values_supported": ALGS,
        "tls_client_certificate_bound_access_tokens": true,
        "authorization_response_iss_parameter_supported": true,
        "authorization_details_types_supported": ["device_pairing"],
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "require_request_uri_registration": false,
        "request_object_signing_alg_values_supported": ["RS256"],
        "claims_parameter_supported": false,
        "claims_supported": [
            "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "amr", "sid", "name", "given_name",
            "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website", "gender",
            "birthdate", "zoneinfo", "locale", "updated_at", "email", "email_verified", "address", "phone_number",
            "phone_number_verified"
        ],
        "display_values_supported": ["page"],
        "ui_locales_supported": ["en"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(issuer: &str) -> Tenant {
        Tenant {
            issuer: issuer.to_owned(),
            device_url: "https://device.id.example.com".to_owned(),
            generation: "g".to_owned(),
            max_token_life: 86_400,
        }
    }

    #[test]
    fn an_issuer_with_a_path_has_its_documents_where_the_standards_say() {
        let issuer = "https://id.example.com/t1";
        assert_eq!(authorization_server_path(issuer), "/.well-known/oauth-authorization-server/t1");
        assert_eq!(openid_path(issuer), "/t1/.well-known/openid-configuration");
        assert_eq!(authorization_server_path("https://id.example.com"), "/.well-known/oauth-authorization-server");
        assert_eq!(openid_path("https://id.example.com"), "/.well-known/openid-configuration");
    }

    #[test]
    fn what_discovery_requires_is_there_and_what_is_absent_means_no_surprise() {
        let document = document(&tenant("https://id.example.com"));
        for name in [
            "issuer",
            "authorization_endpoint",
            "token_endpoint",
            "jwks_uri",
            "response_types_supported",
            "subject_types_supported",
            "id_token_signing_alg_values_supported",
            "grant_types_supported",
            "request_uri_parameter_supported",
            "token_endpoint_auth_methods_supported",
            "response_modes_supported",
        ] {
            assert!(document.get(name).is_some(), "{name}");
        }
        assert_eq!(document["issuer"], "https://id.example.com");
        assert!(document["id_token_signing_alg_values_supported"].as_array().unwrap().contains(&"RS256".into()));
        let algs = document["request_object_signing_alg_values_supported"].as_array().unwrap();
        assert!(!algs.contains(&"none".into()));
    }
}
