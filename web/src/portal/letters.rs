//! The mails that follow an act: worded here, sent by the application after
//! the answer. Links are absolute, at the issuer's own address.

use app::mailer::Mail;
use app::people::{MailKind, MailToSend};
use identity::Secret;

use crate::pages::letter::Letter;
use crate::pages::{Moment, Text, path};
use crate::state::State;

/// Words a mail and hands it over.
pub(crate) fn send(state: &State, mail: MailToSend) {
    let MailToSend { to, name, kind } = mail;
    match letter(state, kind).render(&Text::english(), &state.app.settings().service, name.as_deref()) {
        Ok(written) => {
            state.app.send_mail(Mail { to, subject: written.subject, text: written.text, html: written.html });
        }
        Err(error) => tracing::error!(cause = %error, "mail_not_rendered"),
    }
}

fn letter(state: &State, kind: MailKind) -> Letter {
    let issuer = state.app.tenant().issuer.as_str();
    match kind {
        MailKind::VerifyAddress { secret, until } => {
            Letter::VerifyAddress { link: with_token(issuer, path::VERIFY, &secret), until: Moment::utc(until) }
        }
        MailKind::RecoverPassword { secret, until } => Letter::RecoverPassword {
            link: with_token(issuer, path::RECOVER_PASSWORD, &secret),
            until: Moment::utc(until),
        },
        MailKind::AlreadyHere => Letter::AlreadyHere { link: absolute(issuer, path::SIGN_IN) },
        MailKind::PasskeyAdded { passkey, at } => {
            Letter::PasskeyAdded { passkey, at: Moment::utc(at), link: absolute(issuer, path::MY_SECURITY) }
        }
        MailKind::DevicePaired { device, at } => {
            Letter::DevicePaired { device, at: Moment::utc(at), link: absolute(issuer, path::MY) }
        }
        MailKind::AccessEnded { who, thing, asset, at } => Letter::AccessEnded {
            who,
            device: thing,
            at: Moment::utc(at),
            link: absolute(issuer, &path::MY_THING.replace("{id}", asset.as_str())),
        },
        MailKind::PasswordChanged { at } => {
            Letter::PasswordChanged { at: Moment::utc(at), link: absolute(issuer, path::RECOVER) }
        }
    }
}

/// The absolute address of a page, at the issuer.
fn absolute(issuer: &str, page: &str) -> String {
    format!("{}{page}", issuer.trim_end_matches('/'))
}

/// A link with a one-time value. Its letters are base64url: nothing to encode.
pub(super) fn with_token(issuer: &str, page: &str, secret: &Secret<String>) -> String {
    format!("{}?token={}", absolute(issuer, page), secret.expose())
}
