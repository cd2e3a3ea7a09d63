//! `keyfob demo`: the life of a smart speaker, lived over real TLS sockets.
//!
//! Owns: the stage (server, backend, temporary folder), the story and how it is
//! told. Does not own: anything that runs in a server of its own; what the story
//! uses is what everybody has: the listeners, the pages, the SDK, the local socket.

mod alone;
mod backend;
mod browser;
pub mod elsewhere;
mod ending;
mod factory;
mod home;
mod http;
mod nodes;
mod owner;
mod page;
mod pairing;
mod registry;
pub(crate) mod rehearsal;
mod service;
mod shop;
mod stage;
mod story;
mod tale;
mod trouble;

use serde_json::{Value, json};

use crate::command::{Exit, Failure, Ui};
use crate::config::{Log, Store};
use stage::{Begins, Stage};
use tale::Tale;

/// Lives the story; with `stay` the server goes on until it is told to end. On a database
/// two nodes serve, and each connection goes to one of them by chance.
///
/// # Errors
/// [`Exit::Failed`] with the cause, if a step fails.
pub async fn run(ui: Ui, log: Log, store: Store, stay: bool) -> Result<(), Failure> {
    let (stage, standing) = stage::set(log, Begins::Yesterday, store).await?;
    let story = tokio::task::spawn_blocking(move || {
        let (offers, _) = story::live(&stage, &Tale::begin(ui))?;
        Ok::<_, Failure>((stage, offers))
    });
    let ended = tokio::select! {
        lived = story => lived.map_err(|error| Failure::new(Exit::Failed, error)).flatten(),
        interrupted = standing.signalled() => Err(interrupted),
    };
    match ended {
        Ok((stage, offers)) if stay => {
            tell_ready(ui, &stage, offers);
            standing.until_signal().await;
            Ok(())
        }
        ended => {
            standing.strike().await;
            ended.map(|_| ())
        }
    }
}

/// What stays: where everything is, and what to sign in with.
fn tell_ready(ui: Ui, stage: &Stage, offers: Value) {
    let mut ready = json!({
        "step": "ready",
        "ok": true,
        "issuer": stage.issuer,
        "devices": stage.devices,
        "backend": stage.backend,
        "ca": stage.ca_file,
        "data": stage.data,
        "mail": stage.mail,
    });
    if let (Value::Object(ready), Value::Object(offers)) = (&mut ready, &offers) {
        ready.extend(offers.clone());
    }
    let offered = |name: &str| offers.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
    let (email, password) = (offered("email"), offered("password"));
    let text = format!(
        "\n  portal   {}\n  sign in  {email}\n           {password}\n  devices  {}\n  mails    {}\n  \
         trust    {}\n           The demo made this authority itself, so a browser warns until it\n           \
         trusts it: curl --cacert FILE, or import it for the time of the demo.\n  end      Ctrl-C; the folder goes with it",
        stage.issuer,
        stage.devices,
        stage.mail.display(),
        stage.ca_file.display(),
    );
    ui.result(&ready, &text);
}
