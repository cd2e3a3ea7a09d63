//! Mail: over SMTP, or without it into a folder, so that nothing is lost and
//! the page can say so.

use core::future::Future;
use core::pin::Pin;
use std::path::PathBuf;

use identity::user::Email;
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

/// A mail to one person: plain text and simple HTML with the same words.
#[derive(Clone)]
pub struct Mail {
    /// To whom.
    pub to: Email,
    /// Its subject line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// One column of HTML.
    pub html: String,
}

/// Why a mail could not be handed over; neither address nor content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailError(pub &'static str);

/// Sending, to be waited for.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), MailError>> + Send + 'a>>;

/// Where mail goes.
pub trait Mailer: Send + Sync {
    /// Hands a mail over.
    fn send(&self, mail: Mail) -> Sending<'_>;
    /// Whether mail is only written to a folder: pages say so.
    fn is_folder(&self) -> bool;
}

/// How the SMTP server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// TLS from the first byte, port 465 as a rule.
    Tls,
    /// STARTTLS, demanded, port 587 as a rule.
    StartTls,
    /// None: for a relay on this very machine.
    Plain,
}

/// Mail over SMTP.
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl SmtpMailer {
    /// A mailer for one server; `from` as `Name <address>`.
    ///
    /// # Errors
    /// [`MailError`] when host or sender cannot be used.
    pub fn new(
        host: &str,
        port: u16,
        security: SmtpSecurity,
        login: Option<(String, String)>,
        from: &str,
    ) -> Result<Self, MailError> {
        let builder = match security {
            SmtpSecurity::Tls => AsyncSmtpTransport::<Tokio1Executor>::relay(host),
            SmtpSecurity::StartTls => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(host),
            SmtpSecurity::Plain => Ok(AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)),
        };
        let mut builder = builder.map_err(|_| MailError("smtp_host"))?.port(port);
        if let Some((user, password)) = login {
            builder = builder.credentials(Credentials::new(user, password));
        }
        let from = from.parse().map_err(|_| MailError("mail_from"))?;
        Ok(Self { transport: builder.timeout(Some(core::time::Duration::from_secs(20))).build(), from })
    }
}

impl Mailer for SmtpMailer {
    fn send(&self, mail: Mail) -> Sending<'_> {
        Box::pin(async move {
            let message = compose(&self.from, mail)?;
            self.transport.send(message).await.map_err(|_| MailError("smtp_refused"))?;
            Ok(())
        })
    }

    fn is_folder(&self) -> bool {
        false
    }
}

/// Mail into a folder, one `.eml` file each, readable by its owner alone.
pub struct FolderMailer {
    folder: PathBuf,
    from: Mailbox,
}

impl FolderMailer {
    /// A mailer that writes into this folder, which must exist.
    ///
    /// # Errors
    /// [`MailError`] when the sender cannot be used.
    pub fn new(folder: PathBuf, from: &str) -> Result<Self, MailError> {
        Ok(Self { folder, from: from.parse().map_err(|_| MailError("mail_from"))? })
    }
}

impl Mailer for FolderMailer {
    fn send(&self, mail: Mail) -> Sending<'_> {
        Box::pin(async move {
            let message = compose(&self.from, mail)?.formatted();
            let digest = jose::base64url::encode(jose::digest::sha256(&message));
            let name = digest.get(..16).unwrap_or("mail").to_owned();
            let part = self.folder.join(format!("{name}.part"));
            let mut options = tokio::fs::OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            let mut file = options.open(&part).await.map_err(|_| MailError("mail_folder"))?;
            tokio::io::AsyncWriteExt::write_all(&mut file, &message).await.map_err(|_| MailError("mail_folder"))?;
            file.sync_all().await.map_err(|_| MailError("mail_folder"))?;
            // The name appears only when the mail is whole.
            let whole = self.folder.join(format!("{name}.eml"));
            tokio::fs::rename(&part, &whole).await.map_err(|_| MailError("mail_folder"))
        })
    }

    fn is_folder(&self) -> bool {
        true
    }
}

fn compose(from: &Mailbox, mail: Mail) -> Result<Message, MailError> {
    let to = mail.to.expose().parse().map_err(|_| MailError("mail_to"))?;
    Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(mail.subject)
        .multipart(MultiPart::alternative_plain_html(mail.text, mail.html))
        .map_err(|_| MailError("mail_content"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_smtp_a_mail_lies_in_the_folder_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let mailer = FolderMailer::new(folder.path().to_owned(), "Keyfob <no-reply@localhost>").unwrap();
        let to = Email::parse("adam@example.com").unwrap();
        let mail = Mail { to, subject: "Hello".into(), text: "link".into(), html: "<p>link</p>".into() };
        mailer.send(mail).await.unwrap();
        let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap).collect();
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let content = std::fs::read_to_string(files[0].path()).unwrap();
        assert!(content.contains("To: adam@example.com") && content.contains("<p>link</p>"), "{content}");
    }
}
