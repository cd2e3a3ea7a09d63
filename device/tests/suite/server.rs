//! A TLS server that answers each connection from a script and tells what it
//! was asked.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// An authority for the servers and devices of one test.
pub(crate) struct Factory(CertifiedIssuer<'static, KeyPair>);

impl Factory {
    pub(crate) fn new() -> Factory {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Factory(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn root(&self) -> String {
        self.0.pem()
    }

    /// Chain and key as PEM.
    pub(crate) fn leaf(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> (String, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        (params.signed_by(&key, &self.0).unwrap().pem(), key)
    }
}

/// What a request looked like on the wire, and the certificate behind it.
pub(crate) struct Seen {
    pub(crate) text: String,
    pub(crate) certificate: Option<Vec<u8>>,
}

/// Serves one answer per connection, then nobody.
pub(crate) fn serve(factory: &Factory, answers: Vec<Vec<u8>>) -> (SocketAddr, Receiver<Seen>) {
    let (chain, key) = factory.leaf("localhost", ExtendedKeyUsagePurpose::ServerAuth);
    let der = |pem: &str| <CertificateDer as rustls_pki_types::pem::PemObject>::from_pem_slice(pem.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(der(&factory.root())).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        .build()
        .unwrap();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![der(&chain)], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (socket, _) = listener.accept().unwrap();
            // A handshake the client breaks off is part of what is tried.
            if let Ok(seen) = speak(config.clone(), socket, &answer) {
                let _ = tell.send(seen);
            }
        }
    });
    (address, told)
}

fn speak(config: Arc<ServerConfig>, socket: TcpStream, answer: &[u8]) -> std::io::Result<Seen> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, socket);
    let mut text = Vec::new();
    while !is_whole(&text) {
        let mut bytes = [0; 4096];
        let read = stream.read(&mut bytes)?;
        if read == 0 {
            break;
        }
        text.extend_from_slice(&bytes[..read]);
    }
    let certificate = stream.conn.peer_certificates().and_then(|chain| chain.first()).map(|leaf| leaf.to_vec());
    if answer.is_empty() {
        // Silence: hold the connection until the client gives up.
        let _ = stream.read(&mut [0; 1]);
    } else {
        stream.write_all(answer)?;
        stream.flush()?;
    }
    Ok(Seen { text: String::from_utf8(text).unwrap(), certificate })
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_none_or(|length| body.len() >= length.trim().parse().unwrap())
}

pub(crate) fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
        .into_bytes()
}
