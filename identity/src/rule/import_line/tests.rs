use serde_json::json;

use super::*;
use crate::rule::fixture::{NOW, credential, device, fact, product, second_conflicts, writes_nothing_twice};

fn raw() -> RawLine {
    RawLine { model: "SPK-2".into(), serial: Some("SPK-000123".into()), ..RawLine::default() }
}

fn key(thumbprint: &str) -> LineCredential {
    LineCredential {
        key_thumbprint: thumbprint.into(),
        jwk: json!({"kty": "EC"}),
        certificate: credential().certificate,
        identity: Some("SPK-000123".into()),
    }
}

fn request(raw: RawLine) -> ImportRequest {
    ImportRequest {
        line: ImportLine::parse(raw).unwrap(),
        device: "dev_new".parse().unwrap(),
        credential: "crd_new".parse().unwrap(),
    }
}

fn empty() -> ImportFacts {
    ImportFacts { product: Some(fact(product())), ..ImportFacts::default() }
}

/// The registry after the line was taken.
fn after(request: &ImportRequest, facts: &ImportFacts) -> ImportFacts {
    let decision = decide(request, facts, NOW);
    let mut facts = facts.clone();
    for change in decision.changes {
        match change {
            Change::Device(write) => facts.by_serial = Some(fact(write.record)),
            Change::Credential(write) => facts.credential = Some(fact(write.record)),
            other => panic!("unexpected {other:?}"),
        }
    }
    facts
}

#[test]
fn a_new_line_makes_a_registered_device_with_its_initial_credential() {
    let decision = decide(&request(RawLine { credential: Some(key("key-1")), ..raw() }), &empty(), NOW);
    let (effect, device) = decision.reply.clone().unwrap();
    assert_eq!((effect, device.state, device.id.as_str()), (Effect::Created, DeviceState::Registered, "dev_new"));
    let kinds: Vec<_> = decision.events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::DeviceProvisioned, EventKind::CredentialAdded]);
    assert!(
        decision.changes.iter().any(|c| matches!(c, Change::Credential(w) if w.record.kind == CredentialKind::Initial))
    );
    assert!(writes_nothing_twice(&decision));
}

#[test]
fn the_same_line_again_changes_nothing() {
    let request = request(RawLine {
        mac: Some("AA-BB-CC-DD-EE-FF".into()),
        name: Some(" Kitchen ".into()),
        credential: Some(key("key-1")),
        ..raw()
    });
    let facts = after(&request, &empty());
    let again = decide(&request, &facts, NOW + 10);
    assert_eq!(again.reply.as_ref().unwrap().0, Effect::Unchanged);
    assert!(!again.needs_commit());
}

#[test]
fn a_line_changes_what_it_says_and_leaves_the_rest() {
    let mut known = device(DeviceState::Active);
    known.place = Some("Hall 3".into());
    known.attributes.insert("colour".into(), json!("red"));
    let facts = ImportFacts { by_serial: Some(fact(known)), ..empty() };
    let line = RawLine {
        name: Some("Kitchen".into()),
        attributes: json!({"watts": 5}).as_object().cloned().unwrap(),
        ..raw()
    };
    let decision = decide(&request(line), &facts, NOW);
    let (effect, device) = decision.reply.clone().unwrap();
    assert_eq!(
        (effect, device.place.as_deref(), device.name.as_deref()),
        (Effect::Updated, Some("Hall 3"), Some("Kitchen"))
    );
    assert_eq!(device.attributes.len(), 2);
    assert_eq!((device.id.as_str(), device.state), ("dev_1", DeviceState::Active));
}

#[test]
fn a_new_key_for_a_known_device_is_an_update() {
    let facts = ImportFacts { by_serial: Some(fact(device(DeviceState::Registered))), ..empty() };
    let decision = decide(&request(RawLine { credential: Some(key("key-9")), ..raw() }), &facts, NOW);
    assert_eq!(decision.reply.unwrap().0, Effect::Updated);
}

#[test]
fn a_new_certificate_over_the_same_key_replaces_the_old_one() {
    let facts = ImportFacts {
        by_serial: Some(fact(device(DeviceState::Registered))),
        credential: Some(fact(credential())),
        ..empty()
    };
    let mut renewed = key("key-1");
    renewed.certificate.as_mut().unwrap().thumbprint = "x5t-2".into();
    let decision = decide(&request(RawLine { credential: Some(renewed), ..raw() }), &facts, NOW);
    assert_eq!(decision.reply.as_ref().unwrap().0, Effect::Updated);
    assert!(decision.changes.iter().any(|c| matches!(c, Change::Credential(w) if w.record.id == credential().id)));
}

#[track_caller]
fn refused(line: RawLine, facts: &ImportFacts, wanted: &LineError) {
    let decision = decide(&request(line), facts, NOW);
    let refusal = decision.reply.clone().unwrap_err();
    assert_eq!(&refusal.code, wanted);
    assert!(!decision.needs_commit());
}

#[test]
fn names_of_two_devices_are_refused() {
    let mut other = device(DeviceState::Registered);
    other.id = "dev_2".parse().unwrap();
    let facts = ImportFacts {
        by_serial: Some(fact(device(DeviceState::Registered))),
        by_mac: Some(fact(other.clone())),
        ..empty()
    };
    refused(RawLine { mac: Some("0a0000000001".into()), ..raw() }, &facts, &LineError::TwoDevices);
    let facts = ImportFacts { by_mac: None, by_external_id: Some(fact(other)), ..facts };
    refused(RawLine { external_id: Some("x".into()), ..raw() }, &facts, &LineError::TwoDevices);
}

#[test]
fn the_key_of_another_device_is_refused() {
    let taken = Some(fact(credential()));
    let line = RawLine { credential: Some(key("key-1")), ..raw() };
    refused(line.clone(), &ImportFacts { credential: taken.clone(), ..empty() }, &LineError::KeyTaken);
    let mut other = device(DeviceState::Registered);
    other.id = "dev_2".parse().unwrap();
    refused(
        line.clone(),
        &ImportFacts { by_serial: Some(fact(other)), credential: taken, ..empty() },
        &LineError::KeyTaken,
    );
    let mut revoked = credential();
    revoked.state = CredentialState::Revoked;
    let facts = ImportFacts {
        by_serial: Some(fact(device(DeviceState::Registered))),
        credential: Some(fact(revoked)),
        ..empty()
    };
    refused(line, &facts, &LineError::KeyRevoked);
}

#[test]
fn what_does_not_fit_the_known_device_is_refused() {
    let with = |device: Device| ImportFacts { by_serial: Some(fact(device)), ..empty() };
    refused(raw(), &with(device(DeviceState::Retired)), &LineError::Retired);
    let mut other_model = device(DeviceState::Enrolled);
    other_model.product = "prd_lock".parse().unwrap();
    refused(raw(), &with(other_model), &LineError::OtherModel);
    let mut other_serial = device(DeviceState::Enrolled);
    other_serial.serial = Some("SPK-9".into());
    refused(
        RawLine { external_id: Some("x".into()), ..raw() },
        &ImportFacts { by_external_id: Some(fact(other_serial)), ..empty() },
        &LineError::OtherSerial,
    );
    refused(raw(), &ImportFacts::default(), &LineError::UnknownModel);
}

#[test]
fn a_certificate_that_names_another_serial_number_is_refused() {
    let mut strange = key("key-2");
    strange.identity = Some("SPK-000124".into());
    refused(RawLine { credential: Some(strange), ..raw() }, &empty(), &LineError::CertificateOfAnother);
}

#[test]
fn a_certificate_gives_the_serial_number_the_line_leaves_out() {
    let line = RawLine { serial: None, credential: Some(key("key-1")), ..raw() };
    let request = request(line);
    assert_eq!(request.line.keys().serial.as_deref(), Some("SPK-000123"));
    let again = decide(&request, &after(&request, &empty()), NOW);
    assert_eq!(again.reply.unwrap().0, Effect::Unchanged);
    let mut bare = key("key-1");
    bare.identity = None;
    let nameless = RawLine { serial: None, credential: Some(bare), ..raw() };
    assert_eq!(ImportLine::parse(nameless).unwrap_err(), LineError::NoName);
}

#[test]
fn attributes_are_checked_as_they_will_stand() {
    let mut facts = empty();
    facts.product.as_mut().unwrap().record.attribute_schema =
        Some(json!({"properties": {"watts": {"type": "integer"}}, "required": ["watts"]}));
    let decision = decide(&request(raw()), &facts, NOW);
    assert_eq!(decision.reply.unwrap_err().code.to_string(), "attribute \"watts\" is missing");
    let mut known = device(DeviceState::Registered);
    known.attributes.insert("watts".into(), json!(5));
    facts.by_serial = Some(fact(known));
    assert!(decide(&request(raw()), &facts, NOW).reply.is_ok());
}

#[test]
fn two_lines_about_one_known_device_do_not_overwrite_each_other() {
    let facts = ImportFacts { by_serial: Some(fact(device(DeviceState::Registered))), ..empty() };
    let named = |name: &str| decide(&request(RawLine { name: Some(name.into()), ..raw() }), &facts, NOW);
    assert!(second_conflicts(&named("A"), &named("B")));
}

#[test]
fn a_mac_comes_in_four_forms_and_is_kept_in_one() {
    for text in ["0a:1b:2c:3d:4e:5f", "0A-1B-2C-3D-4E-5F", "0a1b.2c3d.4e5f", "0A1B2C3D4E5F"] {
        assert_eq!(parse_mac(text).as_deref(), Some("0a:1b:2c:3d:4e:5f"), "{text}");
    }
}

#[test]
fn no_mac_of_one_device() {
    for text in [
        "",
        "0a:1b:2c:3d:4e",
        "0a:1b:2c:3d:4e:5g",
        "0a:1b-2c:3d:4e:5f",
        "0a:1b:2c:3d:4e:5f:",
        "0a1b:2c3d:4e5f",
        "a:1b:2c:3d:4e:5f",
        "0a1b2c3d4e5",
        "00:00:00:00:00:00",
        "ff:ff:ff:ff:ff:ff",
        "01:00:5e:00:00:01",
        "0ä:1b:2c:3d:4e:5",
    ] {
        assert_eq!(parse_mac(text), None, "{text}");
    }
}

#[test]
fn wildcards_slashes_and_look_alikes_are_no_serial_numbers() {
    for serial in
        ["SPK*", "SPK?1", "SPK%", "a+b", "a#", "a/b", "a\\b", "a\"b", "a'b", "a\nb", "a\0", "a  b", "\u{0421}PK", ""]
    {
        assert!(!is_serial(serial), "{serial:?}");
    }
    for serial in ["SPK-000123", "A_1.2:3", "SN 42"] {
        assert!(is_serial(serial), "{serial:?}");
    }
    assert!(is_serial(&"a".repeat(128)) && !is_serial(&"a".repeat(129)));
}

#[test]
fn an_external_id_never_poses_as_one_of_ours() {
    for id in ["dev_1", "u_adam", "acc_1", "ast_1", "bnd_1", "a/b", "a b", "a\n", "", &"x".repeat(129)] {
        assert!(!is_external_id(id), "{id:?}");
    }
    assert!(is_external_id("speaker:9F-3K.2_x"));
}

#[test]
fn a_line_in_bad_form_says_why() {
    let cases = [
        (RawLine { model: " ".into(), ..raw() }, "model_missing"),
        (RawLine { serial: None, ..raw() }, "no_name"),
        (RawLine { serial: Some("*".into()), ..raw() }, "bad_serial"),
        (RawLine { external_id: Some("dev_1".into()), ..raw() }, "bad_external_id"),
        (RawLine { mac: Some("nonsense".into()), ..raw() }, "bad_mac"),
        (RawLine { name: Some("a\u{7}b".into()), ..raw() }, "bad_text"),
        (RawLine { place: Some("x".repeat(256)), ..raw() }, "bad_text"),
    ];
    for (line, reason) in cases {
        let error = ImportLine::parse(line).unwrap_err();
        assert_eq!(error.reason(), reason);
        assert!(error.to_string().len() > 10);
    }
}
