use std::format;
use std::vec::Vec;

use super::*;
use crate::base64url;

const INPUT: &[u8] = b"what is signed";
const RSA_1024: &str = "MIICdQIBADANBgkqhkiG9w0BAQEFAASCAl8wggJbAgEAAoGBAMcyj_fu-suhD77aK8TeQr29xbFU_F6SrClI8Nn-bpBAHFEj4208qRxrQM1TtJL4XreSZ860lchm-4dkZgJrOYansFBhFpfD0GvWjWnrYWgnr4mft8HY97uzVjw4sb9JNO_mq8UT1S-cb85lN4SJTswu7aJRJch_kiEKlmXJM9QrAgMBAAECgYBiQPhubPxb0Jf5pZeNRaxZ9u86ZxcMdwBgZNAYVr2mfVj6VN9rFE6969FM9grNq6Dcn2SAuuZesR1ETStb6hO3DR1rIdznZCI5fVPiARajR242rodulG-ZBINMKaVK5FS6EO-kUsAvkON0VQt57aiTAcUVzzzSLPKUmMjob7cMQQJBAP_1GiW4DXq7BHFNMDr7LimaeQqa5lHMBrjt1tjmW9kXHob5vQerl2YHseEYuaWx2VKuUnX4S6FyHmRZttZfglsCQQDHOwsoD8vddouXIbm0gyUd286j68PJdDyGPqPVlz5MoAYyx4O2aHSlcX55YhlcUL5iWjWTybV-HvwEm4wVL_5xAkAmtjNWMRgYz-BEIqCAyyyYLjzQVc0v4ePCZHZyJ6UMmGqNj4f_ePxU-iT1HoA1h0iPML5YCU2nBVODae41TgyxAkBo87Wg2RFwDO7kIqQNb7ixzgVBXQW6rjzkC0OLVS1AeFxLi8ba5JPuQ6d4kjEB7JcegJ8Qx4WQdwoT800MLEhBAkAanMG1MFol-Vi8gcxK4tBoE_Tx3wt6hwVgSDVfKgXC-1TLekkt_xV0_X64Dm4gmyTKzWPntxZs_C1swN4_kxiJ";
const DEVICE: &str = r#"{"kty":"EC","crv":"P-256","kid":"dev","x":"uRRUKBtvceMuVvyDFf59-nfP3C1SnegNWgSTTjKtuAI","y":"JzSXBo4QmecYtIjYzVDFVMbLhvMJGVR6IWknNcwXSPQ","d":"quZWMU0Hkvedd5DvyM0XNNfPLk80PyLawugr6IlrN7Y"}"#;

fn verifier(key: &SigningKey) -> VerifyingKey {
    VerifyingKey::from_jwk(key.jwk()).unwrap()
}

#[test]
fn every_algorithm_signs_what_its_public_key_verifies() {
    for alg in Alg::ASYMMETRIC {
        let key = SigningKey::generate(alg).unwrap();
        let signature = key.sign(INPUT).unwrap();
        let verifier = verifier(&key);
        assert_eq!(verifier.verify(alg, INPUT, &signature), Ok(()));
        assert_eq!(verifier.verify(alg, b"other", &signature), Err(VerifyError::BadSignature));
        let expected = match alg {
            Alg::ES384 => 96,
            Alg::PS256 | Alg::RS256 => 256,
            _ => 64,
        };
        assert_eq!(signature.len(), expected, "{alg}");
        for len in 0..signature.len() {
            assert!(verifier.verify(alg, INPUT, &signature[..len]).is_err());
        }
    }
}

#[test]
fn a_key_survives_its_private_form() {
    for alg in Alg::ASYMMETRIC {
        let key = SigningKey::generate(alg).unwrap();
        let again = SigningKey::from_pkcs8(alg, &key.to_pkcs8().unwrap()).unwrap();
        assert_eq!(again.jwk(), key.jwk());
        let signature = again.sign(INPUT).unwrap();
        assert_eq!(verifier(&key).verify(alg, INPUT, &signature), Ok(()));
    }
}

#[test]
fn a_private_form_of_another_type_or_too_weak_is_refused() {
    let ec = SigningKey::generate(Alg::ES256).unwrap().to_pkcs8().unwrap();
    for alg in [Alg::ES384, Alg::EdDSA, Alg::RS256] {
        assert_eq!(SigningKey::from_pkcs8(alg, &ec).err(), Some(KeyError::Rejected), "{alg}");
    }
    let rsa = base64url::decode(RSA_1024).unwrap();
    for alg in [Alg::RS256, Alg::PS256] {
        assert_eq!(SigningKey::from_pkcs8(alg, &rsa).err(), Some(KeyError::Rejected));
    }
    assert_eq!(SigningKey::from_pkcs8(Alg::HS256, &ec).err(), Some(KeyError::WrongKind));
    assert_eq!(SigningKey::generate(Alg::HS256).err(), Some(KeyError::WrongKind));
}

#[test]
fn a_private_jwk_reads_and_its_halves_must_belong_together() {
    let read = |text: &str| SigningKey::from_private_jwk(Alg::ES256, text.as_bytes());
    let key = read(DEVICE).unwrap();
    assert_eq!(key.jwk().kid(), Some("dev"));
    assert!(key.jwk().to_json().get("d").is_none());
    for altered in [
        DEVICE.replace("\"quZW", "\"ruZW"),
        DEVICE.replace(",\"d\"", ",\"e\""),
        DEVICE.replace("N7Y\"}", "N7Z\"}"),
        DEVICE.replace("\"d\":\"qu", "\"d\":\"AAAAqu"),
    ] {
        assert_eq!(read(&altered).err(), Some(KeyError::Rejected), "{altered}");
    }
    for alg in [Alg::ES384, Alg::EdDSA, Alg::RS256, Alg::HS256] {
        assert!(SigningKey::from_private_jwk(alg, DEVICE.as_bytes()).is_err());
    }
}

#[test]
fn an_algorithm_that_does_not_fit_the_key_is_refused_before_any_arithmetic() {
    let keys: Vec<VerifyingKey> = [Alg::ES256, Alg::ES384, Alg::EdDSA, Alg::RS256]
        .map(|alg| verifier(&SigningKey::generate(alg).unwrap()))
        .into_iter()
        .chain([VerifyingKey::hmac(&[7; 32]).unwrap()])
        .collect();
    let fitting = [&[Alg::ES256][..], &[Alg::ES384], &[Alg::EdDSA, Alg::Ed25519], &[Alg::RS256], &[Alg::HS256]];
    for (key, fitting) in keys.iter().zip(fitting) {
        for alg in Alg::ASYMMETRIC.into_iter().chain([Alg::HS256]) {
            let expected = match fitting.contains(&alg) {
                true => VerifyError::BadSignature,
                false => VerifyError::AlgMismatch,
            };
            assert_eq!(key.verify(alg, INPUT, &[0; 64]), Err(expected), "{key:?} {alg}");
        }
    }
}

#[test]
fn an_rsa_key_without_an_algorithm_serves_both_paddings_and_mixes_none() {
    let key = SigningKey::generate(Alg::PS256).unwrap();
    let Pair::Rsa(_) = &key.pair else { panic!("PS256 is RSA") };
    let bare = Jwk::from_json(&key.jwk().to_bare_json()).unwrap();
    let verifier = VerifyingKey::from_jwk(&bare).unwrap();
    let pss = key.sign(INPUT).unwrap();
    assert_eq!(verifier.verify(Alg::PS256, INPUT, &pss), Ok(()));
    assert_eq!(verifier.verify(Alg::RS256, INPUT, &pss), Err(VerifyError::BadSignature));
    let pkcs1 = SigningKey::from_pkcs8(Alg::RS256, &key.to_pkcs8().unwrap()).unwrap();
    let pkcs1 = pkcs1.sign(INPUT).unwrap();
    assert_eq!(verifier.verify(Alg::RS256, INPUT, &pkcs1), Ok(()));
    assert_eq!(verifier.verify(Alg::PS256, INPUT, &pkcs1), Err(VerifyError::BadSignature));
}

#[test]
fn an_ecdsa_signature_of_zeros_or_in_der_is_refused() {
    let key = SigningKey::generate(Alg::ES256).unwrap();
    let verifier = verifier(&key);
    let signature = key.sign(INPUT).unwrap();
    let mut half_zero = signature.clone();
    half_zero[..32].fill(0);
    // SEQUENCE { INTEGER r, INTEGER s } of the same numbers.
    let der = [&[0x30, 70, 0x02, 33, 0], &signature[..32], &[0x02, 33, 0], &signature[32..]].concat();
    for forged in [&[0; 64][..], &half_zero, &der] {
        assert_eq!(verifier.verify(Alg::ES256, INPUT, forged), Err(VerifyError::BadSignature));
    }
}

#[test]
fn symmetric_keys_below_256_bits_are_refused() {
    assert_eq!(HmacKey::new(&[7; 31]).err(), Some(KeyError::TooShort));
    assert_eq!(VerifyingKey::hmac(&[7; 31]).err(), Some(KeyError::TooShort));
    let key = HmacKey::new(&[7; 32]).unwrap();
    let tag = key.sign(INPUT);
    assert_eq!(key.verify(INPUT, &tag), Ok(()));
    assert_eq!(key.verify(INPUT, &tag[..31]), Err(VerifyError::BadSignature));
    assert_eq!(key.verify(b"other", &tag), Err(VerifyError::BadSignature));
    assert_eq!(VerifyingKey::hmac(&[7; 32]).unwrap().verify(Alg::HS256, INPUT, &tag), Ok(()));
}

#[test]
fn no_secret_is_shown() {
    let key = SigningKey::from_private_jwk(Alg::ES256, DEVICE.as_bytes()).unwrap();
    assert_eq!(format!("{key:?}"), "SigningKey(ES256, jq-Abjit1KD2Wx0wdYwfnPJdS-lzqzP6XK4JMrJiI7M)");
    assert_eq!(format!("{:?}", HmacKey::new(&[7; 32]).unwrap()), "HmacKey");
    assert_eq!(format!("{:?}", VerifyingKey::hmac(&[7; 32]).unwrap()), "VerifyingKey(symmetric)");
}
