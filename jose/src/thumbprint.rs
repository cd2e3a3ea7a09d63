//! JWK thumbprints (RFC 7638). Owns: the 32 bytes and their one spelling.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::base64url;

/// SHA-256 thumbprint of a public key (RFC 7638 §3); the value of `cnf.jkt`
/// (RFC 9449 §6.1). Public, so an ordinary comparison is right.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Thumbprint(pub [u8; 32]);

/// The text is no base64url of 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 thumbprint in base64url")]
pub struct ThumbprintError;

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbprint({self})")
    }
}

impl FromStr for Thumbprint {
    type Err = ThumbprintError;

    fn from_str(text: &str) -> Result<Self, ThumbprintError> {
        // 43 characters hold 32 bytes: bound the work before decoding.
        if text.len() != 43 {
            return Err(ThumbprintError);
        }
        let bytes = base64url::decode(text).map_err(|_| ThumbprintError)?;
        bytes.try_into().map(Thumbprint).map_err(|_| ThumbprintError)
    }
}

impl Serialize for Thumbprint {
    fn serialize<S: Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
        sink.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Thumbprint {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        String::deserialize(source)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_are_one_to_one() {
        let text = "jq-Abjit1KD2Wx0wdYwfnPJdS-lzqzP6XK4JMrJiI7M";
        let read: Thumbprint = text.parse().unwrap();
        assert_eq!(std::string::ToString::to_string(&read), text);
        let json = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<Thumbprint>(&json).unwrap(), read);
    }

    #[test]
    fn other_lengths_padding_and_left_over_bits_are_refused() {
        for text in [
            "",
            "jq-Abjit1KD2Wx0wdYwfnPJdS-lzqzP6XK4JMrJiI7",
            "jq-Abjit1KD2Wx0wdYwfnPJdS-lzqzP6XK4JMrJiI7M=",
            "jq-Abjit1KD2Wx0wdYwfnPJdS-lzqzP6XK4JMrJiI7N",
            "jq+Abjit1KD2Wx0wdYwfnPJdS-lzqzP6XK4JMrJiI7M",
        ] {
            assert_eq!(text.parse::<Thumbprint>(), Err(ThumbprintError), "{text}");
        }
    }
}
