//! What people write into fields: parsed, or refused with the sentence that
//! stands beside the field.

use app::people::{PasswordFlaw, judge_password};
use identity::Secret;
use identity::user::Email;

use crate::pages::{Field, FieldError};

/// The fewest characters of a password, as the pages say it.
pub(super) const PASSWORD_MIN: u32 = identity::rule::password::MIN_CHARS as u32;
/// Characters of a name of a person or household.
const NAME_LONGEST: usize = 120;

/// An address.
pub(super) fn email(text: &str) -> Result<Email, FieldError> {
    match text.trim() {
        "" => Err(FieldError::EmailMissing),
        text => Email::parse(text).map_err(|_| FieldError::EmailMalformed),
    }
}

/// A name, trimmed.
pub(super) fn name(text: &str) -> Result<String, FieldError> {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    match text.trim() {
        "" => Err(FieldError::NameMissing),
        text if text.chars().count() > NAME_LONGEST => Err(FieldError::NameTooLong),
        text => Ok(text.to_owned()),
    }
}

/// A new password of a person.
pub(super) fn new_password(text: String, email: &Email, name: &str) -> Result<Secret<String>, FieldError> {
    if text.is_empty() {
        return Err(FieldError::PasswordMissing);
    }
    let password = Secret::new(text);
    match judge_password(&password, email, name) {
        Ok(()) => Ok(password),
        Err(PasswordFlaw::TooShort) => Err(FieldError::PasswordTooShort),
        Err(PasswordFlaw::TooLong) => Err(FieldError::PasswordTooLong),
        Err(PasswordFlaw::Guessable) => Err(FieldError::PasswordKnown),
    }
}

/// A password to be compared.
pub(super) fn password(text: String) -> Result<Secret<String>, FieldError> {
    if text.is_empty() { Err(FieldError::PasswordMissing) } else { Ok(Secret::new(text)) }
}

/// A field as it was written, with its error if it has one.
pub(super) fn written<T>(text: &str, parsed: &Result<T, FieldError>) -> Field {
    Field { value: text.to_owned(), error: parsed.as_ref().err().copied() }
}
