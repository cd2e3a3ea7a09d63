//! The mails: plain text and simple HTML with the same words.
//!
//! Each says what happened, spells its link out, why it came and what to do if it was
//! not expected. Does not send.

use askama::Template;

use super::frame::Moment;
use super::text::Text;

/// What a mail tells.
pub enum Letter {
    /// Confirm that the address is yours.
    VerifyAddress {
        /// The link, absolute.
        link: String,
        /// Until when it works.
        until: Moment,
    },
    /// Set a new password.
    RecoverPassword {
        /// The link, absolute.
        link: String,
        /// Until when it works.
        until: Moment,
    },
    /// Somebody tried to sign up, or to recover, with an address that has an account already.
    AlreadyHere {
        /// The sign-in page, absolute.
        link: String,
    },
    /// Somebody asked to recover a password for an address without an account.
    NoAccount {
        /// The sign-up page, absolute.
        link: String,
    },
    /// A passkey was added.
    PasskeyAdded {
        /// Its name.
        passkey: String,
        /// When.
        at: Moment,
        /// The security page, absolute.
        link: String,
    },
    /// The password was changed.
    PasswordChanged {
        /// When.
        at: Moment,
        /// The recovery page, absolute.
        link: String,
    },
    /// A device was paired.
    DevicePaired {
        /// Its name.
        device: String,
        /// When.
        at: Moment,
        /// The thing's page, absolute.
        link: String,
    },
    /// Somebody's access to a thing ended.
    AccessEnded {
        /// The holder's name.
        who: String,
        /// The thing's name.
        device: String,
        /// When.
        at: Moment,
        /// The thing's page, absolute.
        link: String,
    },
}

/// A mail, ready to send. Has no `Debug`: links carry one-time values.
pub struct Mail {
    /// One line, free of control characters.
    pub subject: String,
    /// The plain-text part, lines ended by `\n`.
    pub text: String,
    /// The HTML part.
    pub html: String,
}

#[derive(Template)]
#[template(path = "mail.txt")]
struct PlainMail<'a>(&'a Words);

#[derive(Template)]
#[template(path = "mail.html")]
struct HtmlMail<'a>(&'a Words);

struct Words {
    language: &'static str,
    subject: String,
    greeting: String,
    body: String,
    action: String,
    link: String,
    until: Option<String>,
    why_title: String,
    why: String,
    unexpected_title: String,
    unexpected: String,
    signed: String,
}

impl Letter {
    /// Writes the mail in the language of `text`, signed by `service`, to the person `name` if known.
    ///
    /// # Errors
    /// Only when a template cannot write to memory.
    pub fn render(&self, text: &Text, service: &str, name: Option<&str>) -> Result<Mail, askama::Error> {
        let (key, link) = self.key_and_link();
        let at = self.at().map(|at| at.say(text)).unwrap_or_default();
        let (who, device) = self.names();
        let say = |part: &str| {
            let values = [("service", service), ("at", at.as_str()), ("who", who), ("device", device)];
            text.fill(&format!("{key}-{part}"), &values)
        };
        let words = Words {
            language: text.language(),
            subject: say("subject"),
            greeting: match name {
                Some(name) => text.with("mail-greeting-name", "name", name),
                None => text.say("mail-greeting"),
            },
            body: say("body"),
            action: say("action"),
            link: link.to_owned(),
            until: self.until().map(|until| text.with("mail-link-until", "until", &until.say(text))),
            why_title: text.say("mail-why-title"),
            why: say("why"),
            unexpected_title: text.say("mail-unexpected-title"),
            unexpected: say("unexpected"),
            signed: text.with("mail-signed", "service", service),
        };
        let (plain, html) = (PlainMail(&words).render()?, HtmlMail(&words).render()?);
        Ok(Mail { subject: words.subject, text: plain, html })
    }

    fn key_and_link(&self) -> (&'static str, &str) {
        match self {
            Self::VerifyAddress { link, .. } => ("mail-verify", link),
            Self::RecoverPassword { link, .. } => ("mail-recover", link),
            Self::AlreadyHere { link } => ("mail-already-here", link),
            Self::NoAccount { link } => ("mail-no-account", link),
            Self::PasskeyAdded { link, .. } => ("mail-passkey-added", link),
            Self::PasswordChanged { link, .. } => ("mail-password-changed", link),
            Self::DevicePaired { link, .. } => ("mail-device-paired", link),
            Self::AccessEnded { link, .. } => ("mail-access-ended", link),
        }
    }

    fn at(&self) -> Option<&Moment> {
        match self {
            Self::PasskeyAdded { at, .. }
            | Self::PasswordChanged { at, .. }
            | Self::DevicePaired { at, .. }
            | Self::AccessEnded { at, .. } => Some(at),
            _ => None,
        }
    }

    fn until(&self) -> Option<&Moment> {
        match self {
            Self::VerifyAddress { until, .. } | Self::RecoverPassword { until, .. } => Some(until),
            _ => None,
        }
    }

    fn names(&self) -> (&str, &str) {
        match self {
            Self::PasskeyAdded { passkey, .. } => ("", passkey),
            Self::DevicePaired { device, .. } => ("", device),
            Self::AccessEnded { who, device, .. } => (who, device),
            _ => ("", ""),
        }
    }
}
