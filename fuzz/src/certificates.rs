//! Certificates, names and chains: what `pki` reads.

use pki::name::MAX_TEXT_BYTES;
use pki::path::{AnchorSet, PathPolicy, verify};
use pki::{Certificate, DistinguishedName, IdentityField, identity_field};

/// The authority of which the corpora hold certificates, and a time at which it holds.
const AUTHORITY: &[u8] = include_bytes!("../corpus/certificate/device_authority");
const NOW: i64 = 1_750_000_000;

const FIELDS: [IdentityField; 7] = [
    IdentityField::SubjectSerialNumber,
    IdentityField::CommonName,
    IdentityField::SanUri,
    IdentityField::SanDns,
    IdentityField::SanEmail,
    IdentityField::SanIp,
    IdentityField::HardwareModule,
];

/// What reads as a certificate reads again as the same, and every rule takes it
/// without a panic.
pub fn certificate(data: &[u8]) {
    let _ = Certificate::parse_pem(data);
    let Ok(certificate) = Certificate::parse(data) else { return };
    assert_eq!(certificate.der(), data);
    assert_eq!(Certificate::parse_pem(certificate.pem().as_bytes()).as_deref(), Ok([certificate.clone()].as_slice()));
    for name in [certificate.subject(), certificate.issuer()] {
        reads_back(name);
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
}

/// No bundle but one that begins with a certificate of the authority hangs from it.
pub fn chain(data: &[u8]) {
    let Ok(chain) = Certificate::parse_pem(data) else { return };
    let authority = Certificate::parse(AUTHORITY).expect("the authority of the corpus");
    let mut anchors = AnchorSet::new();
    anchors.add(authority).expect("it is an authority");
    if verify(&chain, &anchors, NOW, &PathPolicy::default()).is_ok() {
        let device = include_bytes!("../corpus/certificate/device");
        assert_eq!(chain.first().map(Certificate::der), Some(device.as_slice()));
    }
}

/// A name read from DER or text renders as text that reads back as an equal name.
pub fn distinguished_name(data: &[u8]) {
    let from_der = DistinguishedName::parse_der(data).ok();
    let from_text = core::str::from_utf8(data).ok().and_then(|text| DistinguishedName::parse_text(text).ok());
    from_der.iter().chain(&from_text).for_each(reads_back);
}

fn reads_back(name: &DistinguishedName) {
    let text = name.to_string();
    assert!(!text.contains(char::is_control));
    if text.len() <= MAX_TEXT_BYTES {
        assert_eq!(DistinguishedName::parse_text(&text).as_ref(), Ok(name));
    }
}
