//! Parameters of the token endpoint and its neighbours: read once, typed by
//! whoever needs them (RFC 6749 §3.1, §3.2).

use crate::error::{ErrorCode, OAuthRefusal};

/// Those that may come more than once (RFC 8707 §2, RFC 8693 §2.1).
const REPEATABLE: [&str; 2] = ["resource", "audience"];
/// More parameters than any grant has.
const MAX_PARAMETERS: usize = 64;
/// Room for two tokens of the largest size, and no more.
const MAX_VALUE: usize = 16 * 1024;

/// The parameters of one request. An empty value counts as absent.
#[derive(Clone, Default)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Takes decoded pairs.
    ///
    /// # Errors
    /// `invalid_request` for a parameter that came twice, too much, or U+0000,
    /// which no parameter may hold (RFC 6749 appendix A).
    pub fn parse(pairs: Vec<(String, String)>) -> Result<Self, OAuthRefusal> {
        if pairs.len() > MAX_PARAMETERS || pairs.iter().any(|(_, value)| value.len() > MAX_VALUE) {
            return Err(OAuthRefusal::new(ErrorCode::InvalidRequest, "parameters_too_large"));
        }
        if pairs.iter().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
            return Err(OAuthRefusal::new(ErrorCode::InvalidRequest, "parameter_with_nul"));
        }
        let mut form = Self::default();
        for (name, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
            if !REPEATABLE.contains(&name.as_str()) && form.one(&name).is_some() {
                return Err(OAuthRefusal::new(ErrorCode::InvalidRequest, "parameter_repeated"));
            }
            form.0.push((name, value));
        }
        Ok(form)
    }

    /// A parameter, if it came.
    pub fn one(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All values of a repeatable parameter.
    pub fn many<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that must come.
    ///
    /// # Errors
    /// `invalid_request` with the given cause.
    pub fn required(&self, name: &str, reason: &'static str) -> Result<&str, OAuthRefusal> {
        self.one(name).ok_or(OAuthRefusal::new(ErrorCode::InvalidRequest, reason))
    }

    /// The `scope` parameter.
    ///
    /// # Errors
    /// `invalid_scope` when it is no list of scope tokens.
    pub fn scope(&self) -> Result<Option<crate::Scope>, OAuthRefusal> {
        let parse = |text| crate::Scope::parse(text);
        let scope = self.one("scope").map(parse).transpose();
        scope.map_err(|_| OAuthRefusal::new(ErrorCode::InvalidScope, "scope_malformed"))
    }

    /// All `resource` and `audience` values.
    pub fn targets(&self) -> Vec<String> {
        self.many("resource").chain(self.many("audience")).map(str::to_owned).collect()
    }
}

impl core::fmt::Debug for Form {
    /// Names alone: values are secrets as often as not.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(pairs: &[(&str, &str)]) -> Result<Form, OAuthRefusal> {
        Form::parse(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn a_repeated_parameter_is_refused_but_resource_and_audience_may_repeat() {
        let refusal = form(&[("subject_token", "a"), ("subject_token", "b")]).unwrap_err();
        assert_eq!((refusal.code, refusal.reason), (ErrorCode::InvalidRequest, "parameter_repeated"));
        let targets = form(&[("resource", "https://a"), ("resource", "https://b"), ("audience", "c")]).unwrap();
        assert_eq!(targets.targets(), ["https://a", "https://b", "c"]);
    }

    #[test]
    fn a_nul_is_in_no_parameter() {
        for pair in [("scope", "a\0b"), ("sco\0pe", "a")] {
            assert_eq!(form(&[pair]).unwrap_err().reason, "parameter_with_nul");
        }
    }

    #[test]
    fn an_empty_parameter_is_absent() {
        let form = form(&[("scope", ""), ("scope", "x")]).unwrap();
        assert_eq!(form.one("scope"), Some("x"));
    }

    #[test]
    fn debug_shows_no_value() {
        let form = form(&[("client_secret", "hunter2")]).unwrap();
        assert!(!format!("{form:?}").contains("hunter2"));
    }
}
