//! Documents of foreign servers: the keys of issuers that are trusted. Owns the
//! limits: TLS alone (plain HTTP on loopback, for tests and sidecars), no
//! redirect, no proxy, seconds and bytes.

use std::sync::Arc;
use std::time::Duration;

use authority::{Fetch, FetchError, Fetched};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use url::{Host, Url};

/// The longest wait for a document, everything included.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Most bytes of a document.
const MAX_BYTES: u64 = 256 * 1024;

/// Fetches over HTTPS.
#[derive(Debug, Clone)]
pub struct HttpsFetch {
    agent: Agent,
}

impl HttpsFetch {
    /// Trusts the public authorities, or these (DER) alone.
    pub fn new(authorities: &[Vec<u8>]) -> Self {
        let roots: Vec<Certificate<'static>> =
            authorities.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
        let roots = if roots.is_empty() { RootCerts::WebPki } else { RootCerts::new_with_certs(&roots) };
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .root_certs(roots)
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .max_response_header_size(16 * 1024)
            .timeout_global(Some(TIMEOUT))
            .build()
            .new_agent();
        Self { agent }
    }

    fn fetch(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        let mut answer = self.agent.get(url).header("accept", "application/json").call().map_err(|_| UNREACHABLE)?;
        if answer.status() != 200 {
            return Err(FetchError("answered with another status than 200"));
        }
        // One byte more is read than counts: the reader stops at its limit with an error.
        let body = answer.body_mut().with_config().limit(MAX_BYTES + 1).read_to_vec();
        let body = body.map_err(|_| FetchError("too long or broken off"))?;
        if u64::try_from(body.len()).is_ok_and(|length| length <= MAX_BYTES) { Ok(body) } else { Err(TOO_LONG) }
    }
}

const TOO_LONG: FetchError = FetchError("too long");
const UNREACHABLE: FetchError = FetchError("unreachable");

/// Whether documents are fetched from an address at all: over TLS, or from this
/// machine itself, by an address without user and password.
pub fn is_fetched(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(_)) | None => false,
    };
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    plain
        && match url.scheme() {
            "https" => url.host().is_some(),
            "http" => loopback,
            _ => false,
        }
}

impl Fetch for HttpsFetch {
    fn get<'a>(&'a self, url: &'a str) -> Fetched<'a> {
        let (this, owned) = (self.clone(), url.to_owned());
        Box::pin(async move {
            if !is_fetched(&owned) {
                return Err(FetchError("no address that is fetched from"));
            }
            let fetched = tokio::task::spawn_blocking(move || this.fetch(&owned)).await;
            let fetched = fetched.unwrap_or(Err(FetchError("broken off")));
            if let Err(FetchError(cause)) = &fetched {
                tracing::warn!(url, cause, "foreign_document_not_fetched");
            }
            fetched
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// A server on loopback that gives this answer to everybody, and its address.
    fn serving(answer: Vec<u8>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let _ = stream.read(&mut [0; 2048]);
                let _ = stream.write_all(&answer);
            }
        });
        format!("http://{address}/keys")
    }

    fn ok(body: &[u8]) -> Vec<u8> {
        let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
        answer.extend_from_slice(body);
        answer
    }

    async fn get(url: &str) -> Result<Vec<u8>, FetchError> {
        HttpsFetch::new(&[]).get(url).await
    }

    #[tokio::test]
    async fn a_document_comes_whole_within_its_limit_or_not_at_all() {
        assert_eq!(get(&serving(ok(b"{}"))).await.unwrap(), b"{}");
        let large = vec![b'x'; usize::try_from(MAX_BYTES).unwrap()];
        assert_eq!(get(&serving(ok(&large))).await.unwrap().len(), large.len());
        let larger = vec![b'x'; large.len() + 1];
        assert!(get(&serving(ok(&larger))).await.is_err());
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed_and_a_failure_is_no_document() {
        let secret = serving(ok(b"secret of the neighbourhood"));
        let redirect = format!("HTTP/1.1 302 Found\r\nlocation: {secret}\r\ncontent-length: 0\r\n\r\n");
        assert!(get(&serving(redirect.into_bytes())).await.is_err());
        assert!(get(&serving(b"HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\n{}".to_vec())).await.is_err());
        assert!(get("http://127.0.0.1:1/keys").await.is_err());
    }

    #[test]
    fn only_tls_or_this_machine_is_asked() {
        for url in ["https://login.maker.example/keys", "http://127.0.0.1:8080/keys", "http://[::1]:8080/keys"] {
            assert!(is_fetched(url), "{url}");
        }
        for url in [
            "http://login.maker.example/keys",
            "http://localhost:8080/keys",
            "http://169.254.169.254/latest",
            "http://10.0.0.1/keys",
            "file:///etc/passwd",
            "ftp://login.maker.example/keys",
            "https://user:secret@login.maker.example/keys",
            "https://",
            "keys",
        ] {
            assert!(!is_fetched(url), "{url}");
        }
    }

    #[tokio::test]
    async fn what_is_not_asked_is_not_asked() {
        assert_eq!(get("http://192.0.2.1/keys").await, Err(FetchError("no address that is fetched from")));
    }
}
