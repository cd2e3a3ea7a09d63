//! Where a request goes. Owns: that it is an `https` address in one spelling,
//! and what its origin is, because secrets and nonces belong to one origin.

use alloc::string::String;
use core::fmt;

use jose::dpop::HttpUri;

/// An `https` address, with its query if it has one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address {
    text: String,
    /// The same without the query: what a proof names (RFC 9449 §4.2).
    uri: HttpUri,
}

/// The text is no absolute `https` address, or has a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an https address without fragment")]
pub struct AddressError;

impl Address {
    /// Reads and normalises an address of at most 2048 bytes. Plain `http` is
    /// no address here: tokens travel over TLS only (RFC 6749 §10.4).
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn parse(text: &str) -> Result<Address, AddressError> {
        if text.contains('#') {
            return Err(AddressError);
        }
        let uri = HttpUri::parse(text).map_err(|_| AddressError)?;
        if !uri.as_str().starts_with("https://") {
            return Err(AddressError);
        }
        let query = text.find('?').and_then(|at| text.get(at..)).unwrap_or_default();
        Ok(Address { text: alloc::format!("{uri}{query}"), uri })
    }

    /// The same origin with this path, for example `/device/session`.
    ///
    /// # Errors
    /// [`AddressError`] when `path` is no absolute path.
    pub fn at(&self, path: &str) -> Result<Address, AddressError> {
        if !path.starts_with('/') {
            return Err(AddressError);
        }
        let mut text = String::from(self.origin());
        text.push_str(path);
        Address::parse(&text)
    }

    /// Scheme, host and port (RFC 6454 §4): everything before the path.
    pub fn origin(&self) -> &str {
        let text = self.uri.as_str();
        let host_at = "https://".len();
        let path_at = text.get(host_at..).and_then(|rest| rest.find('/')).map_or(text.len(), |at| host_at + at);
        text.get(..path_at).unwrap_or(text)
    }

    /// The normal form; the query as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn uri(&self) -> &HttpUri {
        &self.uri
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_ends_before_the_path() {
        let address = Address::parse("https://ID.example.com:443/token").unwrap();
        assert_eq!(address.as_str(), "https://id.example.com/token");
        assert_eq!(address.origin(), "https://id.example.com");
        assert_eq!(address.at("/time").unwrap().as_str(), "https://id.example.com/time");
        assert_eq!(Address::parse("https://[::1]:8444").unwrap().origin(), "https://[::1]:8444");
    }

    #[test]
    fn a_query_is_sent_but_named_in_no_proof() {
        let address = Address::parse("https://a.example/x?y=https://b.example/&z#").unwrap_err();
        assert_eq!(address, AddressError);
        let address = Address::parse("https://a.example/x?y=https://b.example/").unwrap();
        assert_eq!(address.as_str(), "https://a.example/x?y=https://b.example/");
        assert_eq!(address.uri().as_str(), "https://a.example/x");
        assert_eq!(address.origin(), "https://a.example");
        assert_eq!(Address::parse("https://a.example?y").unwrap().origin(), "https://a.example");
        assert_eq!(Address::parse("https://a.example/x?y=a b"), Err(AddressError));
    }

    #[test]
    fn plain_http_and_fragments_are_no_address_for_tokens() {
        for text in ["http://id.example.com/token", "https://a/x#y", "https://u@a/x", "ftp://a/", "/token", ""] {
            assert_eq!(Address::parse(text), Err(AddressError), "{text}");
        }
    }

    #[test]
    fn a_path_cannot_lead_to_another_origin() {
        let address = Address::parse("https://id.example.com/token").unwrap();
        assert_eq!(address.at("@evil.example/"), Err(AddressError));
        assert_eq!(address.at("//evil.example/").unwrap().origin(), "https://id.example.com");
    }
}
