//! `keyfob ca`: a factory's authorities, and certificates for those who have none.
//!
//! An authority is two files, `NAME.pem` and `NAME.key` (mode 600). Nothing is ever overwritten.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use authority::Clock;
use base64ct::{Base64, Encoding};
use clap::{Args, Subcommand};
use pki::Certificate;
use pki::issue::{
    Authority, AuthorityCertificate, DeviceCertificate, KeyPair, MAX_SERVER_LIFE, NO_END, ServerCertificate,
};
use serde_json::json;
use zeroize::Zeroizing;

use super::{Exit, Failure, Frame};
use crate::port::{self, SystemEntropy, WallClock};

const YEAR: i64 = 365 * 86_400;
/// How far back certificates begin, for peers whose clock is behind: one hour.
const BACKDATED: i64 = 3_600;

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Make a root, whose key belongs offline
    Root {
        /// The name in the certificate
        #[arg(long)]
        name: String,
        /// Where to write it: FILE.pem and FILE.key
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// How long it lives
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(i64).range(1..=50))]
        years: i64,
    },
    /// Make an authority below a root, for the production line
    Intermediate {
        /// The root: FILE.pem and FILE.key
        #[arg(long, value_name = "FILE")]
        by: PathBuf,
        /// The name in the certificate
        #[arg(long)]
        name: String,
        /// Where to write it: FILE.pem and FILE.key
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// How long it lives
        #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(i64).range(1..=50))]
        years: i64,
    },
    /// Make keys and certificates for devices, and a list to import
    Device(Devices),
    /// Make a key and certificate for a server, for one year
    Server {
        /// The authority: FILE.pem and FILE.key
        #[arg(long, value_name = "FILE")]
        by: PathBuf,
        /// Host names and addresses
        #[arg(long = "name", required = true, value_name = "NAME")]
        names: Vec<String>,
        /// Where to write it: FILE.pem and FILE.key
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct Devices {
    /// The authority: FILE.pem and FILE.key
    #[arg(long, value_name = "FILE")]
    by: PathBuf,
    /// The folder for SERIAL.pem and SERIAL.key of each
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Their model, as the registry knows it
    #[arg(long)]
    model: String,
    /// A serial number; may be given several times
    #[arg(long = "serial", value_name = "SERIAL", required_unless_present_any = ["serials", "count"])]
    serial: Vec<String>,
    /// A file with one serial number per line
    #[arg(long, value_name = "FILE")]
    serials: Option<PathBuf>,
    /// Count so many serial numbers, like SPK-000001
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: Option<u32>,
    /// What the counted ones begin with
    #[arg(long, default_value = "SPK-")]
    prefix: String,
}

pub(super) fn run(frame: &Frame, action: &Action) -> Result<(), Failure> {
    let now = WallClock::new().now();
    match action {
        Action::Root { name, out, years } => {
            let root = Authority::create_root(&wanted(name, now, *years)).map_err(|error| cannot("the root", error))?;
            write_authority(frame, &root, out)
        }
        Action::Intermediate { by, name, out, years } => {
            let made = load(by)?.create_intermediate(&wanted(name, now, *years));
            write_authority(frame, &made.map_err(|error| cannot("the authority", error))?, out)
        }
        Action::Device(devices) => make_devices(frame, devices, now),
        Action::Server { by, names, out } => make_server(frame, by, names, out, now),
    }
}

fn wanted(name: &str, now: i64, years: i64) -> AuthorityCertificate<'_> {
    let (not_before, not_after) = (now - BACKDATED, now + years * YEAR);
    AuthorityCertificate { common_name: name, serial: port::random(&SystemEntropy), not_before, not_after }
}

fn write_authority(frame: &Frame, authority: &Authority, out: &Path) -> Result<(), Failure> {
    let certificate = authority.certificate();
    let files = [pem_of(out), key_of(out)];
    refuse_existing(&files)?;
    let [pem, key] = &files;
    write_new(key, authority.key_pem().as_bytes(), 0o600)?;
    write_new(pem, certificate.pem().as_bytes(), 0o644)?;
    tell_pair(frame, certificate, pem, key);
    Ok(())
}

fn make_server(frame: &Frame, by: &Path, names: &[String], out: &Path, now: i64) -> Result<(), Failure> {
    let authority = load(by)?;
    let files = [pem_of(out), key_of(out)];
    refuse_existing(&files)?;
    let key = KeyPair::generate().map_err(|error| cannot("a key", error))?;
    let (mut hosts, mut addresses) = (Vec::new(), Vec::<IpAddr>::new());
    for name in names {
        match name.parse() {
            Ok(address) => addresses.push(address),
            Err(_) => hosts.push(name.as_str()),
        }
    }
    let issued = authority.issue_server(&ServerCertificate {
        dns_names: &hosts,
        addresses: &addresses,
        spki: key.spki_der(),
        serial: port::random(&SystemEntropy),
        not_before: now - BACKDATED,
        not_after: now - BACKDATED + MAX_SERVER_LIFE,
    });
    let issued = issued.map_err(|error| cannot("the certificate", error))?;
    let [pem, key_file] = &files;
    write_new(key_file, key.pkcs8_pem().as_bytes(), 0o600)?;
    write_new(pem, chain_pem(&issued, &authority).as_bytes(), 0o644)?;
    tell_pair(frame, &issued, pem, key_file);
    Ok(())
}

fn make_devices(frame: &Frame, devices: &Devices, now: i64) -> Result<(), Failure> {
    let authority = load(&devices.by)?;
    let serials = serials(devices)?;
    fs::create_dir_all(&devices.out).map_err(|error| unusable(&devices.out, &error))?;
    let list = devices.out.join("devices.csv");
    refuse_existing(std::slice::from_ref(&list))?;
    let mut rows = csv::Writer::from_writer(Vec::new());
    write_row(&mut rows, ["model", "serial", "certificate"])?;
    let progress = frame.ui.progress(u64::try_from(serials.len()).unwrap_or(u64::MAX), "Certificates");
    for serial in &serials {
        let key = KeyPair::generate().map_err(|error| cannot("a key", error))?;
        let issued = authority.issue_device(&DeviceCertificate {
            serial_number: Some(serial),
            common_name: Some(serial),
            spki: key.spki_der(),
            serial: port::random(&SystemEntropy),
            not_before: now - BACKDATED,
            not_after: NO_END,
            san_uri: None,
            client_auth: true,
        });
        let issued = issued.map_err(|error| cannot(&format!("a certificate for {serial}"), error))?;
        write_new(&devices.out.join(format!("{serial}.key")), key.pkcs8_pem().as_bytes(), 0o600)?;
        write_new(&devices.out.join(format!("{serial}.pem")), chain_pem(&issued, &authority).as_bytes(), 0o644)?;
        write_row(&mut rows, [&devices.model, serial, &Base64::encode_string(issued.der())])?;
        progress.advance(1);
    }
    drop(progress);
    // Last: where the list is, all it names is there.
    let rows = rows.into_inner().map_err(|error| Failure::new(Exit::Failed, error.error()))?;
    write_new(&list, &rows, 0o644)?;
    let (count, shown) = (serials.len(), list.display().to_string());
    frame.ui.done(&format!("{count} devices have keys and certificates; import them by {shown}"), None);
    if frame.ui.is_json() {
        frame.ui.result(&json!({ "ok": true, "devices": count, "list": shown }), "");
    }
    Ok(())
}

fn write_row(rows: &mut csv::Writer<Vec<u8>>, row: [&str; 3]) -> Result<(), Failure> {
    rows.write_record(row).map_err(|error| Failure::new(Exit::Failed, error))
}

/// All serial numbers asked for, each once, each fit to be a file's name.
fn serials(devices: &Devices) -> Result<Vec<String>, Failure> {
    let mut serials = devices.serial.clone();
    if let Some(file) = &devices.serials {
        let text = fs::read_to_string(file).map_err(|error| unusable(file, &error))?;
        serials.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
    }
    if let Some(count) = devices.count {
        serials.extend((1..=count).map(|number| format!("{}{number:06}", devices.prefix)));
    }
    let fits = |serial: &str| {
        let plain = serial.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
        plain && (1..=64).contains(&serial.len()) && !serial.starts_with('.')
    };
    if let Some(serial) = serials.iter().find(|serial| !fits(serial)) {
        let rule = "a serial number has 1 to 64 letters, digits, dots and dashes";
        return Err(Failure::new(Exit::Usage, format!("\"{serial}\": {rule}")));
    }
    let mut seen = HashSet::new();
    if let Some(serial) = serials.iter().find(|serial| !seen.insert(serial.as_str())) {
        return Err(Failure::new(Exit::Usage, format!("the serial number {serial} is given twice")));
    }
    Ok(serials)
}

/// The certificate, and that of its authority unless peers have that one as their anchor.
fn chain_pem(issued: &Certificate, authority: &Authority) -> String {
    let above = authority.certificate();
    let anchor = above.issuer() == above.subject();
    if anchor { issued.pem() } else { issued.pem() + &above.pem() }
}

fn load(by: &Path) -> Result<Authority, Failure> {
    let (pem, key) = (pem_of(by), key_of(by));
    let certificate = fs::read(&pem).map_err(|error| unusable(&pem, &error))?;
    let secret = Zeroizing::new(fs::read(&key).map_err(|error| unusable(&key, &error))?);
    Authority::load_pem(&certificate, &secret)
        .map_err(|error| Failure::new(Exit::Failed, format!("{}: {error}", by.display())))
}

fn pem_of(name: &Path) -> PathBuf {
    name.with_added_extension("pem")
}

fn key_of(name: &Path) -> PathBuf {
    name.with_added_extension("key")
}

fn refuse_existing(files: &[PathBuf]) -> Result<(), Failure> {
    match files.iter().find(|file| file.exists()) {
        None => Ok(()),
        Some(file) => {
            let what = format!("{} is already there and stays as it is; choose another --out", file.display());
            Err(Failure::new(Exit::Failed, what))
        }
    }
}

fn write_new(path: &Path, content: &[u8], mode: u32) -> Result<(), Failure> {
    let opened = OpenOptions::new().create_new(true).write(true).mode(mode).open(path);
    opened.and_then(|mut file| file.write_all(content)).map_err(|error| unusable(path, &error))
}

fn tell_pair(frame: &Frame, certificate: &Certificate, pem: &Path, key: &Path) {
    let (pem, key) = (pem.display().to_string(), key.display().to_string());
    frame.ui.done(&format!("Certificate {pem}, key {key} (keep it secret)"), None);
    if frame.ui.is_json() {
        let thumbprint = jose::base64url::encode(certificate.thumbprint());
        let object = json!({ "ok": true, "certificate": pem, "key": key, "x5t#S256": thumbprint });
        frame.ui.result(&object, "");
    }
}

fn cannot(what: &str, error: pki::issue::IssueError) -> Failure {
    Failure::new(Exit::Failed, format!("cannot make {what}: {error}"))
}

fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Unreachable, format!("cannot use {}: {error}", path.display()))
}
