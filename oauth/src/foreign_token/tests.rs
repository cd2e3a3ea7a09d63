use serde_json::json;

use super::*;
use crate::fixture::{ISSUER, NOW};

const THEIRS: &str = "https://login.maker.example";
const APP: &str = "app-at-the-maker";

fn trusted() -> TrustedIssuer {
    TrustedIssuer {
        issuer: THEIRS.into(),
        accepts: vec![Accepted::AccessToken, Accepted::PlainAccessToken, Accepted::IdToken],
        audience: Some(ISSUER.into()),
        client_id: Some(APP.into()),
        clients: vec!["app_mobile".parse().unwrap()],
        users: Users::Make,
        account: None,
    }
}

fn said(aud: Value) -> Map<String, Value> {
    let claims = json!({ "iss": THEIRS, "sub": "adam", "aud": aud, "iat": NOW, "exp": NOW + 300, "name": "Adam" });
    claims.as_object().unwrap().clone()
}

fn with(mut claims: Map<String, Value>, name: &str, value: Value) -> Map<String, Value> {
    match value {
        Value::Null => claims.remove(name),
        value => claims.insert(name.into(), value),
    };
    claims
}

fn read_as(claims: &Map<String, Value>, typ: Option<&str>, subject_type: &str) -> Result<ForeignSubject, &'static str> {
    read(&Arc::new(trusted()), typ, claims, subject_type, NOW)
}

fn access(claims: &Map<String, Value>) -> Result<ForeignSubject, &'static str> {
    read_as(claims, Some("at+jwt"), ACCESS_TOKEN)
}

fn id(claims: &Map<String, Value>) -> Result<ForeignSubject, &'static str> {
    read_as(claims, Some("JWT"), ID_TOKEN)
}

#[test]
fn a_person_is_found_by_issuer_and_sub_and_the_same_sub_of_two_issuers_is_two_people() {
    let adam = access(&said(json!(ISSUER))).unwrap();
    assert_eq!((adam.name.as_deref(), adam.iat, adam.cnf.as_ref()), (Some("Adam"), NOW, None));
    assert_eq!(id(&said(json!(APP))).unwrap().user, adam.user, "whatever token speaks of them");
    let elsewhere = user_id("https://login.other.example", "adam").unwrap();
    assert_ne!(adam.user, elsewhere);
    assert_ne!(user_id(THEIRS, "Adam").unwrap(), adam.user, "exactly");
    let addressed = with(said(json!(ISSUER)), "email", json!("eve@example.com"));
    assert_eq!(access(&addressed).unwrap().user, adam.user, "an address is nobody's name");
    for sub in ["", "a\nb", "ad\u{e4}m", &"x".repeat(256)] {
        assert_eq!(access(&with(said(json!(ISSUER)), "sub", json!(sub))), Err("foreign_sub"), "{sub:?}");
    }
    assert_eq!(access(&with(said(json!(ISSUER)), "sub", Value::Null)), Err("foreign_sub"));
    let nameless = with(said(json!(ISSUER)), "name", json!("a\nb"));
    assert_eq!(access(&nameless).unwrap().name, None);
}

#[test]
fn each_kind_of_token_is_for_its_own_audience() {
    for aud in [json!("https://elsewhere.example"), json!(APP), json!([]), json!(7), Value::Null] {
        assert_eq!(access(&said(aud.clone())), Err("foreign_aud"), "{aud}");
    }
    assert!(access(&said(json!(["https://elsewhere.example", ISSUER]))).is_ok());
    for aud in [json!("another-app"), json!(ISSUER), json!([APP, "another-app"]), Value::Null] {
        assert_eq!(id(&said(aud.clone())), Err("foreign_aud"), "{aud}");
    }
    let many = |azp: &str| id(&with(said(json!([APP, "another-app"])), "azp", json!(azp)));
    assert!(many(APP).is_ok());
    assert_eq!(many("another-app"), Err("foreign_aud"));
    assert_eq!(id(&with(said(json!(APP)), "azp", json!("another-app"))), Err("foreign_aud"));
}

#[test]
fn a_token_is_taken_as_what_it_is_and_only_where_that_is_accepted() {
    let claims = said(json!([ISSUER, APP]));
    let id_claims = said(json!(APP));
    assert!(read_as(&claims, Some("application/at+jwt"), JWT).is_ok());
    assert!(read_as(&claims, None, JWT).is_ok());
    for typ in ["at+jwt", "logout+jwt", "secevent+jwt", "dpop+jwt"] {
        assert_eq!(read_as(&id_claims, Some(typ), ID_TOKEN), Err("foreign_typ"), "{typ}");
    }
    assert_eq!(read_as(&claims, Some("logout+jwt"), ACCESS_TOKEN), Err("foreign_typ"));
    assert_eq!(read_as(&claims, Some("at+jwt"), "https://id.example.com/token-type/asset"), Err("foreign_typ"));
    for name in ["nonce", "at_hash"] {
        let id_token = with(claims.clone(), name, json!("x"));
        assert_eq!(read_as(&id_token, Some("JWT"), ACCESS_TOKEN), Err("foreign_id_token_as_access_token"), "{name}");
    }
    let only = |accepts: Accepted| Arc::new(TrustedIssuer { accepts: vec![accepts], ..trusted() });
    let refused = Err("foreign_type_not_accepted");
    assert_eq!(read(&only(Accepted::AccessToken), None, &claims, JWT, NOW), refused);
    assert_eq!(read(&only(Accepted::AccessToken), None, &id_claims, ID_TOKEN, NOW), refused);
    assert_eq!(read(&only(Accepted::IdToken), Some("at+jwt"), &claims, JWT, NOW), refused);
    let other = Arc::new(TrustedIssuer { issuer: "https://login.other.example".into(), ..trusted() });
    assert_eq!(read(&other, Some("at+jwt"), &claims, JWT, NOW), Err("foreign_iss"));
}

#[test]
fn times_must_be_there_and_hold() {
    for (name, value, reason) in [
        ("exp", Value::Null, "foreign_without_exp"),
        ("exp", json!("soon"), "foreign_without_exp"),
        ("iat", Value::Null, "foreign_without_iat"),
        ("exp", json!(NOW - 60), "foreign_expired"),
        ("iat", json!(NOW + 61), "foreign_from_the_future"),
        ("nbf", json!(NOW + 61), "foreign_from_the_future"),
    ] {
        assert_eq!(access(&with(said(json!(ISSUER)), name, value.clone())), Err(reason), "{name} {value}");
    }
    assert!(access(&with(said(json!(ISSUER)), "exp", json!(NOW - 59))).is_ok());
}

#[test]
fn a_binding_is_kept_or_the_token_refused_and_never_taken_as_bearer() {
    let bound = |cnf: Value| access(&with(said(json!(ISSUER)), "cnf", cnf));
    assert_eq!(bound(json!({ "jkt": "k" })).unwrap().cnf.unwrap().jkt.as_deref(), Some("k"));
    for cnf in [json!({ "x5t#S256": "x" }), json!({ "jkt": "k", "jku": "https://evil.example" }), json!({}), json!("k")]
    {
        assert_eq!(bound(cnf.clone()), Err("foreign_cnf"), "{cnf}");
    }
}
