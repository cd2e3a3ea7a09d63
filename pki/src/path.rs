//! From a leaf to a trusted authority (RFC 5280 §6): devices' anchors, never web roots.
//! Owns: the causes of refusal, limits, key usage, algorithm floor, which anchor was used.
//! Does not own: signatures, dates and name constraints one by one (rustls-webpki), revocation,
//! the registry, and what a caller makes of an expired leaf.

use std::cell::Cell;
use std::fmt;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use crate::certificate::{Certificate, MAX_CHAIN_BYTES, SignatureAlgorithm};
use crate::key::PublicKeyKind;

/// Most certificates from leaf to anchor, both counted.
pub const MAX_DEPTH: usize = 5;
/// Most certificates a peer may present; those off the path are passed over.
pub const MAX_PRESENTED: usize = 10;

/// ECDSA on P-256 and P-384, Ed25519, RSA from 2048 bits; SHA-256 and above.
const ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    webpki::aws_lc_rs::ECDSA_P256_SHA256,
    webpki::aws_lc_rs::ECDSA_P256_SHA384,
    webpki::aws_lc_rs::ECDSA_P256_SHA512,
    webpki::aws_lc_rs::ECDSA_P384_SHA256,
    webpki::aws_lc_rs::ECDSA_P384_SHA384,
    webpki::aws_lc_rs::ECDSA_P384_SHA512,
    webpki::aws_lc_rs::ED25519,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA384,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA512,
    webpki::aws_lc_rs::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    webpki::aws_lc_rs::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    webpki::aws_lc_rs::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
];

/// Why there is no path. One cause per check, for logs and tests; outside it is one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PathRefusal {
    /// No certificate was presented.
    #[error("no certificate was presented")]
    Empty,
    /// More than [`MAX_CHAIN_BYTES`] together, or more than [`MAX_PRESENTED`] certificates.
    #[error("the chain is too large")]
    TooLarge,
    /// The path has more than [`MAX_DEPTH`] certificates.
    #[error("the path is too deep")]
    TooDeep,
    /// A certificate that the path library cannot read.
    #[error("a certificate of the chain is malformed")]
    Malformed,
    /// No anchor of the set leads to the leaf, or an intermediate is missing.
    #[error("no trusted authority leads to the certificate")]
    UnknownIssuer,
    /// A signature does not verify with the issuer's key.
    #[error("a signature in the chain does not verify")]
    BadSignature,
    /// A key or signature below the floor: SHA-1, RSA under 2048 bits, an unknown algorithm.
    #[error("a key or signature in the chain is too weak")]
    WeakAlgorithm,
    /// A curve given as numbers instead of by name (RFC 5480 §2.1.1).
    #[error("a key spells out its curve")]
    ExplicitEcParameters,
    /// Not an X.509 version 3 certificate.
    #[error("a certificate is not of version 3")]
    NotVersion3,
    /// The leaf's `notAfter` has passed (the bound itself is inside).
    #[error("the certificate has expired")]
    Expired {
        /// Whether everything else held at the leaf's `notAfter`: it may ask for renewal.
        path_was_valid: bool,
    },
    /// The leaf's `notBefore` has not come (the bound itself is inside).
    #[error("the certificate is not valid yet")]
    NotYetValid,
    /// The `notAfter` of an intermediate has passed.
    #[error("an intermediate authority has expired")]
    IssuerExpired,
    /// The `notBefore` of an intermediate has not come.
    #[error("an intermediate authority is not valid yet")]
    IssuerNotYetValid,
    /// The anchor's own dates exclude now, and the policy asks for them (RFC 5280 §6.1.1 d).
    #[error("the trusted authority is outside its own dates")]
    AnchorOutsideValidity,
    /// The leaf is the certificate of an authority.
    #[error("the certificate is that of an authority")]
    LeafIsAuthority,
    /// An issuer is not an authority (basicConstraints absent or false).
    #[error("an issuer in the chain is not an authority")]
    IssuerNotAuthority,
    /// More intermediates below an authority than its pathLenConstraint allows.
    #[error("an authority allows fewer intermediates")]
    PathLengthExceeded,
    /// The leaf's keyUsage lacks digitalSignature.
    #[error("the key usage does not allow signatures")]
    LeafKeyUsage,
    /// An issuer's keyUsage lacks keyCertSign.
    #[error("an issuer's key usage does not allow certificates")]
    IssuerKeyUsage,
    /// extendedKeyUsage is there without clientAuth, on the leaf or an intermediate.
    #[error("the extended key usage does not allow clients")]
    ExtendedKeyUsage,
    /// extendedKeyUsage has anyExtendedKeyUsage, but not clientAuth.
    #[error("the extended key usage says any, not client")]
    AnyExtendedKeyUsageAlone,
    /// A name outside an authority's name constraints.
    #[error("a name is outside the name constraints")]
    NameConstraints,
    /// A critical extension that nobody here enforces.
    #[error("a critical extension is not understood")]
    UnknownCriticalExtension,
}

impl PathRefusal {
    /// The named cause, stable for logs and tests.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Empty => "path_empty",
            Self::TooLarge => "path_too_large",
            Self::TooDeep => "path_too_deep",
            Self::Malformed => "path_malformed",
            Self::UnknownIssuer => "path_unknown_issuer",
            Self::BadSignature => "path_bad_signature",
            Self::WeakAlgorithm => "path_weak_algorithm",
            Self::ExplicitEcParameters => "path_explicit_ec_parameters",
            Self::NotVersion3 => "path_not_version3",
            Self::Expired { .. } => "path_expired",
            Self::NotYetValid => "path_not_yet_valid",
            Self::IssuerExpired => "path_issuer_expired",
            Self::IssuerNotYetValid => "path_issuer_not_yet_valid",
            Self::AnchorOutsideValidity => "path_anchor_outside_validity",
            Self::LeafIsAuthority => "path_leaf_is_authority",
            Self::IssuerNotAuthority => "path_issuer_not_authority",
            Self::PathLengthExceeded => "path_path_length_exceeded",
            Self::LeafKeyUsage => "path_leaf_key_usage",
            Self::IssuerKeyUsage => "path_issuer_key_usage",
            Self::ExtendedKeyUsage => "path_extended_key_usage",
            Self::AnyExtendedKeyUsageAlone => "path_any_extended_key_usage_alone",
            Self::NameConstraints => "path_name_constraints",
            Self::UnknownCriticalExtension => "path_unknown_critical_extension",
        }
    }
}

/// Whether an anchor's own dates count (RFC 5280 §6.1.1 d leaves it to the one who trusts it).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AnchorDates {
    /// An anchor outside its dates leads nowhere.
    #[default]
    Enforced,
    /// An anchor is trusted until it is taken from the set.
    Ignored,
}

/// What the one who trusts decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PathPolicy {
    /// Whether the anchor's own dates count.
    pub anchor_dates: AnchorDates,
}

/// The authorities trusted for one product. Empty by default: nobody is trusted.
#[derive(Clone, Default)]
pub struct AnchorSet {
    certificates: Vec<Certificate>,
    anchors: Vec<TrustAnchor<'static>>,
}

impl AnchorSet {
    /// A set that trusts nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts this authority. Adding one twice changes nothing.
    ///
    /// # Errors
    /// The cause for which the certificate could not be an issuer on a path.
    pub fn add(&mut self, certificate: Certificate) -> Result<(), PathRefusal> {
        screen_issuer(&certificate)?;
        if self.certificates.contains(&certificate) {
            return Ok(());
        }
        let der = CertificateDer::from(certificate.der());
        let anchor = webpki::anchor_from_trusted_cert(&der).map_err(|_| PathRefusal::Malformed)?.to_owned();
        self.anchors.push(anchor);
        self.certificates.push(certificate);
        Ok(())
    }

    /// The trusted certificates, in the order they were added.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    fn certificate_of(&self, anchor: &TrustAnchor<'_>) -> Option<(usize, &Certificate)> {
        let index = self.anchors.iter().position(|candidate| std::ptr::eq(candidate, anchor))?;
        Some((index, self.certificates.get(index)?))
    }
}

impl fmt::Debug for AnchorSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(&self.certificates).finish()
    }
}

/// Proof that a leaf hangs from an anchor; only [`verify`] makes one.
#[derive(Debug, Clone)]
pub struct VerifiedPath {
    leaf: Certificate,
    intermediates: Vec<Certificate>,
    anchor: Certificate,
    anchor_index: usize,
}

impl VerifiedPath {
    /// The certificate that was verified.
    pub fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// The intermediates that were used, from the leaf's issuer upwards.
    pub fn intermediates(&self) -> &[Certificate] {
        &self.intermediates
    }

    /// The authority it hangs from.
    pub fn anchor(&self) -> &Certificate {
        &self.anchor
    }

    /// The position of the anchor in the set that was given.
    pub fn anchor_index(&self) -> usize {
        self.anchor_index
    }
}

/// Verifies that the first certificate of `chain` hangs from one of `anchors` at `now` (seconds,
/// Unix time) and may authenticate a client.
///
/// The leaf stands first, as TLS demands; the others may come in any order and hold unrelated ones.
///
/// # Errors
/// [`PathRefusal`]. What can be seen on the leaf alone is told before what the path shows.
pub fn verify(
    chain: &[Certificate],
    anchors: &AnchorSet,
    now: i64,
    policy: &PathPolicy,
) -> Result<VerifiedPath, PathRefusal> {
    let (leaf, others) = chain.split_first().ok_or(PathRefusal::Empty)?;
    let bytes: usize = chain.iter().map(|certificate| certificate.der().len()).sum();
    if bytes > MAX_CHAIN_BYTES || chain.len() > MAX_PRESENTED {
        return Err(PathRefusal::TooLarge);
    }
    screen_leaf(leaf)?;
    let candidates = Candidates::screen(leaf, others);
    match candidates.verify_at(now, anchors, policy) {
        Err(PathRefusal::Expired { .. }) => Err(PathRefusal::Expired {
            path_was_valid: candidates.verify_at(leaf.not_after(), anchors, policy).is_ok(),
        }),
        outcome => outcome,
    }
}

/// What a leaf must be, whatever its path.
fn screen_leaf(leaf: &Certificate) -> Result<(), PathRefusal> {
    screen_any(leaf)?;
    if leaf.basic_constraints().is_some_and(|found| found.authority) {
        return Err(PathRefusal::LeafIsAuthority);
    }
    if !leaf.may_sign() {
        return Err(PathRefusal::LeafKeyUsage);
    }
    screen_extended_usage(leaf)
}

/// What an intermediate or anchor must be, whatever its path.
fn screen_issuer(issuer: &Certificate) -> Result<(), PathRefusal> {
    screen_any(issuer)?;
    if issuer.basic_constraints().is_none_or(|found| !found.authority) {
        return Err(PathRefusal::IssuerNotAuthority);
    }
    if !issuer.may_sign_certificates() {
        return Err(PathRefusal::IssuerKeyUsage);
    }
    screen_extended_usage(issuer)
}

fn screen_any(certificate: &Certificate) -> Result<(), PathRefusal> {
    if certificate.version() != 3 {
        return Err(PathRefusal::NotVersion3);
    }
    if certificate.key_kind() == PublicKeyKind::ExplicitCurve {
        return Err(PathRefusal::ExplicitEcParameters);
    }
    let weak = certificate.signature_algorithm() == SignatureAlgorithm::Weak;
    if weak || !certificate.key_kind().is_strong() {
        return Err(PathRefusal::WeakAlgorithm);
    }
    if certificate.has_unknown_critical_extension() {
        return Err(PathRefusal::UnknownCriticalExtension);
    }
    Ok(())
}

fn screen_extended_usage(certificate: &Certificate) -> Result<(), PathRefusal> {
    match certificate.extended_key_usage() {
        Some(usage) if usage.any && !usage.client => Err(PathRefusal::AnyExtendedKeyUsageAlone),
        Some(usage) if !usage.client => Err(PathRefusal::ExtendedKeyUsage),
        _ => Ok(()),
    }
}

/// A leaf with the presented certificates that could stand above it.
struct Candidates<'a> {
    leaf: &'a Certificate,
    issuers: Vec<&'a Certificate>,
    /// Presented certificates that cannot be issuers, and why.
    unfit: Vec<(&'a Certificate, PathRefusal)>,
}

impl<'a> Candidates<'a> {
    fn screen(leaf: &'a Certificate, others: &'a [Certificate]) -> Self {
        let mut issuers = Vec::new();
        let mut unfit = Vec::new();
        for certificate in others {
            match screen_issuer(certificate) {
                Ok(()) => issuers.push(certificate),
                Err(cause) => unfit.push((certificate, cause)),
            }
        }
        Self { leaf, issuers, unfit }
    }

    fn verify_at(&self, now: i64, anchors: &AnchorSet, policy: &PathPolicy) -> Result<VerifiedPath, PathRefusal> {
        let leaf_der = CertificateDer::from(self.leaf.der());
        let end_entity = EndEntityCert::try_from(&leaf_der).map_err(|error| self.cause(&error, now))?;
        let intermediates: Vec<_> =
            self.issuers.iter().map(|certificate| CertificateDer::from(certificate.der())).collect();
        // Before 1970 nothing of ours is valid; the clock of the caller is broken then.
        let seconds = u64::try_from(now).map_err(|_| PathRefusal::NotYetValid)?;
        let our_cause = Cell::new(None);
        let accept = |found: &webpki::VerifiedPath<'_>| {
            self.finish(found, anchors, now, policy).map(|_| ()).map_err(|cause| {
                our_cause.set(Some(cause));
                webpki::Error::UnknownIssuer
            })
        };
        let found = end_entity
            .verify_for_usage(
                ALGORITHMS,
                &anchors.anchors,
                &intermediates,
                UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
                KeyUsage::client_auth(),
                None,
                Some(&accept),
            )
            .map_err(|error| our_cause.get().unwrap_or_else(|| self.cause(&error, now)))?;
        self.finish(&found, anchors, now, policy)
    }

    /// The checks that need the whole path, and the proof.
    fn finish(
        &self,
        found: &webpki::VerifiedPath<'_>,
        anchors: &AnchorSet,
        now: i64,
        policy: &PathPolicy,
    ) -> Result<VerifiedPath, PathRefusal> {
        let (anchor_index, anchor) = anchors.certificate_of(found.anchor()).ok_or(PathRefusal::UnknownIssuer)?;
        let intermediates: Vec<Certificate> = found
            .intermediate_certificates()
            .filter_map(|used| self.issuers.iter().find(|issuer| *issuer.der() == *used.der()))
            .map(|used| Certificate::clone(used))
            .collect();
        if intermediates.len() + 2 > MAX_DEPTH {
            return Err(PathRefusal::TooDeep);
        }
        let counted =
            intermediates.iter().filter(|certificate| certificate.issuer_der() != certificate.subject_der()).count();
        let allowed = anchor.basic_constraints().and_then(|found| found.path_length);
        if allowed.is_some_and(|most| counted > most as usize) {
            return Err(PathRefusal::PathLengthExceeded);
        }
        let dated = anchor.not_before() <= now && now <= anchor.not_after();
        if policy.anchor_dates == AnchorDates::Enforced && !dated {
            return Err(PathRefusal::AnchorOutsideValidity);
        }
        Ok(VerifiedPath { leaf: self.leaf.clone(), intermediates, anchor: anchor.clone(), anchor_index })
    }

    /// Our name for what the path library found.
    fn cause(&self, error: &webpki::Error, now: i64) -> PathRefusal {
        use webpki::Error;
        match error {
            Error::UnknownIssuer => self.unfit_issuer(),
            Error::CertExpired { .. } if now > self.leaf.not_after() => PathRefusal::Expired { path_was_valid: false },
            Error::CertExpired { .. } => PathRefusal::IssuerExpired,
            Error::CertNotValidYet { .. } if now < self.leaf.not_before() => PathRefusal::NotYetValid,
            Error::CertNotValidYet { .. } => PathRefusal::IssuerNotYetValid,
            Error::CaUsedAsEndEntity => PathRefusal::LeafIsAuthority,
            Error::EndEntityUsedAsCa => PathRefusal::IssuerNotAuthority,
            Error::InvalidSignatureForPublicKey | Error::SignatureAlgorithmMismatch => PathRefusal::BadSignature,
            // The kind of signature does not fit the issuer's key: not signed by that key.
            Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => PathRefusal::BadSignature,
            Error::UnsupportedSignatureAlgorithmContext(_) => PathRefusal::WeakAlgorithm,
            Error::PathLenConstraintViolated => PathRefusal::PathLengthExceeded,
            Error::MaximumPathDepthExceeded
            | Error::MaximumPathBuildCallsExceeded
            | Error::MaximumSignatureChecksExceeded => PathRefusal::TooDeep,
            Error::NameConstraintViolation
            | Error::MalformedNameConstraint
            | Error::UnsupportedNameType
            | Error::InvalidNetworkMaskConstraint
            | Error::MaximumNameConstraintComparisonsExceeded => PathRefusal::NameConstraints,
            Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => PathRefusal::ExtendedKeyUsage,
            Error::UnsupportedCriticalExtension => PathRefusal::UnknownCriticalExtension,
            Error::UnsupportedCertVersion => PathRefusal::NotVersion3,
            _ => PathRefusal::Malformed,
        }
    }

    /// If a presented certificate would be the missing issuer but is unfit: why it is unfit.
    fn unfit_issuer(&self) -> PathRefusal {
        let wanted = |candidate: &Certificate| {
            std::iter::once(&self.leaf).chain(&self.issuers).any(|below| below.issuer_der() == candidate.subject_der())
        };
        self.unfit
            .iter()
            .find(|(candidate, _)| wanted(candidate))
            .map_or(PathRefusal::UnknownIssuer, |(_, cause)| *cause)
    }
}

#[cfg(test)]
mod tests;
