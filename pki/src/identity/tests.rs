use super::*;
use crate::der::tag;
use crate::forge::{
    Actor, COMMON_NAME, Draft, SERIAL_NUMBER, SUBJECT_ALT_NAME, general_names, name, oid, printable, sequence, tlv,
    utf8, vectors,
};

fn with_subject(subject: Vec<u8>) -> Certificate {
    let actor = Actor::new("issuer");
    Draft::leaf(&actor, &actor).change(|draft| draft.subject = subject).signed_by(&actor)
}

fn with_names(names: &[Vec<u8>]) -> Certificate {
    let actor = Actor::new("dev_1");
    Draft::leaf(&actor, &actor).extension(SUBJECT_ALT_NAME, false, &general_names(names)).signed_by(&actor)
}

fn common_name(value: Vec<u8>) -> Result<String, IdentityError> {
    let certificate = with_subject(name(&[&[(COMMON_NAME, value)]]));
    identity_field(&certificate, IdentityField::CommonName)
}

#[test]
fn the_published_leaf_says_its_serial_number_and_common_name() {
    let leaf = vectors::certificate(vectors::DEVICE);
    let read = |field| identity_field(&leaf, field);
    assert_eq!(read(IdentityField::SubjectSerialNumber).unwrap(), "SPK-000123");
    assert_eq!(read(IdentityField::CommonName).unwrap(), "dev_9F3K2");
    assert_eq!(read(IdentityField::SanUri), Err(IdentityError::Absent));
    assert_eq!(
        identity_field(&vectors::operational(), IdentityField::SanUri).unwrap(),
        "https://id.example.com/devices/dev_9F3K2"
    );
}

#[test]
fn two_values_of_the_field_are_refused_wherever_they_stand() {
    let apart = with_subject(name(&[&[(COMMON_NAME, utf8("dev_1"))], &[(COMMON_NAME, utf8("dev_2"))]]));
    let together = with_subject(name(&[&[(COMMON_NAME, utf8("dev_1")), (COMMON_NAME, utf8("dev_1"))]]));
    for certificate in [apart, together] {
        assert_eq!(identity_field(&certificate, IdentityField::CommonName), Err(IdentityError::NotUnique));
    }
    let uris = with_names(&[tlv(0x86, b"urn:a"), tlv(0x86, b"urn:a")]);
    assert_eq!(identity_field(&uris, IdentityField::SanUri), Err(IdentityError::NotUnique));
}

#[test]
fn a_field_in_a_multi_valued_rdn_is_refused() {
    let certificate = with_subject(name(&[&[(COMMON_NAME, utf8("dev_1")), (SERIAL_NUMBER, printable("SPK-1"))]]));
    for field in [IdentityField::CommonName, IdentityField::SubjectSerialNumber] {
        assert_eq!(identity_field(&certificate, field), Err(IdentityError::MultiValuedName));
    }
}

#[test]
fn nul_control_and_invisible_characters_are_refused() {
    for bad in ["dev_1\0evil", "dev_1\n", "dev\u{7f}", "dev\u{85}", "dev\u{200b}_1", "\u{202e}1_ved", "dev_1\u{feff}"] {
        assert_eq!(common_name(utf8(bad)), Err(IdentityError::ControlCharacter), "{bad:?}");
    }
    let nul = with_names(&[tlv(0x82, b"good.example\0.evil.example")]);
    assert_eq!(identity_field(&nul, IdentityField::SanDns), Err(IdentityError::ControlCharacter));
}

#[test]
fn empty_padded_and_endless_values_are_refused() {
    let endless = "x".repeat(MAX_IDENTITY_BYTES + 1);
    for bad in ["", " dev_1", "dev_1 ", endless.as_str()] {
        assert_eq!(common_name(utf8(bad)), Err(IdentityError::Length));
    }
    assert!(common_name(utf8(&endless[1..])).is_ok());
}

#[test]
fn both_usual_string_types_give_the_same_text_and_others_none() {
    assert_eq!(common_name(utf8("Dev 1")).unwrap(), "Dev 1");
    assert_eq!(common_name(printable("Dev 1")).unwrap(), "Dev 1");
    let wide = tlv(tag::BMP_STRING, &[0, b'D']);
    let teletex = tlv(0x14, b"Dev");
    let number = tlv(tag::INTEGER, &[1]);
    for bad in [wide, teletex, number] {
        assert_eq!(common_name(bad), Err(IdentityError::Encoding));
    }
}

#[test]
fn every_field_of_the_alternative_names_is_read_as_text() {
    let module = sequence(&[&oid("1.3.6.1.4.1.99999.7"), &tlv(tag::OCTET_STRING, &[0, 0xab])]);
    let other = |kind: &str| tlv(0xa0, &[oid(kind), tlv(0xa0, &module)].concat());
    let certificate = with_names(&[
        tlv(0x81, b"device@example.com"),
        tlv(0x82, b"d1.example.com"),
        tlv(0x86, b"urn:dev:1"),
        tlv(0x87, &[192, 0, 2, 1]),
        other("1.3.6.1.5.5.7.8.4"),
        other("1.3.6.1.5.5.7.8.5"),
    ]);
    for (field, wanted) in [
        (IdentityField::SanEmail, "device@example.com"),
        (IdentityField::SanDns, "d1.example.com"),
        (IdentityField::SanUri, "urn:dev:1"),
        (IdentityField::SanIp, "192.0.2.1"),
        (IdentityField::HardwareModule, "1.3.6.1.4.1.99999.7:00ab"),
    ] {
        assert_eq!(identity_field(&certificate, field).unwrap(), wanted);
    }
    assert_eq!(certificate.subject_alternative_names().len(), 6);
}
