//! `[mail]`: how mail leaves.

use std::path::PathBuf;

use super::reader::{Section, words};
use super::secret::Secret;

/// How mail leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The sender, `Name <address>`.
    pub from: String,
    /// The way out.
    pub way: MailWay,
}

/// The way mail takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailWay {
    /// Through a mail server.
    Smtp(Smtp),
    /// Into a folder, one file each; without a folder, `mail` in the data folder.
    Folder(Option<PathBuf>),
}

/// A mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smtp {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way to it is protected.
    pub encryption: SmtpEncryption,
    /// User and password, if it wants them.
    pub login: Option<(String, Secret)>,
}

/// How the way to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpEncryption {
    /// TLS is asked for after the greeting, and required (RFC 3207).
    StartTls,
    /// TLS from the first byte (RFC 8314 §3).
    Tls,
    /// None; for a mail server on this machine.
    None,
}

words!(
    SmtpEncryption,
    "one of \"starttls\", \"tls\", \"none\"",
    "starttls" => SmtpEncryption::StartTls,
    "tls" => SmtpEncryption::Tls,
    "none" => SmtpEncryption::None,
);

impl Mail {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let from = section.setting("from", "Keyfob <keyfob@localhost>".to_owned(), "The sender of every mail.");
        if !from.contains('@') {
            section.mistake("from", format!("\"{from}\" is not a sender (like \"Keyfob <keyfob@example.com>\")"));
        }
        let folder = section.path(
            "folder",
            "mail",
            "Where mails are written when there is no mail server. Without it: mail in the data folder.",
        );
        let smtp =
            section.section("smtp", "The mail server. Without a host, mails are written to the folder.", Smtp::read);
        let way = smtp.map_or(MailWay::Folder(folder), MailWay::Smtp);
        Self { from, way }
    }
}

impl Smtp {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        let host = section.optional("host", &"mail.example.com".to_owned(), "Its name.");
        let port = section.number("port", 587, 1..=65_535, "Its port.");
        let encryption = section.setting(
            "encryption",
            SmtpEncryption::StartTls,
            "\"starttls\", \"tls\" from the first byte, or \"none\" for a mail server on this machine.",
        );
        let user = section.optional("user", &"keyfob".to_owned(), "The user, if it wants one.");
        let password = section.secret("password_file", "smtp-password", "A file with the password, mode 600.");
        let login = match (user, password) {
            (Some(user), Some(password)) => Some((user, password)),
            (None, Some(_)) => {
                section.mistake("user", "is missing beside password_file");
                None
            }
            (Some(_), None) => {
                section.mistake("password_file", "is missing or unreadable beside user");
                None
            }
            (None, None) => None,
        };
        let host = host?;
        Some(Self { host, port: u16::try_from(port).unwrap_or(587), encryption, login })
    }
}
