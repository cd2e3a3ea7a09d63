//! The way to PostgreSQL, and what becomes of a node whose database has no room left.

use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair};
use rig::{Cluster, Database, Identity, Setup};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use crate::command::text;
use crate::nodes::{Caller, Node, configure, serve, until};

/// What the database is called by its certificate.
const NAME: &str = "db.example";

/// An authority (PEM), and a certificate by it for this name.
fn certified(by: &str, name: &str) -> (String, Identity) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let mut called = DistinguishedName::new();
    called.push(DnType::CommonName, by);
    authority.distinguished_name = called;
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    (authority.pem(), Identity { certificate: leaf.pem(), key: key.serialize_pem() })
}

/// Configures a node for a database that is called so; it is reached on this machine all the same.
fn towards(folder: &Path, name: &str, port: u16, database: &Database, authority: &str) {
    fs::write(folder.join("postgres-ca.pem"), authority).unwrap();
    let url = format!("postgres://keyfob@{name}:{port}/{}?hostaddr=127.0.0.1", database.name);
    configure(folder, &Database { url, ..database.clone() }, "");
    let config = fs::read_to_string(folder.join("keyfob.toml")).unwrap();
    let config = config.replace("password_file", "ca_file = \"postgres-ca.pem\"\npassword_file");
    fs::write(folder.join("keyfob.toml"), config).unwrap();
}

/// Why a server does not start.
fn refused(folder: &Path) -> String {
    let output = serve(folder, "refused").output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    text(&output.stdout)
}

#[tokio::test]
async fn a_database_elsewhere_is_reached_by_tls_and_scram_alone_and_only_the_one_that_is_named() {
    let (authority, identity) = certified("Ours", NAME);
    let cluster = Cluster::start_as(Setup { secured: Some(identity), ..Setup::default() });
    let (database, port) = (cluster.database(), cluster.port());
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    towards(folder, NAME, port, &database, &authority);
    let node = Node::start(folder, "one");
    let caller = Caller::made(&node, "app").await;
    let token = caller.token(&node).await;
    assert!(caller.is_active(&node, &token).await);
    // Every connection of it, also the one that listens.
    let ways = "SELECT count(*), bool_and(ssl), bool_or(query LIKE 'LISTEN%') FROM pg_stat_ssl
                JOIN pg_stat_activity USING (pid) WHERE application_name = 'keyfob'";
    until("it listens", async || cluster.sql(&database.name, ways).ends_with("|t|t")).await;
    let kept = "SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'keyfob'";
    assert_eq!(cluster.sql(&database.name, kept), "t");
    drop(node);

    let (other, _) = certified("Others", NAME);
    towards(folder, NAME, port, &database, &other);
    let told = refused(folder);
    assert!(told.contains("UnknownIssuer"), "another authority: {told}");
    towards(folder, "other.example", port, &database, &authority);
    let told = refused(folder);
    assert!(told.contains("not valid for name") && told.contains("other.example"), "another name: {told}");
    let wrong = Database { password: "not-the-password".to_owned(), ..database.clone() };
    towards(folder, NAME, port, &wrong, &authority);
    let told = refused(folder);
    assert!(told.contains("password authentication failed") && !told.contains("not-the-password"), "{told}");
    // Without TLS it lets nobody in, so that the node above was truly protected.
    configure(folder, &database, "");
    assert!(refused(folder).contains("no pg_hba.conf entry"), "no way without");
}

#[tokio::test]
async fn where_tls_is_not_to_be_had_nothing_is_said_in_clear() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let database = Database { url: String::new(), password: "of-nobodys-business".to_owned(), name: "db".to_owned() };
    towards(folder.path(), NAME, port, &database, &certified("Ours", NAME).0);
    let (path, mut said) = (folder.path().to_owned(), Vec::new());
    let starting = tokio::task::spawn_blocking(move || refused(&path));
    let hear = async {
        loop {
            let (mut stream, _): (TcpStream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 8];
            stream.read_exact(&mut asked).await.unwrap();
            assert_eq!(asked, [0, 0, 0, 8, 4, 210, 22, 47], "it asks for TLS first");
            // "No": as a server does that has none, and as somebody on the way would.
            tokio::io::AsyncWriteExt::write_all(&mut stream, b"N").await.unwrap();
            stream.read_to_end(&mut said).await.unwrap();
        }
    };
    let told = tokio::select! {
        told = starting => told.unwrap(),
        () = hear => unreachable!("it hears for ever"),
    };
    assert!(told.contains("server does not support TLS"), "{told}");
    assert_eq!(said, Vec::<u8>::new(), "not a byte after that");
}

/// Enough for the cluster, and little more.
const MEGABYTES: u32 = 96;

#[tokio::test]
async fn a_database_without_room_refuses_writing_and_all_goes_on_by_itself_once_there_is_some() {
    let cluster = Cluster::start_as(Setup { room: Some(MEGABYTES), ..Setup::default() });
    let folder = tempfile::tempdir().unwrap();
    configure(folder.path(), &cluster.database(), "");
    let node = Node::start(folder.path(), "one");
    let caller = Caller::made(&node, "app").await;
    let token = caller.token(&node).await;
    let make = async |name: &str| {
        let wanted = json!({ "model": name, "name": "x".repeat(100) });
        node.local("POST", "/products", &wanted).await
    };
    assert_eq!(make("before").await.status, 201);
    cluster.fill();
    let mut kept = vec!["before".to_owned()];
    let refused = loop {
        let name = format!("filling-{}", kept.len());
        let answer = make(&name).await;
        if answer.status != 201 {
            break answer;
        }
        kept.push(name);
        assert!(kept.len() < 5_000, "the disk is full at last");
    };
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.json()["type"].as_str().unwrap().ends_with("/temporarily_unavailable"), "{refused:?}");
    assert!(refused.head.contains("\r\nretry-after: "), "{refused:?}");
    // What ends needs room as well: nobody is told that it ended.
    let ending = caller.ask(&node, "/revoke", "", &[("token", &token)]).await;
    let told = caller.ask(&node, "/introspect", "", &[("token", &token)]).await;
    match (ending.status, told.status) {
        (200, 200) => assert_eq!(told.json()["active"], false, "what was told to have ended has ended"),
        (503, 200) => assert_eq!(told.json()["active"], true, "what was refused has not"),
        statuses => assert_eq!(statuses.1, 503, "{statuses:?}"),
    }
    cluster.make_room();
    // Where its own log of writes had no room it has stopped; somebody keeps services running.
    cluster.start_if_ended();
    until("it goes on by itself", async || make("after").await.status == 201).await;
    until("it is ready", async || node.is_ready().await).await;
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = node.local("GET", &format!("/products?limit=1000{after}"), &Value::Null).await.json();
        found.extend(page["items"].as_array().unwrap().iter().map(|it| it["model"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert!(
        kept.iter().all(|name| found.iter().filter(|it| *it == name).count() == 1),
        "what was acknowledged is there"
    );
    let again = caller.token(&node).await;
    assert!(caller.is_active(&node, &again).await);
}
