//! Redirect URIs: compared exactly (RFC 9700 §2.1), and how answers travel on
//! them, always with `iss` (RFC 9207).

use crate::client::Client;
use crate::error::OAuthRefusal;

/// Where an answer goes, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redirect {
    uri: String,
    state: Option<String>,
    form_post: bool,
    issuer: String,
}

impl Redirect {
    /// A place whose URI was found registered.
    pub(crate) fn new(uri: String, state: Option<String>, form_post: bool, issuer: &str) -> Self {
        Self { uri, state, form_post, issuer: issuer.to_owned() }
    }

    /// The URI.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Whether the answer is a page that posts itself (OAuth 2.0 Form Post).
    pub fn is_form_post(&self) -> bool {
        self.form_post
    }

    /// Parameters of a success.
    pub fn success(&self, code: &str) -> Vec<(String, String)> {
        self.with(vec![("code".to_owned(), code.to_owned())])
    }

    /// Parameters of a refusal.
    pub fn refusal(&self, refusal: OAuthRefusal) -> Vec<(String, String)> {
        let word = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        self.with(vec![word("error", refusal.code.as_str()), word("error_description", refusal.code.description())])
    }

    fn with(&self, mut parameters: Vec<(String, String)>) -> Vec<(String, String)> {
        parameters.extend(self.state.clone().map(|state| ("state".to_owned(), state)));
        parameters.push(("iss".to_owned(), self.issuer.clone()));
        parameters
    }

    /// The address to go to with these parameters in the query.
    pub fn location(&self, parameters: &[(String, String)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters);
        let joint = if self.uri.contains('?') { '&' } else { '?' };
        format!("{}{joint}{}", self.uri, query.finish())
    }
}

/// Whether a URI is one of the client's: the same text, only the port of a
/// loopback address may vary (RFC 8252 §7.3), of `localhost` by a switch.
pub fn is_registered(uri: &str, client: &Client) -> bool {
    client
        .redirect_uris
        .iter()
        .any(|registered| registered == uri || same_but_port(registered, uri, client.rights.localhost_any_port))
}

fn same_but_port(registered: &str, uri: &str, localhost: bool) -> bool {
    let split = |text: &str| -> Option<(String, String)> {
        let rest = text.strip_prefix("http://")?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, tail) = (rest.get(..end)?, rest.get(end..)?);
        let hosts = ["127.0.0.1", "[::1]", "localhost"];
        let host = hosts.into_iter().find(|host| {
            let port = authority.strip_prefix(host).map(|rest| rest.strip_prefix(':'));
            match port {
                Some(Some(port)) => !port.is_empty() && port.parse::<u16>().is_ok(),
                Some(None) => authority == *host,
                None => false,
            }
        })?;
        (host != "localhost" || localhost).then(|| (host.to_owned(), tail.to_owned()))
    };
    matches!((split(registered), split(uri)), (Some(a), Some(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_port_of_a_loopback_address_may_vary() {
        let same = |a, b| same_but_port(a, b, false);
        assert!(same("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb"));
        assert!(same("http://[::1]:1/cb?x=1", "http://[::1]:2/cb?x=1"));
        for (registered, uri) in [
            ("http://127.0.0.1/cb", "http://127.0.0.1:1/cb/"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:1/other"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:1@evil.example/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:/cb"),
            ("http://localhost/cb", "http://localhost:8080/cb"),
            ("https://app.example/cb", "https://app.example:444/cb"),
        ] {
            assert!(!same(registered, uri), "{uri}");
        }
        assert!(same_but_port("http://localhost/cb", "http://localhost:8080/cb", true));
    }

    #[test]
    fn an_answer_names_its_issuer_and_keeps_the_query_of_the_uri() {
        let redirect =
            Redirect::new("https://a.example/cb?x=1".into(), Some("s&t".into()), false, "https://id.example");
        let location = redirect.location(&redirect.success("c/1"));
        assert_eq!(location, "https://a.example/cb?x=1&code=c%2F1&state=s%26t&iss=https%3A%2F%2Fid.example");
    }
}
