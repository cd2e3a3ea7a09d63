//! `keyfob device`: acts as one device, with its key and tokens in files.
//!
//! Owns: arguments, and what is told of each protocol's end. Does not own: the protocols, which
//! are the SDK's (`keyfob-device`). No token is ever printed; it goes to the file asked for.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use device::client::{Client, ClientError, Tls};
use device::file::{FileError, FileKey, Kept, TokenFile};
use device::{
    Actor, ActorClaims, Address, CallHome, ClientAuth, Discovery, Endpoints, ErrorCode, Exchange, Failure as Cause,
    Fetch, Hello, Machine, Method, Pairing, Prompt, Refresh, Request, Response, Secret, SwitchOn, Tokens, Way,
};
use jose::Alg;
use serde_json::{Value, json};

use super::{Exit, Failure, Frame};

/// The largest body `prove` fetches, in bytes, and the seconds it may take.
const MAX_BODY: usize = 256 * 1024 * 1024;
const BODY_PATIENCE: u32 = 300;

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Call home, by certificate or by a signed challenge
    #[command(override_usage = "keyfob device call-home --roots FILE --key FILE\n       --server URL [OPTIONS]")]
    CallHome(CallingHome),
    /// Be paired with a person by a short code; again: refresh
    #[command(
        override_usage = "keyfob device pair --roots FILE --key FILE\n       --issuer URL --client ID --tokens FILE [OPTIONS]"
    )]
    Pair(Paired),
    /// Register the device with a customer for an asset token
    #[command(
        override_usage = "keyfob device exchange --roots FILE --key FILE\n       --issuer URL --client ID --subject FILE --did DID\n       --tokens FILE [OPTIONS]"
    )]
    Exchange(Exchanged),
    /// Fetch an address with the token and proof of the key
    #[command(override_usage = "keyfob device prove --roots FILE --key FILE\n       --tokens FILE [OPTIONS] URL")]
    Prove(Proved),
}

/// What a device has of its own.
#[derive(Debug, Args)]
pub(super) struct Own {
    /// The roots to trust servers by (PEM)
    #[arg(long, value_name = "FILE")]
    roots: PathBuf,
    /// The device's private key (PEM, mode 600)
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The certificate chain to show (PEM)
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct CallingHome {
    #[command(flatten)]
    own: Own,
    /// Where devices call, such as https://localhost:8444
    #[arg(long, value_name = "URL")]
    server: String,
    /// The did, to sign a challenge instead
    #[arg(long, requires = "issuer", conflicts_with = "certificate")]
    did: Option<String>,
    /// The issuer the challenge is answered for
    #[arg(long, value_name = "URL", requires = "did")]
    issuer: Option<String>,
    /// Bind the token to the key, not the certificate
    #[arg(long)]
    bound_to_key: bool,
    /// The serial number
    #[arg(long)]
    serial: Option<String>,
    /// The model
    #[arg(long)]
    model: Option<String>,
    /// The version of the firmware that runs
    #[arg(long, value_name = "VERSION")]
    firmware: Option<String>,
    /// The scopes wanted, space-separated
    #[arg(long)]
    scope: Option<String>,
    /// Where to keep the token
    #[arg(long, value_name = "FILE")]
    tokens: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Paired {
    #[command(flatten)]
    own: Own,
    /// The issuer, such as https://localhost:8443
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// The client of the device's software
    #[arg(long, value_name = "ID")]
    client: String,
    /// The did, so that the person sees which device
    #[arg(long)]
    did: Option<String>,
    /// The scopes wanted, space-separated
    #[arg(long)]
    scope: Option<String>,
    /// Where to keep the tokens
    #[arg(long, value_name = "FILE")]
    tokens: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Exchanged {
    #[command(flatten)]
    own: Own,
    /// The issuer, such as https://localhost:8443
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// The client the customer signed in to
    #[arg(long, value_name = "ID")]
    client: String,
    /// A file with the customer's access token
    #[arg(long, value_name = "FILE")]
    subject: PathBuf,
    /// The customer's token is bound to this key
    #[arg(long)]
    bound: bool,
    /// The did, or the maker's id of the device
    #[arg(long)]
    did: String,
    /// The name people shall see
    #[arg(long)]
    name: Option<String>,
    /// The serial number
    #[arg(long)]
    serial: Option<String>,
    /// The model
    #[arg(long)]
    model: Option<String>,
    /// Who may receive the token; may be repeated
    #[arg(long = "audience", value_name = "URL")]
    audience: Vec<String>,
    /// The device's scopes, space-separated
    #[arg(long)]
    scope: Option<String>,
    /// Where to keep the asset token
    #[arg(long, value_name = "FILE")]
    tokens: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Proved {
    #[command(flatten)]
    own: Own,
    /// The file with the token
    #[arg(long, value_name = "FILE")]
    tokens: PathBuf,
    /// get, post or delete
    #[arg(long, value_enum, default_value_t = Verb::Get, hide_possible_values = true)]
    method: Verb,
    /// A file to send as JSON, by POST
    #[arg(long, value_name = "FILE", conflicts_with = "method")]
    body: Option<PathBuf>,
    /// Where to write the answer
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The address
    url: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Verb {
    Get,
    Post,
    Delete,
}

impl From<Verb> for Method {
    fn from(verb: Verb) -> Self {
        match verb {
            Verb::Get => Self::Get,
            Verb::Post => Self::Post,
            Verb::Delete => Self::Delete,
        }
    }
}

pub(super) fn run(frame: &Frame, action: &Action) -> Result<(), Failure> {
    match action {
        Action::CallHome(wanted) => call_home(frame, wanted),
        Action::Pair(wanted) => pair(frame, wanted),
        Action::Exchange(wanted) => exchange(frame, wanted),
        Action::Prove(wanted) => prove(frame, wanted),
    }
}

fn call_home(frame: &Frame, wanted: &CallingHome) -> Result<(), Failure> {
    let server = address(&wanted.server)?;
    let way = match (&wanted.did, &wanted.issuer) {
        (Some(did), Some(issuer)) => Way::Key { did: did.clone(), issuer: issuer.clone() },
        _ => Way::Certificate { bound_to_key: wanted.bound_to_key },
    };
    let hello = Hello {
        serial_number: wanted.serial.clone(),
        model: wanted.model.clone(),
        firmware: wanted.firmware.clone(),
        scope: wanted.scope.clone(),
    };
    let mut client = client(&wanted.own, Making::Refused)?;
    let called = drive(frame, &mut client, &mut CallHome::new(&server, way, hello))?;
    if let Some(path) = &wanted.tokens {
        keep(&TokenFile::new(path), &client, called.tokens.clone())?;
    }
    let next = if called.next.is_empty() { String::new() } else { format!("; next: {}", called.next.join(", ")) };
    frame.ui.done(&format!("{} called home and is {}{next}", called.did, called.state), None);
    let firmware = called.firmware_uri.as_ref().map(Address::as_str);
    if !frame.ui.is_json() {
        if let Some(firmware) = firmware {
            frame.ui.result(&Value::Null, &format!("    firmware: {firmware}"));
        }
        return Ok(());
    }
    let object = json!({
        "ok": true, "did": called.did, "state": called.state, "credential": called.credential_kind,
        "session": called.session, "session_expires_in": called.session_expires_in, "next": called.next,
        "asset_id": called.asset_id, "firmware_uri": firmware, "token": facts(&called.tokens),
    });
    frame.ui.result(&object, "");
    Ok(())
}

fn pair(frame: &Frame, wanted: &Paired) -> Result<(), Failure> {
    let mut client = client(&wanted.own, Making::Wanted)?;
    let endpoints = discover(frame, &mut client, &wanted.issuer)?;
    let no_pairing = || Failure::new(Exit::Failed, format!("{} offers no pairing", wanted.issuer));
    let start = endpoints.device_authorization.clone().ok_or_else(no_pairing)?;
    let software = ClientAuth::Public { client_id: wanted.client.clone() };
    let file = TokenFile::new(&wanted.tokens);
    // Held to the end: a refresh token used by two at once ends the pairing.
    let _held = file.lock().map_err(|error| unusable(&wanted.tokens, &error))?;
    let old = file.load().map_err(|error| unusable(&wanted.tokens, &error))?.and_then(|kept| kept.tokens.refresh_token);
    let refreshed = old.is_some();
    let refresh = old.map(|token| Refresh::new(endpoints.token.clone(), software.clone(), token, true));
    let mut pairing = Pairing::new(start, endpoints.token, software, wanted.scope.clone());
    if let Some(did) = &wanted.did {
        pairing = pairing.of_device(did);
    }
    let mut asked = false;
    let tokens = client.run(&mut SwitchOn::new(refresh, pairing), &mut |prompt| {
        asked = true;
        show(frame, prompt);
    });
    let tokens = tokens.map_err(|error| told(&error))?;
    keep(&file, &client, tokens.clone())?;
    let what = if refreshed && !asked { "Still paired; the tokens are new" } else { "Paired" };
    frame.ui.done(&format!("{what}: {}", wanted.tokens.display()), None);
    if frame.ui.is_json() {
        frame.ui.result(&json!({ "ok": true, "asked": asked, "token": facts(&tokens) }), "");
    }
    Ok(())
}

fn show(frame: &Frame, prompt: &Prompt) {
    let minutes = prompt.expires_in.div_ceil(60);
    let text = format!("    Open  {}\n    enter {}   (for {minutes} min)", prompt.verification_uri, prompt.user_code);
    let object = json!({
        "user_code": prompt.user_code, "verification_uri": prompt.verification_uri,
        "verification_uri_complete": prompt.verification_uri_complete, "expires_in": prompt.expires_in,
    });
    frame.ui.result(&object, &text);
}

fn exchange(frame: &Frame, wanted: &Exchanged) -> Result<(), Failure> {
    let subject = fs::read_to_string(&wanted.subject).map_err(|error| unusable(&wanted.subject, &error.into()))?;
    let mut client = client(&wanted.own, Making::Wanted)?;
    let endpoints = discover(frame, &mut client, &wanted.issuer)?;
    let claims = ActorClaims {
        did: wanted.did.clone(),
        audience: endpoints.issuer,
        name: wanted.name.clone(),
        serial_number: wanted.serial.clone(),
        model: wanted.model.clone(),
        ..ActorClaims::default()
    };
    let software = ClientAuth::Public { client_id: wanted.client.clone() };
    let subject = Secret::new(subject.trim());
    let mut machine = Exchange::register(endpoints.token, software, subject, Actor::Device(claims), wanted.bound);
    machine.audience.clone_from(&wanted.audience);
    machine.scope.clone_from(&wanted.scope);
    let tokens = drive(frame, &mut client, &mut machine)?;
    keep(&TokenFile::new(&wanted.tokens), &client, tokens.clone())?;
    frame.ui.done(&format!("Registered; the asset token is in {}", wanted.tokens.display()), None);
    if frame.ui.is_json() {
        frame.ui.result(&json!({ "ok": true, "token": facts(&tokens) }), "");
    }
    Ok(())
}

fn prove(frame: &Frame, wanted: &Proved) -> Result<(), Failure> {
    let kept = TokenFile::new(&wanted.tokens).load().map_err(|error| unusable(&wanted.tokens, &error))?;
    let none = || Failure::new(Exit::Unreachable, format!("there is no token in {}", wanted.tokens.display()));
    let kept = kept.ok_or_else(none)?;
    let mut client = client(&wanted.own, Making::Refused)?;
    let mut request = Request::new(wanted.method.into(), address(&wanted.url)?);
    request.max_answer = MAX_BODY;
    request.patience = BODY_PATIENCE;
    if let Some(path) = &wanted.body {
        request.method = Method::Post;
        request.headers.push(("content-type", "application/json".to_owned()));
        request.body = fs::read(path).map_err(|error| unusable(path, &error.into()))?;
    }
    let Tokens { access_token, token_type, .. } = kept.tokens;
    let answer = drive(frame, &mut client, &mut Fetch::new(request, access_token, token_type))?;
    deliver(frame, wanted, &answer)
}

fn deliver(frame: &Frame, wanted: &Proved, answer: &Response) -> Result<(), Failure> {
    let (status, size) = (answer.status, answer.body.len());
    if !(200..300).contains(&status) {
        return Err(Failure::new(Exit::Failed, format!("{} answered {status}", wanted.url)));
    }
    if let Some(out) = &wanted.out {
        fs::write(out, &answer.body).map_err(|error| unusable(out, &error.into()))?;
    }
    frame.ui.done(&format!("{status}, {size} bytes, with proof of the key"), None);
    let text = String::from_utf8_lossy(&answer.body);
    if frame.ui.is_json() {
        let body = serde_json::from_slice::<Value>(&answer.body).ok();
        frame.ui.result(&json!({ "ok": true, "status": status, "bytes": size, "body": body }), "");
    } else if wanted.out.is_none() && !text.chars().any(|letter| letter.is_control() && !letter.is_whitespace()) {
        frame.ui.result(&Value::Null, &text);
    }
    Ok(())
}

/// Whether a key that is not there is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Making {
    Wanted,
    Refused,
}

fn client(own: &Own, making: Making) -> Result<Client, Failure> {
    let read = |path: &Path| fs::read(path).map_err(|error| unusable(path, &error.into()));
    let key = match making {
        Making::Wanted => FileKey::open_or_create(&own.key, Alg::ES256),
        Making::Refused => FileKey::open(&own.key),
    };
    let key = key.map_err(|error| unusable(&error.path, &error.cause))?;
    let identity = match &own.certificate {
        None => None,
        Some(certificate) => Some((read(certificate)?, read(&own.key)?)),
    };
    let tls = Tls { roots: read(&own.roots)?, identity };
    Client::new(&tls, Box::new(key)).map_err(|error| told(&error))
}

fn discover(frame: &Frame, client: &mut Client, issuer: &str) -> Result<Endpoints, Failure> {
    let mut machine =
        Discovery::new(issuer).map_err(|error| Failure::new(Exit::Usage, format!("{issuer}: {error}")))?;
    drive(frame, client, &mut machine)
}

fn drive<M: Machine>(frame: &Frame, client: &mut Client, machine: &mut M) -> Result<M::Done, Failure> {
    client.run(machine, &mut |prompt| show(frame, prompt)).map_err(|error| told(&error))
}

fn keep(file: &TokenFile, client: &Client, tokens: Tokens) -> Result<(), Failure> {
    let kept = Kept { tokens, received_at: client.now() };
    file.replace(&kept).map_err(|error| unusable(file.path(), &error))
}

fn address(text: &str) -> Result<Address, Failure> {
    Address::parse(text).map_err(|error| Failure::new(Exit::Usage, format!("{text}: {error}")))
}

/// What may be told of tokens: everything but themselves.
fn facts(tokens: &Tokens) -> Value {
    json!({
        "token_type": tokens.token_type.scheme(), "expires_in": tokens.expires_in, "scope": tokens.scope,
        "issued_token_type": tokens.issued_token_type, "refreshable": tokens.refresh_token.is_some(),
    })
}

fn told(error: &ClientError) -> Failure {
    let exit = match error {
        ClientError::Unreachable(_) | ClientError::Tls(_) | ClientError::Pem(_) => Exit::Unreachable,
        ClientError::Failed(_) | ClientError::Address(_) | ClientError::Random => Exit::Failed,
    };
    let failure = Failure::new(exit, error);
    match error.failure().and_then(Cause::code) {
        Some(ErrorCode::InvalidGrant | ErrorCode::ExpiredToken) => failure.then_type("keyfob device pair"),
        Some(ErrorCode::InvalidToken) => failure.then_type("keyfob device call-home"),
        _ => failure,
    }
}

fn unusable(path: &Path, error: &FileError) -> Failure {
    let failure = Failure::new(Exit::Unreachable, format!("cannot use {}: {error}", path.display()));
    match error {
        FileError::Exposed => failure.then_type(format!("chmod 600 {}", path.display())),
        _ => failure,
    }
}
