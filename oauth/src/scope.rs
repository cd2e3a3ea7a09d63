//! Scopes: sets of asked or granted rights (RFC 6749 §3.3).

use core::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// A set of scope tokens, in the order they were first named, none twice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Scope(Vec<String>);

/// The text is no list of scope tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScopeError;

impl fmt::Display for ScopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scope is a list of tokens separated by single spaces")
    }
}

impl core::error::Error for ScopeError {}

impl Scope {
    /// Parses a space-separated list: at most 2,048 characters and 64 tokens of
    /// `%x21 / %x23-5B / %x5D-7E` (RFC 6749 §3.3). Empty text is no scope.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        if text.len() > 2048 {
            return Err(ScopeError);
        }
        let mut scope = Self::default();
        for token in text.split(' ').filter(|token| !token.is_empty()) {
            if !token.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
                return Err(ScopeError);
            }
            scope.insert(token);
        }
        if scope.0.len() > 64 { Err(ScopeError) } else { Ok(scope) }
    }

    /// A scope of these tokens.
    pub fn of<I: IntoIterator<Item = S>, S: AsRef<str>>(tokens: I) -> Self {
        let mut scope = Self::default();
        tokens.into_iter().for_each(|token| scope.insert(token.as_ref()));
        scope
    }

    /// Adds a token.
    pub fn insert(&mut self, token: &str) {
        if !self.contains(token) {
            self.0.push(token.to_owned());
        }
    }

    /// Whether a token is in it.
    pub fn contains(&self, token: &str) -> bool {
        self.0.iter().any(|known| known == token)
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every token of this is in the other.
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.iter().all(|token| other.contains(token))
    }

    /// What is in both, in this one's order.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.iter().filter(|token| other.contains(token)).cloned().collect())
    }

    /// The tokens.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, token) in self.0.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { " " })?;
            f.write_str(token)?;
        }
        Ok(())
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl TryFrom<String> for Scope {
    type Error = ScopeError;
    fn try_from(text: String) -> Result<Self, ScopeError> {
        Self::parse(&text)
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_keeps_its_order_and_holds_nothing_twice() {
        assert_eq!(Scope::parse("b a  b c").unwrap().to_string(), "b a c");
    }

    #[test]
    fn quotes_backslashes_and_controls_are_no_scope() {
        for text in ["a\"b", "a\\b", "a\tb", "a\nb", "\u{e9}", &"a".repeat(2049)] {
            assert_eq!(Scope::parse(text), Err(ScopeError), "{text:?}");
        }
    }
}
