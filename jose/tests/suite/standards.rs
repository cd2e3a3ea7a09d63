//! The examples of the standards: those of accepted algorithms verify or open,
//! all others are refused by the right cause.

mod values;

use jose::jwe::{AgreementCurve, AgreementKey, DecryptionKey, Enc, Encrypted, JweError, KeyAgreement};
use jose::jws::{JwsError, Unverified};
use jose::{Alg, Jwk, JwkError, JwkSet, Signer, SigningKey, VerifyingKey, base64url};
use serde_json::{Value, json};

use values::*;

const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

fn rsa(jwk: &str) -> VerifyingKey {
    VerifyingKey::from_jwk(&Jwk::parse(jwk.as_bytes()).unwrap()).unwrap()
}

fn symmetric(jwk: &str) -> VerifyingKey {
    let jwk: Value = serde_json::from_str(jwk).unwrap();
    VerifyingKey::hmac(&base64url::decode(jwk["k"].as_str().unwrap()).unwrap()).unwrap()
}

#[test]
fn rfc_7515_signatures_of_accepted_algorithms_verify() {
    let read = Unverified::parse(RFC7515_A2).unwrap();
    let verified = read.verify(&rsa(RFC7515_A2_KEY), &[Alg::RS256]).unwrap();
    assert_eq!(verified.claims().unwrap()["iss"], "joe");
    let altered = format!("{}A", RFC7515_A2.strip_suffix('w').unwrap());
    let altered = Unverified::parse(&altered).unwrap().verify(&rsa(RFC7515_A2_KEY), &[Alg::RS256]);
    assert_eq!(altered.err(), Some(JwsError::BadSignature));
}

#[test]
fn rfc_7515_es512_none_and_critical_extensions_are_refused() {
    assert_eq!(Unverified::parse(RFC7515_A4).err(), Some(JwsError::Alg));
    assert_eq!(Unverified::parse(RFC7515_A5).err(), Some(JwsError::Alg));
    assert_eq!(Unverified::parse(RFC7515_E).err(), Some(JwsError::Critical));
}

#[test]
fn rfc_7515_the_json_forms_are_no_compact_token_and_hold_two_that_verify() {
    for form in [RFC7515_A6, RFC7515_A7] {
        assert!(Unverified::parse(form).is_err());
    }
    let form: Value = serde_json::from_str(RFC7515_A6).unwrap();
    let p256 = json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
    });
    let keys = [rsa(RFC7515_A2_KEY), VerifyingKey::from_jwk(&Jwk::from_json(&p256).unwrap()).unwrap()];
    let signatures = form["signatures"].as_array().unwrap();
    assert_eq!(signatures.len(), keys.len());
    for (signature, key) in signatures.iter().zip(&keys) {
        let parts = [&signature["protected"], &form["payload"], &signature["signature"]];
        let token = parts.map(|part| part.as_str().unwrap()).join(".");
        assert!(Unverified::parse(&token).unwrap().verify(key, &[Alg::RS256, Alg::ES256]).is_ok());
    }
}

#[test]
fn rfc_7516_examples_rest_on_refused_algorithms() {
    for message in [RFC7516_A1, RFC7516_A2, RFC7516_A3] {
        assert_eq!(Encrypted::parse(message).err(), Some(JweError::Alg));
    }
    for message in [RFC7516_A4, RFC7516_A5] {
        assert_eq!(Encrypted::parse_json(message.as_bytes()).err(), Some(JweError::Form));
    }
}

#[test]
fn rfc_7517_public_sets_are_read_and_private_or_symmetric_ones_refused() {
    let set = JwkSet::parse(RFC7517_A1.as_bytes()).unwrap();
    assert_eq!(set.keys().len(), 2);
    assert!(!set.find("1").unwrap().permits(Alg::ES256), "it is for encryption");
    assert!(set.find("2011-04-29").unwrap().permits(Alg::RS256));
    for set in [RFC7517_A2, RFC7517_A3] {
        assert_eq!(JwkSet::parse(set.as_bytes()).err(), Some(JwkError::PrivateMember));
    }
    assert!(Jwk::parse(RFC7517_B.as_bytes()).unwrap().permits(Alg::RS256), "a certificate beside it is ignored");
}

#[test]
fn rfc_7517_the_encryption_key_of_the_set_agrees_and_its_private_form_belongs_to_it() {
    let key = |set: &str| serde_json::from_str::<Value>(set).unwrap()["keys"][0].clone();
    let public = AgreementKey::from_json(&key(RFC7517_A1)).unwrap();
    let private = DecryptionKey::from_private_jwk(key(RFC7517_A2).to_string().as_bytes()).unwrap();
    assert_eq!(private.public(), &public);
    assert_eq!(private.public().kid(), Some("1"));
}

#[test]
fn rfc_7520_signatures_of_accepted_algorithms_verify() {
    let frodo = "It\u{2019}s a dangerous business, Frodo, going out your door.";
    for (token, key, alg) in [
        (RFC7520_4_1_3, rsa(RFC7520_3_3), Alg::RS256),
        (RFC7520_4_4_3, symmetric(RFC7520_3_5), Alg::HS256),
        (RFC7520_4_6, symmetric(RFC7520_3_5), Alg::HS256),
        (RFC7520_4_8_2, rsa(RFC7520_3_3), Alg::RS256),
    ] {
        let verified = Unverified::parse(token).unwrap().verify(&key, &[alg]).unwrap();
        assert!(verified.payload().starts_with(frodo.as_bytes()));
    }
}

#[test]
fn rfc_7520_signatures_of_other_algorithms_are_refused() {
    for token in [RFC7520_4_2_3, RFC7520_4_3_3] {
        assert_eq!(Unverified::parse(token).err(), Some(JwsError::Alg));
    }
    assert_eq!(Jwk::parse(RFC7520_3_1.as_bytes()).err(), Some(JwkError::UnknownType), "P-521");
}

#[test]
fn rfc_7520_key_agreement_with_wrapping_and_gcm_opens_in_both_forms() {
    let key = DecryptionKey::from_private_jwk(RFC7520_5_4_KEY.as_bytes()).unwrap();
    assert_eq!(key.public().curve(), AgreementCurve::P384);
    let forms = [Encrypted::parse(RFC7520_5_4), Encrypted::parse_json(RFC7520_5_4_GENERAL.as_bytes())];
    for message in forms {
        let message = message.unwrap();
        let opened = message.decrypt(&key, &[KeyAgreement::EcdhEsA128Kw], &[Enc::A128GCM]).unwrap();
        assert_eq!(opened.plaintext(), RFC7520_5_PLAINTEXT.as_bytes());
        assert!(message.decrypt(&key, &[KeyAgreement::EcdhEs], &Enc::ALL).is_err());
        assert!(message.decrypt(&key, &KeyAgreement::ALL, &[Enc::A256GCM]).is_err());
    }
}

#[test]
fn rfc_7520_passwords_padding_shared_keys_cbc_and_compression_are_refused() {
    for (message, cause) in [
        (RFC7520_5_1, JweError::Alg),        // RSA1_5
        (RFC7520_5_2, JweError::Alg),        // RSA-OAEP
        (RFC7520_5_3, JweError::Alg),        // PBES2-HS512+A256KW
        (RFC7520_5_5, JweError::Enc),        // A128CBC-HS256
        (RFC7520_5_6, JweError::Alg),        // dir
        (RFC7520_5_7, JweError::Alg),        // A256GCMKW
        (RFC7520_5_8, JweError::Alg),        // A128KW
        (RFC7520_5_9, JweError::Compressed), // zip
    ] {
        assert_eq!(Encrypted::parse(message).err(), Some(cause));
    }
    for (message, cause) in [
        (RFC7520_5_10_GENERAL, JweError::Form),       // aad
        (RFC7520_5_11_GENERAL, JweError::Form),       // shared unprotected members
        (RFC7520_5_12_GENERAL, JweError::Form),       // nothing protected
        (RFC7520_5_4_FLATTENED, JweError::Malformed), // flattened
    ] {
        assert_eq!(Encrypted::parse_json(message.as_bytes()).err(), Some(cause));
    }
}

#[test]
fn rfc_8037_ed25519_signs_the_very_bytes_and_has_the_listed_thumbprint() {
    let key = SigningKey::from_private_jwk(Alg::EdDSA, ED25519.as_bytes()).unwrap();
    assert_eq!(key.jwk().thumbprint().to_string(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    let input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_eq!(base64url::encode(key.sign(input.as_bytes()).unwrap()), signature);
}

#[test]
fn rfc_8037_x25519_keys_belong_to_their_private_halves_and_x448_is_unknown() {
    // Appendix A.6; Bob's key is that of RFC 7748 §6.1.
    for (d, x) in [
        ("XasIfmJKikt54X-Lg4AO5m87sSkmGLb9HC-LJ_-I4Os", "3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08"),
        ("dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo", "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo"),
    ] {
        let jwk = json!({"kty": "OKP", "crv": "X25519", "x": x, "d": d, "kid": "Bob"});
        let key = DecryptionKey::from_private_jwk(jwk.to_string().as_bytes()).unwrap();
        assert_eq!(key.public().to_bare_json(), json!({"kty": "OKP", "crv": "X25519", "x": x}));
        assert_eq!(key.public().kid(), Some("Bob"));
    }
    let x448 = json!({"kty": "OKP", "crv": "X448", "x": base64url::encode([7; 56])});
    assert_eq!(AgreementKey::from_json(&x448).err(), Some(JwkError::UnknownType));
}
