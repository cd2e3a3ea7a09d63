//! Under which authority a device's certificate stands: what a disabled one
//! signed counts nowhere, whether the certificate is shown or its key alone.

use crate::trust_anchor::TrustAnchorState;
use crate::{Credential, Fact, TrustAnchor, TrustAnchorId};

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

/// The authorities a credential stands under: the one that the connection's
/// certificates lead to, else the one they led to at its last call home, else the
/// one of its issuer's name. Where none of these tells, as for a certificate of an
/// authority in between that nobody ever showed, it stands under every one: it
/// counts while none of them is disabled, and falls with the first. A bare key
/// stands under none.
///
/// # Errors
/// The named cause where it is disabled. Two of one name, one of them trusted,
/// are told apart by what is or was shown alone.
pub fn authorities_of<'a>(
    credential: &Credential,
    authorities: &'a [DeviceAuthority],
) -> Result<Vec<&'a Fact<TrustAnchor>>, &'static str> {
    let Some(certificate) = &credential.certificate else { return Ok(Vec::new()) };
    let is_shown = authorities.iter().any(|authority| authority.is_shown);
    let known = |id: &TrustAnchorId| authorities.iter().any(|authority| authority.anchor.id == *id);
    let seen = credential.authority.as_ref().filter(|id| known(id));
    let of = |authority: &&DeviceAuthority| match seen {
        _ if is_shown => authority.is_shown,
        Some(seen) => authority.anchor.id == *seen,
        None => authority.name == certificate.issuer,
    };
    let is_trusted = |anchor: &&&Fact<TrustAnchor>| anchor.state == TrustAnchorState::Trusted;
    let candidates: Vec<_> = authorities.iter().filter(of).map(|authority| &authority.anchor).collect();
    if let Some(trusted) = candidates.iter().find(is_trusted) {
        return Ok(vec![trusted]);
    }
    if !candidates.is_empty() {
        return Err("disabled_trust_anchor");
    }
    let all: Vec<_> = authorities.iter().map(|authority| &authority.anchor).collect();
    if all.iter().all(|anchor| is_trusted(&anchor)) { Ok(all) } else { Err("perhaps_of_a_disabled_trust_anchor") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::fixture::{credential, fact, trust_anchor};

    fn authority(id: &str, name: &str, state: TrustAnchorState, is_shown: bool) -> DeviceAuthority {
        let anchor = TrustAnchor { id: id.parse().unwrap(), state, ..trust_anchor() };
        DeviceAuthority { anchor: fact(anchor), name: name.into(), is_shown }
    }

    fn found(held: &Credential, authorities: &[DeviceAuthority]) -> Result<Vec<String>, &'static str> {
        authorities_of(held, authorities).map(|found| found.iter().map(|anchor| anchor.id.to_string()).collect())
    }

    use TrustAnchorState::{Disabled, Trusted};

    #[test]
    fn a_certificate_stands_under_what_it_leads_to_or_under_its_issuers_name() {
        let held = credential();
        let found = |authorities: &[DeviceAuthority]| found(&held, authorities);
        let own = |state, is_shown| authority("ca_1", "issuer-1", state, is_shown);
        assert_eq!(found(&[]), Ok(vec![]));
        assert_eq!(found(&[own(Trusted, false)]), Ok(vec!["ca_1".into()]));
        assert_eq!(found(&[own(Disabled, false)]), Err("disabled_trust_anchor"));
        assert_eq!(found(&[own(Disabled, true)]), Err("disabled_trust_anchor"));
        let far = |state| authority("ca_2", "root", state, true);
        assert_eq!(
            found(&[far(Disabled), own(Trusted, false)]),
            Err("disabled_trust_anchor"),
            "what it leads to counts"
        );
        let renamed = authority("ca_2", "issuer-1", Trusted, false);
        assert_eq!(found(&[own(Disabled, false), renamed]), Ok(vec!["ca_2".into()]), "the same name with a new key");
        let bare = Credential { certificate: None, ..held.clone() };
        assert_eq!(super::authorities_of(&bare, &[own(Disabled, true)]).unwrap(), Vec::<&Fact<TrustAnchor>>::new());
    }

    #[test]
    fn what_was_seen_at_a_call_home_tells_the_authority_that_no_name_tells() {
        let seen = |id: &str| Credential { authority: Some(id.parse().unwrap()), ..credential() };
        let root = |state| authority("ca_1", "root", state, false);
        let other = |state| authority("ca_2", "other", state, false);
        assert_eq!(found(&seen("ca_1"), &[root(Disabled), other(Trusted)]), Err("disabled_trust_anchor"));
        assert_eq!(found(&seen("ca_2"), &[root(Disabled), other(Trusted)]), Ok(vec!["ca_2".into()]));
        let same_name = authority("ca_2", "issuer-1", Trusted, false);
        assert_eq!(
            found(&seen("ca_1"), &[root(Disabled), same_name]),
            Err("disabled_trust_anchor"),
            "what was seen counts before a name"
        );
    }

    #[test]
    fn a_certificate_that_nothing_tells_of_stands_under_every_authority() {
        let held = credential();
        let (root, other) =
            (|state| authority("ca_1", "root", state, false), authority("ca_2", "other", Trusted, false));
        assert_eq!(found(&held, &[root(Trusted), other.clone()]), Ok(vec!["ca_1".into(), "ca_2".into()]));
        assert_eq!(found(&held, &[root(Disabled), other.clone()]), Err("perhaps_of_a_disabled_trust_anchor"));
        let gone = Credential { authority: Some("ca_9".parse().unwrap()), ..held };
        assert_eq!(found(&gone, &[root(Disabled), other]), Err("perhaps_of_a_disabled_trust_anchor"));
    }
}
