//! What the maker's backend and its services see of a device: data with an asset
//! token, a trade for an access token, introspection, and a thief.

use ::device::file::FileKey;
use ::device::{Address, Fetch, JwtBearer, Method, Request, Secret, TokenType};
use jose::dpop::{self, HttpUri};
use jose::{Alg, Signer};
use serde_json::{Value, json};

use super::backend;
use super::home::{self, SwitchedOn};
use super::http::{Answer, Http, basic};
use super::pairing::{Paired, own_client};
use super::registry::{ClientLogin, Registry};
use super::stage::Stage;
use super::tale::{Told, claim, decoded};
use super::trouble::{Lived, Present, Trouble, sure};
use crate::port::{self, SystemEntropy};

const CLIENT: &str = "backend-ingest";

/// The speaker sends data; the backend checks everything with published keys alone.
pub(super) fn send_data(stage: &Stage, on: &mut SwitchedOn, asset_token: &Secret) -> Lived<Told<()>> {
    let request = Request::new(Method::Post, Address::parse(&format!("{}{}", stage.backend, backend::PATH))?);
    let mut fetch = Fetch::new(request, asset_token.clone(), TokenType::Dpop);
    let answer = on.client.run(&mut fetch, &mut |_| {})?;
    sure(answer.status == 202, "the backend did not take the data")?;
    let sender: Value = serde_json::from_slice(&answer.body)?;
    sure(sender.get("device").and_then(Value::as_str) == Some(on.did.as_str()), "the backend takes it for another")?;
    sure(sender.get("account").is_some_and(Value::is_string), "the backend does not know whose it is")?;
    let line = "The backend verified it and knows device and customer".to_owned();
    Ok(Told { line, facts: json!({ "sender": sender }), yields: () })
}

/// For many calls: the asset token for an access token (RFC 7523 §2.1).
pub(super) fn trade(stage: &Stage, on: &mut SwitchedOn, paired: &Paired, asset_token: &Secret) -> Lived<Told<Secret>> {
    let scope = Some(backend::SCOPE.to_owned());
    let url = paired.endpoints.token.clone();
    let mut bearer = JwtBearer::new(url, own_client(stage, on), asset_token.clone(), scope, true);
    let tokens = on.client.run(&mut bearer, &mut |_| {})?;
    let token = decoded(tokens.access_token.expose());
    sure(token.pointer("/header/typ") == Some(&json!("at+jwt")), "the trade did not give an access token")?;
    sure(claim(&token, "did") == on.did, "the access token is for another device")?;
    let line = "It traded the asset token for an access token".to_owned();
    Ok(Told { line, facts: json!({ "access_token": token }), yields: tokens.access_token })
}

/// A service of the maker that may ask about tokens made for it.
pub(super) struct Service {
    http: Http,
    issuer: String,
    pub(super) login: ClientLogin,
}

/// Registers the backend's client, and asks about the asset token (RFC 7662).
pub(super) fn introspect(stage: &Stage, registry: &Registry, asset_token: &Secret) -> Lived<Told<Service>> {
    let wanted = json!({
        "client_id": CLIENT,
        "client_name": "Ingest of the maker",
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["client_credentials"],
        "scope": "device_keys:read",
        "audiences": [stage.issuer, stage.backend],
    });
    let secret = registry.make_client(&wanted)?.present("the secret of the backend")?;
    let login = ClientLogin { id: CLIENT.to_owned(), secret };
    let service = Service { http: stage.http()?, issuer: stage.issuer.clone(), login };
    let told = service.ask(asset_token)?;
    sure(told.get("active") == Some(&json!(true)), "a good token is told to be inactive")?;
    sure(told.pointer("/cnf/jkt").is_some(), "introspection does not tell the key")?;
    let line = "Introspection says: active, and bound to the speaker's key".to_owned();
    Ok(Told { line, facts: json!({ "introspection": told }), yields: service })
}

impl Service {
    /// What introspection tells about a token.
    pub(super) fn ask(&self, token: &Secret) -> Lived<Value> {
        let authorization = basic(&self.login.id, &self.login.secret);
        let headers = [("authorization", authorization.as_str())];
        let answer =
            self.http.post_form(&format!("{}/introspect", self.issuer), &headers, &[("token", token.expose())])?;
        answer.being(200, "introspection")?.json()
    }
}

/// A thief has the tokens, but not the keys: nothing takes them.
pub(super) fn steal(stage: &Stage, on: &mut SwitchedOn, paired: &Paired, asset_token: &Secret) -> Lived<Told<()>> {
    let http = stage.http()?;
    let own = FileKey::open_or_create(&stage.folder().join("thief.key"), Alg::ES256)?;
    let asset = asset_token.expose();
    let telemetry = format!("{}{}", stage.backend, backend::PATH);
    let userinfo = format!("{}/userinfo", stage.issuer);
    let firmware = format!("{}/device/firmware", stage.devices);
    let of_home = home::call(stage, &mut on.client, &on.speaker)?.tokens.access_token;
    let of_pairing = &paired.tokens.access_token;
    let tried = [
        (
            "asset token as bearer",
            refused(&http.send("POST", &telemetry, &[("authorization", &format!("Bearer {asset}"))], &[])?)?,
        ),
        ("asset token with another key", refused(&with_key(stage, &http, &own, "POST", &telemetry, asset)?)?),
        (
            "paired token with another key",
            refused(&with_key(stage, &http, &own, "GET", &userinfo, of_pairing.expose())?)?,
        ),
        (
            "call-home token without the certificate",
            refused(&http.get(&firmware, &[("authorization", &format!("Bearer {}", of_home.expose()))])?)?,
        ),
    ];
    let facts = tried.iter().map(|(what, word)| json!({ "tried": what, "refused": word })).collect::<Vec<_>>();
    let line = "A stolen token was refused: bound to another key".to_owned();
    Ok(Told { line, facts: json!({ "attempts": facts }), yields: () })
}

/// A request with a good proof, by the wrong key.
fn with_key(stage: &Stage, http: &Http, key: &dyn Signer, method: &str, url: &str, token: &str) -> Lived<Answer> {
    let (uri, ath) = (HttpUri::parse(url)?, dpop::ath(token));
    let authorization = format!("DPoP {token}");
    let send = |nonce: Option<&str>| {
        let jti = jose::base64url::encode(port::random::<16>(&SystemEntropy));
        let claims = dpop::Claims { method, uri: &uri, iat: stage.now(), jti: &jti, ath: Some(&ath), nonce };
        let proof = dpop::build(key, &claims)?;
        let headers = [("authorization", authorization.as_str()), ("dpop", proof.as_str())];
        if method == "GET" { http.get(url, &headers) } else { http.send(method, url, &headers, &[]) }
    };
    let answer = send(None)?;
    // The proof is to be right in everything but its key.
    match answer.header("dpop-nonce") {
        Some(nonce) => send(Some(nonce)),
        None => Ok(answer),
    }
}

/// Insists on a refusal of the token, and returns the server's word.
fn refused(answer: &Answer) -> Lived<String> {
    let word = answer.word().unwrap_or_default();
    if answer.status == 401 && word.starts_with("invalid_token") {
        Ok(word)
    } else {
        Err(Trouble::answered("a stolen token", answer))
    }
}
