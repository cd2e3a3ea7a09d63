//! What an asset token says, how far it reaches and how long it lives.

use identity::{Anchors, Asset, Bond, Device, Product, Tenant};
use jose::Alg;

use super::{JWT, Request, asset_token_type};
use crate::client::Client;
use crate::error::{ErrorCode, OAuthRefusal};
use crate::grant::Drawn;
use crate::issue::{self, TokenReply};
use crate::scope::Scope;
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

/// Who may receive asset tokens of this model through this client, the default
/// first.
pub(in crate::grant) fn receivers(client: Option<&Client>, product: &Product, issuer: &str) -> Vec<String> {
    let named = client.map(|client| client.audiences.as_slice()).unwrap_or_default();
    let mut allowed: Vec<String> = named.iter().filter(|aud| *aud != issuer).cloned().collect();
    allowed.extend(product.audiences.iter().cloned());
    if named.iter().any(|aud| aud == issuer) {
        allowed.push(issuer.to_owned());
    }
    allowed
}

/// How a client wants its asset tokens.
pub(in crate::grant) struct Form {
    alg: Alg,
    typ: &'static str,
    bearer: bool,
    /// Seconds.
    life: i64,
}

impl Form {
    /// Of a device that is its own client.
    pub(super) fn of_device() -> Self {
        Self { alg: Alg::ES256, typ: TokenKind::Asset.typ(), bearer: false, life: 86_400 }
    }

    pub(in crate::grant) fn of(client: &Client) -> Self {
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
pub(in crate::grant) struct AssetToken<'a> {
    pub(in crate::grant) tenant: &'a Tenant,
    pub(in crate::grant) client_id: &'a str,
    pub(in crate::grant) form: Form,
    pub(in crate::grant) sub: &'a str,
    pub(in crate::grant) asset: &'a Asset,
    pub(in crate::grant) device: &'a Device,
    pub(in crate::grant) product: &'a Product,
    /// When what it rests on ends, seconds.
    pub(in crate::grant) ends: Vec<i64>,
    pub(in crate::grant) scope: Scope,
    pub(in crate::grant) audience: Vec<String>,
    pub(in crate::grant) cnf: Option<Confirmation>,
    pub(in crate::grant) anchors: Anchors,
}

impl AssetToken<'_> {
    /// Shapes it into an answer, under its private type where that was asked for.
    pub(in crate::grant) fn reply(self, private: bool, drawn: &Drawn) -> Result<TokenReply, OAuthRefusal> {
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
        let own = || asset_token_type(&tenant.issuer);
        reply.issued_token_type = Some(if private { own() } else { JWT.to_owned() });
        Ok(reply)
    }
}
