use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use serde_json::{Map, Value, json};

use super::*;
use crate::jws::JwsError;
use crate::{Alg, HmacKey, SigningKey, base64url, jws};

const NOW: i64 = 1_750_000_060;
const TOKEN: &str = "the.access.token";
const TARGET: &str = "https://ingest.example.com/v1/telemetry";

fn uri(text: &str) -> HttpUri {
    HttpUri::parse(text).unwrap()
}

fn key() -> SigningKey {
    SigningKey::generate(Alg::ES256).unwrap()
}

fn claims() -> Map<String, Value> {
    let claims = json!({
        "jti": "dpop-0001", "htm": "POST", "htu": TARGET,
        "iat": NOW, "ath": ath(TOKEN), "nonce": "n-0001",
    });
    claims.as_object().unwrap().clone()
}

fn signed(signer: &SigningKey, claims: &Map<String, Value>) -> String {
    let header = Map::from_iter([("jwk".to_string(), signer.jwk().to_bare_json())]);
    let payload = Value::Object(claims.clone()).to_string();
    jws::sign_compact(Some(TYP), None, &header, payload.as_bytes(), signer).unwrap()
}

fn judged(proof: &str, method: &str, target: &str, now: i64) -> Result<VerifiedProof, DpopError> {
    Proof::parse(&[proof])?.verify(Expected {
        method,
        uri: &uri(target),
        access_token: Some(TOKEN),
        freshness: Freshness::Iat { now, window: WINDOW },
    })
}

/// The verdict on a proof with one claim replaced or, by null, left out.
fn with_claim(name: &str, value: Value) -> Option<DpopError> {
    let mut claims = claims();
    match value {
        Value::Null => claims.remove(name),
        value => claims.insert(name.into(), value),
    };
    judged(&signed(&key(), &claims), "POST", TARGET, NOW).err()
}

#[test]
fn a_proof_of_every_asymmetric_algorithm_holds() {
    for alg in Alg::ASYMMETRIC {
        let signer = SigningKey::generate(alg).unwrap();
        let verified = judged(&signed(&signer, &claims()), "POST", TARGET, NOW).unwrap();
        assert_eq!(verified.thumbprint(), signer.jwk().thumbprint());
        assert_eq!(verified.jwk(), signer.jwk());
        assert_eq!((verified.htm(), verified.htu().as_str()), ("POST", TARGET));
        assert_eq!((verified.jti(), verified.iat()), ("dpop-0001", NOW));
    }
}

#[test]
fn what_the_device_builds_the_server_accepts() {
    let signer = key();
    let ath = ath(TOKEN);
    let target = uri(TARGET);
    let proof =
        build(&signer, &Claims { method: "GET", uri: &target, iat: NOW, jti: "j", ath: Some(&ath), nonce: Some("n") })
            .unwrap();
    let verified = judged(&proof, "GET", TARGET, NOW).unwrap();
    assert_eq!(verified.nonce(), Some("n"));
    let bare = build(&signer, &Claims { method: "GET", uri: &target, iat: NOW, jti: "j", ath: None, nonce: None });
    let bare = bare.unwrap();
    assert_eq!(Proof::parse(&[&bare]).unwrap().peek_nonce(), None);
    assert_eq!(judged(&bare, "GET", TARGET, NOW).err(), Some(DpopError::AccessToken));
}

#[test]
fn each_claim_altered_one_by_one_is_refused() {
    assert_eq!(with_claim("unknown", json!(1)), None);
    for name in ["jti", "htm", "htu", "iat"] {
        assert_eq!(with_claim(name, Value::Null), Some(DpopError::Claim), "no {name}");
        assert_eq!(with_claim(name, json!([])), Some(DpopError::Claim), "{name}");
        assert_eq!(with_claim(name, json!("")), Some(DpopError::Claim), "{name}");
    }
    assert_eq!(with_claim("ath", json!(1)), Some(DpopError::Claim));
    assert_eq!(with_claim("nonce", json!(1)), Some(DpopError::Claim));
    assert_eq!(with_claim("jti", json!("j".repeat(256))), None);
    assert_eq!(with_claim("jti", json!("j".repeat(257))), Some(DpopError::Claim));
    assert_eq!(with_claim("ath", Value::Null), Some(DpopError::AccessToken));
    assert_eq!(with_claim("ath", json!(ath("another.token"))), Some(DpopError::AccessToken));
}

#[test]
fn the_method_is_compared_with_case() {
    for method in ["post", "GET", "HEAD", "POST ", "PATCH"] {
        assert_eq!(with_claim("htm", json!(method)), Some(DpopError::Method), "{method}");
    }
    // HEAD is not GET, however alike they are answered.
    let mut claims = claims();
    claims.insert("htm".into(), json!("GET"));
    assert_eq!(judged(&signed(&key(), &claims), "HEAD", TARGET, NOW).err(), Some(DpopError::Method));
}

#[test]
fn the_target_is_compared_in_normal_form() {
    for same in [
        "HTTPS://Ingest.Example.COM:443/v1/./telemetry?x=1#f",
        "https://ingest.example.com/v1/telemetr%79",
        "https://ingest.example.com/v1/telemetry?added=1",
    ] {
        assert_eq!(with_claim("htu", json!(same)), None, "{same}");
    }
    for other in [
        "https://api.example.com/v1/telemetry",
        "http://ingest.example.com/v1/telemetry",
        "https://ingest.example.com:8443/v1/telemetry",
        "https://ingest.example.com/v1/Telemetry",
        "https://ingest.example.com/v1/telemetry/",
        "https://ingest.example.com/v1",
    ] {
        assert_eq!(with_claim("htu", json!(other)), Some(DpopError::Target), "{other}");
    }
    for broken in ["/v1/telemetry", "ingest.example.com/v1/telemetry", "coap://ingest.example.com/v1/telemetry"] {
        assert_eq!(with_claim("htu", json!(broken)), Some(DpopError::Claim), "{broken}");
    }
}

#[test]
fn the_time_window_is_sixty_seconds_to_either_side() {
    let proof = signed(&key(), &claims());
    for (now, expected) in [
        (NOW - 61, Some(DpopError::Stale)),
        (NOW - 60, None),
        (NOW, None),
        (NOW + 60, None),
        (NOW + 61, Some(DpopError::Stale)),
        (NOW + 140, Some(DpopError::Stale)),
        (i64::MAX, Some(DpopError::Stale)),
        (i64::MIN, Some(DpopError::Stale)),
    ] {
        assert_eq!(judged(&proof, "POST", TARGET, now).err(), expected, "{now}");
    }
}

#[test]
fn a_time_with_a_fraction_counts_by_its_whole_seconds() {
    assert_eq!(with_claim("iat", json!(NOW as f64 + 0.5)), None);
    assert_eq!(with_claim("iat", json!(NOW as f64 - 61.5)), Some(DpopError::Stale));
    for iat in [json!(1e300), json!(u64::MAX), json!(NOW.to_string()), json!(true)] {
        assert_eq!(with_claim("iat", iat.clone()), Some(DpopError::Claim), "{iat}");
    }
}

#[test]
fn an_accepted_nonce_stands_for_the_time_and_only_that_nonce() {
    let mut old = claims();
    old.insert("iat".into(), json!(1));
    let proof = signed(&key(), &old);
    let judged = |proof: &str, nonce| {
        let target = uri(TARGET);
        let expected =
            Expected { method: "POST", uri: &target, access_token: Some(TOKEN), freshness: Freshness::Nonce(nonce) };
        Proof::parse(&[proof]).unwrap().verify(expected).err()
    };
    assert_eq!(judged(&proof, "n-0001"), None);
    for other in ["n-0002", "n-000", "", "N-0001"] {
        assert_eq!(judged(&proof, other), Some(DpopError::Nonce), "{other}");
    }
    old.remove("nonce");
    assert_eq!(judged(&signed(&key(), &old), "n-0001"), Some(DpopError::Nonce));
}

#[test]
fn at_the_token_endpoint_an_ath_is_ignored() {
    let target = uri(TARGET);
    let freshness = Freshness::Iat { now: NOW, window: WINDOW };
    let expected = Expected { method: "POST", uri: &target, access_token: None, freshness };
    let proof = Proof::parse(&[&signed(&key(), &claims())]).unwrap();
    assert!(proof.verify(expected).is_ok());
}

#[test]
fn no_field_two_fields_and_a_joined_field_are_refused() {
    let proof = signed(&key(), &claims());
    let joined = format!("{proof}, {proof}");
    let parsed = |values: &[&str]| Proof::parse(values).err();
    assert_eq!(parsed(&[]), Some(DpopError::NotOne));
    assert_eq!(parsed(&[&proof, &proof]), Some(DpopError::NotOne));
    assert_eq!(parsed(&[&joined]), Some(DpopError::NotOne));
    assert_eq!(parsed(&[""]), Some(DpopError::Jws(JwsError::Malformed)));
    let long = format!("{proof}{}", "A".repeat(jws::MAX_LEN));
    assert_eq!(parsed(&[&long]), Some(DpopError::Jws(JwsError::TooLong)));
    assert_eq!(parsed(&[&proof]), None);
}

#[test]
fn the_type_is_compared_exactly() {
    let signer = key();
    let header = Map::from_iter([("jwk".to_string(), signer.jwk().to_bare_json())]);
    let payload = Value::Object(claims()).to_string();
    for typ in [None, Some("JWT"), Some("DPoP+JWT"), Some("application/dpop+jwt"), Some("at+jwt")] {
        let proof = jws::sign_compact(typ, None, &header, payload.as_bytes(), &signer).unwrap();
        assert_eq!(Proof::parse(&[&proof]).err(), Some(DpopError::Typ), "{typ:?}");
    }
}

/// A proof with exactly this header and a signature of zeros.
fn headed(header: &Value) -> Option<DpopError> {
    let payload = Value::Object(claims()).to_string();
    let proof = format!(
        "{}.{}.{}",
        base64url::encode(header.to_string()),
        base64url::encode(payload),
        base64url::encode([0; 64])
    );
    judged(&proof, "POST", TARGET, NOW).err()
}

#[test]
fn unsigned_and_symmetric_proofs_are_refused() {
    let jwk = key().jwk().to_bare_json();
    assert_eq!(headed(&json!({"typ": TYP, "alg": "none", "jwk": jwk})), Some(DpopError::Jws(JwsError::Alg)));
    assert_eq!(headed(&json!({"typ": TYP, "jwk": jwk})), Some(DpopError::Jws(JwsError::Alg)));
    assert_eq!(headed(&json!({"typ": TYP, "alg": "HS256", "jwk": jwk})), Some(DpopError::Alg));
    assert_eq!(headed(&json!({"typ": TYP, "alg": "ES256"})), Some(DpopError::NoKey));
    let bad_signature = Some(DpopError::Jws(JwsError::BadSignature));
    assert_eq!(headed(&json!({"typ": TYP, "alg": "ES256", "jwk": jwk})), bad_signature);
    let mismatch = Some(DpopError::Jws(JwsError::AlgMismatch));
    assert_eq!(headed(&json!({"typ": TYP, "alg": "RS256", "jwk": jwk})), mismatch);

    let hmac = HmacKey::new(&[7; 32]).unwrap();
    let header = Map::from_iter([("jwk".to_string(), jwk)]);
    let proof = hmac.sign_compact(Some(TYP), None, &header, b"{}").unwrap();
    assert_eq!(Proof::parse(&[&proof]).err(), Some(DpopError::Alg));
}

#[test]
fn a_key_that_is_private_weak_off_its_curve_or_cut_is_refused() {
    let good = key().jwk().to_bare_json();
    let coordinate = |name: &str| base64url::decode(good[name].as_str().unwrap()).unwrap();
    let with = |name: &str, value: Vec<u8>| {
        let mut jwk = good.clone();
        jwk[name] = json!(base64url::encode(value));
        jwk
    };
    let mut off_curve = coordinate("y");
    off_curve[31] ^= 1;
    let mut modulus = vec![0xa5; 128];
    modulus[0] = 0xff;
    for jwk in [
        with("d", vec![1; 32]),
        with("y", off_curve),
        with("x", coordinate("x")[1..].to_vec()),
        json!({"kty": "RSA", "n": base64url::encode(modulus), "e": "AQAB"}),
        json!({"kty": "oct", "k": "AQ"}),
    ] {
        let header = json!({"typ": TYP, "alg": "ES256", "jwk": jwk});
        assert_eq!(headed(&header), Some(DpopError::Jws(JwsError::Jwk)), "{jwk}");
    }
}

#[test]
fn a_claim_named_twice_is_refused() {
    let signer = key();
    let header = Map::from_iter([("jwk".to_string(), signer.jwk().to_bare_json())]);
    let once = Value::Object(claims()).to_string();
    let twice = format!(r#"{{"htm":"POST",{}"#, &once[1..]);
    let proof = jws::sign_compact(Some(TYP), None, &header, twice.as_bytes(), &signer).unwrap();
    assert_eq!(Proof::parse(&[&proof]).err(), Some(DpopError::Jws(JwsError::Claims)));
}

#[test]
fn a_proof_shown_with_the_key_of_another_is_refused() {
    let (signer, victim) = (key(), key());
    let header = Map::from_iter([("jwk".to_string(), victim.jwk().to_bare_json())]);
    let payload = Value::Object(claims()).to_string();
    let proof = jws::sign_compact(Some(TYP), None, &header, payload.as_bytes(), &signer).unwrap();
    let verdict = judged(&proof, "POST", TARGET, NOW).err();
    assert_eq!(verdict, Some(DpopError::Jws(JwsError::BadSignature)));
}
