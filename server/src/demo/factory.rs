//! A factory: its authorities, a thousand speakers with certificates, and the
//! list of them for the registry. Keeps the keys of a few for the story.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;

use base64ct::{Base64, Encoding};
use pki::Certificate;
use pki::issue::{Authority, AuthorityCertificate, DeviceCertificate, IssueError, KeyPair, NO_END};
use serde_json::json;

use super::tale::Told;
use super::trouble::{Lived, Present, Trouble};
use crate::port::{self, SystemEntropy};

/// The model it makes.
pub(super) const MODEL: &str = "SPK-2";
/// How many it makes.
const COUNT: usize = 1000;
/// The speakers of the story, by their number.
const KEPT: [usize; 3] = [123, 124, 125];
/// How far back certificates begin, seconds.
const BACKDATED: i64 = 3600;
const YEAR: i64 = 365 * 86_400;

/// What left the factory.
pub(super) struct Factory {
    /// The certificate of its root, PEM.
    pub(super) root: String,
    /// All that was made, in the order of serial numbers.
    made: Vec<Made>,
    /// The speakers whose keys are at hand.
    pub(super) speakers: Vec<Speaker>,
}

struct Made {
    serial: String,
    certificate: Certificate,
    key: Option<KeyPair>,
}

/// A speaker whose key and certificate chain lie in files.
#[derive(Debug, Clone)]
pub(super) struct Speaker {
    pub(super) serial: String,
    pub(super) key: PathBuf,
    pub(super) chain: PathBuf,
}

/// Makes everything. The root's key is dropped: it would be kept offline.
pub(super) fn make(folder: &Path, now: i64) -> Lived<Told<Factory>> {
    let named = |common_name, life| AuthorityCertificate {
        common_name,
        serial: port::random(&SystemEntropy),
        not_before: now - BACKDATED,
        not_after: now + life,
    };
    let root = Authority::create_root(&named("Demo Speakers Root", 30 * YEAR))?;
    let line = root.create_intermediate(&named("Demo Speakers Line 1", 15 * YEAR))?;
    let made = make_devices(&line, now)?;
    let folder = folder.join("speakers");
    fs::create_dir_all(&folder)?;
    let speakers = made.iter().filter_map(|made| keep(&folder, made, &line).transpose()).collect::<Lived<Vec<_>>>()?;
    let facts = json!({ "model": MODEL, "devices": made.len(), "root": root.certificate().subject().to_string() });
    let factory = Factory { root: root.certificate().pem(), made, speakers };
    Ok(Told { line: "Factory made 1,000 speakers with certificates".to_owned(), facts, yields: factory })
}

/// Keys take the time, so all processors make them.
fn make_devices(line: &Authority, now: i64) -> Lived<Vec<Made>> {
    let numbers: Vec<usize> = (1..=COUNT).collect();
    let share = COUNT.div_ceil(thread::available_parallelism()?.get());
    let parts = thread::scope(|scope| {
        let workers: Vec<_> = numbers
            .chunks(share)
            .map(|part| scope.spawn(|| part.iter().map(|number| make_device(line, *number, now)).collect()))
            .collect();
        let joined = workers.into_iter().map(|worker| worker.join().map_err(|_| Trouble::new("a worker fell")));
        joined.collect::<Lived<Vec<Result<Vec<Made>, IssueError>>>>()
    })?;
    Ok(parts.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

fn make_device(line: &Authority, number: usize, now: i64) -> Result<Made, IssueError> {
    let serial = format!("SPK-{number:06}");
    let key = KeyPair::generate()?;
    let certificate = line.issue_device(&DeviceCertificate {
        serial_number: Some(&serial),
        common_name: Some(&serial),
        spki: key.spki_der(),
        serial: port::random(&SystemEntropy),
        not_before: now - BACKDATED,
        not_after: NO_END,
        san_uri: None,
        client_auth: true,
    })?;
    let key = KEPT.contains(&number).then_some(key);
    Ok(Made { serial, certificate, key })
}

fn keep(folder: &Path, made: &Made, line: &Authority) -> Lived<Option<Speaker>> {
    let Some(pair) = &made.key else { return Ok(None) };
    let (key, chain) = (folder.join(format!("{}.key", made.serial)), folder.join(format!("{}.pem", made.serial)));
    let mut file = fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&key)?;
    file.write_all(pair.pkcs8_pem().as_bytes())?;
    fs::write(&chain, made.certificate.pem() + &line.certificate().pem())?;
    Ok(Some(Speaker { serial: made.serial.clone(), key, chain }))
}

impl Factory {
    /// The list for the registry as CSV; its last line has a mistake of a tired hand.
    pub(super) fn list(&self) -> Lived<(Vec<u8>, usize)> {
        let mut list = csv::Writer::from_writer(Vec::new());
        list.write_record(["model", "serial", "mac", "attributes.colour", "certificate"])?;
        for (number, made) in self.made.iter().enumerate() {
            let mac = format!("02:00:5e:00:{:02x}:{:02x}", number / 256, number % 256);
            let colour = if number % 2 == 0 { "oak" } else { "ash" };
            let certificate = Base64::encode_string(made.certificate.der());
            list.write_record([MODEL, &made.serial, &mac, colour, &certificate])?;
        }
        list.write_record([MODEL, "SPK-001001", "02:00:5e:oo:00:00", "oak", ""])?;
        let list = list.into_inner().map_err(|error| Trouble::new(error.error()))?;
        Ok((list, self.made.len() + 2))
    }

    pub(super) fn count(&self) -> usize {
        self.made.len()
    }

    pub(super) fn speaker(&self, at: usize) -> Lived<&Speaker> {
        self.speakers.get(at).present("a speaker whose key was kept")
    }
}
