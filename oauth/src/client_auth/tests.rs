use identity::credential::CredentialState;
use identity::device::DeviceState;
use jose::{Alg, SigningKey};
use serde_json::{Value, json};

use super::*;
use crate::fixture::{
    ISSUER, NOW, SECRET, app, caller, certificate, credential, device_key, fact, form, other_key, public, second_key,
    signed, speaker, tenant, thumbprint, web,
};

/// Valid from `NOW` to `NOW + 120`.
const VECTOR: &str = concat!(
    "eyJ0eXAiOiJjbGllbnQtYXV0aGVudGljYXRpb24rand0IiwiYWxnIjoiRVMyNTYiLCJraWQiOiJqcS1BYmppdDFLRDJXeDB3ZFl3Zm5QSmRT",
    "LWx6cXpQNlhLNEpNckppSTdNIn0.eyJpc3MiOiJkZXZfOUYzSzIiLCJzdWIiOiJkZXZfOUYzSzIiLCJhdWQiOiJodHRwczovL2lkLmV4YW1w",
    "bGUuY29tIiwiaWF0IjoxNzUwMDAwMDAwLCJleHAiOjE3NTAwMDAxMjAsImp0aSI6ImNhLTAwMDEifQ.NrWipr_8RqfXZL-KdBUA4H-KOw8NB",
    "lzheaKo5N1VIZ9oqoxJy8HMQ3GNLGnFLRkrG-kLBzUJAxrRUSQi96FQBg"
);
const TYPE: (&str, &str) = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");

fn basic(text: &str) -> String {
    // The standard alphabet with padding, which nothing else here writes.
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::from("Basic ");
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().enumerate().fold(0u32, |bits, (at, byte)| bits | u32::from(*byte) << (16 - 8 * at));
        for at in 0..4 {
            let letter = char::from(LETTERS[(bits >> (18 - 6 * at)) as usize & 63]);
            encoded.push(if at <= chunk.len() { letter } else { '=' });
        }
    }
    encoded
}

fn tried(client: &Client, authorization: Option<&str>, pairs: &[(&str, &str)]) -> Result<(), &'static str> {
    let presented = Presented::collect(authorization, &form(pairs)).map_err(|refusal| refusal.reason)?;
    verify(&presented, &caller(client), NOW).map(|_| ()).map_err(|refusal| {
        assert_eq!(refusal.code, ErrorCode::InvalidClient);
        refusal.reason
    })
}

#[test]
fn a_public_client_shows_its_id_and_nothing_else() {
    assert_eq!(tried(&app(), None, &[("client_id", "app_mobile")]), Ok(()));
    let with_secret = [("client_id", "app_mobile"), ("client_secret", SECRET)];
    assert_eq!(tried(&app(), None, &with_secret), Err("other_method_registered"));
    assert_eq!(tried(&app(), Some(&basic("app_mobile:")), &[]), Err("other_method_registered"));
    assert_eq!(tried(&Client { disabled: true, ..app() }, None, &with_secret[..1]), Err("client_disabled"));
}

#[test]
fn an_unknown_client_and_a_wrong_secret_are_one_word_outside() {
    assert_eq!(tried(&web(), None, &[("client_id", "web_shop"), ("client_secret", "x")]), Err("wrong_secret"));
    assert_eq!(tried(&web(), None, &[("client_id", "nobody"), ("client_secret", SECRET)]), Err("unknown_client"));
    assert_eq!(tried(&web(), None, &[]), Err("no_client"));
}

#[test]
fn a_secret_counts_by_the_registered_method_alone() {
    let post = [("client_id", "web_shop"), ("client_secret", SECRET)];
    let field = basic(&format!("web_shop:{SECRET}"));
    assert_eq!(tried(&web(), None, &post), Ok(()));
    assert_eq!(tried(&web(), Some(&field), &[]), Err("other_method_registered"));
    let by_basic = Client { auth: AuthMethod::ClientSecretBasic, ..web() };
    assert_eq!(tried(&by_basic, Some(&field), &[]), Ok(()));
    assert_eq!(tried(&by_basic, Some(&field.replace("Basic", "bAsIc")), &[("client_id", "web_shop")]), Ok(()));
    assert_eq!(tried(&by_basic, None, &post), Err("other_method_registered"));
    assert_eq!(tried(&by_basic, None, &post[..1]), Err("other_method_registered"));
    assert_eq!(tried(&Client { secret: None, ..web() }, None, &post), Err("client_without_secret"));
}

#[test]
fn two_methods_at_once_or_two_ids_are_refused() {
    let both = Presented::collect(Some(&basic("web_shop:x")), &form(&[("client_secret", SECRET)])).unwrap_err();
    assert_eq!((both.code, both.reason), (ErrorCode::InvalidRequest, "two_client_authentications"));
    let beside = form(&[TYPE, ("client_assertion", VECTOR), ("client_secret", SECRET)]);
    assert_eq!(Presented::collect(None, &beside).unwrap_err().reason, "two_client_authentications");
    let other = Presented::collect(Some(&basic("web_shop:x")), &form(&[("client_id", "app_mobile")])).unwrap_err();
    assert_eq!(other.reason, "client_ids_differ");
}

#[test]
fn basic_ids_and_secrets_are_form_decoded_before_they_are_compared() {
    let secret = "p+a:s s%/&=ü-0123456789abcdef0123";
    let kept = Digest::from_base64url(jose::base64url::encode(digest::sha256(secret.as_bytes())));
    let client = Client { auth: AuthMethod::ClientSecretBasic, secret: Some(kept), ..web() };
    let encoded = "p%2Ba%3As+s%25%2F%26%3D%C3%BC-0123456789abcdef0123";
    assert_eq!(tried(&client, Some(&basic(&format!("web%5Fshop:{encoded}"))), &[]), Ok(()));
    assert_eq!(tried(&client, Some(&basic(&format!("web_shop:{secret}"))), &[]), Err("basic_malformed"));
    for field in ["Basic", "Basic ?", "Basic d2Vi", "Bearer abc", &basic(":x"), &basic("a&:x"), &basic("a=b:x")] {
        assert!(Presented::collect(Some(field), &form(&[])).is_err(), "{field}");
    }
}

#[test]
fn debug_of_what_is_shown_holds_no_secret() {
    let presented = Presented::collect(None, &form(&[("client_id", "a"), ("client_secret", SECRET)])).unwrap();
    let assertion = Presented::collect(None, &form(&[TYPE, ("client_assertion", VECTOR)])).unwrap();
    let shown = format!("{presented:?} {assertion:?}");
    assert!(!shown.contains(SECRET) && !shown.contains("ca-0001"), "{shown}");
}

fn device_facts() -> CallerFacts {
    let device = Some(speaker(DeviceState::Enrolled));
    CallerFacts {
        tenant: std::sync::Arc::new(tenant()),
        client: None,
        device,
        assertion_used: false,
        trust_anchors: vec![],
    }
}

fn asserted(token: &str, facts: &CallerFacts, now: i64) -> Result<AuthenticatedClient, &'static str> {
    let presented = Presented::collect(None, &form(&[TYPE, ("client_assertion", token)]));
    let presented = presented.map_err(|refusal| refusal.reason)?;
    verify(&presented, facts, now).map_err(|refusal| refusal.reason)
}

fn assertion() -> Value {
    json!({ "iss": "dev_9F3K2", "sub": "dev_9F3K2", "aud": ISSUER, "iat": NOW, "exp": NOW + 120, "jti": "ca-0001" })
}

fn altered(name: &str, value: Value) -> Value {
    let mut claims = assertion();
    match value {
        Value::Null => claims.as_object_mut().unwrap().remove(name),
        value => claims.as_object_mut().unwrap().insert(name.into(), value),
    };
    claims
}

#[test]
fn the_assertion_of_the_vectors_is_good_in_its_time_and_with_its_key() {
    for now in [NOW - 60, NOW, NOW + 120, NOW + 179] {
        let client = asserted(VECTOR, &device_facts(), now).unwrap();
        assert_eq!((client.id(), client.credential().unwrap().id.as_str()), ("dev_9F3K2", "crd_1"));
    }
    assert_eq!(asserted(VECTOR, &device_facts(), NOW - 61).unwrap_err(), "assertion_from_the_future");
    assert_eq!(asserted(VECTOR, &device_facts(), NOW + 180).unwrap_err(), "assertion_expired");
    let mut facts = device_facts();
    facts.device.as_mut().unwrap().credentials = vec![fact(credential("crd_2", &second_key()))];
    assert_eq!(asserted(VECTOR, &facts, NOW).unwrap_err(), "assertion_by_unknown_key");
}

#[test]
fn every_altered_claim_of_an_assertion_is_refused() {
    for (name, value, reason) in [
        ("iss", json!("app_mobile"), "assertion_sub_differs"),
        ("iss", Value::Null, "assertion_without_iss"),
        ("sub", Value::Null, "assertion_sub_differs"),
        ("sub", json!("u_adam"), "assertion_sub_differs"),
        ("aud", Value::Null, "assertion_aud"),
        ("aud", json!("https://id.example.com/token"), "assertion_aud"),
        ("aud", json!("https://id.example.com/"), "assertion_aud"),
        ("aud", json!([ISSUER, "https://evil.example"]), "assertion_aud"),
        ("exp", Value::Null, "assertion_without_exp"),
        ("exp", json!(NOW - 60), "assertion_expired"),
        ("exp", json!(NOW + 361), "assertion_exp_too_far"),
        ("iat", json!(NOW + 61), "assertion_from_the_future"),
        ("nbf", json!(NOW + 61), "assertion_from_the_future"),
        ("jti", Value::Null, "assertion_without_jti"),
        ("jti", json!(""), "assertion_without_jti"),
        ("jti", json!("x".repeat(129)), "assertion_without_jti"),
    ] {
        let token = signed(&device_key(), None, &altered(name, value.clone()));
        assert_eq!(asserted(&token, &device_facts(), NOW).unwrap_err(), reason, "{name} {value}");
    }
    let single = signed(&device_key(), Some("JWT"), &altered("aud", json!([ISSUER])));
    assert!(asserted(&single, &device_facts(), NOW).is_ok());
    let typed = signed(&device_key(), Some("at+jwt"), &assertion());
    assert_eq!(asserted(&typed, &device_facts(), NOW).unwrap_err(), "assertion_typ");
    let foreign = signed(&other_key(), None, &assertion());
    assert_eq!(asserted(&foreign, &device_facts(), NOW).unwrap_err(), "assertion_by_unknown_key");
}

#[test]
fn an_actor_token_does_not_log_in_as_the_device_that_signed_it() {
    let mut claims = assertion();
    claims["did"] = json!("dev_9F3K2");
    let token = signed(&device_key(), Some("JWT"), &claims);
    assert_eq!(asserted(&token, &device_facts(), NOW).unwrap_err(), "assertion_is_an_actor_token");
}

#[test]
fn an_assertion_is_used_up_once_and_by_its_own_client() {
    let client = asserted(VECTOR, &device_facts(), NOW).unwrap();
    let Some(crate::Change::Identity(identity::Change::Once { key, until })) = client.once() else { panic!() };
    assert!(until >= NOW + 180, "remembered as long as it would be taken");
    let form = form(&[TYPE, ("client_assertion", VECTOR)]);
    assert_eq!(Presented::collect(None, &form).unwrap().assertion_once(), Some(key));
    let replayed = CallerFacts { assertion_used: true, ..device_facts() };
    assert_eq!(asserted(VECTOR, &replayed, NOW).unwrap_err(), "assertion_replayed");
}

#[test]
fn an_assertion_without_its_type_or_of_another_is_refused() {
    for pairs in [
        vec![TYPE],
        vec![("client_assertion", VECTOR)],
        vec![("client_assertion_type", "x"), ("client_assertion", VECTOR)],
    ] {
        assert!(Presented::collect(None, &form(&pairs)).is_err(), "{pairs:?}");
    }
}

#[test]
fn any_of_a_clients_registered_keys_may_sign_and_no_secret_may() {
    let keys = vec![public(&other_key()), public(&device_key())];
    let client = Client { auth: AuthMethod::PrivateKeyJwt, jwks: keys, ..app() };
    let mut claims = altered("iss", json!("app_mobile"));
    claims["sub"] = json!("app_mobile");
    let by = |key: &SigningKey| signed(key, None, &claims);
    assert!(asserted(&by(&device_key()), &caller(&client), NOW).is_ok());
    assert!(asserted(&by(&other_key()), &caller(&client), NOW).is_ok());
    assert_eq!(asserted(&by(&second_key()), &caller(&client), NOW).unwrap_err(), "assertion_signature");
    assert_eq!(asserted(&by(&device_key()), &caller(&web()), NOW).unwrap_err(), "unknown_client");
    // The public key as the secret of HS256 (RFC 8725 §2.1).
    let public = public(&device_key()).to_json().to_string();
    let forged = jose::HmacKey::new(public.as_bytes()).unwrap();
    let forged = forged.sign_compact(None, None, &Map::new(), claims.to_string().as_bytes()).unwrap();
    assert_eq!(asserted(&forged, &caller(&client), NOW).unwrap_err(), "assertion_signature");
}

#[test]
fn a_certificate_counts_by_its_registered_name_or_key() {
    let tried = |auth, jwks: Vec<Jwk>, certificate: Option<ShownCertificate>| {
        let client = Client { auth, jwks, ..app() };
        let mut presented = Presented::collect(None, &form(&[("client_id", "app_mobile")])).unwrap();
        presented.certificate = certificate;
        verify(&presented, &caller(&client), NOW).map(|_| ()).map_err(|refusal| refusal.reason)
    };
    let named = ShownCertificate { is_registered_name: true, ..certificate() };
    assert_eq!(tried(AuthMethod::TlsClientAuth, vec![], Some(named)), Ok(()));
    assert_eq!(tried(AuthMethod::TlsClientAuth, vec![], Some(certificate())), Err("certificate_name"));
    assert_eq!(tried(AuthMethod::TlsClientAuth, vec![], None), Err("no_certificate"));
    let (ours, others) = (vec![public(&device_key())], vec![public(&other_key())]);
    assert_eq!(tried(AuthMethod::SelfSignedTlsClientAuth, ours, Some(certificate())), Ok(()));
    assert_eq!(tried(AuthMethod::SelfSignedTlsClientAuth, others, Some(certificate())), Err("certificate_key"));
    assert_eq!(tried(AuthMethod::SelfSignedTlsClientAuth, vec![], None), Err("no_certificate"));
}

fn device_by_certificate(change: impl Fn(&mut DeviceFacts, &mut ShownCertificate)) -> Result<(), &'static str> {
    let (mut device, mut shown) = (speaker(DeviceState::Enrolled), certificate());
    change(&mut device, &mut shown);
    let mut presented = Presented::collect(None, &form(&[("client_id", "dev_9F3K2")])).unwrap();
    presented.certificate = Some(shown);
    let facts = CallerFacts { device: Some(device), ..device_facts() };
    verify(&presented, &facts, NOW).map(|_| ()).map_err(|refusal| refusal.reason)
}

#[test]
fn a_device_is_its_own_client_by_the_very_certificate_the_registry_holds() {
    assert_eq!(device_by_certificate(|_, _| {}), Ok(()));
    assert_eq!(device_by_certificate(|_, shown| shown.thumbprint = "x5t-2".into()), Err("certificate_unknown"));
    assert_eq!(device_by_certificate(|_, shown| shown.key_thumbprint = "k".into()), Err("certificate_unknown"));
    for state in [DeviceState::Suspended, DeviceState::Retired] {
        assert_eq!(device_by_certificate(|device, _| device.device.record.state = state), Err("device_state"));
    }
    assert_eq!(device_by_certificate(|device, _| device.device.record.pending = true), Err("device_state"));
    let revoked = |device: &mut DeviceFacts, _: &mut _| {
        device.credentials[0].record.state = CredentialState::Revoked;
    };
    assert_eq!(device_by_certificate(revoked), Err("certificate_unknown"));
}

#[test]
fn an_expired_certificate_ends_the_use_of_its_key_too() {
    let expire = |device: &mut DeviceFacts| {
        device.credentials[0].record.certificate.as_mut().unwrap().not_after = NOW - 1;
    };
    assert_eq!(device_by_certificate(|device, _| expire(device)), Err("certificate_unknown"));
    let mut facts = device_facts();
    expire(facts.device.as_mut().unwrap());
    assert_eq!(asserted(VECTOR, &facts, NOW).unwrap_err(), "assertion_by_unknown_key");
}

#[test]
fn a_device_with_two_keys_may_sign_with_either_without_naming_it() {
    let mut facts = device_facts();
    facts.device.as_mut().unwrap().credentials.push(fact(credential("crd_2", &second_key())));
    let client = asserted(&signed(&second_key(), None, &assertion()), &facts, NOW).unwrap();
    assert_eq!(client.credential().unwrap().id.as_str(), "crd_2");
}

fn named(key: &jose::SigningKey, kid: &str) -> String {
    let payload = assertion().to_string();
    jose::jws::sign_compact(None, Some(kid), &Map::new(), payload.as_bytes(), key).unwrap()
}

#[test]
fn a_wrong_kid_chooses_no_key_and_a_right_one_chooses_its_own() {
    let mut facts = device_facts();
    facts.device.as_mut().unwrap().credentials.push(fact(credential("crd_2", &second_key())));
    let (first, second) = (thumbprint(&device_key()), thumbprint(&second_key()));
    for (signer, kid) in [(&device_key(), &second), (&second_key(), &first), (&device_key(), &"nobody's".to_owned())] {
        assert_eq!(asserted(&named(signer, kid), &facts, NOW).unwrap_err(), "assertion_by_unknown_key", "{kid}");
    }
    let chosen = asserted(&named(&second_key(), &second), &facts, NOW).unwrap();
    assert_eq!(chosen.credential().unwrap().id.as_str(), "crd_2");
}

#[test]
fn a_device_under_a_disabled_authority_is_refused_whatever_it_shows() {
    use identity::trust_anchor::TrustAnchorState;
    let facts = device_facts();
    let under = |state, assertion: bool| {
        let id = [("client_id", "dev_9F3K2")];
        let by = [TYPE, ("client_assertion", VECTOR)];
        let mut presented = Presented::collect(None, &form(if assertion { &by } else { &id })).unwrap();
        presented.certificate = Some(certificate());
        let anchor = identity::TrustAnchor {
            id: "ca_1".parse().unwrap(),
            product: "prd_spk2".parse().unwrap(),
            name: String::new(),
            certificate: String::new(),
            thumbprint: "ca-1".into(),
            state,
        };
        presented.authorities =
            vec![DeviceAuthority { anchor: fact(anchor), name: "issuer-1".into(), is_shown: false }];
        verify(&presented, &facts, NOW).map_err(|refusal| (refusal.code, refusal.reason))
    };
    for assertion in [true, false] {
        let refused = under(TrustAnchorState::Disabled, assertion).unwrap_err();
        assert_eq!(refused, (ErrorCode::InvalidClient, "disabled_trust_anchor"));
        let guards = under(TrustAnchorState::Trusted, assertion).unwrap().guards();
        assert!(guards.iter().any(|guard| guard.key.id == "ca_1"), "its tokens fall with the authority");
    }
}

#[test]
fn a_device_asks_for_itself_what_its_state_permits_and_never_what_is_its_owners() {
    let scopes = |state| {
        let facts = CallerFacts { device: Some(speaker(state)), ..device_facts() };
        asserted(VECTOR, &facts, NOW).unwrap().own_scopes().to_string()
    };
    assert_eq!(scopes(DeviceState::Registered), "firmware:read");
    assert_eq!(scopes(DeviceState::Active), "firmware:read device:pair");
}

#[test]
fn a_token_names_its_client_only_where_that_is_registered() {
    let named = Presented::named("app_mobile".into());
    assert_eq!(verify(&named, &caller(&app()), NOW).unwrap_err().reason, "no_client");
    let mut salesforce = app();
    salesforce.rights.asset_salesforce = true;
    assert!(verify(&named, &caller(&salesforce), NOW).is_ok());
    let device = Presented::named("dev_9F3K2".into());
    assert_eq!(verify(&device, &device_facts(), NOW).unwrap_err().reason, "no_client");
}

#[test]
fn what_a_client_may_not_use_is_unauthorized() {
    let client = crate::fixture::shown(&Client { grant_types: vec![GrantType::RefreshToken], ..app() });
    assert!(client.require(GrantType::RefreshToken).is_ok());
    assert_eq!(client.require(GrantType::DeviceCode).unwrap_err().code, ErrorCode::UnauthorizedClient);
}

#[test]
fn tokens_are_bound_as_registered_and_devices_only_to_keys_of_theirs() {
    use crate::binding::confirm;
    use crate::fixture::{shown, shown_device};
    let reason = |result: Result<_, crate::OAuthRefusal>| result.map(|_| ()).map_err(|refusal| refusal.reason);
    assert_eq!(confirm(&shown(&app()), None, NOW).unwrap(), None);
    assert_eq!(confirm(&shown(&app()), Some("k"), NOW).unwrap().unwrap().jkt.as_deref(), Some("k"));
    let dpop = shown(&Client { dpop_bound_access_tokens: true, ..web() });
    assert_eq!(reason(confirm(&dpop, None, NOW)), Err("dpop_mandatory"));
    let mtls = shown(&Client { tls_client_certificate_bound_access_tokens: true, ..web() });
    assert_eq!(reason(confirm(&mtls, None, NOW)), Err("certificate_mandatory"));
    assert_eq!(reason(confirm(&mtls, Some("k"), NOW)), Err("certificate_mandatory"));
    let device = shown_device(&speaker(DeviceState::Active));
    assert_eq!(confirm(&device, None, NOW).unwrap().unwrap().x5t_s256.as_deref(), Some("x5t-1"));
    let own = thumbprint(&device_key());
    assert_eq!(confirm(&device, Some(&own), NOW).unwrap().unwrap().jkt, Some(own));
    assert_eq!(reason(confirm(&device, Some(&thumbprint(&other_key())), NOW)), Err("proof_by_another_key"));
    let unproved = asserted(VECTOR, &device_facts(), NOW).unwrap();
    assert_eq!(reason(confirm(&unproved, None, NOW)), Err("device_without_proof"));
}

#[test]
fn a_binding_that_cannot_be_compared_fits_nothing() {
    use crate::binding::{fits, key};
    use crate::token::Confirmation;
    assert!(fits(&key("a"), Some(&key("a"))));
    assert!(!fits(&key("a"), Some(&key("b"))));
    assert!(!fits(&key("a"), None));
    assert!(!fits(&Confirmation::default(), Some(&key("a"))));
    let certificate = Confirmation { x5t_s256: Some("a".into()), ..Confirmation::default() };
    assert!(fits(&certificate, Some(&certificate)) && !fits(&certificate, Some(&key("a"))));
    let both = Confirmation { jkt: Some("a".into()), ..certificate };
    assert!(!fits(&both, Some(&both)));
}

#[test]
fn weak_keys_sign_no_assertion() {
    // RSA of 1024 bits is no key at all (RFC 7518 §3.3).
    let n = jose::base64url::encode([0xc1; 128]);
    assert!(Jwk::from_json(&json!({ "kty": "RSA", "n": n, "e": "AQAB" })).is_err());
    assert!(Alg::parse("none").is_none());
}

#[test]
fn a_refused_request_uses_its_assertion_up_too() {
    use crate::grant::client_credentials::{Request, decide};
    let facts = device_facts();
    let client = asserted(VECTOR, &facts, NOW).unwrap();
    let request = Request { scope: Some(Scope::of(["no:such"])), ..Request::default() };
    let decision = decide(&request, &client, &facts, &crate::fixture::drawn(NOW));
    assert_eq!(crate::fixture::refusal(&decision).0, ErrorCode::InvalidScope);
    assert_eq!(crate::fixture::uses_up(&decision).len(), 1);
}
