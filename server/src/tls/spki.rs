//! Where the public key stands in a certificate, whatever else is wrong with it (RFC 5280 §4.1).

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;

/// The DER of SubjectPublicKeyInfo: the sixth part of what is signed, after serial number,
/// algorithm, issuer, validity and subject; an explicit version may stand first.
pub(super) fn subject_public_key_info(certificate: &[u8]) -> Option<&[u8]> {
    let (whole, _) = element(certificate, SEQUENCE)?;
    let (mut signed, _) = element(whole.content, SEQUENCE)?;
    if let Some((_, rest)) = element(signed.content, VERSION) {
        signed.content = rest;
    }
    let mut rest = element(signed.content, INTEGER)?.1;
    for _ in ["algorithm", "issuer", "validity", "subject"] {
        rest = element(rest, SEQUENCE)?.1;
    }
    element(rest, SEQUENCE).map(|(spki, _)| spki.whole)
}

struct Element<'a> {
    whole: &'a [u8],
    content: &'a [u8],
}

/// The element at the beginning, if it has that tag, and what follows it. Lengths of up to four
/// bytes: a certificate is far smaller.
fn element(bytes: &[u8], tag: u8) -> Option<(Element<'_>, &[u8])> {
    let (found, after_tag) = bytes.split_first()?;
    if *found != tag {
        return None;
    }
    let (first, after_first) = after_tag.split_first()?;
    let (length, after_length) = match first {
        0..=0x7f => (usize::from(*first), after_first),
        0x81..=0x84 => {
            let (octets, rest) = after_first.split_at_checked(usize::from(first & 0x7f))?;
            let length = octets
                .iter()
                .try_fold(0_usize, |sum, octet| sum.checked_mul(256).map(|sum| sum | usize::from(*octet)))?;
            (length, rest)
        }
        _ => return None,
    };
    let (content, rest) = after_length.split_at_checked(length)?;
    let whole = bytes.get(..bytes.len() - rest.len())?;
    Some((Element { whole, content }, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, PublicKeyData};

    use super::*;

    #[test]
    fn the_key_is_found_where_it_stands() {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["a".to_owned()]).unwrap().self_signed(&key).unwrap();
        assert_eq!(subject_public_key_info(certificate.der()), Some(key.subject_public_key_info().as_slice()));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = subject_public_key_info(&bytes);
        }

        #[test]
        fn no_broken_certificate_makes_it_panic(place in 0usize..300, byte in any::<u8>(), cut in 0usize..400) {
            let key = KeyPair::generate().unwrap();
            let mut bytes = CertificateParams::new(["a".to_owned()]).unwrap().self_signed(&key).unwrap().der().to_vec();
            if let Some(found) = bytes.get_mut(place) {
                *found = byte;
            }
            bytes.truncate(cut);
            let _ = subject_public_key_info(&bytes);
        }
    }
}
