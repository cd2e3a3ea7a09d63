//! A speaker's own acts, with the SDK that devices link.

use std::fs;

use ::device::client::{Client, Tls};
use ::device::file::FileKey;
use ::device::{Address, CallHome, Called, Fetch, Hello, Method, Request, Response, Way};
use jose::digest;
use serde_json::json;

use super::factory::{MODEL, Speaker};
use super::stage::Stage;
use super::tale::{Told, decoded};
use super::trouble::{Lived, Present, sure};

/// The largest firmware a speaker has room for, bytes.
const ROOM: usize = 1024 * 1024;

/// A speaker that is switched on.
pub(super) struct SwitchedOn {
    pub(super) speaker: Speaker,
    pub(super) client: Client,
    pub(super) did: String,
}

/// The client of a speaker: its certificate in the handshake, its key for proofs.
pub(super) fn client(stage: &Stage, speaker: &Speaker) -> Lived<Client> {
    let identity = Some((fs::read(&speaker.chain)?, fs::read(&speaker.key)?));
    let tls = Tls { roots: stage.ca.clone(), identity };
    Ok(Client::new(&tls, Box::new(FileKey::open(&speaker.key)?))?)
}

/// First contact: the factory's certificate, a session, a token, the firmware.
pub(super) fn first_contact(stage: &Stage, speaker: &Speaker) -> Lived<Told<SwitchedOn>> {
    let mut client = client(stage, speaker)?;
    let called = call(stage, &mut client, speaker)?;
    sure(called.state == "enrolled", "the factory's key did not count as operational")?;
    sure(called.asset_id.is_none(), "a speaker fresh from the factory has an owner")?;
    let token = decoded(called.tokens.access_token.expose());
    sure(token.pointer("/payload/cnf/x5t#S256").is_some(), "the token is not bound to the certificate")?;
    let bytes = firmware(&mut client, &called)?;
    let facts = json!({
        "serial": speaker.serial, "did": called.did, "state": called.state, "session": called.session,
        "next": called.next, "access_token": token, "firmware_bytes": bytes,
    });
    let line = format!("Speaker {} called home and fetched its firmware", speaker.serial);
    let on = SwitchedOn { speaker: speaker.clone(), client, did: called.did };
    Ok(Told { line, facts, yields: on })
}

/// Calls home.
pub(super) fn call(stage: &Stage, client: &mut Client, speaker: &Speaker) -> Lived<Called> {
    let hello = Hello {
        serial_number: Some(speaker.serial.clone()),
        model: Some(MODEL.to_owned()),
        firmware: Some("1.4.1".to_owned()),
        scope: None,
    };
    let server = Address::parse(&stage.devices)?;
    let mut home = CallHome::new(&server, Way::Certificate { bound_to_key: false }, hello);
    Ok(client.run(&mut home, &mut |_| {})?)
}

/// Downloads the firmware in two parts, as after a broken connection. How many bytes it has.
fn firmware(client: &mut Client, called: &Called) -> Lived<usize> {
    let address = called.firmware_uri.as_ref().present("the address of the firmware")?;
    let mut part = |range: &str, tag: Option<&str>| -> Lived<Response> {
        let mut request = Request::new(Method::Get, address.clone());
        request.max_answer = ROOM;
        request.headers.push(("range", range.to_owned()));
        request.headers.extend(tag.map(|tag| ("if-range", tag.to_owned())));
        let mut fetch = Fetch::new(request, called.tokens.access_token.clone(), called.tokens.token_type);
        let answer = client.run(&mut fetch, &mut |_| {})?;
        sure(answer.status == 206, "a part of the firmware was refused")?;
        Ok(answer)
    };
    let first = part("bytes=0-99999", None)?;
    let tag = first.header("etag").present("the tag of the firmware")?.to_owned();
    let rest = part("bytes=100000-", Some(&tag))?;
    let whole = [first.body, rest.body].concat();
    let digest = jose::base64url::encode(digest::sha256(&whole));
    sure(tag.trim_matches('"') == digest, "the parts of the firmware do not fit together")?;
    Ok(whole.len())
}
