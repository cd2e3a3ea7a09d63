//! What reads as a certificate reads again as the same, and every rule takes it without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pki::path::{AnchorSet, PathPolicy, verify};
use pki::{Certificate, DistinguishedName, IdentityField, identity_field};

const FIELDS: [IdentityField; 7] = [
    IdentityField::SubjectSerialNumber,
    IdentityField::CommonName,
    IdentityField::SanUri,
    IdentityField::SanDns,
    IdentityField::SanEmail,
    IdentityField::SanIp,
    IdentityField::HardwareModule,
];

fuzz_target!(|data: &[u8]| {
    let _ = Certificate::parse_pem(data);
    let Ok(certificate) = Certificate::parse(data) else {
        return;
    };
    assert_eq!(certificate.der(), data);
    assert_eq!(Certificate::parse_pem(certificate.pem().as_bytes()).as_deref(), Ok([certificate.clone()].as_slice()));
    for name in [certificate.subject(), certificate.issuer()] {
        let text = name.to_string();
        assert!(!text.contains(char::is_control));
        if text.len() <= pki::name::MAX_TEXT_BYTES {
            assert_eq!(DistinguishedName::parse_text(&text).as_ref(), Ok(name));
        }
    }
    for field in FIELDS {
        if let Ok(identity) = identity_field(&certificate, field) {
            assert!(!identity.is_empty() && !identity.contains(char::is_control));
        }
    }
    let mut anchors = AnchorSet::new();
    let _ = anchors.add(certificate.clone());
    let chain = [certificate.clone(), certificate.clone()];
    let _ = verify(&chain, &anchors, certificate.not_before(), &PathPolicy::default());
});
