//! The content security policy under which the pages work, and no wider one.

/// For every page but the two below: own style, own scripts, own forms, no frame around it.
pub const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// For [`super::consent::Consent`]: the post may be redirected to the app at `redirect_uri`
/// (browsers hold a redirect that follows a form to `form-action` as well).
pub fn consent_policy(redirect_uri: &str) -> String {
    match source(redirect_uri) {
        Some(source) => POLICY.replace("form-action 'self'", &format!("form-action 'self' {source}")),
        None => POLICY.to_owned(),
    }
}

/// For [`super::consent::FormPost`]: posts to the app only, and runs only the script with `nonce`
/// (base64url, at least 128 bit of randomness, drawn for this answer).
pub fn form_post_policy(redirect_uri: &str, nonce: &str) -> String {
    let target = source(redirect_uri).unwrap_or_else(|| "'none'".to_owned());
    let nonce: String = nonce.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
    POLICY
        .replace("script-src 'self'", &format!("script-src 'nonce-{nonce}'"))
        .replace("form-action 'self'", &format!("form-action {target}"))
}

/// The source expression (CSP Level 3 §2.3.1) for a redirect URI: its origin, or the scheme alone for
/// a private-use URI and for an IPv6 literal, which the grammar cannot name. `None` for what is no URI.
fn source(redirect_uri: &str) -> Option<String> {
    let uri = url::Url::parse(redirect_uri).ok()?;
    match uri.origin() {
        url::Origin::Tuple(_, url::Host::Domain(_) | url::Host::Ipv4(_), _) => Some(uri.origin().ascii_serialization()),
        _ => Some(format!("{}:", uri.scheme())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_consent_page_may_lead_to_the_app_and_nowhere_else() {
        let policy = consent_policy("https://app.example:8443/cb?x=1;script-src *");
        assert!(policy.contains("form-action 'self' https://app.example:8443;"), "{policy}");
        assert!(policy.contains("script-src 'self';") && !policy.contains('*'), "{policy}");
        assert!(consent_policy("com.example.app:/cb").contains("form-action 'self' com.example.app:;"));
        assert!(consent_policy("http://127.0.0.1:4711/cb").contains("form-action 'self' http://127.0.0.1:4711;"));
        assert!(consent_policy("http://[::1]:4711/cb").contains("form-action 'self' http:;"));
        assert_eq!(consent_policy("not a uri"), POLICY);
    }

    #[test]
    fn the_form_post_page_runs_one_script_and_posts_to_one_place() {
        let policy = form_post_policy("https://app.example/cb", "abc_-1'; *");
        assert!(policy.contains("script-src 'nonce-abc_-1';"), "{policy}");
        assert!(
            policy.contains("form-action https://app.example;") && !policy.contains("form-action 'self'"),
            "{policy}"
        );
        assert!(form_post_policy("nowhere", "n").contains("form-action 'none';"));
    }

    #[test]
    fn nothing_may_be_inline_or_come_from_elsewhere() {
        assert!(!POLICY.contains("unsafe") && !POLICY.contains("http") && !POLICY.contains("  "));
        assert!(POLICY.contains("default-src 'none'") && POLICY.contains("frame-ancestors 'none'"));
    }
}
