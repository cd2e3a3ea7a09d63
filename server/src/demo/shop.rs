//! The maker's app on Adam's phone: a public client with a key of its own, whose
//! tokens are bound to that key (RFC 9449).

use std::path::PathBuf;

use ::device::client::{Client as Sdk, Tls};
use ::device::file::FileKey;
use ::device::{Actor, ActorClaims, ClientAuth, Discovery, Endpoints, Exchange, Secret};
use jose::dpop::{self, HttpUri};
use jose::jws::Unverified;
use jose::{Alg, Jwk, VerifyingKey, digest};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::backend;
use super::browser::Place;
use super::factory::MODEL;
use super::home::SwitchedOn;
use super::http::{Answer, Http};
use super::owner::Owner;
use super::registry::{ClientLogin, Registry};
use super::stage::Stage;
use super::tale::{Told, claim, decoded};
use super::trouble::{Lived, Present, sure};
use crate::port::{self, SystemEntropy};
use web::pages::path;

/// The app's id, and where it takes codes.
pub(super) const CLIENT: &str = "app_mobile";
pub(super) const REDIRECT: &str = "https://app.example.com/callback";
const SCOPE: &str = "openid profile email device:register";

/// The app, signed in to for Adam.
pub(super) struct App {
    pub(super) sdk: Sdk,
    pub(super) endpoints: Endpoints,
    pub(super) access_token: Secret,
    /// Who it acts for.
    pub(super) user: String,
}

/// Where the app keeps its key.
pub(super) fn key_file(stage: &Stage) -> PathBuf {
    stage.folder().join("app.key")
}

/// Registers the app with the maker's system.
pub(super) fn describe(registry: &Registry, stage: &Stage) -> Lived<()> {
    let wanted = json!({
        "client_id": CLIENT,
        "client_name": "Speaker app",
        "token_endpoint_auth_method": "none",
        "redirect_uris": [REDIRECT, "http://127.0.0.1/callback"],
        "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange"],
        "scope": format!("{SCOPE} offline_access {} cloud:stream", backend::SCOPE),
        "audiences": [stage.issuer, stage.backend],
        "dpop_bound_access_tokens": true,
        "rights": { "asset_tokens": true },
    });
    registry.make_client(&wanted).map(|_| ())
}

/// A web application with a secret, for whoever stays.
pub(super) fn web_client(registry: &Registry, stage: &Stage) -> Lived<ClientLogin> {
    let id = "web_shop".to_owned();
    let wanted = json!({
        "client_id": id,
        "client_name": "Shop of the maker",
        "token_endpoint_auth_method": "client_secret_basic",
        "redirect_uris": [REDIRECT, "http://127.0.0.1/callback"],
        "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
        "scope": "openid profile email offline_access",
        "audiences": [stage.issuer],
    });
    let secret = registry.make_client(&wanted)?.present("the secret of the shop")?;
    Ok(ClientLogin { id, secret })
}

/// Authorization code with PKCE (RFC 7636), consent at the page, `iss` (RFC 9207), tokens
/// bound to the app's key, a checked ID token, and the person's name.
pub(super) fn sign_in(stage: &Stage, registry: &Registry, owner: &Owner) -> Lived<Told<App>> {
    describe(registry, stage)?;
    let own = FileKey::open_or_create(&key_file(stage), Alg::ES256)?;
    let mut sdk = Sdk::new(&Tls { roots: stage.ca.clone(), identity: None }, Box::new(own))?;
    let endpoints = sdk.run(&mut Discovery::new(&stage.issuer)?, &mut |_| {})?;
    let Grant { code, verifier, nonce } = grant(stage, owner, CLIENT, SCOPE)?;
    let http = stage.http()?;
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", CLIENT),
        ("redirect_uri", REDIRECT),
        ("code", &code),
        ("code_verifier", &verifier),
    ];
    let url = format!("{}/token", stage.issuer);
    let answer = post_proved(stage, &http, &sdk, &url, &form)?.being(200, "the tokens for the code")?.json()?;
    let text = |name: &str| answer.get(name).and_then(Value::as_str).present(name);
    sure(text("token_type")? == "DPoP", "the app's token is not bound to its key")?;
    let id_token = check_id_token(&http, &stage.issuer, text("id_token")?, &nonce, stage.now())?;
    let access_token = Secret::new(text("access_token")?);
    let person = userinfo(stage, &mut sdk, &access_token)?;
    sure(person.get("name").and_then(Value::as_str) == Some(owner.name.as_str()), "UserInfo names somebody else")?;
    let user = claim(&id_token, "sub").to_owned();
    let facts = json!({
        "client_id": CLIENT, "access_token": decoded(access_token.expose()), "id_token": id_token, "userinfo": person,
    });
    let line = "Adam signed in to the app and allowed it to register devices".to_owned();
    Ok(Told { line, facts, yields: App { sdk, endpoints, access_token, user } })
}

/// A code, and what was drawn for it.
struct Grant {
    code: String,
    verifier: String,
    nonce: String,
}

/// Lets a person allow a client: the code and its verifier.
pub(super) fn allow(stage: &Stage, owner: &Owner, client: &str, scope: &str) -> Lived<(String, String)> {
    grant(stage, owner, client, scope).map(|granted| (granted.code, granted.verifier))
}

/// By the browser of the person; who consented before is not asked again.
fn grant(stage: &Stage, owner: &Owner, client: &str, scope: &str) -> Lived<Grant> {
    let [state, nonce, verifier] = [(); 3].map(|()| jose::base64url::encode(port::random::<32>(&SystemEntropy)));
    let challenge = jose::base64url::encode(digest::sha256(verifier.as_bytes()));
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("response_type", "code"), ("client_id", client), ("redirect_uri", REDIRECT), ("scope", scope)])
        .extend_pairs([("state", &state), ("nonce", &nonce), ("code_challenge", &challenge)])
        .append_pair("code_challenge_method", "S256")
        .finish();
    let back = match owner.browser.open(&format!("/authorize?{query}"))? {
        Place::Elsewhere(address) => address,
        Place::Page(asked) => {
            let form = asked.form(path::CONSENT)?;
            owner.browser.submit(form, &[("decision", "allow")])?.elsewhere()?
        }
    };
    let back = Url::parse(&back)?;
    let answered =
        |name: &str| back.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
    sure(back.as_str().starts_with(REDIRECT), "the code went elsewhere")?;
    sure(answered("state").as_ref() == Some(&state), "the answer brought another state")?;
    sure(answered("iss").as_ref() == Some(&stage.issuer), "the answer does not name its issuer")?;
    Ok(Grant { code: answered("code").present("the code")?, verifier, nonce })
}

/// Posts a form with a proof of the key, once more with the nonce if the server wants one.
fn post_proved(stage: &Stage, http: &Http, sdk: &Sdk, url: &str, form: &[(&str, &str)]) -> Lived<Answer> {
    let uri = HttpUri::parse(url)?;
    let send = |nonce: Option<&str>| {
        let jti = jose::base64url::encode(port::random::<16>(&SystemEntropy));
        let claims = dpop::Claims { method: "POST", uri: &uri, iat: stage.now(), jti: &jti, ath: None, nonce };
        let proof = dpop::build(sdk.signer(), &claims)?;
        http.post_form(url, &[("dpop", &proof)], form)
    };
    let answer = send(None)?;
    match answer.header("dpop-nonce") {
        Some(nonce) if answer.status == 400 => send(Some(nonce)),
        _ => Ok(answer),
    }
}

/// OIDC Core §3.1.3.7, with the issuer's published keys.
fn check_id_token(http: &Http, issuer: &str, token: &str, nonce: &str, now: i64) -> Lived<Value> {
    let parsed = Unverified::parse(token)?;
    let keys = http.get(&format!("{issuer}/jwks"), &[])?.being(200, "the keys of the issuer")?.json()?;
    let named = |key: &&Value| key.get("kid").and_then(Value::as_str) == parsed.header().kid();
    let key = keys.get("keys").and_then(Value::as_array).and_then(|keys| keys.iter().find(named));
    let key = VerifyingKey::from_jwk(&Jwk::from_json(key.present("the key of the ID token")?)?)?;
    let claims = parsed.verify(&key, &[Alg::RS256])?.claims()?;
    let is = |name: &str, value: &str| claims.get(name).and_then(Value::as_str) == Some(value);
    let for_us = is("aud", CLIENT) || claims.get("aud") == Some(&json!([CLIENT]));
    let live = claims.get("exp").and_then(Value::as_i64).is_some_and(|exp| now < exp);
    sure(is("iss", issuer) && for_us && is("nonce", nonce) && live, "the ID token is not for this sign-in")?;
    Ok(decoded(token))
}

fn userinfo(stage: &Stage, sdk: &mut Sdk, token: &Secret) -> Lived<Value> {
    let url = ::device::Address::parse(&format!("{}/userinfo", stage.issuer))?;
    let request = ::device::Request::new(::device::Method::Get, url);
    let mut fetch = ::device::Fetch::new(request, token.clone(), ::device::TokenType::Dpop);
    let answer = sdk.run(&mut fetch, &mut |_| {})?;
    sure(answer.status == 200, "UserInfo was refused")?;
    Ok(serde_json::from_slice(&answer.body)?)
}

/// The device signs what it is, the app registers it with Adam and hands it the asset token
/// (RFC 8693): bound to the key of the device, not to that of the app.
pub(super) fn register(stage: &Stage, app: &mut App, on: &mut SwitchedOn, asset: &str) -> Lived<Told<Secret>> {
    let claims = ActorClaims {
        did: on.did.clone(),
        audience: stage.issuer.clone(),
        name: Some("Kitchen speaker".to_owned()),
        serial_number: Some(on.speaker.serial.clone()),
        model: Some(MODEL.to_owned()),
        ..ActorClaims::default()
    };
    let actor_token = on.client.lend(|given| claims.sign(given))?;
    let actor = Actor::Token(Secret::new(actor_token.clone()));
    let auth = ClientAuth::Public { client_id: CLIENT.to_owned() };
    let mut exchange = Exchange::register(app.endpoints.token.clone(), auth, app.access_token.clone(), actor, true);
    exchange.audience = vec![stage.backend.clone(), stage.issuer.clone()];
    exchange.scope = Some(backend::SCOPE.to_owned());
    let tokens = app.sdk.run(&mut exchange, &mut |_| {})?;
    let token = decoded(tokens.access_token.expose());
    let device_key = on.client.signer().jwk().thumbprint().to_string();
    let bound = token.pointer("/payload/cnf/jkt").and_then(Value::as_str) == Some(device_key.as_str());
    sure(bound, "the asset token is not bound to the device's key")?;
    sure(token.pointer("/header/typ") == Some(&json!("asset+jwt")), "this is no asset token")?;
    sure(claim(&token, "sub") == app.user && claim(&token, "did") == on.did, "it is about others")?;
    sure(claim(&token, "asset_id") == asset, "a second title was opened for one device")?;
    let line = format!("The app registered {} and handed it an asset token", on.speaker.serial);
    let facts = json!({ "actor_token": decoded(&actor_token), "asset_token": token });
    Ok(Told { line, facts, yields: tokens.access_token })
}
