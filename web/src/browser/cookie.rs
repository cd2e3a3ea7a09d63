//! Our cookies: `__Host-`, so that no other host of the domain can set them
//! (RFC 6265bis §4.1.3.2); never readable by script.

use axum::http::{HeaderMap, HeaderValue, header};
use identity::Secret;

/// Who is signed in.
pub const SESSION: &str = "__Host-keyfob";
/// A browser nobody has signed in with; carries the token of its forms.
pub const VISIT: &str = "__Host-visit";
/// What just happened, for the page that follows.
pub(super) const DONE: &str = "__Host-done";

/// Longer ones are none of ours.
const LONGEST: usize = 1_024;

/// The value of a cookie. One that comes twice counts as absent: ours cannot.
pub fn read(headers: &HeaderMap, name: &str) -> Option<String> {
    let fields = headers.get_all(header::COOKIE).iter().filter_map(|field| field.to_str().ok());
    let mut values = fields
        .flat_map(|field| field.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(known, _)| *known == name)
        .map(|(_, value)| value);
    match (values.next(), values.next()) {
        (Some(value), None) if !value.is_empty() && value.len() <= LONGEST => Some(value.to_owned()),
        _ => None,
    }
}

/// A secret out of a cookie.
pub(super) fn secret(headers: &HeaderMap, name: &str) -> Option<Secret<String>> {
    read(headers, name).map(Secret::new)
}

/// Sets a cookie, for so many seconds or until the browser closes.
pub(super) fn set(name: &str, value: &str, seconds: Option<i64>) -> Option<HeaderValue> {
    let age = seconds.map(|seconds| format!("; Max-Age={}", seconds.max(0))).unwrap_or_default();
    HeaderValue::from_str(&format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{age}")).ok()
}

/// Takes a cookie away.
pub(super) fn clear(name: &str) -> Option<HeaderValue> {
    set(name, "", Some(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[&str]) -> HeaderMap {
        fields.iter().map(|field| (header::COOKIE, HeaderValue::from_str(field).unwrap())).collect()
    }

    #[test]
    fn a_cookie_is_found_among_others_and_not_by_half_its_name() {
        let found = |fields: &[&str]| read(&headers(fields), VISIT);
        assert_eq!(found(&["a=1; __Host-visit=x-y_z; b=2"]).as_deref(), Some("x-y_z"));
        assert_eq!(found(&["a=1", "__Host-visit=x"]).as_deref(), Some("x"));
        assert_eq!(found(&["x__Host-visit=x", "__Host-visit2=x", "__Host-visit", "__Host-visit="]), None);
        assert_eq!(found(&[&format!("__Host-visit={}", "x".repeat(1_025))]), None);
    }

    #[test]
    fn a_cookie_that_comes_twice_is_none() {
        assert_eq!(read(&headers(&["__Host-visit=a; __Host-visit=b"]), VISIT), None);
    }
}
