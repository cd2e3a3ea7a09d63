use std::path::PathBuf;

use super::*;

fn mistakes(text: &str) -> Vec<String> {
    Config::parse(text, Path::new("")).unwrap_err().0.iter().map(ToString::to_string).collect()
}

fn defaults() -> Config {
    Config::parse("", Path::new("")).unwrap()
}

#[test]
fn the_example_is_the_defaults() {
    let example = Config::example();
    assert_eq!(Config::parse(&example, Path::new("")).unwrap(), defaults(), "{example}");
}

#[test]
fn the_example_names_every_key_also_those_without_a_default() {
    let example = Config::example();
    let whole: String = example
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.starts_with("[[") => format!("{rest}\n"),
            Some(rest) if rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')) => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let found = mistakes(&whole);
    assert!(found.iter().all(|mistake| mistake.contains("cannot read") || mistake.contains("unreadable")), "{found:?}");
    assert!(whole.contains("\npassword_file = ") && whole.contains("\ncertificate_file = "), "{whole}");
}

#[test]
fn the_example_fits_a_terminal_of_a_hundred_and_twenty_columns() {
    assert!(Config::example().lines().all(|line| line.len() <= 120));
}

#[test]
fn all_mistakes_are_told_at_once_with_their_paths() {
    let found = mistakes(
        r#"
        tsl = 1
        [issuer]
        url = "http://id.example.com"
        [listeners.people]
        address = "x"
        adress = "127.0.0.1:1"
        believe_forwarded_from = ["10.0.0.1/8"]
        [listeners.devices]
        address = 8444
        [limits]
        streams = 0
        header_seconds = "ten"
        [mail]
        smtp = true
        [mail2]
        [log]
        level = "loud"
        [tls]
        key_file = "server.key"
        "#,
    );
    let starts = [
        "issuer.url: \"http://id.example.com\" is not an https address",
        "listeners.people.address: \"x\" is not an address",
        "listeners.people.believe_forwarded_from: [\"10.0.0.1/8\"] is not a list of address ranges",
        "listeners.people.adress: unknown key; known here: address, ",
        "listeners.devices.address: 8444 is not an address",
        "tls.certificate_file: is missing",
        "mail.smtp: true is not a section",
        "limits.header_seconds: \"ten\" is not a whole number from 1 to 120",
        "limits.streams: 0 is not a whole number from 1 to 1000",
        "log.level: \"loud\" is not one of",
        "mail2: unknown key; known here: issuer, ",
        "tsl: unknown key",
    ];
    for start in starts {
        assert!(found.iter().any(|mistake| mistake.starts_with(start)), "{start} is missing in {found:#?}");
    }
    assert_eq!(found.len(), starts.len(), "{found:#?}");
}

#[test]
fn broken_toml_is_told_with_its_line() {
    let found = mistakes("[issuer]\nurl = \"https://a\"\nurl = \n");
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("line 3: "), "{found:?}");
}

#[test]
fn nobody_is_believed_by_default() {
    let listeners = defaults().listeners;
    assert_eq!(listeners.people.belief, Belief::default());
    assert_eq!(listeners.devices.belief, Belief::default());
    assert!(listeners.health.ip().is_loopback());
}

#[test]
fn a_password_file_that_others_may_read_is_refused_and_its_content_not_shown() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    std::fs::write(&path, "hunter2\n").unwrap();
    let text = "[mail.smtp]\nhost = \"mail\"\nuser = \"u\"\npassword_file = \"password\"\n";
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = Config::parse(text, folder.path()).unwrap_err().to_string();
    assert!(refused.contains("mail.smtp.password_file") && refused.contains("chmod 600"), "{refused}");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let config = Config::parse(text, folder.path()).unwrap();
    let MailWay::Smtp(smtp) = &config.mail.way else { panic!("{config:?}") };
    assert_eq!(smtp.login.as_ref().unwrap().1.expose(), "hunter2");
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn the_environment_names_file_and_data_folder_and_the_folder_goes_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keyfob.toml");
    std::fs::write(&path, "[data]\nfolder = \"there\"\n").unwrap();
    let environment = Environment { config: Some(path), ..Environment::default() };
    assert_eq!(Config::load(&environment).unwrap().data.folder, folder.path().join("there"));
    let environment = Environment { data: Some(PathBuf::from("/elsewhere")), ..environment };
    assert_eq!(Config::load(&environment).unwrap().data.folder, PathBuf::from("/elsewhere"));
    let missing = Environment { config: Some(PathBuf::from("/nowhere.toml")), ..Environment::default() };
    assert!(Config::load(&missing).unwrap_err().to_string().contains("cannot read /nowhere.toml"));
}

#[test]
fn a_trusted_issuer_is_read_with_where_its_keys_are() {
    let config = Config::parse(
        r#"
        [[exchange.issuers]]
        issuer = "https://login.maker.example"
        audience = "https://id.example.com"
        clients = ["app_mobile"]
        users = "make"
        [[exchange.issuers]]
        issuer = "http://127.0.0.1:9000"
        keys = "http://127.0.0.1:9000/keys"
        accepts = ["id_token"]
        client_id = "speaker-app"
        account = "acc_501"
        "#,
        Path::new(""),
    );
    let [first, second] = config.unwrap().exchange.issuers.try_into().unwrap();
    assert_eq!((first.keys, first.issuer.users), (IssuerKeys::Discovery, oauth::foreign_token::Users::Make));
    assert_eq!(first.issuer.clients, ["app_mobile".parse().unwrap()]);
    assert_eq!(second.keys, IssuerKeys::Url("http://127.0.0.1:9000/keys".into()));
    assert_eq!(second.issuer.account, Some("acc_501".parse().unwrap()));
}

#[test]
fn a_trusted_issuer_that_would_let_others_in_is_a_mistake() {
    let told = |lines: &str| {
        let text = format!("[[exchange.issuers]]\nissuer = \"https://login.maker.example\"\n{lines}");
        mistakes(&text).join("; ")
    };
    assert!(told("").contains("exchange.issuers[0].audience: is missing"));
    assert!(told("accepts = [\"id_token\"]").contains("exchange.issuers[0].client_id: is missing"));
    assert!(told("audience = \"x\"\nclient_id = \"x\"\n").contains("is the client id too"));
    for keys in ["http://login.maker.example/keys", "http://169.254.169.254/keys", "https://a:b@login.maker.example/"] {
        let lines = format!("audience = \"x\"\nkeys = \"{keys}\"");
        assert!(told(&lines).contains("exchange.issuers[0].keys: keys are fetched over https alone"), "{keys}");
    }
    assert!(told("audience = \"x\"\nkeys = \"no-such-file.json\"").contains("cannot read"));
    assert!(told("audience = \"x\"\nclients = [\"u_adam\"]").contains("\"u_adam\" is no id of that kind"));
    assert!(told("audience = \"x\"\nkey = 1").contains("exchange.issuers[0].key: unknown key"));
    let twice = "[[exchange.issuers]]\nissuer = \"https://a.example\"\naudience = \"x\"\n";
    assert!(mistakes(&twice.repeat(2)).join("; ").contains("exchange.issuers: https://a.example stands there twice"));
    let own = "[[exchange.issuers]]\nissuer = \"https://localhost:8443\"\naudience = \"x\"\n";
    assert!(mistakes(own).join("; ").contains("exchange.issuers: this server trusts its own tokens anyway"));
    assert!(mistakes("[exchange]\nissuers = 1").join("; ").contains("is not a list of sections"));
}

#[test]
fn one_line_chooses_the_database_and_all_its_mistakes_are_told() {
    assert_eq!(defaults().store, Store::Embedded);
    let local = Config::parse("[store]\nurl = \"postgres://k@%2Frun%2Fpostgresql/k\"", Path::new("")).unwrap();
    let Store::Postgres(postgres) = local.store else { panic!("the file") };
    assert_eq!((postgres.way, postgres.connections, postgres.password), (store_postgres::Way::Plain, 16, None));
    let found = mistakes(
        r#"
        [store]
        url = "postgres://keyfob:hunter2@db.example/keyfob"
        password_file = "missing"
        encryption = "some"
        connections = 1
        poolsize = 3
        "#,
    );
    let wanted = [
        "store.url: holds a password",
        "store.password_file: cannot read",
        "store.encryption: ",
        "store.connections: 1 is not",
        "store.poolsize: unknown key",
    ];
    assert_eq!(found.len(), wanted.len(), "{found:?}");
    assert!(wanted.iter().all(|wanted| found.iter().any(|found| found.starts_with(wanted))), "{found:?}");
    assert!(!found.concat().contains("hunter2"));
    let elsewhere = "[store]\nurl = \"postgres://keyfob@db.example/keyfob\"\n";
    assert!(mistakes(elsewhere)[0].starts_with("store.ca_file: is missing"), "it would leave this machine in clear");
    Config::parse(&format!("{elsewhere}encryption = \"none\""), Path::new("")).unwrap();
    assert!(mistakes("[store]\nurl = \"mysql://a\"")[0].starts_with("store.url: is no address"));
}
