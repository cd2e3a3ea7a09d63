//! Every parser of foreign bytes, as a function of any bytes that panics where it
//! does not keep what it promises.
//!
//! Owns: what each parser promises of every input. Does not own: how inputs are
//! found (libFuzzer, by `cargo xtask fuzz`), and which inputs are good, which is
//! said beside each parser.

pub mod certificates;
pub mod device;
pub mod doors;
pub mod oauth;
pub mod registry;
pub mod rest;
pub mod tokens;

/// A target by its name, which is also that of its corpus.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("actor_token", oauth::actor_token),
    ("authorization_request", oauth::authorization_request),
    ("backup", registry::backup),
    ("base64url", tokens::base64url),
    ("certificate", certificates::certificate),
    ("chain", certificates::chain),
    ("challenge", tokens::challenge),
    ("client_certificate", doors::client_certificate),
    ("client_metadata", oauth::client_metadata),
    ("config", doors::config),
    ("confirmation", tokens::confirmation),
    ("cookie", doors::cookie),
    ("credential", rest::credential),
    ("cursor", registry::cursor),
    ("device_address", device::device_address),
    ("device_answer", device::device_answer),
    ("device_files", device::device_files),
    ("distinguished_name", certificates::distinguished_name),
    ("dpop_proof", tokens::dpop_proof),
    ("filter", registry::filter),
    ("foreign_token", oauth::foreign_token),
    ("form", oauth::form),
    ("forwarded", doors::forwarded),
    ("http_framing", doors::http_framing),
    ("http_uri", tokens::http_uri),
    ("import", registry::import),
    ("journal", registry::journal),
    ("json", tokens::json),
    ("jwe", tokens::jwe),
    ("jwk", tokens::jwk),
    ("jws", tokens::jws),
    ("names", registry::names),
    ("passkey", rest::passkey),
    ("proxy_protocol", doors::proxy_protocol),
    ("range", doors::range),
    ("redirect_uri", oauth::redirect_uri),
    ("rest_body", rest::rest_body),
    ("rest_patch", rest::rest_patch),
    ("rest_request", rest::rest_request),
    ("return_to", doors::return_to),
    ("scope", oauth::scope),
    ("sealed", tokens::sealed),
    ("spki", tokens::spki),
    ("target", oauth::target),
    ("user_code", oauth::user_code),
    ("vault", device::vault),
];
