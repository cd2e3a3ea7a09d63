//! `[clients]`: what holds for the OAuth clients of this server, and how it is called.

use super::reader::Section;

/// What holds for clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clients {
    /// What pages and mails call this service.
    pub service: String,
    /// DER of the authorities trusted for `tls_client_auth` (RFC 8705 §2.1).
    pub authorities: Vec<Vec<u8>>,
}

impl Clients {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let service = section.setting("service", "Keyfob".to_owned(), "What pages and mails call this service.");
        if service.trim().is_empty() || service.chars().count() > 64 || service.chars().any(char::is_control) {
            section.mistake("service", "wants 1 to 64 characters");
        }
        let file = section.path(
            "authorities_file",
            "clients-ca.pem",
            "Certificate authorities (PEM, one or several) of clients that authenticate by certificate\n\
             (tls_client_auth). Without it nobody can; devices have authorities of their product.",
        );
        let mut authorities = Vec::new();
        if let Some(path) = file {
            let read = std::fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()));
            let parsed = read.and_then(|pem| {
                pki::Certificate::parse_pem(&pem).map_err(|error| format!("{}: {error}", path.display()))
            });
            match parsed {
                Ok(certificates) => authorities = certificates.iter().map(|one| one.der().to_vec()).collect(),
                Err(reason) => section.mistake("authorities_file", reason),
            }
        }
        Self { service, authorities }
    }
}
