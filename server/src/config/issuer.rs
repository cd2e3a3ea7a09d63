//! `[issuer]`: under which addresses the world knows this server.

use std::fmt;

use toml::Value;
use url::Url;

use super::reader::{Section, Setting};

/// Under which addresses the world knows this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// What people and clients open, and the `iss` of every token (RFC 8414 §2).
    pub url: BaseUrl,
    /// Where devices come, with their certificates (`mtls_endpoint_aliases`, RFC 8705 §5).
    pub devices_url: BaseUrl,
}

impl Issuer {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let url = section.setting(
            "url",
            BaseUrl::local(8443),
            "What people and clients open, and the issuer named in every token. Changing it ends every token.",
        );
        let devices_url = section.setting(
            "devices_url",
            BaseUrl::local(8444),
            "Where devices come. It asks for certificates, so it needs an address or port of its own.",
        );
        if url == devices_url {
            section.mistake("devices_url", "is the same as issuer.url; browsers would be asked for certificates");
        }
        Self { url, devices_url }
    }
}

/// An https address without path, query, fragment or user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// Reads one; a single `/` at its end is taken as no path.
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let bare = url.scheme() == "https"
            && url.has_host()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        bare.then_some(Self(url))
    }

    /// Whether its host has a name that is not this machine's own. What browsers are told of a host
    /// holds for all of its ports, so nothing is told of `localhost`, where others develop.
    pub fn is_of_the_world(&self) -> bool {
        self.0.domain().is_some_and(|name| name != "localhost" && !name.ends_with(".localhost"))
    }

    /// `https://localhost` on a port.
    pub fn local(port: u16) -> Self {
        Self::parse(&format!("https://localhost:{port}")).expect("localhost with a port is an address")
    }

    /// The text, without a slash at its end.
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// Its host: a name, or an address (IPv6 without brackets).
    pub fn host(&self) -> String {
        self.0.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned()
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Setting for BaseUrl {
    const KIND: &'static str = "an https address without a path (like \"https://id.example.com\")";

    fn parse(value: &Value) -> Option<Self> {
        Self::parse(value.as_str()?)
    }

    fn render(&self) -> Value {
        Value::String(self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_https_and_bare() {
        assert_eq!(BaseUrl::parse("https://id.example.com/").unwrap().as_str(), "https://id.example.com");
        for text in ["http://a", "https://a/b", "https://a?x", "https://a#x", "https://u@a", "https://u:p@a", "a", ""] {
            assert_eq!(BaseUrl::parse(text), None, "{text}");
        }
    }
}
