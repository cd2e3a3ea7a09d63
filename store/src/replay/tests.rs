use identity::AnchorKind;
use serde_json::json;

use super::*;

const BACKED_UP: i64 = 1_000;

fn head() -> Head {
    Head { generation: "g".to_owned(), number: 9, horizon: 0, time: BACKED_UP }
}

fn record(kind: &'static str, id: &str, version: u64, body: serde_json::Value) -> Item {
    let stored = Stored { id: id.to_owned(), version, epochs: Default::default(), body: body.to_string() };
    Item::Record { kind: Kind(kind), stored, dispensable: false }
}

fn raised(kind: AnchorKind, id: &str, epoch: u64, end_epoch: u64) -> Raised {
    let at = i64::try_from(epoch).unwrap();
    Raised { anchor: Anchor::new(kind, id), epoch, end_epoch, number: Some(1), at, token_expires: None }
}

fn entry(raised: Raised, kind: &'static str, version: u64, body: Option<&str>) -> Entry {
    let changed = Changed { kind: Kind(kind), id: raised.anchor.id.clone(), version, body: body.map(str::to_owned) };
    Entry { generation: "g".to_owned(), at: raised.at, raised: vec![raised], changed: vec![changed] }
}

fn kept(item: Option<Item>) -> Stored {
    match item {
        Some(Item::Record { stored, .. }) => stored,
        other => panic!("no record: {other:?}"),
    }
}

fn bond(role: &str, target: &str, kind: &str) -> serde_json::Value {
    json!({ "id": "bnd_1", "holder": { "kind": "user", "id": "u_1" }, "target": { "kind": kind, "id": target },
            "role": role, "origin": "pairing", "state": "active", "created_at": 1 })
}

#[test]
fn what_ended_after_the_backup_is_ended_in_what_is_restored() {
    let ended = entry(raised(AnchorKind::Bond, "bnd_1", 1_500, 1_500), "bond", 5, Some("{\"state\":\"ended\"}"));
    let mut replay = Replay::new(Since::Journals, head(), [ended]);
    let after = kept(replay.item(record("bond", "bnd_1", 4, json!({ "state": "active" }))));
    assert_eq!((after.version, after.body.as_str()), (5, "{\"state\":\"ended\"}"));
    assert_eq!((after.epochs.epoch, after.epochs.end_epoch), (1_500, 1_500));
    let rest = replay.rest();
    assert!(matches!(rest.as_slice(), [Item::Raised(raise)] if raise.epoch == 1_500 && raise.number == Some(9)));
    assert_eq!(replay.time(1_200), 1_500, "no raise is later than the store's time");
    assert_eq!(replay.done(), &Replayed { raises: 1, records: 1, suspended: 0 });
}

#[test]
fn what_the_backup_knows_already_changes_nothing() {
    let old = entry(raised(AnchorKind::Bond, "bnd_1", 900, 900), "bond", 4, Some("{\"state\":\"ended\"}"));
    let mut replay = Replay::new(Since::Journals, head(), [old]);
    let later = record("bond", "bnd_1", 6, json!({ "state": "resumed" }));
    assert_eq!(kept(replay.item(later.clone())).body, "{\"state\":\"resumed\"}");
    let known = Item::Raised(raised(AnchorKind::Bond, "bnd_1", 950, 950));
    assert_eq!(replay.item(known.clone()), Some(known));
    assert!(replay.rest().is_empty());
}

#[test]
fn the_order_of_journals_does_not_matter() {
    let cut = entry(raised(AnchorKind::Device, "dev_1", 1_200, 0), "device", 5, Some("{\"state\":\"suspended\"}"));
    let end = entry(raised(AnchorKind::Device, "dev_1", 1_300, 1_300), "device", 6, Some("{\"state\":\"retired\"}"));
    for entries in [[cut.clone(), end.clone()], [end, cut]] {
        let mut replay = Replay::new(Since::Journals, head(), entries);
        let after = kept(replay.item(record("device", "dev_1", 2, json!({ "state": "active" }))));
        assert_eq!(after.body, "{\"state\":\"retired\"}");
        assert_eq!((after.epochs.epoch, after.epochs.end_epoch), (1_300, 1_300));
    }
}

#[test]
fn a_cut_that_follows_an_end_leaves_the_end_in_force() {
    let end = entry(raised(AnchorKind::User, "u_1", 1_200, 1_200), "user", 5, None);
    let cut = entry(raised(AnchorKind::User, "u_1", 1_300, 1_200), "user", 6, Some("{}"));
    let mut replay = Replay::new(Since::Journals, head(), [cut, end]);
    let after = kept(replay.item(record("user", "u_1", 1, json!({ "name": "Adam" }))));
    assert_eq!((after.epochs.epoch, after.epochs.end_epoch), (1_300, 1_200));
}

#[test]
fn what_was_erased_stays_erased() {
    let erased = entry(raised(AnchorKind::User, "pk_1", 1_200, 0), "passkey", 3, None);
    let mut replay = Replay::new(Since::Journals, head(), [erased]);
    assert_eq!(replay.item(record("passkey", "pk_1", 2, json!({}))), None);
}

#[test]
fn a_device_retired_before_any_backup_knew_it_is_remembered_and_a_new_bond_is_not() {
    let retired =
        entry(raised(AnchorKind::Device, "dev_9", 1_200, 1_200), "device", 3, Some("{\"state\":\"retired\"}"));
    let bond = entry(raised(AnchorKind::Bond, "bnd_9", 1_200, 1_200), "bond", 2, Some("{}"));
    let before = entry(raised(AnchorKind::Device, "dev_0", 800, 800), "device", 3, Some("{}"));
    let mut replay = Replay::new(Since::Journals, head(), [retired, bond, before]);
    let records: Vec<_> = replay.rest().into_iter().filter(|item| matches!(item, Item::Record { .. })).collect();
    let [Item::Record { kind, stored, dispensable: true }] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((kind.0, stored.id.as_str(), stored.epochs.end_epoch), ("device", "dev_9", 1_200));
}

#[test]
fn leave_to_do_something_once_never_comes_back_and_sessions_only_where_all_endings_are_known() {
    for since in [Since::Journals, Since::Suspend, Since::Accepted] {
        let mut replay = Replay::new(since, head(), []);
        for kind in ["authorization_code", "mail_token", "pairing"] {
            assert_eq!(replay.item(record(kind, "x", 1, json!({}))), None, "{kind}");
        }
        let session = replay.item(record("browser_session", "ses_1", 1, json!({})));
        assert_eq!(session.is_some(), since == Since::Journals);
    }
}

#[test]
fn suspended_bonds_wait_and_somebody_stays_who_can_say_yes() {
    let mut replay = Replay::new(Since::Suspend, head(), []);
    let mut state = |bond: serde_json::Value| {
        let after = kept(replay.item(record("bond", "bnd_1", 1, bond)));
        let body: serde_json::Value = serde_json::from_str(&after.body).unwrap();
        (body["state"].as_str().unwrap().to_owned(), after.version)
    };
    assert_eq!(state(bond("owner", "ast_1", "asset")), ("suspended".to_owned(), 2));
    assert_eq!(state(bond("member", "acc_1", "account")), ("suspended".to_owned(), 2));
    assert_eq!(state(bond("owner", "acc_1", "account")), ("active".to_owned(), 1));
    let mut ended = bond("owner", "ast_1", "asset");
    ended["state"] = "ended".into();
    assert_eq!(state(ended), ("ended".to_owned(), 1), "what had ended stays so");
    assert_eq!(replay.done().suspended, 2);
}

#[test]
fn what_a_crash_cut_off_gives_way_to_what_was_made_again() {
    let lost = entry(raised(AnchorKind::Device, "dev_1", 1_200, 0), "device", 5, Some("{\"state\":\"suspended\"}"));
    let made = entry(raised(AnchorKind::Device, "dev_1", 1_300, 1_300), "device", 5, Some("{\"state\":\"retired\"}"));
    let mut replay = Replay::new(Since::Journals, head(), [lost, made]);
    let after = kept(replay.item(record("device", "dev_1", 4, json!({ "state": "active" }))));
    assert_eq!(after.body, "{\"state\":\"retired\"}");
}
