//! Where a person is sent back to: one of our own relative paths, nothing a
//! browser could read as another place (RFC 9700 §4.11).

use core::fmt;

/// A path of ours, with its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnTo(String);

const LONGEST: usize = 4_096;

impl ReturnTo {
    /// Takes a path that begins with a single `/`, in printable ASCII without
    /// backslash, quotes or fragment; in its path part no empty or dotted
    /// segment, and no encoded slash, backslash or control character.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'\\' | b'"' | b'<' | b'>' | b'#' | b'`' | b'\'');
        if text.len() > LONGEST || !text.bytes().all(plain) {
            return None;
        }
        let path = text.split_once('?').map_or(text, |(path, _)| path);
        let below = path.strip_prefix('/')?;
        let lower = below.to_ascii_lowercase();
        let hidden = ["%2f", "%5c", "%2e", "%0", "%1", "%7f", "%25"].iter().any(|code| lower.contains(code));
        let segments: Vec<&str> = below.split('/').collect();
        let last = segments.len() - 1;
        let empty = segments.iter().enumerate().any(|(at, segment)| segment.is_empty() && (at != last || at != 0));
        if hidden || empty || segments.iter().any(|segment| matches!(*segment, "." | "..")) {
            return None;
        }
        Some(Self(text.to_owned()))
    }

    /// Where a person goes who came for nothing in particular.
    pub fn home() -> Self {
        Self(crate::pages::path::MY.to_owned())
    }

    /// What was asked for, where it is a path of ours; else home.
    pub fn or_home(text: Option<&str>) -> Self {
        text.and_then(Self::parse).unwrap_or_else(Self::home)
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The client on whose behalf the person came, if it was one.
    pub fn client_id(&self) -> Option<String> {
        let query = self.0.strip_prefix("/authorize?")?;
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(name, _)| name == "client_id").map(|(_, id)| id.into_owned())
    }

    /// The address of a page of ours that sends the person on to here.
    pub fn behind(&self, page: &str) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("return_to", &self.0).finish();
        format!("{page}?{query}")
    }
}

impl fmt::Display for ReturnTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_paths_are_taken_as_they_are() {
        for path in [
            "/",
            "/my",
            "/my/things/ast_1",
            "/authorize?client_id=a&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&state=x//y",
            "/pair?user_code=WDJB-MJHT",
        ] {
            assert_eq!(ReturnTo::parse(path).unwrap().as_str(), path);
        }
    }

    #[test]
    fn no_other_place_is_reached() {
        for evil in [
            "",
            "my",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/%2f/evil.example",
            "/%2Fevil.example",
            "/%5Cevil.example",
            "/a//evil.example",
            "/my/",
            "/../my",
            "/.//evil.example",
            "/%2e%2e/my",
            "/%252f/evil",
            "https://evil.example",
            "https:evil.example",
            "javascript:alert(1)",
            " /my",
            "/my\r\nSet-Cookie: a=b",
            "/\t/evil.example",
            "/\u{0}my",
            "/my%0d%0aX: y",
            "/my#fragment",
            "/m\u{fc}",
        ] {
            assert_eq!(ReturnTo::parse(evil), None, "{evil:?}");
        }
        assert_eq!(ReturnTo::parse(&format!("/{}", "a".repeat(LONGEST))), None);
    }

    #[test]
    fn what_is_taken_stays_on_our_host() {
        let base = url::Url::parse("https://id.example:8443/signin").unwrap();
        for path in ["/", "/my", "/my?x=//evil.example", "/my?https://evil.example"] {
            let there = base.join(ReturnTo::parse(path).unwrap().as_str()).unwrap();
            assert_eq!(there.origin(), base.origin(), "{path}");
        }
    }

    #[test]
    fn behind_a_page_it_comes_back_whole() {
        let path = ReturnTo::parse("/authorize?a=b&c=d%2F").unwrap();
        assert_eq!(path.behind("/signin"), "/signin?return_to=%2Fauthorize%3Fa%3Db%26c%3Dd%252F");
        assert_eq!(ReturnTo::or_home(Some("//evil")).as_str(), "/my");
    }

    #[test]
    fn the_app_somebody_comes_for_is_known_and_nobody_elsewhere() {
        let client = |text: &str| ReturnTo::parse(text).and_then(|to| to.client_id());
        assert_eq!(client("/authorize?scope=openid&client_id=app%201&state=x").as_deref(), Some("app 1"));
        assert_eq!(client("/authorize?scope=openid"), None);
        assert_eq!(client("/my?client_id=app"), None);
    }
}
