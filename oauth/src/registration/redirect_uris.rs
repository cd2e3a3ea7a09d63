//! Which redirect URIs may be registered (RFC 9700 §2.1, RFC 8252 §7). They are
//! compared as text later, so they must be what a browser would write.

use url::{Host, Url};

use super::{Invalid, MAX_LIST, MAX_URI};

pub(super) fn verify(uris: &[String]) -> Result<Vec<String>, Invalid> {
    let twice = |(at, uri): (usize, &String)| uris.iter().take(at).any(|earlier| earlier == uri);
    if uris.len() > MAX_LIST || uris.iter().enumerate().any(twice) || !uris.iter().all(|uri| is_sound(uri)) {
        return Err(Invalid::RedirectUri);
    }
    Ok(uris.to_vec())
}

fn is_sound(text: &str) -> bool {
    let plain = text.len() <= MAX_URI && text.bytes().all(|b| b.is_ascii_graphic()) && !text.contains(['*', '#', '\\']);
    let Some(uri) = Url::parse(text).ok().filter(|_| plain) else { return false };
    // A dot segment, an upper-case host, a default port: all of them would be
    // written otherwise. Only the slash after a bare host may be left out.
    let normal = uri.as_str() == text || uri.as_str().strip_suffix('/') == Some(text);
    let anonymous = uri.username().is_empty() && uri.password().is_none();
    normal && anonymous && may_be_sent_to(&uri)
}

fn may_be_sent_to(uri: &Url) -> bool {
    match uri.scheme() {
        "https" => uri.host_str().is_some_and(|host| !host.is_empty()),
        "http" => match uri.host() {
            Some(Host::Ipv4(ip)) => ip == core::net::Ipv4Addr::LOCALHOST,
            Some(Host::Ipv6(ip)) => ip == core::net::Ipv6Addr::LOCALHOST,
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        },
        // RFC 8252 §7.1: the reversed name of a domain of the app's maker. What a
        // browser would run or open (javascript, data, file) has no dot.
        private => private.contains('.'),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn https_loopback_and_private_schemes_with_a_dot_may_be_registered() {
        for uri in [
            "https://app.example.com/cb",
            "https://app.example.com",
            "https://app.example.com:8443/cb?tenant=1",
            "http://127.0.0.1/cb",
            "http://127.0.0.1:8080/cb",
            "http://[::1]/cb",
            "http://localhost:3000/cb",
            "com.example.app:/cb",
            "com.example.app://cb",
        ] {
            assert!(is_sound(uri), "{uri}");
        }
    }

    #[test]
    fn whatever_else_a_browser_would_follow_is_refused() {
        for uri in [
            "http://app.example.com/cb",
            "http://127.0.0.2/cb",
            "http://localhost.evil.example/cb",
            "https://app.example.com/cb#f",
            "https://app.example.com/cb#",
            "https://*.example.com/cb",
            "https://app.example.com/*",
            "https://user@app.example.com/cb",
            "https://user:pass@app.example.com/cb",
            "https://APP.example.com/cb",
            "https://app.example.com:443/cb",
            "https://app.example.com/a/../cb",
            "https://app.example.com/a/%2e%2e/cb",
            "https://app.example.com\\@evil.example/cb",
            "https:app.example.com/cb",
            "https:///cb",
            "//app.example.com/cb",
            "/cb",
            "",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "vbscript:x",
            "myapp:/cb",
            "https://app.example.com/c b",
            "https://app.example.com/c\nb",
            "https://\u{430}pp.example.com/cb",
        ] {
            assert!(!is_sound(uri), "{uri}");
        }
    }

    #[test]
    fn none_twice_and_not_too_many() {
        let one = "https://app.example.com/cb".to_owned();
        assert_eq!(verify(&[one.clone(), one]), Err(Invalid::RedirectUri));
        let many: Vec<String> = (0..33).map(|at| format!("https://app.example.com/{at}")).collect();
        assert_eq!(verify(&many), Err(Invalid::RedirectUri));
        assert!(verify(&many[..32]).is_ok());
    }

    proptest! {
        /// Whatever text is taken, a browser goes to a place of the kinds above.
        #[test]
        fn what_is_taken_is_what_a_browser_goes_to(text in "(https?|com\\.x|javascript|data)[:/\\\\@.a-z0-9*#?%\\[\\]]{0,40}") {
            if is_sound(&text) {
                let uri = Url::parse(&text).unwrap();
                prop_assert!(uri.fragment().is_none() && uri.username().is_empty());
                let loopback = ["127.0.0.1", "[::1]", "localhost"].contains(&uri.host_str().unwrap_or_default());
                prop_assert!(uri.scheme() == "https" || uri.scheme().contains('.') || (uri.scheme() == "http" && loopback));
            }
        }
    }
}
