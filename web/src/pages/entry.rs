//! The pages before the door: sign up, verify, sign in, recover, sign out, first run.

use askama::Template;

use super::form::{Field, FieldError, Problem, problems};
use super::frame::Frame;

/// A new account. The password is never shown again after a refused post.
#[derive(Template)]
#[template(path = "sign_up.html")]
pub struct SignUp {
    /// Around the page.
    pub frame: Frame,
    /// The person's name.
    pub name: Field,
    /// The address that will be verified.
    pub email: Field,
    /// What is wrong with the password.
    pub password: Option<FieldError>,
    /// The household's name; may stay empty.
    pub household: Field,
    /// The fewest characters a password may have.
    pub password_min: u32,
}

impl SignUp {
    fn problems(&self) -> Vec<Problem> {
        problems([
            ("name", self.name.error),
            ("email", self.email.error),
            ("password", self.password),
            ("household", self.household.error),
        ])
    }
}

/// Opened from the mail: asks for the password chosen at sign-up. Opening consumes nothing, and the
/// link alone opens nothing: whoever signed up with another's address does not know who clicks.
#[derive(Template)]
#[template(path = "verify.html")]
pub struct Verify {
    /// Around the page.
    pub frame: Frame,
    /// The one-time value of the link, passed on in the form's body.
    pub token: String,
    /// The address that is about to be verified.
    pub email: String,
    /// What is wrong with the password.
    pub password: Option<FieldError>,
}

impl Verify {
    fn problems(&self) -> Vec<Problem> {
        problems([("password", self.password)])
    }
}

/// Sign in by password or passkey.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub struct SignIn {
    /// Around the page.
    pub frame: Frame,
    /// The address; the error of a refused sign-in stands here, the same for every cause.
    pub email: Field,
    /// What is wrong with the password field itself (left empty).
    pub password: Option<FieldError>,
    /// Where to go afterwards: one of our own relative paths, checked by the handler.
    pub return_to: String,
    /// The app or device on whose behalf the person came, if any.
    pub for_app: Option<String>,
}

impl SignIn {
    fn problems(&self) -> Vec<Problem> {
        problems([("email", self.email.error), ("password", self.password)])
    }
}

/// The password once more, before a risky act.
#[derive(Template)]
#[template(path = "sign_in_again.html")]
pub struct SignInAgain {
    /// Around the page.
    pub frame: Frame,
    /// The address of the person who is signed in.
    pub email: String,
    /// Whether the person has a password; without one only the passkey is offered.
    pub has_password: bool,
    /// What is wrong with the password.
    pub password: Option<FieldError>,
    /// Where to go afterwards: one of our own relative paths, checked by the handler.
    pub return_to: String,
}

impl SignInAgain {
    fn problems(&self) -> Vec<Problem> {
        problems([("password", self.password)])
    }
}

/// Ask for a mail with a link to set a new password.
#[derive(Template)]
#[template(path = "recover.html")]
pub struct Recover {
    /// Around the page.
    pub frame: Frame,
    /// The address.
    pub email: Field,
}

impl Recover {
    fn problems(&self) -> Vec<Problem> {
        problems([("email", self.email.error)])
    }
}

/// Opened from the recovery mail: set a new password. Opening consumes nothing.
#[derive(Template)]
#[template(path = "recover_password.html")]
pub struct RecoverPassword {
    /// Around the page.
    pub frame: Frame,
    /// The one-time value of the link, passed on in the form's body.
    pub token: String,
    /// Whose password it is; helps a password manager.
    pub email: String,
    /// What is wrong with the new password.
    pub password: Option<FieldError>,
    /// The fewest characters a password may have.
    pub password_min: u32,
}

impl RecoverPassword {
    fn problems(&self) -> Vec<Problem> {
        problems([("password", self.password)])
    }
}

/// The question before signing out.
#[derive(Template)]
#[template(path = "sign_out.html")]
pub struct SignOut {
    /// Around the page.
    pub frame: Frame,
}

/// The first administrator of a new server, by the link that the server printed.
#[derive(Template)]
#[template(path = "first_run.html")]
pub struct FirstRun {
    /// Around the page.
    pub frame: Frame,
    /// The one-time value of the link, passed on in the form's body.
    pub token: String,
    /// The administrator's name.
    pub name: Field,
    /// The administrator's address.
    pub email: Field,
    /// What is wrong with the password.
    pub password: Option<FieldError>,
    /// The fewest characters a password may have.
    pub password_min: u32,
}

impl FirstRun {
    fn problems(&self) -> Vec<Problem> {
        problems([("name", self.name.error), ("email", self.email.error), ("password", self.password)])
    }
}
