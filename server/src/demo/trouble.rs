//! Why a step of the story went wrong, in words.

use std::fmt::Display;

use super::http::Answer;

/// Why a step went wrong. Never a secret: bodies of answers are not quoted.
#[derive(Debug)]
pub(super) struct Trouble(pub(super) String);

/// What a step comes to.
pub(super) type Lived<T> = Result<T, Trouble>;

impl Trouble {
    pub(super) fn new(what: impl Display) -> Self {
        Self(what.to_string())
    }

    /// An answer that was not expected, by status and the server's own word for it.
    pub(super) fn answered(what: &str, answer: &Answer) -> Self {
        let word = answer.word().unwrap_or_default();
        Self(format!("{what}: the answer was {} {word}", answer.status).trim_end().to_owned())
    }
}

impl<E: std::error::Error> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::new(error)
    }
}

/// What must hold for the story to go on.
pub(super) fn sure(holds: bool, otherwise: &str) -> Lived<()> {
    if holds { Ok(()) } else { Err(Trouble::new(otherwise)) }
}

/// What must be there for the story to go on.
pub(super) trait Present<T> {
    /// The value, or the trouble that it is missing.
    fn present(self, what: &str) -> Lived<T>;
}

impl<T> Present<T> for Option<T> {
    fn present(self, what: &str) -> Lived<T> {
        self.ok_or_else(|| Trouble::new(format!("{what} is missing")))
    }
}
