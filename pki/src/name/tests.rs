use proptest::prelude::*;

use super::*;
use crate::forge::{COMMON_NAME, SERIAL_NUMBER, name, oid, printable, sequence, tlv, utf8};

fn text(text: &str) -> DistinguishedName {
    DistinguishedName::parse_text(text).unwrap()
}

fn der(bytes: &[u8]) -> DistinguishedName {
    DistinguishedName::parse_der(bytes).unwrap()
}

const ORGANISATION: &str = "2.5.4.10";

fn example() -> DistinguishedName {
    der(&name(&[
        &[("2.5.4.6", printable("DE"))],
        &[(ORGANISATION, utf8("Example, GmbH"))],
        &[(COMMON_NAME, utf8("dev_1")), (SERIAL_NUMBER, printable("SPK-1"))],
    ]))
}

#[test]
fn a_name_equals_its_text_in_any_spelling() {
    for spelled in [
        r"CN=dev_1+serialNumber=SPK-1,O=Example\, GmbH,C=DE",
        r"serialNumber=SPK-1+CN=dev_1,O=Example\2c GmbH,C=DE",
        r"cn=DEV_1 + SERIALNUMBER=spk-1, o=example\,   gmbh , c=de",
        r"2.5.4.3=dev_1+2.5.4.5=SPK-1,2.5.4.10=Example\, GmbH,2.5.4.6=#13024445",
        r"CN=\64ev_1+serialNumber=SPK-1,O=\ Example\, GmbH\ ,C=DE",
    ] {
        assert_eq!(text(spelled), example(), "{spelled}");
    }
}

#[test]
fn another_name_is_not_equal_however_alike_its_text() {
    for other in [
        r"C=DE,O=Example\, GmbH,CN=dev_1+serialNumber=SPK-1",
        r"CN=dev_1,serialNumber=SPK-1,O=Example\, GmbH,C=DE",
        r"CN=dev_1,O=Example\, GmbH,C=DE",
        r"CN=dev_1+serialNumber=SPK-1,O=Example\, GmbH",
        r"CN=dev_1+serialNumber=SPK-1,OU=Example\, GmbH,C=DE",
        r"CN=dev_1+CN=dev_1+serialNumber=SPK-1,O=Example\, GmbH,C=DE",
        r"CN=dev_1+serialNumber=SPK-1,O=Example\, Gmb H,C=DE",
        r"CN=dev_1\00+serialNumber=SPK-1,O=Example\, GmbH,C=DE",
        r"",
    ] {
        assert_ne!(text(other), example(), "{other}");
    }
    let one_value = der(&name(&[&[(COMMON_NAME, utf8("dev_1,O=Example"))]]));
    assert_ne!(one_value, text("CN=dev_1,O=Example"));
}

#[test]
fn string_types_do_not_count_and_other_types_are_compared_by_their_bytes() {
    let with = |value: Vec<u8>| der(&name(&[&[(COMMON_NAME, value)]]));
    let wide: Vec<u8> = "Dev".encode_utf16().flat_map(u16::to_be_bytes).collect();
    for value in [utf8("dev"), printable("DEV"), tlv(tag::IA5_STRING, b" dev "), tlv(tag::BMP_STRING, &wide)] {
        assert_eq!(with(value), text("CN=Dev"));
    }
    let number = tlv(tag::INTEGER, &[7]);
    assert_eq!(with(number.clone()), with(number.clone()));
    assert_eq!(with(number.clone()), text("CN=#020107"));
    assert_ne!(with(number), text("CN=7"));
}

#[test]
fn escapes_at_the_ends_and_of_octets_are_undone() {
    let value = |spelled: &str| {
        let parsed = text(spelled);
        let value = parsed.relative_names()[0].attributes()[0].value();
        value.text().unwrap().to_owned()
    };
    assert_eq!(value(r"CN=Lu\C4\8Di\C4\87"), "Lučić");
    assert_eq!(value(r"CN=\#5"), "#5");
    assert_eq!(value(r"CN= a \ "), "a  ");
    assert_eq!(value(r"CN=a\=b"), "a=b");
    assert_eq!(value("CN="), "");
    assert_eq!(value("CN=a=b"), "a=b");
}

#[test]
fn text_that_is_not_a_name_is_refused() {
    for bad in [
        "CN",
        "=a",
        "CN=a,",
        "CN=a+",
        ",CN=a",
        "CN=a;O=b",
        "CN=\"a\"",
        "CN=<a>",
        r"CN=a\",
        r"CN=a\zz",
        r"CN=\C4",
        "CN=#",
        "CN=#1",
        "CN=#zz",
        "CN=#130244",
        "CN=#0c02ff",
        "CN=a\0",
    ] {
        assert!(DistinguishedName::parse_text(bad).is_err(), "{bad:?}");
    }
    for bad in ["XX=a", "1=a", "3.1=a", "1.40=a", "2.05.4=a", "2.5.=a"] {
        assert_eq!(DistinguishedName::parse_text(bad), Err(NameError::UnknownAttribute), "{bad}");
    }
    let long = format!("CN={}", "a".repeat(MAX_TEXT_BYTES));
    assert_eq!(DistinguishedName::parse_text(&long), Err(NameError::TooLong));
}

#[test]
fn der_that_is_not_a_name_is_refused() {
    let pair = sequence(&[&oid(COMMON_NAME), &utf8("a")]);
    let set = tlv(tag::SET, &pair);
    let good = sequence(&[&set]);
    assert!(DistinguishedName::parse_der(&good).is_ok());
    for bad in [
        vec![],
        [good.clone(), vec![0]].concat(),
        set.clone(),
        sequence(&[&pair]),
        sequence(&[&tlv(tag::SET, &[])]),
        sequence(&[&tlv(tag::SET, &sequence(&[&oid(COMMON_NAME)]))]),
        sequence(&[&tlv(tag::SET, &sequence(&[&oid(COMMON_NAME), &utf8("a"), &utf8("b")]))]),
        name(&[&[(COMMON_NAME, tlv(tag::UTF8_STRING, &[0xff]))]]),
        name(&[&[(COMMON_NAME, tlv(tag::PRINTABLE_STRING, &[0xe9]))]]),
        name(&[&[(COMMON_NAME, tlv(tag::BMP_STRING, &[0xd8, 0x00]))]]),
        name(&[&[(COMMON_NAME, tlv(tag::BMP_STRING, &[0]))]]),
    ] {
        assert_eq!(DistinguishedName::parse_der(&bad), Err(NameError::NotDer), "{bad:02x?}");
    }
    assert_eq!(DistinguishedName::parse_der(&sequence(&vec![set.as_slice(); 65])), Err(NameError::TooLong));
}

#[test]
fn rendered_names_break_no_line_and_no_separator() {
    let tricky = der(&name(&[&[(COMMON_NAME, utf8("a\nb,c+d=e\\\"<>;\0 "))]]));
    let shown = tricky.to_string();
    assert_eq!(shown, r#"CN=a\0ab\,c\+d\=e\\\"\<\>\;\00\ "#);
    assert_eq!(text(&shown), tricky);
}

#[test]
fn object_identifiers_have_one_spelling() {
    for dotted in
        ["2.5.4.3", "0.9.2342.19200300.100.1.25", "2.999.1", "1.39", "2.25.340282366920938463463374607431768211375"]
    {
        let parsed = Oid::parse_text(dotted).unwrap();
        assert_eq!(parsed.to_string(), dotted);
    }
    for bad in [&[][..], &[0x80], &[0x55, 0x80, 0x01], &[0x55, 0x84], &[0xff; 30]] {
        assert_eq!(Oid::from_der_content(bad), Err(OidError), "{bad:02x?}");
    }
}

proptest! {
    #[test]
    fn arbitrary_text_and_bytes_never_panic(
        letters in ".{0,64}",
        shaped in r#"([A-Za-z]{1,3}|[0-9.]{1,8})=[ -~]{0,12}([,+]CN=\\?[ -~]{0,6}){0,3}"#,
        bytes in proptest::collection::vec(any::<u8>(), 0..128),
    ) {
        let _ = DistinguishedName::parse_text(&letters);
        let _ = DistinguishedName::parse_text(&shaped);
        let _ = DistinguishedName::parse_der(&bytes);
        let _ = Oid::from_der_content(&bytes).map(|oid| oid.to_string());
    }

    #[test]
    fn a_rendered_name_parses_back_to_an_equal_one(values in proptest::collection::vec((any::<bool>(), ".{0,20}"), 1..5)) {
        let written: Vec<Vec<(&str, Vec<u8>)>> = values
            .iter()
            .map(|(twice, value)| {
                let mut attributes = vec![(COMMON_NAME, utf8(value))];
                if *twice {
                    attributes.push((ORGANISATION, utf8(value)));
                }
                attributes
            })
            .collect();
        let borrowed: Vec<&[(&str, Vec<u8>)]> = written.iter().map(Vec::as_slice).collect();
        let parsed = der(&name(&borrowed));
        prop_assert_eq!(text(&parsed.to_string()), parsed);
    }

    #[test]
    fn every_object_identifier_that_is_read_renders_and_parses_back(bytes in proptest::collection::vec(any::<u8>(), 1..24)) {
        if let Ok(oid) = Oid::from_der_content(&bytes) {
            prop_assert_eq!(Oid::parse_text(&oid.to_string()), Ok(oid));
        }
    }
}
