//! `[clients]`: what holds for the OAuth clients of this server, and how it is called.

use super::file;
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
        let authorities = section.path(
            "authorities_file",
            "clients-ca.pem",
            "Certificate authorities (PEM, one or several) of clients that authenticate by certificate\n\
             (tls_client_auth). Without it nobody can; devices have authorities of their product.",
        );
        let authorities =
            authorities.and_then(|path| file::authorities(section, "authorities_file", &path)).unwrap_or_default();
        Self { service, authorities }
    }
}
