//! The one place where tokens take shape: what they say, how long they live,
//! and what they hang from (RFC 9068 §2, OIDC Core §2, anchors).

use identity::{AnchorKind, Anchors, Bond, FamilyId, Guard, Product, Secret, Tenant};
use jose::Alg;
use serde_json::{Map, Value, json};

use crate::error::{ErrorCode, OAuthRefusal};
use crate::scope::Scope;
use crate::token::{Audience, Claims, TokenKind, Unsigned};

/// A refresh token to hand out: it was minted before the load, its digest
/// stands in the changes.
#[derive(Debug, Clone)]
pub struct Refresh {
    /// The family it carries on.
    pub family: FamilyId,
    /// The token itself, where it must be handed out again after a lost reply.
    pub repeated: Option<Secret<String>>,
}

/// The answer of the token endpoint before anything is signed (RFC 6749 §5.1).
#[derive(Debug, Clone)]
pub struct TokenReply {
    /// The access or asset token.
    pub access: Unsigned,
    /// `DPoP` where bound by a DPoP key, else `Bearer`.
    pub token_type: &'static str,
    /// Seconds.
    pub expires_in: i64,
    /// What was granted.
    pub scope: Scope,
    /// A refresh token, where one is handed out.
    pub refresh: Option<Refresh>,
    /// An ID token, where `openid` was granted.
    pub id_token: Option<Unsigned>,
    /// RFC 8693 §2.2.1.
    pub issued_token_type: Option<String>,
    /// RFC 9396 §7.
    pub authorization_details: Option<Value>,
}

/// How an access token is to look.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// What it is signed with.
    pub alg: Alg,
    /// Sealed instead of signed.
    pub opaque: bool,
    /// Access or asset token.
    pub kind: TokenKind,
    /// The `typ` header.
    pub typ: &'static str,
    /// Always `Bearer`, for clients that know nothing else.
    pub bearer: bool,
}

impl Form {
    /// An access token as its client registered it.
    pub fn access((alg, opaque): (Alg, bool)) -> Self {
        let kind = TokenKind::Access;
        Self { alg, opaque, kind, typ: kind.typ(), bearer: false }
    }
}

/// The anchors of a token: the tenant, every guard of the deciding rule that
/// carries an epoch, and those of what it was made from.
pub fn anchors<'a>(tenant: &Tenant, guards: impl IntoIterator<Item = &'a Guard>, inherited: &Anchors) -> Anchors {
    let guarded = guards.into_iter().filter_map(|guard| guard.anchor.clone());
    core::iter::once(tenant.anchor()).chain(guarded).chain(inherited.iter().cloned()).collect()
}

/// The anchors of a grant: those of its first token but for credentials. A key
/// may be changed without beginning anew; each use proves the present one
/// (anchors: never brick).
pub fn lasting(anchors: &Anchors) -> Anchors {
    anchors.iter().filter(|listed| listed.anchor.kind != AnchorKind::Credential).cloned().collect()
}

/// What a grant may still yield where it hangs from a device and a bond: what
/// the model may do, within the rights of the bond.
pub fn within(scope: &Scope, product: Option<&Product>, bond: Option<&Bond>) -> Scope {
    let model = product.map(|product| Scope::of(product.scopes.iter().map(String::as_str).chain(STANDARD)));
    let rights = bond
        .and_then(|bond| bond.scopes.as_ref())
        .map(|rights| Scope::of(rights.iter().map(String::as_str).chain(STANDARD)));
    [model, rights].into_iter().flatten().fold(scope.clone(), |scope, limit| scope.intersection(&limit))
}

/// Scopes about the person, which no model and no bond limits.
pub const STANDARD: [&str; 3] = ["openid", "profile", "offline_access"];

/// Shapes an access or asset token into the reply.
///
/// # Errors
/// `server_error` when claims cannot be written, which no input brings about.
pub fn access_token(claims: Claims, form: Form) -> Result<TokenReply, OAuthRefusal> {
    let bound_by_key = claims.cnf.as_ref().is_some_and(|cnf| cnf.jkt.is_some());
    let expires_in = claims.exp - claims.iat;
    let scope = claims.scope.clone();
    let Form { alg, opaque, kind, typ, bearer } = form;
    let access = Unsigned { kind, typ, alg, opaque, claims: text(&claims)? };
    Ok(TokenReply {
        access,
        token_type: if bound_by_key && !bearer { "DPoP" } else { "Bearer" },
        expires_in,
        scope,
        refresh: None,
        id_token: None,
        issued_token_type: None,
        authorization_details: claims.authorization_details,
    })
}

/// What every access token says; the rest is the grant's.
pub fn base_claims(tenant: &Tenant, client_id: &str, sub: &str, audience: Vec<String>, now: i64) -> Claims {
    Claims {
        iss: tenant.issuer.clone(),
        sub: sub.to_owned(),
        aud: Audience(audience),
        client_id: client_id.to_owned(),
        iat: now,
        ..Claims::default()
    }
}

fn text(claims: &impl serde::Serialize) -> Result<Vec<u8>, OAuthRefusal> {
    serde_json::to_vec(claims).map_err(|_| OAuthRefusal::new(ErrorCode::ServerError, "claims_unwritable"))
}

/// What an ID token says of a login.
#[derive(Debug, Clone)]
pub struct IdTokenFacts<'a> {
    /// The user's `sub`.
    pub sub: &'a str,
    /// The client.
    pub client_id: &'a str,
    /// What it is signed with.
    pub alg: Alg,
    /// When the person proved who they are, seconds.
    pub auth_time: Option<i64>,
    /// How.
    pub methods: &'a [String],
    /// As the request had it; never at a refresh (OIDC Core §12.2).
    pub nonce: Option<&'a str>,
    /// The login.
    pub session: Option<&'a str>,
}

/// An ID token (OIDC Core §2). It carries no anchors and no `client_id`, so that
/// it never passes as an access token.
pub fn id_token(tenant: &Tenant, facts: &IdTokenFacts<'_>, now: i64) -> Unsigned {
    let mut claims = Map::new();
    let mut put = |name: &str, value: Value| {
        claims.insert(name.to_owned(), value);
    };
    put("iss", tenant.issuer.clone().into());
    put("sub", facts.sub.into());
    put("aud", facts.client_id.into());
    put("iat", now.into());
    put("exp", (now + 3600).into());
    if let Some(auth_time) = facts.auth_time {
        put("auth_time", auth_time.into());
    }
    if let Some(nonce) = facts.nonce {
        put("nonce", nonce.into());
    }
    if let Some(session) = facts.session {
        put("sid", session.into());
    }
    if !facts.methods.is_empty() {
        put("amr", json!(facts.methods));
    }
    let kind = TokenKind::Id;
    let claims = Value::Object(claims).to_string().into_bytes();
    Unsigned { kind, typ: kind.typ(), alg: facts.alg, opaque: false, claims }
}

/// The shortest of a wished life and the ends of everything it rests on.
pub fn end_of_life(now: i64, life: i64, ends: impl IntoIterator<Item = i64>) -> i64 {
    ends.into_iter().fold(now.saturating_add(life), i64::min)
}
