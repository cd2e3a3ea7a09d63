//! What the connection's certificate says of a client: judged here by `pki`, as
//! plain values for the rule (RFC 8705 §2).

use authority::Peer;
use jose::{Jwk, base64url};
use oauth::Client;
use oauth::client::TlsName;
use oauth::client_auth::ShownCertificate;
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
