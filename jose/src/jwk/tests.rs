use std::collections::HashSet;
use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use serde_json::{Value, json};

use super::*;
use crate::{SigningKey, VerifyingKey};

const X: &str = "uRRUKBtvceMuVvyDFf59-nfP3C1SnegNWgSTTjKtuAI";
const Y: &str = "JzSXBo4QmecYtIjYzVDFVMbLhvMJGVR6IWknNcwXSPQ";
/// The key of RFC 7638 §3.1.
const N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
const X384: &str = "tc7e03YsVFk2LkykuJGBBZpIg8ptmjXnJXTfwaHr4tdu3Pjs7GuU2U5hJ0XgMVHT";
const Y384: &str = "AdIFE8w4O9syi4OBiTkHmbogkTnUvn3ZWaTJSPwsPcIpqsyP5nSB_yoyzRVYf27_";
const ED: &str = "4OMzQBW8sP45DJz83CqrpWRr_R_0Q5zKPtOeFjMp-kA";

fn ec() -> Value {
    json!({"kty": "EC", "crv": "P-256", "x": X, "y": Y})
}

fn with(mut key: Value, name: &str, value: Value) -> Value {
    key[name] = value;
    key
}

fn refusal(key: &Value) -> Option<JwkError> {
    Jwk::from_json(key).err()
}

fn keys() -> Vec<Value> {
    vec![
        ec(),
        json!({"kty": "EC", "crv": "P-384", "x": X384, "y": Y384}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": ED}),
        json!({"kty": "RSA", "n": N, "e": "AQAB"}),
    ]
}

#[test]
fn every_key_type_reads_and_writes_the_same() {
    for key in keys() {
        let read = Jwk::from_json(&key).unwrap();
        assert_eq!(read.to_json(), key);
        assert_eq!(read.to_bare_json(), key);
        let text = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<Jwk>(&text).unwrap(), read);
    }
}

#[test]
fn the_thumbprint_of_the_standard_is_reproduced() {
    let read = Jwk::from_json(&json!({"kty": "RSA", "n": N, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}));
    // RFC 7638 §3.1.
    assert_eq!(read.unwrap().thumbprint().to_string(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

#[test]
fn keys_are_equal_by_the_key_alone() {
    let plain = Jwk::from_json(&ec()).unwrap();
    let dressed = plain.clone().with_kid("k").with_use("sig").with_alg(Alg::ES256).unwrap();
    assert_eq!(plain, dressed);
    assert_eq!(HashSet::from([plain.clone(), dressed.clone()]).len(), 1);
    assert_eq!(plain.thumbprint(), dressed.thumbprint());
    let other = SigningKey::generate(Alg::ES256).unwrap();
    assert_ne!(&plain, crate::Signer::jwk(&other));
}

#[test]
fn private_members_are_refused_in_every_key_type() {
    for key in keys() {
        for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert_eq!(refusal(&with(key.clone(), name, json!("AQ"))), Some(JwkError::PrivateMember), "{name}");
        }
    }
}

#[test]
fn symmetric_and_unknown_types_and_curves_are_refused() {
    for key in [
        json!({"kty": "oct"}),
        json!({"kty": "ec", "crv": "P-256", "x": X, "y": Y}),
        json!({"kty": "EC", "crv": "P-521", "x": X, "y": Y}),
        json!({"kty": "EC", "crv": "secp256k1", "x": X, "y": Y}),
        json!({"kty": "OKP", "crv": "X25519", "x": ED}),
        json!({"kty": "OKP", "crv": "Ed448", "x": ED}),
        json!({"kty": "AKP"}),
    ] {
        assert_eq!(refusal(&key), Some(JwkError::UnknownType), "{key}");
    }
}

#[test]
fn a_point_off_its_curve_is_refused() {
    let turned = format!("A{}", &Y[1..]);
    assert_eq!(refusal(&with(ec(), "y", json!(turned))), Some(JwkError::OffCurve));
    assert_eq!(
        refusal(&json!({"kty": "EC", "crv": "P-256", "x": "A".repeat(43), "y": "A".repeat(43)})),
        Some(JwkError::OffCurve)
    );
    assert_eq!(refusal(&json!({"kty": "EC", "crv": "P-384", "x": Y384, "y": X384})), Some(JwkError::OffCurve));
}

#[test]
fn coordinates_have_their_full_length_and_one_spelling() {
    let x = base64url::decode(X).unwrap();
    let long = [&[0], x.as_slice()].concat();
    let spelled = ["", &base64url::encode(&x[1..]), &base64url::encode(&long), &format!("{X}="), &format!(" {X}")]
        .map(String::from);
    for text in spelled.into_iter().chain([X.replace("-n", "+n"), format!("{}J", &X[..42])]) {
        assert_eq!(refusal(&with(ec(), "x", json!(text))), Some(JwkError::Encoding), "{text}");
    }
    for text in ["", &ED[..42]] {
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": text});
        assert_eq!(refusal(&key), Some(JwkError::Encoding));
    }
    // A P-256 point under the name of P-384.
    assert_eq!(refusal(&with(ec(), "crv", json!("P-384"))), Some(JwkError::Encoding));
}

#[test]
fn members_missing_or_of_the_wrong_type_are_refused() {
    for name in ["kty", "crv", "x", "y"] {
        let mut key = ec();
        key.as_object_mut().unwrap().remove(name);
        assert_eq!(refusal(&key), Some(JwkError::Member), "{name}");
        assert_eq!(refusal(&with(ec(), name, json!(1))), Some(JwkError::Member), "{name}");
    }
    for name in ["kid", "use", "alg"] {
        assert_eq!(refusal(&with(ec(), name, json!(null))), Some(JwkError::Member), "{name}");
    }
    for operations in [json!("verify"), json!([1]), json!(["verify", "verify"])] {
        assert_eq!(refusal(&with(ec(), "key_ops", operations)), Some(JwkError::Member));
    }
    assert_eq!(refusal(&json!([])), Some(JwkError::Malformed));
}

#[test]
fn a_member_named_twice_is_refused_also_through_serde() {
    let text = format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{Y}","y":"{Y}"}}"#);
    assert_eq!(Jwk::parse(text.as_bytes()).err(), Some(JwkError::Malformed));
    assert!(serde_json::from_str::<Jwk>(&text).is_err());
}

#[test]
fn rsa_keys_below_2048_and_above_8192_bits_are_refused() {
    let modulus = |bytes: usize, top: u8| {
        let mut n = vec![0xa5; bytes];
        n[0] = top;
        n
    };
    let judged = |n: &[u8]| Jwk::from_rsa(n, &[1, 0, 1]).err();
    assert_eq!(judged(&modulus(256, 0x80)), None);
    assert_eq!(judged(&modulus(1024, 0x80)), None);
    for (bytes, top) in [(128, 0xff), (256, 0x7f), (1025, 1), (1, 3)] {
        assert_eq!(judged(&modulus(bytes, top)), Some(JwkError::RsaParameters), "{bytes}");
    }
    let mut even = modulus(256, 0x80);
    even[255] = 2;
    assert_eq!(judged(&even), Some(JwkError::RsaParameters));
    assert_eq!(judged(&modulus(257, 0)), Some(JwkError::Encoding));
    assert_eq!(judged(&[]), Some(JwkError::Encoding));
}

#[test]
fn rsa_exponents_that_break_the_key_are_refused() {
    let n = base64url::decode(N).unwrap();
    for (e, cause) in [
        (&[1][..], JwkError::RsaParameters),
        (&[2], JwkError::RsaParameters),
        (&[1, 0, 0], JwkError::RsaParameters),
        (&[1, 0, 0, 0, 1], JwkError::RsaParameters),
        (&[0, 1, 0, 1], JwkError::Encoding),
        (&[], JwkError::Encoding),
    ] {
        assert_eq!(Jwk::from_rsa(&n, e).err(), Some(cause), "{e:?}");
    }
}

#[test]
fn the_algorithm_of_a_key_must_be_known_and_fit() {
    let fitting = [&["ES256"][..], &["ES384"], &["EdDSA", "Ed25519"], &["RS256", "PS256"]];
    for (key, fitting) in keys().into_iter().zip(fitting) {
        for name in ["ES256", "ES384", "EdDSA", "Ed25519", "RS256", "PS256", "HS256", "none", "RS512"] {
            let read = Jwk::from_json(&with(key.clone(), "alg", json!(name)));
            match fitting.contains(&name) {
                true => assert_eq!(read.unwrap().alg().map(Alg::as_str), Some(name)),
                false => assert_eq!(read.err(), Some(JwkError::Alg), "{name}"),
            }
        }
    }
}

#[test]
fn use_and_key_ops_decide_whether_a_key_verifies() {
    for (name, value, permitted) in [
        ("use", json!("sig"), true),
        ("use", json!("enc"), false),
        ("key_ops", json!(["sign", "verify"]), true),
        ("key_ops", json!(["encrypt"]), false),
        ("key_ops", json!([]), false),
    ] {
        let key = Jwk::from_json(&with(ec(), name, value.clone())).unwrap();
        assert_eq!(key.permits(Alg::ES256), permitted, "{name} {value}");
        assert_eq!(key.to_json()[name], value);
    }
}

#[test]
fn a_set_leaves_out_what_it_does_not_know() {
    let set = json!({"keys": [
        {"kty": "OKP", "crv": "X25519", "x": ED, "kid": "a"},
        with(ec(), "alg", json!("ECDH-ES")),
        with(ec(), "kid", json!("b")),
    ]});
    let read = JwkSet::from_json(&set).unwrap();
    assert_eq!(read.keys().len(), 1);
    assert_eq!(read.find("b").unwrap().to_bare_json(), ec());
    assert!(read.find("a").is_none());
    let again = JwkSet::parse(read.to_json().to_string().as_bytes()).unwrap();
    assert_eq!(again.keys(), read.keys());
}

#[test]
fn a_set_with_a_private_a_broken_or_too_many_keys_is_refused() {
    let set = |keys: Vec<Value>| JwkSet::from_json(&json!({"keys": keys})).err();
    assert_eq!(set(vec![ec(), with(ec(), "d", json!("AQ"))]), Some(JwkError::PrivateMember));
    assert_eq!(set(vec![json!({"kty": "oct", "k": "AQ"})]), Some(JwkError::PrivateMember));
    assert_eq!(set(vec![with(ec(), "x", json!("AQ"))]), Some(JwkError::Encoding));
    assert_eq!(set(vec![ec(); 65]), Some(JwkError::Malformed));
    assert_eq!(JwkSet::parse(b"{}").err(), Some(JwkError::Member));
}

/// The same keys as [`keys`], written by another library.
const SPKI: [&str; 4] = [
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEuRRUKBtvceMuVvyDFf59+nfP3C1SnegNWgSTTjKtuAInNJcGjhCZ5xi0iNjNUMVUxsuG8wkZVHohaSc1zBdI9A==",
    "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEtc7e03YsVFk2LkykuJGBBZpIg8ptmjXnJXTfwaHr4tdu3Pjs7GuU2U5hJ0XgMVHTAdIFE8w4O9syi4OBiTkHmbogkTnUvn3ZWaTJSPwsPcIpqsyP5nSB/yoyzRVYf27/",
    "MCowBQYDK2VwAyEA4OMzQBW8sP45DJz83CqrpWRr/R/0Q5zKPtOeFjMp+kA=",
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc/BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ/2W+5JsGY4Hc5n9yBXArwl93lqt7/RN5w6Cf0h4QyQ5v+65YGjQR0/FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt+bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ+G/xBniIqbw0Ls1jF44+csFCur+kEgU8awapJzKnqDKgwIDAQAB",
];

#[test]
fn the_public_key_of_a_certificate_reads_and_writes_the_same() {
    for (key, spki) in keys().into_iter().zip(SPKI) {
        let der = base64url::decode_standard(spki).unwrap();
        let read = Jwk::from_spki(&der).unwrap();
        assert_eq!(read.to_json(), key);
        assert_eq!(read.to_spki(), der);
    }
}

#[test]
fn der_that_is_cut_lengthened_or_altered_is_another_key_or_none() {
    for spki in SPKI {
        let der = base64url::decode_standard(spki).unwrap();
        let key = Jwk::from_spki(&der).unwrap();
        for len in 0..der.len() {
            assert!(Jwk::from_spki(&der[..len]).is_err(), "cut at {len}");
        }
        assert!(Jwk::from_spki(&[der.as_slice(), &[0]].concat()).is_err());
        for at in 0..der.len() {
            let mut altered = der.clone();
            altered[at] ^= 0x21;
            assert_ne!(Jwk::from_spki(&altered).ok(), Some(key.clone()), "byte {at}");
        }
    }
}

#[test]
fn another_der_of_the_same_rsa_key_is_refused() {
    let der = base64url::decode_standard(SPKI[3]).unwrap();
    // Without its sign octet the modulus would be negative; all lengths fit.
    let mut unsigned = der.clone();
    assert_eq!(unsigned.remove(32), 0);
    for at in [3, 22, 27, 31] {
        unsigned[at] -= 1;
    }
    assert_eq!(Jwk::from_spki(&unsigned).err(), Some(JwkError::Encoding));
    // The exponent's length in two octets where one does.
    let mut long = der.clone();
    let at = der.len() - 4;
    assert_eq!(long[at], 3);
    long.insert(at, 0x81);
    for at in [3, 22, 27] {
        long[at] += 1;
    }
    assert_eq!(Jwk::from_spki(&long).err(), Some(JwkError::Encoding));
}

#[test]
fn a_certificate_key_of_rsa_1024_is_refused() {
    let spki = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDiehNAWkemZTNop1REBGV0TI1axEU+RdSfXEbdhXOYQIhvzLgs3wgXTCBc+d54se7wJO/Q4lU3VNLQmAY/5dAWJlIRsIpnE9d9rMJCZOhXb/VHN3Gl5fEq0D99R6vsD0Xq/w0Hhkv0V15vqZuBBfO8IQGeVDtPBsXgoeVz77UEQwIDAQAB";
    let der = base64url::decode_standard(spki).unwrap();
    assert_eq!(Jwk::from_spki(&der).err(), Some(JwkError::RsaParameters));
}

#[test]
fn what_is_shown_of_a_parsed_key_is_its_thumbprint_only() {
    let key = Jwk::from_json(&ec()).unwrap();
    let shown = format!("{:?}", VerifyingKey::from_jwk(&key).unwrap());
    assert_eq!(shown, "VerifyingKey(jq-Abjit1KD2Wx0wdYwfnPJdS-lzqzP6XK4JMrJiI7M)");
}
