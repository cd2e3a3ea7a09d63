//! `keyfob serve`.

use std::sync::Arc;

use authority::Clock;
use serde_json::json;

use super::{Exit, Failure, Frame};
use crate::listen::Drain;
use crate::port::WallClock;
use crate::serve::{Bound, Running, StartError};
use crate::{telemetry, wiring};

pub(super) fn run(frame: &Frame) -> Result<(), Failure> {
    let config = frame.config()?;
    telemetry::start_log(&config.log);
    let data = frame.data(&config)?;
    let lock = data.lock().map_err(|error| Failure::new(Exit::Store, error))?;
    let clock: Arc<dyn Clock> = Arc::new(WallClock::new());
    let runtime = runtime()?;
    let in_time = runtime.block_on(async {
        let bound = Bound::bind(&config, &data, lock).await.map_err(Failure::from)?;
        let drain = Drain::new();
        let app = wiring::open_app(&config, &data, bound.lock(), &clock).await?;
        wiring::keep_beating(&app, &drain);
        let link = web::portal::first_administrator_link(&app).await;
        let link = link.map_err(|fault| Failure::new(Exit::Store, fault))?;
        // What the application does not believe of the clock, certificates are not made by.
        let running = bound.open(&config, &data, &app.clock(), wiring::doors_of(&app, &data), drain.clone())?;
        running.readiness().set(app.is_well());
        wiring::keep_following(&app, &drain, Some(running.readiness().clone()));
        wiring::keep_watching(&app, &data, &drain, running.readiness().clone());
        tell(frame, &running, app.tenant().issuer.as_str(), &data.path().display().to_string(), link.as_deref());
        Ok::<_, Failure>(running.until_signal().await)
    })?;
    if in_time { Ok(()) } else { Err(Failure::new(Exit::Failed, "some requests were cut off at the deadline")) }
}

/// The runtime of a command that needs one.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    built.map_err(|error| Failure::new(Exit::Failed, format!("cannot start threads: {error}")))
}

/// Where everything is, once it answers.
fn tell(frame: &Frame, running: &Running, issuer: &str, folder: &str, first_administrator: Option<&str>) {
    let addresses = running.addresses();
    let (people, devices, health) = (addresses.people, addresses.devices, addresses.health);
    let authority = running.identity().authority_file().map(|path| path.display().to_string());
    let object = json!({
        "ready": true,
        "issuer": issuer,
        "people": people,
        "devices": devices,
        "health": health,
        "data": folder,
        "authority": authority,
        "first_administrator": first_administrator,
    });
    let mut text = format!(
        "Keyfob is ready: {issuer}\n  people   https://{people}\n  devices  https://{devices}\n  \
         health   http://{health}\n  data     {folder}"
    );
    if let Some(authority) = authority {
        text.push_str(&format!("\n  trust    {authority} (self-made; browsers warn until they trust it)"));
    }
    if let Some(link) = first_administrator {
        text.push_str(&format!(
            "\n\nNobody runs this server yet. Open this link once to become its administrator:\n  {link}"
        ));
    }
    frame.ui.result(&object, &text);
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let exit = match error {
            StartError::Bind { .. } => Exit::Configuration,
            StartError::Local { .. } => Exit::Store,
            StartError::Tls(_) => Exit::Configuration,
            StartError::Metrics(_) | StartError::Signals(_) => Exit::Failed,
        };
        Self::new(exit, error)
    }
}
