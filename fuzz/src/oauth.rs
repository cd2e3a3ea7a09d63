//! Requests of clients, and what clients register: what `oauth` reads.

use std::sync::Arc;

use identity::{ClientId, Digest};
use jose::base64url as url64;
use oauth::actor_token::ActorToken;
use oauth::authorize::AuthorizeRefusal;
use oauth::client_auth::Presented;
use oauth::foreign_token::{Accepted, TrustedIssuer, Users};
use oauth::form::Form;
use oauth::grant::token_exchange;
use oauth::registration::Metadata;
use oauth::{Client, Scope, device_authorization, redirect_uri as uris};

const ISSUER: &str = "https://id.example.com";
const DAY: i64 = 86_400;

fn text(data: &[u8]) -> &str {
    core::str::from_utf8(data).unwrap_or_default()
}

fn pairs(body: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(body).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

fn client(metadata: &Metadata) -> Option<Client> {
    let secret =
        metadata.needs_secret().then(|| Digest::from_base64url(url64::encode(jose::digest::sha256(b"secret"))));
    metadata.verify("app_mobile".parse::<ClientId>().ok()?, secret, DAY, 0).ok()
}

/// An actor token is refused or has names of their form.
pub fn actor_token(data: &[u8]) {
    for lenient in [false, true] {
        if let Ok(token) = ActorToken::parse(text(data), lenient) {
            let names = [Some(&token.did), token.name.as_ref(), token.serial.as_ref(), token.model.as_ref()];
            for name in names.into_iter().flatten() {
                assert!(!name.is_empty() && !name.contains(char::is_control));
            }
            assert_eq!(token.once_key().len(), 43);
        }
    }
}

/// A token of a foreign issuer is refused, or speaks of one person by that
/// issuer's word, now, and is bound to nothing that cannot be checked.
pub fn foreign_token(data: &[u8]) {
    const THEIRS: &str = "https://login.maker.example";
    const NOW: i64 = 1_750_000_000;
    let Ok(claims) = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(data) else { return };
    let issuer = Arc::new(TrustedIssuer {
        issuer: THEIRS.into(),
        accepts: vec![Accepted::AccessToken, Accepted::PlainAccessToken, Accepted::IdToken],
        audience: Some(ISSUER.into()),
        client_id: Some("speaker-app".into()),
        clients: Vec::new(),
        users: Users::Find,
        account: None,
    });
    for (typ, kind) in [
        (Some("at+jwt"), token_exchange::ACCESS_TOKEN),
        (Some("JWT"), token_exchange::JWT),
        (None, token_exchange::ID_TOKEN),
    ] {
        let Ok(subject) = oauth::foreign_token::read(&issuer, typ, &claims, kind, NOW) else { continue };
        let sub = claims["sub"].as_str().expect("somebody");
        assert_eq!(oauth::foreign_token::user_id(THEIRS, sub).as_ref(), Ok(&subject.user));
        assert!(claims["iss"] == THEIRS && subject.iat <= NOW + 60);
        assert!(subject.name.is_none_or(|name| !name.contains(char::is_control)));
        assert!(subject.cnf.is_none_or(|cnf| cnf.jkt.is_some() && cnf.x5t_s256.is_none() && cnf.jwk.is_none()));
        let meant = if kind == token_exchange::ID_TOKEN { "speaker-app" } else { ISSUER };
        assert!(
            claims["aud"] == meant || claims["aud"].as_array().is_some_and(|list| list.iter().any(|to| to == meant))
        );
    }
}

/// A request for authorization never leads where its client did not register.
pub fn authorization_request(data: &[u8]) {
    let metadata = Metadata {
        client_name: "App".into(),
        redirect_uris: vec!["https://app.example.com/cb".into(), "http://127.0.0.1/cb".into()],
        scope: Scope::of(["openid", "profile", "offline_access", "telemetry:read"]),
        audiences: vec!["https://api.example.com".into()],
        ..Metadata::default()
    };
    let client = client(&metadata).expect("a sound client");
    let redirect = match oauth::authorize::read(pairs(data), Some(&client), ISSUER) {
        Ok(request) => {
            assert!(request.scope.is_within(&client.scopes));
            request.redirect
        }
        Err(AuthorizeRefusal::Redirect(redirect, _)) => redirect,
        Err(AuthorizeRefusal::Page(_)) => return,
    };
    assert!(uris::is_registered(redirect.uri(), &client));
    let location = url::Url::parse(&redirect.location(&redirect.success("code"))).expect("it leads to a URI");
    assert!(matches!(location.host_str(), Some("app.example.com" | "127.0.0.1")));
}

/// What may be registered is told and registers again as the same client.
pub fn client_metadata(data: &[u8]) {
    let Ok(metadata) = serde_json::from_slice::<Metadata>(data) else { return };
    let Some(first) = client(&metadata) else { return };
    let told = Metadata::of(&first);
    let again = serde_json::to_vec(&told).ok().and_then(|text| serde_json::from_slice::<Metadata>(&text).ok());
    assert_eq!(again.as_ref(), Some(&told));
    let second = client(&told).expect("what was registered may be registered");
    assert_eq!(Metadata::of(&second), told);
}

/// Parameters of the token endpoint are single where they must be, and no
/// request breaks its reader. The first line stands for `Authorization`.
pub fn form(data: &[u8]) {
    let (authorization, body) = match data.iter().position(|byte| *byte == b'\n') {
        Some(end) => data.split_at(end),
        None => (&[][..], data),
    };
    let Ok(form) = Form::parse(pairs(body.strip_prefix(b"\n").unwrap_or(body))) else { return };
    for name in ["grant_type", "scope", "client_id", "code", "subject_token"] {
        assert!(form.many(name).count() <= 1);
    }
    let authorization = (!authorization.is_empty()).then(|| text(authorization));
    if let Ok(presented) = Presented::collect(authorization, &form) {
        let _ = (presented.client_id(), presented.assertion_once(), presented.basic_secret());
    }
    let _ = token_exchange::Request::parse(&form, ISSUER);
    let _ = device_authorization::Request::parse(&form, None);
}

/// What may be registered is where a browser goes, and is found again.
pub fn redirect_uri(data: &[u8]) {
    let uri = text(data);
    let metadata = Metadata { client_name: "App".into(), redirect_uris: vec![uri.into()], ..Metadata::default() };
    let Some(client) = client(&metadata) else { return };
    assert!(uris::is_registered(uri, &client));
    let parsed = url::Url::parse(uri).expect("a registered URI is one");
    assert!(parsed.as_str() == uri || parsed.as_str().strip_suffix('/') == Some(uri));
    assert!(parsed.fragment().is_none() && parsed.username().is_empty() && parsed.password().is_none());
    assert!(!["javascript", "data", "file", "blob", "about"].contains(&parsed.scheme()));
    for other in [format!("{uri}x"), uri.to_uppercase(), format!("https://evil.example/{uri}")] {
        assert!(other == uri || !uris::is_registered(&other, &client) || uri.starts_with("http://"));
    }
}

/// A scope has no token twice and reads back as itself.
pub fn scope(data: &[u8]) {
    let Ok(scope) = Scope::parse(text(data)) else { return };
    let tokens: Vec<&str> = scope.iter().collect();
    assert!(tokens.len() <= 64);
    assert!(tokens.iter().enumerate().all(|(at, token)| !tokens.iter().take(at).any(|earlier| earlier == token)));
    assert_eq!(Scope::parse(&tokens.join(" ")), Ok(scope));
}

/// Nobody receives a token who is not on the list.
pub fn target(data: &[u8]) {
    let allowed = ["https://api.example.com", "https://ingest.example.com"].map(str::to_owned);
    let asked: Vec<String> = text(data).split('\n').map(str::to_owned).collect();
    if let Ok(targets) = oauth::target::resolve(&asked, &allowed) {
        assert!(!targets.is_empty() && targets.iter().all(|target| allowed.contains(target)));
    }
}

/// What was typed is a code or none, and a code reads as itself.
pub fn user_code(data: &[u8]) {
    if let Some(code) = device_authorization::normalise(text(data)) {
        assert_eq!(code.len(), 8);
        assert_eq!(device_authorization::normalise(&device_authorization::shown(&code)), Some(code));
    }
}
