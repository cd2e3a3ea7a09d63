//! Pairing by a short code (RFC 8628), and the next press of ON.

use ::device::client::ClientError;
use ::device::{Address, ClientAuth, Discovery, Endpoints, Pairing, Prompt, Refresh, Secret, TokenType, Tokens};
use serde_json::json;

use super::home::{self, SwitchedOn};
use super::owner::Owner;
use super::stage::Stage;
use super::tale::{Told, claim, decoded};
use super::trouble::{Lived, Present, sure};

/// What a speaker asks its owner for.
const SCOPE: &str = "cloud:stream";

/// A speaker that may act for its owner.
pub(super) struct Paired {
    pub(super) endpoints: Endpoints,
    pub(super) tokens: Tokens,
    /// The title that the pairing opened.
    pub(super) asset: String,
}

/// A device is its own client, proved by its key.
pub(super) fn own_client(stage: &Stage, on: &SwitchedOn) -> ClientAuth {
    ClientAuth::PrivateKeyJwt { client_id: on.did.clone(), issuer: stage.issuer.clone() }
}

/// The speaker shows a code, Adam types it and sees which device asks, the speaker polls.
pub(super) fn pair(stage: &Stage, on: &mut SwitchedOn, owner: &Owner) -> Lived<Told<Paired>> {
    let endpoints = on.client.run(&mut Discovery::new(&stage.issuer)?, &mut |_| {})?;
    let start = endpoints.device_authorization.clone().present("the place where pairing starts")?;
    let pairing = Pairing::new(start, endpoints.token.clone(), own_client(stage, on), Some(SCOPE.to_owned()));
    let serial = on.speaker.serial.clone();
    let (mut code, mut allowed) = (String::new(), None);
    let mut show = |prompt: &Prompt| {
        code.clone_from(&prompt.user_code);
        allowed = Some(owner.allow(&prompt.verification_uri, &prompt.user_code, &serial));
    };
    let tokens = on.client.run(&mut pairing.of_device(&on.did), &mut show);
    allowed.present("the code on the display")??;
    let tokens = tokens?;
    sure(tokens.token_type == TokenType::Dpop, "the speaker's token is not bound to its key")?;
    sure(tokens.refresh_token.is_some(), "there is no token for the next press of ON")?;
    let token = decoded(tokens.access_token.expose());
    sure(claim(&token, "did") == on.did, "the token is for another device")?;
    let called = home::call(stage, &mut on.client, &on.speaker)?;
    sure(called.state == "active", "a speaker with an owner is not active")?;
    let asset = called.asset_id.present("the title of the speaker")?;
    let line = format!("Adam paired it with code {code}");
    let facts = json!({ "user_code": code, "access_token": token, "scope": tokens.scope, "asset_id": asset });
    Ok(Told { line, facts, yields: Paired { endpoints, tokens, asset } })
}

/// ON is pressed again: no page, no code, and a refresh token that is new (RFC 9700 §4.14.2).
pub(super) fn press_on(stage: &Stage, on: &mut SwitchedOn, paired: &mut Paired) -> Lived<Told<()>> {
    let old = paired.tokens.refresh_token.clone().present("a refresh token")?;
    paired.tokens = refresh(stage, on, &paired.endpoints.token, old.clone())?;
    let rotated = paired.tokens.refresh_token.as_ref().is_some_and(|new| new.expose() != old.expose());
    sure(rotated, "the refresh token was not rotated")?;
    let facts = json!({ "access_token": decoded(paired.tokens.access_token.expose()) });
    let line = "ON was pressed again: a new token, and no page".to_owned();
    Ok(Told { line, facts, yields: () })
}

/// Trades a refresh token.
pub(super) fn refresh(
    stage: &Stage,
    on: &mut SwitchedOn,
    token_url: &Address,
    token: Secret,
) -> Result<Tokens, ClientError> {
    let auth = own_client(stage, on);
    on.client.run(&mut Refresh::new(token_url.clone(), auth, token, true), &mut |_| {})
}
