//! A disk that is full, and one that may only be read: a file system of its own, a few megabytes
//! large, in a mount namespace of the server alone.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::command::{run, text};

/// Starts a command with the folder `small` of this size, the data folder copied into it.
fn on_small_disk(folder: &Path, script: &str) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--map-root-user", "--mount", "sh", "-c", script])
        .env("KEYFOB", env!("CARGO_BIN_EXE_keyfob"))
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}

const SMALL: &str = "mount -t tmpfs -o size=4m,mode=700 tmpfs small && cp -a data small/data && ";

struct Cramped {
    child: Child,
    people: String,
    folder: PathBuf,
}

impl Cramped {
    fn start(folder: &Path) -> Self {
        let script = format!("{SMALL}exec \"$KEYFOB\" --json --config keyfob.toml --data small/data serve",);
        let mut child = on_small_disk(folder, &script)
            .stdout(Stdio::piped())
            .stderr(File::create(folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let log = fs::read_to_string(folder.join("log")).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}{log}"));
        let port = ready["people"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
        // Seen from here its file system stands below the process.
        let inside = PathBuf::from(format!("/proc/{}/root", child.id()));
        let folder = inside.join(folder.strip_prefix("/").unwrap());
        Self { child, people: format!("https://localhost:{port}"), folder }
    }

    /// Takes all room there is.
    fn fill(&self) {
        let mut filler = File::create(self.filler()).unwrap();
        for size in [65_536, 4_096, 512, 1] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("small/filler")
    }

    fn ask(&self, method: &str, path: &str, authorization: &str, body: &str) -> (u16, Value) {
        let roots = fs::read(self.folder.join("small/data/tls/ca.pem")).unwrap();
        let roots = ureq::tls::parse_pem(&roots).filter_map(|item| match item.unwrap() {
            ureq::tls::PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        });
        let tls = ureq::tls::TlsConfig::builder()
            .unversioned_rustls_crypto_provider(std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .root_certs(ureq::tls::RootCerts::new_with_certs(&roots.collect::<Vec<_>>()));
        let agent =
            ureq::Agent::config_builder().tls_config(tls.build()).http_status_as_error(false).build().new_agent();
        let request = http::Request::builder().method(method).uri(format!("{}{path}", self.people));
        let kind = if body.starts_with('{') { "application/json" } else { "application/x-www-form-urlencoded" };
        let request = request.header("content-type", kind).header("authorization", authorization);
        let mut answer = match body {
            "" => agent.run(request.body(()).unwrap()).unwrap(),
            body => agent.run(request.body(body.to_owned()).unwrap()).unwrap(),
        };
        let status = answer.status().as_u16();
        assert_eq!(status == 503, answer.headers().contains_key("retry-after"), "{method} {path}: {status}");
        let mut told = String::new();
        answer.body_mut().as_reader().read_to_string(&mut told).unwrap();
        (status, serde_json::from_str(&told).unwrap_or(Value::Null))
    }

    fn end(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Cramped {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// A folder with a store, and a client that may keep the registry.
fn prepared() -> (tempfile::TempDir, String) {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path();
    let any = "address = \"127.0.0.1:0\"\n";
    let config = format!("[listeners.people]\n{any}[listeners.devices]\n{any}[listeners.health]\n{any}");
    fs::write(folder.join("keyfob.toml"), config).unwrap();
    fs::create_dir(folder.join("small")).unwrap();
    let arguments = ["--json", "--config", "keyfob.toml", "--data", "data", "clients", "create", "--name", "Registry"];
    let made =
        run(folder, &[&arguments[..], &["--id", "registry", "--scope", "products:read products:write"]].concat());
    let made: Value = serde_json::from_slice(&made.stdout).unwrap_or_else(|_| panic!("{made:?}"));
    let secret = made["client_secret"].as_str().unwrap().to_owned();
    (outer, secret)
}

#[test]
fn on_a_full_disk_reading_and_issuing_go_on_writing_is_put_off_and_nothing_is_half_done() {
    let (folder, secret) = prepared();
    let server = Cramped::start(folder.path());
    let form = "grant_type=client_credentials&scope=products:read%20products:write";
    let mut basic = jose::base64url::encode(format!("registry:{secret}")).replace('-', "+").replace('_', "/");
    while !basic.len().is_multiple_of(4) {
        basic.push('=');
    }
    let basic = format!("Basic {basic}");
    let token = || {
        let (status, told) = server.ask("POST", "/token", &basic, form);
        assert_eq!(status, 200, "{told}");
        format!("Bearer {}", told["access_token"].as_str().unwrap())
    };
    let token_before = token();
    let make = |model: &str| server.ask("POST", "/products", &token_before, &format!("{{\"model\":\"{model}\"}}"));
    assert_eq!(make("first").0, 201);
    server.fill();
    let mut refused = None;
    // A little room is left in what the store holds already.
    for number in 0..2_000 {
        let (status, told) = make(&format!("filling-{number}"));
        if status != 201 {
            refused = Some((status, told, number));
            break;
        }
    }
    let (status, told, kept) = refused.expect("the disk is full at last");
    assert_eq!(status, 503, "{told}");
    assert!(told["type"].as_str().unwrap().ends_with("/temporarily_unavailable"), "{told}");
    assert_eq!(server.ask("GET", "/products", &token_before, "").0, 200, "reading goes on");
    assert_eq!(server.ask("GET", "/jwks", "", "").0, 200);
    let token_while_full = token();
    let revoke = |token: &str| {
        let token = token.strip_prefix("Bearer ").unwrap();
        server.ask("POST", "/revoke", &basic, &format!("token={token}"))
    };
    let (status, told) = revoke(&token_while_full);
    assert_eq!((status, &told["error"]), (503, &Value::from("temporarily_unavailable")));
    let living = server.ask("GET", "/products", &token_while_full, "").0;
    assert_eq!(living, 200, "nobody was told that it ended, so it has not");

    fs::remove_file(server.filler()).unwrap();
    let (status, told) = server.ask("POST", "/products", &token_while_full, "{\"model\":\"again\"}");
    assert_eq!(status, 201, "with room it goes on by itself: {told}");
    let (_, page) = server.ask("GET", "/products?limit=1000", &token_before, "");
    let models: Vec<_> = page["items"].as_array().unwrap().iter().map(|it| it["model"].as_str().unwrap()).collect();
    assert!(!models.contains(&format!("filling-{kept}").as_str()), "what was refused did not happen");
    assert_eq!(models.iter().filter(|model| model.starts_with("filling-")).count().min(1_000), kept.min(998));
    server.end();
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.contains("the store cannot be written"), "{log}");
}

#[test]
fn a_folder_that_may_only_be_read_is_told_in_words() {
    let (folder, _) = prepared();
    let script =
        format!("{SMALL}mount -o remount,ro small && exec \"$KEYFOB\" --config keyfob.toml --data small/data serve");
    let output = on_small_disk(folder.path(), &script).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    let told = text(&output.stderr);
    assert!(told.contains("cannot use") && told.contains("Read-only"), "{told}");
}
