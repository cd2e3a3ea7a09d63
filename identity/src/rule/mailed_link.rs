//! Links with a secret: how long they live, and what makes one good.

use crate::facts::MailTokenFacts;
use crate::mail::MailPurpose;
use crate::problem::ProblemCode as Code;
use crate::{Change, Digest, Fact, MailToken, Refusal, UserId, Write};

/// At most so many mails to one address within an hour; more are not sent, and
/// nobody is told.
pub const MAIL_BRAKE: u32 = 5;

/// How long a link lives, seconds.
pub fn life(purpose: MailPurpose) -> i64 {
    match purpose {
        MailPurpose::VerifyAddress | MailPurpose::FirstAdministrator => 86_400,
        MailPurpose::RecoverPassword => 3_600,
    }
}

/// A link's record, to be written.
pub(super) fn mint(secret: &Digest, purpose: MailPurpose, user: Option<&UserId>, now: i64) -> Change {
    Write::new(MailToken {
        id: secret.clone(),
        purpose,
        user: user.cloned(),
        expires_at: now.saturating_add(life(purpose)),
        used_at: None,
    })
    .into()
}

/// The link, if it is good for this purpose. One word for unknown, used, late
/// and of another purpose.
pub(super) fn good(facts: &MailTokenFacts, purpose: MailPurpose, now: i64) -> Result<&Fact<MailToken>, Refusal<Code>> {
    let dead = |reason| Refusal::new(Code::LinkDead, reason);
    let token = facts.token.as_ref().ok_or(dead("unknown_link"))?;
    if token.purpose != purpose {
        return Err(dead("link_of_another_purpose"));
    }
    if token.used_at.is_some() {
        return Err(dead("used_link"));
    }
    if now >= token.expires_at {
        return Err(dead("late_link"));
    }
    Ok(token)
}

/// The link, used up.
pub(super) fn used(token: &Fact<MailToken>, now: i64) -> Change {
    token.rewrite(MailToken { used_at: Some(now), ..token.record.clone() }).into()
}
