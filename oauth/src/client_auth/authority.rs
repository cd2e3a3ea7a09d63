//! Under which authority a device's certificate stands: what a disabled one
//! signed counts at the token endpoint as little as at call home.

use identity::trust_anchor::TrustAnchorState;
use identity::{Credential, Fact, TrustAnchor};

/// A certificate authority of a device's product, judged by `pki` before.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceAuthority {
    /// Its record.
    pub anchor: Fact<TrustAnchor>,
    /// SHA-256 over the DER of its name, base64url, as credentials keep that of
    /// their issuer.
    pub name: String,
    /// Whether the certificates of this connection lead to it.
    pub is_shown: bool,
}

/// The authority a credential stands under: the one that the connection's
/// certificates lead to, else the one of its issuer's name. A bare key has none;
/// neither has a certificate of an authority in between that nobody showed.
///
/// # Errors
/// The named cause where it is disabled. Two of one name, one of them trusted,
/// are told apart by what is shown alone.
pub fn authority_of<'a>(
    credential: &Credential,
    authorities: &'a [DeviceAuthority],
) -> Result<Option<&'a Fact<TrustAnchor>>, &'static str> {
    let Some(certificate) = &credential.certificate else { return Ok(None) };
    let is_shown = authorities.iter().any(|authority| authority.is_shown);
    let of = |authority: &&DeviceAuthority| match is_shown {
        true => authority.is_shown,
        false => authority.name == certificate.issuer,
    };
    let mut candidates = authorities.iter().filter(of).map(|authority| &authority.anchor).peekable();
    let disabled = candidates.peek().is_some();
    match candidates.find(|anchor| anchor.state == TrustAnchorState::Trusted) {
        Some(trusted) => Ok(Some(trusted)),
        None if disabled => Err("disabled_trust_anchor"),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{credential, device_key, fact};

    fn authority(id: &str, name: &str, state: TrustAnchorState, is_shown: bool) -> DeviceAuthority {
        let anchor = TrustAnchor {
            id: id.parse().unwrap(),
            product: "prd_spk2".parse().unwrap(),
            name: String::new(),
            certificate: String::new(),
            thumbprint: id.into(),
            state,
        };
        DeviceAuthority { anchor: fact(anchor), name: name.into(), is_shown }
    }

    #[test]
    fn a_certificate_stands_under_what_it_leads_to_or_under_its_issuers_name() {
        use TrustAnchorState::{Disabled, Trusted};
        let held = credential("crd_1", &device_key());
        let found = |authorities: &[DeviceAuthority]| {
            authority_of(&held, authorities).map(|found| found.map(|anchor| anchor.id.to_string()))
        };
        let own = |state, is_shown| authority("ca_1", "issuer-1", state, is_shown);
        assert_eq!(found(&[]), Ok(None));
        assert_eq!(found(&[authority("ca_2", "other", Disabled, false)]), Ok(None));
        assert_eq!(found(&[own(Trusted, false)]), Ok(Some("ca_1".into())));
        assert_eq!(found(&[own(Disabled, false)]), Err("disabled_trust_anchor"));
        assert_eq!(found(&[own(Disabled, true)]), Err("disabled_trust_anchor"));
        let far = |state| authority("ca_2", "root", state, true);
        assert_eq!(
            found(&[far(Disabled), own(Trusted, false)]),
            Err("disabled_trust_anchor"),
            "what it leads to counts"
        );
        let renamed = authority("ca_2", "issuer-1", Trusted, false);
        assert_eq!(found(&[own(Disabled, false), renamed]), Ok(Some("ca_2".into())), "the same name with a new key");
        let bare = Credential { certificate: None, ..held.clone() };
        assert_eq!(authority_of(&bare, &[own(Disabled, true)]), Ok(None));
    }
}
