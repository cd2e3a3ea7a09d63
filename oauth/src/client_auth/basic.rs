//! The `Authorization: Basic` field: id and secret are form-url-encoded before
//! they are joined (RFC 6749 §2.3.1), which most readers forget.

use identity::Secret;

use super::bad;
use crate::error::OAuthRefusal;

pub(super) fn parse(field: &str) -> Result<(String, Secret<String>), OAuthRefusal> {
    const MALFORMED: OAuthRefusal = bad("basic_malformed");
    let (scheme, encoded) = field.split_once(' ').ok_or(MALFORMED)?;
    if !scheme.eq_ignore_ascii_case("basic") || encoded.len() > 4096 {
        return Err(bad("authorization_scheme"));
    }
    let bytes = jose::base64url::decode_standard(encoded.trim()).map_err(|_| MALFORMED)?;
    let pair = String::from_utf8(bytes).map_err(|_| MALFORMED)?;
    let (id, secret) = pair.split_once(':').ok_or(MALFORMED)?;
    let decode = |text: &str| {
        // With neither `&` nor `=` unencoded, the text is one name without a value.
        let name = url::form_urlencoded::parse(text.as_bytes()).next().map(|(name, _)| name.into_owned());
        (!text.contains(['&', '='])).then(|| name.unwrap_or_default())
    };
    match (decode(id), decode(secret)) {
        (Some(id), Some(secret)) if !id.is_empty() => Ok((id, Secret::new(secret))),
        _ => Err(MALFORMED),
    }
}
