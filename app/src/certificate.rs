//! What the registry keeps of a certificate: the one place that says in which form.

use identity::credential::CertificateFacts;
use jose::{base64url, digest};
use pki::Certificate;

/// The facts of a certificate as the registry keeps and compares them.
pub(crate) fn facts(certificate: &Certificate) -> CertificateFacts {
    CertificateFacts {
        thumbprint: base64url::encode(certificate.thumbprint()),
        serial: certificate.serial_hex(),
        issuer: base64url::encode(digest::sha256(certificate.issuer_der())),
        not_after: certificate.not_after(),
    }
}

/// Where the product says that a certificate names its device.
pub(crate) fn field(field: identity::product::IdentityField) -> pki::IdentityField {
    match field {
        identity::product::IdentityField::SubjectSerialNumber => pki::IdentityField::SubjectSerialNumber,
        identity::product::IdentityField::CommonName => pki::IdentityField::CommonName,
        identity::product::IdentityField::SanUri => pki::IdentityField::SanUri,
    }
}
