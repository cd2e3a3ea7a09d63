//! Certificates made by hand for tests, well formed or not, every field free to be wrong.

use rcgen::SigningKey;

use crate::certificate::Certificate;
use crate::der::tag;
use crate::issue::KeyPair;
use crate::name::Oid;

/// The instant of the example world, Unix time.
pub(crate) const NOW: i64 = 1_750_000_000;
pub(crate) const COMMON_NAME: &str = "2.5.4.3";
pub(crate) const SERIAL_NUMBER: &str = "2.5.4.5";
pub(crate) const KEY_USAGE: &str = "2.5.29.15";
pub(crate) const SUBJECT_ALT_NAME: &str = "2.5.29.17";
pub(crate) const BASIC_CONSTRAINTS: &str = "2.5.29.19";
pub(crate) const NAME_CONSTRAINTS: &str = "2.5.29.30";
pub(crate) const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
pub(crate) const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";
pub(crate) const CLIENT_AUTH: &str = "1.3.6.1.5.5.7.3.2";
pub(crate) const ANY_USAGE: &str = "2.5.29.37.0";

pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match content.len() {
        short @ 0..=127 => bytes.push(short as u8),
        middle @ 128..=255 => bytes.extend([0x81, middle as u8]),
        long @ 256..=65535 => bytes.extend([0x82, (long >> 8) as u8, long as u8]),
        huge => bytes.extend([0x83, (huge >> 16) as u8, (huge >> 8) as u8, huge as u8]),
    }
    bytes.extend_from_slice(content);
    bytes
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(tag::SEQUENCE, &parts.concat())
}

pub(crate) fn oid(dotted: &str) -> Vec<u8> {
    tlv(tag::OID, Oid::parse_text(dotted).unwrap().as_der_content())
}

pub(crate) fn utf8(text: &str) -> Vec<u8> {
    tlv(tag::UTF8_STRING, text.as_bytes())
}

pub(crate) fn printable(text: &str) -> Vec<u8> {
    tlv(tag::PRINTABLE_STRING, text.as_bytes())
}

/// A name of RDNs, each a list of (type, value DER).
pub(crate) fn name(relative_names: &[&[(&str, Vec<u8>)]]) -> Vec<u8> {
    let sets: Vec<Vec<u8>> = relative_names
        .iter()
        .map(|attributes| {
            let pairs: Vec<Vec<u8>> = attributes.iter().map(|(kind, value)| sequence(&[&oid(kind), value])).collect();
            tlv(tag::SET, &pairs.concat())
        })
        .collect();
    tlv(tag::SEQUENCE, &sets.concat())
}

pub(crate) fn general_names(names: &[Vec<u8>]) -> Vec<u8> {
    tlv(tag::SEQUENCE, &names.concat())
}

pub(crate) fn usages(dotted: &[&str]) -> Vec<u8> {
    let purposes: Vec<Vec<u8>> = dotted.iter().map(|purpose| oid(purpose)).collect();
    tlv(tag::SEQUENCE, &purposes.concat())
}

/// basicConstraints of an authority.
pub(crate) fn authority_constraints(path_length: Option<u8>) -> Vec<u8> {
    let length = path_length.map_or(Vec::new(), |length| tlv(tag::INTEGER, &[length]));
    sequence(&[&tlv(tag::BOOLEAN, &[0xff]), &length])
}

/// Somebody with a key and a name.
pub(crate) struct Actor {
    pub(crate) key: KeyPair,
    pub(crate) name: Vec<u8>,
}

impl Actor {
    pub(crate) fn new(common_name: &str) -> Self {
        Self { key: KeyPair::generate().unwrap(), name: name(&[&[(COMMON_NAME, utf8(common_name))]]) }
    }
}

/// A certificate that is still open to change.
#[derive(Clone)]
pub(crate) struct Draft {
    /// DER of the version number's INTEGER content; none is version 1.
    pub(crate) version: Option<u8>,
    pub(crate) serial: Vec<u8>,
    pub(crate) algorithm: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    pub(crate) not_before: Vec<u8>,
    pub(crate) not_after: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    pub(crate) spki: Vec<u8>,
    pub(crate) extensions: Vec<(String, Vec<u8>)>,
}

impl Draft {
    fn new(subject: &Actor, issuer: &Actor) -> Self {
        Self {
            version: Some(2),
            serial: vec![0x20, 0x02],
            algorithm: sequence(&[&oid("1.2.840.10045.4.3.2")]),
            issuer: issuer.name.clone(),
            not_before: tlv(tag::UTC_TIME, b"250101000000Z"),
            not_after: tlv(tag::GENERALIZED_TIME, b"99991231235959Z"),
            subject: subject.name.clone(),
            spki: subject.key.spki_der().to_vec(),
            extensions: Vec::new(),
        }
    }

    /// A good device certificate.
    pub(crate) fn leaf(subject: &Actor, issuer: &Actor) -> Self {
        Self::new(subject, issuer).extension(BASIC_CONSTRAINTS, true, &sequence(&[])).extension(
            KEY_USAGE,
            true,
            &tlv(tag::BIT_STRING, &[7, 0x80]),
        )
    }

    /// A good authority certificate without a limit below it.
    pub(crate) fn authority(subject: &Actor, issuer: &Actor) -> Self {
        Self::new(subject, issuer).extension(BASIC_CONSTRAINTS, true, &authority_constraints(None)).extension(
            KEY_USAGE,
            true,
            &tlv(tag::BIT_STRING, &[1, 0x06]),
        )
    }

    /// Adds an extension, or replaces the one of the same type.
    pub(crate) fn extension(mut self, kind: &str, critical: bool, value: &[u8]) -> Self {
        self.extensions.retain(|(present, _)| present != kind);
        let flag = if critical { tlv(tag::BOOLEAN, &[0xff]) } else { Vec::new() };
        let bytes = sequence(&[&oid(kind), &flag, &tlv(tag::OCTET_STRING, value)]);
        self.extensions.push((kind.to_owned(), bytes));
        self
    }

    pub(crate) fn without(mut self, kind: &str) -> Self {
        self.extensions.retain(|(present, _)| present != kind);
        self
    }

    pub(crate) fn change(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(crate) fn der(&self, signer: &Actor) -> Vec<u8> {
        let version = self.version.map_or(Vec::new(), |number| tlv(0xa0, &tlv(tag::INTEGER, &[number])));
        let listed: Vec<Vec<u8>> = self.extensions.iter().map(|(_, bytes)| bytes.clone()).collect();
        let extensions = if listed.is_empty() { Vec::new() } else { tlv(0xa3, &tlv(tag::SEQUENCE, &listed.concat())) };
        let signed = sequence(&[
            &version,
            &tlv(tag::INTEGER, &self.serial),
            &self.algorithm,
            &self.issuer,
            &sequence(&[&self.not_before, &self.not_after]),
            &self.subject,
            &self.spki,
            &extensions,
        ]);
        let mut signature = vec![0];
        signature.extend(signer.key.sign(&signed).unwrap());
        sequence(&[&signed, &self.algorithm, &tlv(tag::BIT_STRING, &signature)])
    }

    pub(crate) fn signed_by(&self, signer: &Actor) -> Certificate {
        Certificate::parse(&self.der(signer)).unwrap()
    }
}

/// The published certificates of the example world.
pub(crate) mod vectors {
    use base64ct::{Base64, Encoding};

    use crate::certificate::Certificate;

    /// `serialNumber=SPK-000123`, `CN=dev_9F3K2`, without an end.
    pub(crate) const DEVICE: &str = "\
        MIIBeDCCAR6gAwIBAgICIAIwCgYIKoZIzj0EAwIwHDEaMBgGA1UEAwwRRXhhbXBsZSBEZXZpY2UgQ0EwIBcNMjUw\
        MTAxMDAwMDAwWhgPOTk5OTEyMzEyMzU5NTlaMCkxEzARBgNVBAUTClNQSy0wMDAxMjMxEjAQBgNVBAMMCWRldl85\
        RjNLMjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLkUVCgbb3HjLlb8gxX+ffp3z9wtUp3oDVoEk04yrbgCJzSX\
        Bo4QmecYtIjYzVDFVMbLhvMJGVR6IWknNcwXSPSjQTA/MAwGA1UdEwEB/wQCMAAwDgYDVR0PAQH/BAQDAgeAMB8G\
        A1UdIwQYMBaAFN4SZgzBmirEBzcMimcPFZOEqwzgMAoGCCqGSM49BAMCA0gAMEUCICmfPkxUIU/NIR7B7b+iSlof\
        V1loECkKArfGRPbeDbtHAiEA2nQhaWFzYAYc5q03z0Y4qac5USqHWqJ0jhQiHhSWGsY=";
    /// `CN=Example Device CA`, path length 0, to 2045.
    pub(crate) const DEVICE_AUTHORITY: &str = "\
        MIIBbDCCAROgAwIBAgICEAEwCgYIKoZIzj0EAwIwHDEaMBgGA1UEAwwRRXhhbXBsZSBEZXZpY2UgQ0EwHhcNMjUw\
        MTAxMDAwMDAwWhcNNDUwMTAxMDAwMDAwWjAcMRowGAYDVQQDDBFFeGFtcGxlIERldmljZSBDQTBZMBMGByqGSM49\
        AgEGCCqGSM49AwEHA0IABMbvSABlLHAUa3rtnD31c68V9p1aO/Cv/XiFAolMxVW3KeArvdLvowGy513N5Jzpm6Zl\
        5Xe2GLhlEwPVfsWtWCKjRTBDMBIGA1UdEwEB/wQIMAYBAf8CAQAwDgYDVR0PAQH/BAQDAgEGMB0GA1UdDgQWBBTe\
        EmYMwZoqxAc3DIpnDxWThKsM4DAKBggqhkjOPQQDAgNHADBEAiB8u0Q/eKuQ3s1TpKtoXPsp8aXGmX8DR0TzfwUo\
        fhR4RgIgOl8fws+olLNZfCPmAP/zphU6Trm5EmI/oHi4JBfQp1U=";
    /// `CN=Example Operational CA`, path length 0, to 2045.
    pub(crate) const OPERATIONAL_AUTHORITY: &str = "\
        MIIBeDCCAR2gAwIBAgICEAIwCgYIKoZIzj0EAwIwITEfMB0GA1UEAwwWRXhhbXBsZSBPcGVyYXRpb25hbCBDQTAe\
        Fw0yNTAxMDEwMDAwMDBaFw00NTAxMDEwMDAwMDBaMCExHzAdBgNVBAMMFkV4YW1wbGUgT3BlcmF0aW9uYWwgQ0Ew\
        WTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARQkV3yd50AbSF+nfQdnHY9W4vkg7T3R+zKz04cZAX9WLjqzYqE9Xs/\
        LBKNBQXGN0x0nMepPlu0+wNRqp2sLP5Go0UwQzASBgNVHRMBAf8ECDAGAQH/AgEAMA4GA1UdDwEB/wQEAwIBBjAd\
        BgNVHQ4EFgQUCSg1Y2nhxGvTY/OJp04cLnC2c6IwCgYIKoZIzj0EAwIDSQAwRgIhAJx43l+ZKcgZ0WUPj1R5TAlV\
        cnO0emNDBSYG3bF77V6sAiEA9tPlSZMDT5D4+rnIf4EACqh3q6S3ioyNfl9XelFFMC8=";
    /// `CN=dev_9F3K2` with its second key, inside a certs-only PKCS#7.
    pub(crate) const OPERATIONAL_REPLY: &str = "\
        MIIB7gYJKoZIhvcNAQcCoIIB3zCCAdsCAQExADALBgkqhkiG9w0BBwGgggHDMIIBvzCCAWagAwIBAgIQAQIDBAUG\
        BwgJCgsMDQ4PEDAKBggqhkjOPQQDAjAhMR8wHQYDVQQDDBZFeGFtcGxlIE9wZXJhdGlvbmFsIENBMB4XDTI1MDYx\
        NTE1MDY0MFoXDTI1MDkxMzE1MDY0MFowFDESMBAGA1UEAwwJZGV2XzlGM0syMFkwEwYHKoZIzj0CAQYIKoZIzj0D\
        AQcDQgAE3+rnLoNTucSRpg64/B90XtsGHGYmpbPcuLqB8ek0/nBPpI309dOhghJbuLOneREw8SzH5eunz0kRthrI\
        /WiAkKOBjDCBiTAMBgNVHRMBAf8EAjAAMA4GA1UdDwEB/wQEAwIHgDATBgNVHSUEDDAKBggrBgEFBQcDAjAzBgNV\
        HREELDAqhihodHRwczovL2lkLmV4YW1wbGUuY29tL2RldmljZXMvZGV2XzlGM0syMB8GA1UdIwQYMBaAFAkoNWNp\
        4cRr02PziadOHC5wtnOiMAoGCCqGSM49BAMCA0cAMEQCIGRH8li/2b7c5x80TbDoYlPq8DZm0sAOrjeBoBuiM2iu\
        AiB9iDo+TjArAcHhtU/9kAa5uiykZIwvme5wXe2KJQe6YDEA";

    pub(crate) fn certificate(base64: &str) -> Certificate {
        Certificate::parse(&Base64::decode_vec(base64).unwrap()).unwrap()
    }

    /// The one certificate of the certs-only reply: it is the last element but the empty lists.
    pub(crate) fn operational() -> Certificate {
        let reply = Base64::decode_vec(OPERATIONAL_REPLY).unwrap();
        let start = reply.windows(4).position(|window| window == [0x30, 0x82, 0x01, 0xbf]).unwrap();
        Certificate::parse(&reply[start..start + 4 + 0x1bf]).unwrap()
    }
}
