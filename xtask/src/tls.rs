//! `check tls`: testssl.sh against both TLS listeners of a running server.
//!
//! Owns: the server and certificate it looks at, which findings are allowed and why.
//! Does not own: what it looks for; that is testssl.sh's own knowledge.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::check::Outcome;
use crate::running::Running;
use crate::tools;
use crate::workshop::{Failure, Workshop, answer, read};

/// The host of the certificate; nobody has to resolve it.
const HOST: &str = "keyfob.test";

/// Protocols, suites, forward secrecy, preference, certificate, headers, known weaknesses. Left out: every
/// suite alone, and simulated clients, which find nothing else and take as long again.
const LOOKED_AT: &str = "-p -s -f -P -S -h -U";

/// Without one of these a run was cut short: its silence proves nothing.
const ALWAYS_TOLD: [&str; 6] = ["TLS1_3", "cipherlist_NULL", "PFS", "cert_chain_of_trust", "HTTP_status_code", "BEAST"];

/// From these on a finding fails the check. `WARN` tells of the tool's own trouble.
const GRAVE: [&str; 5] = ["LOW", "MEDIUM", "HIGH", "CRITICAL", "FATAL"];

/// Findings that may stay, with the reason.
const ALLOWED: [(&str, &str); 1] = [(
    "cipher_order",
    "the client's order counts: every suite offered is forward secret and authenticated, and a device \
     without AES in hardware rightly asks for ChaCha20 first",
)];

/// A line of testssl.sh's report.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    id: String,
    severity: String,
    text: String,
}

pub(crate) fn check(shop: &Workshop) -> Result<Outcome, Failure> {
    tools::install_for_tls(shop)?;
    let keyfob = shop.keyfob()?.display().to_string();
    let folder = shop.target.join("tls");
    make_folder(&folder)?;
    make_certificate(shop, &folder)?;
    let running =
        Running::start(shop.command(&keyfob, "serve --json --config keyfob.toml --data data").current_dir(&folder))?;
    let listeners = ["people", "devices"];
    let looks: Vec<Look> =
        listeners.into_iter().map(|name| Look::begin(shop, &folder, name, &running)).collect::<Result<_, _>>()?;
    let mut count = 0;
    let mut wrong = Vec::new();
    for look in looks {
        let (name, findings) = look.end()?;
        count += findings.len();
        wrong.extend(grave(&findings).into_iter().map(|found| format!("{name}: {found}")));
    }
    if wrong.is_empty() {
        return Ok(Outcome::Passed(format!("{count} findings, none grave, {} allowed by name", ALLOWED.len())));
    }
    Err(Failure::new(format!("testssl.sh found {} things\n  {}", wrong.len(), wrong.join("\n  "))))
}

/// testssl.sh at work on one listener.
struct Look {
    listener: &'static str,
    child: Child,
    report: std::path::PathBuf,
}

impl Look {
    fn begin(shop: &Workshop, folder: &Path, listener: &'static str, running: &Running) -> Result<Self, Failure> {
        let variable = format!("KEYFOB_{}", listener.to_uppercase());
        let address = running.facts().iter().find(|(name, _)| *name == variable).map(|(_, address)| address.as_str());
        let (ip, port) = address.and_then(|address| address.rsplit_once(':')).unwrap_or_default();
        let report = folder.join(format!("{listener}.json"));
        let said = File::create(folder.join(format!("{listener}.txt")))
            .map_err(|e| Failure::new(format!("writing what testssl.sh says: {e}")))?;
        let mut command = shop.command("testssl", "--quiet --warnings off --color 0 --nodns none");
        command
            .args(["--connect-timeout", "20", "--openssl-timeout", "20", "--add-ca", "ca.pem", "--ip", ip])
            .args(LOOKED_AT.split_whitespace())
            .arg("--jsonfile")
            .arg(&report)
            .arg(format!("{HOST}:{port}"))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(said);
        println!("$ {}", crate::workshop::spelled(&command));
        let child = command.spawn().map_err(|e| Failure::new(format!("testssl.sh could not be run: {e}")))?;
        Ok(Self { listener, child, report })
    }

    /// Its exit code counts findings, ours and those that are none; the report tells more.
    fn end(mut self) -> Result<(&'static str, Vec<Finding>), Failure> {
        self.child.wait().map_err(|e| Failure::new(format!("testssl.sh could not be waited for: {e}")))?;
        let findings = findings(&read(&self.report)?)?;
        let untold = ALWAYS_TOLD.iter().find(|id| !findings.iter().any(|finding| finding.id == **id));
        match untold {
            Some(id) => Err(Failure::new(format!("{}: testssl.sh told nothing of {id}", self.listener))),
            None => Ok((self.listener, findings)),
        }
    }
}

fn findings(report: &str) -> Result<Vec<Finding>, Failure> {
    let Ok(Value::Array(lines)) = serde_json::from_str(report) else {
        return Err(Failure::new("testssl.sh wrote no whole report"));
    };
    let text = |line: &Value, name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let finding =
        |line: &Value| Finding { id: text(line, "id"), severity: text(line, "severity"), text: text(line, "finding") };
    Ok(lines.iter().map(finding).collect())
}

/// What may not stay, as a person reads it.
fn grave(findings: &[Finding]) -> Vec<String> {
    let is_grave = |finding: &&Finding| {
        GRAVE.contains(&finding.severity.as_str()) && !ALLOWED.iter().any(|(id, _)| *id == finding.id)
    };
    findings.iter().filter(is_grave).map(|it| format!("{} {}: {}", it.severity, it.id, it.text)).collect()
}

/// A new folder only its owner may look into.
fn make_folder(folder: &Path) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::new(format!("making {}: {e}", folder.display()));
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(failed)?;
    }
    std::fs::create_dir_all(folder).map_err(failed)?;
    let listeners =
        ["people", "devices", "health"].map(|name| format!("[listeners.{name}]\naddress = \"127.0.0.1:0\"\n"));
    let config = format!(
        "[issuer]\nurl = \"https://{HOST}\"\ndevices_url = \"https://devices.{HOST}\"\n{}\
         [tls]\ncertificate_file = \"server.pem\"\nkey_file = \"server.key\"\n[log]\nlevel = \"error\"\n",
        listeners.concat()
    );
    std::fs::write(folder.join("keyfob.toml"), config).map_err(failed)?;
    let extensions = format!(
        "subjectAltName=DNS:{HOST},DNS:devices.{HOST}\nbasicConstraints=critical,CA:FALSE\n\
         keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n\
         crlDistributionPoints=URI:http://{HOST}/ca.crl\n"
    );
    std::fs::write(folder.join("extensions"), extensions).map_err(failed)
}

/// An authority as an operator has one, and the server's certificate by it.
fn make_certificate(shop: &Workshop, folder: &Path) -> Result<(), Failure> {
    let new_key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    for words in [
        format!("req -x509 {new_key} -days 3650 -subj /CN=Authority -keyout ca.key -out ca.pem"),
        format!("req {new_key} -subj /CN={HOST} -keyout server.key -out server.csr"),
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 180 -extfile extensions -out server.pem"
            .to_owned(),
    ] {
        answer(shop.command("openssl", &words).current_dir(folder))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{findings, grave};

    const REPORT: &str = r#"[
        {"id": "TLS1_3", "severity": "OK", "finding": "offered"},
        {"id": "cipher_order", "severity": "HIGH", "finding": "NOT a cipher order configured"},
        {"id": "engine_problem", "severity": "WARN", "finding": "no engine"},
        {"id": "HSTS", "severity": "LOW", "finding": "not offered"}
    ]"#;

    #[test]
    fn what_is_grave_and_not_allowed_is_told() {
        assert_eq!(grave(&findings(REPORT).expect("a report")), ["LOW HSTS: not offered"]);
    }

    #[test]
    fn half_a_report_is_none() {
        for half in ["", "[", r#"{"id":"TLS1_3"}"#] {
            assert!(findings(half).is_err(), "{half}");
        }
    }
}
