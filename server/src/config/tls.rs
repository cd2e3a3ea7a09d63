//! `[tls]`: the server's own certificate.

use std::path::PathBuf;

use super::reader::Section;

/// The server's own certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// Made by Keyfob in the data folder, for `localhost`, the issuer's hosts and these names.
    SelfMade {
        /// More names and addresses.
        names: Vec<String>,
    },
    /// From files, read again when they change.
    Files {
        /// PEM chain, leaf first.
        certificate: PathBuf,
        /// PEM private key.
        key: PathBuf,
    },
}

impl Tls {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let certificate = section.path(
            "certificate_file",
            "server.pem",
            "The server's certificate chain as PEM, its own first. Read again when it changes.\n\
             Without it Keyfob makes an authority and a certificate in the data folder (tls/ca.pem).",
        );
        let key = section.path("key_file", "server.key", "The private key of that certificate, as PEM.");
        let names = section.setting(
            "names",
            Vec::<String>::new(),
            "More host names and addresses for the self-made certificate.",
        );
        match (certificate, key) {
            (Some(certificate), Some(key)) => {
                for (name, path) in [("certificate_file", &certificate), ("key_file", &key)] {
                    if let Err(error) = std::fs::File::open(path) {
                        section.mistake(name, format!("cannot read {}: {error}", path.display()));
                    }
                }
                if !names.is_empty() {
                    section.mistake("names", "is for the self-made certificate; leave it out beside certificate_file");
                }
                return Self::Files { certificate, key };
            }
            (Some(_), None) => section.mistake("key_file", "is missing beside certificate_file"),
            (None, Some(_)) => section.mistake("certificate_file", "is missing beside key_file"),
            (None, None) => {}
        }
        Self::SelfMade { names }
    }
}
