//! What an asset token says, how far it reaches and how long it lives.

use identity::{Anchors, Asset, Bond, Device, Product, Tenant};
use jose::Alg;

use super::{JWT, Request, asset_token_type};
use crate::client::Client;
use crate::error::{ErrorCode, OAuthRefusal};
use crate::grant::Drawn;
use crate::issue::{self, TokenReply};
use crate::scope::Scope;
use crate::target;
use crate::token::{Act, Confirmation, TokenKind};

pub(super) fn scope(
    request: &Request,
    client: &Client,
    product: &Product,
    bond: Option<&Bond>,
) -> Result<Scope, OAuthRefusal> {
    let allowed = Scope::of(&product.scopes).intersection(&client.scopes);
    let allowed = match bond.and_then(|bond| bond.scopes.as_ref()) {
        Some(rights) => allowed.intersection(&Scope::of(rights)),
        None => allowed,
    };
    match &request.scope {
        None => Ok(allowed),
        Some(asked) if asked.is_within(&allowed) => Ok(asked.clone()),
        Some(_) => Err(OAuthRefusal::new(ErrorCode::InvalidScope, "scope_beyond_device")),
    }
}

pub(super) fn audience(
    request: &Request,
    client: &Client,
    product: &Product,
    issuer: &str,
) -> Result<Vec<String>, OAuthRefusal> {
    let mut allowed: Vec<String> = client.audiences.iter().filter(|aud| *aud != issuer).cloned().collect();
    allowed.extend(product.audiences.iter().cloned());
    if client.audiences.iter().any(|aud| aud == issuer) {
        allowed.push(issuer.to_owned());
    }
    target::resolve(&request.targets, &allowed)
}

/// How a client wants its asset tokens.
pub(super) struct Form {
    alg: Alg,
    typ: &'static str,
    bearer: bool,
    /// Seconds.
    life: i64,
}

impl Form {
    pub(super) fn of(client: &Client) -> Self {
        Self {
            alg: client.token_alg,
            typ: if client.asset_typ_jwt { "JWT" } else { TokenKind::Asset.typ() },
            bearer: client.rights.asset_salesforce,
            life: client.asset_token_life.max(300),
        }
    }
}

/// An asset token to be made: a little about the device, a little about the
/// customer.
pub(super) struct AssetToken<'a> {
    pub(super) tenant: &'a Tenant,
    pub(super) client_id: &'a str,
    pub(super) form: Form,
    pub(super) sub: &'a str,
    pub(super) asset: &'a Asset,
    pub(super) device: &'a Device,
    pub(super) product: &'a Product,
    /// When what it rests on ends, seconds.
    pub(super) ends: Vec<i64>,
    pub(super) scope: Scope,
    pub(super) audience: Vec<String>,
    pub(super) cnf: Option<Confirmation>,
    pub(super) anchors: Anchors,
}

impl AssetToken<'_> {
    /// Shapes it into the answer to a request.
    pub(super) fn reply(self, request: &Request, drawn: &Drawn) -> Result<TokenReply, OAuthRefusal> {
        let (tenant, now) = (self.tenant, drawn.now);
        let mut claims = issue::base_claims(tenant, self.client_id, self.sub, self.audience, now);
        claims.nbf = Some(now);
        claims.exp = issue::end_of_life(now, self.form.life.min(tenant.max_token_life), self.ends);
        claims.jti = drawn.jti.clone();
        claims.did = Some(self.device.id.to_string());
        claims.asset_id = Some(self.asset.id.to_string());
        claims.name = Some(self.asset.name.clone());
        claims.serial_number = self.device.serial.clone();
        claims.model = Some(self.product.model.clone());
        claims.account_id = Some(self.asset.account.to_string());
        claims.contact_id = self.asset.contact_id.clone();
        claims.scope = self.scope;
        claims.act = Some(Act { sub: self.device.id.to_string(), iss: Some(tenant.issuer.clone()), act: None });
        claims.cnf = self.cnf;
        claims.anc = self.anchors;
        let Form { alg, typ, bearer, .. } = self.form;
        let kind = TokenKind::Asset;
        let mut reply = issue::access_token(claims, issue::Form { alg, opaque: false, kind, typ, bearer })?;
        let private = asset_token_type(&tenant.issuer);
        let asked = request.requested.as_ref() == Some(&private);
        reply.issued_token_type = Some(if asked { private } else { JWT.to_owned() });
        Ok(reply)
    }
}
