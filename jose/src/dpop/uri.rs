//! The target of a proof (RFC 9449 §4.2 `htu`). Owns: one spelling for all
//! equal `http` and `https` URIs (RFC 3986 §6.2.2-6.2.3). Does not own: which
//! external origin a server behind proxies has.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The longest URI read, in bytes.
const MAX_LEN: usize = 2048;

/// A request target in normal form, without query and fragment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HttpUri(String);

/// The text is no absolute `http` or `https` URI we accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an absolute http or https URI")]
pub struct UriError;

impl HttpUri {
    /// Reads and normalises: scheme and host lower-cased, default port gone,
    /// `%` triplets of unreserved characters decoded and the others in upper
    /// case, dot segments removed, empty path as `/`, query and fragment cut
    /// off. Path case and a trailing slash keep their meaning.
    ///
    /// # Errors
    /// [`UriError`] for another scheme, user information, a host that is no
    /// name or address, a port that is no number up to 65535, a character a URI
    /// cannot hold, a broken `%` triplet, or more than 2048 bytes.
    pub fn parse(text: &str) -> Result<HttpUri, UriError> {
        if text.len() > MAX_LEN {
            return Err(UriError);
        }
        let text = text.split('#').next().unwrap_or_default();
        let (target, query) = text.split_once('?').unwrap_or((text, ""));
        normal_characters(query)?;
        let (scheme, rest) = target.split_once("://").ok_or(UriError)?;
        let (scheme, default_port) = if scheme.eq_ignore_ascii_case("https") {
            ("https", 443)
        } else if scheme.eq_ignore_ascii_case("http") {
            ("http", 80)
        } else {
            return Err(UriError);
        };
        let path_at = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(path_at);
        let (host, port) = split_authority(authority)?;
        let path = without_dot_segments(&normal_characters(path)?);
        let port = match port {
            Some(port) if port != default_port => format!(":{port}"),
            _ => String::new(),
        };
        Ok(HttpUri(format!("{scheme}://{host}{port}{path}")))
    }

    /// The normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HttpUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Host in lower case, and the port if one is written.
fn split_authority(authority: &str) -> Result<(String, Option<u16>), UriError> {
    let port_at = if authority.starts_with('[') {
        authority.find(']').ok_or(UriError)? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, port) = authority.split_at_checked(port_at).ok_or(UriError)?;
    let port = match port.strip_prefix(':') {
        // An empty port is the default one (RFC 3986 §6.2.3).
        Some("") => None,
        Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
            Some(digits.parse().map_err(|_| UriError)?)
        }
        None if port.is_empty() => None,
        _ => return Err(UriError),
    };
    let acceptable = match host.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')) {
        Some(ip) => ip.parse::<core::net::Ipv6Addr>().is_ok(),
        // Also refuses `@`: user information has no place in a target. A dot may
        // end a name, but no label is empty, so that no host is a dot segment.
        None => host.strip_suffix('.').unwrap_or(host).split('.').all(is_label),
    };
    if !acceptable {
        return Err(UriError);
    }
    Ok((host.to_ascii_lowercase(), port))
}

fn is_label(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_~".contains(&byte))
}

/// RFC 3986 §6.2.2.1 and §6.2.2.2, for path and query.
fn normal_characters(text: &str) -> Result<String, UriError> {
    let mut normal = String::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut nibble = || {
                let digit = char::from(bytes.next()?).to_digit(16)?;
                u8::try_from(digit).ok()
            };
            let (high, low) = (nibble().ok_or(UriError)?, nibble().ok_or(UriError)?);
            let decoded = high << 4 | low;
            if unreserved(decoded) {
                normal.push(char::from(decoded));
            } else {
                normal.push_str(&format!("%{decoded:02X}"));
            }
        } else if unreserved(byte) || b"!$&'()*+,;=:@/?".contains(&byte) {
            normal.push(char::from(byte));
        } else {
            return Err(UriError);
        }
    }
    Ok(normal)
}

fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// RFC 3986 §5.2.4 for a path that is empty or begins with a slash.
fn without_dot_segments(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            segment => {
                kept.push(segment);
                continue;
            }
        }
        if last {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    fn normal(text: &str) -> String {
        HttpUri::parse(text).unwrap().to_string()
    }

    #[test]
    fn spellings_of_one_target_are_equal() {
        let request = "https://ingest.example.com/v1/telemetry";
        for text in [
            request,
            "HTTPS://Ingest.Example.COM:443/v1/./telemetry?x=1#f",
            "https://ingest.example.com:/v1/telemetry",
            "https://ingest.example.com/v1/telemetr%79",
            "https://ingest.example.com/v1/%2E/telemetry",
            "https://ingest.example.com/v1/x/../telemetry",
            "https://ingest.example.com/../v1/telemetry#a?b",
            "https://ingest.example.com/v1/telemetry?",
        ] {
            assert_eq!(normal(text), request, "{text}");
        }
        assert_eq!(normal("http://[::1]:80"), "http://[::1]/");
        assert_eq!(normal("http://localhost:8080"), "http://localhost:8080/");
        assert_eq!(normal("https://h/a%2fb%c3%a9"), "https://h/a%2Fb%C3%A9");
        assert_eq!(normal("https://h/a/.."), "https://h/");
        assert_eq!(normal("https://h/a/b/."), "https://h/a/b/");
        assert_eq!(normal("https://h/a//b"), "https://h/a//b");
    }

    #[test]
    fn other_targets_stay_different() {
        let request = normal("https://ingest.example.com/v1/telemetry");
        for text in [
            "http://ingest.example.com/v1/telemetry",
            "https://ingest.example.com:8443/v1/telemetry",
            "https://ingest.example.com:80/v1/telemetry",
            "https://ingest.example.net/v1/telemetry",
            "https://ingest.example.com/v1/telemetry/",
            "https://ingest.example.com/v1/Telemetry",
            "https://ingest.example.com/v1%2Ftelemetry",
            "https://ingest.example.com/v1//telemetry",
            "https://ingest.example.com./v1/telemetry",
        ] {
            assert_ne!(normal(text), request, "{text}");
        }
    }

    #[test]
    fn what_is_no_http_target_is_refused() {
        for text in [
            "",
            "/v1/telemetry",
            "ingest.example.com/v1",
            "ftp://h/",
            "https:/h/",
            "https://",
            "https:///v1",
            "https://../v1",
            "https://./v1",
            "https://.h/v1",
            "https://h../v1",
            "https://u@h/",
            "https://u:p@h/",
            "https://h:65536/",
            "https://h:+1/",
            "https://h:8a/",
            "https://[::1/",
            "https://[::1]x/",
            "https://[zz]/",
            "https://h h/",
            "https://h%41/",
            "https://h/a b",
            "https://h/%4",
            "https://h/%zz",
            "https://h/\u{e9}",
            "https://h/a\\b",
            "https://h/?a b",
            " https://h/",
        ] {
            assert_eq!(HttpUri::parse(text), Err(UriError), "{text}");
        }
        let long = format!("https://h/{}", "a".repeat(MAX_LEN));
        assert_eq!(HttpUri::parse(&long), Err(UriError));
    }

    proptest::proptest! {
        #[test]
        fn normalising_twice_changes_nothing(path in "[a-cA-C./%0-9?#:]{0,24}") {
            if let Ok(once) = HttpUri::parse(&format!("https://H.example/{path}")) {
                let twice = HttpUri::parse(once.as_str()).unwrap();
                proptest::prop_assert_eq!(once, twice);
            }
        }
    }
}
