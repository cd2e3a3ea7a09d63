//! Who shall receive a token: `resource` and `audience` (RFC 8707 §2, RFC 8693 §2.1).

use crate::error::{ErrorCode, OAuthRefusal};

/// Resolves what was asked for against what is allowed; nothing asked means the
/// first of the list.
///
/// # Errors
/// `invalid_target` for a receiver that is malformed or not on the list, and
/// where there is none at all.
pub fn resolve(asked: &[String], allowed: &[String]) -> Result<Vec<String>, OAuthRefusal> {
    const NOT_ALLOWED: OAuthRefusal = OAuthRefusal::new(ErrorCode::InvalidTarget, "target_not_allowed");
    if asked.is_empty() {
        let default = allowed.first().ok_or(OAuthRefusal::new(ErrorCode::InvalidTarget, "no_default_target"))?;
        return Ok(vec![default.clone()]);
    }
    let mut targets: Vec<String> = Vec::new();
    for target in asked {
        if target.contains('#') || !allowed.contains(target) {
            return Err(NOT_ALLOWED);
        }
        if !targets.contains(target) {
            targets.push(target.clone());
        }
    }
    Ok(targets)
}

/// Resolves what was asked for against what was granted before, as far as the
/// client may still ask for it. A token with `openid` is good at UserInfo, which
/// is ours, unless the request chose otherwise.
///
/// # Errors
/// As [`resolve`].
pub fn of_grant(
    asked: &[String],
    granted: &[String],
    allowed: &[String],
    openid: Option<&str>,
) -> Result<Vec<String>, OAuthRefusal> {
    let remains = |target: &&String| allowed.contains(target) || Some(target.as_str()) == openid;
    let remaining: Vec<String> = granted.iter().filter(remains).cloned().collect();
    let mut targets = resolve(asked, &remaining)?;
    let ours = openid.filter(|ours| asked.is_empty() && remaining.iter().any(|target| target == ours));
    if let Some(ours) = ours.filter(|ours| !targets.iter().any(|target| target == ours)) {
        targets.push(ours.to_owned());
    }
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn nothing_asked_means_the_default() {
        assert_eq!(resolve(&[], &list(&["https://a", "https://b"])).unwrap(), list(&["https://a"]));
        assert_eq!(resolve(&[], &[]).unwrap_err().code, ErrorCode::InvalidTarget);
    }

    #[test]
    fn what_is_not_on_the_list_is_refused_whole() {
        let allowed = list(&["https://a", "https://b"]);
        assert_eq!(resolve(&list(&["https://b", "https://b"]), &allowed).unwrap(), list(&["https://b"]));
        for asked in ["https://c", "https://a/", "HTTPS://a", "https://a#x", ""] {
            let refusal = resolve(&list(&["https://a", asked]), &allowed).unwrap_err();
            assert_eq!(refusal.code, ErrorCode::InvalidTarget, "{asked}");
        }
    }
}
