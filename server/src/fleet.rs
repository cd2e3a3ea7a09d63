//! `keyfob fleet`: many devices with real keys over real TLS, driven by the SDK's own
//! machines, against a server of its own or one that runs.
//!
//! Owns: the devices, their time, what is counted. Does not own: any behaviour of a
//! device, which is the SDK's, nor of the server.

mod factory;
mod figures;
mod member;
mod scenario;
mod timeline;
mod wire;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use device::Address;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use url::Url;

use crate::command::{Exit, Failure, Ui};
use crate::config::Log;
use crate::demo::rehearsal::{self, Customer, Rehearsal};
use crate::listen::Drain;
use crate::port::WallClock;
use factory::{Factory, Made};
use figures::Figures;
use member::{Household, Member, World};
use scenario::{Fleet, Lived};
use timeline::Timeline;
use wire::Net;

/// What a fleet lives through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Import, first call home, registration with a customer.
    DayOne,
    /// All connect at once after an outage.
    ReconnectStorm,
    /// Every asset token is renewed in its time.
    MassRenewal,
}

/// What is wanted of a fleet.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What it lives through.
    pub scenario: Scenario,
    /// How many devices.
    pub devices: u32,
    /// When measuring ends, whatever is still under way.
    pub duration: Duration,
    /// Devices that begin in a second; all at once without.
    pub rate: Option<u32>,
    /// Connections open at once.
    pub connections: usize,
    /// Whether TLS sessions are resumed.
    pub resumes: bool,
    /// Against whom.
    pub place: Place,
}

/// Against whom.
#[derive(Debug, Clone)]
pub enum Place {
    /// A server of one's own, on loopback, whose clock is moved.
    Rehearsal,
    /// A server that runs and knows the devices already.
    Server {
        /// Where devices call.
        devices: String,
        /// Whom to trust (PEM).
        roots: PathBuf,
        /// The folder with SERIAL.pem and SERIAL.key of each device.
        made: PathBuf,
        /// The address may lie beyond this machine.
        beyond: bool,
    },
}

/// Lives a scenario and tells how it went.
///
/// # Errors
/// [`Exit::Failed`] when not every device reached what it wanted; [`Exit::Usage`] for what
/// cannot be wanted together; those of the server's start and of files.
pub async fn run(ui: Ui, log: Log, wanted: Wanted) -> Result<(), Failure> {
    match &wanted.place {
        Place::Rehearsal => {
            let (rehearsal, running) = rehearsal::set(log).await?;
            let rehearsal = Arc::new(rehearsal);
            let ended = tokio::select! {
                ended = rehearse(ui, &wanted, &rehearsal) => ended,
                interrupted = running.signalled() => Err(interrupted),
            };
            running.strike().await;
            ended
        }
        Place::Server { devices, roots, made, beyond } => {
            if wanted.scenario == Scenario::MassRenewal {
                let cause = "a mass renewal takes most of a day: it is rehearsed, with a clock that is moved";
                return Err(Failure::new(Exit::Usage, cause).then_type("keyfob fleet mass-renewal --rehearse"));
            }
            let address = near(devices, *beyond)?;
            let unusable = |error: std::io::Error| {
                Failure::new(Exit::Unreachable, format!("cannot use {}: {error}", roots.display()))
            };
            let roots = std::fs::read(roots).map_err(unusable)?;
            let made = factory::load(made, wanted.devices)?;
            let timeline = Timeline::new(Arc::new(WallClock::new()), false);
            let mut fleet = gather(ui, &wanted, &roots, made, address, timeline, None)?;
            let told = live(&wanted, &mut fleet, None).await?;
            conclude(ui, &wanted, &told)
        }
    }
}

/// An address of devices, on this machine unless more is allowed.
fn near(address: &str, beyond: bool) -> Result<Address, Failure> {
    let bad = |what: &dyn std::fmt::Display| Failure::new(Exit::Usage, format!("{address}: {what}"));
    let parsed = Address::parse(address).map_err(|error| bad(&error))?;
    let url = Url::parse(address).map_err(|error| bad(&error))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if loopback || beyond {
        return Ok(parsed);
    }
    Err(bad(&"it lies beyond this machine; a fleet is load: say --beyond-this-machine if that is meant"))
}

async fn rehearse(ui: Ui, wanted: &Wanted, rehearsal: &Arc<Rehearsal>) -> Result<(), Failure> {
    let began = Instant::now();
    let (count, now) = (wanted.devices, rehearsal.clock().as_ref());
    let now = authority::Clock::now(now);
    let progress = ui.progress(count.into(), "Certificates");
    let factory = blocking(move || factory::make(count, now, &progress)).await?;
    ui.done(&format!("Factory made {} devices with certificates", grouped(count.into())), Some(began.elapsed()));

    let began = Instant::now();
    let needs_customer = wanted.scenario != Scenario::ReconnectStorm;
    let stage = Arc::clone(rehearsal);
    let (factory, customer) = blocking(move || {
        let keeper = stage.import(&factory.root, &factory.lists(rehearsal::MODEL)?)?;
        let customer = if needs_customer { Some(stage.customer(&keeper)?) } else { None };
        Ok((factory, customer))
    })
    .await?;
    ui.done("The registry imported them", Some(began.elapsed()));

    let issuer = rehearsal.issuer().to_owned();
    let house = customer.map(|customer| household(customer, issuer)).transpose()?;
    let token_url = house.as_ref().map(|house| house.customer.token_url.clone());
    let address = Address::parse(rehearsal.devices()).map_err(|error| Failure::new(Exit::Failed, error))?;
    let timeline = Timeline::new(Arc::clone(rehearsal.clock()), true);
    let Factory { made, .. } = factory;
    let mut fleet = gather(ui, wanted, rehearsal.roots(), made, address, timeline, house)?;
    let told = live(wanted, &mut fleet, token_url.as_ref()).await?;
    conclude(ui, wanted, &told)
}

/// What blocks has a thread of its own.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Failure::new(Exit::Failed, error)).flatten()
}

fn household(customer: Customer, issuer: String) -> Result<Arc<Household>, Failure> {
    let key = device::file::FileKey::open(&customer.key).map_err(|error| Failure::new(Exit::Failed, error))?;
    Ok(Arc::new(Household { customer, key, issuer, turn: tokio::sync::Mutex::default() }))
}

fn gather(
    ui: Ui,
    wanted: &Wanted,
    roots: &[u8],
    made: Vec<Made>,
    devices: Address,
    timeline: Arc<Timeline>,
    house: Option<Arc<Household>>,
) -> Result<Fleet, Failure> {
    let mut store = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(roots) {
        let root = root.map_err(|error| Failure::new(Exit::Usage, format!("the roots: {error}")))?;
        store.add(root).map_err(|error| Failure::new(Exit::Usage, format!("the roots: {error}")))?;
    }
    let net = Arc::new(Net {
        roots: Arc::new(store),
        figures: Figures::default(),
        tasks: Drain::new(),
        room: Arc::new(Semaphore::new(wanted.connections)),
    });
    let members = made
        .into_iter()
        .zip(0..)
        .map(|(made, number)| Member::new(&net, made, number, wanted.resumes))
        .collect::<Result<Vec<_>, String>>()
        .map_err(|error| Failure::new(Exit::Usage, error))?;
    let model = if house.is_some() { rehearsal::MODEL.to_owned() } else { String::new() };
    let world = World { net, timeline, devices, model, bound_to_key: house.is_some() };
    Ok(Fleet { world, members, house, duration: wanted.duration, rate: wanted.rate, ui })
}

/// What is told at the end.
struct Told {
    devices: u64,
    done: u64,
    line: String,
    took: Duration,
    object: Value,
}

async fn live(wanted: &Wanted, fleet: &mut Fleet, token_url: Option<&Address>) -> Result<Told, Failure> {
    let devices = u64::try_from(fleet.members.len()).unwrap_or(u64::MAX);
    let all = grouped(devices);
    let registered = fleet.house.is_some();
    let prepared = async |fleet: &mut Fleet| -> Result<(), Failure> {
        let lived = fleet.day_one().await;
        let what = if registered { "called home and were registered with their owner" } else { "called home" };
        if lived.done == devices {
            fleet.ui.done(&format!("{all} {what}"), Some(lived.took));
            return Ok(());
        }
        fleet.ui.failed(&format!("{} of {all} {what}", grouped(lived.done)), Some(lived.took));
        Err(Failure::new(Exit::Failed, format!("the fleet is not ready: {}", lived.figures)))
    };
    let tell = |lived: Lived, what: &str, more: Value| {
        let line = format!("{} of {all} {what}", grouped(lived.done));
        let mut object = lived.figures;
        if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
            object.extend(more);
        }
        Told { devices, done: lived.done, line, took: lived.took, object }
    };
    Ok(match wanted.scenario {
        Scenario::DayOne => {
            let what = if registered { "called home and were registered with their owner" } else { "called home" };
            tell(fleet.day_one().await, what, Value::Null)
        }
        Scenario::ReconnectStorm => {
            prepared(fleet).await?;
            tell(fleet.reconnect_storm().await, "came back after the outage", Value::Null)
        }
        Scenario::MassRenewal => {
            let begun = fleet.world.timeline.now();
            prepared(fleet).await?;
            let token_url = token_url.ok_or_else(|| Failure::new(Exit::Failed, "nobody owns these devices"))?;
            let lived = fleet.mass_renewal(token_url).await;
            let spread = scenario::spread(&lived.ends, begun);
            tell(lived, "renewed by their key, without app and owner", json!({ "renewals": spread }))
        }
    })
}

fn conclude(ui: Ui, wanted: &Wanted, told: &Told) -> Result<(), Failure> {
    let whole = told.done == told.devices;
    if whole {
        ui.done(&told.line, Some(told.took));
    } else {
        ui.failed(&told.line, Some(told.took));
    }
    let mut object = json!({
        "ok": whole,
        "scenario": name(wanted.scenario),
        "rehearsed": matches!(wanted.place, Place::Rehearsal),
        "devices": told.devices,
    });
    if let (Value::Object(object), Value::Object(figures)) = (&mut object, &told.object) {
        object.extend(figures.clone());
    }
    ui.result(&object, &summary(&told.object));
    if whole {
        return Ok(());
    }
    let missing = grouped(told.devices - told.done);
    Err(Failure::new(Exit::Failed, format!("{missing} devices did not reach what they wanted in time")))
}

fn name(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::DayOne => "day-one",
        Scenario::ReconnectStorm => "reconnect-storm",
        Scenario::MassRenewal => "mass-renewal",
    }
}

/// The figures in a few lines.
fn summary(object: &Value) -> String {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    let shown = |pointer: &str| {
        object.pointer(pointer).filter(|value| !value.is_null()).map_or("-".to_owned(), Value::to_string)
    };
    let mut lines = vec![
        format!(
            "    requests     {} ({}/s), p50 {} ms, p99 {} ms, slowest {} ms",
            grouped(number("/requests")),
            shown("/requests_per_second"),
            shown("/p50_ms"),
            shown("/p99_ms"),
            shown("/slowest_ms"),
        ),
        format!(
            "    connections  {} full handshakes, {} resumed, at most {} open at once",
            grouped(number("/handshakes/full")),
            grouped(number("/handshakes/resumed")),
            grouped(number("/most_connections")),
        ),
    ];
    let refused = object.get("refused").and_then(Value::as_object).into_iter().flatten();
    let refused: Vec<String> = refused.map(|(cause, count)| format!("{cause} {count}")).collect();
    lines.push(format!("    refused      {}", if refused.is_empty() { "none".to_owned() } else { refused.join(", ") }));
    if object.get("renewals").is_some_and(|renewals| !renewals.is_null()) {
        let hours = |pointer: &str| format!("{:.1} h", number(pointer) as f64 / 3600.0);
        lines.push(format!(
            "    renewals     from {} to {} after the token came; at most {} in one minute, {} on average",
            hours("/renewals/first_after_seconds"),
            hours("/renewals/last_after_seconds"),
            shown("/renewals/most_in_a_minute"),
            shown("/renewals/mean_in_a_minute"),
        ));
    }
    lines.join("\n")
}

/// A number people can read.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_beyond_this_machine_wants_a_word() {
        for here in ["https://localhost:8444", "https://127.0.0.1:8444", "https://[::1]:8444", "https://127.9.9.9"] {
            assert!(near(here, false).is_ok(), "{here}");
        }
        for there in ["https://device.id.example.com", "https://10.0.0.1", "https://localhost.example.com"] {
            assert_eq!(near(there, false).unwrap_err().exit, Exit::Usage, "{there}");
            assert!(near(there, true).is_ok(), "{there}");
        }
        assert!(near("http://localhost:8444", true).is_err());
    }

    #[test]
    fn numbers_are_grouped() {
        let told: Vec<_> = [0, 999, 1_000, 12_345, 1_234_567].map(grouped).into();
        assert_eq!(told, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }
}
