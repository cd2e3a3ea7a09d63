use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex as Lock;
use std::task::{Context, Poll, Waker};

use jose::{Signer as _, SigningKey};
use oauth::foreign_token::{Accepted, Users};
use oauth::grant::token_exchange::ACCESS_TOKEN;
use serde_json::{Map, json};

use super::*;
use crate::port::{FetchError, Fetched};

const NOW: i64 = 1_750_000_000;
const THEIRS: &str = "https://login.maker.example";
const KEYS: &str = "https://login.maker.example/keys";
const METADATA: &str = "https://login.maker.example/.well-known/openid-configuration";

/// A net of documents that counts who is asked.
#[derive(Default)]
struct Net {
    documents: Lock<HashMap<String, Value>>,
    asked: Lock<Vec<String>>,
}

impl Net {
    fn put(&self, url: &str, document: Value) {
        self.documents.lock().unwrap().insert(url.to_owned(), document);
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Fetch for Net {
    fn get<'a>(&'a self, url: &'a str) -> Fetched<'a> {
        self.asked.lock().unwrap().push(url.to_owned());
        let found = self.documents.lock().unwrap().get(url).map(|document| document.to_string().into_bytes());
        Box::pin(core::future::ready(found.ok_or(FetchError("nothing there"))))
    }
}

/// What never waits is done at once.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future: Pin<Box<_>> = Box::pin(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits for something"),
    }
}

fn trusted() -> TrustedIssuer {
    TrustedIssuer {
        issuer: THEIRS.into(),
        accepts: vec![Accepted::AccessToken],
        audience: Some("https://id.example.com".into()),
        client_id: None,
        clients: vec![],
        users: Users::Find,
        account: None,
    }
}

struct World {
    net: Arc<Net>,
    issuers: ForeignIssuers,
    key: SigningKey,
}

fn set(keys: &[(&SigningKey, &str)]) -> Value {
    let jwk = |(key, kid): &(&SigningKey, &str)| key.jwk().clone().with_kid((*kid).to_owned()).to_json();
    json!({ "keys": keys.iter().map(jwk).collect::<Vec<_>>() })
}

fn world(source: KeySource) -> World {
    let (net, key) = (Arc::new(Net::default()), SigningKey::generate(Alg::ES256).unwrap());
    net.put(METADATA, json!({ "issuer": THEIRS, "jwks_uri": KEYS }));
    net.put(KEYS, set(&[(&key, "k1")]));
    World { issuers: ForeignIssuers::new([(trusted(), source)], net.clone()), net, key }
}

fn signed(key: &SigningKey, kid: &str, iss: &str, at: i64) -> String {
    let claims = json!({ "iss": iss, "sub": "adam", "aud": "https://id.example.com", "iat": at, "exp": at + 300 });
    jws::sign_compact(Some("at+jwt"), Some(kid), &Map::new(), claims.to_string().as_bytes(), key).unwrap()
}

impl World {
    fn verify(&self, token: &str, at: i64) -> Option<Result<(), &'static str>> {
        now(self.issuers.verify(token, ACCESS_TOKEN, at)).map(|result| result.map(|_| ()))
    }
}

#[test]
fn a_token_is_verified_with_the_keys_its_issuer_publishes_and_these_are_kept() {
    for source in [KeySource::Discovery, KeySource::Url(KEYS.into())] {
        let world = world(source.clone());
        let token = signed(&world.key, "k1", THEIRS, NOW);
        assert_eq!(world.verify(&token, NOW), Some(Ok(())));
        let asked = world.net.asked();
        assert_eq!(world.verify(&token, NOW + 1), Some(Ok(())));
        assert_eq!(world.net.asked(), asked, "kept: {source:?}");
        let stranger = SigningKey::generate(Alg::ES256).unwrap();
        assert_eq!(world.verify(&signed(&stranger, "k1", THEIRS, NOW), NOW), Some(Err("foreign_signature")));
    }
}

#[test]
fn an_unknown_issuer_makes_no_fetch_and_neither_does_what_is_over_or_for_others() {
    let world = world(KeySource::Discovery);
    for issuer in ["https://evil.example", "https://login.maker.example/", "http://169.254.169.254", ""] {
        assert_eq!(world.verify(&signed(&world.key, "k1", issuer, NOW), NOW), None, "{issuer}");
    }
    assert_eq!(world.verify("x.y.z", NOW), None);
    let over = signed(&world.key, "k1", THEIRS, NOW - 3600);
    assert_eq!(world.verify(&over, NOW), Some(Err("foreign_expired")));
    assert_eq!(world.net.asked(), 0);
}

#[test]
fn a_new_key_is_fetched_and_an_invented_one_asks_once_a_minute() {
    let world = world(KeySource::Url(KEYS.into()));
    let next = SigningKey::generate(Alg::ES256).unwrap();
    assert_eq!(world.verify(&signed(&world.key, "k1", THEIRS, NOW), NOW), Some(Ok(())));
    world.net.put(KEYS, set(&[(&world.key, "k1"), (&next, "k2")]));
    let at = NOW + PAUSE;
    assert_eq!(world.verify(&signed(&next, "k2", THEIRS, at), at), Some(Ok(())), "rotated");
    for n in 0..50 {
        let invented = signed(&next, &format!("kid-{n}"), THEIRS, at);
        assert_eq!(world.verify(&invented, at + 30), Some(Err("foreign_signature")));
    }
    assert_eq!(world.net.asked(), 2, "whoever invents key ids sends us nowhere");
}

#[test]
fn keys_that_cannot_be_asked_for_count_for_a_day_and_then_nobody_passes() {
    let world = world(KeySource::Url(KEYS.into()));
    assert_eq!(world.verify(&signed(&world.key, "k1", THEIRS, NOW), NOW), Some(Ok(())));
    world.net.documents.lock().unwrap().clear();
    let at = NOW + STALE - 1;
    assert_eq!(world.verify(&signed(&world.key, "k1", THEIRS, at), at), Some(Ok(())));
    let at = NOW + STALE;
    assert_eq!(world.verify(&signed(&world.key, "k1", THEIRS, at), at), Some(Err("foreign_keys_unreachable")));
    let never = super::tests::world(KeySource::Url("https://login.maker.example/nothing".into()));
    let token = signed(&never.key, "k1", THEIRS, NOW);
    assert_eq!(never.verify(&token, NOW), Some(Err("foreign_keys_unreachable")));
    assert_eq!(never.verify(&token, NOW), Some(Err("foreign_keys_unreachable")));
    assert_eq!(never.net.asked(), 1);
}

#[test]
fn a_key_that_was_withdrawn_counts_until_the_keys_are_asked_for_anew() {
    let world = world(KeySource::Url(KEYS.into()));
    let next = SigningKey::generate(Alg::ES256).unwrap();
    assert_eq!(world.verify(&signed(&world.key, "k1", THEIRS, NOW), NOW), Some(Ok(())));
    world.net.put(KEYS, set(&[(&next, "k2")]));
    let at = NOW + FRESH;
    assert_eq!(world.verify(&signed(&world.key, "k1", THEIRS, at), at), Some(Err("foreign_signature")));
}

#[test]
fn metadata_of_another_issuer_and_keys_at_another_origin_are_not_believed() {
    let refused = |metadata: Value| {
        let world = world(KeySource::Discovery);
        world.net.put(METADATA, metadata);
        world.net.put("http://169.254.169.254/keys", set(&[(&world.key, "k1")]));
        assert_eq!(world.verify(&signed(&world.key, "k1", THEIRS, NOW), NOW), Some(Err("foreign_keys_unreachable")));
        assert_eq!(world.net.asked(), 1, "and nobody else was asked");
    };
    refused(json!({ "issuer": "https://evil.example", "jwks_uri": KEYS }));
    refused(json!({ "issuer": THEIRS, "jwks_uri": "http://169.254.169.254/keys" }));
    refused(json!({ "issuer": THEIRS, "jwks_uri": "https://login.maker.example.evil.example/keys" }));
    refused(json!({ "issuer": THEIRS, "jwks_uri": "https://login.maker.example@evil.example/keys" }));
    refused(json!({ "issuer": THEIRS }));
}

#[test]
fn fixed_keys_ask_nobody() {
    let world = world(KeySource::Discovery);
    let keys = JwkSet::from_json(&set(&[(&world.key, "k1")])).unwrap();
    let fixed = ForeignIssuers::new([(trusted(), KeySource::Fixed(keys))], world.net.clone());
    let token = signed(&world.key, "k1", THEIRS, NOW);
    assert!(now(fixed.verify(&token, ACCESS_TOKEN, NOW)).unwrap().is_ok());
    assert_eq!(world.net.asked(), 0);
}
