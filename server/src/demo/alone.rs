//! The speaker on its own: a day later its asset token has run out, and it renews it by
//! its key, without app and owner.

use ::device::client::ClientError;
use ::device::{Address, ClientAuth, Fetch, Hello, Home, Kept, Method, Outcome, Renewal, Renewed, Request};
use ::device::{Rung, Secret, TokenType, Tokens, Way};
use serde_json::{Value, json};

use super::backend;
use super::factory::MODEL;
use super::home::SwitchedOn;
use super::pairing::{self, Paired};
use super::registry::Registry;
use super::service;
use super::stage::Stage;
use super::tale::{Told, claim, decoded};
use super::trouble::{Lived, Trouble, sure};

/// The clock goes on to the present day: the story began a day and an hour ago.
pub(super) fn next_day(
    stage: &Stage,
    on: &mut SwitchedOn,
    paired: &mut Paired,
    registry: &mut Registry,
    asset_token: &Secret,
) -> Lived<Told<Secret>> {
    let old = decoded(asset_token.expose());
    stage.catch_up();
    let expired = old.pointer("/payload/exp").and_then(serde_json::Value::as_i64).is_some_and(|exp| exp < stage.now());
    sure(expired, "the asset token outlived its day")?;
    let request = Request::new(Method::Post, Address::parse(&format!("{}{}", stage.backend, backend::PATH))?);
    let sent = on.client.run(&mut Fetch::new(request, asset_token.clone(), TokenType::Dpop), &mut |_| {});
    sure(word_of(&sent) == Some("invalid_token"), "the backend took a token that had run out")?;

    let (renewed, facts) = by_key(stage, on, paired, asset_token)?;

    // What else is a day old.
    pairing::press_on(stage, on, paired)?;
    registry.sign_in_again()?;
    let line = "A day later its token had run out; it renewed it by its key alone".to_owned();
    Ok(Told { line, facts, yields: renewed })
}

/// Where no clock is moved: it renews before the token has run out, and the new one goes on.
pub(super) fn in_time(
    stage: &Stage,
    on: &mut SwitchedOn,
    paired: &Paired,
    asset_token: &Secret,
) -> Lived<Told<Secret>> {
    let (renewed, facts) = by_key(stage, on, paired, asset_token)?;
    Ok(Told { line: "It renewed its token in time, by its key alone".to_owned(), facts, yields: renewed })
}

/// By its key, and nothing but the life of the token is another.
fn by_key(stage: &Stage, on: &mut SwitchedOn, paired: &Paired, asset_token: &Secret) -> Lived<(Secret, Value)> {
    let old = decoded(asset_token.expose());
    let Renewed { outcome, falls } = renew(stage, on, paired, asset_token)?;
    let Outcome::Asset { kept, by: Rung::Key } = outcome else {
        return Err(Trouble::new(format!("the token was not renewed by its key: {outcome:?} {falls:?}")));
    };
    let renewed = kept.tokens.access_token;
    let token = decoded(renewed.expose());
    sure(claim(&token, "asset_id") == paired.asset, "the renewal is for another title")?;
    sure(claim(&token, "did") == on.did && claim(&token, "sub") == claim(&old, "sub"), "it is about others")?;
    sure(token.pointer("/payload/cnf") == old.pointer("/payload/cnf"), "it is bound to another key")?;
    sure(token.pointer("/payload/scope") == old.pointer("/payload/scope"), "it reaches further")?;
    let sender = service::send_data(stage, on, &renewed)?.facts;
    Ok((renewed, json!({ "asset_token": token, "by": "key", "backend": sender })))
}

/// Renews at once, by whatever way there is.
pub(super) fn renew(stage: &Stage, on: &mut SwitchedOn, paired: &Paired, asset_token: &Secret) -> Lived<Renewed> {
    let home = Home {
        token_url: paired.endpoints.token.clone(),
        client: ClientAuth::KeyAlone,
        device_url: Address::parse(&stage.devices)?,
        way: Way::Certificate { bound_to_key: true },
        hello: Hello {
            serial_number: Some(on.speaker.serial.clone()),
            model: Some(MODEL.to_owned()),
            ..Hello::default()
        },
    };
    let tokens = Tokens {
        access_token: asset_token.clone(),
        token_type: TokenType::Dpop,
        expires_in: None,
        refresh_token: None,
        scope: None,
        issued_token_type: None,
    };
    let kept = Kept { tokens, received_at: stage.now() };
    Ok(on.client.run(&mut Renewal::new(home, kept).at_once(), &mut |_| {})?)
}

/// The server's word for a refusal.
fn word_of<T>(answered: &Result<T, ClientError>) -> Option<&str> {
    let failure = answered.as_ref().err()?.failure()?;
    Some(failure.code()?.as_str())
}
