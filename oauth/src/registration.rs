//! What a client may register: by command line or REST, in the words of
//! RFC 7591 §2. Owns which combinations are sound, and how a client is made,
//! changed and deleted. Does not own who may hand out which scope.

use identity::rule::actor::Actor;
use identity::{
    AnchorKind, ClientId, Digest, Event, EventKind, Fact, ProblemCode, Raise, Refusal, Version, Write,
    is_reserved_prefix,
};
use jose::{Alg, Jwk, JwkSet};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Change;
use crate::client::{AuthMethod, Client, ClientRights, GrantType, TlsName};
use crate::scope::Scope;

mod invalid;
mod redirect_uris;
#[cfg(test)]
mod tests;

pub use invalid::Invalid;

/// Algorithms our tokens are signed with.
const OURS: [Alg; 3] = [Alg::ES256, Alg::EdDSA, Alg::RS256];
/// The most entries of a list.
const MAX_LIST: usize = 32;
/// The longest name people read, in characters.
const MAX_NAME: usize = 100;
/// The longest URI or certificate name, in bytes.
const MAX_URI: usize = 2048;

/// What is decided about a client.
pub type Decision<Reply> = identity::Decision<Reply, Change, ProblemCode>;

/// A client as staff write and read it; never a secret.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metadata {
    /// What people read on consent, 1 to 100 characters.
    pub client_name: String,
    /// How it proves itself; `client_secret_basic` where nothing is said.
    pub token_endpoint_auth_method: Option<AuthMethod>,
    /// Its own public keys, `{"keys": [...]}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    /// RFC 8705 §2.1.2; exactly one of the five, with `tls_client_auth` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_subject_dn: Option<String>,
    /// As above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_san_dns: Option<String>,
    /// As above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_san_uri: Option<String>,
    /// As above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_san_ip: Option<String>,
    /// As above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_san_email: Option<String>,
    /// Compared exactly.
    pub redirect_uris: Vec<String>,
    /// What it may use; `authorization_code` where nothing is said.
    pub grant_types: Option<Vec<GrantType>>,
    /// All it may ever ask for.
    pub scope: Scope,
    /// Who may receive its tokens, the default first: absolute URIs.
    pub audiences: Vec<String>,
    /// RFC 9449 §5.2.
    pub dpop_bound_access_tokens: bool,
    /// RFC 8705 §3.4.
    pub tls_client_certificate_bound_access_tokens: bool,
    /// ES256, EdDSA or RS256; ES256 where nothing is said.
    pub access_token_alg: Option<Alg>,
    /// ES256, EdDSA or RS256; RS256 where nothing is said.
    pub id_token_signed_response_alg: Option<Alg>,
    /// Access tokens are sealed instead of signed.
    pub opaque_tokens: bool,
    /// Asset tokens bear `typ: JWT`.
    pub asset_typ_jwt: bool,
    /// Seconds, 300 to 3,600; 3,600 where nothing is said.
    pub access_token_life: Option<i64>,
    /// Seconds, 300 to the tenant's `max_token_life`; a day or that.
    pub asset_token_life: Option<i64>,
    /// Rights beyond the standard's.
    pub rights: ClientRights,
    /// Stopped by staff.
    pub disabled: bool,
}

impl Metadata {
    /// A client as it stands, for reading and for merging a change into.
    pub fn of(client: &Client) -> Self {
        let jwks = (!client.jwks.is_empty()).then(|| JwkSet::new(client.jwks.clone()).to_json());
        let mut told = Self {
            client_name: client.name.clone(),
            token_endpoint_auth_method: Some(client.auth),
            jwks,
            redirect_uris: client.redirect_uris.clone(),
            grant_types: Some(client.grant_types.clone()),
            scope: client.scopes.clone(),
            audiences: client.audiences.clone(),
            dpop_bound_access_tokens: client.dpop_bound_access_tokens,
            tls_client_certificate_bound_access_tokens: client.tls_client_certificate_bound_access_tokens,
            access_token_alg: Some(client.token_alg),
            id_token_signed_response_alg: Some(client.id_token_alg),
            opaque_tokens: client.opaque_tokens,
            asset_typ_jwt: client.asset_typ_jwt,
            access_token_life: Some(client.access_token_life),
            asset_token_life: Some(client.asset_token_life),
            rights: client.rights.clone(),
            disabled: client.disabled,
            ..Self::default()
        };
        match client.tls_name.clone() {
            Some(TlsName::SubjectDn(name)) => told.tls_client_auth_subject_dn = Some(name),
            Some(TlsName::SanDns(name)) => told.tls_client_auth_san_dns = Some(name),
            Some(TlsName::SanUri(name)) => told.tls_client_auth_san_uri = Some(name),
            Some(TlsName::SanIp(name)) => told.tls_client_auth_san_ip = Some(name),
            Some(TlsName::SanEmail(name)) => told.tls_client_auth_san_email = Some(name),
            None => {}
        }
        told
    }

    /// How the client will prove itself.
    pub fn auth(&self) -> AuthMethod {
        self.token_endpoint_auth_method.unwrap_or(AuthMethod::ClientSecretBasic)
    }

    /// Whether it will prove itself by a secret, which must then be minted.
    pub fn needs_secret(&self) -> bool {
        matches!(self.auth(), AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost)
    }

    /// The client these words describe.
    ///
    /// # Errors
    /// [`Invalid`] names the first member that is not sound.
    pub fn verify(
        &self,
        id: ClientId,
        secret: Option<Digest>,
        max_token_life: i64,
        created_at: i64,
    ) -> Result<Client, Invalid> {
        let name = self.client_name.trim();
        if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(Invalid::Name);
        }
        let client = Client {
            id,
            name: name.to_owned(),
            auth: self.auth(),
            secret: secret.filter(|_| self.needs_secret()),
            jwks: self.keys()?,
            tls_name: self.tls_name()?,
            redirect_uris: redirect_uris::verify(&self.redirect_uris)?,
            grant_types: self.grants()?,
            scopes: self.scope.clone(),
            audiences: self.receivers()?,
            dpop_bound_access_tokens: self.dpop_bound_access_tokens,
            tls_client_certificate_bound_access_tokens: self.tls_client_certificate_bound_access_tokens,
            token_alg: alg(self.access_token_alg, Alg::ES256)?,
            id_token_alg: alg(self.id_token_signed_response_alg, Alg::RS256)?,
            opaque_tokens: self.opaque_tokens,
            asset_typ_jwt: self.asset_typ_jwt,
            access_token_life: life(self.access_token_life, 3600.min(max_token_life), 3600)?,
            asset_token_life: life(self.asset_token_life, 86_400.min(max_token_life), max_token_life)?,
            rights: self.rights.clone(),
            disabled: self.disabled,
            created_at,
        };
        check_method(&client)?;
        check_grants(&client)?;
        check_rights(&client)?;
        Ok(client)
    }

    fn keys(&self) -> Result<Vec<Jwk>, Invalid> {
        let Some(jwks) = self.jwks.as_ref().filter(|jwks| !jwks.is_null()) else { return Ok(Vec::new()) };
        // A private member is refused by the reader of key sets.
        let keys = JwkSet::from_json(jwks).map_err(|_| Invalid::Keys)?.keys().to_vec();
        let named: Vec<&str> = keys.iter().filter_map(Jwk::kid).collect();
        let twice = named.iter().enumerate().any(|(at, kid)| named.iter().take(at).any(|earlier| earlier == kid));
        if keys.is_empty() || keys.len() > MAX_LIST || twice { Err(Invalid::Keys) } else { Ok(keys) }
    }

    fn tls_name(&self) -> Result<Option<TlsName>, Invalid> {
        let ip = |text: &String| text.parse::<core::net::IpAddr>().map(|ip| TlsName::SanIp(ip.to_string()));
        let ip = self.tls_client_auth_san_ip.as_ref().map(ip).transpose().map_err(|_| Invalid::TlsName)?;
        let names = [
            self.tls_client_auth_subject_dn.clone().map(TlsName::SubjectDn),
            self.tls_client_auth_san_dns.clone().map(TlsName::SanDns),
            self.tls_client_auth_san_uri.clone().map(TlsName::SanUri),
            ip,
            self.tls_client_auth_san_email.clone().map(TlsName::SanEmail),
        ];
        let mut names = names.into_iter().flatten();
        let (first, second) = (names.next(), names.next());
        let text = match &first {
            None => return Ok(None),
            Some(TlsName::SubjectDn(text) | TlsName::SanDns(text) | TlsName::SanUri(text)) => text,
            Some(TlsName::SanIp(text) | TlsName::SanEmail(text)) => text,
        };
        let sound = !text.is_empty() && text.len() <= MAX_URI && !text.chars().any(char::is_control);
        if sound && second.is_none() { Ok(first) } else { Err(Invalid::TlsName) }
    }

    fn grants(&self) -> Result<Vec<GrantType>, Invalid> {
        let mut grants = Vec::new();
        for &grant in self.grant_types.as_deref().unwrap_or(&[GrantType::AuthorizationCode]) {
            if grants.contains(&grant) {
                return Err(Invalid::Grants);
            }
            grants.push(grant);
        }
        Ok(grants)
    }

    fn receivers(&self) -> Result<Vec<String>, Invalid> {
        let sound = |text: &String| {
            text.len() <= MAX_URI
                && text.bytes().all(|b| b.is_ascii_graphic())
                && !text.contains('#')
                && url::Url::parse(text).is_ok()
        };
        if self.audiences.len() > MAX_LIST || !self.audiences.iter().all(sound) {
            return Err(Invalid::Audiences);
        }
        Ok(self.audiences.clone())
    }
}

fn alg(asked: Option<Alg>, default: Alg) -> Result<Alg, Invalid> {
    let alg = asked.unwrap_or(default);
    if OURS.contains(&alg) { Ok(alg) } else { Err(Invalid::Alg) }
}

fn life(asked: Option<i64>, default: i64, longest: i64) -> Result<i64, Invalid> {
    match asked {
        None => Ok(default),
        Some(life) if (300..=longest).contains(&life) => Ok(life),
        Some(_) => Err(Invalid::Life),
    }
}

/// What a method of authentication needs is there, and of certificate names
/// nothing else (RFC 8705 §2.1.2).
fn check_method(client: &Client) -> Result<(), Invalid> {
    let sound = match client.auth {
        AuthMethod::None => true,
        AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost => client.secret.is_some(),
        AuthMethod::PrivateKeyJwt | AuthMethod::SelfSignedTlsClientAuth => !client.jwks.is_empty(),
        AuthMethod::TlsClientAuth => client.tls_name.is_some(),
    };
    match (sound, client.auth) {
        (false, AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost) => Err(Invalid::Secret),
        (false, AuthMethod::TlsClientAuth) => Err(Invalid::TlsName),
        (false, _) => Err(Invalid::Keys),
        (true, method) if client.tls_name.is_some() && method != AuthMethod::TlsClientAuth => Err(Invalid::TlsName),
        (true, _) => Ok(()),
    }
}

fn check_grants(client: &Client) -> Result<(), Invalid> {
    let has = |grant| client.grant_types.contains(&grant);
    if has(GrantType::AuthorizationCode) && client.redirect_uris.is_empty() {
        return Err(Invalid::RedirectUriMissing);
    }
    // A client that proves nothing can not speak for itself (RFC 6749 §4.4).
    if has(GrantType::ClientCredentials) && client.is_public() {
        return Err(Invalid::Grants);
    }
    // Nothing would ever begin what is to be refreshed.
    let begins = [GrantType::AuthorizationCode, GrantType::DeviceCode, GrantType::TokenExchange];
    if has(GrantType::RefreshToken) && !begins.into_iter().any(has) { Err(Invalid::Grants) } else { Ok(()) }
}

fn check_rights(client: &Client) -> Result<(), Invalid> {
    let rights = &client.rights;
    // RFC 9700 §2.1.1: public clients always, others where `nonce` does its work.
    if rights.without_pkce && (client.is_public() || !client.scopes.contains("openid")) {
        return Err(Invalid::WithoutPkce);
    }
    let exchanges = client.grant_types.contains(&GrantType::TokenExchange);
    let wants_exchange = rights.asset_tokens || rights.exchange_others;
    let sound = (exchanges || !wants_exchange) && (rights.asset_tokens || !rights.asset_salesforce);
    if sound { Ok(()) } else { Err(Invalid::Rights) }
}

/// A client id that staff chose: never one that poses as a device, a person, a
/// title or the machine itself.
///
/// # Errors
/// [`Invalid::Id`].
pub fn client_id(text: &str) -> Result<ClientId, Invalid> {
    if is_reserved_prefix(text) || text == Actor::Service(None).id() {
        return Err(Invalid::Id);
    }
    text.parse().map_err(|_| Invalid::Id)
}

/// Whether a client was deleted: its id alone is kept, because an id is never
/// used twice (grants of the old one would wake up for the new one).
pub fn is_deleted(client: &Client) -> bool {
    client.name.is_empty()
}

fn told(kind: EventKind, client: &Client, by: &Actor) -> Event {
    Event::new(kind, client.id.as_str()).with("name", client.name.as_str()).with("by", by.id())
}

fn living(known: Option<&Fact<Client>>, if_version: Option<Version>) -> Result<&Fact<Client>, Refusal<ProblemCode>> {
    let known = known.filter(|client| !is_deleted(client));
    let known = known.ok_or(Refusal::new(ProblemCode::NotFound, "unknown_client"))?;
    if if_version.is_some_and(|version| version != known.version) {
        return Err(Refusal::new(ProblemCode::VersionMismatch, "client_changed"));
    }
    Ok(known)
}

fn refuse<Reply>(refusal: Refusal<ProblemCode>) -> Decision<Reply> {
    Decision::refuse(refusal.code, refusal.reason)
}

fn invalid<Reply>(why: Invalid) -> Decision<Reply> {
    Decision::refuse(ProblemCode::Invalid(why.to_string()), why.reason())
}

/// What was drawn for a client to be made.
#[derive(Debug, Clone)]
pub struct NewClient {
    /// Its id, drawn or chosen ([`client_id`]).
    pub id: ClientId,
    /// Digest of the secret that was minted; kept where it needs one.
    pub secret: Digest,
    /// Seconds.
    pub now: i64,
}

/// Makes a client; `taken` is the client of that id, deleted ones included.
///
/// # Errors
/// [`ProblemCode::Conflict`] where the id was ever used, [`ProblemCode::Invalid`].
pub fn create(
    new: &NewClient,
    metadata: &Metadata,
    taken: Option<&Fact<Client>>,
    max_token_life: i64,
    by: &Actor,
) -> Decision<Client> {
    if taken.is_some() {
        return Decision::refuse(ProblemCode::Conflict, "client_id_taken");
    }
    match metadata.verify(new.id.clone(), Some(new.secret.clone()), max_token_life, new.now) {
        Err(why) => invalid(why),
        Ok(client) => {
            let event = told(EventKind::ClientCreated, &client, by);
            Decision::reply(client.clone()).change(Write::new(client)).event(event)
        }
    }
}

/// Changes a client. Its tokens fall and are issued anew under the new terms;
/// its grants stay. `secret` is kept where the client needs one and had none.
///
/// # Errors
/// [`ProblemCode::NotFound`], [`ProblemCode::VersionMismatch`],
/// [`ProblemCode::Invalid`].
pub fn change(
    known: Option<&Fact<Client>>,
    if_version: Option<Version>,
    metadata: &Metadata,
    secret: &Digest,
    max_token_life: i64,
    by: &Actor,
) -> Decision<Client> {
    let known = match living(known, if_version) {
        Ok(known) => known,
        Err(refusal) => return refuse(refusal),
    };
    let secret = known.secret.clone().unwrap_or_else(|| secret.clone());
    match metadata.verify(known.id.clone(), Some(secret), max_token_life, known.created_at) {
        Err(why) => invalid(why),
        Ok(same) if same == known.record => Decision::reply(same).guard(known.guard()),
        Ok(changed) => cut(known, changed, by),
    }
}

/// Gives a client a new secret; the old one ends at once, and what was got with
/// it: it may have been lost to somebody.
///
/// # Errors
/// [`ProblemCode::NotFound`], [`ProblemCode::VersionMismatch`];
/// [`ProblemCode::Conflict`] for one that proves itself otherwise.
pub fn renew_secret(
    known: Option<&Fact<Client>>,
    if_version: Option<Version>,
    secret: &Digest,
    by: &Actor,
) -> Decision<Client> {
    let known = match living(known, if_version) {
        Ok(known) => known,
        Err(refusal) => return refuse(refusal),
    };
    if known.secret.is_none() {
        return Decision::refuse(ProblemCode::Conflict, "client_without_secret");
    }
    cut(known, Client { secret: Some(secret.clone()), ..known.record.clone() }, by)
}

fn cut(known: &Fact<Client>, changed: Client, by: &Actor) -> Decision<Client> {
    Decision::reply(changed.clone())
        .change(Raise::cut(AnchorKind::Client, changed.id.as_str()))
        .event(told(EventKind::ClientChanged, &changed, by))
        .change(known.rewrite(changed))
}

/// Deletes a client: tokens, refresh tokens and consents fall for good.
///
/// # Errors
/// [`ProblemCode::NotFound`], [`ProblemCode::VersionMismatch`].
pub fn delete(known: Option<&Fact<Client>>, if_version: Option<Version>, by: &Actor) -> Decision<()> {
    let known = match living(known, if_version) {
        Ok(known) => known,
        Err(refusal) => return refuse(refusal),
    };
    let kept = Client {
        name: String::new(),
        auth: AuthMethod::None,
        secret: None,
        jwks: Vec::new(),
        tls_name: None,
        redirect_uris: Vec::new(),
        grant_types: Vec::new(),
        scopes: Scope::default(),
        audiences: Vec::new(),
        rights: ClientRights::default(),
        disabled: true,
        ..known.record.clone()
    };
    Decision::reply(())
        .change(Raise::end(AnchorKind::Client, known.id.as_str()))
        .event(told(EventKind::ClientDeleted, known, by))
        .change(known.rewrite(kept))
}
