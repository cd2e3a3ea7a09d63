//! The devices of a fleet: made here with keys and certificates, or read from the
//! folder that `keyfob ca device` filled.

use std::fs;
use std::path::Path;
use std::thread;

use base64ct::{Base64, Encoding};
use pki::issue::{Authority, AuthorityCertificate, DeviceCertificate, IssueError, KeyPair, NO_END};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use crate::command::{Exit, Failure, Progress};
use crate::port::{self, SystemEntropy};

/// How far back certificates begin, and how long authorities live, seconds.
const BACKDATED: i64 = 3600;
const AUTHORITY_LIFE: i64 = 10 * 365 * 86_400;
/// Devices in one list to import.
const LIST: usize = 5_000;
/// Devices made between two looks at the bar.
const PART: usize = 64;

/// A device as it leaves the factory.
pub(super) struct Made {
    pub(super) serial: String,
    /// PKCS#8.
    pub(super) key: Zeroizing<Vec<u8>>,
    /// Leaf first.
    pub(super) chain: Vec<CertificateDer<'static>>,
}

/// A factory of one's own and what it made.
pub(super) struct Factory {
    /// The root (PEM).
    pub(super) root: String,
    pub(super) made: Vec<Made>,
}

/// Makes so many, on every processor.
///
/// # Errors
/// [`Exit::Failed`] when a key or certificate cannot be made.
pub(super) fn make(count: u32, now: i64, progress: &Progress) -> Result<Factory, Failure> {
    let failed = |error: IssueError| Failure::new(Exit::Failed, format!("the factory: {error}"));
    let named = |common_name| AuthorityCertificate {
        common_name,
        serial: port::random(&SystemEntropy),
        not_before: now - BACKDATED,
        not_after: now + AUTHORITY_LIFE,
    };
    let root = Authority::create_root(&named("Fleet Root")).map_err(failed)?;
    let line = root.create_intermediate(&named("Fleet Line 1")).map_err(failed)?;
    let numbers: Vec<u32> = (1..=count).collect();
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let share = numbers.len().div_ceil(workers).max(1);
    let parts: Vec<Result<Vec<Made>, IssueError>> = thread::scope(|scope| {
        let work = |numbers: &[u32]| {
            let mut made = Vec::with_capacity(numbers.len());
            for part in numbers.chunks(PART) {
                for number in part {
                    made.push(make_one(&line, *number, now)?);
                }
                progress.advance(part.len() as u64);
            }
            Ok(made)
        };
        let workers: Vec<_> = numbers.chunks(share).map(|part| scope.spawn(move || work(part))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or(Err(IssueError::PrivateKey))).collect()
    });
    let mut made = Vec::with_capacity(numbers.len());
    for part in parts {
        made.extend(part.map_err(failed)?);
    }
    Ok(Factory { root: root.certificate().pem(), made })
}

fn make_one(line: &Authority, number: u32, now: i64) -> Result<Made, IssueError> {
    let serial = format!("FLT-{number:07}");
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
    let chain = [&certificate, line.certificate()].map(|certificate| CertificateDer::from(certificate.der().to_vec()));
    Ok(Made { serial, key: Zeroizing::new(key.pkcs8_der().to_vec()), chain: chain.into() })
}

impl Factory {
    /// Lists to import, as CSV.
    pub(super) fn lists(&self, model: &str) -> Result<Vec<Vec<u8>>, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::new(Exit::Failed, format!("the list: {error}"));
        let mut lists = Vec::new();
        for part in self.made.chunks(LIST) {
            let mut list = csv::Writer::from_writer(Vec::new());
            list.write_record(["model", "serial", "certificate"]).map_err(|error| failed(&error))?;
            for made in part {
                let leaf = made.chain.first().map(|leaf| Base64::encode_string(leaf)).unwrap_or_default();
                list.write_record([model, &made.serial, &leaf]).map_err(|error| failed(&error))?;
            }
            lists.push(list.into_inner().map_err(|error| failed(error.error()))?);
        }
        Ok(lists)
    }
}

/// Reads at most so many devices out of a folder with SERIAL.pem and SERIAL.key.
///
/// # Errors
/// [`Exit::Unreachable`] when there are none, or a file cannot be used.
pub(super) fn load(folder: &Path, most: u32) -> Result<Vec<Made>, Failure> {
    let unusable = |path: &Path, error: &dyn std::fmt::Display| {
        Failure::new(Exit::Unreachable, format!("cannot use {}: {error}", path.display()))
    };
    let mut keys: Vec<_> = fs::read_dir(folder)
        .map_err(|error| unusable(folder, &error))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "key"))
        .collect();
    keys.sort();
    keys.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    if keys.is_empty() {
        return Err(unusable(folder, &"no SERIAL.key in it").then_type("keyfob ca device --help"));
    }
    let one = |path: &Path| -> Result<Made, Failure> {
        let pem = Zeroizing::new(fs::read(path).map_err(|error| unusable(path, &error))?);
        let key = PrivatePkcs8KeyDer::from_pem_slice(&pem).map_err(|error| unusable(path, &error))?;
        let chain = path.with_extension("pem");
        let text = fs::read(&chain).map_err(|error| unusable(&chain, &error))?;
        let read = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
        let serial = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let key = Zeroizing::new(key.secret_pkcs8_der().to_vec());
        Ok(Made { serial, key, chain: read.map_err(|error| unusable(&chain, &error))? })
    };
    keys.iter().map(|path| one(path)).collect()
}
