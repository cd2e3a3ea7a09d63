//! Fields of forms and what can be wrong with them.

/// A text field: what stands in it, and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Field {
    /// What the person typed before; shown again.
    pub value: String,
    /// What to mend.
    pub error: Option<FieldError>,
}

impl Field {
    /// A field filled in beforehand.
    pub fn of(value: &str) -> Self {
        Self { value: value.to_owned(), error: None }
    }

    /// What was typed, refused.
    pub fn refused(value: &str, error: FieldError) -> Self {
        Self { value: value.to_owned(), error: Some(error) }
    }
}

/// What is wrong with a field; each has one sentence that says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldError {
    /// No name given.
    NameMissing,
    /// The name is too long.
    NameTooLong,
    /// No e-mail address given.
    EmailMissing,
    /// Not an e-mail address.
    EmailMalformed,
    /// There is an account with it; told to the first administrator alone.
    EmailTaken,
    /// No password given.
    PasswordMissing,
    /// Shorter than the rule beside the field.
    PasswordTooShort,
    /// Longer than is taken.
    PasswordTooLong,
    /// On the list of passwords that everybody tries first.
    PasswordKnown,
    /// Not the password of the person who is signed in.
    PasswordWrong,
    /// E-mail and password do not fit together, or there is no such account: one sentence for both.
    SignInWrong,
    /// No code given.
    CodeMissing,
    /// No device waits with this code: mistyped, unknown or expired, one sentence for all.
    CodeWrong,
}

impl FieldError {
    pub(super) fn key(&self) -> &'static str {
        match self {
            Self::NameMissing => "error-name-missing",
            Self::NameTooLong => "error-name-too-long",
            Self::EmailMissing => "error-email-missing",
            Self::EmailMalformed => "error-email-malformed",
            Self::EmailTaken => "error-email-taken",
            Self::PasswordMissing => "error-password-missing",
            Self::PasswordTooShort => "error-password-too-short",
            Self::PasswordTooLong => "error-password-too-long",
            Self::PasswordKnown => "error-password-known",
            Self::PasswordWrong => "error-password-wrong",
            Self::SignInWrong => "error-sign-in-wrong",
            Self::CodeMissing => "error-code-missing",
            Self::CodeWrong => "error-code-wrong",
        }
    }
}

/// One line of the summary above a form: the field's id and its error.
pub(super) type Problem = (&'static str, FieldError);

/// Collects the fields with an error, in reading order.
pub(super) fn problems<const N: usize>(fields: [(&'static str, Option<FieldError>); N]) -> Vec<Problem> {
    fields.into_iter().filter_map(|(id, error)| error.map(|error| (id, error))).collect()
}
