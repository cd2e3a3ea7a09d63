//! Every fixed input verifies, and with one character changed does not.

pub(crate) mod values;

use jose::dpop::DpopError;
use jose::jwe::{self, DecryptionKey, Enc, Encrypted, KeyAgreement};
use jose::jws::Unverified;
use jose::{Alg, Confirmation, Jwk, Signer, SigningKey, VerifyingKey, digest, dpop};
use serde_json::{Map, Value};

use values::*;

fn private(jwk: &str) -> SigningKey {
    let alg = if jwk.contains("Ed25519") { Alg::EdDSA } else { Alg::ES256 };
    SigningKey::from_private_jwk(alg, jwk.as_bytes()).unwrap()
}

fn public(jwk: &str) -> VerifyingKey {
    // Without `alg`, so that both names of Ed25519 are tried.
    let mut members: Map<String, Value> = serde_json::from_str(jwk).unwrap();
    members.remove("d");
    VerifyingKey::from_jwk(&Jwk::from_json(&Value::Object(members)).unwrap()).unwrap()
}

/// Token, the key that verifies it, another key of the same type, its `typ`.
fn tokens() -> [(&'static str, &'static str, &'static str, &'static str); 10] {
    [
        (ACTOR_TOKEN, DEVICE_KEY, ISSUER_KEY, "actor+jwt"),
        (ASSET_TOKEN, ISSUER_KEY, DEVICE_KEY, "asset+jwt"),
        (DPOP_PROOF, DEVICE_KEY, ISSUER_KEY, "dpop+jwt"),
        (CHALLENGE_PROOF, DEVICE_KEY, ISSUER_KEY, "pop+jwt"),
        (COMMAND, ISSUER_KEY, DEVICE_KEY, "cmd+jwt"),
        (CLIENT_ASSERTION, DEVICE_KEY, DEVICE_KEY_2, "client-authentication+jwt"),
        (TELEMETRY_EDDSA, LOCK_KEY, DEVICE_KEY, "tlm+jwt"),
        (TELEMETRY_ED25519, LOCK_KEY, DEVICE_KEY, "tlm+jwt"),
        (CERTIFICATE_BOUND_TOKEN, ISSUER_KEY, DEVICE_KEY, "at+jwt"),
        (CALL_HOME_PROOF, DEVICE_KEY, OPERATIONAL_CA_KEY, "callhome+jwt"),
    ]
}

#[test]
fn every_token_verifies_with_its_key_and_with_no_other() {
    for (token, key, other, typ) in tokens() {
        let read = Unverified::parse(token).unwrap();
        let verified = read.verify(&public(key), &Alg::ASYMMETRIC).unwrap();
        assert!(verified.header().has_typ(typ));
        assert_eq!(verified.claims().unwrap(), read.peek_claims().unwrap());
        assert!(read.verify(&public(other), &Alg::ASYMMETRIC).is_err(), "{typ} by another key");
    }
}

#[test]
fn every_token_with_any_one_character_changed_is_refused() {
    for (token, key, _, typ) in tokens() {
        let key = public(key);
        for at in 0..token.len() {
            let mut altered = token.to_owned().into_bytes();
            altered[at] = match altered[at] {
                b'A' => b'B',
                b'.' => b'A',
                _ => b'A',
            };
            let altered = String::from_utf8(altered).unwrap();
            let accepted = Unverified::parse(&altered).and_then(|read| read.verify(&key, &Alg::ASYMMETRIC)).is_ok();
            assert!(!accepted, "{typ} at {at}");
        }
    }
}

#[test]
fn padding_whitespace_and_the_other_alphabet_are_refused_in_every_part() {
    for (token, ..) in tokens() {
        let parts: Vec<&str> = token.split('.').collect();
        for at in 0..3 {
            for spoil in [
                |part: &str| format!("{part}="),
                |part: &str| format!(" {part}"),
                |part: &str| format!("{part}\n"),
                |part: &str| format!("{part}+"),
                |part: &str| part.replacen('e', "/", 1) + "/",
            ] {
                let mut parts: Vec<String> = parts.iter().map(|part| (*part).into()).collect();
                parts[at] = spoil(&parts[at]);
                assert!(Unverified::parse(&parts.join(".")).is_err());
            }
        }
    }
}

#[test]
fn thumbprints_are_the_listed_ones() {
    for (key, expected) in [
        (ISSUER_KEY, "6X4npvP8WF-D5MPVERN0APMxE2gsRqWhYQv8R6I3cqo"),
        (DEVICE_KEY, "jq-Abjit1KD2Wx0wdYwfnPJdS-lzqzP6XK4JMrJiI7M"),
        (DEVICE_KEY_2, "yM0pzB6Cbj7hMI9Rb1k2Q2xRLoR-IicYa_qZKVSlSIM"),
        (LOCK_KEY, "4yDRSVIdsg-myoobXfiWcFBVH5o4tLALgusNkorynek"),
    ] {
        assert_eq!(private(key).jwk().thumbprint().to_string(), expected);
    }
}

#[test]
fn thumbprints_do_not_depend_on_order_or_extra_members() {
    let shuffled = r#"{"use":"sig","y":"JzSXBo4QmecYtIjYzVDFVMbLhvMJGVR6IWknNcwXSPQ","kid":"k",
        "x":"uRRUKBtvceMuVvyDFf59-nfP3C1SnegNWgSTTjKtuAI","note":[1],"kty":"EC","crv":"P-256"}"#;
    let read = Jwk::parse(shuffled.as_bytes()).unwrap();
    assert_eq!(read.thumbprint().to_string(), "jq-Abjit1KD2Wx0wdYwfnPJdS-lzqzP6XK4JMrJiI7M");
    assert_eq!(&read, private(DEVICE_KEY).jwk());
}

#[test]
fn ed25519_signs_the_very_bytes_of_the_telemetry() {
    let payload = Unverified::parse(TELEMETRY_EDDSA).unwrap();
    let payload = payload.verify(&public(LOCK_KEY), &[Alg::EdDSA]).unwrap().payload().to_vec();
    for (alg, token) in [(Alg::EdDSA, TELEMETRY_EDDSA), (Alg::Ed25519, TELEMETRY_ED25519)] {
        let key = SigningKey::from_private_jwk(alg, LOCK_KEY.as_bytes()).unwrap();
        let kid = key.jwk().thumbprint().to_string();
        let signed = jose::jws::sign_compact(Some("tlm+jwt"), Some(&kid), &Map::new(), &payload, &key);
        assert_eq!(signed.unwrap(), token);
    }
}

#[test]
fn the_hashes_of_the_example_tokens_are_the_listed_ones() {
    assert_eq!(dpop::ath(ASSET_TOKEN), "dDHDsXEW68QL6Wx10iXd9mabcMcgtKXvEiXMwBhO97g");
    assert_eq!(dpop::ath(CERTIFICATE_BOUND_TOKEN), "aLovPfOabyDjf_LVg7wEUlpHpJaUEy7aC_R0TFPN4y8");
    assert_eq!(
        digest::pkce_s256("M25iVXpKU3puUjFaYWg3T1NDTDQtcW1ROUY5YXlwalNoc0hhakxifmZHag"),
        "qjrzSW9gMiUgpUvqgEPE4_-8swvyCtfOVvg55o5S_es"
    );
}

#[test]
fn the_example_proof_is_accepted_and_refused_as_listed() {
    let judged = |method, target, token, now| {
        let uri = dpop::HttpUri::parse(target).unwrap();
        dpop::Proof::parse(&[DPOP_PROOF]).unwrap().verify(dpop::Expected {
            method,
            uri: &uri,
            access_token: Some(token),
            freshness: dpop::Freshness::Iat { now, window: dpop::WINDOW },
        })
    };
    let target = "https://ingest.example.com/v1/telemetry";
    let now = 1_750_000_060;
    let verified = judged("POST", target, ASSET_TOKEN, now).unwrap();
    assert_eq!(verified.thumbprint(), private(DEVICE_KEY).jwk().thumbprint());
    assert_eq!((verified.jti(), verified.nonce()), ("dpop-0001", Some("n-0001")));

    let refusal = |method, target, token, now| judged(method, target, token, now).err();
    assert_eq!(refusal("POST", target, ASSET_TOKEN, now + 140), Some(DpopError::Stale));
    assert_eq!(refusal("GET", target, ASSET_TOKEN, now), Some(DpopError::Method));
    let other = "https://ingest.example.com/v1/other";
    assert_eq!(refusal("POST", other, ASSET_TOKEN, now), Some(DpopError::Target));
    assert_eq!(refusal("POST", target, CERTIFICATE_BOUND_TOKEN, now), Some(DpopError::AccessToken));
}

#[test]
fn the_bindings_of_the_example_tokens_read_as_listed() {
    let binding = |token, key| {
        let verified = Unverified::parse(token).unwrap().verify(&public(key), &[Alg::ES256]).unwrap();
        Confirmation::from_json(&verified.claims().unwrap()["cnf"]).unwrap()
    };
    let device = private(DEVICE_KEY).jwk().thumbprint();
    assert_eq!(binding(ASSET_TOKEN, ISSUER_KEY), Confirmation::Key(device));
    assert_eq!(binding(ACTOR_TOKEN, DEVICE_KEY).key_thumbprint(), Some(device));
    let certificate = "-KvMDKXk2MZDQm-zwUPROLj0NiIie_trMmdVzfamR9M".parse().unwrap();
    assert_eq!(binding(CERTIFICATE_BOUND_TOKEN, ISSUER_KEY), Confirmation::Certificate(certificate));
}

#[test]
fn the_sealed_command_opens_and_its_token_is_the_signed_command() {
    let key = DecryptionKey::from_private_jwk(DEVICE_KEY.as_bytes()).unwrap();
    let message = Encrypted::parse(SEALED_COMMAND).unwrap();
    let opened = message.decrypt(&key, &[KeyAgreement::EcdhEs], &[Enc::A256GCM]).unwrap();
    assert_eq!(opened.plaintext(), COMMAND.as_bytes());
    assert_eq!((opened.header().apu(), opened.header().apv()), (&b"cmd.example.com"[..], &b"dev_9F3K2"[..]));
    let inside = opened.nested().unwrap();
    let verified = inside.verify(&public(ISSUER_KEY), &[Alg::ES256]).unwrap();
    assert!(verified.header().has_typ("cmd+jwt"));
    assert!(inside.verify(&public(DEVICE_KEY), &[Alg::ES256]).is_err());
    for other in [ISSUER_KEY, DEVICE_KEY_2, EPHEMERAL_KEY] {
        let other = DecryptionKey::from_private_jwk(other.as_bytes()).unwrap();
        assert!(message.decrypt(&other, &KeyAgreement::ALL, &Enc::ALL).is_err());
    }
}

#[test]
fn the_sealed_command_is_made_again_byte_for_byte_from_the_same_draws() {
    let device = private(DEVICE_KEY);
    let public = DecryptionKey::from_private_jwk(DEVICE_KEY.as_bytes()).unwrap().public().clone();
    let public = public.with_kid(device.jwk().thumbprint().to_string());
    let ephemeral: Value = serde_json::from_str(EPHEMERAL_KEY).unwrap();
    let ephemeral = jose::base64url::decode(ephemeral["d"].as_str().unwrap()).unwrap();
    let mut draws = [ephemeral, (0..12).collect()].into_iter();
    let message =
        jwe::Message { enc: Enc::A256GCM, typ: None, apu: b"cmd.example.com", content: jwe::Content::Signed(COMMAND) };
    let to = jwe::Recipient { key: &public, apv: b"dev_9F3K2" };
    let made = jwe::encrypt(KeyAgreement::EcdhEs, to, message, &mut |bytes| {
        bytes.copy_from_slice(&draws.next().unwrap());
    });
    assert_eq!(made.unwrap(), SEALED_COMMAND);
}

#[test]
fn the_sealed_command_with_any_one_character_changed_is_refused() {
    let key = DecryptionKey::from_private_jwk(DEVICE_KEY.as_bytes()).unwrap();
    for at in 0..SEALED_COMMAND.len() {
        let mut altered = SEALED_COMMAND.to_owned().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        let opened = Encrypted::parse(&altered)
            .ok()
            .and_then(|message| message.decrypt(&key, &KeyAgreement::ALL, &Enc::ALL).ok());
        assert!(opened.is_none(), "at {at}");
    }
    for cut in 1..SEALED_COMMAND.len() {
        let message = Encrypted::parse(&SEALED_COMMAND[..cut]);
        assert!(message.is_err() || message.unwrap().decrypt(&key, &KeyAgreement::ALL, &Enc::ALL).is_err());
    }
}
