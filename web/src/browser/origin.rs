//! Whether a post comes from a page of ours: what the browser itself says about
//! it, beside the token in the form.

use axum::http::HeaderMap;

/// Judges `Sec-Fetch-Site` and `Origin`.
///
/// Our pages send no referrer, and with that policy a browser says
/// `Origin: null` for a form's post (Fetch, "append a request Origin header");
/// then `Sec-Fetch-Site` must say that it is ours. A post that says neither is
/// refused: every browser of these years says one.
///
/// # Errors
/// The cause.
pub(super) fn check(headers: &HeaderMap, ours: &str) -> Result<(), &'static str> {
    let one = |name: &str| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => value.to_str().map(Some).map_err(|_| "origin_malformed"),
            _ => Err("origin_repeated"),
        }
    };
    match (one("sec-fetch-site")?, one("origin")?) {
        (Some("same-origin"), None | Some("null")) => Ok(()),
        (Some("same-origin") | None, Some(origin)) if origin == ours => Ok(()),
        (Some("same-origin") | None, Some(_)) => Err("foreign_origin"),
        (Some(_), _) => Err("cross_site"),
        (None, None) => Err("origin_unknown"),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn judge(fields: &[(&'static str, &str)]) -> Result<(), &'static str> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        check(&headers, "https://id.example:8443")
    }

    #[test]
    fn our_own_pages_pass() {
        assert_eq!(judge(&[("origin", "https://id.example:8443")]), Ok(()));
        assert_eq!(judge(&[("sec-fetch-site", "same-origin"), ("origin", "null")]), Ok(()));
        assert_eq!(judge(&[("sec-fetch-site", "same-origin")]), Ok(()));
    }

    #[test]
    fn other_places_do_not() {
        for (fields, cause) in [
            (&[("origin", "https://evil.example")][..], "foreign_origin"),
            (&[("origin", "https://id.example")], "foreign_origin"),
            (&[("origin", "null")], "foreign_origin"),
            (&[("sec-fetch-site", "cross-site"), ("origin", "https://id.example:8443")], "cross_site"),
            (&[("sec-fetch-site", "same-site")], "cross_site"),
            (&[("sec-fetch-site", "none")], "cross_site"),
            (&[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")], "foreign_origin"),
            (&[("origin", "https://id.example:8443"), ("origin", "https://evil.example")], "origin_repeated"),
            (&[], "origin_unknown"),
        ] {
            assert_eq!(judge(fields), Err(cause), "{fields:?}");
        }
    }
}
