use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::forge::{Actor, Draft, NOW, vectors};
use crate::identity::{IdentityField, identity_field};
use crate::path::{AnchorSet, PathPolicy, verify};

const YEAR: i64 = 365 * 86_400;

fn wanted(common_name: &str) -> AuthorityCertificate<'_> {
    AuthorityCertificate { common_name, serial: [0xff; 16], not_before: NOW - 300, not_after: NOW + 20 * YEAR }
}

fn factory() -> (Authority, Authority) {
    let root = Authority::create_root(&wanted("Factory Root")).unwrap();
    let intermediate = root.create_intermediate(&wanted("Factory CA")).unwrap();
    (root, intermediate)
}

fn device<'a>(spki: &'a [u8], serial_number: &'a str) -> DeviceCertificate<'a> {
    DeviceCertificate {
        serial_number: Some(serial_number),
        common_name: Some("dev_9F3K2"),
        spki,
        serial: [0; 16],
        not_before: NOW - 300,
        not_after: NO_END,
        san_uri: None,
        client_auth: false,
    }
}

fn trusts(root: &Authority) -> AnchorSet {
    let mut anchors = AnchorSet::new();
    anchors.add(root.certificate().clone()).unwrap();
    anchors
}

#[test]
fn a_device_certificate_hangs_from_its_factory_and_names_the_device() {
    let (root, intermediate) = factory();
    let key = KeyPair::generate().unwrap();
    let leaf = intermediate.issue_device(&device(key.spki_der(), "SPK-000123")).unwrap();
    assert_eq!(leaf.spki_der(), key.spki_der());
    assert_eq!(leaf.not_after(), NO_END);
    assert_eq!(identity_field(&leaf, IdentityField::SubjectSerialNumber).unwrap(), "SPK-000123");
    assert!(leaf.may_sign());
    let chain = [leaf, intermediate.certificate().clone()];
    assert!(verify(&chain, &trusts(&root), NOW, &PathPolicy::default()).is_ok());
}

#[test]
fn an_operational_certificate_carries_its_uri_and_client_auth() {
    let (root, intermediate) = factory();
    let key = KeyPair::generate().unwrap();
    let uri = "https://id.example.com/devices/dev_9F3K2";
    let leaf = intermediate
        .issue_device(&DeviceCertificate {
            serial_number: None,
            not_after: NOW + 90 * 86_400,
            san_uri: Some(uri),
            client_auth: true,
            ..device(key.spki_der(), "")
        })
        .unwrap();
    assert_eq!(identity_field(&leaf, IdentityField::SanUri).unwrap(), uri);
    assert!(leaf.extended_key_usage().unwrap().client);
    let chain = [leaf, intermediate.certificate().clone()];
    assert!(verify(&chain, &trusts(&root), NOW, &PathPolicy::default()).is_ok());
}

#[test]
fn serial_numbers_are_positive_and_sixteen_octets_whatever_the_random_bytes() {
    let (_, intermediate) = factory();
    let key = KeyPair::generate().unwrap();
    for random in [[0; 16], [0xff; 16], [0x80; 16]] {
        let leaf = intermediate
            .issue_device(&DeviceCertificate { serial: random, ..device(key.spki_der(), "SPK-1") })
            .unwrap();
        assert_eq!(leaf.serial().len(), 16);
        assert_eq!(leaf.serial()[0] & 0x80, 0);
        assert_eq!(leaf.serial()[1..], random[1..]);
    }
}

#[test]
fn dates_before_2050_are_utc_time_and_later_ones_generalized_time() {
    let (_, intermediate) = factory();
    let key = KeyPair::generate().unwrap();
    let leaf = intermediate.issue_device(&device(key.spki_der(), "SPK-1")).unwrap();
    let holds = |bytes: &[u8]| leaf.der().windows(bytes.len()).any(|part| part == bytes);
    assert!(holds(b"\x17\x0d250615150140Z"));
    assert!(holds(b"\x18\x0f99991231235959Z"));
}

#[test]
fn authorities_have_the_path_lengths_of_a_factory() {
    let (root, intermediate) = factory();
    let length = |authority: &Authority| {
        let constraints = authority.certificate().basic_constraints().unwrap();
        assert!(constraints.authority);
        constraints.path_length
    };
    assert_eq!(length(&root), Some(1));
    assert_eq!(length(&intermediate), Some(0));
    assert_eq!(intermediate.create_intermediate(&wanted("Too low")).err(), Some(IssueError::PathLength));
}

#[test]
fn an_authority_loaded_from_pem_issues_as_before() {
    let (root, intermediate) = factory();
    let loaded =
        Authority::load_pem(intermediate.certificate().pem().as_bytes(), intermediate.key_pem().as_bytes()).unwrap();
    assert_eq!(loaded.certificate(), intermediate.certificate());
    let key = KeyPair::generate().unwrap();
    let leaf = loaded.issue_device(&device(key.spki_der(), "SPK-1")).unwrap();
    let chain = [leaf, loaded.certificate().clone()];
    assert!(verify(&chain, &trusts(&root), NOW, &PathPolicy::default()).is_ok());
}

#[test]
fn a_key_of_another_authority_or_a_leaf_is_not_loaded_as_an_authority() {
    let (root, intermediate) = factory();
    let load = |certificate: &Certificate, key_pem: &str| {
        Authority::load_pem(certificate.pem().as_bytes(), key_pem.as_bytes()).err()
    };
    assert_eq!(load(root.certificate(), &intermediate.key_pem()), Some(IssueError::KeyMismatch));
    let key = KeyPair::generate().unwrap();
    let leaf = intermediate.issue_device(&device(key.spki_der(), "SPK-1")).unwrap();
    assert_eq!(load(&leaf, &key.pkcs8_pem()), Some(IssueError::NotAuthority));
    assert_eq!(load(root.certificate(), "no key"), Some(IssueError::PrivateKey));
    assert_eq!(Authority::load_pem(b"nothing", b"").err(), Some(IssueError::Pem(PemError::Empty)));
}

#[test]
fn an_authority_made_elsewhere_with_a_longer_name_is_repeated_byte_by_byte() {
    let root = Actor {
        name: crate::forge::name(&[
            &[("2.5.4.6", crate::forge::printable("DE"))],
            &[("2.5.4.10", crate::forge::utf8("Example GmbH"))],
            &[("2.5.4.3", crate::forge::printable("Example Line 7"))],
        ]),
        ..Actor::new("")
    };
    let certificate = Draft::authority(&root, &root).signed_by(&root);
    let authority = Authority::load_pem(certificate.pem().as_bytes(), root.key.pkcs8_pem().as_bytes()).unwrap();
    let leaf = authority.issue_device(&device(Actor::new("d").key.spki_der(), "SPK-1")).unwrap();
    assert_eq!(leaf.issuer(), certificate.subject());
    assert!(verify(&[leaf], &trusts(&authority), NOW, &PathPolicy::default()).is_ok());
}

#[test]
fn an_authority_whose_name_cannot_be_repeated_issues_nothing() {
    let root = Actor {
        name: crate::forge::name(&[
            &[("2.5.4.11", crate::forge::utf8("One"))],
            &[("2.5.4.11", crate::forge::utf8("Two"))],
        ]),
        ..Actor::new("")
    };
    let certificate = Draft::authority(&root, &root).signed_by(&root);
    let authority = Authority::load_pem(certificate.pem().as_bytes(), root.key.pkcs8_pem().as_bytes()).unwrap();
    let issued = authority.issue_device(&device(root.key.spki_der(), "SPK-1"));
    assert_eq!(issued.err(), Some(IssueError::NotAuthority));
}

#[test]
fn names_dates_and_keys_that_do_not_fit_are_refused() {
    let (_, intermediate) = factory();
    let key = KeyPair::generate().unwrap();
    let long = "x".repeat(65);
    for bad in ["", " SPK", "SPK_1", "SPK\n1", "SPK-é", long.as_str()] {
        let outcome = intermediate.issue_device(&device(key.spki_der(), bad));
        assert_eq!(outcome.err(), Some(IssueError::Name), "{bad:?}");
    }
    let backwards = DeviceCertificate { not_after: NOW - 301, ..device(key.spki_der(), "SPK-1") };
    let endless = DeviceCertificate { not_after: NO_END + 1, ..device(key.spki_der(), "SPK-1") };
    for bad in [backwards, endless] {
        assert_eq!(intermediate.issue_device(&bad).err(), Some(IssueError::Validity));
    }
    let trailing = [key.spki_der(), &[0]].concat();
    for bad in [&[][..], b"key", trailing.as_slice()] {
        let outcome = intermediate.issue_device(&device(bad, "SPK-1"));
        assert_eq!(outcome.err(), Some(IssueError::PublicKey));
    }
    let nameless = DeviceCertificate { serial_number: None, common_name: None, ..device(key.spki_der(), "") };
    assert_eq!(intermediate.issue_device(&nameless).err(), Some(IssueError::Name));
}

#[test]
fn a_server_certificate_lives_at_most_397_days_and_is_no_client() {
    let root = Authority::create_root(&wanted("Self-made")).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = |not_after| ServerCertificate {
        dns_names: &["localhost", "id.example.com"],
        addresses: &[IpAddr::V4(Ipv4Addr::LOCALHOST)],
        spki: key.spki_der(),
        serial: [1; 16],
        not_before: NOW,
        not_after,
    };
    let leaf = root.issue_server(&server(NOW + MAX_SERVER_LIFE)).unwrap();
    assert_eq!(leaf.subject_alternative_names().len(), 3);
    assert!(leaf.extended_key_usage().unwrap().server);
    let as_client = verify(&[leaf], &trusts(&root), NOW, &PathPolicy::default());
    assert!(as_client.is_err());
    assert_eq!(root.issue_server(&server(NOW + MAX_SERVER_LIFE + 1)).err(), Some(IssueError::Validity));
    let nobody = ServerCertificate { dns_names: &[], addresses: &[], ..server(NOW + 1) };
    assert_eq!(root.issue_server(&nobody).err(), Some(IssueError::Name));
}

#[test]
fn a_thousand_device_certificates_with_keys_differ_in_key_and_serial() {
    let (_, intermediate) = factory();
    let mut seen = std::collections::BTreeSet::new();
    for number in 0..1000_u32 {
        let key = KeyPair::generate().unwrap();
        let mut serial = [7; 16];
        serial[12..].copy_from_slice(&number.to_be_bytes());
        let serial_number = format!("SPK-{number:06}");
        let leaf =
            intermediate.issue_device(&DeviceCertificate { serial, ..device(key.spki_der(), &serial_number) }).unwrap();
        seen.insert((leaf.spki_sha256(), leaf.serial().to_vec()));
    }
    assert_eq!(seen.len(), 1000);
}

#[test]
fn keys_go_through_pem_unchanged_and_say_nothing_in_debug() {
    let key = KeyPair::generate().unwrap();
    let again = KeyPair::load_pem(key.pkcs8_pem().as_bytes()).unwrap();
    assert_eq!(again.pkcs8_der(), key.pkcs8_der());
    assert_eq!(again.spki_der(), key.spki_der());
    assert_eq!(format!("{key:?}"), "KeyPair(..)");
    assert!(KeyPair::load_der(key.spki_der()).is_err());
}

#[test]
fn pem_lines_are_64_characters_and_read_back() {
    let certificate = vectors::certificate(vectors::DEVICE);
    let pem = certificate.pem();
    let lines: Vec<&str> = pem.lines().collect();
    assert_eq!(lines[0], "-----BEGIN CERTIFICATE-----");
    assert_eq!(lines[lines.len() - 1], "-----END CERTIFICATE-----");
    assert!(lines[1..lines.len() - 2].iter().all(|line| line.len() == 64));
    assert_eq!(Certificate::parse_pem(pem.as_bytes()).unwrap(), [certificate]);
}
