//! The pages that tell how something ended: one sign, what happened, what to do now.

use askama::Template;

use super::frame::Frame;
use super::icon::Icon;

/// A page with an outcome and one way on.
#[derive(Template)]
#[template(path = "notice.html")]
pub struct Notice {
    /// Around the page.
    pub frame: Frame,
    /// What happened.
    pub outcome: Outcome,
    /// The number under which the log knows of it; shown for what went wrong.
    pub reference: Option<String>,
}

/// How something ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// After sign-up: the same whether or not the address has an account.
    CheckMail {
        /// The address as typed.
        email: String,
        /// No mail server is set: the mail lies in the server's folder.
        in_folder: bool,
    },
    /// After asking for recovery: the same whether or not the address has an account.
    CheckRecoveryMail {
        /// The address as typed.
        email: String,
        /// No mail server is set: the mail lies in the server's folder.
        in_folder: bool,
    },
    /// The address is verified.
    Verified,
    /// The link of a verification mail is too old.
    VerifyExpired,
    /// The link of a verification mail was used before.
    VerifyUsed,
    /// The new password is set; all browsers were signed out.
    PasswordSet,
    /// The link of a recovery mail is too old.
    RecoverExpired,
    /// The link of a recovery mail was used before.
    RecoverUsed,
    /// Signed out.
    SignedOut,
    /// Paired.
    PairDone {
        /// The device's name.
        device: String,
    },
    /// The person said no.
    PairDenied {
        /// The device's name.
        device: String,
    },
    /// Somebody decided on this code before.
    PairUsed,
    /// Too many wrong codes; nothing is told about the last one.
    PairLater,
    /// The device belongs to another account; neutral.
    PairForeign,
    /// The person said no to an app that cannot be returned to, or the request is gone.
    ConsentGone,
    /// An app's request is unusable and must not be sent back (RFC 6749 §4.1.2.1).
    AppRequestWrong,
    /// The first administrator exists already, or the link is not the current one.
    SetupUsed,
    /// There is no such page.
    NotFound,
    /// Signed in, but not allowed.
    NotAllowed,
    /// The last passkey of a person without a password stays.
    LastSignIn,
    /// Too many tries.
    TooMany {
        /// Whole minutes until the next try makes sense, at least 1.
        minutes: u32,
    },
    /// The form's token is missing or old, or cookies are off.
    PageTooOld,
    /// Something broke here.
    Fault,
}

/// Keys of a page's parts, its sign, its colour, its HTTP status and its way on.
struct Shape {
    key: &'static str,
    icon: Icon,
    colour: &'static str,
    status: u16,
    next: Option<(&'static str, &'static str)>,
}

const fn shape(
    key: &'static str,
    icon: Icon,
    colour: &'static str,
    status: u16,
    next: Option<(&'static str, &'static str)>,
) -> Shape {
    Shape { key, icon, colour, status, next }
}

const SIGN_IN: Option<(&str, &str)> = Some(("go-sign-in", "/signin"));
const THINGS: Option<(&str, &str)> = Some(("go-things", "/my"));

impl Outcome {
    /// The HTTP status that belongs to the page.
    pub fn status(&self) -> u16 {
        self.shape().status
    }

    fn shape(&self) -> Shape {
        match self {
            Self::CheckMail { .. } => shape("check-mail", Icon::Mail, "accent", 200, None),
            Self::CheckRecoveryMail { .. } => shape("check-recovery-mail", Icon::Mail, "accent", 200, None),
            Self::Verified => shape("verified", Icon::Check, "green", 200, SIGN_IN),
            Self::VerifyExpired => shape("verify-expired", Icon::Clock, "amber", 410, Some(("go-sign-up", "/signup"))),
            Self::VerifyUsed => shape("verify-used", Icon::Check, "accent", 410, SIGN_IN),
            Self::PasswordSet => shape("password-set", Icon::Check, "green", 200, SIGN_IN),
            Self::RecoverExpired => {
                shape("recover-expired", Icon::Clock, "amber", 410, Some(("go-recover", "/recover")))
            }
            Self::RecoverUsed => shape("recover-used", Icon::Check, "accent", 410, Some(("go-recover", "/recover"))),
            Self::SignedOut => shape("signed-out", Icon::Check, "green", 200, SIGN_IN),
            Self::PairDone { .. } => shape("pair-done", Icon::Check, "green", 200, THINGS),
            Self::PairDenied { .. } => shape("pair-denied", Icon::Stop, "accent", 200, THINGS),
            Self::PairUsed => shape("pair-used", Icon::Check, "accent", 410, THINGS),
            Self::PairLater => shape("pair-later", Icon::Clock, "amber", 429, THINGS),
            Self::PairForeign => shape("pair-foreign", Icon::Care, "amber", 403, THINGS),
            Self::ConsentGone => shape("consent-gone", Icon::Clock, "amber", 410, THINGS),
            Self::AppRequestWrong => shape("app-request-wrong", Icon::Care, "amber", 400, THINGS),
            Self::SetupUsed => shape("setup-used", Icon::Check, "accent", 410, SIGN_IN),
            Self::NotFound => shape("not-found", Icon::Tag, "accent", 404, THINGS),
            Self::NotAllowed => shape("not-allowed", Icon::Stop, "amber", 403, THINGS),
            Self::LastSignIn => shape("last-sign-in", Icon::Key, "amber", 409, Some(("go-security", "/my/security"))),
            Self::TooMany { .. } => shape("too-many", Icon::Clock, "amber", 429, SIGN_IN),
            Self::PageTooOld => shape("page-too-old", Icon::Clock, "amber", 403, THINGS),
            Self::Fault => shape("fault", Icon::Care, "red", 500, THINGS),
        }
    }
}

impl Notice {
    fn title(&self) -> String {
        self.say("title")
    }

    fn body(&self) -> String {
        self.say("body")
    }

    fn say(&self, part: &str) -> String {
        let text = &self.frame.text;
        let key = format!("{}-{part}", self.outcome.shape().key);
        match &self.outcome {
            Outcome::CheckMail { email, .. } | Outcome::CheckRecoveryMail { email, .. } => {
                text.with(&key, "email", email)
            }
            Outcome::PairDone { device } | Outcome::PairDenied { device } => text.with(&key, "device", device),
            Outcome::TooMany { minutes } => text.count(&key, "minutes", *minutes),
            _ => text.say(&key),
        }
    }

    /// A second sentence: where the mail lies, or what to do if it does not come.
    fn more(&self) -> Option<String> {
        match &self.outcome {
            Outcome::CheckMail { in_folder, .. } | Outcome::CheckRecoveryMail { in_folder, .. } => {
                Some(self.frame.say(if *in_folder { "mail-in-folder" } else { "mail-on-its-way" }))
            }
            _ => None,
        }
    }

    fn icon(&self) -> Icon {
        self.outcome.shape().icon
    }

    fn colour(&self) -> &'static str {
        self.outcome.shape().colour
    }

    fn next(&self) -> Option<(&'static str, &'static str)> {
        self.outcome.shape().next
    }
}
