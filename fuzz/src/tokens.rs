//! Keys, tokens, messages, proofs: what `jose` reads.

use authority::Nonces;
use jose::dpop::{Expected, Freshness, HttpUri, Proof, WINDOW};
use jose::jwe::{self, Encrypted};
use jose::jws::{MAX_LEN, Unverified};
use jose::seal::{SealingKey, peek_kid};
use jose::{Confirmation, Jwk, JwkSet, base64url as url64};
use serde_json::Value;

/// What decodes encodes to the same text: one spelling per value.
pub fn base64url(data: &[u8]) {
    if let Ok(bytes) = url64::decode(data) {
        assert_eq!(url64::encode(bytes).as_bytes(), data);
    }
    if let Ok(text) = core::str::from_utf8(data) {
        let _ = url64::decode_standard(text);
    }
}

/// A binding is of a kind we check, or the token is refused.
pub fn confirmation(data: &[u8]) {
    let Ok(members) = jose::json::parse_object(data) else { return };
    if Confirmation::from_json(&Value::Object(members.clone())).is_ok() {
        assert!(["jkt", "jwk", "x5t#S256"].iter().any(|name| members.contains_key(*name)));
        assert!(!members.contains_key("jku"));
    }
}

/// No proof breaks the reader, and none that was not signed is believed.
pub fn dpop_proof(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    if let Ok(proof) = Proof::parse(&[text]) {
        let uri = HttpUri::parse("https://ingest.example.com/v1/telemetry").expect("a good target");
        let freshness = Freshness::Iat { now: 1_750_000_060, window: WINDOW };
        let expected = Expected { method: "POST", uri: &uri, access_token: None, freshness };
        if let Ok(verified) = proof.verify(expected) {
            assert_eq!(verified.htm(), "POST");
            assert!((verified.iat() - 1_750_000_060).abs() <= WINDOW);
        }
    }
}

/// A challenge or nonce that was not given is none of ours.
pub fn challenge(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let door = Nonces::new(&[7; 32], "call home");
    // The one of the corpus that was given.
    let given = door.give(1_750_000_000, [9; 16]);
    assert_eq!(door.given_at(text, 1_750_000_030).is_some(), text == given);
}

/// Normalising is idempotent and keeps neither query nor fragment.
pub fn http_uri(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    if let Ok(uri) = HttpUri::parse(text) {
        assert_eq!(HttpUri::parse(uri.as_str()).as_ref(), Ok(&uri));
        assert!(!uri.as_str().contains(['?', '#', ' ']));
        assert!(!uri.as_str().contains("/../"));
    }
}

/// Strict JSON is JSON, with no member twice.
pub fn json(data: &[u8]) {
    let Ok(members) = jose::json::parse_object(data) else { return };
    let lenient: Value = serde_json::from_slice(data).expect("strict JSON is JSON");
    let members = Value::Object(members);
    assert_eq!(members, lenient);
    // Not the same value: a number beyond the precision of its type may move by its last bit.
    assert!(jose::json::parse_object(members.to_string().as_bytes()).is_ok());
}

/// No message breaks the reader, and what it read is what was written.
pub fn jwe(data: &[u8]) {
    let _ = Encrypted::parse_json(data).map(|message| {
        assert!(data.len() <= jwe::MAX_JSON_LEN);
        assert!((1..=jwe::MAX_RECIPIENTS).contains(&message.headers().count()));
        assert_eq!(message.headers().count(), message.encrypted_keys().count());
    });
    let Ok(text) = core::str::from_utf8(data) else { return };
    if let Ok(message) = Encrypted::parse(text) {
        assert!(data.len() <= jwe::MAX_LEN);
        let body = message.body();
        let key: &[u8] = message.encrypted_keys().next().expect("a message has a recipient");
        let parts: [&[u8]; 4] = [key, body.iv, body.ciphertext, body.tag];
        let parts = parts.map(url64::encode).join(".");
        assert_eq!(format!("{}.{parts}", body.authenticated), text);
    }
}

/// What reads as a key writes as the same key and shows nothing private.
pub fn jwk(data: &[u8]) {
    if let Ok(key) = Jwk::parse(data) {
        let written = key.to_json();
        assert!(written.get("d").is_none() && written.get("k").is_none());
        assert_eq!(Jwk::from_json(&written).as_ref(), Ok(&key));
        assert_eq!(Jwk::from_spki(&key.to_spki()).as_ref(), Ok(&key));
    }
    if let Ok(key) = jwe::AgreementKey::parse(data) {
        assert_eq!(jwe::AgreementKey::from_json(&key.to_bare_json()), Ok(key));
    }
    let _ = JwkSet::parse(data);
}

/// No token breaks the reader, and what it read is what was written.
pub fn jws(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    if let Ok(token) = Unverified::parse(text) {
        assert!(data.len() <= MAX_LEN);
        let again = format!("{}.{}", token.signing_input(), url64::encode(token.signature()));
        assert_eq!(again, text);
        let _ = token.peek_claims();
    }
}

/// Nothing that was not sealed opens.
pub fn sealed(data: &[u8]) {
    let key = SealingKey::new("s-1", [7; 32]).expect("a good key id");
    let _ = peek_kid(data);
    if let Ok(plaintext) = key.open(b"fuzz", data) {
        let nonce = data.get(5..29).and_then(|nonce| nonce.try_into().ok()).expect("a sealed value holds its nonce");
        assert_eq!(key.seal(nonce, b"fuzz", &plaintext), data);
    }
}

/// A key out of DER has no second DER.
pub fn spki(data: &[u8]) {
    if let Ok(key) = Jwk::from_spki(data) {
        assert_eq!(key.to_spki(), data);
    }
}
