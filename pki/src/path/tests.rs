use std::sync::LazyLock;

use super::*;
use crate::certificate::CertificateError;
use crate::der::tag;
use crate::forge::{
    ANY_USAGE, Actor, BASIC_CONSTRAINTS, CLIENT_AUTH, Draft, EXTENDED_KEY_USAGE, KEY_USAGE, NAME_CONSTRAINTS, NOW,
    SERVER_AUTH, SUBJECT_ALT_NAME, authority_constraints, general_names, oid, sequence, tlv, usages, vectors,
};

/// A root, an intermediate below it and a device below that.
struct World {
    root: Actor,
    middle: Actor,
    device: Actor,
    anchors: AnchorSet,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let root = Actor::new("Factory Root");
    let mut anchors = AnchorSet::new();
    anchors.add(Draft::authority(&root, &root).signed_by(&root)).unwrap();
    World { root, middle: Actor::new("Factory CA"), device: Actor::new("dev_1"), anchors }
});

impl World {
    fn middle(&self) -> Draft {
        Draft::authority(&self.middle, &self.root)
    }

    fn leaf(&self) -> Draft {
        Draft::leaf(&self.device, &self.middle)
    }

    fn good_chain(&self) -> Vec<Certificate> {
        vec![self.leaf().signed_by(&self.middle), self.middle().signed_by(&self.root)]
    }

    fn with_leaf(&self, leaf: Draft) -> Result<VerifiedPath, PathRefusal> {
        let chain = [leaf.signed_by(&self.middle), self.middle().signed_by(&self.root)];
        self.verify(&chain)
    }

    fn with_middle(&self, middle: Draft) -> Result<VerifiedPath, PathRefusal> {
        let chain = [self.leaf().signed_by(&self.middle), middle.signed_by(&self.root)];
        self.verify(&chain)
    }

    fn verify(&self, chain: &[Certificate]) -> Result<VerifiedPath, PathRefusal> {
        verify(chain, &self.anchors, NOW, &PathPolicy::default())
    }
}

fn anchors(certificates: &[Certificate]) -> AnchorSet {
    let mut set = AnchorSet::new();
    for certificate in certificates {
        set.add(certificate.clone()).unwrap();
    }
    set
}

fn cause<T>(outcome: Result<T, PathRefusal>) -> PathRefusal {
    outcome.err().expect("a refusal was wanted")
}

fn utc(text: &str) -> Vec<u8> {
    tlv(tag::UTC_TIME, text.as_bytes())
}

#[test]
fn a_good_chain_leads_to_its_anchor_and_says_which() {
    let world = &*WORLD;
    let chain = world.good_chain();
    let path = world.verify(&chain).unwrap();
    assert_eq!(path.leaf(), &chain[0]);
    assert_eq!(path.intermediates(), &chain[1..]);
    assert_eq!(path.anchor_index(), 0);
    assert_eq!(path.anchor(), &world.anchors.certificates()[0]);
}

#[test]
fn the_published_leaves_verify_under_their_own_authority_only() {
    let device_authority = vectors::certificate(vectors::DEVICE_AUTHORITY);
    let operational_authority = vectors::certificate(vectors::OPERATIONAL_AUTHORITY);
    let policy = PathPolicy::default();
    for (leaf, own, other) in [
        (vectors::certificate(vectors::DEVICE), &device_authority, &operational_authority),
        (vectors::operational(), &operational_authority, &device_authority),
    ] {
        let chain = [leaf];
        let own = anchors(std::slice::from_ref(own));
        let other = anchors(std::slice::from_ref(other));
        assert!(verify(&chain, &own, NOW, &policy).is_ok());
        assert_eq!(cause(verify(&chain, &other, NOW, &policy)), PathRefusal::UnknownIssuer);
        assert_eq!(cause(verify(&chain, &AnchorSet::new(), NOW, &policy)), PathRefusal::UnknownIssuer);
    }
}

#[test]
fn the_anchor_that_was_used_is_told_among_several() {
    let set = anchors(&[
        vectors::certificate(vectors::OPERATIONAL_AUTHORITY),
        vectors::certificate(vectors::DEVICE_AUTHORITY),
    ]);
    let chain = [vectors::certificate(vectors::DEVICE)];
    let path = verify(&chain, &set, NOW, &PathPolicy::default()).unwrap();
    assert_eq!(path.anchor_index(), 1);
    assert_eq!(path.anchor(), &set.certificates()[1]);
}

#[test]
fn every_changed_byte_of_the_published_leaf_is_refused() {
    let set = anchors(&[vectors::certificate(vectors::DEVICE_AUTHORITY)]);
    let good = vectors::certificate(vectors::DEVICE);
    for position in 0..good.der().len() {
        let mut bytes = good.der().to_vec();
        bytes[position] ^= 0x01;
        if let Ok(changed) = Certificate::parse(&bytes) {
            let outcome = verify(&[changed], &set, NOW, &PathPolicy::default());
            assert!(outcome.is_err(), "byte {position}");
        }
    }
}

#[test]
fn a_missing_intermediate_is_an_unknown_issuer() {
    let chain = WORLD.good_chain();
    assert_eq!(cause(WORLD.verify(&chain[..1])), PathRefusal::UnknownIssuer);
    assert_eq!(cause(WORLD.verify(&[])), PathRefusal::Empty);
}

#[test]
fn wrong_order_and_unrelated_certificates_above_the_leaf_do_not_matter() {
    let world = &*WORLD;
    let (low, stranger) = (Actor::new("Line CA"), Actor::new("Stranger"));
    let leaf = Draft::leaf(&world.device, &low).signed_by(&low);
    let low_certificate = Draft::authority(&low, &world.middle).signed_by(&world.middle);
    let middle = world.middle().signed_by(&world.root);
    let unrelated = Draft::leaf(&stranger, &stranger).signed_by(&stranger);
    let root = world.anchors.certificates()[0].clone();
    let chain = [leaf, unrelated, root, middle.clone(), low_certificate.clone()];
    let path = world.verify(&chain).unwrap();
    assert_eq!(path.intermediates(), [low_certificate, middle]);
}

#[test]
fn the_leaf_is_the_first_certificate_and_no_other() {
    let mut chain = WORLD.good_chain();
    chain.reverse();
    assert_eq!(cause(WORLD.verify(&chain)), PathRefusal::LeafIsAuthority);
}

#[test]
fn an_authority_of_the_same_name_with_another_key_is_not_trusted() {
    let impostor = Actor::new("Factory CA");
    let leaf = WORLD.leaf().signed_by(&impostor);
    let own = Draft::authority(&impostor, &impostor).signed_by(&impostor);
    assert_eq!(cause(WORLD.verify(std::slice::from_ref(&leaf))), PathRefusal::UnknownIssuer);
    assert_eq!(cause(WORLD.verify(&[leaf.clone(), own])), PathRefusal::UnknownIssuer);
    let true_middle = WORLD.middle().signed_by(&WORLD.root);
    assert_eq!(cause(WORLD.verify(&[leaf, true_middle])), PathRefusal::BadSignature);
}

#[test]
fn a_self_made_leaf_is_refused() {
    let device = &WORLD.device;
    let leaf = Draft::leaf(device, device).signed_by(device);
    assert_eq!(cause(WORLD.verify(&[leaf])), PathRefusal::UnknownIssuer);
}

#[test]
fn a_leaf_is_not_an_issuer() {
    let world = &*WORLD;
    let victim = Actor::new("dev_2");
    let forged = Draft::leaf(&victim, &world.device).signed_by(&world.device);
    let mut chain = vec![forged];
    chain.extend(world.good_chain());
    assert_eq!(cause(world.verify(&chain)), PathRefusal::IssuerNotAuthority);
    let unmarked = world.middle().without(BASIC_CONSTRAINTS);
    assert_eq!(cause(world.with_middle(unmarked)), PathRefusal::IssuerNotAuthority);
}

#[test]
fn an_authority_is_not_a_leaf() {
    let leaf = WORLD.leaf().extension(BASIC_CONSTRAINTS, true, &authority_constraints(None));
    assert_eq!(cause(WORLD.with_leaf(leaf)), PathRefusal::LeafIsAuthority);
}

#[test]
fn key_usage_counts_on_the_leaf_and_on_every_issuer() {
    let encipherment = tlv(tag::BIT_STRING, &[5, 0x20]);
    let leaf = WORLD.leaf().extension(KEY_USAGE, true, &encipherment);
    assert_eq!(cause(WORLD.with_leaf(leaf)), PathRefusal::LeafKeyUsage);
    let signature_only = tlv(tag::BIT_STRING, &[7, 0x80]);
    let middle = WORLD.middle().extension(KEY_USAGE, false, &signature_only);
    assert_eq!(cause(WORLD.with_middle(middle)), PathRefusal::IssuerKeyUsage);
    assert!(WORLD.with_leaf(WORLD.leaf().without(KEY_USAGE)).is_ok());
    assert!(WORLD.with_middle(WORLD.middle().without(KEY_USAGE)).is_ok());
}

#[test]
fn extended_key_usage_needs_client_auth_on_the_leaf_and_on_intermediates() {
    for (listed, wanted) in [
        (&[CLIENT_AUTH][..], None),
        (&[CLIENT_AUTH, SERVER_AUTH], None),
        (&[CLIENT_AUTH, ANY_USAGE], None),
        (&[SERVER_AUTH], Some(PathRefusal::ExtendedKeyUsage)),
        (&[ANY_USAGE], Some(PathRefusal::AnyExtendedKeyUsageAlone)),
        (&[ANY_USAGE, SERVER_AUTH], Some(PathRefusal::AnyExtendedKeyUsageAlone)),
    ] {
        let value = usages(listed);
        let leaf = WORLD.leaf().extension(EXTENDED_KEY_USAGE, false, &value);
        assert_eq!(WORLD.with_leaf(leaf).err(), wanted, "leaf {listed:?}");
        let middle = WORLD.middle().extension(EXTENDED_KEY_USAGE, false, &value);
        assert_eq!(WORLD.with_middle(middle).err(), wanted, "middle {listed:?}");
    }
}

#[test]
fn the_bounds_of_validity_are_inside() {
    let leaf = WORLD.leaf().change(|draft| {
        draft.not_before = utc("250615150640Z");
        draft.not_after = utc("250615150740Z");
    });
    let chain = [leaf.signed_by(&WORLD.middle), WORLD.middle().signed_by(&WORLD.root)];
    let at = |now| verify(&chain, &WORLD.anchors, now, &PathPolicy::default()).err();
    assert_eq!(at(NOW - 1), Some(PathRefusal::NotYetValid));
    assert_eq!(at(NOW), None);
    assert_eq!(at(NOW + 60), None);
    let expired = PathRefusal::Expired { path_was_valid: true };
    assert_eq!(at(NOW + 61), Some(expired));
    assert_eq!(at(-1), Some(PathRefusal::NotYetValid));
}

#[test]
fn an_expired_leaf_tells_whether_its_path_was_valid() {
    let old = |draft: Draft| draft.change(|draft| draft.not_after = utc("250601000000Z"));
    let known = cause(WORLD.with_leaf(old(WORLD.leaf())));
    assert_eq!(known, PathRefusal::Expired { path_was_valid: true });
    let stranger = Actor::new("Stranger CA");
    let foreign = old(Draft::leaf(&WORLD.device, &stranger)).signed_by(&stranger);
    let never = PathRefusal::Expired { path_was_valid: false };
    assert_eq!(cause(WORLD.verify(&[foreign])), never);
    let forged = old(WORLD.leaf()).signed_by(&stranger);
    let middle = WORLD.middle().signed_by(&WORLD.root);
    assert_eq!(cause(WORLD.verify(&[forged, middle])), never);
}

#[test]
fn an_expired_or_future_intermediate_is_not_the_fault_of_the_leaf() {
    let expired = WORLD.middle().change(|draft| draft.not_after = utc("250601000000Z"));
    assert_eq!(cause(WORLD.with_middle(expired)), PathRefusal::IssuerExpired);
    let future = WORLD.middle().change(|draft| draft.not_before = utc("260101000000Z"));
    assert_eq!(cause(WORLD.with_middle(future)), PathRefusal::IssuerNotYetValid);
}

#[test]
fn a_device_without_an_end_is_valid_in_the_last_second_and_not_after() {
    let last = 253_402_300_799;
    let leaf = WORLD.good_chain();
    assert_eq!(leaf[0].not_after(), last);
    let at = |now| verify(&leaf, &WORLD.anchors, now, &PathPolicy::default()).err();
    assert_eq!(at(last), None);
    assert!(matches!(at(last + 1), Some(PathRefusal::Expired { .. })));
    assert!(matches!(at(i64::MAX), Some(PathRefusal::Expired { .. })));
}

#[test]
fn the_dates_of_an_anchor_count_by_policy() {
    let root = Draft::authority(&WORLD.root, &WORLD.root)
        .change(|draft| draft.not_after = utc("250601000000Z"))
        .signed_by(&WORLD.root);
    let set = anchors(&[root]);
    let chain = WORLD.good_chain();
    assert_eq!(cause(verify(&chain, &set, NOW, &PathPolicy::default())), PathRefusal::AnchorOutsideValidity);
    let lenient = PathPolicy { anchor_dates: AnchorDates::Ignored };
    assert!(verify(&chain, &set, NOW, &lenient).is_ok());
}

#[test]
fn path_length_counts_intermediates_and_not_the_leaf() {
    let world = &*WORLD;
    let zero = world.middle().extension(BASIC_CONSTRAINTS, true, &authority_constraints(Some(0)));
    assert!(world.with_middle(zero.clone()).is_ok());
    let low = Actor::new("Line CA");
    let chain = [
        Draft::leaf(&world.device, &low).signed_by(&low),
        Draft::authority(&low, &world.middle).signed_by(&world.middle),
        zero.signed_by(&world.root),
    ];
    assert_eq!(cause(world.verify(&chain)), PathRefusal::PathLengthExceeded);
}

#[test]
fn the_path_length_of_an_anchor_counts_too() {
    let root = Draft::authority(&WORLD.root, &WORLD.root)
        .extension(BASIC_CONSTRAINTS, true, &authority_constraints(Some(0)))
        .signed_by(&WORLD.root);
    let set = anchors(&[root]);
    assert_eq!(cause(verify(&WORLD.good_chain(), &set, NOW, &PathPolicy::default())), PathRefusal::PathLengthExceeded);
    let direct = [Draft::leaf(&WORLD.device, &WORLD.root).signed_by(&WORLD.root)];
    assert!(verify(&direct, &set, NOW, &PathPolicy::default()).is_ok());
}

#[test]
fn a_path_of_more_than_five_certificates_is_too_deep() {
    for (intermediates, wanted) in [(3, None), (4, Some(PathRefusal::TooDeep))] {
        let actors: Vec<Actor> = (0..intermediates).map(|level| Actor::new(&format!("Level {level}"))).collect();
        let mut above = &WORLD.root;
        let mut chain = Vec::new();
        for actor in &actors {
            chain.insert(0, Draft::authority(actor, above).signed_by(above));
            above = actor;
        }
        chain.insert(0, Draft::leaf(&WORLD.device, above).signed_by(above));
        assert_eq!(WORLD.verify(&chain).err(), wanted, "{intermediates}");
    }
}

#[test]
fn too_many_or_too_large_certificates_are_refused_before_any_signature() {
    let mut many = WORLD.good_chain();
    many.resize(MAX_PRESENTED, many[1].clone());
    assert!(WORLD.verify(&many).is_ok());
    many.push(many[1].clone());
    assert_eq!(cause(WORLD.verify(&many)), PathRefusal::TooLarge);
    let padding = vec![0; 30_000];
    let fat = WORLD.leaf().extension("1.3.6.1.4.1.99999.1", false, &padding).signed_by(&WORLD.middle);
    let heavy = [fat.clone(), fat.clone(), fat];
    assert_eq!(cause(WORLD.verify(&heavy)), PathRefusal::TooLarge);
    let giant = vec![0; MAX_CHAIN_BYTES];
    let der = WORLD.leaf().extension("1.3.6.1.4.1.99999.1", false, &giant).der(&WORLD.middle);
    assert_eq!(Certificate::parse(&der), Err(CertificateError::TooLarge));
}

#[test]
fn weak_signatures_are_refused_on_leaf_and_intermediate() {
    let sha1 = sequence(&[&oid("1.2.840.10045.4.1")]);
    let leaf = WORLD.leaf().change(|draft| draft.algorithm = sha1.clone());
    assert_eq!(cause(WORLD.with_leaf(leaf)), PathRefusal::WeakAlgorithm);
    let middle = WORLD.middle().change(|draft| draft.algorithm = sha1);
    assert_eq!(cause(WORLD.with_middle(middle)), PathRefusal::WeakAlgorithm);
}

#[test]
fn every_algorithm_above_the_floor_verifies() {
    let rsa = || rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048);
    let keys = [
        rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap(),
        rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap(),
        rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap(),
        rsa().unwrap(),
    ];
    for key in keys {
        let algorithm = key.algorithm();
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let root = Certificate::parse(params.self_signed(&key).unwrap().der()).unwrap();
        let issuer = rcgen::Issuer::new(params, key);
        let leaf = rcgen::CertificateParams::default().signed_by(issuer.key(), &issuer).unwrap();
        let chain = [Certificate::parse(leaf.der()).unwrap()];
        let outcome = verify(&chain, &anchors(&[root]), NOW, &PathPolicy::default());
        assert!(outcome.is_ok(), "{algorithm:?}: {outcome:?}");
    }
}

#[test]
fn a_curve_outside_the_list_is_refused() {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
    let leaf = WORLD.leaf().change(|draft| draft.spki = rcgen::PublicKeyData::subject_public_key_info(&key));
    assert_eq!(cause(WORLD.with_leaf(leaf)), PathRefusal::WeakAlgorithm);
}

fn rsa_spki(bits: usize) -> Vec<u8> {
    let mut modulus = vec![0];
    modulus.resize(1 + bits / 8, 0xc3);
    let key = sequence(&[&tlv(tag::INTEGER, &modulus), &tlv(tag::INTEGER, &[1, 0, 1])]);
    let algorithm = sequence(&[&oid("1.2.840.113549.1.1.1"), &tlv(tag::NULL, &[])]);
    sequence(&[&algorithm, &tlv(tag::BIT_STRING, &[vec![0], key].concat())])
}

#[test]
fn small_rsa_keys_are_refused_on_leaf_intermediate_and_anchor() {
    for (bits, wanted) in [
        (1024, Some(PathRefusal::WeakAlgorithm)),
        (2040, Some(PathRefusal::WeakAlgorithm)),
        (2048, None),
        (8200, Some(PathRefusal::WeakAlgorithm)),
    ] {
        let leaf = WORLD.leaf().change(|draft| draft.spki = rsa_spki(bits));
        assert_eq!(WORLD.with_leaf(leaf).err(), wanted, "{bits}");
    }
    let middle = WORLD.middle().change(|draft| draft.spki = rsa_spki(1024));
    assert_eq!(cause(WORLD.with_middle(middle)), PathRefusal::WeakAlgorithm);
    let root =
        Draft::authority(&WORLD.root, &WORLD.root).change(|draft| draft.spki = rsa_spki(1024)).signed_by(&WORLD.root);
    assert_eq!(AnchorSet::new().add(root), Err(PathRefusal::WeakAlgorithm));
}

/// The key of `actor` with its curve given as numbers; which numbers does not matter.
fn explicit_curve(actor: &Actor) -> Vec<u8> {
    let curve = sequence(&[&tlv(tag::INTEGER, &[1])]);
    let algorithm = sequence(&[&oid("1.2.840.10045.2.1"), &curve]);
    let named = actor.key.spki_der();
    let point = &named[named.len() - 65..];
    sequence(&[&algorithm, &tlv(tag::BIT_STRING, &[&[0], point].concat())])
}

#[test]
fn a_curve_given_as_numbers_is_refused() {
    let leaf = WORLD.leaf().change(|draft| draft.spki = explicit_curve(&WORLD.device));
    assert_eq!(cause(WORLD.with_leaf(leaf)), PathRefusal::ExplicitEcParameters);
    let middle = WORLD.middle().change(|draft| draft.spki = explicit_curve(&WORLD.middle));
    assert_eq!(cause(WORLD.with_middle(middle)), PathRefusal::ExplicitEcParameters);
}

#[test]
fn versions_one_and_two_are_refused() {
    for version in [None, Some(1)] {
        let old = |draft: Draft| {
            draft.change(|draft| {
                draft.version = version;
                draft.extensions.clear();
            })
        };
        assert_eq!(cause(WORLD.with_leaf(old(WORLD.leaf()))), PathRefusal::NotVersion3);
        assert_eq!(cause(WORLD.with_middle(old(WORLD.middle()))), PathRefusal::NotVersion3);
    }
}

#[test]
fn a_critical_extension_nobody_enforces_is_refused() {
    let unknown = "1.3.6.1.4.1.99999.1";
    // certificatePolicies and cRLDistributionPoints are known to others, not enforced here.
    for kind in [unknown, "2.5.29.32", "2.5.29.31", "2.5.29.36"] {
        let value = sequence(&[]);
        let leaf = WORLD.leaf().extension(kind, true, &value);
        assert_eq!(cause(WORLD.with_leaf(leaf)), PathRefusal::UnknownCriticalExtension);
        let middle = WORLD.middle().extension(kind, true, &value);
        assert_eq!(cause(WORLD.with_middle(middle)), PathRefusal::UnknownCriticalExtension);
    }
    let ignored = WORLD.leaf().extension(unknown, false, b"anything");
    assert!(WORLD.with_leaf(ignored).is_ok());
}

#[test]
fn name_constraints_of_intermediate_and_anchor_hold() {
    // permitted: dNSName devices.example
    let base = sequence(&[&tlv(0x82, b"devices.example")]);
    let constraints = sequence(&[&tlv(0xa0, &base)]);
    let chain = |dns: &[u8], root: &Actor, middle: Draft| {
        let names = general_names(&[tlv(0x82, dns)]);
        let leaf = WORLD.leaf().extension(SUBJECT_ALT_NAME, false, &names);
        [leaf.signed_by(&WORLD.middle), middle.signed_by(root)]
    };
    let bound = WORLD.middle().extension(NAME_CONSTRAINTS, true, &constraints);
    let inside = chain(b"d1.devices.example", &WORLD.root, bound.clone());
    assert!(WORLD.verify(&inside).is_ok());
    let outside = chain(b"d1.other.example", &WORLD.root, bound);
    assert_eq!(cause(WORLD.verify(&outside)), PathRefusal::NameConstraints);

    let root = Draft::authority(&WORLD.root, &WORLD.root)
        .extension(NAME_CONSTRAINTS, true, &constraints)
        .signed_by(&WORLD.root);
    let set = anchors(&[root]);
    let outside = chain(b"d1.other.example", &WORLD.root, WORLD.middle());
    assert_eq!(cause(verify(&outside, &set, NOW, &PathPolicy::default())), PathRefusal::NameConstraints);
}

#[test]
fn an_anchor_must_be_an_authority() {
    let leaf = Draft::leaf(&WORLD.device, &WORLD.device).signed_by(&WORLD.device);
    assert_eq!(AnchorSet::new().add(leaf), Err(PathRefusal::IssuerNotAuthority));
    let no_sign = Draft::authority(&WORLD.root, &WORLD.root)
        .extension(KEY_USAGE, true, &tlv(tag::BIT_STRING, &[7, 0x80]))
        .signed_by(&WORLD.root);
    assert_eq!(AnchorSet::new().add(no_sign), Err(PathRefusal::IssuerKeyUsage));
}

#[test]
fn the_same_common_name_with_another_key_is_another_certificate_and_key() {
    let twin = Actor::new("dev_1");
    let original = WORLD.leaf().signed_by(&WORLD.middle);
    let second = Draft::leaf(&twin, &WORLD.middle).signed_by(&WORLD.middle);
    let middle = WORLD.middle().signed_by(&WORLD.root);
    let path = WORLD.verify(&[second.clone(), middle]).unwrap();
    assert_eq!(path.leaf().subject(), original.subject());
    assert_ne!(path.leaf().spki_sha256(), original.spki_sha256());
    assert_ne!(path.leaf().thumbprint(), original.thumbprint());
}
