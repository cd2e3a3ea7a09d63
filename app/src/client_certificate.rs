//! What the connection's certificate says of a client: judged here by `pki`, as
//! plain values for the rule (RFC 8705 §2).

use authority::{Peer, UnverifiedCertificate};
use identity::{Fact, TrustAnchor};
use jose::{Jwk, base64url, digest};
use oauth::Client;
use oauth::client::TlsName;
use oauth::client_auth::{DeviceAuthority, ShownCertificate};
use pki::path::{AnchorSet, PathPolicy};
use pki::{AlternativeName, Certificate, DistinguishedName};

/// Reads the certificate of a connection. `authorities` (DER) are trusted for
/// clients; a device's authorities are its product's and not asked here.
pub(crate) fn shown(
    peer: &Peer,
    client: Option<&Client>,
    authorities: &[Vec<u8>],
    now: i64,
) -> Option<ShownCertificate> {
    let chain = peer.certificate.as_ref()?.chain();
    let chain: Vec<Certificate> = chain.iter().map(|der| Certificate::parse(der)).collect::<Result<_, _>>().ok()?;
    let leaf = chain.first()?;
    let key = Jwk::from_spki(leaf.spki_der()).ok()?;
    let name = client.and_then(|client| client.tls_name.as_ref());
    let is_registered_name = name.is_some_and(|name| carries(leaf, name) && leads_to(&chain, authorities, now));
    Some(ShownCertificate {
        thumbprint: base64url::encode(leaf.thumbprint()),
        key_thumbprint: key.thumbprint().to_string(),
        is_registered_name,
    })
}

/// The authorities of a device's product as the rule is told: by name, and
/// whether the certificates of this connection lead there. What cannot be read
/// leads nowhere.
pub(crate) fn authorities(
    shown: Option<&UnverifiedCertificate>,
    anchors: &[Fact<TrustAnchor>],
    now: i64,
) -> Vec<DeviceAuthority> {
    if anchors.is_empty() {
        return Vec::new();
    }
    let chain = shown.map(UnverifiedCertificate::chain).unwrap_or_default();
    let chain: Vec<Certificate> = chain.iter().map_while(|der| Certificate::parse(der).ok()).collect();
    let read = |anchor: &Fact<TrustAnchor>| {
        let certificate = base64url::decode(&anchor.certificate).ok().and_then(|der| Certificate::parse(&der).ok())?;
        let mut one = AnchorSet::new();
        let usable = one.add(certificate.clone()).is_ok();
        let leads = usable && !chain.is_empty() && pki::path::verify(&chain, &one, now, &PathPolicy::default()).is_ok();
        let name = base64url::encode(digest::sha256(certificate.subject_der()));
        Some(DeviceAuthority { anchor: anchor.clone(), name, is_shown: leads })
    };
    anchors.iter().filter_map(read).collect()
}

fn leads_to(chain: &[Certificate], authorities: &[Vec<u8>], now: i64) -> bool {
    let mut anchors = AnchorSet::new();
    for der in authorities {
        if Certificate::parse(der).ok().is_none_or(|certificate| anchors.add(certificate).is_err()) {
            tracing::warn!("unusable_client_authority");
        }
    }
    pki::path::verify(chain, &anchors, now, &PathPolicy::default()).is_ok()
}

/// Distinguished names by their rules, the others exactly.
fn carries(leaf: &Certificate, name: &TlsName) -> bool {
    let has = |wanted: &dyn Fn(&AlternativeName) -> bool| leaf.subject_alternative_names().iter().any(wanted);
    match name {
        TlsName::SubjectDn(text) => DistinguishedName::parse_text(text).is_ok_and(|wanted| wanted == *leaf.subject()),
        TlsName::SanDns(text) => has(&|n| matches!(n, AlternativeName::Dns(known) if known.eq_ignore_ascii_case(text))),
        TlsName::SanUri(text) => has(&|n| matches!(n, AlternativeName::Uri(known) if known == text)),
        TlsName::SanEmail(text) => has(&|n| matches!(n, AlternativeName::Email(known) if known == text)),
        TlsName::SanIp(text) => has(&|n| matches!(n, AlternativeName::Ip(known) if known.to_string() == *text)),
    }
}

#[cfg(test)]
mod tests {
    use pki::issue::{Authority, AuthorityCertificate, DeviceCertificate, KeyPair};

    use super::*;

    const NOW: i64 = 1_750_000_000;

    fn authority(name: &str) -> Authority {
        let wanted =
            AuthorityCertificate { common_name: name, serial: [1; 16], not_before: NOW - 60, not_after: NOW + 86_400 };
        Authority::create_root(&wanted).unwrap()
    }

    fn peer(by: &Authority) -> Peer {
        let key = KeyPair::generate().unwrap();
        let wanted = DeviceCertificate {
            serial_number: None,
            common_name: Some("Billing Service"),
            spki: key.spki_der(),
            serial: [2; 16],
            not_before: NOW - 60,
            not_after: NOW + 3600,
            san_uri: Some("https://billing.example.com"),
            client_auth: true,
        };
        let der = by.issue_device(&wanted).unwrap().der().to_vec();
        let certificate = UnverifiedCertificate::new(vec![der]);
        Peer { address: "192.0.2.1".parse().unwrap(), certificate, local: false }
    }

    fn registered(name: TlsName) -> Client {
        let client = serde_json::json!({
            "id": "billing", "name": "Billing", "auth": "tls_client_auth", "grant_types": ["client_credentials"],
            "created_at": NOW, "tls_name": name,
        });
        serde_json::from_value(client).unwrap()
    }

    fn is_registered(peer: &Peer, name: TlsName, trusted: &[&Authority]) -> bool {
        let authorities: Vec<_> = trusted.iter().map(|one| one.certificate().der().to_vec()).collect();
        shown(peer, Some(&registered(name)), &authorities, NOW).unwrap().is_registered_name
    }

    #[test]
    fn a_client_is_known_by_its_registered_name_under_a_trusted_authority_alone() {
        let (ours, foreign) = (authority("Clients"), authority("Strangers"));
        let peer = peer(&ours);
        let uri = |text: &str| TlsName::SanUri(text.to_owned());
        assert!(is_registered(&peer, uri("https://billing.example.com"), &[&foreign, &ours]));
        assert!(!is_registered(&peer, uri("https://billing.example.com/"), &[&ours]), "another name");
        assert!(!is_registered(&peer, uri("https://billing.example.com"), &[&foreign]), "another authority");
        assert!(!is_registered(&peer, uri("https://billing.example.com"), &[]), "nobody is trusted by default");
        assert!(!is_registered(&peer, TlsName::SanDns("billing.example.com".into()), &[&ours]), "another kind of name");
    }

    #[test]
    fn distinguished_names_are_compared_by_their_rules_not_as_text() {
        let ours = authority("Clients");
        let peer = peer(&ours);
        let dn = |text: &str| TlsName::SubjectDn(text.to_owned());
        assert!(is_registered(&peer, dn("cn=billing  service"), &[&ours]));
        assert!(!is_registered(&peer, dn("CN=Billing Service,O=Example"), &[&ours]));
        assert!(!is_registered(&peer, dn("not a name"), &[&ours]));
    }

    #[test]
    fn without_a_certificate_nothing_is_shown() {
        let nobody = Peer { address: "192.0.2.1".parse().unwrap(), certificate: None, local: false };
        assert_eq!(shown(&nobody, None, &[], NOW), None);
    }
}
