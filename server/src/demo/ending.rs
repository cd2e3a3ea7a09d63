//! The end: the owner removes the speaker, and from then on every door knows.

use ::device::client::ClientError;
use ::device::{JwtBearer, Outcome, Secret};
use serde_json::{Value, json};

use super::alone;
use super::home::{self, SwitchedOn};
use super::owner::Owner;
use super::pairing::{self, Paired, own_client};
use super::registry::Registry;
use super::service::Service;
use super::stage::Stage;
use super::tale::Told;
use super::trouble::{Lived, Present, Trouble, sure};

/// Adam removes the speaker at his page.
pub(super) fn revoke(stage: &Stage, owner: &Owner) -> Lived<Told<()>> {
    owner.remove_thing()?;
    stage.let_all_hear();
    Ok(Told { line: "Adam removed the speaker from his things".to_owned(), facts: json!({}), yields: () })
}

/// All that hung from the bond is refused at once; the speaker is not shut out.
pub(super) fn aftermath(
    stage: &Stage,
    on: &mut SwitchedOn,
    paired: &Paired,
    service: &Service,
    tokens: &[&Secret],
) -> Lived<Told<()>> {
    for token in tokens {
        sure(service.ask(token)? == json!({ "active": false }), "introspection tells of a token that ended")?;
    }
    let old = paired.tokens.refresh_token.clone().present("a refresh token")?;
    let refresh = word_of(pairing::refresh(stage, on, &paired.endpoints.token, old))?;
    sure(refresh == "invalid_grant", "the refresh token was not refused as ended")?;
    let asset = tokens.first().present("the asset token")?;
    let auth = own_client(stage, on);
    let mut trade = JwtBearer::new(paired.endpoints.token.clone(), auth, (*asset).clone(), None, true);
    let traded = word_of(on.client.run(&mut trade, &mut |_| {}))?;
    sure(traded == "invalid_grant", "the asset token was still traded")?;
    let renewed = alone::renew(stage, on, paired, asset)?;
    sure(renewed.outcome == Outcome::NeedsOwner, "the asset token was still renewed")?;
    let called = home::call(stage, &mut on.client, &on.speaker)?;
    sure(called.asset_id.is_none() && called.state == "enrolled", "the speaker still has an owner")?;
    let renewal: Vec<String> = renewed.falls.iter().map(ToString::to_string).collect();
    let line = "Its tokens are dead, none is renewed; it may call home, unowned".to_owned();
    let facts = json!({
        "introspection": { "active": false }, "refresh": refresh, "jwt_bearer": traded,
        "renewal": renewal,
        "state": called.state, "next": called.next,
    });
    Ok(Told { line, facts, yields: () })
}

/// The log tells the same story, in order.
pub(super) fn log(registry: &Registry, on: &SwitchedOn, paired: &Paired) -> Lived<Told<()>> {
    let mut seen: Vec<String> = Vec::new();
    let mut after = String::new();
    loop {
        let page = registry.ask("GET", &format!("/events?limit=1000{after}"), None, 200)?;
        let events = page.get("events").and_then(Value::as_array).present("the events")?;
        let about = |event: &&Value| [&on.did, &paired.asset].iter().any(|id| event.to_string().contains(*id));
        let kinds = events.iter().filter(about).filter_map(|event| event.get("type").and_then(Value::as_str));
        seen.extend(kinds.map(str::to_owned));
        let cursor = page.get("cursor").and_then(Value::as_str).present("a cursor")?;
        if page.get("head").and_then(Value::as_str) == Some(cursor) {
            break;
        }
        after = format!("&after={cursor}");
    }
    let mut rest = seen.iter();
    for wanted in ["device.provisioned", "device.called_home", "device.paired", "asset.registered", "bond.ended"] {
        sure(rest.any(|kind| kind == wanted), &format!("the log does not tell of {wanted} in its place"))?;
    }
    let line = format!("The log tells it again, in {} events", seen.len());
    Ok(Told { line, facts: json!({ "events": seen }), yields: () })
}

/// The server's word for a refusal; that it was none is the trouble.
fn word_of<T>(ended: Result<T, ClientError>) -> Lived<String> {
    match ended {
        Ok(_) => Err(Trouble::new("what ended was still served")),
        Err(error) => match error.failure().and_then(::device::Failure::code) {
            Some(code) => Ok(code.as_str().to_owned()),
            None => Err(Trouble::new(error)),
        },
    }
}
