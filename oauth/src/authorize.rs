//! The authorization endpoint (RFC 6749 §4.1.1, RFC 7636, OIDC Core §3.1.2):
//! reading a request, and what has to happen before a code is given.

use identity::user::UserState;
use identity::{BrowserSession, Digest, Event, EventKind, Fact, FamilyId, User, Write};

use crate::client::{Client, GrantType};
use crate::code::AuthorizationCode;
use crate::consent::Consent;
use crate::error::{ErrorCode, OAuthRefusal};
use crate::facts::AuthorizeFacts;
use crate::form::Form;
use crate::redirect_uri::{self, Redirect};
use crate::scope::Scope;
use crate::{Change, Decision, target};

/// Life of a code, seconds.
pub const CODE_LIFE: i64 = 60;
/// `state` and `nonce` are echoed whole up to this length.
const MAX_ECHO: usize = 2048;

/// Why a request was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthorizeRefusal {
    /// Client or redirect URI are bad: never redirect (RFC 6749 §4.1.2.1).
    Page(&'static str),
    /// Told to the client, at its own URI.
    Redirect(Redirect, OAuthRefusal),
}

/// `prompt` (OIDC Core §3.1.2.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prompt {
    /// No page may be shown.
    pub none: bool,
    /// Sign in anew although a session lives.
    pub login: bool,
    /// Ask for consent although it was given.
    pub consent: bool,
    /// Let the person choose who they are.
    pub select_account: bool,
}

/// A request that was read and found sound for its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizeRequest {
    /// Where the answer goes.
    pub redirect: Redirect,
    /// Whether the request named the URI.
    pub redirect_named: bool,
    /// What is asked for; unknown scopes are left out (RFC 6749 §3.3).
    pub scope: Scope,
    /// For whom.
    pub resources: Vec<String>,
    /// S256 challenge.
    pub challenge: Option<String>,
    /// RFC 9449 §10.
    pub dpop_jkt: Option<String>,
    /// For the ID token.
    pub nonce: Option<String>,
    /// Pages that must or must not be shown.
    pub prompt: Prompt,
    /// The login must not be older, seconds.
    pub max_age: Option<i64>,
    /// Whether some authentication class is essential: we name none.
    pub essential_acr: bool,
    /// An ID token of ours, as it came: who the client thinks is there.
    pub id_token_hint: Option<String>,
    /// The `sub` that `claims` demands (OIDC Core §5.5.1).
    pub demanded_sub: Option<String>,
}

/// Reads a request for the client it names.
///
/// # Errors
/// [`AuthorizeRefusal`]: a page where client or redirect URI are bad, else a
/// redirect with the RFC's code.
pub fn read(
    pairs: Vec<(String, String)>,
    client: Option<&Client>,
    issuer: &str,
) -> Result<AuthorizeRequest, AuthorizeRefusal> {
    let named = |name: &str| pairs.iter().filter(|(known, value)| known == name && !value.is_empty()).count();
    if named("client_id") != 1 || named("redirect_uri") > 1 {
        return Err(AuthorizeRefusal::Page("client_or_redirect_uri_repeated"));
    }
    let client = client.filter(|client| !client.disabled).ok_or(AuthorizeRefusal::Page("client_unknown"))?;
    let first = |name: &str| {
        pairs.iter().find(|(known, value)| known == name && !value.is_empty()).map(|(_, value)| value.clone())
    };
    let openid = first("scope").is_some_and(|scope| scope.split(' ').any(|token| token == "openid"));
    let named_uri = first("redirect_uri");
    let uri = match (&named_uri, client.redirect_uris.as_slice()) {
        (Some(uri), _) => uri.clone(),
        (None, [only]) if !openid => only.clone(),
        (None, _) => return Err(AuthorizeRefusal::Page("redirect_uri_missing")),
    };
    if !redirect_uri::is_registered(&uri, client) {
        return Err(AuthorizeRefusal::Page("redirect_uri_not_registered"));
    }
    let state = first("state");
    let too_long = state.as_ref().is_some_and(|state| state.len() > MAX_ECHO);
    let mode = first("response_mode");
    let state = state.filter(|_| !too_long);
    let redirect = Redirect::new(uri, state, mode.as_deref() == Some("form_post"), issuer);
    let refused = |refusal| AuthorizeRefusal::Redirect(redirect.clone(), refusal);
    if too_long {
        return Err(refused(bad("state_too_long")));
    }
    let form = Form::parse(pairs.clone()).map_err(refused)?;
    let parsed = parse(&form, client, issuer, mode.as_deref(), openid);
    let mut request = parsed.map_err(refused)?;
    request.redirect = redirect.clone();
    request.redirect_named = named_uri.is_some();
    Ok(request)
}

fn bad(reason: &'static str) -> OAuthRefusal {
    OAuthRefusal::new(ErrorCode::InvalidRequest, reason)
}

fn parse(
    form: &Form,
    client: &Client,
    issuer: &str,
    mode: Option<&str>,
    openid: bool,
) -> Result<AuthorizeRequest, OAuthRefusal> {
    if !matches!(mode, None | Some("query" | "form_post")) {
        return Err(bad("response_mode"));
    }
    if form.one("request").is_some() {
        return Err(OAuthRefusal::new(ErrorCode::RequestNotSupported, "request_object"));
    }
    if form.one("request_uri").is_some() {
        return Err(OAuthRefusal::new(ErrorCode::RequestUriNotSupported, "request_uri"));
    }
    match form.one("response_type") {
        Some("code") => {}
        Some(_) => return Err(OAuthRefusal::new(ErrorCode::UnsupportedResponseType, "response_type")),
        None => return Err(bad("response_type_missing")),
    }
    if !client.may(GrantType::AuthorizationCode) {
        return Err(OAuthRefusal::new(ErrorCode::UnauthorizedClient, "grant_not_registered"));
    }
    let prompt = prompt(form.one("prompt"))?;
    let mut scope = form.scope()?.unwrap_or_default().intersection(&client.scopes);
    if scope.contains("offline_access") && !prompt.consent {
        // OIDC Core §11: without asking for consent the scope is ignored.
        scope = Scope::of(scope.iter().filter(|token| *token != "offline_access"));
    }
    if scope.is_empty() {
        return Err(OAuthRefusal::new(ErrorCode::InvalidScope, "nothing_left_of_the_scope"));
    }
    let mut allowed = client.audiences.clone();
    if allowed.is_empty() {
        allowed.push(issuer.to_owned());
    }
    let mut resources = target::resolve(&form.targets(), &allowed)?;
    if openid && !resources.iter().any(|resource| resource == issuer) {
        // UserInfo is ours: a token with `openid` must be good there, too.
        resources.push(issuer.to_owned());
    }
    let max_age = form.one("max_age").map(str::parse::<i64>).transpose().map_err(|_| bad("max_age"))?;
    if max_age.is_some_and(|age| age < 0) {
        return Err(bad("max_age"));
    }
    Ok(AuthorizeRequest {
        redirect: Redirect::default(),
        redirect_named: false,
        scope,
        resources,
        challenge: challenge(form, client, openid)?,
        dpop_jkt: thumbprint(form)?,
        nonce: nonce(form)?,
        prompt,
        max_age,
        essential_acr: essential_acr(form.one("claims")),
        id_token_hint: form.one("id_token_hint").map(str::to_owned),
        demanded_sub: demanded_sub(form.one("claims")),
    })
}

fn challenge(form: &Form, client: &Client, openid: bool) -> Result<Option<String>, OAuthRefusal> {
    let method = form.one("code_challenge_method");
    let Some(challenge) = form.one("code_challenge") else {
        let may_leave_out = client.rights.without_pkce && !client.is_public() && openid;
        return match (may_leave_out, method) {
            (true, None) => Ok(None),
            _ => Err(bad("code_challenge_missing")),
        };
    };
    // RFC 7636 §4.3: without a method it would be plain, which nobody gets here.
    if method != Some("S256") {
        return Err(bad("code_challenge_method"));
    }
    let sound = challenge.len() == 43 && jose::base64url::decode(challenge).is_ok_and(|bytes| bytes.len() == 32);
    if sound { Ok(Some(challenge.to_owned())) } else { Err(bad("code_challenge_malformed")) }
}

fn prompt(text: Option<&str>) -> Result<Prompt, OAuthRefusal> {
    let mut prompt = Prompt::default();
    for word in text.unwrap_or("").split(' ').filter(|word| !word.is_empty()) {
        match word {
            "none" => prompt.none = true,
            "login" => prompt.login = true,
            "consent" => prompt.consent = true,
            "select_account" => prompt.select_account = true,
            _ => return Err(bad("prompt_unknown")),
        }
    }
    if prompt.none && (prompt.login || prompt.consent || prompt.select_account) {
        return Err(bad("prompt_none_with_others"));
    }
    Ok(prompt)
}

/// RFC 9449 §10: the base64url of a SHA-256.
fn thumbprint(form: &Form) -> Result<Option<String>, OAuthRefusal> {
    let Some(jkt) = form.one("dpop_jkt") else { return Ok(None) };
    let sound = jose::base64url::decode(jkt).is_ok_and(|bytes| bytes.len() == 32);
    if sound { Ok(Some(jkt.to_owned())) } else { Err(bad("dpop_jkt_malformed")) }
}

fn nonce(form: &Form) -> Result<Option<String>, OAuthRefusal> {
    match form.one("nonce") {
        Some(nonce) if nonce.len() > MAX_ECHO => Err(bad("nonce_too_long")),
        nonce => Ok(nonce.map(str::to_owned)),
    }
}

fn demanded_sub(claims: Option<&str>) -> Option<String> {
    let parsed: serde_json::Value = serde_json::from_str(claims?).ok()?;
    let sub = parsed.pointer("/id_token/sub/value").or_else(|| parsed.pointer("/userinfo/sub/value"));
    sub.and_then(serde_json::Value::as_str).map(str::to_owned)
}

/// `acr` asked as essential claim (OIDC Core §5.5.1.1): we reach none by name.
fn essential_acr(claims: Option<&str>) -> bool {
    let parsed = claims.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    parsed.is_some_and(|claims| {
        claims.pointer("/id_token/acr/essential").and_then(serde_json::Value::as_bool).unwrap_or(false)
    })
}

/// What has to happen next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nobody is signed in, or the login is too old: sign in.
    SignIn,
    /// Ask the person for these scopes.
    Consent(Scope),
    /// Give a code.
    Grant,
}

/// Decides what has to happen before a code is given. `signed_in_since` is the
/// time at which this very request sent the person to sign in, so that
/// `prompt=login` is satisfied by that and not asked for ever. `hinted` is the
/// `sub` of the verified `id_token_hint`, whatever its age.
///
/// # Errors
/// With `prompt=none` whatever would need a page; `unmet_authentication_requirements`.
pub fn next_step(
    request: &AuthorizeRequest,
    facts: &AuthorizeFacts,
    session: Option<&BrowserSession>,
    signed_in_since: Option<i64>,
    hinted: Option<&str>,
    now: i64,
) -> Result<Step, OAuthRefusal> {
    let page = |code, reason, step| if request.prompt.none { Err(OAuthRefusal::new(code, reason)) } else { Ok(step) };
    let user = facts.user.as_ref().filter(|user| user.state == UserState::Active);
    let (Some(session), Some(user)) = (session, user) else {
        return page(ErrorCode::LoginRequired, "nobody_signed_in", Step::SignIn);
    };
    if session.user != user.id {
        return page(ErrorCode::LoginRequired, "login_of_another", Step::SignIn);
    }
    let demanded = [hinted, request.demanded_sub.as_deref()].into_iter().flatten();
    if demanded.into_iter().any(|sub| sub != user.id.as_str()) {
        // Another person is wanted than the one who is here (OIDC Core §3.1.2.2).
        return Err(OAuthRefusal::new(ErrorCode::LoginRequired, "another_person_wanted"));
    }
    let wants_fresh = request.prompt.login || request.prompt.select_account || request.max_age == Some(0);
    let just_now = signed_in_since.is_some_and(|since| session.authenticated_at >= since);
    let too_old = request.max_age.is_some_and(|age| now - session.authenticated_at > age);
    if (wants_fresh || too_old) && !just_now {
        return page(ErrorCode::LoginRequired, "login_too_old", Step::SignIn);
    }
    if request.essential_acr {
        return Err(OAuthRefusal::new(ErrorCode::UnmetAuthenticationRequirements, "essential_acr"));
    }
    let client = facts.client.as_ref().ok_or(bad("client_unknown"))?;
    let remembered = facts.consent.as_ref().filter(|consent| consent.withdrawn_at.is_none());
    let covered = remembered.is_some_and(|consent| {
        request.scope.is_within(&consent.scope)
            && request.resources.iter().all(|resource| consent.resources.contains(resource))
    });
    if (client.rights.first_party || covered) && !request.prompt.consent {
        return Ok(Step::Grant);
    }
    page(ErrorCode::ConsentRequired, "consent_not_given", Step::Consent(request.scope.clone()))
}

/// What was drawn for a code.
#[derive(Debug, Clone)]
pub struct DrawnCode {
    /// Digest of the code.
    pub code: Digest,
    /// The family its use begins.
    pub family: FamilyId,
    /// `con_…`, for a consent given now.
    pub consent: String,
    /// Seconds.
    pub now: i64,
}

/// Gives a code; `consented` says that the person said yes just now.
pub fn grant(
    request: &AuthorizeRequest,
    client: &Fact<Client>,
    user: &Fact<User>,
    session: &Fact<BrowserSession>,
    consent: Option<&Fact<Consent>>,
    consented: bool,
    drawn: &DrawnCode,
) -> Decision<()> {
    let code = AuthorizationCode {
        id: drawn.code.clone(),
        client: client.id.clone(),
        redirect_uri: request.redirect.uri().to_owned(),
        redirect_uri_named: request.redirect_named,
        challenge: request.challenge.clone(),
        dpop_jkt: request.dpop_jkt.clone(),
        user: user.id.clone(),
        session: session.id.clone(),
        scope: request.scope.clone(),
        resources: request.resources.clone(),
        nonce: request.nonce.clone(),
        auth_time: session.authenticated_at,
        methods: session.methods.clone(),
        expires_at: drawn.now + CODE_LIFE,
        family: drawn.family.clone(),
        used_at: None,
    };
    let decision = Decision::reply(())
        .guard(client.guard())
        .guard(user.guard())
        .guard(session.guard())
        .change(Change::from(Write::new(code)));
    if !consented {
        return decision;
    }
    let event = Event::new(EventKind::ConsentGiven, user.id.as_str())
        .with("client_id", client.id.as_str())
        .with("scope", request.scope.to_string());
    let given = match consent.filter(|consent| consent.withdrawn_at.is_none()) {
        Some(known) => {
            let mut wider = known.record.clone();
            request.scope.iter().for_each(|token| wider.scope.insert(token));
            let new = request.resources.iter().filter(|resource| !known.resources.contains(resource));
            wider.resources.extend(new.cloned());
            wider.given_at = drawn.now;
            Change::from(known.rewrite(wider))
        }
        None => Change::from(Write::new(Consent {
            id: drawn.consent.clone(),
            user: user.id.clone(),
            client: client.id.clone(),
            scope: request.scope.clone(),
            resources: request.resources.clone(),
            given_at: drawn.now,
            withdrawn_at: None,
        })),
    };
    decision.change(given).event(event)
}

#[cfg(test)]
mod tests;
