use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use serde_json::{Map, Value, json};

use super::*;
use crate::jws::JwsError;
use crate::{Alg, Jwk, JwkError, SigningKey, VerifyingKey, jws};

const CURVES: [AgreementCurve; 3] = [AgreementCurve::P256, AgreementCurve::P384, AgreementCurve::X25519];

/// A stream of bytes that never repeats; not random, which no test needs.
fn draws(seed: u8) -> impl FnMut(&mut [u8]) {
    let mut counter = 0u64;
    move |bytes: &mut [u8]| {
        for chunk in bytes.chunks_mut(32) {
            counter += 1;
            let block = crate::digest::hmac_sha256(&[seed], &counter.to_be_bytes());
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}

fn key(curve: AgreementCurve) -> DecryptionKey {
    DecryptionKey::generate(curve).unwrap()
}

fn bytes(content: &[u8]) -> Message<'_> {
    Message { enc: Enc::A256GCM, typ: None, apu: b"", content: Content::Bytes { cty: None, bytes: content } }
}

fn sealed(alg: KeyAgreement, to: &AgreementKey, message: Message<'_>) -> String {
    encrypt(alg, Recipient { key: to, apv: b"" }, message, &mut draws(1)).unwrap()
}

fn opened(message: &str, key: &DecryptionKey) -> Result<Vec<u8>, DecryptError> {
    let message = Encrypted::parse(message).unwrap();
    message.decrypt(key, &KeyAgreement::ALL, &Enc::ALL).map(|opened| opened.plaintext().to_vec())
}

/// A message whose header was altered after it was encrypted.
fn with_header(key: &DecryptionKey, alter: impl FnOnce(&mut Map<String, Value>)) -> String {
    let good = sealed(KeyAgreement::EcdhEs, key.public(), bytes(b"hello"));
    let (header, rest) = good.split_once('.').unwrap();
    let mut header: Map<String, Value> = serde_json::from_slice(&base64url::decode(header).unwrap()).unwrap();
    alter(&mut header);
    format!("{}.{rest}", base64url::encode(Value::Object(header).to_string()))
}

fn refusal(alter: impl FnOnce(&mut Map<String, Value>)) -> Option<JweError> {
    Encrypted::parse(&with_header(&key(AgreementCurve::P256), alter)).err()
}

#[test]
fn every_curve_agreement_and_content_encryption_opens_what_it_sealed() {
    for curve in CURVES {
        let own = key(curve).with_kid("own");
        for alg in KeyAgreement::ALL {
            for enc in Enc::ALL {
                for content in [&b""[..], b"a command", &[0; 4000]] {
                    let message = Message { enc, apu: b"sender", ..bytes(content) };
                    let made = encrypt(alg, Recipient { key: own.public(), apv: b"me" }, message, &mut draws(1));
                    let made = made.unwrap();
                    assert_eq!(opened(&made, &own).as_deref(), Ok(content));
                    let read = Encrypted::parse(&made).unwrap();
                    let header = read.headers().next().unwrap();
                    assert_eq!((header.alg(), header.enc(), header.kid()), (alg, enc, Some("own")));
                    assert_eq!((header.apu(), header.apv()), (&b"sender"[..], &b"me"[..]));
                    assert_eq!(header.epk().curve(), curve);
                }
            }
        }
    }
}

#[test]
fn another_key_another_kid_and_algorithms_not_allowed_are_one_error() {
    let own = key(AgreementCurve::P256).with_kid("own");
    let made = sealed(KeyAgreement::EcdhEsA256Kw, own.public(), bytes(b"hello"));
    let read = Encrypted::parse(&made).unwrap();
    let outcome = |key: &DecryptionKey, algs: &[KeyAgreement], encs: &[Enc]| {
        read.decrypt(key, algs, encs).map(|opened| opened.plaintext().to_vec())
    };
    assert!(outcome(&own, &KeyAgreement::ALL, &Enc::ALL).is_ok());
    for other in CURVES.map(key) {
        assert_eq!(outcome(&other, &KeyAgreement::ALL, &Enc::ALL), Err(DecryptError));
    }
    assert_eq!(outcome(&own, &[KeyAgreement::EcdhEs], &Enc::ALL), Err(DecryptError));
    assert_eq!(outcome(&own, &KeyAgreement::ALL, &[Enc::A128GCM]), Err(DecryptError));
    let renamed = own.with_kid("other");
    assert_eq!(outcome(&renamed, &KeyAgreement::ALL, &Enc::ALL), Err(DecryptError));
}

#[test]
fn a_wrong_wrapping_a_wrong_ciphertext_and_a_wrong_tag_are_one_error() {
    let own = key(AgreementCurve::X25519);
    let made = sealed(KeyAgreement::EcdhEsA256Kw, own.public(), bytes(b"hello"));
    let parts: Vec<&str> = made.split('.').collect();
    for at in 1..5 {
        let mut altered = base64url::decode(parts[at]).unwrap();
        altered[0] ^= 1;
        let altered = base64url::encode(altered);
        let mut parts = parts.clone();
        parts[at] = &altered;
        assert_eq!(opened(&parts.join("."), &own), Err(DecryptError), "part {at}");
    }
}

#[test]
fn the_header_is_authenticated() {
    let own = key(AgreementCurve::P256);
    let good = forged(&own, &own, |_| {}, b"hello");
    assert!(opened(&good, &own).is_ok());
    let (header, rest) = good.split_once('.').unwrap();
    let header: Map<String, Value> = serde_json::from_slice(&base64url::decode(header).unwrap()).unwrap();
    for name in ["kid", "typ", "cty", "apu", "note"] {
        let mut altered = header.clone();
        altered.insert(name.to_string(), json!("YQ"));
        let altered = format!("{}.{rest}", base64url::encode(Value::Object(altered).to_string()));
        assert_eq!(opened(&altered, &own), Err(DecryptError), "{name}");
    }
}

#[test]
fn only_five_parts_of_the_right_lengths_are_a_message() {
    let own = key(AgreementCurve::P256);
    let good = sealed(KeyAgreement::EcdhEs, own.public(), bytes(b"hello"));
    let parts: Vec<&str> = good.split('.').collect();
    let spoilt = |at: usize, part: &str| {
        let mut parts = parts.clone();
        parts[at] = part;
        Encrypted::parse(&parts.join(".")).err()
    };
    for text in ["", "....", "a.b.c", &parts[..4].join("."), &format!("{good}.AA"), &format!(".{good}")] {
        assert!(Encrypted::parse(text).is_err(), "{text}");
    }
    // A key where none belongs, a short nonce, a cut or long tag, padding.
    assert_eq!(spoilt(1, "AAAA"), Some(JweError::Malformed));
    assert_eq!(spoilt(2, &base64url::encode([0; 11])), Some(JweError::Malformed));
    assert_eq!(spoilt(4, &base64url::encode([0; 15])), Some(JweError::Malformed));
    assert_eq!(spoilt(4, &base64url::encode([0; 17])), Some(JweError::Malformed));
    assert_eq!(spoilt(3, "Zg=="), Some(JweError::Malformed));
    let wrapped = sealed(KeyAgreement::EcdhEsA128Kw, own.public(), bytes(b"hello"));
    let (header, rest) = wrapped.split_once('.').unwrap();
    let (_, rest) = rest.split_once('.').unwrap();
    for key in ["", &base64url::encode([0; 24]), &base64url::encode([0; 41])] {
        assert_eq!(Encrypted::parse(&format!("{header}.{key}.{rest}")).err(), Some(JweError::Malformed));
    }
}

#[test]
fn a_message_beyond_the_limit_is_refused_before_it_is_decoded() {
    assert_eq!(Encrypted::parse(&"!".repeat(MAX_LEN + 1)).err(), Some(JweError::TooLong));
    assert_eq!(Encrypted::parse(&"!".repeat(MAX_LEN)).err(), Some(JweError::Malformed));
    assert_eq!(Encrypted::parse_json(&vec![b' '; MAX_JSON_LEN + 1]).err(), Some(JweError::TooLong));
    let own = key(AgreementCurve::P256);
    let to = Recipient { key: own.public(), apv: b"" };
    let long = vec![b'a'; MAX_LEN];
    assert_eq!(encrypt(KeyAgreement::EcdhEs, to, bytes(&long), &mut draws(1)).err(), Some(EncryptError::TooLong));
    let longer = vec![b'a'; MAX_JSON_LEN];
    let made = encrypt_to_all(KeyAgreement::EcdhEsA256Kw, &[to], bytes(&longer), &mut draws(1));
    assert_eq!(made.err(), Some(EncryptError::TooLong));
}

#[test]
fn a_signed_token_of_the_longest_length_can_be_sealed() {
    let key = crate::HmacKey::new(&[7; 32]).unwrap();
    let payload = vec![b'a'; (jws::MAX_LEN - 70) / 4 * 3];
    let token = key.sign_compact(None, None, &Map::new(), &payload).unwrap();
    assert!(token.len() > jws::MAX_LEN - 30);
    let own = super::tests::key(AgreementCurve::P384).with_kid("k".repeat(43));
    let message = Message { content: Content::Signed(&token), apu: &[7; 64], ..bytes(b"") };
    let to = Recipient { key: own.public(), apv: &[7; 64] };
    let made = encrypt(KeyAgreement::EcdhEsA256Kw, to, message, &mut draws(1)).unwrap();
    assert_eq!(opened(&made, &own).as_deref(), Ok(token.as_bytes()));
}

#[test]
fn passwords_padding_and_shared_keys_have_no_name_here() {
    for name in [
        "none",
        "dir",
        "RSA1_5",
        "RSA-OAEP",
        "RSA-OAEP-256",
        "A128KW",
        "A256KW",
        "A128GCMKW",
        "A256GCMKW",
        "PBES2-HS256+A128KW",
        "PBES2-HS512+A256KW",
        "ECDH-ES+A192KW",
        "ecdh-es",
        "ECDH-1PU",
        "",
    ] {
        assert_eq!(KeyAgreement::parse(name), None, "{name}");
        let set = |header: &mut Map<String, Value>| header.insert("alg".into(), json!(name));
        assert_eq!(refusal(|header| drop(set(header))), Some(JweError::Alg), "{name}");
    }
    for name in ["A128CBC-HS256", "A256CBC-HS512", "A192GCM", "a256gcm", "none", ""] {
        let set = |header: &mut Map<String, Value>| header.insert("enc".into(), json!(name));
        assert_eq!(refusal(|header| drop(set(header))), Some(JweError::Enc), "{name}");
    }
    assert_eq!(refusal(|header| drop(header.remove("alg"))), Some(JweError::Alg));
    assert_eq!(refusal(|header| drop(header.remove("enc"))), Some(JweError::Enc));
}

#[test]
fn compression_and_every_critical_extension_are_refused() {
    for zip in [json!("DEF"), json!(""), Value::Null] {
        assert_eq!(refusal(|header| drop(header.insert("zip".into(), zip))), Some(JweError::Compressed));
    }
    for crit in [json!(["exp"]), json!([]), Value::Null] {
        assert_eq!(refusal(|header| drop(header.insert("crit".into(), crit))), Some(JweError::Critical));
    }
}

#[test]
fn a_header_with_a_member_twice_or_of_a_wrong_type_is_refused() {
    let good = with_header(&key(AgreementCurve::P256), |_| {});
    let (header, rest) = good.split_once('.').unwrap();
    let header = String::from_utf8(base64url::decode(header).unwrap()).unwrap();
    for member in [r#""enc":"A128GCM""#, r#""x":{"a":1,"a":1}"#, r#""\u0061lg":"dir""#] {
        let twice = header.replacen('{', &format!("{{{member},"), 1);
        let twice = format!("{}.{rest}", base64url::encode(twice));
        assert_eq!(Encrypted::parse(&twice).err(), Some(JweError::Header), "{member}");
    }
    for name in ["alg", "enc", "typ", "cty", "kid", "apu", "apv"] {
        let set = |header: &mut Map<String, Value>| header.insert(name.into(), json!(7));
        assert_eq!(refusal(|header| drop(set(header))), Some(JweError::Header), "{name}");
    }
    for name in ["apu", "apv"] {
        let set = |header: &mut Map<String, Value>| header.insert(name.into(), json!("YQ=="));
        assert_eq!(refusal(|header| drop(set(header))), Some(JweError::Header), "{name}");
    }
}

#[test]
fn an_ephemeral_key_off_its_curve_private_missing_or_of_another_type_is_refused() {
    let point = |x: [u8; 32], y: [u8; 32]| json!({"kty": "EC", "crv": "P-256", "x": base64url::encode(x), "y": base64url::encode(y)});
    let good = key(AgreementCurve::P256).public().to_bare_json();
    let altered = |name: &str, value: Value| {
        let mut key = good.clone();
        key[name] = value;
        key
    };
    for epk in [
        point([1; 32], [1; 32]),
        point([0; 32], [0; 32]),
        // RFC 8725 §3.4: the point of another curve under the name of this one.
        altered("crv", json!("P-384")),
        altered("crv", json!("P-521")),
        altered("crv", json!("secp256k1")),
        altered("x", json!(base64url::encode([1; 31]))),
        altered("y", json!(base64url::encode([1; 33]))),
        altered("d", json!(base64url::encode([1; 32]))),
        altered("kty", json!("OKP")),
        altered("use", json!("sig")),
        json!({"kty": "OKP", "crv": "X25519", "x": base64url::encode([1; 31])}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": base64url::encode([1; 32])}),
        json!("AQ"),
        Value::Null,
    ] {
        let shown = epk.to_string();
        assert_eq!(refusal(|header| drop(header.insert("epk".into(), epk))), Some(JweError::Ephemeral), "{shown}");
    }
    assert_eq!(refusal(|header| drop(header.remove("epk"))), Some(JweError::Ephemeral));
}

#[test]
fn an_ephemeral_key_of_small_order_or_another_curve_agrees_on_nothing() {
    // RFC 7748 §6.1: these points give an all-zero secret with every key, so
    // anyone could write what the key would open.
    let own = key(AgreementCurve::X25519);
    let zero = derive::derive(&[0; 32], KeyAgreement::EcdhEs, Enc::A256GCM, b"", b"");
    for x in [[0; 32], core::array::from_fn(|at| u8::from(at == 0))] {
        let epk = json!({"kty": "OKP", "crv": "X25519", "x": base64url::encode(x)});
        let Value::Object(header) = json!({"alg": "ECDH-ES", "enc": "A256GCM", "epk": epk}) else {
            unreachable!("it is an object")
        };
        assert_eq!(opened(&under(&zero, header, b"hello"), &own), Err(DecryptError));
        let to = AgreementKey::from_json(&epk).unwrap();
        let made = encrypt(KeyAgreement::EcdhEs, Recipient { key: &to, apv: b"" }, bytes(b""), &mut draws(1));
        assert_eq!(made.err(), Some(EncryptError::Key));
    }
    let other = key(AgreementCurve::P256).public().to_bare_json();
    let message = with_header(&own, |header| drop(header.insert("epk".into(), other)));
    assert_eq!(opened(&message, &own), Err(DecryptError));
}

#[test]
fn every_message_has_an_ephemeral_key_and_a_nonce_of_its_own() {
    let own = key(AgreementCurve::P256);
    let to = Recipient { key: own.public(), apv: b"" };
    let mut draw = draws(1);
    let made: Vec<Encrypted> = (0..8)
        .map(|_| encrypt(KeyAgreement::EcdhEsA256Kw, to, bytes(b"same"), &mut draw).unwrap())
        .map(|message| Encrypted::parse(&message).unwrap())
        .collect();
    for (at, message) in made.iter().enumerate() {
        for other in &made[..at] {
            assert_ne!(message.recipients[0].header.epk(), other.recipients[0].header.epk());
            assert_ne!(message.recipients[0].encrypted_key, other.recipients[0].encrypted_key);
            assert_ne!(message.iv, other.iv);
            assert_ne!(message.ciphertext, other.ciphertext);
        }
    }
}

#[test]
fn a_number_beyond_the_order_is_drawn_again_and_a_stuck_generator_is_noticed() {
    let own = key(AgreementCurve::P256);
    let to = Recipient { key: own.public(), apv: b"" };
    let mut draw = draws(1);
    let mut bad = 3;
    let made = encrypt(KeyAgreement::EcdhEs, to, bytes(b"hello"), &mut |bytes| {
        if bad > 0 {
            bytes.fill([0xff, 0, 0xff][bad - 1])
        } else {
            draw(bytes)
        }
        bad = bad.saturating_sub(1);
    });
    assert_eq!(opened(&made.unwrap(), &own).as_deref(), Ok(&b"hello"[..]));
    for stuck in [0, 0xff] {
        let made = encrypt(KeyAgreement::EcdhEs, to, bytes(b"hello"), &mut |bytes| bytes.fill(stuck));
        assert_eq!(made.err(), Some(EncryptError::Randomness));
    }
}

#[test]
fn signing_comes_first_and_the_token_inside_is_still_to_be_verified() {
    let service = SigningKey::generate(Alg::ES256).unwrap();
    let token = jws::sign_compact(Some("cmd+jwt"), None, &Map::new(), b"{\"cmd\":\"lock.open\"}", &service).unwrap();
    let own = key(AgreementCurve::P256);
    let open = |message: Message<'_>| {
        let made = sealed(KeyAgreement::EcdhEs, own.public(), message);
        Encrypted::parse(&made).unwrap().decrypt(&own, &KeyAgreement::ALL, &Enc::ALL).unwrap()
    };
    let nested = open(Message { content: Content::Signed(&token), ..bytes(b"") });
    assert_eq!(nested.header().cty(), Some("JWT"));
    let inside = nested.nested().unwrap();
    let verifier = |key: &SigningKey| VerifyingKey::from_jwk(crate::Signer::jwk(key)).unwrap();
    assert_eq!(inside.verify(&verifier(&service), &[Alg::ES256]).unwrap().claims().unwrap()["cmd"], "lock.open");
    let stranger = SigningKey::generate(Alg::ES256).unwrap();
    assert_eq!(inside.verify(&verifier(&stranger), &[Alg::ES256]).err(), Some(JwsError::BadSignature));

    // Without `cty`, or with another, the content does not claim to be signed.
    for cty in [None, Some("json"), Some("text/plain")] {
        let opened = open(Message { content: Content::Bytes { cty, bytes: token.as_bytes() }, ..bytes(b"") });
        assert_eq!(opened.nested().err(), Some(NestedError::ContentType));
    }
    let own = Recipient { key: own.public(), apv: b"" };
    let refused = |content| encrypt(KeyAgreement::EcdhEs, own, Message { content, ..bytes(b"") }, &mut draws(1)).err();
    for unsigned in ["", "{\"cmd\":\"lock.open\"}", "eyJhbGciOiJub25lIn0.e30."] {
        assert_eq!(refused(Content::Signed(unsigned)), Some(EncryptError::NotSigned));
    }
    for cty in ["JWT", "jwt", "application/jwt"] {
        assert_eq!(refused(Content::Bytes { cty: Some(cty), bytes: b"{}" }), Some(EncryptError::ContentType));
    }
}

#[test]
fn an_encrypted_token_that_nobody_signed_yields_none() {
    // Made as an attacker would: rightly encrypted, `cty` as it should be.
    let own = key(AgreementCurve::P256);
    for (content, cause) in [
        (&b"{\"cmd\":\"lock.open\"}"[..], NestedError::Token(JwsError::Malformed)),
        (b"eyJhbGciOiJub25lIn0.e30.", NestedError::Token(JwsError::Alg)),
        (b"\xff\xfe", NestedError::Token(JwsError::Malformed)),
    ] {
        let made = forged(&own, &key(AgreementCurve::P256), |_| {}, content);
        let opened = Encrypted::parse(&made).unwrap().decrypt(&own, &KeyAgreement::ALL, &Enc::ALL).unwrap();
        assert_eq!(opened.nested().err(), Some(cause));
    }
    for cty in ["jwt", "application/jwt", "JWT "] {
        let made = forged(
            &own,
            &key(AgreementCurve::P256),
            |header| drop(header.insert("cty".into(), json!(cty))),
            b"eyJhbGciOiJIUzI1NiJ9.e30.AA",
        );
        let opened = Encrypted::parse(&made).unwrap().decrypt(&own, &KeyAgreement::ALL, &Enc::ALL).unwrap();
        assert_eq!(opened.nested().err(), Some(NestedError::ContentType), "{cty}");
    }
}

/// A message rightly encrypted under any header, also such as [`encrypt`] does
/// not write; `from` stands for the ephemeral key.
fn forged(
    to: &DecryptionKey,
    from: &DecryptionKey,
    alter: impl FnOnce(&mut Map<String, Value>),
    content: &[u8],
) -> String {
    let agreed = |secret: &[u8]| derive::derive(secret, KeyAgreement::EcdhEs, Enc::A256GCM, b"", b"");
    let key = from.agree(to.public(), agreed).unwrap();
    let header = json!({"alg": "ECDH-ES", "enc": "A256GCM", "cty": "JWT", "epk": from.public().to_bare_json()});
    let Value::Object(mut header) = header else { unreachable!("it is an object") };
    alter(&mut header);
    under(&key, header, content)
}

fn under(key: &[u8], header: Map<String, Value>, content: &[u8]) -> String {
    use aws_lc_rs::aead::{Aad, Nonce};

    let protected = base64url::encode(Value::Object(header).to_string());
    let mut body = content.to_vec();
    let tag = derive::content_key(Enc::A256GCM, key)
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key([7; 12]), Aad::from(protected.as_bytes()), &mut body)
        .unwrap();
    format!("{protected}..{}.{}.{}", base64url::encode([7; 12]), base64url::encode(body), base64url::encode(tag))
}

#[test]
fn one_ciphertext_serves_several_recipients_and_nobody_else() {
    let own =
        [key(AgreementCurve::P256).with_kid("a"), key(AgreementCurve::X25519), key(AgreementCurve::P256).with_kid("b")];
    let to: Vec<Recipient<'_>> = own.iter().map(|key| Recipient { key: key.public(), apv: b"me" }).collect();
    for alg in [KeyAgreement::EcdhEsA128Kw, KeyAgreement::EcdhEsA256Kw] {
        let made = encrypt_to_all(alg, &to, Message { typ: Some("x+jwt"), ..bytes(b"hello") }, &mut draws(1)).unwrap();
        let read = Encrypted::parse_json(made.as_bytes()).unwrap();
        assert_eq!(read.headers().map(Header::kid).collect::<Vec<_>>(), [Some("a"), None, Some("b")]);
        for key in &own {
            let opened = read.decrypt(key, &[alg], &Enc::ALL).unwrap();
            assert_eq!((opened.plaintext(), opened.header().typ()), (&b"hello"[..], Some("x+jwt")));
            assert_eq!(opened.header().kid(), key.public().kid());
        }
        assert_eq!(read.decrypt(&key(AgreementCurve::P256), &[alg], &Enc::ALL).err(), Some(DecryptError));
        let epks: Vec<_> = read.headers().map(Header::epk).collect();
        assert!(epks[0] != epks[2], "each has an ephemeral key of its own");
    }
}

#[test]
fn direct_agreement_no_recipient_or_too_many_make_no_json_form() {
    let own = key(AgreementCurve::P256);
    let to = vec![Recipient { key: own.public(), apv: b"" }; MAX_RECIPIENTS + 1];
    let made = |alg, to: &[Recipient<'_>]| encrypt_to_all(alg, to, bytes(b"hello"), &mut draws(1));
    assert_eq!(made(KeyAgreement::EcdhEs, &to[..1]).err(), Some(EncryptError::Recipients));
    assert_eq!(made(KeyAgreement::EcdhEsA256Kw, &[]).err(), Some(EncryptError::Recipients));
    assert_eq!(made(KeyAgreement::EcdhEsA256Kw, &to).err(), Some(EncryptError::Recipients));
    let full = made(KeyAgreement::EcdhEsA256Kw, &to[1..]).unwrap();
    assert!(Encrypted::parse_json(full.as_bytes()).is_ok());

    let read = |recipients: Value| {
        let mut form: Value = serde_json::from_str(&full).unwrap();
        form["recipients"] = recipients;
        Encrypted::parse_json(form.to_string().as_bytes()).err()
    };
    let one = serde_json::from_str::<Value>(&full).unwrap()["recipients"][0].clone();
    assert_eq!(read(json!([])), Some(JweError::Recipients));
    assert_eq!(read(Value::Array(vec![one.clone(); MAX_RECIPIENTS + 1])), Some(JweError::Recipients));
    let mut direct = one;
    direct["header"]["alg"] = json!("ECDH-ES");
    direct["encrypted_key"] = json!("");
    assert_eq!(read(json!([direct.clone()])), None);
    assert_eq!(read(json!([direct.clone(), direct])), Some(JweError::Recipients));
}

#[test]
fn the_json_form_is_read_strictly() {
    let own = key(AgreementCurve::P256);
    let to = [Recipient { key: own.public(), apv: b"" }];
    let good = encrypt_to_all(KeyAgreement::EcdhEsA256Kw, &to, bytes(b"hello"), &mut draws(1)).unwrap();
    let form: Value = serde_json::from_str(&good).unwrap();
    let read = |form: &Value| Encrypted::parse_json(form.to_string().as_bytes()).err();
    let with = |pointer: &str, name: &str, value: Value| {
        let mut form = form.clone();
        form.pointer_mut(pointer).unwrap()[name] = value;
        read(&form)
    };
    // Members nobody knows are ignored (RFC 7516 §7.2.1).
    assert_eq!(with("", "note", json!(1)), None);
    assert_eq!(with("/recipients/0", "note", json!(1)), None);
    assert_eq!(with("/recipients/0/header", "note", json!(1)), None);

    assert_eq!(with("", "aad", json!("YQ")), Some(JweError::Form));
    assert_eq!(with("", "unprotected", json!({})), Some(JweError::Form));
    for name in ["enc", "typ", "cty"] {
        assert_eq!(with("/recipients/0/header", name, json!("A256GCM")), Some(JweError::Header), "{name}");
    }
    assert_eq!(with("/recipients/0/header", "zip", json!("DEF")), Some(JweError::Compressed));
    assert_eq!(with("/recipients/0/header", "crit", json!(["exp"])), Some(JweError::Critical));
    for name in ["protected", "recipients", "iv", "ciphertext", "tag"] {
        assert_eq!(with("", name, Value::Null), Some(JweError::Malformed), "{name}");
    }
    assert_eq!(with("/recipients/0", "encrypted_key", json!(7)), Some(JweError::Malformed));
    assert_eq!(with("/recipients/0", "header", json!([])), Some(JweError::Header));
    let both = base64url::encode(r#"{"enc":"A256GCM","alg":"ECDH-ES+A256KW"}"#);
    assert_eq!(with("", "protected", json!(both)), Some(JweError::Header));
    let twice = good.replacen('{', r#"{"iv":"AAAAAAAAAAAAAAAA","#, 1);
    assert_eq!(Encrypted::parse_json(twice.as_bytes()).err(), Some(JweError::Malformed));
    assert_eq!(Encrypted::parse_json(b"[]").err(), Some(JweError::Malformed));
}

#[test]
fn a_key_meant_for_signatures_or_another_agreement_does_not_agree() {
    let signing = SigningKey::generate(Alg::ES256).unwrap();
    let public = crate::Signer::jwk(&signing).clone();
    assert_eq!(AgreementKey::from_jwk(&public).err(), Some(JwkError::Alg), "it says ES256");
    let bare = Jwk::from_json(&public.to_bare_json()).unwrap();
    assert_eq!(AgreementKey::from_jwk(&bare).unwrap().to_bare_json(), public.to_bare_json());
    assert_eq!(AgreementKey::from_jwk(&bare.clone().with_use("sig")).err(), Some(JwkError::Usage));
    assert!(AgreementKey::from_jwk(&bare.with_use("enc")).is_ok());
    let edwards = SigningKey::generate(Alg::Ed25519).unwrap();
    let edwards = Jwk::from_json(&crate::Signer::jwk(&edwards).to_bare_json()).unwrap();
    assert_eq!(AgreementKey::from_jwk(&edwards).err(), Some(JwkError::UnknownType));

    let mut jwk = public.to_bare_json();
    for (operations, expected) in [
        (json!(["deriveKey"]), None),
        (json!(["deriveBits"]), None),
        (json!(["verify"]), Some(JwkError::Usage)),
        (json!([]), Some(JwkError::Usage)),
        (json!("deriveKey"), Some(JwkError::Member)),
    ] {
        jwk["key_ops"] = operations;
        assert_eq!(AgreementKey::from_json(&jwk).err(), expected);
    }
    jwk["key_ops"] = json!(["deriveKey"]);
    jwk["alg"] = json!("ECDH-ES+A256KW");
    let wrapping = AgreementKey::parse(jwk.to_string().as_bytes()).unwrap();
    let to = Recipient { key: &wrapping, apv: b"" };
    assert_eq!(encrypt(KeyAgreement::EcdhEs, to, bytes(b""), &mut draws(1)).err(), Some(EncryptError::Key));
    assert!(encrypt(KeyAgreement::EcdhEsA256Kw, to, bytes(b""), &mut draws(1)).is_ok());
    jwk["d"] = json!("AQ");
    assert_eq!(AgreementKey::from_json(&jwk).err(), Some(JwkError::PrivateMember));
}

#[test]
fn a_private_key_survives_its_jwk_and_its_halves_must_belong_together() {
    for curve in CURVES {
        let own = key(curve).with_kid("k\"1");
        let kept = own.to_private_jwk().unwrap();
        let read = DecryptionKey::from_private_jwk(kept.as_bytes()).unwrap();
        assert_eq!((read.public(), read.public().kid()), (own.public(), Some("k\"1")));
        let made = sealed(KeyAgreement::EcdhEs, own.public(), bytes(b"hello"));
        assert_eq!(opened(&made, &read).as_deref(), Ok(&b"hello"[..]));

        let mut mixed: Value = serde_json::from_str(&kept).unwrap();
        mixed["x"] = key(curve).public().to_bare_json()["x"].clone();
        assert!(DecryptionKey::from_private_jwk(mixed.to_string().as_bytes()).is_err());
        for d in [vec![0; curve.len() - 1], vec![1; curve.len() + 1], Vec::new()] {
            let mut jwk: Value = serde_json::from_str(&kept).unwrap();
            jwk["d"] = json!(base64url::encode(d));
            assert!(DecryptionKey::from_private_jwk(jwk.to_string().as_bytes()).is_err());
        }
        assert!(DecryptionKey::from_private_jwk(own.public().to_bare_json().to_string().as_bytes()).is_err());
    }
    for beyond in [[0; 32], [0xff; 32]] {
        assert!(DecryptionKey::from_bytes(AgreementCurve::P256, &beyond).is_err());
    }
}

#[test]
fn no_content_and_no_key_is_ever_shown() {
    let own = key(AgreementCurve::P256);
    let made = sealed(KeyAgreement::EcdhEs, own.public(), bytes(b"hello"));
    let read = Encrypted::parse(&made).unwrap();
    assert_eq!(format!("{read:?}"), "Encrypted(to 1)");
    let opened = read.decrypt(&own, &KeyAgreement::ALL, &Enc::ALL).unwrap();
    assert_eq!(format!("{opened:?}"), "Decrypted(ECDH-ES, A256GCM)");
    assert_eq!(format!("{own:?}"), "DecryptionKey(P-256)");
}
