//! The fuzz corpora as plain tests: what each fuzz target demands of every
//! input, and what the named inputs must end in.

use std::fs;
use std::path::PathBuf;

use jose::dpop::{Expected, Freshness, HttpUri, Proof, WINDOW};
use jose::jws::Unverified;
use jose::seal::SealingKey;
use jose::{Jwk, JwkSet, base64url};

/// Runs every input of a corpus and expects exactly the named ones to be taken.
fn replay(target: &str, taken: &[&str], accepts: impl Fn(&[u8]) -> bool) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut seen = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(accepts(&fs::read(&path).unwrap()), taken.contains(&name.as_str()), "{target}/{name}");
        seen += usize::from(taken.contains(&name.as_str()));
    }
    assert_eq!(seen, taken.len(), "an input that must be taken is gone");
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

#[test]
fn base64url_has_one_spelling_per_value() {
    replay("base64url", &["three_bytes", "one_byte", "both_signs", "empty"], |data| {
        let decoded = base64url::decode(data);
        decoded.is_ok_and(|bytes| {
            assert_eq!(base64url::encode(bytes).as_bytes(), data);
            true
        })
    });
}

#[test]
fn tokens_read_as_they_were_written() {
    let taken = ["asset_token", "telemetry_ed25519", "certificate_bound_token", "x5c", "deep_payload"];
    replay("jws", &taken, |data| {
        Unverified::parse(text(data)).is_ok_and(|token| {
            let signature = base64url::encode(token.signature());
            assert_eq!(format!("{}.{signature}", token.signing_input()).as_bytes(), data);
            assert_eq!(token.peek_claims().is_err(), signature == "AA" && token.header().x5c().is_empty());
            true
        })
    });
}

#[test]
fn only_the_signed_proof_is_believed() {
    replay("dpop_proof", &["good"], |data| {
        let uri = HttpUri::parse("https://ingest.example.com/v1/telemetry").unwrap();
        let freshness = Freshness::Iat { now: 1_750_000_060, window: WINDOW };
        let expected = Expected { method: "POST", uri: &uri, access_token: None, freshness };
        Proof::parse(&[text(data)]).is_ok_and(|proof| proof.verify(expected).is_ok())
    });
}

#[test]
fn keys_read_as_they_were_written() {
    replay("jwk", &["p256", "ed25519", "rsa", "set"], |data| {
        let key = Jwk::parse(data);
        if let Ok(key) = &key {
            assert_eq!(Jwk::from_json(&key.to_json()).as_ref(), Ok(key));
            assert_eq!(Jwk::from_spki(&key.to_spki()).as_ref(), Ok(key));
        }
        key.is_ok() || JwkSet::parse(data).is_ok_and(|set| set.keys().len() == 2)
    });
}

#[test]
fn a_key_has_no_second_der() {
    replay("spki", &["p256", "p384", "ed25519", "rsa_2048"], |data| {
        Jwk::from_spki(data).is_ok_and(|key| {
            assert_eq!(key.to_spki(), data);
            true
        })
    });
}

#[test]
fn targets_normalise_once() {
    replay("http_uri", &["plain", "every_rule", "address", "empty_port"], |data| {
        HttpUri::parse(text(data)).is_ok_and(|uri| {
            assert_eq!(HttpUri::parse(uri.as_str()).as_ref(), Ok(&uri));
            true
        })
    });
}

#[test]
fn nothing_opens_that_was_not_sealed() {
    let key = SealingKey::new("s-1", [7; 32]).unwrap();
    replay("sealed", &[], |data| key.open(b"fuzz", data).is_ok());
}
