use std::string::{String, ToString};
use std::{format, vec};

use serde_json::{Map, Value, json};

use super::*;
use crate::{HmacKey, SigningKey, VerifyingKey};

fn key() -> HmacKey {
    HmacKey::new(&[7; 32]).unwrap()
}

/// A token with exactly this header, rightly signed with [`key`].
fn token(header: &str) -> String {
    let input = format!("{}.{}", base64url::encode(header), base64url::encode("{\"sub\":\"a\"}"));
    format!("{input}.{}", base64url::encode(key().sign(input.as_bytes())))
}

fn refusal(header: &str) -> Option<JwsError> {
    Unverified::parse(&token(header)).err()
}

#[test]
fn the_hs256_example_of_the_standard_verifies() {
    // RFC 7515 appendix A.1.
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let secret =
        base64url::decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .unwrap();
    let verified =
        Unverified::parse(token).unwrap().verify(&VerifyingKey::hmac(&secret).unwrap(), &[Alg::HS256]).unwrap();
    assert_eq!(verified.claims().unwrap()["iss"], "joe");
}

#[test]
fn the_es256_example_of_the_standard_verifies() {
    // RFC 7515 appendix A.3.
    let token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let jwk = Jwk::from_json(&json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
    }));
    let read = Unverified::parse(token).unwrap();
    assert!(read.verify(&VerifyingKey::from_jwk(&jwk.unwrap()).unwrap(), &[Alg::ES256]).is_ok());
}

#[test]
fn the_ed25519_example_of_the_standard_verifies() {
    // RFC 8037 appendix A.4.
    let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let jwk = Jwk::from_json(&json!({
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    }));
    let read = Unverified::parse(token).unwrap();
    let verified = read.verify(&VerifyingKey::from_jwk(&jwk.unwrap()).unwrap(), &[Alg::EdDSA]).unwrap();
    assert_eq!(verified.payload(), b"Example of Ed25519 signing");
    assert_eq!(verified.claims().err(), Some(JwsError::Claims));
}

#[test]
fn only_three_parts_are_a_token() {
    let good = token(r#"{"alg":"HS256"}"#);
    let (input, signature) = good.rsplit_once('.').unwrap();
    assert!(Unverified::parse(&good).is_ok());
    for text in ["", ".", "..", "a.b", input, &format!("{good}."), &format!(".{good}"), &format!("{good}.{signature}")]
    {
        assert!(Unverified::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_token_beyond_the_limit_is_refused_before_it_is_decoded() {
    let at_limit = format!("{}.{}.{}", "A".repeat(4000), "A".repeat(4000), "A".repeat(190));
    assert_eq!(at_limit.len(), MAX_LEN);
    assert_eq!(Unverified::parse(&at_limit).err(), Some(JwsError::Header));
    assert_eq!(Unverified::parse(&format!("{at_limit}!")).err(), Some(JwsError::TooLong));
}

#[test]
fn a_missing_an_unknown_or_no_algorithm_is_refused() {
    for header in [
        r#"{}"#,
        r#"{"alg":"none"}"#,
        r#"{"alg":"None"}"#,
        r#"{"alg":"NONE"}"#,
        r#"{"alg":""}"#,
        r#"{"alg":"HS512"}"#,
        r#"{"alg":"hs256"}"#,
        r#"{"alg":"ES256K"}"#,
    ] {
        assert_eq!(refusal(header), Some(JwsError::Alg), "{header}");
    }
    assert_eq!(refusal(r#"{"alg":1}"#), Some(JwsError::Header));
    let unsigned = format!("{}.e30.", base64url::encode(r#"{"alg":"none"}"#));
    assert_eq!(Unverified::parse(&unsigned).err(), Some(JwsError::Alg));
}

#[test]
fn every_critical_extension_is_refused_the_empty_list_too() {
    for crit in [r#"["exp"]"#, r#"["b64"]"#, "[]", "null", r#""b64""#, r#"["alg"]"#] {
        let header = format!(r#"{{"alg":"HS256","b64":true,"exp":1,"crit":{crit}}}"#);
        assert_eq!(refusal(&header), Some(JwsError::Critical), "{crit}");
    }
}

#[test]
fn an_unencoded_payload_is_refused_without_crit_too() {
    for b64 in ["false", "null", "0", "\"true\""] {
        let header = format!(r#"{{"alg":"HS256","b64":{b64}}}"#);
        assert_eq!(refusal(&header), Some(JwsError::Unencoded), "{b64}");
    }
    assert_eq!(refusal(r#"{"alg":"HS256","b64":true}"#), None);
}

#[test]
fn a_header_with_a_member_twice_or_of_a_wrong_type_is_refused() {
    for header in [
        r#"{"alg":"HS256","alg":"HS256"}"#,
        r#"{"alg":"HS256","\u0061lg":"none"}"#,
        r#"{"alg":"HS256","x":{"a":1,"a":1}}"#,
        r#"["HS256"]"#,
        r#"{"alg":"HS256"} "#,
        r#"{"alg":"HS256","typ":1}"#,
        r#"{"alg":"HS256","kid":7}"#,
        r#"{"alg":"HS256","kid":null}"#,
        r#"{"alg":"HS256","x5c":[]}"#,
        r#"{"alg":"HS256","x5c":"Zg=="}"#,
        r#"{"alg":"HS256","x5c":["Zg"]}"#,
        r#"{"alg":"HS256","x5c":[1]}"#,
    ] {
        // White space around JSON is JSON: that one passes.
        let expected = (!header.ends_with(' ')).then_some(JwsError::Header);
        assert_eq!(refusal(header), expected, "{header}");
    }
}

#[test]
fn a_private_or_weak_key_in_the_header_is_refused() {
    for jwk in [r#"{"kty":"oct","k":"AQ"}"#, r#"{"kty":"RSA","n":"AQ","e":"Aw"}"#, "1", "{}"] {
        let header = format!(r#"{{"alg":"HS256","jwk":{jwk}}}"#);
        assert_eq!(refusal(&header), Some(JwsError::Jwk), "{jwk}");
    }
}

#[test]
fn typed_members_are_read_and_the_others_are_left_as_they_are() {
    let read = Unverified::parse(&token(
        r#"{"alg":"HS256","typ":"at+jwt","kid":"k","x5c":["Zg==","Zm8="],"jku":"https://evil.example/"}"#,
    ))
    .unwrap();
    let header = read.header();
    assert_eq!((header.typ(), header.kid()), (Some("at+jwt"), Some("k")));
    assert_eq!(header.x5c(), [b"f".to_vec(), b"fo".to_vec()]);
    assert_eq!(header.member("jku").and_then(Value::as_str), Some("https://evil.example/"));
    assert!(header.jwk().is_none() && header.member("alg").is_none());
}

#[test]
fn types_are_compared_without_case_and_with_or_without_their_prefix() {
    for same in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        assert!(same_typ(same, "at+jwt") && same_typ("application/at+jwt", same), "{same}");
    }
    for other in ["JWT", "at", "at+jwt ", "text/at+jwt", "application/", "application/application/at+jwt", ""] {
        assert!(!same_typ(other, "at+jwt"), "{other}");
    }
    assert!(!Unverified::parse(&token(r#"{"alg":"HS256"}"#)).unwrap().header().has_typ("at+jwt"));
}

#[test]
fn the_allow_list_comes_before_the_key_and_the_key_before_the_signature() {
    let read = Unverified::parse(&token(r#"{"alg":"HS256"}"#)).unwrap();
    let hmac = VerifyingKey::hmac(&[7; 32]).unwrap();
    assert!(read.verify(&hmac, &[Alg::HS256]).is_ok());
    assert_eq!(read.verify(&hmac, &[]).err(), Some(JwsError::AlgNotAllowed));
    assert_eq!(read.verify(&hmac, &Alg::ASYMMETRIC).err(), Some(JwsError::AlgNotAllowed));
    let other = VerifyingKey::hmac(&[8; 32]).unwrap();
    assert_eq!(read.verify(&other, &[Alg::HS256]).err(), Some(JwsError::BadSignature));
}

#[test]
fn a_public_key_is_never_taken_as_a_shared_secret() {
    // RFC 8725 §2.1: the attacker signs HS256 with the bytes of the public key.
    let key = SigningKey::generate(Alg::ES256).unwrap();
    let public = crate::Signer::jwk(&key);
    let secret = HmacKey::new(&public.to_spki()).unwrap();
    let forged = secret.sign_compact(None, None, &Map::new(), b"{}").unwrap();
    let read = Unverified::parse(&forged).unwrap();
    let verifier = VerifyingKey::from_jwk(public).unwrap();
    let allowed = [Alg::HS256, Alg::ES256];
    assert_eq!(read.verify(&verifier, &allowed).err(), Some(JwsError::AlgMismatch));
}

#[test]
fn what_is_signed_reads_back_with_its_header_in_order() {
    let key = SigningKey::generate(Alg::ES256).unwrap();
    let extra = Map::from_iter([("x\"y".to_string(), json!([1]))]);
    let signed = sign_compact(Some("at+jwt"), Some("k\"1"), &extra, b"{\"a\":1}", &key).unwrap();
    let header = base64url::decode(signed.split('.').next().unwrap()).unwrap();
    assert_eq!(header, br#"{"typ":"at+jwt","alg":"ES256","kid":"k\"1","x\"y":[1]}"#);
    let verifier = VerifyingKey::from_jwk(crate::Signer::jwk(&key)).unwrap();
    let verified = Unverified::parse(&signed).unwrap().verify(&verifier, &[Alg::ES256]).unwrap();
    assert_eq!(verified.claims().unwrap()["a"], 1);
    assert_eq!(verified.header().kid(), Some("k\"1"));
}

#[test]
fn members_the_signer_owns_cannot_be_slipped_in() {
    for name in ["typ", "alg", "kid", "crit", "b64"] {
        let extra = Map::from_iter([(name.to_string(), json!("none"))]);
        assert_eq!(key().sign_compact(None, None, &extra, b"{}").err(), Some(SignError::ReservedHeader));
    }
}

#[test]
fn nothing_is_signed_that_no_reader_would_take() {
    let payload = vec![b'a'; MAX_LEN];
    assert_eq!(key().sign_compact(None, None, &Map::new(), &payload).err(), Some(SignError::TooLong));
}

#[test]
fn a_signer_that_contradicts_its_key_signs_nothing() {
    struct Lying(SigningKey);
    impl Signer for Lying {
        fn alg(&self) -> Alg {
            Alg::RS256
        }
        fn jwk(&self) -> &Jwk {
            crate::Signer::jwk(&self.0)
        }
        fn sign(&self, input: &[u8]) -> Result<Vec<u8>, SignError> {
            self.0.sign(input)
        }
    }
    let signer = Lying(SigningKey::generate(Alg::ES256).unwrap());
    assert_eq!(sign_compact(None, None, &Map::new(), b"{}", &signer).err(), Some(SignError::AlgMismatch));
}

#[test]
fn a_token_is_never_shown() {
    let read = Unverified::parse(&token(r#"{"alg":"HS256"}"#)).unwrap();
    assert_eq!(format!("{read:?}"), "Unverified(HS256)");
    let verified = read.verify(&VerifyingKey::hmac(&[7; 32]).unwrap(), &[Alg::HS256]).unwrap();
    assert_eq!(format!("{verified:?}"), "Verified(HS256)");
}
