//! `[exchange]`: foreign issuers whose tokens count as a customer's at the exchange.

use authority::KeySource;
use identity::{AccountId, ClientId};
use oauth::foreign_token::{Accepted, TrustedIssuer, Users};

use super::file;
use super::reader::{Section, words};
use crate::fetch::is_fetched;

/// Who is trusted besides this server itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exchange {
    /// DER of the authorities whose servers are believed when keys are fetched; none for the
    /// public ones.
    pub authorities: Vec<Vec<u8>>,
    /// The trusted issuers.
    pub issuers: Vec<Trust>,
}

/// A trusted issuer, and where its keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// What is believed of its tokens.
    pub issuer: TrustedIssuer,
    /// Where its keys are.
    pub keys: IssuerKeys,
}

/// Where the keys of an issuer are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuerKeys {
    /// Where its own metadata says.
    Discovery,
    /// At this address.
    Url(String),
    /// A key set, JSON, read when the server starts.
    Fixed(String),
}

words! {
    Accepted, "a list of \"access_token\", \"plain_access_token\", \"id_token\"",
    "access_token" => Accepted::AccessToken,
    "plain_access_token" => Accepted::PlainAccessToken,
    "id_token" => Accepted::IdToken,
}

words! {
    Users, "\"find\" or \"make\"",
    "find" => Users::Find,
    "make" => Users::Make,
}

impl IssuerKeys {
    /// As the authority takes it. A set was parsed when the configuration was read.
    pub fn source(&self) -> KeySource {
        match self {
            Self::Discovery => KeySource::Discovery,
            Self::Url(url) => KeySource::Url(url.clone()),
            Self::Fixed(text) => KeySource::Fixed(jose::JwkSet::parse(text.as_bytes()).unwrap_or_default()),
        }
    }
}

impl Exchange {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let authorities = section.path(
            "authorities_file",
            "issuers-ca.pem",
            "Certificate authorities (PEM) of the servers that keys are fetched from.\n\
             Without it the public ones are believed.",
        );
        let authorities =
            authorities.and_then(|path| file::authorities(section, "authorities_file", &path)).unwrap_or_default();
        let issuers = section.list(
            "issuers",
            "An identity provider of the maker's own: its customers register devices with its tokens.\n\
             People are known by issuer and sub, never by an address.",
            Trust::read,
        );
        let names: Vec<&str> = issuers.iter().map(|trust| trust.issuer.issuer.as_str()).collect();
        for (at, name) in names.iter().enumerate() {
            if names.iter().take(at).any(|before| before == name) {
                section.mistake("issuers", format!("{name} stands there twice"));
            }
        }
        Self { authorities, issuers }
    }
}

impl Trust {
    fn read(section: &mut Section<'_>) -> Self {
        let issuer = section.optional(
            "issuer",
            &"https://login.maker.example".to_owned(),
            "Its name, exactly as its tokens say it (iss).",
        );
        if issuer.is_none() {
            section.mistake("issuer", "is missing");
        }
        let issuer = issuer.unwrap_or_default();
        let keys = read_keys(section, &issuer);
        let accepts = section.setting(
            "accepts",
            vec![Accepted::AccessToken],
            "Which of its tokens count: \"access_token\" (typ at+jwt), \"plain_access_token\" (typ JWT), \"id_token\".",
        );
        let audience = section.optional(
            "audience",
            &"https://id.example.com".to_owned(),
            "For whom its access tokens must be (aud): the name under which it knows this server.",
        );
        let client_id = section.optional(
            "client_id",
            &"speaker-app".to_owned(),
            "For whom its ID tokens must be (aud): the client id of the app there.",
        );
        let clients =
            section.setting("clients", Vec::<String>::new(), "Clients of this server that may bring its tokens.");
        let users = section.setting(
            "users",
            Users::Find,
            "\"make\" adopts a person whom it speaks of and who is not known here yet; \"find\" refuses them.",
        );
        let account = section.optional(
            "account",
            &"acc_501".to_owned(),
            "The account that adopted people become members of. Without it each has a household of their own.",
        );
        check_audiences(section, &accepts, audience.as_deref(), client_id.as_deref());
        let clients =
            clients.iter().filter_map(|id| id.parse::<ClientId>().ok().or_else(|| bad_id(section, "clients", id)));
        let clients = clients.collect();
        let account = account.and_then(|id| id.parse::<AccountId>().ok().or_else(|| bad_id(section, "account", &id)));
        let issuer = TrustedIssuer { issuer, accepts, audience, client_id, clients, users, account };
        Self { issuer, keys }
    }
}

fn bad_id<T>(section: &Section<'_>, key: &str, id: &str) -> Option<T> {
    section.mistake(key, format!("\"{id}\" is no id of that kind"));
    None
}

fn read_keys(section: &mut Section<'_>, issuer: &str) -> IssuerKeys {
    let named = section.optional(
        "keys",
        &"https://login.maker.example/keys".to_owned(),
        "Its keys, a JWK Set: an address, or a file; then nobody is asked. Without it they are where its own\n\
         metadata says.",
    );
    match named {
        None if issuer.is_empty() || is_fetched(issuer) => {}
        None => section.mistake("issuer", NOT_FETCHED),
        Some(url) if url.contains("://") && is_fetched(&url) => return IssuerKeys::Url(url),
        Some(url) if url.contains("://") => section.mistake("keys", NOT_FETCHED),
        Some(file) => match read_set(&section.place(&file)) {
            Ok(text) => return IssuerKeys::Fixed(text),
            Err(reason) => section.mistake("keys", reason),
        },
    }
    IssuerKeys::Discovery
}

fn read_set(path: &std::path::Path) -> Result<String, String> {
    let text = file::text(path, file::MAX_BYTES)?;
    match jose::JwkSet::parse(text.as_bytes()) {
        Ok(_) => Ok(text.to_string()),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

const NOT_FETCHED: &str = "keys are fetched over https alone (http on 127.0.0.1 and [::1])";

/// An access token is told from an ID token by whom it is for.
fn check_audiences(section: &Section<'_>, accepts: &[Accepted], audience: Option<&str>, client_id: Option<&str>) {
    if accepts.iter().any(|kind| *kind != Accepted::IdToken) && audience.is_none() {
        section.mistake("audience", "is missing: access tokens for others must not count here");
    }
    if accepts.contains(&Accepted::IdToken) && client_id.is_none() {
        section.mistake("client_id", "is missing: ID tokens for others must not count here");
    }
    if audience.is_some() && audience == client_id {
        section.mistake("audience", "is the client id too, so that ID tokens would pass as access tokens");
    }
}
