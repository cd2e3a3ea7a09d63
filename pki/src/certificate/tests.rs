use base64ct::{Base64, Encoding};
use proptest::prelude::*;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::*;
use crate::der::tag;
use crate::forge::{Actor, BASIC_CONSTRAINTS, Draft, KEY_USAGE, SUBJECT_ALT_NAME, oid, sequence, tlv, utf8, vectors};

fn device_der() -> Vec<u8> {
    Base64::decode_vec(vectors::DEVICE).unwrap()
}

fn base64url(bytes: &[u8]) -> String {
    base64ct::Base64UrlUnpadded::encode_string(bytes)
}

/// A leaf changed in one way, as DER.
fn changed(change: impl FnOnce(&mut Draft)) -> Result<Certificate, CertificateError> {
    let actor = Actor::new("dev_1");
    Certificate::parse(&Draft::leaf(&actor, &actor).change(change).der(&actor))
}

#[test]
fn the_published_leaf_says_what_its_page_says() {
    let leaf = vectors::certificate(vectors::DEVICE);
    assert_eq!(base64url(&leaf.thumbprint()), "-KvMDKXk2MZDQm-zwUPROLj0NiIie_trMmdVzfamR9M");
    assert_eq!(leaf.der(), device_der());
    assert_eq!(leaf.version(), 3);
    assert_eq!(leaf.serial(), [0x20, 0x02]);
    assert_eq!(leaf.serial_hex(), "2002");
    assert_eq!(leaf.subject().to_string(), "CN=dev_9F3K2,serialNumber=SPK-000123");
    assert_eq!(leaf.issuer().to_string(), "CN=Example Device CA");
    assert_eq!(leaf.not_before(), 1_735_689_600);
    assert_eq!(leaf.not_after(), 253_402_300_799);
    assert_eq!(leaf.key_kind(), PublicKeyKind::P256);
    assert!(leaf.subject_alternative_names().is_empty());
    assert!(leaf.may_sign() && !leaf.may_sign_certificates());
}

#[test]
fn the_published_operational_leaf_has_the_key_of_its_request() {
    let leaf = vectors::operational();
    assert_eq!(base64url(&leaf.thumbprint()), "aU0SOgeVqBIa9z64gw935pBuMeU6K4w1ZdBKky-_6xg");
    let hex: String = leaf.spki_sha256().iter().map(|octet| format!("{octet:02x}")).collect();
    assert_eq!(hex, "0b1abc711226cf740d98e0e89a7a50f22060e7904d2eed20e4b5571b3767738f");
    assert_eq!(leaf.serial_hex(), "0102030405060708090a0b0c0d0e0f10");
    assert_eq!(leaf.not_after() - leaf.not_before(), 90 * 86_400);
    assert!(leaf.extended_key_usage().unwrap().client);
}

#[test]
fn every_cut_and_every_byte_too_many_is_refused() {
    let good = device_der();
    for length in 0..good.len() {
        assert!(Certificate::parse(&good[..length]).is_err(), "{length}");
    }
    for extra in [0x00, 0x30, 0xff] {
        let long = [good.as_slice(), &[extra]].concat();
        assert_eq!(Certificate::parse(&long), Err(CertificateError::NotDer));
    }
}

#[test]
fn what_stands_behind_the_last_rdn_is_not_overlooked() {
    // A reader that stops at the first thing it cannot read would miss the second common name.
    let hidden = sequence(&[
        &tlv(tag::SET, &sequence(&[&oid("2.5.4.3"), &utf8("dev_1")])),
        &tlv(tag::SEQUENCE, &sequence(&[&oid("2.5.4.3"), &utf8("dev_2")])),
    ]);
    assert_eq!(changed(|draft| draft.subject = hidden), Err(CertificateError::Name));
}

#[test]
fn two_signature_algorithms_are_refused() {
    let good = device_der();
    let algorithm = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
    let inside = good.windows(8).position(|window| window == algorithm).unwrap();
    let mut bytes = good.clone();
    bytes[inside + 7] = 0x03;
    assert_eq!(Certificate::parse(&bytes), Err(CertificateError::AlgorithmMismatch));
}

#[test]
fn an_extension_that_stands_twice_is_refused() {
    let outcome = changed(|draft| {
        let again = draft.extensions[0].clone();
        draft.extensions.push(again);
    });
    assert_eq!(outcome, Err(CertificateError::DuplicateExtension));
}

#[test]
fn malformed_extensions_are_refused_critical_or_not() {
    for (kind, value) in [
        (BASIC_CONSTRAINTS, tlv(tag::OCTET_STRING, &[])),
        (BASIC_CONSTRAINTS, sequence(&[&tlv(tag::BOOLEAN, &[1])])),
        (BASIC_CONSTRAINTS, sequence(&[&tlv(tag::BOOLEAN, &[0xff]), &tlv(tag::INTEGER, &[0xff])])),
        (KEY_USAGE, tlv(tag::BIT_STRING, &[9, 0x80])),
        (KEY_USAGE, [tlv(tag::BIT_STRING, &[7, 0x80]), vec![0]].concat()),
        (SUBJECT_ALT_NAME, sequence(&[&tlv(0x86, &[0xc3, 0xa9])])),
        (SUBJECT_ALT_NAME, sequence(&[&tlv(0x87, &[1, 2, 3])])),
        ("2.5.29.37", sequence(&[])),
    ] {
        let actor = Actor::new("dev_1");
        let der = Draft::leaf(&actor, &actor).extension(kind, false, &value).der(&actor);
        assert_eq!(Certificate::parse(&der), Err(CertificateError::Extension), "{kind} {value:02x?}");
    }
}

#[test]
fn a_version_one_certificate_has_no_extensions() {
    assert_eq!(changed(|draft| draft.version = None), Err(CertificateError::NotDer));
    assert_eq!(changed(|draft| draft.version = Some(0)), Err(CertificateError::NotDer));
    assert_eq!(changed(|draft| draft.version = Some(3)), Err(CertificateError::NotDer));
    let old = changed(|draft| {
        draft.version = None;
        draft.extensions.clear();
    });
    assert_eq!(old.unwrap().version(), 1);
}

#[test]
fn dates_have_one_form_and_turn_the_century_at_50() {
    let not_after =
        |tag, text: &str| changed(|draft| draft.not_after = tlv(tag, text.as_bytes())).map(|c| c.not_after());
    assert_eq!(not_after(tag::UTC_TIME, "491231235959Z"), Ok(2_524_607_999));
    assert_eq!(not_after(tag::UTC_TIME, "500101000000Z"), Ok(-631_152_000));
    assert_eq!(not_after(tag::GENERALIZED_TIME, "20500101000000Z"), Ok(2_524_608_000));
    assert_eq!(not_after(tag::GENERALIZED_TIME, "99991231235959Z"), Ok(253_402_300_799));
    for (kind, bad) in [
        (tag::UTC_TIME, "2501010000Z"),
        (tag::UTC_TIME, "250101000000+0100"),
        (tag::UTC_TIME, "250230000000Z"),
        (tag::UTC_TIME, "250101000060Z"),
        (tag::UTC_TIME, "25010100000aZ"),
        (tag::GENERALIZED_TIME, "20250101000000.5Z"),
        (tag::GENERALIZED_TIME, "20250101000000"),
        (tag::GENERALIZED_TIME, "Z"),
        (tag::GENERALIZED_TIME, "250101000000Z"),
        (tag::INTEGER, "250101000000Z"),
    ] {
        assert_eq!(not_after(kind, bad), Err(CertificateError::Date), "{bad}");
    }
}

#[test]
fn serial_numbers_are_minimal_and_at_most_twenty_octets() {
    for (serial, good) in [
        (vec![1], true),
        (vec![0x7f; 20], true),
        ([vec![0], vec![0xff; 20]].concat(), true),
        (vec![0x7f; 22], false),
        (vec![], false),
        (vec![0, 1], false),
    ] {
        let outcome = changed(|draft| draft.serial = serial.clone());
        assert_eq!(outcome.is_ok(), good, "{serial:02x?}");
    }
}

#[test]
fn a_pem_bundle_gives_every_certificate_in_its_order() {
    let (device, authority) = (vectors::certificate(vectors::DEVICE), vectors::certificate(vectors::DEVICE_AUTHORITY));
    let key = crate::issue::KeyPair::generate().unwrap();
    let text = format!("words before\n{}{}{}", device.pem(), &*key.pkcs8_pem(), authority.pem());
    assert_eq!(Certificate::parse_pem(text.as_bytes()).unwrap(), [device.clone(), authority]);
    let crlf = device.pem().replace('\n', "\r\n");
    assert_eq!(Certificate::parse_pem(crlf.as_bytes()).unwrap(), [device]);
}

#[test]
fn a_bundle_with_one_bad_certificate_is_refused_and_says_which() {
    let good = vectors::certificate(vectors::DEVICE).pem();
    let bad = crate::issue::pem_section("CERTIFICATE", b"no certificate");
    let text = format!("{good}{}", &*bad);
    let cause = CertificateError::NotDer;
    assert_eq!(Certificate::parse_pem(text.as_bytes()), Err(PemError::Certificate { position: 1, cause }));
    let broken = good.replace("-----END CERTIFICATE-----", "");
    assert_eq!(Certificate::parse_pem(broken.as_bytes()), Err(PemError::NotPem));
    assert_eq!(Certificate::parse_pem(b"nothing"), Err(PemError::Empty));
    assert_eq!(Certificate::parse_pem(good.repeat(65).as_bytes()), Err(PemError::TooLarge));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = Certificate::parse(&bytes);
        let _ = Certificate::parse_pem(&bytes);
    }

    /// Whatever we still read after a change, an independent reader reads as the same.
    #[test]
    fn a_changed_certificate_never_panics_and_never_reads_differently(
        which in 0..3_usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = match which {
            0 => device_der(),
            1 => vectors::certificate(vectors::DEVICE_AUTHORITY).der().to_vec(),
            _ => vectors::operational().der().to_vec(),
        };
        for (position, octet) in changes {
            let position = position.index(bytes.len());
            bytes[position] = octet;
        }
        if let Ok(ours) = Certificate::parse(&bytes)
            && let Ok((rest, theirs)) = X509Certificate::from_der(&bytes)
        {
            prop_assert!(rest.is_empty());
            prop_assert_eq!(ours.serial(), theirs.raw_serial());
            prop_assert_eq!(ours.subject_der(), theirs.subject().as_raw());
            prop_assert_eq!(ours.issuer_der(), theirs.issuer().as_raw());
            prop_assert_eq!(ours.spki_der(), theirs.public_key().raw);
            prop_assert_eq!(ours.not_before(), theirs.validity().not_before.timestamp());
            prop_assert_eq!(ours.not_after(), theirs.validity().not_after.timestamp());
            prop_assert_eq!(
                ours.basic_constraints().is_some_and(|found| found.authority),
                theirs.is_ca()
            );
        }
    }
}
