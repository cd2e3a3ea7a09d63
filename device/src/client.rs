//! A blocking client for devices with an operating system: ureq over rustls
//! with aws-lc-rs. Owns: sockets, TLS, clock, randomness and waiting, which
//! the machines are lent. Does not own: any rule of a protocol.

use std::boxed::Box;
use std::io::Read;
use std::string::{String, ToString};
use std::sync::Arc;
use std::time::Duration;
use std::vec::Vec;

use jose::Signer;
use rustls::crypto::CryptoProvider;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, TlsProvider, parse_pem};
use ureq::{Agent, http};

use crate::{AddressError, Failure, Given, Input, Machine, Memory, Method, Output, Prompt, Request, Response};

/// The wait for an answer unless a request says otherwise.
const TIMEOUT: Duration = Duration::from_secs(15);

/// What a client trusts, and what it shows in the TLS handshake.
#[derive(Clone, Default)]
pub struct Tls {
    /// The certificates that servers must descend from, as PEM. There is no
    /// default: a device trusts its own makers' roots, not those of browsers.
    pub roots: Vec<u8>,
    /// The client's certificate chain, leaf first, and its private key, both
    /// as PEM, for mutual TLS.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
}

/// Why a client could not bring a machine to a good end.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The machine ended otherwise.
    #[error("{0}")]
    Failed(Failure),
    /// No answer; the last cause is told.
    #[error("the server could not be reached: {0}")]
    Unreachable(String),
    /// The server's certificate is not trusted, or the handshake failed.
    #[error("no trusted connection: {0}")]
    Tls(String),
    /// The roots, chain or key are no PEM of that kind.
    #[error("{0} is not usable PEM")]
    Pem(&'static str),
    /// An address cannot be used.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The generator of random numbers failed.
    #[error("no randomness")]
    Random,
}

impl ClientError {
    /// How the machine failed, if it is that.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            ClientError::Failed(failure) => Some(failure),
            _ => None,
        }
    }
}

/// Carries the requests of machines, one at a time.
pub struct Client {
    agent: Agent,
    provider: Arc<CryptoProvider>,
    signer: Box<dyn Signer>,
    memory: Memory,
    last_cause: String,
}

impl Client {
    /// A client whose proofs are signed by this key.
    ///
    /// # Errors
    /// [`ClientError::Pem`] when there is no root, or something is no PEM.
    pub fn new(tls: &Tls, signer: Box<dyn Signer>) -> Result<Client, ClientError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let identity = match &tls.identity {
            None => None,
            Some((chain, key)) => {
                let key = PrivateKey::from_pem(key).map_err(|_| ClientError::Pem("the client's key"))?;
                Some(ClientCert::new_with_certs(&certificates(chain, "the client's chain")?, key))
            }
        };
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(provider.clone())
            .root_certs(RootCerts::new_with_certs(&certificates(&tls.roots, "the root of trust")?))
            .client_cert(identity)
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .https_only(true)
            // No proxy of the environment and no redirect: what is sent is
            // meant for one origin.
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .max_response_header_size(32 * 1024)
            .user_agent(concat!("keyfob-device/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Client { agent, provider, signer, memory: Memory::new(), last_cause: String::new() })
    }

    /// The key that signs.
    pub fn signer(&self) -> &dyn Signer {
        &*self.signer
    }

    /// The time by the server's clock as far as it is known, Unix seconds.
    pub fn now(&self) -> i64 {
        self.memory.server_time(own_time())
    }

    /// Brings a machine to its end. `show` is called when a person needs to
    /// see something; it must not wait for them.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn run<M: Machine>(&mut self, machine: &mut M, show: &mut dyn FnMut(&Prompt)) -> Result<M::Done, ClientError> {
        let mut input = Input::Go;
        loop {
            input = match self.step(machine, input)? {
                Output::Send(request) => self.carry(&request)?,
                Output::Wait(seconds) => {
                    wait(seconds);
                    Input::Go
                }
                Output::Show(prompt) => {
                    show(&prompt);
                    Input::Go
                }
                Output::Done(done) => return Ok(done),
                Output::Failed(Failure::Unreachable) => {
                    return Err(ClientError::Unreachable(core::mem::take(&mut self.last_cause)));
                }
                Output::Failed(failure) => return Err(ClientError::Failed(failure)),
            };
        }
    }

    /// Lends a machine what one step needs, for programs with a loop of their
    /// own.
    ///
    /// # Errors
    /// [`ClientError::Random`].
    pub fn step<M: Machine>(&mut self, machine: &mut M, input: Input) -> Result<Output<M::Done>, ClientError> {
        Ok(machine.next(input, &mut self.given()?))
    }

    /// Lends a step to something that is no machine, such as
    /// [`ActorClaims::sign`](crate::ActorClaims::sign).
    ///
    /// # Errors
    /// [`ClientError::Random`], [`ClientError::Failed`].
    pub fn lend<T>(&mut self, use_it: impl FnOnce(&Given<'_>) -> Result<T, Failure>) -> Result<T, ClientError> {
        use_it(&self.given()?).map_err(ClientError::Failed)
    }

    /// Sends one request. Silence is an [`Input`]; a server that is not
    /// trusted is an error, since asking again would not help.
    ///
    /// # Errors
    /// [`ClientError::Tls`].
    pub fn carry(&mut self, request: &Request) -> Result<Input, ClientError> {
        match exchange(&self.agent, request) {
            Ok(response) => Ok(Input::Answer(response)),
            Err(error) if is_tls(&error) => Err(ClientError::Tls(error.to_string())),
            Err(error) => {
                self.last_cause = error.to_string();
                Ok(Input::Lost)
            }
        }
    }

    fn given(&mut self) -> Result<Given<'_>, ClientError> {
        let mut random = [0; 48];
        self.provider.secure_random.fill(&mut random).map_err(|_| ClientError::Random)?;
        let (signer, memory) = (&*self.signer, &mut self.memory);
        Ok(Given { now: own_time(), random, signer, sha256: jose::digest::sha256, memory })
    }
}

fn exchange(agent: &Agent, request: &Request) -> Result<Response, ureq::Error> {
    let mut builder = http::Request::builder().method(request.method.as_str()).uri(request.url.as_str());
    for (name, value) in &request.headers {
        builder = builder.header(*name, value);
    }
    let timeout = Duration::from_secs(request.patience.into());
    let answer = if request.method == Method::Post {
        send(agent, builder.body(request.body.as_slice())?, timeout)
    } else {
        send(agent, builder.body(())?, timeout)
    }?;
    let (parts, body) = answer.into_parts();
    // The reader takes reaching its limit for passing it.
    let limit = u64::try_from(request.max_answer).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    body.into_with_config().limit(limit).reader().read_to_end(&mut bytes)?;
    let headers = parts.headers.iter().filter_map(|(name, value)| {
        // A field that is no ASCII text is none of ours.
        value.to_str().ok().map(|value| (name.to_string(), value.to_string()))
    });
    Ok(Response { status: parts.status.as_u16(), headers: headers.collect(), body: bytes })
}

fn send<B: ureq::AsSendBody>(
    agent: &Agent,
    request: http::Request<B>,
    timeout: Duration,
) -> Result<http::Response<ureq::Body>, ureq::Error> {
    // A setting of one request costs a TLS configuration of its own, so it is
    // made only where it says something.
    if timeout == TIMEOUT {
        agent.run(request)
    } else {
        agent.run(agent.configure_request(request).timeout_global(Some(timeout)).build())
    }
}

fn is_tls(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => true,
        ureq::Error::Io(error) => error.get_ref().is_some_and(|cause| cause.is::<rustls::Error>()),
        _ => false,
    }
}

fn certificates(pem: &[u8], what: &'static str) -> Result<Vec<Certificate<'static>>, ClientError> {
    let mut found = Vec::new();
    for item in parse_pem(pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(_) => return Err(ClientError::Pem(what)),
        }
    }
    if found.is_empty() { Err(ClientError::Pem(what)) } else { Ok(found) }
}

#[expect(clippy::disallowed_methods, reason = "the one place where the SDK reads a clock")]
fn own_time() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // A clock before 1970 is a wrong one; the server's time corrects it.
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

#[expect(clippy::disallowed_methods, reason = "a blocking client waits by sleeping; programs with a loop use `step`")]
fn wait(seconds: u32) {
    std::thread::sleep(Duration::from_secs(seconds.into()));
}
